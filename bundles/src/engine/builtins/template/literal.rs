//! Constants of a template: strings, characters and numbers as Go's `strconv` reads them.

use std::str::Chars;

use super::{Failure, unsupported};

/// A number in a template.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Integer(i64),
    Float(f64),
    /// An integer that is an error where it is used, not where it is written.
    Overflow,
}

/// The text of a string in its quotes.
pub(super) fn unquote(token: &str) -> Result<String, Failure> {
    let body = token.get(1..token.len().saturating_sub(1)).ok_or(Failure::Undefined)?;
    if token.starts_with('`') {
        return Ok(body.replace('\r', ""));
    }
    let mut chars = body.chars();
    let mut text = String::with_capacity(body.len());
    while !chars.as_str().is_empty() {
        let (code, is_byte) = unquote_char(&mut chars, '"')?;
        if is_byte && code > 0x7f {
            return Err(unsupported("strings with bytes beyond ASCII"));
        }
        text.push(char::from_u32(code).ok_or(Failure::Undefined)?);
    }
    Ok(text)
}

/// The code of a character in its quotes.
pub(super) fn character(token: &str) -> Result<Number, Failure> {
    let mut chars = token.chars();
    chars.next();
    let (code, _) = unquote_char(&mut chars, '\'')?;
    if chars.as_str() != "'" {
        return Err(Failure::Undefined);
    }
    Ok(Number::Integer(code.into()))
}

/// One character or escape: its code, and whether it is a byte rather than a character.
fn unquote_char(chars: &mut Chars, quote: char) -> Result<(u32, bool), Failure> {
    let first = chars.next().filter(|c| *c != quote).ok_or(Failure::Undefined)?;
    if first != '\\' {
        return Ok((first.into(), false));
    }
    let escape = chars.next().ok_or(Failure::Undefined)?;
    let simple = match escape {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' => '\\',
        c if c == quote => c,
        'x' => return Ok((digits(chars, 0, 2, 16)?, true)),
        'u' => return scalar(digits(chars, 0, 4, 16)?),
        'U' => return scalar(digits(chars, 0, 8, 16)?),
        '0'..='7' => {
            let code = digits(chars, escape.to_digit(8).unwrap_or_default(), 2, 8)?;
            return (code <= 0xff).then_some((code, true)).ok_or(Failure::Undefined);
        }
        _ => return Err(Failure::Undefined),
    };
    Ok((simple.into(), false))
}

fn digits(chars: &mut Chars, start: u32, count: usize, radix: u32) -> Result<u32, Failure> {
    let mut value = start;
    for _ in 0..count {
        let digit = chars.next().and_then(|c| c.to_digit(radix)).ok_or(Failure::Undefined)?;
        value = value.checked_mul(radix).ok_or(Failure::Undefined)? + digit;
    }
    Ok(value)
}

fn scalar(code: u32) -> Result<(u32, bool), Failure> {
    char::from_u32(code)
        .map(|c| (c.into(), false))
        .ok_or(Failure::Undefined)
}

/// A number as it stands in the template.
pub(super) fn number(text: &str) -> Result<Number, Failure> {
    if !has_good_underscores(text) {
        return Err(Failure::Undefined);
    }
    let (negative, unsigned) = match text.strip_prefix(['-', '+']) {
        Some(unsigned) => (text.starts_with('-'), unsigned),
        None => (false, text),
    };
    let unsigned = unsigned.replace('_', "");
    let (radix, digits) = match unsigned.get(..2).unwrap_or_default() {
        "0x" | "0X" => (16, unsigned.get(2..)),
        "0o" | "0O" => (8, unsigned.get(2..)),
        "0b" | "0B" => (2, unsigned.get(2..)),
        _ if unsigned.starts_with('0') && unsigned.len() > 1 => (8, unsigned.get(1..)),
        _ => (10, Some(unsigned.as_str())),
    };
    let digits = digits.filter(|digits| digits.chars().all(|digit| digit.is_digit(radix)));
    if let Some(Ok(magnitude)) = digits.map(|digits| u64::from_str_radix(digits, radix)) {
        let value = if negative {
            -i128::from(magnitude)
        } else {
            i128::from(magnitude)
        };
        return match i64::try_from(value) {
            Ok(value) => Ok(Number::Integer(value)),
            // Go reads no unsigned number with a sign, and has none of its floats without a point.
            Err(_) if text.starts_with(['-', '+']) => Err(Failure::Undefined),
            Err(_) => Ok(Number::Overflow),
        };
    }
    if radix == 16 && unsigned.contains(['p', 'P']) {
        return Err(unsupported("hexadecimal floating-point numbers"));
    }
    let value: f64 = unsigned.parse().map_err(|_| Failure::Undefined)?;
    if !value.is_finite() || !unsigned.contains(['.', 'e', 'E']) {
        return Err(Failure::Undefined);
    }
    Ok(Number::Float(if negative { -value } else { value }))
}

/// Underscores stand between digits, or between the prefix of a base and a digit.
fn has_good_underscores(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_hex = unsigned.starts_with("0x") || unsigned.starts_with("0X");
    let prefix = unsigned.get(..2).unwrap_or_default().to_ascii_lowercase();
    let (mut last, rest) = match prefix.as_str() {
        "0x" | "0o" | "0b" => ('0', unsigned.get(2..).unwrap_or_default()),
        _ => ('^', unsigned),
    };
    for c in rest.chars() {
        let is_digit = c.is_ascii_digit() || (is_hex && c.is_ascii_hexdigit());
        let kind = match c {
            _ if is_digit => '0',
            '_' => '_',
            _ => '!',
        };
        if (kind == '_' && last != '0') || (kind == '!' && last == '_') {
            return false;
        }
        last = kind;
    }
    last != '_'
}
