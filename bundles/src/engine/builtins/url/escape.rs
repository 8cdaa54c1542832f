//! Percent-encoding as Go's `net/url` does it, which differs from part to part of a URL.

use crate::engine::builtins::encodings::hex_byte;

/// A part of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    User,
    Host,
    /// The zone of an IPv6 address.
    Zone,
    Path,
    /// A key or a value of the query, where `+` is a space.
    Query,
    Fragment,
}

/// Whether the byte stands for itself in this part.
pub(super) fn is_plain(byte: u8, part: Part) -> bool {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => true,
        b'$' | b'&' | b'+' | b',' | b';' | b'=' => part != Part::Query,
        b':' => !matches!(part, Part::Query | Part::User),
        b'/' | b'@' => matches!(part, Part::Path | Part::Fragment),
        b'?' => part == Part::Fragment,
        b'!' | b'(' | b')' | b'*' => matches!(part, Part::Host | Part::Zone | Part::Fragment),
        b'\'' | b'[' | b']' | b'<' | b'>' | b'"' => matches!(part, Part::Host | Part::Zone),
        _ => false,
    }
}

pub(super) fn escape(bytes: &[u8], part: Part) -> String {
    let mut escaped = String::new();
    for byte in bytes {
        if is_plain(*byte, part) {
            escaped.push(char::from(*byte));
        } else if *byte == b' ' && part == Part::Query {
            escaped.push('+');
        } else {
            let digit = |digit: u8| char::from_digit(digit.into(), 16).map(|digit| digit.to_ascii_uppercase());
            escaped.push('%');
            escaped.extend(digit(byte >> 4));
            escaped.extend(digit(byte & 15));
        }
    }
    escaped
}

/// Nothing if an escape is cut off, or says or leaves unsaid what it must not in this part.
pub(super) fn unescape(text: &[u8], part: Part) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        let byte = match first {
            b'%' => {
                let [high, low, after @ ..] = after else {
                    return None;
                };
                rest = after;
                hex_byte(*high, *low).filter(|byte| may_be_escaped(*byte, part))?
            }
            b'+' if part == Part::Query => b' ',
            byte if byte.is_ascii() && matches!(part, Part::Host | Part::Zone) && !is_plain(*byte, part) => {
                return None;
            }
            byte => *byte,
        };
        bytes.push(byte);
    }
    Some(bytes)
}

/// A host escapes no ASCII but the percent sign; a zone also spaces and what is plain there.
fn may_be_escaped(byte: u8, part: Part) -> bool {
    match part {
        Part::Host => !byte.is_ascii() || byte == b'%',
        Part::Zone => matches!(byte, b'%' | b' ') || is_plain(byte, Part::Host),
        _ => true,
    }
}
