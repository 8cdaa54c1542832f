//! What a scalar means: YAML 1.2's core schema with go-yaml's additions (underscores, binary and old
//! octal numbers, timestamps).

use super::super::Failure;
use super::timestamp::{self, Timestamp};

/// The tag of a scalar; all that YAML does not know are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Null,
    Boolean,
    Text,
    Integer,
    Float,
    Timestamp,
    Binary,
    Merge,
    Other,
}

/// The value of a scalar.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Beyond 63 bits.
    Unsigned(u64),
    Float(f64),
    Timestamp(Timestamp),
    Text(String),
}

impl Tag {
    pub(super) fn named(tag: &str) -> Self {
        let name = tag
            .strip_prefix("tag:yaml.org,2002:")
            .or_else(|| tag.strip_prefix("!!"));
        match name {
            Some("null") => Self::Null,
            Some("bool") => Self::Boolean,
            Some("str") => Self::Text,
            Some("int") => Self::Integer,
            Some("float") => Self::Float,
            Some("timestamp") => Self::Timestamp,
            Some("binary") => Self::Binary,
            Some("merge") => Self::Merge,
            _ => Self::Other,
        }
    }
}

/// The tag and the value of a scalar; undefined if the text has no value under this tag.
pub(super) fn resolve(tag: Option<Tag>, text: &str) -> Result<(Tag, Scalar), Failure> {
    if let Some(tag @ (Tag::Text | Tag::Binary | Tag::Merge | Tag::Other)) = tag {
        return Ok((tag, Scalar::Text(text.to_owned())));
    }
    let dated = matches!(tag, None | Some(Tag::Timestamp));
    match (tag, plain(text, dated)) {
        (Some(Tag::Float), Scalar::Integer(value)) => Ok((Tag::Float, Scalar::Float(as_float(value)))),
        (tag, scalar) => {
            let found = scalar.tag();
            if tag.is_some_and(|tag| tag != found) {
                return Err(Failure::Undefined);
            }
            Ok((found, scalar))
        }
    }
}

impl Scalar {
    fn tag(&self) -> Tag {
        match self {
            Self::Null => Tag::Null,
            Self::Boolean(_) => Tag::Boolean,
            Self::Integer(_) | Self::Unsigned(_) => Tag::Integer,
            Self::Float(_) => Tag::Float,
            Self::Timestamp(_) => Tag::Timestamp,
            Self::Text(_) => Tag::Text,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "Go's conversion to float64 rounds as well")]
fn as_float(value: i64) -> f64 {
    value as f64
}

fn plain(text: &str, dated: bool) -> Scalar {
    let scalar = match text.chars().next() {
        None => Some(Scalar::Null),
        Some('0'..='9' | '+' | '-') => word(text).or_else(|| {
            if dated && let Some(timestamp) = timestamp::parse(text) {
                return Some(Scalar::Timestamp(timestamp));
            }
            number(&text.replace('_', ""))
        }),
        Some('.') => word(text).or_else(|| float(&without_underscores(text)?)),
        _ => word(text),
    };
    scalar.unwrap_or_else(|| Scalar::Text(text.to_owned()))
}

fn word(text: &str) -> Option<Scalar> {
    Some(match text {
        "true" | "True" | "TRUE" => Scalar::Boolean(true),
        "false" | "False" | "FALSE" => Scalar::Boolean(false),
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn number(text: &str) -> Option<Scalar> {
    let integer = |text: &str, base| {
        let signed = signed(text, base).map(Scalar::Integer);
        signed.or_else(|| magnitude(text, base).map(Scalar::Unsigned))
    };
    // The sign may stand behind the prefix; only in front of it there is no unsigned reading.
    let prefixed = |prefix, base| match (text.strip_prefix(prefix), text.strip_prefix('-')) {
        (Some(rest), _) => integer(rest, base),
        (None, Some(negative)) => {
            let rest = negative.strip_prefix(prefix)?;
            signed(&format!("-{rest}"), base).map(Scalar::Integer)
        }
        (None, None) => None,
    };
    integer(text, 0)
        .or_else(|| float(text))
        .or_else(|| prefixed("0b", 2))
        .or_else(|| prefixed("0o", 8))
}

/// Go's `strconv.ParseInt`; base 0 goes by the prefix.
fn signed(text: &str, base: u32) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let magnitude = magnitude(digits, base)?;
    if negative {
        0_i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// Go's `strconv.ParseUint`, without underscores.
fn magnitude(text: &str, base: u32) -> Option<u64> {
    let lower = text.get(..2).map(str::to_ascii_lowercase);
    let (digits, base) = match (base, lower.as_deref()) {
        (0, Some("0x")) => (text.get(2..)?, 16),
        (0, Some("0o")) => (text.get(2..)?, 8),
        (0, Some("0b")) => (text.get(2..)?, 2),
        (0, Some(old)) if old.starts_with('0') => (text.get(1..)?, 8),
        (0, _) => (text, 10),
        (base, _) => (text, base),
    };
    // Rust would take a sign here.
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, base).ok()
}

/// Behind a point underscores must be between digits, elsewhere they may be anywhere.
fn without_underscores(text: &str) -> Option<String> {
    let is_between = |at: usize| {
        let neighbours = [at.checked_sub(1)?, at + 1].map(|at| text.as_bytes().get(at));
        let digits = neighbours.iter().flatten().filter(|byte| byte.is_ascii_digit());
        (digits.count() == 2).then_some(())
    };
    for (at, _) in text.match_indices('_') {
        is_between(at)?;
    }
    Some(text.replace('_', ""))
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, within the range of doubles.
fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (unsigned, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_float = are_digits(whole)
        && are_digits(fraction)
        && are_digits(exponent)
        && !exponent.is_empty()
        && !(whole.is_empty() && fraction.is_empty());
    if !is_float {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(Scalar::Float(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_go_yamls_spellings() {
        for (text, value) in [
            ("0", Scalar::Integer(0)),
            ("017", Scalar::Integer(15)),
            ("08", Scalar::Float(8.0)),
            ("-0x1F", Scalar::Integer(-31)),
            ("1_000", Scalar::Integer(1000)),
            ("0b-101", Scalar::Integer(-5)),
            ("18446744073709551615", Scalar::Unsigned(u64::MAX)),
            ("18446744073709551616", Scalar::Float(18_446_744_073_709_551_616.0)),
            ("1e400", Scalar::Text("1e400".to_owned())),
            ("+.5", Scalar::Float(0.5)),
            (".5_0", Scalar::Float(0.5)),
            (".5__0", Scalar::Text(".5__0".to_owned())),
            ("yes", Scalar::Text("yes".to_owned())),
        ] {
            assert_eq!(resolve(None, text).unwrap().1, value, "{text}");
        }
    }
}
