//! Private keys as Go parses and prints them, and as JSON Web Keys (RFC 7517).

use aws_lc_rs::agreement::X25519;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use num_bigint::BigUint;

use super::armor;
use super::curve::{Curve, public_half};
use super::der::{BIT_STRING, Bits, Loose, OBJECT_IDENTIFIER, OCTET_STRING, Oid, SEQUENCE};
use super::json;
use super::public_key::{Algorithm, PublicKey};
use super::rsa_key::RsaKey;
use crate::engine::builtins::Failure;
use crate::engine::term::Term;

/// Checking a key may take some 0.1 s.
const MAX_KEYS: usize = 16;

/// A private key of a kind that Go knows.
#[derive(Debug)]
pub(super) enum PrivateKey {
    Rsa(RsaKey),
    Ec {
        curve: &'static Curve,
        /// As long as the curve's order.
        key: Vec<u8>,
    },
    Ed25519 {
        seed: Vec<u8>,
        public: Vec<u8>,
    },
    X25519(Vec<u8>),
}

/// The keys in PEM, or in PEM that is base64 itself; blocks that are no keys are passed over. Refuses
/// more than 16 keys.
pub(super) fn from_pem(text: &str) -> Result<Vec<PrivateKey>, Failure> {
    let decoded = armor::decode(text.as_bytes());
    let mut rest = decoded.as_deref().unwrap_or(text.as_bytes());
    let mut keys = Vec::new();
    while let Some((block, after)) = armor::next_block(rest) {
        rest = after;
        if keys.len() == MAX_KEYS {
            return Err(Failure::Limit(format!("a text has more than {MAX_KEYS} private keys")));
        }
        match block.kind {
            b"RSA PRIVATE KEY" => keys.push(PrivateKey::Rsa(RsaKey::parse(&block.bytes)?)),
            b"PRIVATE KEY" => keys.push(PrivateKey::pkcs8(&block.bytes)?),
            b"EC PRIVATE KEY" => keys.push(PrivateKey::ec(&block.bytes)?),
            _ => {}
        }
    }
    Ok(keys)
}

impl PrivateKey {
    /// In whichever form it is; X25519 is not for TLS.
    pub(super) fn for_tls(bytes: &[u8]) -> Result<Self, Failure> {
        match RsaKey::parse(bytes) {
            Err(Failure::Undefined) => {}
            other => return other.map(Self::Rsa),
        }
        match Self::pkcs8(bytes) {
            Err(Failure::Undefined) => Self::ec(bytes),
            Ok(Self::X25519(_)) => Err(Failure::Undefined),
            other => other,
        }
    }

    /// RFC 5208.
    fn pkcs8(bytes: &[u8]) -> Result<Self, Failure> {
        let fields = || {
            let mut fields = Loose(bytes).nested(SEQUENCE)?;
            fields.int64()?;
            let algorithm = Algorithm::loose(fields.nested(SEQUENCE)?)?;
            Some((algorithm, fields.read(OCTET_STRING)?))
        };
        let (algorithm, key) = fields().ok_or(Failure::Undefined)?;
        let octets = || {
            let octets = Loose(key).read(OCTET_STRING);
            octets.filter(|octets| algorithm.parameters.is_empty() && octets.len() == 32)
        };
        match algorithm.id.0.as_slice() {
            [1, 2, 840, 113_549, 1, 1, 1] => RsaKey::parse(key).map(Self::Rsa),
            [1, 2, 840, 10045, 2, 1] => ec(Loose(algorithm.parameters).oid().as_ref(), key).ok_or(Failure::Undefined),
            [1, 3, 101, 112] => ed25519(octets().ok_or(Failure::Undefined)?),
            [1, 3, 101, 110] => Ok(Self::X25519(octets().ok_or(Failure::Undefined)?.to_vec())),
            _ => Err(Failure::Undefined),
        }
    }

    /// RFC 5915.
    fn ec(bytes: &[u8]) -> Result<Self, Failure> {
        ec(None, bytes).ok_or(Failure::Undefined)
    }

    /// Whether this is the other half.
    pub(super) fn belongs_to(&self, public: &PublicKey) -> Result<bool, Failure> {
        Ok(match (self, public) {
            (Self::Rsa(key), PublicKey::Rsa { modulus, exponent }) => {
                key.modulus == *modulus && key.exponent == *exponent
            }
            (
                Self::Ec { curve, key },
                PublicKey::Ecdsa {
                    curve: other, point, ..
                },
            ) => curve == other && curve.public(key)? == *point,
            (Self::Ed25519 { public, .. }, PublicKey::Ed25519(other)) => public == other,
            _ => false,
        })
    }

