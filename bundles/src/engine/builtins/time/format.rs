//! Writes an instant by a layout, as Go's `Time.Format` does.

use std::fmt::Write as _;

use jiff::civil::DateTime;

use super::layout::{self, Chunk, Fraction, Offset, Pad};
use super::operand::Moment;

/// The moment in its zone. The years of 64 bits of nanoseconds have four digits.
pub(super) fn format(moment: &Moment, layout: &str) -> String {
    let civil = moment.civil();
    let zone = moment.zone.to_offset_info(moment.instant);
    let mut text = String::with_capacity(layout.len() + 10);
    let mut rest = layout;
    loop {
        let (plain, chunk, after) = layout::next(rest);
        text.push_str(plain);
        rest = after;
        match chunk {
            None => return text,
            Some(Chunk::ZoneName) => text.push_str(zone.abbreviation()),
            Some(Chunk::Offset(style)) => push_offset(&mut text, zone.offset().seconds(), style),
            Some(Chunk::Fraction(style)) => push_fraction(&mut text, civil.subsec_nanosecond(), style),
            Some(chunk) => push_civil(&mut text, civil, chunk),
        }
    }
}

fn push_civil(text: &mut String, civil: DateTime, chunk: Chunk) {
    let short = |name: &'static str| name.get(..3).unwrap_or(name);
    let half = |before, after| if civil.hour() < 12 { before } else { after };
    match chunk {
        Chunk::LongMonth => text.push_str(layout::month(civil)),
        Chunk::ShortMonth => text.push_str(short(layout::month(civil))),
        Chunk::LongWeekday => text.push_str(layout::weekday(civil)),
        Chunk::ShortWeekday => text.push_str(short(layout::weekday(civil))),
        Chunk::UpperHalf => text.push_str(half("AM", "PM")),
        Chunk::LowerHalf => text.push_str(half("am", "pm")),
        Chunk::LongYear => push_number(text, civil.year().into(), Pad::Zero, 4),
        Chunk::ShortYear => push_number(text, (civil.year() % 100).into(), Pad::Zero, 2),
        Chunk::Month(pad) => push_number(text, civil.month().into(), pad, 2),
        Chunk::Day(pad) => push_number(text, civil.day().into(), pad, 2),
        Chunk::YearDay(pad) => push_number(text, civil.day_of_year().into(), pad, 3),
        Chunk::Hour => push_number(text, civil.hour().into(), Pad::Zero, 2),
        Chunk::Hour12(pad) => push_number(text, ((civil.hour() + 11) % 12 + 1).into(), pad, 2),
        Chunk::Minute(pad) => push_number(text, civil.minute().into(), pad, 2),
        Chunk::Second(pad) => push_number(text, civil.second().into(), pad, 2),
        Chunk::ZoneName | Chunk::Offset(_) | Chunk::Fraction(_) => {}
    }
}

fn push_number(text: &mut String, number: i32, pad: Pad, width: usize) {
    // Writing to a string cannot fail.
    let _ = match pad {
        Pad::None => write!(text, "{number}"),
        Pad::Space => write!(text, "{number:width$}"),
        Pad::Zero => write!(text, "{number:0width$}"),
    };
}

fn push_offset(text: &mut String, seconds: i32, style: Offset) {
    if style.zulu && seconds == 0 {
        text.push('Z');
        return;
    }
    // Less than a minute west of UTC is a plus in Go.
    text.push(if seconds / 60 < 0 { '-' } else { '+' });
    let distance = seconds.abs();
    let parts = [distance / 3600, distance / 60 % 60, distance % 60];
    for (index, part) in parts.into_iter().take(style.parts).enumerate() {
        if index > 0 && style.colon {
            text.push(':');
        }
        push_number(text, part, Pad::Zero, 2);
    }
}

/// Never more than nine digits, whatever the layout asks for.
fn push_fraction(text: &mut String, nanosecond: i32, style: Fraction) {
    let digits = format!("{nanosecond:09}");
    let digits = digits.get(..style.digits).unwrap_or(&digits);
    if !style.trim {
        text.push(style.separator);
        text.push_str(digits);
        return;
    }
    let digits = digits.trim_end_matches('0');
    if !digits.is_empty() {
        text.push(style.separator);
        text.push_str(digits);
    }
}
