//! Go's layouts (`time/format.go`): an example of how the reference instant, Monday 2 January 2006
//! 15:04:05 in a zone seven hours west of UTC, is written.

use jiff::civil::DateTime;

pub(super) const RFC3339: &str = "2006-01-02T15:04:05Z07:00";
pub(super) const RFC3339_NANO: &str = "2006-01-02T15:04:05.999999999Z07:00";

pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Part of a layout that stands for a part of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    LongMonth,
    ShortMonth,
    Month(Pad),
    LongWeekday,
    ShortWeekday,
    Day(Pad),
    YearDay(Pad),
    Hour,
    Hour12(Pad),
    Minute(Pad),
    Second(Pad),
    LongYear,
    ShortYear,
    UpperHalf,
    LowerHalf,
    ZoneName,
    Offset(Offset),
    Fraction(Fraction),
}

/// How a number is filled to its full width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pad {
    None,
    Space,
    Zero,
}

/// An offset from UTC such as `-07:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offset {
    /// UTC is a `Z`.
    pub(super) zulu: bool,
    pub(super) colon: bool,
    /// 1 for hours, 2 for minutes too, 3 for seconds too.
    pub(super) parts: usize,
}

/// Digits of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fraction {
    pub(super) separator: char,
    pub(super) digits: usize,
    /// Zeros at the end are left out, and the whole fraction if it is zero.
    pub(super) trim: bool,
}

/// A longer text stands before its own beginning.
const CHUNKS: [(&str, Chunk); 33] = [
    ("January", Chunk::LongMonth),
    ("Jan", Chunk::ShortMonth),
    ("Monday", Chunk::LongWeekday),
    ("Mon", Chunk::ShortWeekday),
    ("MST", Chunk::ZoneName),
    ("01", Chunk::Month(Pad::Zero)),
    ("02", Chunk::Day(Pad::Zero)),
    ("03", Chunk::Hour12(Pad::Zero)),
    ("04", Chunk::Minute(Pad::Zero)),
    ("05", Chunk::Second(Pad::Zero)),
    ("06", Chunk::ShortYear),
    ("002", Chunk::YearDay(Pad::Zero)),
    ("15", Chunk::Hour),
    ("1", Chunk::Month(Pad::None)),
    ("2006", Chunk::LongYear),
    ("2", Chunk::Day(Pad::None)),
    ("_2", Chunk::Day(Pad::Space)),
    ("__2", Chunk::YearDay(Pad::Space)),
    ("3", Chunk::Hour12(Pad::None)),
    ("4", Chunk::Minute(Pad::None)),
    ("5", Chunk::Second(Pad::None)),
    ("PM", Chunk::UpperHalf),
    ("pm", Chunk::LowerHalf),
    ("-070000", offset(false, false, 3)),
    ("-07:00:00", offset(false, true, 3)),
    ("-0700", offset(false, false, 2)),
    ("-07:00", offset(false, true, 2)),
    ("-07", offset(false, false, 1)),
    ("Z070000", offset(true, false, 3)),
    ("Z07:00:00", offset(true, true, 3)),
    ("Z0700", offset(true, false, 2)),
    ("Z07:00", offset(true, true, 2)),
    ("Z07", offset(true, false, 1)),
];

const fn offset(zulu: bool, colon: bool, parts: usize) -> Chunk {
    Chunk::Offset(Offset { zulu, colon, parts })
}

/// The layout that OPA knows by this name, else the text itself.
pub(super) fn named(layout: &str) -> &str {
    match layout {
        "ANSIC" => "Mon Jan _2 15:04:05 2006",
        "UnixDate" => "Mon Jan _2 15:04:05 MST 2006",
        "RubyDate" => "Mon Jan 02 15:04:05 -0700 2006",
        "RFC822" => "02 Jan 06 15:04 MST",
        "RFC822Z" => "02 Jan 06 15:04 -0700",
        "RFC850" => "Monday, 02-Jan-06 15:04:05 MST",
        "RFC1123" => "Mon, 02 Jan 2006 15:04:05 MST",
        "RFC1123Z" => "Mon, 02 Jan 2006 15:04:05 -0700",
        "RFC3339" => RFC3339,
        "RFC3339Nano" => RFC3339_NANO,
        other => other,
    }
}

/// Cuts the layout at its first chunk: the plain text before it, the chunk and the rest.
pub(super) fn next(layout: &str) -> (&str, Option<Chunk>, &str) {
    for (at, _) in layout.char_indices() {
        let (before, rest) = layout.split_at(at);
        if let Some((chunk, after)) = chunk(rest) {
            return (before, Some(chunk), after);
        }
    }
    (layout, None, "")
}

/// The chunk that the text begins with, and what follows it.
fn chunk(text: &str) -> Option<(Chunk, &str)> {
    if text.starts_with(['.', ',']) {
        return fraction(text);
    }
    // Here the line is plain text and the year follows.
    if text.starts_with("_2006") {
        return None;
    }
    CHUNKS.iter().find_map(|(example, chunk)| {
        let after = text.strip_prefix(example)?;
        // `Month` is no `Mon`.
        let is_word = matches!(chunk, Chunk::ShortMonth | Chunk::ShortWeekday)
            && after.starts_with(|next: char| next.is_ascii_lowercase());
        (!is_word).then_some((*chunk, after))
    })
}

/// A point or comma and a run of zeros or nines that no other digit follows.
fn fraction(text: &str) -> Option<(Chunk, &str)> {
    let mut chars = text.chars();
    let separator = chars.next()?;
    let digit = chars.clone().next().filter(|digit| matches!(digit, '0' | '9'))?;
    let after = chars.as_str().trim_start_matches(digit);
    if after.starts_with(|next: char| next.is_ascii_digit()) {
        return None;
    }
    let run = chars.as_str().len() - after.len();
    let fraction = Fraction {
        separator,
        // Go keeps twelve bits of the count.
        digits: run % (1 << 12),
        trim: digit == '9',
    };
    Some((Chunk::Fraction(fraction), after))
}

/// The name of the day.
pub(super) fn weekday(civil: DateTime) -> &'static str {
    let index = usize::try_from(civil.weekday().to_sunday_zero_offset()).unwrap_or_default();
    WEEKDAYS.get(index).copied().unwrap_or_default()
}

/// The name of the month.
pub(super) fn month(civil: DateTime) -> &'static str {
    let index = usize::try_from(civil.month() - 1).unwrap_or_default();
    MONTHS.get(index).copied().unwrap_or_default()
}
