//! Certificate signing requests (RFC 2986) as Go parses and prints them.

use super::certificate::{Extension, unique};
use super::der::{BOOLEAN, Der, Element, Loose, OCTET_STRING, Oid, SEQUENCE, SET, boolean, explicit};
use super::describe;
use super::extensions::{AlternativeNames, SUBJECT_ALTERNATIVE_NAME};
use super::json;
use super::names::{Attribute, Name};
use super::public_key::{Algorithm, KeyKind, PublicKey};
use super::signature::SignatureAlgorithm;
use crate::engine::builtins::Failure;
use crate::engine::term::Term;

/// `extensionRequest`, the attribute with the extensions asked for.
const EXTENSION_REQUEST: [u32; 7] = [1, 2, 840, 113_549, 1, 9, 14];

/// The fields of `x509.CertificateRequest`.
pub(super) fn to_term(bytes: &[u8]) -> Result<Term, Failure> {
    let request = Request::parse(bytes).ok_or(Failure::Undefined)?;
    let key = request.key.as_ref().map_or(Ok(Term::Null), PublicKey::to_term)?;
    let [dns, emails, addresses, urls] = describe::alternative_names(&request.names);
    let attributes: Option<Vec<Term>> = request.attributes.iter().map(OldAttribute::to_term).collect();
    Ok(json::object([
        ("Raw", json::bytes(request.raw)),
        ("RawTBSCertificateRequest", json::bytes(request.body)),
        ("RawSubjectPublicKeyInfo", json::bytes(request.raw_key)),
        ("RawSubject", json::bytes(request.raw_subject)),
        ("Version", json::integer(request.version)),
        ("Signature", json::bytes(&request.signature)),
        ("SignatureAlgorithm", json::integer(request.signature_algorithm as u8)),
        ("PublicKeyAlgorithm", json::integer(request.key_kind as u8)),
        ("PublicKey", key),
        ("Subject", request.subject.to_term().ok_or(Failure::Undefined)?),
        ("Attributes", json::list(attributes.ok_or(Failure::Undefined)?)),
        ("Extensions", describe::raw_extensions(&request.extensions)),
        ("ExtraExtensions", Term::Null),
        dns,
        emails,
        addresses,
        urls,
    ]))
}

struct Request<'a> {
    raw: &'a [u8],
    /// What is signed.
    body: &'a [u8],
    raw_subject: &'a [u8],
    raw_key: &'a [u8],
    version: i64,
    subject: Name,
    key_kind: KeyKind,
    key: Option<PublicKey>,
    attributes: Vec<OldAttribute>,
    extensions: Vec<Extension<'a>>,
    names: AlternativeNames<'a>,
    signature_algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
}

/// An attribute of the form that Go once took all attributes to have; others are not listed.
struct OldAttribute {
    kind: Oid,
    values: Vec<Vec<Attribute>>,
}

impl<'a> Request<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut outer = Loose(bytes);
        let whole = outer.element(SEQUENCE)?;
        let mut parts = Loose(whole.content);
        let body = parts.element(SEQUENCE)?;
        let signature_algorithm = Algorithm::loose(parts.nested(SEQUENCE)?)?;
        let signature = parts.bits()?.right_aligned();
        let mut fields = Loose(body.content);
        let version = fields.int64()?;
        let subject = fields.any()?;
        let key = fields.element(SEQUENCE)?;
        let mut key_fields = Loose(key.content);
        let key_algorithm = Algorithm::loose(key_fields.nested(SEQUENCE)?)?;
        let key_bits = key_fields.bits()?;
        let attributes = fields.nested(explicit(0))?.all()?;
        let extensions = extensions(&attributes)?;
        let names = extensions
            .iter()
            .find(|extension| extension.id.is(&SUBJECT_ALTERNATIVE_NAME))
            .map_or_else(
                || Some(AlternativeNames::default()),
                |extension| AlternativeNames::read(Der(extension.value)),
            )?;
        outer.is_empty().then_some(Self {
            raw: whole.full,
            body: body.full,
            raw_subject: subject.full,
            raw_key: key.full,
            version,
            subject: Name::loose(subject.full)?,
            key_kind: KeyKind::of(&key_algorithm.id),
            key: PublicKey::read(&key_algorithm, &key_bits)?,
            attributes: attributes.iter().filter_map(OldAttribute::read).collect(),
            extensions,
            names,
            signature_algorithm: SignatureAlgorithm::of(&signature_algorithm),
            signature,
        })
    }
}

impl OldAttribute {
    fn read(attribute: &Element<'_>) -> Option<Self> {
        let mut fields = attribute_fields(attribute)?;
        let kind = fields.oid()?;
        let list = |list: Loose<'_>| list.each(SEQUENCE)?.into_iter().map(Attribute::loose).collect();
        let values: Option<_> = fields.nested(SET)?.each(SEQUENCE)?.into_iter().map(list).collect();
        Some(Self { kind, values: values? })
    }

    /// Absent if a time in it cannot be printed.
    fn to_term(&self) -> Option<Term> {
        let list = |list: &Vec<Attribute>| {
            let items: Option<Vec<Term>> = list.iter().map(Attribute::to_term).collect();
            items.map(Term::Array)
        };
        let values: Option<Vec<Term>> = self.values.iter().map(list).collect();
        Some(json::object([
            ("Type", json::oid(&self.kind)),
            ("Value", Term::Array(values?)),
        ]))
    }
}

fn attribute_fields<'a>(attribute: &Element<'a>) -> Option<Loose<'a>> {
    (attribute.tag == SEQUENCE).then_some(Loose(attribute.content))
}

/// All extensions asked for. Attributes that are something else are passed over; of one that is this,
/// the first value counts.
fn extensions<'a>(attributes: &[Element<'a>]) -> Option<Vec<Extension<'a>>> {
    let mut extensions: Vec<Extension<'a>> = Vec::new();
    for attribute in attributes {
        let Some((kind, values)) = id_and_values(attribute) else {
            continue;
        };
        let Some(first) = values.first().filter(|_| kind.is(&EXTENSION_REQUEST)) else {
            continue;
        };
        if first.tag != SEQUENCE {
            return None;
        }
        for fields in Loose(first.content).each(SEQUENCE)? {
            extensions.push(extension(fields)?);
        }
    }
    unique(extensions)
}

fn id_and_values<'a>(attribute: &Element<'a>) -> Option<(Oid, Vec<Element<'a>>)> {
    let mut fields = attribute_fields(attribute)?;
    Some((fields.oid()?, fields.nested(SET)?.all()?))
}

fn extension(mut fields: Loose<'_>) -> Option<Extension<'_>> {
    let id = fields.oid()?;
    let critical = fields.optional(BOOLEAN)?.map_or(Some(false), boolean)?;
    let value = fields.read(OCTET_STRING)?;
    Some(Extension { id, critical, value })
}
