//! Values as Go's `encoding/json` prints them and OPA reads them back.

use num_bigint::{BigInt, BigUint};

use super::armor;
use super::der::Oid;
use crate::engine::builtins::Failure;
use crate::engine::term::{Number, Term};

/// Longer numbers than any key has; turning them into decimal digits takes quadratic time.
const MAX_INTEGER_BITS: u64 = 32 * 1024;

/// A string; each byte that is not UTF-8 becomes U+FFFD.
pub(super) fn text(mut bytes: &[u8]) -> Term {
    let mut text = String::new();
    loop {
        match str::from_utf8(bytes) {
            Ok(rest) => {
                text.push_str(rest);
                return Term::String(text);
            }
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                text.push_str(str::from_utf8(valid).unwrap_or_default());
                text.push('\u{fffd}');
                bytes = rest.get(1..).unwrap_or_default();
            }
        }
    }
}

/// Bytes are base64.
pub(super) fn bytes(bytes: &[u8]) -> Term {
    Term::String(armor::encode(bytes))
}

pub(super) fn integer(value: impl Into<i64>) -> Term {
    Term::Number(value.into().into())
}

/// Refuses numbers beyond 32768 bits.
pub(super) fn big(value: &BigInt) -> Result<Term, Failure> {
    let bits = value.bits();
    if bits > MAX_INTEGER_BITS {
        return Err(Failure::Limit(format!(
            "an integer has {bits} bits, more than {MAX_INTEGER_BITS}"
        )));
    }
    Number::parse(&value.to_string())
        .map(Term::Number)
        .ok_or(Failure::Undefined)
}

pub(super) fn unsigned(value: &BigUint) -> Result<Term, Failure> {
    big(&value.clone().into())
}

pub(super) fn object<const N: usize>(fields: [(&str, Term); N]) -> Term {
    let key = |(name, value): (&str, Term)| (Term::String(name.to_owned()), value);
    Term::Object(fields.into_iter().map(key).collect())
}

/// A slice that was filled by appending: null, not empty.
pub(super) fn list(items: impl IntoIterator<Item = Term>) -> Term {
    let items: Vec<_> = items.into_iter().collect();
    if items.is_empty() {
        Term::Null
    } else {
        Term::Array(items)
    }
}

pub(super) fn oid(oid: &Oid) -> Term {
    Term::Array(oid.0.iter().map(|component| integer(*component)).collect())
}

/// The dotted form of an identifier's content, which need not be a sound one. Refuses components
/// beyond 32768 bits.
pub(super) fn dotted(content: &[u8]) -> Result<Term, Failure> {
    let mut parts = Vec::new();
    for component in content.split_inclusive(|byte| byte & 0x80 == 0) {
        if component.last().is_none_or(|last| last & 0x80 != 0) {
            break;
        }
        if component.len() as u64 > MAX_INTEGER_BITS / 7 {
            let length = component.len();
            return Err(Failure::Limit(format!(
                "a component of an object identifier has {length} bytes, more than {}",
                MAX_INTEGER_BITS / 7
            )));
        }
        let digits: Vec<u8> = component.iter().map(|byte| byte & 0x7f).collect();
        let value = BigUint::from_radix_be(&digits, 128).unwrap_or_default();
        if !parts.is_empty() {
            parts.push(value.to_string());
        } else if value < BigUint::from(80u8) {
            parts.push((&value / 40u8).to_string());
            parts.push((value % 40u8).to_string());
        } else {
            parts.push("2".to_owned());
            parts.push((value - 80u8).to_string());
        }
    }
    Ok(Term::String(parts.join(".")))
}
