//! Reads a text by a layout, as Go's `time.Parse` does.

use jiff::civil::{Date, DateTime, Time};

use super::in_utc;
use super::layout::{self, Chunk, MONTHS, Offset, Pad, WEEKDAYS};

/// Nanoseconds since 1970; `None` if the text does not follow the layout.
pub(super) fn parse(layout: &str, value: &str) -> Option<i128> {
    let mut reader = Reader { rest: value.as_bytes() };
    let mut fields = Fields::default();
    let mut layout = layout;
    loop {
        let (plain, chunk, after) = layout::next(layout);
        reader.skip(plain.as_bytes())?;
        let Some(chunk) = chunk else {
            return reader.rest.is_empty().then(|| fields.instant())?;
        };
        layout = after;
        fields.read(chunk, &mut reader, layout)?;
    }
}

/// What has been read so far.
#[derive(Default)]
struct Fields {
    year: i16,
    month: Option<i16>,
    day: Option<i16>,
    year_day: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    before_noon: bool,
    after_noon: bool,
    zulu: bool,
    /// Seconds east of UTC.
    offset: Option<i32>,
}

impl Fields {
    /// Reads one chunk; `layout` is what follows it.
    fn read(&mut self, chunk: Chunk, reader: &mut Reader, layout: &str) -> Option<()> {
        match chunk {
            Chunk::LongYear => {
                self.year = reader.digits(4, 4)?;
            }
            Chunk::ShortYear => {
                let year = signed(reader.take(2)?)?;
                self.year = i16::try_from(year).ok()? + if year >= 69 { 1900 } else { 2000 };
            }
            Chunk::LongMonth | Chunk::ShortMonth => {
                let width = if chunk == Chunk::LongMonth { usize::MAX } else { 3 };
                self.month = Some(reader.name(&MONTHS, width)? + 1);
            }
            Chunk::Month(pad) => {
                self.month = Some(reader.number(pad)?).filter(|month| (1..=12).contains(month));
                self.month?;
            }
            Chunk::LongWeekday => {
                reader.name(&WEEKDAYS, usize::MAX)?;
            }
            Chunk::ShortWeekday => {
                reader.name(&WEEKDAYS, 3)?;
            }
            Chunk::Day(pad) => {
                reader.spaces(pad, 1);
                self.day = Some(reader.number(pad)?);
            }
            Chunk::YearDay(pad) => {
                reader.spaces(pad, 2);
                self.year_day = Some(reader.digits(if pad == Pad::Zero { 3 } else { 1 }, 3)?);
            }
            Chunk::Hour => self.hour = below(24, reader.number(Pad::None)?)?,
            Chunk::Hour12(pad) => self.hour = below(13, reader.number(pad)?)?,
            Chunk::Minute(pad) => self.minute = below(60, reader.number(pad)?)?,
            Chunk::Second(pad) => {
                self.second = below(60, reader.number(pad)?)?;
                // A fraction that the layout does not mention may follow.
                if !matches!(layout::next(layout).1, Some(Chunk::Fraction(_))) {
                    self.read_fraction(reader)?;
                }
            }
            Chunk::UpperHalf => self.half(reader.take(2)?, b"AM", b"PM")?,
            Chunk::LowerHalf => self.half(reader.take(2)?, b"am", b"pm")?,
            Chunk::ZoneName if reader.rest.starts_with(b"UTC") => {
                reader.take(3)?;
                self.zulu = true;
            }
            // Any other name, `GMT+1` among them, is read and means nothing.
            Chunk::ZoneName => {
                reader.take(zone_name_length(reader.rest)?)?;
            }
            Chunk::Offset(style) => {
                if style.zulu && reader.rest.starts_with(b"Z") {
                    reader.take(1)?;
                    self.zulu = true;
                } else {
                    self.offset = Some(offset(reader, style)?);
                }
            }
            Chunk::Fraction(style) if style.trim => self.read_fraction(reader)?,
            Chunk::Fraction(style) => self.nanosecond = nanosecond(reader.take(style.digits + 1)?)?,
        }
        Some(())
    }

    /// Takes a fraction if there is one: a point or comma with digits.
    fn read_fraction(&mut self, reader: &mut Reader) -> Option<()> {
        if let [b'.' | b',', digits @ ..] = reader.rest {
            let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if count > 0 {
                self.nanosecond = nanosecond(reader.take(count + 1)?)?;
            }
        }
        Some(())
    }

    fn half(&mut self, text: &[u8], before: &[u8], after: &[u8]) -> Option<()> {
        self.before_noon |= text == before;
        self.after_noon |= text == after;
        (text == before || text == after).then_some(())
    }

    /// The instant that the fields mean, in nanoseconds since 1970.
    fn instant(&self) -> Option<i128> {
        let hour = match self.hour {
            hour if self.after_noon && hour < 12 => hour + 12,
            12 if self.before_noon => 0,
            hour => hour,
        };
        let date = if let Some(year_day) = self.year_day {
            self.date_of_year_day(year_day)?
        } else {
            let month = i8::try_from(self.month.unwrap_or(1)).ok()?;
            Date::new(self.year, month, i8::try_from(self.day.unwrap_or(1)).ok()?).ok()?
        };
        let time = Time::new(hour, self.minute, self.second, self.nanosecond).ok()?;
        // Go's mark for "no offset" is -1, so one second west of UTC is none.
        let offset = self.offset.filter(|offset| *offset != -1 && !self.zulu).unwrap_or(0);
        Some(in_utc(DateTime::from_parts(date, time))? - i128::from(offset) * 1_000_000_000)
    }

