//! The public key of a certificate or of a `SubjectPublicKeyInfo`. Nothing else of a certificate is looked
//! at, as in OPA: neither its dates nor its signature.

use super::key::Key;
use super::{ecdsa, rsa};
use crate::engine::builtins::crypto::certificate::Certificate;
use crate::engine::builtins::crypto::der::{Loose, SEQUENCE};
use crate::engine::builtins::crypto::public_key::{Algorithm, PublicKey};

/// A certificate may have a key of an unknown kind, which verifies nothing.
pub(super) fn certificate_key(der: &[u8]) -> Option<Key> {
    Certificate::parse(der)?.key.map_or(Some(Key::Other), key)
}

pub(super) fn public_key(der: &[u8]) -> Option<Key> {
    let mut whole = Loose(der);
    let mut fields = whole.nested(SEQUENCE)?;
    let algorithm = Algorithm::loose(fields.nested(SEQUENCE)?)?;
    let bits = fields.bits()?;
    let is_x25519 = algorithm.id.is(&[1, 3, 101, 110]) && algorithm.parameters.is_empty() && bits.bytes.len() == 32;
    let unknown = is_x25519.then_some(Key::Other);
    PublicKey::read(&algorithm, &bits)?
        .map_or(unknown, key)
        .filter(|_| whole.is_empty())
}

fn key(key: PublicKey) -> Option<Key> {
    match key {
        PublicKey::Rsa { modulus, exponent } => {
            rsa::Public::new(&modulus.to_bytes_be(), &exponent.to_be_bytes()).map(|public| Key::Rsa(public, None))
        }
        PublicKey::Ecdsa { curve, point, .. } => {
            let curve = ecdsa::Curve::named(curve.name)?;
            ecdsa::Public::new(curve, &point).map(|public| Key::Ec(public, None))
        }
        PublicKey::Ed25519(key) => Some(Key::Ed25519(key.try_into().ok()?, None)),
        PublicKey::Dsa { .. } => Some(Key::Other),
    }
}
