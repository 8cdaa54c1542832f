//! JSON Web Tokens: `io.jwt.*` (`v1/topdown/tokens.go`).
//!
//! All answers are OPA's, with these exceptions:
//! - `ES*` signatures have the nonce of RFC 6979, where OPA takes a random one: any verifier takes both.
//!   `PS*` signatures cannot be had without randomness and are a limit of the host, as are RSA keys of
//!   more than 8,192 bits, RSA keys of fewer than 2,048 bits to sign with, keys on the curve P-224, JSON
//!   of more than 1 MiB or nested deeper than 256 levels, and more than 64 keys to try.
//! - Public keys of Ed25519 in an encoding that is not the canonical one, which nobody has, verify nothing.
//! - Instants are compared by their exact digits; OPA takes two of them for equal that are the same double
//!   if both are written with a point and end in 0 (`1.5e-10`).
//! - Where a claim or a header of the wrong type makes OPA's process panic, the decision ends.

mod algorithm;
mod base64;
mod constraints;
mod ecdsa;
mod header;
mod json;
mod jwk;
mod key;
mod keys;
mod rsa;
mod sign;
mod token;
mod x509;

use std::fmt::Write as _;

use algorithm::{Algorithm, Hash, Scheme};
use key::{Key, Rules};
use token::{Header, Token};

use super::{Builtin, Context, Failure, builtin, string};
use crate::engine::term::Term;

pub(super) const TABLE: &[Builtin] = &[
    builtin("io.jwt.decode", 1, decode),
    builtin("io.jwt.decode_verify", 2, constraints::decode_verify),
    builtin("io.jwt.encode_sign", 3, sign::encode_sign),
    builtin("io.jwt.encode_sign_raw", 3, sign::encode_sign_raw),
    builtin("io.jwt.verify_eddsa", 2, |_, a| verify(Scheme::EdDsa, Hash::Sha512, a)),
    builtin("io.jwt.verify_es256", 2, |_, a| verify(Scheme::Ecdsa, Hash::Sha256, a)),
    builtin("io.jwt.verify_es384", 2, |_, a| verify(Scheme::Ecdsa, Hash::Sha384, a)),
    builtin("io.jwt.verify_es512", 2, |_, a| verify(Scheme::Ecdsa, Hash::Sha512, a)),
    builtin("io.jwt.verify_hs256", 2, |_, a| verify_secret(Hash::Sha256, a)),
    builtin("io.jwt.verify_hs384", 2, |_, a| verify_secret(Hash::Sha384, a)),
    builtin("io.jwt.verify_hs512", 2, |_, a| verify_secret(Hash::Sha512, a)),
    builtin("io.jwt.verify_ps256", 2, |_, a| verify(Scheme::Pss, Hash::Sha256, a)),
    builtin("io.jwt.verify_ps384", 2, |_, a| verify(Scheme::Pss, Hash::Sha384, a)),
    builtin("io.jwt.verify_ps512", 2, |_, a| verify(Scheme::Pss, Hash::Sha512, a)),
    builtin("io.jwt.verify_rs256", 2, |_, a| verify(Scheme::Pkcs1, Hash::Sha256, a)),
    builtin("io.jwt.verify_rs384", 2, |_, a| verify(Scheme::Pkcs1, Hash::Sha384, a)),
    builtin("io.jwt.verify_rs512", 2, |_, a| verify(Scheme::Pkcs1, Hash::Sha512, a)),
];

/// `[header, payload, signature in hexadecimal]` of the token, or of the innermost one inside of it.
fn decode(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let mut text = string(arguments, 0)?.as_bytes().to_vec();
    loop {
        let token = Token::split(&text)?;
        let header = token.header()?;
        let payload = token.payload()?;
        match header.get(&token::key("cty")) {
            Some(Term::String(kind)) if kind == "JWT" => text = unquoted(&payload).to_vec(),
            Some(Term::String(_)) | None => {
                let payload = token::object(&payload)?;
                let mut signature = String::new();
                for byte in token.signature()? {
                    // Writing to a string cannot fail.
                    let _ = write!(signature, "{byte:02x}");
                }
                return Ok(Term::Array(vec![
                    Term::Object(header),
                    Term::Object(payload),
                    Term::String(signature),
                ]));
            }
            Some(other) => return Err(constraints::crash("the header cty", other)),
        }
    }
}

/// Some encoders quote a token inside of another.
fn unquoted(text: &[u8]) -> &[u8] {
    let inner = |byte: &u8| !matches!(byte, b'"' | b'\'');
    let start = text.iter().position(inner).unwrap_or(text.len());
    let end = text.iter().rposition(inner).map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

/// `io.jwt.verify_{rs,ps,es}{256,384,512}` and `io.jwt.verify_eddsa`. The header need not name the
/// algorithm of the function.
fn verify(scheme: Scheme, hash: Hash, arguments: &[Term]) -> Result<Term, Failure> {
    let token = Token::split(string(arguments, 0)?.as_bytes())?;
    let keys = keys::read(string(arguments, 1)?)?;
    let signature = token.signature()?;
    let header = Header::read(&token.header()?)?;
    let algorithm = Algorithm { scheme, hash };
    keys::verify(&keys, &header, algorithm, Rules::Function, &token, &signature).map(Term::Boolean)
}

/// `io.jwt.verify_hs{256,384,512}`. The header is not looked at.
fn verify_secret(hash: Hash, arguments: &[Term]) -> Result<Term, Failure> {
    let token = Token::split(string(arguments, 0)?.as_bytes())?;
    let secret = Key::Secret(string(arguments, 1)?.as_bytes().to_vec());
    let signature = token.signature()?;
    let algorithm = Algorithm {
        scheme: Scheme::Hmac,
        hash,
    };
    secret
        .verify(algorithm, Rules::Function, &token.message(), &signature)
        .map(Term::Boolean)
}

#[cfg(test)]
mod tests;