    fn date_of_year_day(&self, year_day: i16) -> Option<Date> {
        let date = Date::new(self.year, 1, 1)
            .ok()?
            .with()
            .day_of_year(year_day)
            .build()
            .ok()?;
        let agrees = |field: Option<i16>, value: i8| field.is_none_or(|field| field == i16::from(value));
        (agrees(self.month, date.month()) && agrees(self.day, date.day())).then_some(date)
    }
}

fn below(limit: i8, number: i16) -> Option<i8> {
    i8::try_from(number).ok().filter(|number| *number < limit)
}

/// `±hh`, `±hhmm`, `±hhmmss`, with colons or without; up to 24:60:60.
fn offset(reader: &mut Reader, style: Offset) -> Option<i32> {
    let sign = match reader.take(1)? {
        b"+" => 1,
        b"-" => -1,
        _ => return None,
    };
    let mut seconds = 0;
    for (index, (limit, unit)) in [(24, 3600), (60, 60), (60, 1)]
        .into_iter()
        .take(style.parts)
        .enumerate()
    {
        if index > 0 && style.colon && reader.take(1)? != b":" {
            return None;
        }
        let part: i32 = reader.digits(2, 2)?.into();
        if part > limit {
            return None;
        }
        seconds += part * unit;
    }
    Some(sign * seconds)
}

/// A point or comma and digits, of which the first nine count. Go takes a plus or minus before the
/// digits if the layout gives their count; then they may be less than zero only if they are zero.
fn nanosecond(text: &[u8]) -> Option<i32> {
    let digits = match text {
        [b'.' | b',', digits @ ..] => digits.get(..9).unwrap_or(digits),
        _ => return None,
    };
    let value = signed(digits).filter(|value| *value >= 0)?;
    let missing = u32::try_from(9 - digits.len()).ok()?;
    Some(value * 10_i32.pow(missing))
}

/// `[+-]digits` with any number of digits, none included: Go's `atoi`, for texts of a few bytes.
fn signed(text: &[u8]) -> Option<i32> {
    let sign = if text.starts_with(b"-") { -1 } else { 1 };
    let digits = match text.split_first() {
        Some((b'-' | b'+', digits)) => digits,
        _ => text,
    };
    let value = digits.iter().try_fold(0_i32, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| i32::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })?;
    Some(sign * value)
}

/// How much of the text is the abbreviation of a zone: three to five capitals, as they are in use, or
/// `GMT` with hours, or hours alone.
fn zone_name_length(text: &[u8]) -> Option<usize> {
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(after) = text.strip_prefix(b"GMT") {
        return Some(3 + signed_hours_length(after).unwrap_or(0));
    }
    if text.len() < 3 {
        return None;
    }
    if let Some(b'+' | b'-') = text.first() {
        return signed_hours_length(text);
    }
    let capitals = text.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let is_zone = match capitals {
        3 => true,
        4 => text.get(3) == Some(&b'T') || text.starts_with(b"WITA"),
        5 => text.get(4) == Some(&b'T'),
        _ => false,
    };
    is_zone.then_some(capitals)
}

/// The length of a sign and hours up to 23.
fn signed_hours_length(text: &[u8]) -> Option<usize> {
    let digits = text.strip_prefix(b"+").or_else(|| text.strip_prefix(b"-"))?;
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let hours = signed(digits.get(..count)?)?;
    (count > 0 && hours <= 23).then_some(count + 1)
}

fn cut_spaces(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|byte| **byte == b' ').count();
    text.get(spaces..).unwrap_or_default()
}

/// The rest of the text.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// The plain text of a layout. One space there is any number of spaces here, and none at the end.
    fn skip(&mut self, plain: &[u8]) -> Option<()> {
        let mut plain = plain;
        while let Some((first, after)) = plain.split_first() {
            if *first == b' ' {
                if self.rest.first().is_some_and(|byte| *byte != b' ') {
                    return None;
                }
                plain = cut_spaces(plain);
                self.rest = cut_spaces(self.rest);
            } else {
                if self.take(1)? != [*first] {
                    return None;
                }
                plain = after;
            }
        }
        Some(())
    }

    /// Up to `count` spaces where the layout fills with them.
    fn spaces(&mut self, pad: Pad, count: usize) {
        for _ in 0..count {
            if let (Pad::Space, [b' ', rest @ ..]) = (pad, self.rest) {
                self.rest = rest;
            }
        }
    }

    /// As many digits as there are, within these bounds.
    fn digits(&mut self, least: usize, most: usize) -> Option<i16> {
        let found = self
            .rest
            .iter()
            .take(most)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if found < least {
            return None;
        }
        self.take(found)?.iter().try_fold(0_i16, |value, digit| {
            value.checked_mul(10)?.checked_add(i16::from(digit - b'0'))
        })
    }

    /// One or two digits; two where the layout fills with zeros.
    fn number(&mut self, pad: Pad) -> Option<i16> {
        self.digits(if pad == Pad::Zero { 2 } else { 1 }, 2)
    }

    /// Which of the names follows, each cut to `width`, in capitals or not.
    fn name(&mut self, names: &[&str], width: usize) -> Option<i16> {
        let index = names.iter().position(|name| {
            let name = name.as_bytes();
            let name = name.get(..width).unwrap_or(name);
            let found = self.rest.get(..name.len());
            found.is_some_and(|found| found.eq_ignore_ascii_case(name))
        })?;
        let name = names.get(index)?.len().min(width);
        self.take(name)?;
        i16::try_from(index).ok()
    }
}
