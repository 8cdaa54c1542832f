//! Keys of mappings, and how scalars are named in JSON.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use super::super::{Failure, float};
use super::resolve::{Scalar, Tag};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Null,
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    Float(Double),
    Timestamp,
    Text(String),
}

/// A double as a key: all that is no number is alike, and zero is zero with any sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Double(f64);

impl Double {
    fn identity(self) -> u64 {
        if self.0 == 0.0 { 0 } else { self.0.to_bits() }
    }
}

impl PartialEq for Double {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Double {}

impl PartialOrd for Double {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Double {
    fn cmp(&self, other: &Self) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl Hash for Double {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl Key {
    pub(super) fn of(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            Scalar::Boolean(value) => Self::Boolean(value),
            Scalar::Integer(value) => Self::Integer(value),
            Scalar::Unsigned(value) => Self::Unsigned(value),
            Scalar::Float(value) => Self::Float(Double(value)),
            Scalar::Timestamp(_) => Self::Timestamp,
            Scalar::Text(text) => Self::Text(text),
        }
    }

    /// The key in JSON; null and timestamps have none.
    pub(super) fn name(&self) -> Option<String> {
        Some(match self {
            Self::Null | Self::Timestamp => return None,
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Unsigned(value) => value.to_string(),
            Self::Float(Double(value)) => short_float(*value),
            Self::Text(text) => text.clone(),
        })
    }
}

/// OPA names such keys with the precision of 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "what Go does")]
fn short_float(value: f64) -> String {
    let shortest: f64 = (value as f32).to_string().parse().unwrap_or(value);
    show_float(shortest)
}

/// Go's `%g` with YAML's names for what is no number.
pub(super) fn show_float(value: f64) -> String {
    if value.is_nan() {
        ".nan".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { ".inf" } else { "-.inf" }.to_owned()
    } else {
        let text = float::format(value, 'g', None);
        text.trim_start_matches('+').to_owned()
    }
}

/// A binary scalar becomes the text of its bytes.
pub(super) fn text_of(tag: Tag, scalar: Scalar) -> Result<Scalar, Failure> {
    match (tag, scalar) {
        (Tag::Binary, Scalar::Text(text)) => binary(&text).map(Scalar::Text),
        (_, scalar) => Ok(scalar),
    }
}

/// As Go's decoder: line breaks are ignored, unused bits too. Every byte that is no UTF-8 is replaced.
fn binary(text: &str) -> Result<String, Failure> {
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let bytes = GeneralPurpose::new(&STANDARD, CONFIG)
        .decode(text)
        .map_err(|_| Failure::Undefined)?;
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Ok(text)
}
