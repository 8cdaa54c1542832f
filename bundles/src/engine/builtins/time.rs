//! `time.now_ns` and `time.parse_rfc3339_ns` (`v1/topdown/time.go`).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::{Context, Failure, string};
use crate::engine::term::Term;

/// The instant of the decision: the same in every call.
pub(super) fn now_ns(context: &Context, _: &[Term]) -> Result<Term, Failure> {
    nanoseconds(context.now)
}

/// Reads what Go's `time.Parse(time.RFC3339, …)` reads.
pub(super) fn parse_rfc3339_ns(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    nanoseconds(parse(string(arguments, 0)?).ok_or(Failure::Undefined)?)
}

/// Undefined outside the years 1677 to 2262, which 64 bits of nanoseconds hold.
fn nanoseconds(instant: Timestamp) -> Result<Term, Failure> {
    i64::try_from(instant.as_nanosecond())
        .map(|nanoseconds| Term::Number(nanoseconds.into()))
        .map_err(|_| Failure::Undefined)
}

/// `2006-01-02T15:04:05[.,digits](Z|±hh:mm)`, capital letters only. As Go does, the hour may have one
/// digit, the fraction any number of them, and offsets go up to 24:60.
fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = exact_fields(date, '-')?;
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    let zone_at = time.find(['Z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(zone_at)?;
    let (clock, fraction) = match time.find(['.', ',']) {
        Some(at) => (time.get(..at)?, Some(time.get(at + 1..)?)),
        None => (time, None),
    };
    let [hour, minute, second] = exact_fields(clock, ':')?;
    if !matches!(hour.len(), 1 | 2) || (minute.len(), second.len()) != (2, 2) {
        return None;
    }
    let civil = DateTime::new(
        digits(year)?,
        digits(month)?,
        digits(day)?,
        digits(hour)?,
        digits(minute)?,
        digits(second)?,
        fraction.map_or(Some(0), nanosecond)?,
    );
    offset(zone)?.to_timestamp(civil.ok()?).ok()
}

fn exact_fields(text: &str, separator: char) -> Option<[&str; 3]> {
    let mut fields = text.split(separator);
    let three = [fields.next()?, fields.next()?, fields.next()?];
    fields.next().is_none().then_some(three)
}

fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

/// The first nine digits; further ones are cut.
fn nanosecond(fraction: &str) -> Option<i32> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nine: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    nine.parse().ok()
}

fn offset(zone: &str) -> Option<Offset> {
    if zone == "Z" {
        return Some(Offset::UTC);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    if (hours.len(), minutes.len()) != (2, 2) {
        return None;
    }
    let (hours, minutes) = (digits::<i32>(hours)?, digits::<i32>(minutes)?);
    if hours > 24 || minutes > 60 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}
