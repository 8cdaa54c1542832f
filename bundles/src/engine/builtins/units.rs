//! `units.parse` and `units.parse_bytes` (`v1/topdown/parse_units.go`, `parse_bytes.go`): quantities
//! such as `100m` and `2Gi`.
//!
//! The first is exact, but for `m`, which OPA takes as the double nearest to 0.001. The second goes
//! through binary floats of 64 bits (`math/big.Float`) and cuts the fraction.

use num_bigint::BigUint;

use super::{Context, Failure, string};
use crate::engine::decimal::Decimal;
use crate::engine::term::{Number, Term};

/// More digits than this are not computed; OPA would, up to a million.
const MAX_DIGITS: u64 = 5_000;
/// Digits of an exponent; more are an error in OPA too.
const MAX_EXPONENT_DIGITS: usize = 6;
/// The bits of a `big.Float` made from a text.
const PRECISION: u64 = 64;

/// A number; the unit's first letter tells `m` (milli) from `M` (mega).
pub(super) fn parse(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let text = string(arguments, 0)?.replace('"', "");
    let (amount, unit) = split(&text)?;
    let mut letters = unit.chars();
    let first: String = letters.next().into_iter().collect();
    let unit = first + &lower(letters.as_str());
    let factor = if unit == "m" {
        milli()?
    } else {
        Decimal::from(
            decimal_factor(&unit)
                .or_else(|| binary_factor(&unit))
                .ok_or(Failure::Undefined)?,
        )
    };
    let amount = read(amount)?;
    check_width(&amount)?;
    let value = amount.times(&factor);
    check_width(&value)?;
    let places = if value.is_integer() { 0 } else { 10 };
    number(&value.to_fixed(places))
}

/// An integer; upper and lower case are the same, so `m` is mega.
pub(super) fn parse_bytes(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let text = lower(string(arguments, 0)?).replace('"', "");
    let (amount, unit) = split(&text)?;
    let factor = byte_factor(unit).ok_or(Failure::Undefined)?;
    let amount = read(amount)?;
    check_width(&amount)?;
    let sign = if amount.is_negative() { "-" } else { "" };
    let bytes = Float::nearest(&amount).times(factor).truncate();
    let sign = if bytes == BigUint::ZERO { "" } else { sign };
    number(&format!("{sign}{bytes}"))
}

/// Letter by letter as Go does, which makes one letter of `İ`.
fn lower(text: &str) -> String {
    text.chars().filter_map(|c| c.to_lowercase().next()).collect()
}

fn number(text: &str) -> Result<Term, Failure> {
    Number::parse(text).map(Term::Number).ok_or(Failure::Undefined)
}

/// The amount as Go's parsers read it; a base prefix cannot come here because letters end the amount.
fn read(amount: &str) -> Result<Decimal, Failure> {
    Decimal::parse(amount).ok_or(Failure::Undefined)
}

fn check_width(value: &Decimal) -> Result<(), Failure> {
    if value.width() > MAX_DIGITS {
        return Err(Failure::Limit(format!("a quantity has more than {MAX_DIGITS} digits")));
    }
    Ok(())
}

/// 0.001 as a double, in full.
fn milli() -> Result<Decimal, Failure> {
    Decimal::parse(&format!("{:.80}", 0.001_f64)).ok_or(Failure::Undefined)
}

fn decimal_factor(unit: &str) -> Option<u64> {
    let power = match unit {
        "" => 0,
        "k" | "K" => 1,
        "M" => 2,
        "g" | "G" => 3,
        "t" | "T" => 4,
        "p" | "P" => 5,
        "e" | "E" => 6,
        _ => return None,
    };
    Some(1000_u64.pow(power))
}

fn binary_factor(unit: &str) -> Option<u64> {
    let power = match unit {
        "ki" | "Ki" => 1,
        "mi" | "Mi" => 2,
        "gi" | "Gi" => 3,
        "ti" | "Ti" => 4,
        "pi" | "Pi" => 5,
        "ei" | "Ei" => 6,
        _ => return None,
    };
    Some(1024_u64.pow(power))
}

fn byte_factor(unit: &str) -> Option<u64> {
    let unit = unit.strip_suffix('b').filter(|unit| !unit.is_empty()).unwrap_or(unit);
    match unit {
        "m" => Some(1_000_000),
        unit => decimal_factor(unit).or_else(|| binary_factor(unit)),
    }
}

/// Splits at the first byte that cannot belong to a number. An `e` belongs to it if a digit or a sign
/// follows.
fn split(text: &str) -> Result<(&str, &str), Failure> {
    if text.contains(' ') {
        return Err(Failure::Undefined);
    }
    let bytes = text.as_bytes();
    let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
    let mut index = 0;
    while index < bytes.len() {
        match at(index) {
            b'e' | b'E' => {
                let next = at(index + 1);
                if !next.is_ascii_digit() && !matches!(next, b'+' | b'-') {
                    break;
                }
                index += usize::from(!next.is_ascii_digit());
                let exponent = bytes.iter().skip(index + 1).take_while(|byte| byte.is_ascii_digit());
                if exponent.count() > MAX_EXPONENT_DIGITS {
                    return Err(Failure::Undefined);
                }
            }
            b'0'..=b'9' | b'.' | b'+' | b'-' => {}
            _ => break,
        }
        index += 1;
    }
    if index == 0 {
        return Err(Failure::Undefined);
    }
    text.split_at_checked(index).ok_or(Failure::Undefined)
}

/// A binary float without a sign: `mantissa × 2^exponent`, at most 64 bits of mantissa.
struct Float {
    mantissa: BigUint,
    exponent: i64,
}

impl Float {
    /// The float nearest to a decimal, halves to even.
    fn nearest(decimal: &Decimal) -> Self {
        let (digits, exponent) = decimal.parts();
        let digits = BigUint::from_radix_be(digits, 10).unwrap_or_default();
        let power = BigUint::from(10_u8).pow(u32::try_from(exponent.unsigned_abs()).unwrap_or(u32::MAX));
        if exponent >= 0 {
            return Self::round(&(digits * power), 0, false);
        }
        // Enough bits that the quotient has more than the precision.
        let shift = PRECISION + 2 + power.bits();
        let numerator = digits << shift;
        let quotient = &numerator / &power;
        let sticky = &quotient * &power != numerator;
        Self::round(&quotient, -i64::try_from(shift).unwrap_or(i64::MAX), sticky)
    }

    /// Rounds to the precision; `sticky` says that non-zero bits follow the mantissa.
    fn round(mantissa: &BigUint, exponent: i64, sticky: bool) -> Self {
        let excess = mantissa.bits().saturating_sub(PRECISION);
        if excess == 0 {
            return Self {
                mantissa: mantissa.clone(),
                exponent,
            };
        }
        let mut kept = mantissa >> excess;
        let half = mantissa.bit(excess - 1);
        let more = sticky || mantissa.trailing_zeros().is_some_and(|zeros| zeros < excess - 1);
        if half && (more || kept.bit(0)) {
            kept += 1_u8;
        }
        Self {
            mantissa: kept,
            exponent: exponent.saturating_add_unsigned(excess),
        }
    }

    fn times(&self, factor: u64) -> Self {
        Self::round(&(&self.mantissa * factor), self.exponent, false)
    }

    fn truncate(&self) -> BigUint {
        let shift = self.exponent.unsigned_abs();
        if self.exponent >= 0 {
            &self.mantissa << shift
        } else {
            &self.mantissa >> shift
        }
    }
}
