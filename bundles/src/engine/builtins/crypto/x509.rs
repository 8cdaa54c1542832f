//! `crypto.x509.*` and `crypto.parse_private_keys`: texts in, Go's structures as JSON out.

use super::armor;
use super::certificate::Certificate;
use super::chain::{self, Requirements};
use super::extensions::EXTENDED_USAGES;
use super::private_key::{self, PrivateKey};
use super::{Context, Failure, describe, json, request, string};
use crate::engine::term::{Number, Term};

/// Longer texts are refused: what comes out may take twenty times as much.
const MAX_TEXT_BYTES: usize = 512 * 1024;
/// Go's number of the usage asked for if none is.
const SERVER_AUTHENTICATION: usize = 1;

pub(super) fn parse_certificates(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let bytes = certificate_bytes(text(arguments, 0)?).ok_or(Failure::Undefined)?;
    let certificates = Certificate::parse_all(&bytes).ok_or(Failure::Undefined)?;
    let terms: Result<_, _> = certificates
        .iter()
        .map(|certificate| describe::certificate(certificate, true))
        .collect();
    Ok(Term::Array(terms?))
}

/// Verifies for a TLS server, at the instant of the decision.
pub(super) fn parse_and_verify_certificates(context: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let requirements = Requirements {
        host: "",
        now: context.now.as_nanosecond(),
        usages: vec![SERVER_AUTHENTICATION],
    };
    parse_and_verify(text(arguments, 0)?, true, || Ok(requirements))
}

/// The same with the options `DNSName`, `CurrentTime`, `KeyUsages` and `MaxConstraintComparisons`, the
/// last of which Go no longer heeds.
pub(super) fn parse_and_verify_certificates_with_options(
    context: &Context,
    arguments: &[Term],
) -> Result<Term, Failure> {
    let certificates = text(arguments, 0)?;
    let Some(Term::Object(options)) = arguments.get(1) else {
        return Err(Failure::Undefined);
    };
    parse_and_verify(certificates, false, || {
        let mut requirements = Requirements {
            host: "",
            now: context.now.as_nanosecond(),
            usages: Vec::new(),
        };
        for (name, value) in options {
            if let Term::String(name) = name {
                set_option(&mut requirements, name, value)?;
            }
        }
        if requirements.usages.is_empty() {
            requirements.usages.push(SERVER_AUTHENTICATION);
        }
        Ok(requirements)
    })
}

pub(super) fn parse_certificate_request(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let text = text(arguments, 0)?;
    let decoded = if text.starts_with("-----BEGIN CERTIFICATE REQUEST-----") {
        text.as_bytes().to_vec()
    } else {
        armor::decode(text.as_bytes()).ok_or(Failure::Undefined)?
    };
    match armor::next_block(&decoded) {
        None => request::to_term(&decoded),
        Some((block, _)) if block.kind == b"CERTIFICATE REQUEST" => request::to_term(&block.bytes),
        Some(_) => Err(Failure::Undefined),
    }
}

/// The fields of `tls.Certificate` for a chain of certificates and the key of the first.
pub(super) fn parse_keypair(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let certificates = blocks(text(arguments, 0)?, |kind| kind == b"CERTIFICATE")?;
    let is_key = |kind: &[u8]| kind == b"PRIVATE KEY" || kind.ends_with(b" PRIVATE KEY");
    let keys = blocks(text(arguments, 1)?, is_key)?;
    let (Some(first), Some(key)) = (certificates.first(), keys.first()) else {
        return Err(Failure::Undefined);
    };
    let leaf = Certificate::parse(first).ok_or(Failure::Undefined)?;
    let private = PrivateKey::for_tls(key)?;
    let public = leaf.key.as_ref().ok_or(Failure::Undefined)?;
    if !private.belongs_to(public)? {
        return Err(Failure::Undefined);
    }
    Ok(json::object([
        (
            "Certificate",
            Term::Array(certificates.iter().map(|bytes| json::bytes(bytes)).collect()),
        ),
        ("PrivateKey", private.to_term()?),
        ("SupportedSignatureAlgorithms", Term::Null),
        ("OCSPStaple", Term::Null),
        ("SignedCertificateTimestamps", Term::Null),
        ("Leaf", describe::certificate(&leaf, false)?),
    ]))
}

/// The first key as a JSON Web Key, of any kind in spite of the name.
pub(super) fn parse_rsa_private_key(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let text = text(arguments, 0)?;
    let decoded;
    let pem = if text.starts_with("-----BEGIN") {
        text
    } else {
        decoded = armor::decode(text.as_bytes()).filter(|_| !text.is_empty());
        let decoded = decoded.as_deref().ok_or(Failure::Undefined)?;
        // What is not text has no block in it, but for what is around it.
        &String::from_utf8_lossy(decoded)
    };
    private_key::from_pem(pem)?
        .first()
        .map_or(Ok(Term::Null), PrivateKey::to_jwk)
}

