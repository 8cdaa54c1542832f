//! One value under one verb of `sprintf` (Go's `fmt/format.go`, and `Int.Format` of `math/big`).

use std::fmt::Write as _;

use num_bigint::BigInt;

use super::{Failure, float};
use crate::engine::quote::{can_backquote, is_printable, quote, quote_char};

/// Changing the base of a number takes time that grows with the square of its length.
const MAX_BIG_DIGITS: usize = 10_000;

/// A value as OPA hands it to Go's `fmt`.
#[derive(Debug, Clone)]
pub(super) enum Argument {
    Integer(i64),
    /// An integer beyond 64 bits, as its decimal text.
    Big(String),
    Float(f64),
    Text(String),
}

/// Flags, width and precision of a directive.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one of Go's flag characters")]
pub(super) struct Flags {
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `+` and `#` of `%v`, which mean something else there.
    pub(super) plus_v: bool,
    pub(super) sharp_v: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

impl Argument {
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Integer(_) => "int64",
            Self::Big(_) => "*big.Int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
        }
    }
}

/// Appends the value under the verb.
pub(super) fn print(out: &mut String, value: &Argument, verb: char, flags: &Flags) -> Result<(), Failure> {
    if verb == 'T' {
        text(out, value.type_name(), flags);
        return Ok(());
    }
    let known = match value {
        Argument::Integer(number) => integer(out, *number, verb, flags),
        Argument::Big(digits) => return big(out, digits, verb, flags),
        Argument::Float(number) => float(out, *number, verb, flags),
        Argument::Text(string) => string_verb(out, string, verb, flags),
    };
    if known {
        return Ok(());
    }
    // The directive's flags still hold for the value inside the complaint.
    out.extend(['%', '!', verb, '(']);
    out.push_str(value.type_name());
    out.push('=');
    print(out, value, 'v', flags)?;
    out.push(')');
    Ok(())
}

/// Pads to the width, in characters.
fn pad(out: &mut String, text: &str, flags: &Flags) {
    let missing = flags.width.unwrap_or(0).saturating_sub(text.chars().count());
    if flags.minus {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', missing));
    } else {
        let fill = if flags.zero { '0' } else { ' ' };
        out.extend(std::iter::repeat_n(fill, missing));
        out.push_str(text);
    }
}

fn pad_with_spaces(out: &mut String, text: &str, flags: &Flags) {
    let spaces = Flags {
        zero: false,
        ..flags.clone()
    };
    pad(out, text, &spaces);
}

fn truncate<'a>(text: &'a str, flags: &Flags) -> &'a str {
    let end = flags.precision.and_then(|precision| text.char_indices().nth(precision));
    end.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

fn text(out: &mut String, string: &str, flags: &Flags) {
    pad(out, truncate(string, flags), flags);
}

fn quoted(out: &mut String, string: &str, flags: &Flags) {
    let string = truncate(string, flags);
    if flags.sharp && can_backquote(string) {
        pad(out, &format!("`{string}`"), flags);
    } else {
        pad(out, &quote(string, flags.plus), flags);
    }
}

fn string_verb(out: &mut String, string: &str, verb: char, flags: &Flags) -> bool {
    match verb {
        'v' if flags.sharp_v => quoted(out, string, flags),
        'v' | 's' => text(out, string, flags),
        'x' | 'X' => bytes(out, string, verb, flags),
        'q' => quoted(out, string, flags),
        _ => return false,
    }
    true
}

/// A string's bytes in hexadecimal; the precision counts bytes.
fn bytes(out: &mut String, string: &str, verb: char, flags: &Flags) {
    let prefix = match (flags.sharp, verb) {
        (false, _) => "",
        (true, 'x') => "0x",
        (true, _) => "0X",
    };
    let mut hex = String::new();
    for (index, byte) in string.bytes().take(flags.precision.unwrap_or(usize::MAX)).enumerate() {
        if flags.space && index > 0 {
            hex.push(' ');
        }
        if flags.space || index == 0 {
            hex.push_str(prefix);
        }
        // Writing to a string cannot fail.
        let _ = if verb == 'x' {
            write!(hex, "{byte:02x}")
        } else {
            write!(hex, "{byte:02X}")
        };
    }
    pad(out, &hex, flags);
}

