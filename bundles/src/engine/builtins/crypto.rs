//! `crypto.*` (`v1/topdown/crypto.go`): digests and message authentication codes here, X.509 and keys below.
//!
//! Certificates, requests and keys become the JSON of Go's structures, so they are read by Go's rules
//! (`crypto/x509`, `encoding/asn1`, `encoding/pem`), which differ from those of the Rust crates in what
//! they refuse. The arithmetic of signatures and curves is aws-lc's.

pub(super) mod armor;
pub(super) mod certificate;
mod chain;
mod constraints;
mod curve;
pub(super) mod der;
mod describe;
mod extensions;
mod hostname;
mod instant;
mod json;
mod mailbox;
mod names;
mod policies;
mod private_key;
pub(super) mod public_key;
mod request;
mod rsa_key;
mod signature;
mod url;
mod x509;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{Builtin, Context, Failure, builtin, string};
use crate::engine::term::Term;

/// The functions of this family, sorted by name.
pub(super) const TABLE: &[Builtin] = &[
    builtin("crypto.hmac.equal", 2, hmac_equal),
    builtin("crypto.hmac.md5", 2, hmac_md5),
    builtin("crypto.hmac.sha1", 2, hmac_sha1),
    builtin("crypto.hmac.sha256", 2, hmac_sha256),
    builtin("crypto.hmac.sha512", 2, hmac_sha512),
    builtin("crypto.md5", 1, digest::<Md5>),
    builtin("crypto.parse_private_keys", 1, x509::parse_private_keys),
    builtin("crypto.sha1", 1, digest::<Sha1>),
    builtin("crypto.sha256", 1, digest::<Sha256>),
    builtin(
        "crypto.x509.parse_and_verify_certificates",
        1,
        x509::parse_and_verify_certificates,
    ),
    builtin(
        "crypto.x509.parse_and_verify_certificates_with_options",
        2,
        x509::parse_and_verify_certificates_with_options,
    ),
    builtin(
        "crypto.x509.parse_certificate_request",
        1,
        x509::parse_certificate_request,
    ),
    builtin("crypto.x509.parse_certificates", 1, x509::parse_certificates),
    builtin("crypto.x509.parse_keypair", 2, x509::parse_keypair),
    builtin("crypto.x509.parse_rsa_private_key", 1, x509::parse_rsa_private_key),
];

/// The digest in lower-case hexadecimal digits.
fn digest<D: Digest>(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    Ok(hexadecimal(&D::digest(string(arguments, 0)?)))
}

fn hmac_md5(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    authenticate::<Hmac<Md5>>(arguments)
}

fn hmac_sha1(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    authenticate::<Hmac<Sha1>>(arguments)
}

fn hmac_sha256(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    authenticate::<Hmac<Sha256>>(arguments)
}

fn hmac_sha512(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    authenticate::<Hmac<Sha512>>(arguments)
}

/// The code of the message under the key, in lower-case hexadecimal digits.
fn authenticate<M: Mac + KeyInit>(arguments: &[Term]) -> Result<Term, Failure> {
    let (message, key) = (string(arguments, 0)?, string(arguments, 1)?);
    // A key of any length is one.
    let mut code = <M as KeyInit>::new_from_slice(key.as_bytes()).map_err(|_| Failure::Undefined)?;
    code.update(message.as_bytes());
    Ok(hexadecimal(&code.finalize().into_bytes()))
}

fn hmac_equal(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    Ok(Term::Boolean(string(arguments, 0)? == string(arguments, 1)?))
}

fn hexadecimal(bytes: &[u8]) -> Term {
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
    Term::String(bytes.iter().flat_map(digits).flatten().collect())
}

#[cfg(test)]
mod tests;