    /// What Go's JSON is for it.
    pub(super) fn to_term(&self) -> Result<Term, Failure> {
        Ok(match self {
            Self::Rsa(key) => key.to_term()?,
            Self::Ec { curve, key } => {
                let (x, y) = curve.point(&curve.public(key)?).ok_or(Failure::Undefined)?;
                json::object([
                    // Go exports nothing of its curves.
                    ("Curve", json::object([])),
                    ("X", json::unsigned(&x)?),
                    ("Y", json::unsigned(&y)?),
                    ("D", json::unsigned(&BigUint::from_bytes_be(key))?),
                ])
            }
            Self::Ed25519 { seed, public } => json::bytes(&[seed.as_slice(), public].concat()),
            Self::X25519(_) => json::object([]),
        })
    }

    /// The JSON Web Key: undefined for RSA of more than two primes and for P-224.
    pub(super) fn to_jwk(&self) -> Result<Term, Failure> {
        match self {
            Self::Rsa(key) => rsa_jwk(key).ok_or(Failure::Undefined),
            Self::Ec { curve, .. } if curve.size == 28 => Err(Failure::Undefined),
            Self::Ec { curve, key } => {
                let public = curve.public(key)?;
                let coordinates = public.get(1..).and_then(|both| both.split_at_checked(curve.size));
                let (x, y) = coordinates.ok_or(Failure::Undefined)?;
                Ok(json::object([
                    ("kty", Term::String("EC".to_owned())),
                    ("crv", Term::String(curve.name.to_owned())),
                    ("x", base64url(x)),
                    ("y", base64url(y)),
                    ("d", base64url(key)),
                ]))
            }
            Self::Ed25519 { seed, public } => Ok(octet_key_pair("Ed25519", public, seed)),
            Self::X25519(key) => {
                let public = public_half(&X25519, key)?;
                Ok(octet_key_pair("X25519", &public, key))
            }
        }
    }
}

/// The curve is the one given, or the one that the key names.
fn ec(curve: Option<&Oid>, bytes: &[u8]) -> Option<PrivateKey> {
    let mut fields = Loose(bytes).nested(SEQUENCE)?;
    let version = fields.int64()?;
    let key = fields.read(OCTET_STRING)?;
    let named = match fields.explicit(0, OBJECT_IDENTIFIER)? {
        Some(content) => Some(Oid::read(content)?),
        None => None,
    };
    if let Some(content) = fields.explicit(1, BIT_STRING)? {
        Bits::read(content)?;
    }
    let curve = Curve::of(curve.or(named.as_ref())?)?;
    // Zeros before the number may be missing, and there may be too many.
    let zeros = key.len().saturating_sub(curve.size);
    let (zeros, key) = key.split_at_checked(zeros)?;
    let mut padded = vec![0; curve.size - key.len()];
    padded.extend(key);
    let sound = version == 1 && zeros.iter().all(|byte| *byte == 0) && curve.is_private(&padded);
    sound.then_some(PrivateKey::Ec { curve, key: padded })
}

fn ed25519(seed: &[u8]) -> Result<PrivateKey, Failure> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Failure::Undefined)?;
    Ok(PrivateKey::Ed25519 {
        seed: seed.to_vec(),
        public: pair.public_key().as_ref().to_vec(),
    })
}

fn rsa_jwk(key: &RsaKey) -> Option<Term> {
    let [p, q] = key.primes.as_slice() else {
        return None;
    };
    let number = |number: &BigUint| base64url(&number.to_bytes_be());
    let [first, second] = &key.reduced;
    Some(json::object([
        ("kty", Term::String("RSA".to_owned())),
        ("n", number(&key.modulus)),
        ("e", number(&key.exponent.unsigned_abs().into())),
        ("d", number(&key.private)),
        ("p", number(p)),
        ("q", number(q)),
        ("dp", number(first)),
        ("dq", number(second)),
        ("qi", number(&key.coefficient)),
    ]))
}

fn octet_key_pair(curve: &str, public: &[u8], private: &[u8]) -> Term {
    json::object([
        ("kty", Term::String("OKP".to_owned())),
        ("crv", Term::String(curve.to_owned())),
        ("x", base64url(public)),
        ("d", base64url(private)),
    ])
}

fn base64url(bytes: &[u8]) -> Term {
    Term::String(URL_SAFE_NO_PAD.encode(bytes))
}
