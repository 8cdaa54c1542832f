//! Keys and what they verify and sign.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::algorithm::{Algorithm, Scheme};
use super::rsa::Salt;
use super::{Failure, ecdsa, rsa};

/// A public key, or a private one with its public part.
#[derive(Debug, Clone)]
pub(super) enum Key {
    Secret(Vec<u8>),
    Rsa(rsa::Public, Option<rsa::Private>),
    /// With the private number, as long as the curve's numbers are.
    Ec(ecdsa::Public, Option<Vec<u8>>),
    /// With the seed of the private key.
    Ed25519([u8; 32], Option<[u8; 32]>),
    /// A key of another kind, which verifies and signs nothing.
    Other,
}

/// OPA has two ways to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// Those of `io.jwt.verify_*`: public keys only, salts of any length in PSS, and halves of any
    /// length in ECDSA.
    Function,
    /// Those of `io.jwt.decode_verify`, which are those of RFC 7518; private keys serve as public ones.
    Constraint,
}

impl Key {
    /// False for keys of another kind than the algorithm needs.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        rules: Rules,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, Failure> {
        let Algorithm { scheme, hash } = algorithm;
        if rules == Rules::Function && self.is_private() {
            return Ok(false);
        }
        match (scheme, self) {
            (Scheme::Hmac, Self::Secret(secret)) => {
                Ok(hmac::verify(&hash.hmac_key(secret), message, signature).is_ok())
            }
            (Scheme::Pkcs1, Self::Rsa(public, _)) => public.verify_pkcs1(hash, message, signature),
            (Scheme::Pss, Self::Rsa(public, _)) => {
                let salt = if rules == Rules::Function {
                    Salt::Any
                } else {
                    Salt::AsHash
                };
                public.verify_pss(hash, salt, message, signature)
            }
            (Scheme::Ecdsa, Self::Ec(public, _)) if rules == Rules::Function => match public.padded(signature) {
                Some(signature) => public.verify(hash, message, &signature),
                None => Ok(false),
            },
            (Scheme::Ecdsa, Self::Ec(public, _)) => public.verify(hash, message, signature),
            (Scheme::EdDsa, Self::Ed25519(public, _)) => Ok(UnparsedPublicKey::new(&ED25519, public)
                .verify(message, signature)
                .is_ok()),
            _ => Ok(false),
        }
    }

    /// Undefined for keys of another kind than the algorithm needs, and for public ones.
    pub(super) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let Algorithm { scheme, hash } = algorithm;
        match (scheme, self) {
            (Scheme::Hmac, Self::Secret(secret)) => Ok(hmac::sign(&hash.hmac_key(secret), message).as_ref().to_vec()),
            // To OPA's library a key of Ed25519 is bytes like any other.
            (Scheme::Hmac, Self::Ed25519(public, seed)) => {
                let secret = [seed.unwrap_or_default().as_slice(), public].concat();
                let secret = if seed.is_some() { secret.as_slice() } else { public };
                Ok(hmac::sign(&hash.hmac_key(secret), message).as_ref().to_vec())
            }
            (Scheme::Pkcs1, Self::Rsa(public, Some(private))) => rsa::sign_pkcs1(public, private, hash, message),
            (Scheme::Pss, Self::Rsa(public, Some(private))) => rsa::sign_pss(public, private),
            (Scheme::Ecdsa, Self::Ec(public, Some(private))) => {
                public.sign(private, hash, message).ok_or(Failure::Undefined)
            }
            (Scheme::EdDsa, Self::Ed25519(_, Some(seed))) => {
                let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Failure::Undefined)?;
                Ok(pair.sign(message).as_ref().to_vec())
            }
            _ => Err(Failure::Undefined),
        }
    }

    /// The key pair of this seed, if the public key is its own.
    pub(super) fn ed25519(public: [u8; 32], seed: [u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        (pair.public_key().as_ref() == public).then_some(Self::Ed25519(public, Some(seed)))
    }

    fn is_private(&self) -> bool {
        matches!(
            self,
            Self::Rsa(_, Some(_)) | Self::Ec(_, Some(_)) | Self::Ed25519(_, Some(_))
        )
    }
}
