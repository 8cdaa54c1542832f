//! Base64 as Go's `encoding/base64` reads it: line ends are skipped, left-over bits are not looked at.

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const PADDED: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
const RAW: GeneralPurposeConfig = PADDED.with_decode_padding_mode(DecodePaddingMode::RequireNone);

/// A section of a token: base64url, padded or not.
pub(super) fn decode_section(text: &[u8]) -> Option<Vec<u8>> {
    // OPA pads by the length with line ends, so a text that has them is seldom read.
    let padding: &[u8] = match text.len() % 4 {
        _ if text.ends_with(b"=") => b"",
        0 => b"",
        2 => b"==",
        3 => b"=",
        _ => return None,
    };
    decode(&URL_SAFE, PADDED, &[text, padding].concat())
}

/// A field of a JSON Web Key: the alphabet and whether it is padded are guessed.
pub(super) fn decode_field(text: &str) -> Option<Vec<u8>> {
    let alphabet = if text.contains(['+', '/']) { STANDARD } else { URL_SAFE };
    let config = if text.ends_with('=') { PADDED } else { RAW };
    decode(&alphabet, config, text.as_bytes())
}

/// Base64url without padding.
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(alphabet: &Alphabet, config: GeneralPurposeConfig, text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    GeneralPurpose::new(alphabet, config).decode(text).ok()
}
