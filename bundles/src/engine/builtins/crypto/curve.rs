//! The NIST curves, over which Go knows ECDSA keys.

use aws_lc_rs::agreement::{self, PrivateKey};
use num_bigint::BigUint;

use super::der::Oid;
use crate::engine::builtins::Failure;

/// A curve `y² = x³ − 3x + b` over the integers modulo a prime.
#[derive(Debug)]
pub(in crate::engine::builtins) struct Curve {
    /// As JWK calls it, which knows no P-224.
    pub(in crate::engine::builtins) name: &'static str,
    id: &'static [u32],
    /// Of a coordinate and of a private key, in bytes.
    pub(super) size: usize,
    prime: &'static str,
    b: &'static str,
    order: &'static str,
}

pub(super) static P224: Curve = Curve {
    name: "P-224",
    id: &[1, 3, 132, 0, 33],
    size: 28,
    prime: "ffffffffffffffffffffffffffffffff000000000000000000000001",
    b: "b4050a850c04b3abf54132565044b0b7d7bfd8ba270b39432355ffb4",
    order: "ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d",
};

pub(super) static P256: Curve = Curve {
    name: "P-256",
    id: &[1, 2, 840, 10045, 3, 1, 7],
    size: 32,
    prime: "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
    b: "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
    order: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
};

pub(super) static P384: Curve = Curve {
    name: "P-384",
    id: &[1, 3, 132, 0, 34],
    size: 48,
    prime: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
    b: "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
    order: "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
};

pub(super) static P521: Curve = Curve {
    name: "P-521",
    id: &[1, 3, 132, 0, 35],
    size: 66,
    prime: "1ff\
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    b: "051\
        953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e1\
        56193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00",
    order: "1ff\
        fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa\
        51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
};

impl Curve {
    pub(super) fn of(id: &Oid) -> Option<&'static Self> {
        [&P224, &P256, &P384, &P521].into_iter().find(|curve| id.is(curve.id))
    }

    /// The coordinates of an uncompressed point, if it is on the curve.
    pub(super) fn point(&self, bytes: &[u8]) -> Option<(BigUint, BigUint)> {
        let (x, y) = bytes.strip_prefix(&[4])?.split_at_checked(self.size)?;
        if y.len() != self.size {
            return None;
        }
        let (x, y) = (BigUint::from_bytes_be(x), BigUint::from_bytes_be(y));
        let (prime, b) = (number(self.prime), number(self.b));
        if x >= prime || y >= prime {
            return None;
        }
        // x³ − 3x + b, kept positive.
        let cubic = &x * &x * &x + (&prime - &x) * 3u8 + b;
        (&y * &y % &prime == cubic % prime).then_some((x, y))
    }

    /// Whether the number is a private key: neither zero nor beyond the order.
    pub(super) fn is_private(&self, key: &[u8]) -> bool {
        let key = BigUint::from_bytes_be(key);
        key != BigUint::ZERO && key < number(self.order)
    }

    /// The uncompressed point of a private key. Refuses P-224, which aws-lc does not offer.
    pub(super) fn public(&self, key: &[u8]) -> Result<Vec<u8>, Failure> {
        let algorithm = match self.size {
            32 => &agreement::ECDH_P256,
            48 => &agreement::ECDH_P384,
            66 => &agreement::ECDH_P521,
            _ => return Err(self.refused()),
        };
        public_half(algorithm, key)
    }

    /// What the host has no arithmetic for.
    pub(super) fn refused(&self) -> Failure {
        Failure::Limit(format!(
            "a key is on {}, and only P-256, P-384 and P-521 are supported",
            self.name
        ))
    }
}

impl PartialEq for Curve {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Of any curve for key agreement, whose keys are those for signatures, too.
pub(super) fn public_half(algorithm: &'static agreement::Algorithm, key: &[u8]) -> Result<Vec<u8>, Failure> {
    let key = PrivateKey::from_private_key(algorithm, key).map_err(|_| Failure::Undefined)?;
    let public = key.compute_public_key().map_err(|_| Failure::Undefined)?;
    Ok(public.as_ref().to_vec())
}

fn number(digits: &str) -> BigUint {
    BigUint::parse_bytes(digits.as_bytes(), 16).unwrap_or_default()
}
