//! Certificates as Go parses them (`crypto/x509/parser.go`).

use num_bigint::{BigInt, Sign};

use super::der::{BOOLEAN, Der, GENERALIZED_TIME, INTEGER, OCTET_STRING, Oid, SEQUENCE, UTC_TIME, context, explicit};
use super::extensions::Extensions;
use super::instant::Instant;
use super::names::Name;
use super::public_key::{Algorithm, KeyKind, PublicKey};
use super::signature::SignatureAlgorithm;

/// A certificate, over the bytes it was read from.
#[derive(Debug)]
pub(in crate::engine::builtins) struct Certificate<'a> {
    pub(super) raw: &'a [u8],
    /// What is signed.
    pub(super) body: &'a [u8],
    pub(super) raw_issuer: &'a [u8],
    pub(super) raw_subject: &'a [u8],
    pub(super) raw_key: &'a [u8],
    pub(super) version: i64,
    pub(super) serial: BigInt,
    pub(super) issuer: Name,
    pub(super) subject: Name,
    pub(super) not_before: Instant,
    pub(super) not_after: Instant,
    pub(super) key_kind: KeyKind,
    /// Absent if its kind is not known.
    pub(in crate::engine::builtins) key: Option<PublicKey>,
    pub(super) extensions: Extensions<'a>,
    pub(super) signature_algorithm: SignatureAlgorithm,
    pub(super) signature: Vec<u8>,
}

/// An extension as it is written.
#[derive(Debug)]
pub(super) struct Extension<'a> {
    pub(super) id: Oid,
    pub(super) critical: bool,
    pub(super) value: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// The one certificate that the bytes are.
    pub(in crate::engine::builtins) fn parse(bytes: &'a [u8]) -> Option<Self> {
        Self::first(bytes).filter(|certificate| certificate.raw.len() == bytes.len())
    }

    /// Certificates one behind another, with nothing between them; maybe none.
    pub(super) fn parse_all(mut bytes: &'a [u8]) -> Option<Vec<Self>> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let certificate = Self::first(bytes)?;
            bytes = bytes.get(certificate.raw.len()..)?;
            all.push(certificate);
        }
        Some(all)
    }

    fn first(bytes: &'a [u8]) -> Option<Self> {
        let whole = Der(bytes).element(SEQUENCE)?;
        let mut outer = Der(whole.content);
        let body = outer.element(SEQUENCE)?;
        let mut fields = Der(body.content);
        let version = version(&mut fields)?;
        let serial = fields.integer()?;
        let algorithm = fields.read(SEQUENCE)?;
        if serial.sign() == Sign::Minus || outer.read(SEQUENCE)? != algorithm {
            return None;
        }
        let algorithm = Algorithm::strict(Der(algorithm))?;
        let issuer = fields.element(SEQUENCE)?.full;
        let mut validity = fields.nested(SEQUENCE)?;
        let subject = fields.element(SEQUENCE)?.full;
        let key = fields.element(SEQUENCE)?;
        let mut key_fields = Der(key.content);
        let key_algorithm = Algorithm::strict(key_fields.nested(SEQUENCE)?)?;
        let key_bits = key_fields.bits()?;
        Some(Self {
            raw: whole.full,
            body: body.full,
            raw_issuer: issuer,
            raw_subject: subject,
            raw_key: key.full,
            version,
            serial,
            issuer: Name::strict(issuer)?,
            subject: Name::strict(subject)?,
            not_before: instant(&mut validity)?,
            not_after: instant(&mut validity)?,
            key_kind: KeyKind::of(&key_algorithm.id),
            key: PublicKey::read(&key_algorithm, &key_bits)?,
            extensions: Extensions::read(extensions(version, fields)?)?,
            signature_algorithm: SignatureAlgorithm::of(&algorithm),
            signature: outer.bits()?.right_aligned(),
        })
    }
}

impl<'a> Extension<'a> {
    fn read(mut fields: Der<'a>) -> Option<Self> {
        let id = fields.oid()?;
        let critical = if fields.peek(BOOLEAN) { fields.boolean()? } else { false };
        let value = fields.read(OCTET_STRING)?;
        Some(Self { id, critical, value })
    }
}

/// Counted from one.
fn version(fields: &mut Der<'_>) -> Option<i64> {
    let Some(number) = fields.optional(explicit(0))? else {
        return Some(1);
    };
    let mut number = Der(number);
    let version = number.int64(INTEGER)?;
    // Go's sum wraps around, and what comes out is below three.
    let counted = version.wrapping_add(1);
    (number.is_empty() && version >= 0 && counted <= 3).then_some(counted)
}

fn instant(validity: &mut Der<'_>) -> Option<Instant> {
    let time = validity.any()?;
    match time.tag {
        UTC_TIME => Instant::utc(time.content),
        GENERALIZED_TIME => Instant::generalized(time.content, false),
        _ => None,
    }
}

/// The extensions behind the key.
fn extensions(version: i64, mut fields: Der<'_>) -> Option<Vec<Extension<'_>>> {
    let mut extensions: Vec<Extension<'_>> = Vec::new();
    if version > 1 {
        fields.optional(context(1))?;
        fields.optional(context(2))?;
    }
    if version == 3
        && let Some(list) = fields.optional(explicit(3))?
    {
        let mut list = Der(list).nested(SEQUENCE)?;
        while !list.is_empty() {
            extensions.push(Extension::read(list.nested(SEQUENCE)?)?);
        }
    }
    unique(extensions)
}

/// The extensions if none of them is there twice.
pub(super) fn unique(extensions: Vec<Extension<'_>>) -> Option<Vec<Extension<'_>>> {
    let mut ids: Vec<&Oid> = extensions.iter().map(|extension| &extension.id).collect();
    ids.sort_unstable();
    let unique = ids.windows(2).all(|pair| pair.first() != pair.last());
    unique.then_some(extensions)
}
