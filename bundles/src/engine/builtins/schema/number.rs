//! The exact arithmetic of schemas: OPA compares rationals and shows them as big floats.

use num_bigint::BigInt;

use super::super::yaml::json;
use super::Refusal;
use crate::engine::decimal::Decimal;
use crate::engine::term::{Number, Term};

/// Go reads no rational beyond this power of ten.
const MAX_EXPONENT: i64 = 1_000_000;
/// Digits of a number that is divided by another.
const MAX_DIGITS: u64 = 20_000;

/// The number as an exact one; `None` if Go does not read it.
pub(super) fn exact(number: &Number) -> Option<Decimal> {
    let (_, exponent) = number.text().split_once(['e', 'E']).unwrap_or(("", "0"));
    let exponent: i64 = exponent.parse().ok()?;
    (exponent.abs() <= MAX_EXPONENT).then(|| Decimal::parse(number.text()))?
}

/// Only numbers beyond Go's range are none; then OPA ends with a panic.
pub(super) fn of_document(number: &Number) -> Result<Decimal, Refusal> {
    exact(number).ok_or_else(|| Refusal::Limit(format!("the number {} is too large to validate", number.text())))
}

pub(super) fn is_multiple(number: &Decimal, of: &Decimal) -> Result<bool, Refusal> {
    let width = number.width().saturating_add(of.width());
    if width > MAX_DIGITS {
        return Err(Refusal::Limit(format!(
            "multipleOf needs numbers of {width} digits, more than {MAX_DIGITS}"
        )));
    }
    let ((number_digits, number_exponent), (of_digits, of_exponent)) = (number.parts(), of.parts());
    let least = number_exponent.min(of_exponent);
    let (number, of) = (
        integer(number_digits, number_exponent - least),
        integer(of_digits, of_exponent - least),
    );
    Ok(number.is_some_and(|number| of.is_some_and(|of| number % of == BigInt::ZERO)))
}

fn integer(digits: &[u8], zeros: i64) -> Option<BigInt> {
    let zeros = usize::try_from(zeros).ok()?;
    let digits: Vec<u8> = digits.iter().copied().chain(std::iter::repeat_n(0, zeros)).collect();
    if digits.is_empty() {
        return Some(BigInt::ZERO);
    }
    BigInt::from_radix_be(num_bigint::Sign::Plus, &digits, 10)
}

/// Go's `%v` of a `big.Float`: an exponent below 10⁻⁴ and from 10⁶ on. Go rounds to 64 bits or more;
/// a fraction of 19 digits or more may have fewer digits there.
pub(super) fn show(number: &Decimal) -> String {
    let (digits, exponent) = number.parts();
    let mut text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
    if text.is_empty() {
        return "0".to_owned();
    }
    let sign = if number.is_negative() { "-" } else { "" };
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let power = exponent.saturating_add(length - 1);
    if !(-4..6).contains(&power) {
        if length > 1 {
            text.insert(1, '.');
        }
        let power_sign = if power < 0 { '-' } else { '+' };
        return format!("{sign}{text}e{power_sign}{:02}", power.unsigned_abs());
    }
    let places = usize::try_from(exponent.min(0).unsigned_abs()).unwrap_or(0);
    number.to_fixed(places)
}

/// How constants and enumerations are compared: as JSON with all numbers rounded to doubles.
pub(super) fn rounded(term: &Term) -> Result<String, Refusal> {
    round(term).map(|term| json::text(&term))
}

fn round(term: &Term) -> Result<Term, Refusal> {
    match term {
        Term::Number(number) => {
            let value: f64 = number.text().parse().unwrap_or(f64::INFINITY);
            if !value.is_finite() {
                let text = number.text();
                return Err(Refusal::Invalid(format!(
                    "json: cannot unmarshal number {text} into Go value of type float64"
                )));
            }
            let rounded = Number::parse(&json::float(value));
            Ok(Term::Number(rounded.unwrap_or_else(|| number.clone())))
        }
        Term::Array(items) => {
            let items: Result<_, _> = items.iter().map(round).collect();
            items.map(Term::Array)
        }
        Term::Object(fields) => {
            let fields: Result<_, Refusal> = fields
                .iter()
                .map(|(key, value)| Ok((key.clone(), round(value)?)))
                .collect();
            fields.map(Term::Object)
        }
        other => Ok(other.clone()),
    }
}
