//! SHA-256 digests as OCI writes them: `sha256:` and 64 lower-case hexadecimal digits.
//!
//! A digest is computed from bytes held here or parsed from text; the type says nothing about who
//! vouches for it. Only SHA-256 is accepted, because cosign, OPA and every registry in use write it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

const ALGORITHM: &str = "sha256:";
const BYTES: usize = 32;

/// The SHA-256 digest of some bytes; displayed and serialised as `sha256:<64 lower-case hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; BYTES]);

/// The text is not a digest in the form `sha256:<64 lower-case hex>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a digest: write sha256: and 64 lower-case hexadecimal digits")]
pub struct DigestError {
    given: String,
}

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Whether these bytes have this digest.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        Self::of(bytes) == *self
    }

    /// The outcome of a SHA-256 that was computed piece by piece.
    pub(crate) fn from_sha256(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// The 64 hexadecimal digits without the algorithm, as in file names and in-toto subjects.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// The 32 bytes themselves.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the 64 hexadecimal digits without the algorithm.
    pub fn from_hex(hex: &str) -> Result<Self, DigestError> {
        decode(hex).map(Self).ok_or_else(|| DigestError::new(hex))
    }
}

impl DigestError {
    /// Long text is cut: it comes from outside and ends in conditions and logs.
    fn new(given: &str) -> Self {
        Self {
            given: given.chars().take(100).collect(),
        }
    }
}

/// Two lower-case hexadecimal digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    let digits = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]);
    digits.collect()
}

/// The `N` bytes that are written as `2 * N` lower-case hexadecimal digits; nothing for any other text.
pub(crate) fn decode<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let digits = hex.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix(ALGORITHM)
            .and_then(decode)
            .map(Self)
            .ok_or_else(|| DigestError::new(text))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn computes_the_published_digest_of_nothing() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert!(Digest::of(b"").matches(b""));
        assert!(!Digest::of(b"").matches(b"x"));
    }

    #[test]
    fn refuses_every_other_spelling() {
        for text in [
            "",
            "sha256:",
            &EMPTY[7..],
            &EMPTY.to_uppercase(),
            &EMPTY.replace("sha256", "sha512"),
            &EMPTY[..70],
            &format!("{EMPTY}0"),
            &EMPTY.replace('e', "E"),
            &format!(" {EMPTY}"),
            "sha256:ééééééééééééééééééééééééééééééééé",
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn an_error_carries_a_bounded_part_of_what_was_given() {
        let error = "x".repeat(1_000_000).parse::<Digest>();
        assert!(error.is_err_and(|error| error.to_string().len() < 300));
    }

    proptest! {
        #[test]
        fn text_and_json_round_trip(bytes: Vec<u8>) {
            let digest = Digest::of(&bytes);
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
            prop_assert_eq!(Digest::from_hex(&digest.hex()), Ok(digest));
            let json = serde_json::to_string(&digest)?;
            prop_assert_eq!(serde_json::from_str::<Digest>(&json)?, digest);
        }
    }
}