fn integer(out: &mut String, number: i64, verb: char, flags: &Flags) -> bool {
    match verb {
        'v' | 'd' => digits(out, number, 10, verb, flags),
        'b' => digits(out, number, 2, verb, flags),
        'o' | 'O' => digits(out, number, 8, verb, flags),
        'x' | 'X' => digits(out, number, 16, verb, flags),
        'c' => pad(out, &character(number).to_string(), flags),
        'q' => pad(out, &quote_char(character(number), flags.plus), flags),
        'U' => code_point(out, number, flags),
        _ => return false,
    }
    true
}

fn character(number: i64) -> char {
    let code = u32::try_from(number).ok();
    code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn in_base(magnitude: u64, base: u32, verb: char) -> String {
    match (base, verb) {
        (2, _) => format!("{magnitude:b}"),
        (8, _) => format!("{magnitude:o}"),
        (16, 'X') => format!("{magnitude:X}"),
        (16, _) => format!("{magnitude:x}"),
        _ => magnitude.to_string(),
    }
}

fn digits(out: &mut String, number: i64, base: u32, verb: char, flags: &Flags) {
    let negative = number < 0;
    if flags.precision == Some(0) && number == 0 {
        pad_with_spaces(
            out,
            "",
            &Flags {
                minus: false,
                ..flags.clone()
            },
        );
        return;
    }
    let least = match (flags.precision, flags.width) {
        (Some(precision), _) => precision,
        (None, Some(width)) if flags.zero && !flags.minus => {
            width.saturating_sub(usize::from(negative || flags.plus || flags.space))
        }
        _ => 0,
    };
    let digits = in_base(number.unsigned_abs(), base, verb);
    let digits = format!("{}{digits}", "0".repeat(least.saturating_sub(digits.len())));
    let prefix = match (base, verb) {
        (8, 'O') if flags.sharp && !digits.starts_with('0') => "0o0",
        (8, 'O') => "0o",
        _ if !flags.sharp => "",
        (2, _) => "0b",
        (8, _) if !digits.starts_with('0') => "0",
        (16, 'X') => "0X",
        (16, _) => "0x",
        _ => "",
    };
    pad_with_spaces(
        out,
        &format!("{}{prefix}{digits}", sign(negative, flags.plus, flags.space)),
        flags,
    );
}

fn sign(negative: bool, plus: bool, space: bool) -> &'static str {
    match (negative, plus, space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        _ => "",
    }
}

/// `U+0078`, with `#` also the character. Negative numbers are their two's complement.
fn code_point(out: &mut String, number: i64, flags: &Flags) {
    let digits = format!("{:X}", number.cast_unsigned());
    let missing = flags.precision.unwrap_or(0).max(4).saturating_sub(digits.len());
    let mut text = format!("U+{}{digits}", "0".repeat(missing));
    let shown = u32::try_from(number)
        .ok()
        .and_then(char::from_u32)
        .filter(|c| is_printable(*c));
    if let (true, Some(c)) = (flags.sharp, shown) {
        text.extend([' ', '\'', c, '\'']);
    }
    pad_with_spaces(out, &text, flags);
}

fn float(out: &mut String, number: f64, verb: char, flags: &Flags) -> bool {
    let (verb, default) = match verb {
        'v' => ('g', None),
        'b' | 'g' | 'G' | 'x' | 'X' => (verb, None),
        'e' | 'E' | 'f' => (verb, Some(6)),
        'F' => ('f', Some(6)),
        _ => return false,
    };
    let precision = flags.precision.or(default);
    let mut text = float::format(number, verb, precision);
    if flags.sharp && verb != 'b' {
        text = keep_zeros(&text, verb, precision);
    }
    let positive = text.starts_with('+');
    let unsigned = text.get(1..).unwrap_or_default();
    match sign(!positive, flags.plus, flags.space) {
        "" => pad(out, unsigned, flags),
        sign if flags.zero && !flags.minus && flags.width.is_some_and(|width| width > text.len()) => {
            out.push_str(sign);
            let rest = Flags {
                width: flags.width.map(|width| width - 1),
                ..flags.clone()
            };
            pad(out, unsigned, &rest);
        }
        sign => pad(out, &format!("{sign}{unsigned}"), flags),
    }
    true
}

