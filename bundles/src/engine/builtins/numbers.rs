//! `numbers.range_step` (`v1/topdown/numbers.go`), and arguments that must be integers.

use num_bigint::{BigInt, Sign};
use std::cmp::Ordering;

use super::{Builtin, Context, Failure, builtin};
use crate::engine::decimal::Decimal;
use crate::engine::term::{Number, Term};

pub(super) const TABLE: &[Builtin] = &[builtin("numbers.range_step", 3, range_step)];

/// Elements of an answer.
const MAX_ITEMS: usize = 1 << 18;
/// Digits of a bound or of the step.
const MAX_DIGITS: u64 = 5_000;
/// Digits of all elements.
const MAX_TEXT: usize = 8 * 1024 * 1024;

/// The integers from one bound towards the other, both included if the step hits them.
fn range_step(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let [from, to, step] = arguments else {
        return Err(Failure::Undefined);
    };
    let (from, to, step) = (integer(from)?, integer(to)?, integer(step)?);
    if step.is_negative() || step.is_zero() {
        return Err(Failure::Undefined);
    }
    let (from, to, step) = (big(&from)?, big(&to)?, big(&step)?);
    let down = from > to;
    let digits = from.to_string().len().max(to.to_string().len());
    let mut items = Vec::new();
    let mut at = from;
    while at.cmp(&to) != if down { Ordering::Less } else { Ordering::Greater } {
        if items.len() >= MAX_ITEMS || items.len().saturating_mul(digits) > MAX_TEXT {
            return Err(Failure::Limit(format!(
                "a range has more than {} numbers of {digits} digits",
                items.len()
            )));
        }
        items.push(Term::Number(Number::parse(&at.to_string()).ok_or(Failure::Undefined)?));
        if down {
            at -= &step;
        } else {
            at += &step;
        }
    }
    Ok(Term::Array(items))
}

/// A number without a fraction, however it is written.
fn integer(term: &Term) -> Result<Decimal, Failure> {
    let Term::Number(number) = term else {
        return Err(Failure::Undefined);
    };
    Decimal::parse(number.text())
        .filter(Decimal::is_integer)
        .ok_or(Failure::Undefined)
}

fn big(value: &Decimal) -> Result<BigInt, Failure> {
    if value.width() > MAX_DIGITS {
        return Err(Failure::Limit(format!("a bound has more than {MAX_DIGITS} digits")));
    }
    let (digits, exponent) = value.parts();
    let zeros = usize::try_from(exponent).unwrap_or(0);
    let digits: Vec<u8> = digits.iter().copied().chain(std::iter::repeat_n(0, zeros)).collect();
    let sign = if value.is_negative() { Sign::Minus } else { Sign::Plus };
    BigInt::from_radix_be(sign, &digits, 10).ok_or(Failure::Undefined)
}

/// The argument at `index` as OPA's `IntOperand` takes it: digits, perhaps with a fraction of zeros, at
/// most 19 characters without the sign.
pub(super) fn small_integer(arguments: &[Term], index: usize) -> Result<i64, Failure> {
    let Some(Term::Number(number)) = arguments.get(index) else {
        return Err(Failure::Undefined);
    };
    let text = number.text();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let short = text.trim_start_matches(['+', '-']).len() <= 19;
    if !short || fraction.bytes().any(|digit| digit != b'0') {
        return Err(Failure::Undefined);
    }
    whole.parse().map_err(|_| Failure::Undefined)
}
