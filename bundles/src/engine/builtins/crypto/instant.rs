//! The times of certificates, as Go reads and prints them.

use jiff::civil::{Date, DateTime, Time};

use crate::engine::term::Term;

/// A time, with the offset that it was written with.
#[derive(Debug, Clone)]
pub(super) struct Instant {
    /// Since 1970, without leap seconds.
    pub(super) seconds: i64,
    /// As JSON, RFC 3339; absent for offsets of 24 hours, which Go reads and does not print.
    text: Option<String>,
}

impl Instant {
    /// `YYMMDDhhmm[ss]` and `Z` or `±hhmm`, between 1950 and 2049.
    pub(super) fn utc(content: &[u8]) -> Option<Self> {
        let mut fields = Fields(str::from_utf8(content).ok()?);
        let year = fields.digits(2)?;
        let date = fields.date(if year < 50 { year + 2000 } else { year + 1900 })?;
        let (hour, minute) = (fields.digits(2)?, fields.digits(2)?);
        let second = if fields.0.starts_with(|c: char| c.is_ascii_digit()) {
            fields.digits(2)?
        } else {
            0
        };
        fields.finish(date, [hour, minute, second], "")
    }

    /// `YYYYMMDDhhmmss`, a fraction if that is allowed, and `Z` or `±hhmm`.
    pub(super) fn generalized(content: &[u8], fractions: bool) -> Option<Self> {
        let mut fields = Fields(str::from_utf8(content).ok()?);
        let year = fields.digits(4)?;
        let date = fields.date(year)?;
        let clock = [fields.digits(2)?, fields.digits(2)?, fields.digits(2)?];
        let fraction = if fractions { fields.fraction()? } else { "" };
        fields.finish(date, clock, fraction)
    }

    pub(super) fn to_term(&self) -> Option<Term> {
        self.text.clone().map(Term::String)
    }
}

/// What is left of the text.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    fn digits(&mut self, length: usize) -> Option<i16> {
        let field = self.take(length)?;
        let plain = field.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| field.parse().ok())?
    }

    fn date(&mut self, year: i16) -> Option<Date> {
        let (month, day) = (self.digits(2)?, self.digits(2)?);
        Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()
    }

    /// The point and up to nine digits, the last of them not 0; or nothing.
    fn fraction(&mut self) -> Option<&'a str> {
        if !self.0.starts_with('.') {
            return Some("");
        }
        let is_digit = |c: &char| c.is_ascii_digit();
        let digits = self.0.chars().skip(1).take_while(is_digit).count();
        let fraction = self.take(digits + 1)?;
        ((1..=9).contains(&digits) && !fraction.ends_with('0')).then_some(fraction)
    }

    /// Reads the offset, which ends the text. One of zero is written `Z`.
    fn finish(mut self, date: Date, [hour, minute, second]: [i16; 3], fraction: &str) -> Option<Instant> {
        let clock = Time::new(
            hour.try_into().ok()?,
            minute.try_into().ok()?,
            second.try_into().ok()?,
            0,
        );
        let civil = date.to_datetime(clock.ok()?);
        let sign = self.take(1)?;
        let (hours, minutes) = match sign {
            "Z" => (0, 0),
            "+" | "-" => (self.digits(2)?, self.digits(2)?),
            _ => return None,
        };
        let zero = hours == 0 && minutes == 0;
        if !self.0.is_empty() || hours > 24 || minutes > 59 || zero != (sign == "Z") {
            return None;
        }
        let offset = (i64::from(hours) * 60 + i64::from(minutes)) * 60;
        let since_epoch = civil
            .duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0))
            .as_secs();
        let zone = if zero {
            "Z".to_owned()
        } else {
            format!("{sign}{hours:02}:{minutes:02}")
        };
        let text = format!(
            "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}",
            date.year(),
            date.month(),
            date.day()
        );
        Some(Instant {
            seconds: if sign == "-" {
                since_epoch + offset
            } else {
                since_epoch - offset
            },
            text: (hours < 24).then_some(text),
        })
    }
}
