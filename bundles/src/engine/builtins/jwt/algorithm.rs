//! The algorithms of RFC 7518 that OPA knows, by name.

use aws_lc_rs::digest::{Context, SHA256, SHA384, SHA512};
use aws_lc_rs::hmac;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Hmac,
    /// RSASSA-PKCS1-v1_5.
    Pkcs1,
    Pss,
    Ecdsa,
    /// Ed25519, which has a hash of its own.
    EdDsa,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Algorithm {
    pub(super) scheme: Scheme,
    pub(super) hash: Hash,
}

/// The name in a token, the name in the library that OPA verifies with, and what they mean.
const ALGORITHMS: [(&str, &str, Scheme, Hash); 13] = [
    ("HS256", "HMAC_WITH_SHA256", Scheme::Hmac, Hash::Sha256),
    ("HS384", "HMAC_WITH_SHA384", Scheme::Hmac, Hash::Sha384),
    ("HS512", "HMAC_WITH_SHA512", Scheme::Hmac, Hash::Sha512),
    ("RS256", "RSA_PKCS1v15_WITH_SHA256", Scheme::Pkcs1, Hash::Sha256),
    ("RS384", "RSA_PKCS1v15_WITH_SHA384", Scheme::Pkcs1, Hash::Sha384),
    ("RS512", "RSA_PKCS1v15_WITH_SHA512", Scheme::Pkcs1, Hash::Sha512),
    ("PS256", "RSA_PSS_WITH_SHA256", Scheme::Pss, Hash::Sha256),
    ("PS384", "RSA_PSS_WITH_SHA384", Scheme::Pss, Hash::Sha384),
    ("PS512", "RSA_PSS_WITH_SHA512", Scheme::Pss, Hash::Sha512),
    ("ES256", "ECDSA_WITH_P256_AND_SHA256", Scheme::Ecdsa, Hash::Sha256),
    ("ES384", "ECDSA_WITH_P384_AND_SHA384", Scheme::Ecdsa, Hash::Sha384),
    ("ES512", "ECDSA_WITH_P521_AND_SHA512", Scheme::Ecdsa, Hash::Sha512),
    ("EdDSA", "Ed25519", Scheme::EdDsa, Hash::Sha512),
];

impl Algorithm {
    /// An algorithm that keys may be for and tokens may be signed with.
    pub(super) fn of_key(name: &str) -> Option<Self> {
        Self::find(|known, _| known == name)
    }

    /// An algorithm that a token may be verified by: OPA's library also knows its own names.
    pub(super) fn of_token(name: &str) -> Option<Self> {
        Self::find(|known, internal| known == name || internal == name)
    }

    fn find(is_named: impl Fn(&str, &str) -> bool) -> Option<Self> {
        let found = ALGORITHMS
            .iter()
            .find(|(known, internal, ..)| is_named(known, internal));
        found.map(|&(_, _, scheme, hash)| Self { scheme, hash })
    }
}

impl Hash {
    pub(super) fn digest(self, parts: &[&[u8]]) -> Vec<u8> {
        let mut context = Context::new(match self {
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        });
        for part in parts {
            context.update(part);
        }
        context.finish().as_ref().to_vec()
    }

    /// Bytes of a digest.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    pub(super) fn hmac_key(self, secret: &[u8]) -> hmac::Key {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::Key::new(algorithm, secret)
    }

    /// The DER that stands before a digest in PKCS #1 (RFC 8017, 9.2).
    pub(super) fn digest_info(self) -> &'static [u8] {
        match self {
            Self::Sha256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
            Self::Sha384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
            Self::Sha512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
        }
    }
}