pub(super) fn parse_private_keys(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let text = text(arguments, 0)?;
    if text.is_empty() {
        return Ok(Term::Null);
    }
    let keys: Result<_, _> = private_key::from_pem(text)?.iter().map(PrivateKey::to_term).collect();
    Ok(Term::Array(keys?))
}

fn text(arguments: &[Term], index: usize) -> Result<&str, Failure> {
    let text = string(arguments, index)?;
    let length = text.len();
    if length > MAX_TEXT_BYTES {
        return Err(Failure::Limit(format!(
            "a text of certificates or keys has {length} bytes, more than {MAX_TEXT_BYTES}"
        )));
    }
    Ok(text)
}

/// Certificates in DER, one behind another, from PEM or from base64 of either.
fn certificate_bytes(text: &str) -> Option<Vec<u8>> {
    const BEGIN: &[u8] = b"-----BEGIN";
    let bytes = if text.as_bytes().starts_with(BEGIN) {
        text.as_bytes().to_vec()
    } else {
        armor::decode(text.as_bytes())?
    };
    if !bytes.starts_with(BEGIN) {
        return Some(bytes);
    }
    let mut certificates = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((block, after)) = armor::next_block(rest) {
        if block.kind != b"CERTIFICATE" {
            return None;
        }
        certificates.extend(block.bytes);
        rest = after;
    }
    Some(certificates)
}

/// The blocks of this kind in PEM, or in base64 of it; base64 of anything else is the block.
fn blocks(text: &str, is_wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<Vec<u8>>, Failure> {
    let bytes = if text.as_bytes().starts_with(armor::BEGIN) {
        text.as_bytes().to_vec()
    } else {
        armor::decode(text.as_bytes()).ok_or(Failure::Undefined)?
    };
    if !bytes.starts_with(armor::BEGIN) {
        return Ok(vec![bytes]);
    }
    let mut blocks = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((block, after)) = armor::next_block(rest) {
        if is_wanted(block.kind) {
            blocks.push(block.bytes);
        }
        rest = after;
    }
    Ok(blocks)
}

/// `[true, chain]` from the leaf to the root, or `[false, []]`. Options are not looked at if the
/// certificates are malformed.
fn parse_and_verify<'a>(
    certificates: &str,
    with_uris: bool,
    requirements: impl FnOnce() -> Result<Requirements<'a>, Failure>,
) -> Result<Term, Failure> {
    let refused = || Ok(Term::Array(vec![Term::Boolean(false), Term::Array(Vec::new())]));
    let Some(bytes) = certificate_bytes(certificates) else {
        return refused();
    };
    let Some(certificates) = Certificate::parse_all(&bytes) else {
        return refused();
    };
    let Some(chain) = chain::find(&certificates, &requirements()?)? else {
        return refused();
    };
    let terms: Result<_, _> = chain
        .into_iter()
        .map(|certificate| describe::certificate(certificate, with_uris))
        .collect();
    Ok(Term::Array(vec![Term::Boolean(true), Term::Array(terms?)]))
}

fn set_option<'a>(requirements: &mut Requirements<'a>, name: &str, value: &'a Term) -> Result<(), Failure> {
    match (name, value) {
        ("DNSName", Term::String(host)) => requirements.host = host.trim_matches('"'),
        ("CurrentTime", Term::Number(number)) => {
            requirements.now = integer(number).ok_or(Failure::Undefined)?.into();
        }
        ("MaxConstraintComparisons", Term::Number(number)) => {
            integer(number).ok_or(Failure::Undefined)?;
        }
        ("KeyUsages", Term::Array(usages)) => requirements.usages = numbers_of(usages).ok_or(Failure::Undefined)?,
        ("KeyUsages", Term::Set(usages)) => requirements.usages = numbers_of(usages).ok_or(Failure::Undefined)?,
        _ => return Err(Failure::Undefined),
    }
    Ok(())
}

/// What is no string does not count.
fn numbers_of<'a>(usages: impl IntoIterator<Item = &'a Term>) -> Option<Vec<usize>> {
    let number = |usage: &Term| match usage {
        Term::String(name) => {
            let name = name.trim_matches('"');
            Some(EXTENDED_USAGES.iter().position(|(known, _)| *known == name))
        }
        _ => None,
    };
    usages.into_iter().filter_map(number).collect()
}

/// As OPA turns a number into one of 64 bits: from at most 19 characters, and zeros behind a point.
fn integer(number: &Number) -> Option<i64> {
    let text = number.text();
    let (whole, zeros) = text.split_once('.').unwrap_or((text, ""));
    let length = text.trim_start_matches('-').len();
    let sound = length <= 19 && zeros.bytes().all(|byte| byte == b'0');
    sound.then(|| whole.parse().ok())?
}
