//! Public keys as Go parses and prints them (`crypto/x509`).

use num_bigint::{BigInt, BigUint, Sign};

use super::curve::Curve;
use super::der::{Bits, Der, INTEGER, Loose, Oid, SEQUENCE};
use super::json;
use crate::engine::builtins::Failure;
use crate::engine::term::Term;

const NULL: &[u8] = &[5, 0];

/// Which kind of key the identifier of an algorithm names; Go numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Unknown = 0,
    Rsa = 1,
    Dsa = 2,
    Ecdsa = 3,
    Ed25519 = 4,
}

/// The identifier of an algorithm and its parameters, empty if there are none.
#[derive(Debug, Clone)]
pub(in crate::engine::builtins) struct Algorithm<'a> {
    pub(in crate::engine::builtins) id: Oid,
    pub(in crate::engine::builtins) parameters: &'a [u8],
}

/// A public key of a kind that Go knows.
#[derive(Debug)]
pub(in crate::engine::builtins) enum PublicKey {
    Rsa {
        modulus: BigUint,
        exponent: i64,
    },
    Dsa {
        p: BigInt,
        q: BigInt,
        g: BigInt,
        y: BigInt,
    },
    Ecdsa {
        curve: &'static Curve,
        x: BigUint,
        y: BigUint,
        /// Uncompressed.
        point: Vec<u8>,
    },
    Ed25519(Vec<u8>),
}

impl KeyKind {
    pub(super) fn of(id: &Oid) -> Self {
        match id.0.as_slice() {
            [1, 2, 840, 113_549, 1, 1, 1] => Self::Rsa,
            [1, 2, 840, 10040, 4, 1] => Self::Dsa,
            [1, 2, 840, 10045, 2, 1] => Self::Ecdsa,
            [1, 3, 101, 112] => Self::Ed25519,
            _ => Self::Unknown,
        }
    }
}

impl<'a> Algorithm<'a> {
    /// From the content of its sequence.
    pub(super) fn strict(mut content: Der<'a>) -> Option<Self> {
        let id = content.oid()?;
        let parameters = if content.is_empty() { &[] } else { content.any()?.full };
        Some(Self { id, parameters })
    }

    /// The same by the looser rules.
    pub(in crate::engine::builtins) fn loose(mut content: Loose<'a>) -> Option<Self> {
        let id = content.oid()?;
        let parameters = if content.is_empty() { &[] } else { content.any()?.full };
        Some(Self { id, parameters })
    }
}

impl PublicKey {
    /// The inner `None` is a key of unknown kind, the outer one a malformed key.
    #[expect(clippy::option_option, reason = "malformed and unknown are two things")]
    pub(in crate::engine::builtins) fn read(algorithm: &Algorithm<'_>, key: &Bits<'_>) -> Option<Option<Self>> {
        let key = key.right_aligned();
        match KeyKind::of(&algorithm.id) {
            KeyKind::Unknown => Some(None),
            KeyKind::Rsa => rsa(algorithm.parameters, &key).map(Some),
            KeyKind::Dsa => dsa(algorithm.parameters, &key).map(Some),
            KeyKind::Ecdsa => {
                let curve = Curve::of(&Der(algorithm.parameters).oid()?)?;
                let (x, y) = curve.point(&key)?;
                let point = key;
                Some(Some(Self::Ecdsa { curve, x, y, point }))
            }
            KeyKind::Ed25519 => {
                let sound = algorithm.parameters.is_empty() && key.len() == 32;
                sound.then_some(Some(Self::Ed25519(key)))
            }
        }
    }

    pub(super) fn to_term(&self) -> Result<Term, Failure> {
        Ok(match self {
            Self::Rsa { modulus, exponent } => {
                json::object([("N", json::unsigned(modulus)?), ("E", json::integer(*exponent))])
            }
            Self::Dsa { p, q, g, y } => json::object([
                ("P", json::big(p)?),
                ("Q", json::big(q)?),
                ("G", json::big(g)?),
                ("Y", json::big(y)?),
            ]),
            // Go exports nothing of its curves.
            Self::Ecdsa { x, y, .. } => json::object([
                ("Curve", json::object([])),
                ("X", json::unsigned(x)?),
                ("Y", json::unsigned(y)?),
            ]),
            Self::Ed25519(key) => json::bytes(key),
        })
    }
}

fn rsa(parameters: &[u8], key: &[u8]) -> Option<PublicKey> {
    let mut key = Der(key).nested(SEQUENCE)?;
    let (modulus, exponent) = (key.integer()?, key.int64(INTEGER)?);
    let sound = parameters == NULL && modulus.sign() == Sign::Plus && exponent > 0;
    sound.then(|| {
        let modulus = modulus.into_parts().1;
        PublicKey::Rsa { modulus, exponent }
    })
}

fn dsa(parameters: &[u8], key: &[u8]) -> Option<PublicKey> {
    let y = Der(key).integer()?;
    let mut parameters = Der(parameters).nested(SEQUENCE)?;
    let (p, q, g) = (parameters.integer()?, parameters.integer()?, parameters.integer()?);
    let positive = [&p, &q, &g, &y].iter().all(|value| value.sign() == Sign::Plus);
    positive.then_some(PublicKey::Dsa { p, q, g, y })
}
