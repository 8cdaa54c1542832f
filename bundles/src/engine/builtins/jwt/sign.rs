//! `io.jwt.encode_sign` and `io.jwt.encode_sign_raw`.

use super::algorithm::Algorithm;
use super::{Context, Failure, base64, header, json, jwk, string};
use crate::engine::term::Term;

/// Signs a header and a payload with a key, each a Rego value.
pub(super) fn encode_sign(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let [header, payload, key] = arguments else {
        return Err(Failure::Undefined);
    };
    if !arguments.iter().all(Term::is_json) {
        return Err(Failure::Undefined);
    }
    sign(&json::write(header), &json::write(payload), &json::write(key))
}

/// Signs a header and a payload with a key, each a text that is signed as it is.
pub(super) fn encode_sign_raw(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    sign(string(arguments, 0)?, string(arguments, 1)?, string(arguments, 2)?)
}

/// The first key of a set signs.
fn sign(header: &str, payload: &str, key: &str) -> Result<Term, Failure> {
    let keys = jwk::read(key)?;
    let key = keys.first().ok_or(Failure::Undefined)?;
    let algorithm = header::text(header, "alg").and_then(|name| Algorithm::of_key(&name));
    let algorithm = algorithm.ok_or(Failure::Undefined)?;
    // A header without a type is taken for one of a JSON Web Token.
    let is_jwt = header::text(header, "typ").is_none_or(|kind| kind == "JWT");
    if is_jwt && !json::is_valid(payload.as_bytes())? {
        return Err(Failure::Undefined);
    }
    let message = [base64::encode(header.as_bytes()), base64::encode(payload.as_bytes())].join(".");
    let key = key.key().ok_or(Failure::Undefined)?;
    let signature = key.sign(algorithm, message.as_bytes())?;
    Ok(Term::String([message, base64::encode(&signature)].join(".")))
}
