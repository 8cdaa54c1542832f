//! Values as Go's `fmt` prints them: `Sprint`, `Sprintln` and `Sprintf`.

use super::value::Value;
use super::{Failure, MAX_WORK, unsupported};
use crate::engine::builtins::verbs::{self, Argument, Flags};

/// Widths and precisions beyond this do not count as numbers in Go.
const MAX_NUMBER: usize = 1_000_000;

/// Values one after the other, with a space between two of which neither is a string.
pub(super) fn sprint(values: &[Value]) -> Result<String, Failure> {
    let mut out = String::new();
    let mut after_text = true;
    for value in values {
        let is_text = value.any_text().is_some();
        if !is_text && !after_text {
            out.push(' ');
        }
        print(&mut out, value)?;
        after_text = is_text;
    }
    Ok(out)
}

/// Values with a space between any two, and the end of the line.
pub(super) fn sprintln(values: &[Value]) -> Result<String, Failure> {
    let mut out = String::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        print(&mut out, value)?;
    }
    out.push('\n');
    Ok(out)
}

/// One value as `%v` shows it.
pub(super) fn print(out: &mut String, value: &Value) -> Result<(), Failure> {
    verb(out, value, 'v', &Flags::default())
}

/// Values in a format.
pub(super) fn sprintf(format: &str, values: &[Value]) -> Result<String, Failure> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut rest = format;
    while let Some((text, directive)) = rest.split_once('%') {
        out.push_str(text);
        let (flags, after) = flags(directive)?;
        let mut after = after.chars();
        match after.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) => {
                if let Some(value) = values.next() {
                    top(&mut out, value, verb, flags)?;
                } else {
                    out.extend(['%', '!', verb]);
                    out.push_str("(MISSING)");
                }
            }
        }
        rest = after.as_str();
        check(&out)?;
    }
    out.push_str(rest);
    let left = values.as_slice();
    for (index, value) in left.iter().enumerate() {
        out.push_str(if index == 0 { "%!(EXTRA " } else { ", " });
        out.push_str(value.type_name());
        if !matches!(value, Value::Missing | Value::Null) {
            out.push('=');
            print(&mut out, value)?;
        }
    }
    if !left.is_empty() {
        out.push(')');
    }
    Ok(out)
}

fn check(out: &str) -> Result<(), Failure> {
    if out.len() > MAX_WORK {
        return Err(Failure::Limit(format!(
            "a text in a template is longer than {MAX_WORK} bytes"
        )));
    }
    Ok(())
}

/// Flags, width and precision from behind the `%`, and what follows them.
fn flags(directive: &str) -> Result<(Flags, &str), Failure> {
    let mut flags = Flags::default();
    let rest = directive.trim_start_matches(['#', '0', '+', '-', ' ']);
    for flag in directive
        .get(..directive.len() - rest.len())
        .unwrap_or_default()
        .chars()
    {
        match flag {
            '#' => flags.sharp = true,
            '0' => flags.zero = true,
            '+' => flags.plus = true,
            '-' => flags.minus = true,
            _ => flags.space = true,
        }
    }
    let (width, mut rest) = number(rest)?;
    flags.width = width;
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, after) = number(after)?;
        flags.precision = Some(precision.unwrap_or(0));
        rest = after;
    }
    if rest.starts_with(['*', '[']) {
        return Err(unsupported("formats with * or [n]"));
    }
    Ok((flags, rest))
}

fn number(text: &str) -> Result<(Option<usize>, &str), Failure> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.get(..text.len() - rest.len()).unwrap_or_default();
    if rest.starts_with(['*', '[']) {
        return Err(unsupported("formats with * or [n]"));
    }
    if digits.is_empty() {
        return Ok((None, rest));
    }
    match digits.parse() {
        Ok(number) if number <= MAX_NUMBER => Ok((Some(number), rest)),
        _ => Err(unsupported("widths beyond a million")),
    }
}

/// An argument of a format.
fn top(out: &mut String, value: &Value, letter: char, mut flags: Flags) -> Result<(), Failure> {
    if matches!(letter, 'v' | 'w') {
        if flags.sharp {
            return Err(unsupported("%#v"));
        }
        flags.plus_v = std::mem::take(&mut flags.plus);
    }
    match (value, letter) {
        (Value::Missing | Value::Null, 'v' | 'T') => pad(out, "<nil>", &flags),
        (Value::Missing | Value::Null, _) => {
            out.extend(['%', '!', letter]);
            out.push_str("(<nil>)");
            Ok(())
        }
        (_, 'T') => verbs::print(out, &Argument::Text(value.type_name().to_owned()), 's', &flags),
        (Value::List(_) | Value::Map(_), 'w') => complain(out, value, letter, &flags),
        (Value::List(_) | Value::Map(_), 'p') => Err(unsupported("addresses")),
        _ => verb(out, value, letter, &flags),
    }
}

/// A value, or each of its elements, under a verb.
fn verb(out: &mut String, value: &Value, letter: char, flags: &Flags) -> Result<(), Failure> {
    check(out)?;
    let argument = match value {
        Value::Missing | Value::Null => {
            out.push_str("<nil>");
            return Ok(());
        }
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.items().iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                verb(out, &Value::of(item), letter, flags)?;
            }
            out.push(']');
            return Ok(());
        }
        Value::Map(fields) => {
            out.push_str("map[");
            for (index, (key, value)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                verb(out, &Value::of(key), letter, flags)?;
                out.push(':');
                verb(out, &Value::of(value), letter, flags)?;
            }
            out.push(']');
            return Ok(());
        }
        Value::Bool(truth) if matches!(letter, 't' | 'v') => return pad(out, &truth.to_string(), flags),
        Value::Integer(number) if "vdboOxXcqU".contains(letter) => Argument::Integer(*number),
        Value::Byte(number) if "vdboOxXcqU".contains(letter) => Argument::Integer((*number).into()),
        Value::Float(number) if "vbgGxXfFeE".contains(letter) => Argument::Float(*number),
        Value::Text(text) | Value::Number(text) if "vsxXq".contains(letter) => Argument::Text((*text).to_owned()),
        Value::Made(text) if "vsxXq".contains(letter) => Argument::Text(text.to_string()),
        _ => return complain(out, value, letter, flags),
    };
    verbs::print(out, &argument, letter, flags)
}

/// What Go writes where the verb does not suit the value. The flags still hold for the value.
fn complain(out: &mut String, value: &Value, letter: char, flags: &Flags) -> Result<(), Failure> {
    out.extend(['%', '!', letter, '(']);
    out.push_str(value.type_name());
    out.push('=');
    verb(out, value, 'v', flags)?;
    out.push(')');
    Ok(())
}

/// Fills to the width; the precision does not count.
fn pad(out: &mut String, text: &str, flags: &Flags) -> Result<(), Failure> {
    let flags = Flags {
        precision: None,
        ..flags.clone()
    };
    verbs::print(out, &Argument::Text(text.to_owned()), 's', &flags)
}
