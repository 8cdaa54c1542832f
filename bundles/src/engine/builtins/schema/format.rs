//! `format` (`format_checkers.go`), which follows Go's libraries rather than the standards.

use std::net::IpAddr;

use super::email;
use super::uri::Uri;

/// Whether the text has this format; any text has one that is not known. `regex` is none of these.
pub(super) fn is_format(name: &str, text: &str) -> bool {
    match name {
        "date" => is_date(text),
        "time" => is_time(text),
        "date-time" => is_time(text) || is_date(text) || is_date_time(text),
        "hostname" => is_hostname(text),
        "email" | "idn-email" => email::is_address(text),
        "ipv4" => text.parse::<IpAddr>().is_ok() && text.contains('.'),
        "ipv6" => text.parse::<IpAddr>().is_ok() && text.contains(':'),
        "uri" | "iri" => uri(text).is_some_and(|uri| !uri.scheme.is_empty()),
        "uri-reference" | "iri-reference" => uri(text).is_some(),
        "uri-template" => uri(text).is_some_and(|uri| are_braces_closed(&uri.path.bytes)),
        "uuid" => is_uuid(text),
        "json-pointer" => is_pointer(text),
        "relative-json-pointer" => is_relative_pointer(text),
        _ => true,
    }
}

fn uri(text: &str) -> Option<Uri> {
    Uri::parse(text).ok().filter(|_| !text.contains('\\'))
}

/// Two digits, or one where Go's layout lets an hour have one, up to a greatest value.
fn number(text: &str, least_digits: usize, most: u8) -> Option<&str> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(digits)?;
    let value: u8 = digits.parse().ok()?;
    (digits.len() >= least_digits && value <= most).then_some(rest)
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-').map(|part| {
        let plain = part.bytes().all(|byte| byte.is_ascii_digit());
        (part.len(), part.parse::<i16>().ok().filter(|_| plain))
    });
    let date = (parts.next(), parts.next(), parts.next(), parts.next());
    let (Some((4, Some(year))), Some((2, Some(month))), Some((2, Some(day))), None) = date else {
        return false;
    };
    let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else {
        return false;
    };
    jiff::civil::Date::new(year, month, day).is_ok()
}

/// The clock at the beginning, and the zone behind it.
fn clock(text: &str) -> Option<&str> {
    let rest = number(text, 1, 23)?.strip_prefix(':')?;
    let rest = number(rest, 2, 59)?.strip_prefix(':')?;
    let rest = number(rest, 2, 59)?;
    let Some(fraction) = rest.strip_prefix(['.', ',']) else {
        return Some(rest);
    };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        Some(rest)
    } else {
        fraction.get(digits..)
    }
}

fn is_zone(text: &str) -> bool {
    let offset = || {
        let rest = number(text.strip_prefix(['+', '-'])?, 2, 24)?;
        number(rest.strip_prefix(':')?, 2, 60)
    };
    text == "Z" || offset() == Some("")
}

fn is_time(text: &str) -> bool {
    clock(text).is_some_and(|zone| zone.is_empty() || is_zone(zone))
}

fn is_date_time(text: &str) -> bool {
    let parts = text.split_once('T');
    parts.is_some_and(|(date, time)| is_date(date) && clock(time).is_some_and(is_zone))
}

fn is_hostname(text: &str) -> bool {
    let is_label = |label: &str| {
        let ends = [label.bytes().next(), label.bytes().next_back()];
        label.len() <= 63
            && ends
                .iter()
                .all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()))
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() < 256 && text.split('.').all(is_label)
}

/// Every brace that opens is closed somewhere behind it.
fn are_braces_closed(path: &[u8]) -> bool {
    let mut rest = path;
    while let Some(open) = rest.iter().position(|byte| *byte == b'{') {
        rest = rest.get(open..).unwrap_or_default();
        let Some(close) = rest.iter().position(|byte| *byte == b'}') else {
            return false;
        };
        rest = rest.get(close..).unwrap_or_default();
    }
    true
}

fn is_uuid(text: &str) -> bool {
    let is_group = |group: &str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.split('-').all(is_group)
}

/// Nothing, or a slash in front of each token, whose tildes are escapes.
fn is_pointer(text: &str) -> bool {
    let mut tildes = text.split('~').skip(1);
    (text.is_empty() || text.starts_with('/')) && tildes.all(|after| after.starts_with(['0', '1']))
}

fn is_relative_pointer(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let Some((up, pointer)) = text.split_at_checked(digits) else {
        return false;
    };
    let is_number = up == "0" || (!up.is_empty() && !up.starts_with('0'));
    is_number && (pointer == "#" || is_pointer(pointer))
}
