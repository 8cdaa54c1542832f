//! ECDSA over the curves of NIST, with the nonces of RFC 6979: signing needs no randomness.

use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};

use super::Failure;
use super::algorithm::Hash;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P224,
    P256,
    P384,
    P521,
}

impl Curve {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "P-224" => Some(Self::P224),
            "P-256" => Some(Self::P256),
            "P-384" => Some(Self::P384),
            "P-521" => Some(Self::P521),
            _ => None,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Public {
    /// Go verifies with it, we know only the name.
    P224,
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
}

impl Public {
    /// From an uncompressed point, which must be on the curve.
    pub(super) fn new(curve: Curve, point: &[u8]) -> Option<Self> {
        if point.first() != Some(&4) {
            return None;
        }
        match curve {
            Curve::P224 => Some(Self::P224),
            Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Self::P256),
            Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Self::P384),
            Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Self::P521),
        }
    }

    /// The length of each half of a signature, in bytes.
    fn size(&self) -> usize {
        match self {
            Self::P224 => 28,
            Self::P256(_) => 32,
            Self::P384(_) => 48,
            Self::P521(_) => 66,
        }
    }

    /// A signature with halves of the curve's length, made from halves of any length.
    pub(super) fn padded(&self, signature: &[u8]) -> Option<Vec<u8>> {
        let (r, s) = signature.split_at_checked(signature.len() / 2)?;
        let pad = |half: &[u8]| {
            let zeros = half.iter().take_while(|byte| **byte == 0).count();
            let number = half.get(zeros..)?;
            Some([vec![0; self.size().checked_sub(number.len())?].as_slice(), number].concat())
        };
        Some([pad(r)?, pad(s)?].concat())
    }

    /// Takes `r ‖ s`, each as long as the curve's numbers are. Any hash goes with any curve, as in Go.
    pub(super) fn verify(&self, hash: Hash, message: &[u8], signature: &[u8]) -> Result<bool, Failure> {
        let digest = hash.digest(&[message]);
        Ok(match self {
            Self::P224 => return Err(Failure::Limit("keys on the curve P-224 are not taken".to_owned())),
            Self::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()),
            Self::P384(key) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()),
            Self::P521(key) => p521::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()),
        })
    }

    /// The signature `r ‖ s` by the private number, which need not belong to the public key, as in Go.
    pub(super) fn sign(&self, private: &[u8], hash: Hash, message: &[u8]) -> Option<Vec<u8>> {
        let digest = hash.digest(&[message]);
        Some(match self {
            Self::P224 => return None,
            Self::P256(_) => {
                let key = p256::ecdsa::SigningKey::from_slice(private).ok()?;
                let signature: p256::ecdsa::Signature = key.sign_prehash(&digest).ok()?;
                signature.to_bytes().to_vec()
            }
            Self::P384(_) => {
                let key = p384::ecdsa::SigningKey::from_slice(private).ok()?;
                let signature: p384::ecdsa::Signature = key.sign_prehash(&digest).ok()?;
                signature.to_bytes().to_vec()
            }
            Self::P521(_) => {
                let key = p521::ecdsa::SigningKey::from_slice(private).ok()?;
                let signature: p521::ecdsa::Signature = key.sign_prehash(&digest).ok()?;
                signature.to_bytes().to_vec()
            }
        })
    }
}