/// The flag `#`: always a decimal point, and for `%g` the zeros up to the precision.
fn keep_zeros(text: &str, verb: char, precision: Option<usize>) -> String {
    let is_hex = matches!(verb, 'x' | 'X');
    let is_tail = |c: char| matches!(c, 'p' | 'P') || (!is_hex && matches!(c, 'e' | 'E'));
    let tail_at = text.find(is_tail).unwrap_or(text.len());
    let (number, tail) = text.split_at_checked(tail_at).unwrap_or((text, ""));
    let mut missing = match verb {
        'g' | 'G' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let body = number.get(1..).unwrap_or_default();
    let significant = body.chars().filter(|c| *c != '.').skip_while(|c| *c == '0').count();
    missing = missing.saturating_sub(significant);
    let mut kept = number.to_owned();
    if !body.contains('.') {
        if body == "0" {
            missing = missing.saturating_sub(1);
        }
        kept.push('.');
    }
    kept.push_str(&"0".repeat(missing));
    kept.push_str(tail);
    kept
}

/// Integers beyond 64 bits format themselves, a little differently.
fn big(out: &mut String, number: &str, verb: char, flags: &Flags) -> Result<(), Failure> {
    let base = match verb {
        'b' => 2,
        'o' | 'O' => 8,
        'd' | 's' | 'v' => 10,
        'x' | 'X' => 16,
        // Go prints an address or the fields of its own type here.
        'p' | 'w' => {
            return Err(Failure::Limit(format!(
                "%{verb} of an integer beyond 64 bits has no stable text"
            )));
        }
        _ => {
            out.extend(['%', '!', verb]);
            out.extend(["(big.Int=", number, ")"]);
            return Ok(());
        }
    };
    if number.len() > MAX_BIG_DIGITS {
        return Err(Failure::Limit(format!(
            "a number has more than {MAX_BIG_DIGITS} digits"
        )));
    }
    let value: BigInt = number.parse().map_err(|_| Failure::Undefined)?;
    let digits = value.magnitude().to_str_radix(base);
    let digits = if verb == 'X' { digits.to_uppercase() } else { digits };
    let sign = sign(number.starts_with('-'), flags.plus || flags.plus_v, flags.space);
    let prefix = match (verb, flags.sharp || flags.sharp_v) {
        ('O', _) => "0o",
        ('b', true) => "0b",
        ('o', true) => "0",
        ('x', true) => "0x",
        ('X', true) => "0X",
        _ => "",
    };
    let mut zeros = flags.precision.unwrap_or(0).saturating_sub(digits.len());
    let length = sign.len() + prefix.len() + zeros + digits.len();
    if flags.zero && !flags.minus && flags.precision.is_none() {
        zeros = flags.width.unwrap_or(0).saturating_sub(length);
    }
    pad_with_spaces(out, &format!("{sign}{prefix}{}{digits}", "0".repeat(zeros)), flags);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_any_precision() {
        let flags = Flags {
            precision: Some(1_000_000),
            ..Flags::default()
        };
        for verb in ['U', 'd', 'x', 'e', 'f', 'g', 'X'] {
            for value in [Argument::Integer(-1), Argument::Float(1.5)] {
                let mut out = String::new();
                assert_eq!(print(&mut out, &value, verb, &flags), Ok(()));
            }
        }
        let mut out = String::new();
        print(&mut out, &Argument::Integer(1), 'U', &flags).unwrap();
        assert_eq!(out.len(), 1_000_002);
    }
}
