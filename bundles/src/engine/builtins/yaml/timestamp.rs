//! YAML's timestamps, in the four layouts go-yaml reads.

/// A timestamp as Go's `time.Time` becomes JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Timestamp {
    /// RFC 3339.
    Text(String),
    /// With an offset of 24 hours, which Go reads but does not write.
    Unwritable,
}

/// None if the text is no timestamp.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (year, rest) = text.split_at_checked(4)?;
    if !year.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (month, rest) = number(rest.strip_prefix('-')?)?;
    let (day, rest) = number(rest.strip_prefix('-')?)?;
    // Also refuses days that the month does not have.
    jiff::civil::Date::new(year.parse().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()?;
    let date = format!("{year}-{month:02}-{day:02}");
    if rest.is_empty() {
        return Some(Timestamp::Text(format!("{date}T00:00:00Z")));
    }
    let spaced = rest.starts_with(' ');
    let clock = if spaced {
        rest.trim_start_matches(' ')
    } else {
        rest.strip_prefix(['T', 't'])?
    };
    let (hour, rest) = number(clock)?;
    let (minute, rest) = number(rest.strip_prefix(':')?)?;
    let (second, rest) = number(rest.strip_prefix(':')?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, zone) = fraction(rest);
    let clock = format!("{hour:02}:{minute:02}:{second:02}{fraction}");
    if spaced {
        return zone.is_empty().then(|| Timestamp::Text(format!("{date}T{clock}Z")));
    }
    Some(match offset(zone)? {
        Timestamp::Text(zone) => Timestamp::Text(format!("{date}T{clock}{zone}")),
        Timestamp::Unwritable => Timestamp::Unwritable,
    })
}

/// One or two digits.
fn number(text: &str) -> Option<(u8, &str)> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, rest))
}

/// A point or comma and digits, of which nine count; written without zeros at the end.
fn fraction(text: &str) -> (String, &str) {
    let Some(digits) = text.strip_prefix(['.', ',']) else {
        return (String::new(), text);
    };
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    let Some((digits, rest)) = digits.split_at_checked(count).filter(|_| count > 0) else {
        return (String::new(), text);
    };
    let kept = digits.get(..9).unwrap_or(digits).trim_end_matches('0');
    let fraction = if kept.is_empty() {
        String::new()
    } else {
        format!(".{kept}")
    };
    (fraction, rest)
}

/// `Z` or `±hh:mm`. Go takes up to 24 hours and 60 minutes, and writes less than 24 hours.
fn offset(text: &str) -> Option<Timestamp> {
    if text == "Z" {
        return Some(Timestamp::Text("Z".to_owned()));
    }
    let sign = text.chars().next().filter(|sign| matches!(sign, '+' | '-'))?;
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    if (hours.len(), minutes.len()) != (2, 2) {
        return None;
    }
    let ((hours, ""), (minutes, "")) = (number(hours)?, number(minutes)?) else {
        return None;
    };
    if hours > 24 || minutes > 60 {
        return None;
    }
    let minutes = u16::from(hours) * 60 + u16::from(minutes);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    Some(match (hours, minutes) {
        (0, 0) => Timestamp::Text("Z".to_owned()),
        (24.., _) => Timestamp::Unwritable,
        _ => Timestamp::Text(format!("{sign}{hours:02}:{minutes:02}")),
    })
}
