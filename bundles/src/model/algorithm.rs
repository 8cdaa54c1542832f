//! The hashes that a manifest may be made of.

use std::fmt;

use blake2::Blake2b512;
use sha2::{Digest as _, Sha256};

use crate::digest;

/// How the content of files is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256, the default of `model-signing`.
    Sha256,
    /// BLAKE2b of 64 bytes.
    Blake2b,
    /// BLAKE3 of 32 bytes.
    Blake3,
}

/// The digest of a file or of a part of it; displayed as `sha256:HEX`. Digests by different algorithms are different.
#[derive(Clone, PartialEq, Eq)]
pub enum ContentDigest {
    /// By SHA-256.
    Sha256([u8; 32]),
    /// By BLAKE2b of 64 bytes.
    Blake2b([u8; 64]),
    /// By BLAKE3 of 32 bytes.
    Blake3([u8; 32]),
}

/// A hash that is being computed.
pub(super) enum Hasher {
    Sha256(Sha256),
    Blake2b(Box<Blake2b512>),
    Blake3(Box<blake3::Hasher>),
}

impl Algorithm {
    /// The algorithm of this name in a manifest. BLAKE2b is `blake2` where `model-signing` is asked for it, and
    /// `blake2b` where it writes it down.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "sha256" => Some(Self::Sha256),
            "blake2" | "blake2b" => Some(Self::Blake2b),
            "blake3" => Some(Self::Blake3),
            _ => None,
        }
    }

    /// The name, as manifests have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Blake2b => "blake2b",
            Self::Blake3 => "blake3",
        }
    }

    /// How many hexadecimal digits a digest has.
    pub(super) fn hex_digits(self) -> usize {
        match self {
            Self::Sha256 | Self::Blake3 => 64,
            Self::Blake2b => 128,
        }
    }

    /// Reads a digest: lower-case hexadecimal digits, as many as the algorithm gives.
    pub(super) fn digest_from_hex(self, hex: &str) -> Option<ContentDigest> {
        Some(match self {
            Self::Sha256 => ContentDigest::Sha256(digest::decode(hex)?),
            Self::Blake2b => ContentDigest::Blake2b(digest::decode(hex)?),
            Self::Blake3 => ContentDigest::Blake3(digest::decode(hex)?),
        })
    }

    pub(super) fn hasher(self) -> Hasher {
        match self {
            Self::Sha256 => Hasher::Sha256(Sha256::new()),
            Self::Blake2b => Hasher::Blake2b(Box::default()),
            Self::Blake3 => Hasher::Blake3(Box::default()),
        }
    }
}

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Blake2b(hasher) => hasher.update(bytes),
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    pub(super) fn finish(self) -> ContentDigest {
        match self {
            Self::Sha256(hasher) => ContentDigest::Sha256(hasher.finalize().into()),
            Self::Blake2b(hasher) => ContentDigest::Blake2b(hasher.finalize().into()),
            Self::Blake3(hasher) => ContentDigest::Blake3(hasher.finalize().into()),
        }
    }
}

impl ContentDigest {
    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Blake2b(_) => Algorithm::Blake2b,
            Self::Blake3(_) => Algorithm::Blake3,
        }
    }

    /// The digest itself: 32 or 64 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) | Self::Blake3(bytes) => bytes,
            Self::Blake2b(bytes) => bytes,
        }
    }
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm().name(), digest::hex(self.as_bytes()))
    }
}

impl fmt::Debug for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
