//! The keys that a token is verified with: those of a certificate, a public key or JSON Web Keys.

use super::algorithm::Algorithm;
use super::key::{Key, Rules};
use super::token::{Header, Token};
use super::{Failure, jwk, x509};
use crate::engine::builtins::crypto::armor;

/// How many keys are tried for one signature. The largest take 8 ms each.
const MAX_CHECKS: usize = 64;

pub(super) struct VerificationKey {
    /// Empty if the key does not say.
    algorithm: String,
    /// Empty if the key has none.
    id: String,
    key: Key,
}

/// Reads a PEM block, or else a JSON Web Key or a set of them. Keys of a set for other algorithms than
/// those of tokens are left out.
pub(super) fn read(text: &str) -> Result<Vec<VerificationKey>, Failure> {
    if let Some((block, rest)) = armor::next_block(text.as_bytes()) {
        let key = match block.kind {
            _ if !rest.is_empty() => None,
            b"CERTIFICATE" => x509::certificate_key(&block.bytes),
            b"PUBLIC KEY" => x509::public_key(&block.bytes),
            _ => None,
        };
        return Ok(vec![VerificationKey {
            algorithm: String::new(),
            id: String::new(),
            key: key.ok_or(Failure::Undefined)?,
        }]);
    }
    let mut keys = Vec::new();
    for jwk in jwk::read(text)? {
        let key = jwk.key().ok_or(Failure::Undefined)?;
        if jwk.algorithm.is_empty() || Algorithm::of_key(&jwk.algorithm).is_some() {
            keys.push(VerificationKey {
                algorithm: jwk.algorithm,
                id: jwk.id,
                key,
            });
        }
    }
    Ok(keys)
}

/// Whether the key with the token's `kid` verifies it; without such a key, whether any does that is not
/// for another algorithm than the token's `alg`.
pub(super) fn verify(
    keys: &[VerificationKey],
    header: &Header,
    algorithm: Algorithm,
    rules: Rules,
    token: &Token,
    signature: &[u8],
) -> Result<bool, Failure> {
    let message = token.message();
    let named = keys.iter().find(|key| !header.id.is_empty() && key.id == header.id);
    if let Some(named) = named {
        return named.key.verify(algorithm, rules, &message, signature);
    }
    let fits = |key: &&VerificationKey| key.algorithm.is_empty() || key.algorithm == header.algorithm;
    for (checks, key) in keys.iter().filter(fits).enumerate() {
        if checks == MAX_CHECKS {
            return Err(Failure::Limit(format!(
                "more than {MAX_CHECKS} keys would have to be tried for a signature"
            )));
        }
        if key.key.verify(algorithm, rules, &message, signature)? {
            return Ok(true);
        }
    }
    Ok(false)
}
