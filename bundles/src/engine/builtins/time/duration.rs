//! Durations as OPA reads them: Go's `time.ParseDuration`, and days, weeks and years.

use std::fmt::Write as _;

/// A duration cannot be further from zero than this; only a negative one may be as far.
const MAX: u64 = 1 << 63;

/// Nanoseconds; `None` if the text is no duration or does not fit.
pub(super) fn parse(text: &str) -> Option<i64> {
    if text.contains(['d', 'w', 'y']) {
        parse_plain(&in_hours(text)?)
    } else {
        parse_plain(text)
    }
}

/// The same duration with days, weeks and years (`d`, `w`, `y`) written as hours.
fn in_hours(text: &str) -> Option<String> {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut hours = text.get(..text.len() - rest.len())?.to_owned();
    while !rest.is_empty() {
        let (digits, after) = split_while(rest, |c| c.is_ascii_digit() || c == '.');
        // The grammar takes the longest of these, and the Greek letter for micro is none of them.
        let unit = ["ms", "us", "µs", "ns"]
            .into_iter()
            .find(|unit| after.starts_with(unit))
            .or_else(|| after.get(..1).filter(|_| !digits.is_empty()))?;
        rest = after.get(unit.len()..)?;
        let factor = match unit {
            "d" => 24.0,
            "w" => 7.0 * 24.0,
            "y" => 365.0 * 24.0,
            _ => {
                hours.push_str(digits);
                hours.push_str(unit);
                continue;
            }
        };
        let value: f64 = digits.parse().ok()?;
        // Writing to a string cannot fail.
        let _ = write!(hours, "{}h", value * factor);
    }
    Some(hours)
}

fn parse_plain(text: &str) -> Option<i64> {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (whole, after) = split_while(rest, |c| c.is_ascii_digit());
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => split_while(after, |c| c.is_ascii_digit()),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (unit, after) = split_while(after, |c| c != '.' && !c.is_ascii_digit());
        rest = after;
        // Two of the largest amounts sum to zero in Go too.
        total = total.wrapping_add(amount(whole, fraction, unit)?);
        if total > MAX {
            return None;
        }
    }
    if text.starts_with('-') {
        0_i64.checked_sub_unsigned(total)
    } else {
        i64::try_from(total).ok()
    }
}

/// Nanoseconds of one number with its unit, at most [`MAX`].
fn amount(whole: &str, fraction: &str, unit: &str) -> Option<u64> {
    let unit: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3600 * 1_000_000_000,
        _ => return None,
    };
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let whole = whole.checked_mul(unit).filter(|whole| *whole <= MAX)?;
    Some(whole + part(fraction, unit)).filter(|amount| *amount <= MAX)
}

/// The decimal fraction of a unit in doubles, as Go computes it: 18 or 19 digits count.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go rounds at the same places; the product lies between 0 and the unit"
)]
fn part(fraction: &str, unit: u64) -> u64 {
    let (mut value, mut scale) = (0_u64, 1.0);
    for digit in fraction.bytes() {
        let next = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(u64::from(digit - b'0')));
        let Some(next) = next.filter(|next| *next <= MAX) else {
            break;
        };
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

fn split_while(text: &str, accept: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !accept(c)).unwrap_or(text.len());
    text.split_at(end)
}
