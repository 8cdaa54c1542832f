//! The functions of templates (`text/template/funcs.go`).

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::value::{Value, find};
use super::{Failure, print, unsupported};
use crate::engine::quote::is_printable;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    And,
    Call,
    Equal,
    GreaterOrEqual,
    Greater,
    Html,
    Index,
    Js,
    Length,
    LessOrEqual,
    Less,
    NotEqual,
    Not,
    Or,
    Print,
    Printf,
    Println,
    Slice,
    UrlQuery,
}

impl Function {
    pub(super) fn find(name: &str) -> Option<Self> {
        Some(match name {
            "and" => Self::And,
            "call" => Self::Call,
            "eq" => Self::Equal,
            "ge" => Self::GreaterOrEqual,
            "gt" => Self::Greater,
            "html" => Self::Html,
            "index" => Self::Index,
            "js" => Self::Js,
            "le" => Self::LessOrEqual,
            "len" => Self::Length,
            "lt" => Self::Less,
            "ne" => Self::NotEqual,
            "not" => Self::Not,
            "or" => Self::Or,
            "print" => Self::Print,
            "printf" => Self::Printf,
            "println" => Self::Println,
            "slice" => Self::Slice,
            "urlquery" => Self::UrlQuery,
            _ => return None,
        })
    }

    /// Whether the whole of its arguments is printed.
    pub(super) fn prints(self) -> bool {
        use Function::{Html, Js, Print, Printf, Println, UrlQuery};
        matches!(self, Html | Js | Print | Printf | Println | UrlQuery)
    }

    pub(super) fn takes(self, count: usize) -> bool {
        match self {
            Self::Html | Self::Js | Self::UrlQuery | Self::Print | Self::Println => true,
            Self::And | Self::Or | Self::Call | Self::Index | Self::Slice | Self::Printf | Self::Equal => count >= 1,
            Self::Length | Self::Not => count == 1,
            Self::NotEqual | Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => count == 2,
        }
    }
}

/// Calls any function but `and` and `or`, which do not need all of their arguments. As many values as
/// [`Function::takes`].
pub(super) fn call<'a>(function: Function, values: &[Value<'a>]) -> Result<Value<'a>, Failure> {
    let (first, others) = match values.split_first() {
        Some((first, others)) => (first, others),
        None => (&Value::Missing, values),
    };
    let second = others.first().unwrap_or(&Value::Missing);
    let made = |text: String| Value::Made(text.into());
    Ok(match function {
        Function::And | Function::Or | Function::Call => return Err(Failure::Undefined),
        Function::Equal => Value::Bool(equal_to_any(first, others)?),
        Function::NotEqual => Value::Bool(!equal_to_any(first, others)?),
        Function::Less => Value::Bool(less(first, second)?),
        Function::LessOrEqual => Value::Bool(less_or_equal(first, second)?),
        Function::Greater => Value::Bool(!less_or_equal(first, second)?),
        Function::GreaterOrEqual => Value::Bool(!less(first, second)?),
        Function::Not => Value::Bool(!first.is_true()),
        Function::Length => Value::Integer(length(first)?),
        Function::Index => index(first, others)?,
        Function::Slice => slice(first, others)?,
        Function::Print => made(print::sprint(values)?),
        Function::Println => made(print::sprintln(values)?),
        Function::Printf => made(print::sprintf(first.text().ok_or(Failure::Undefined)?, others)?),
        Function::Html => made(html(&joined(values)?)),
        Function::Js => made(js(&joined(values)?)),
        Function::UrlQuery => made(url_query(&joined(values)?)),
    })
}

/// Strings of any kind are one, integers of any size too; other kinds do not compare with each other.
fn compare(first: &Value, second: &Value) -> Option<Ordering> {
    let integer = |value: &Value| match value {
        Value::Integer(value) => Some(*value),
        Value::Byte(value) => Some((*value).into()),
        _ => None,
    };
    match (first, second) {
        (Value::Float(first), Value::Float(second)) => first.partial_cmp(second),
        _ => match (integer(first), integer(second)) {
            (Some(first), Some(second)) => Some(first.cmp(&second)),
            _ => Some(first.any_text()?.cmp(second.any_text()?)),
        },
    }
}

fn equal(first: &Value, second: &Value) -> Result<bool, Failure> {
    let is_nothing = |value: &Value| matches!(value, Value::Missing | Value::Null);
    match (first, second) {
        (Value::Bool(first), Value::Bool(second)) => Ok(first == second),
        _ if is_nothing(first) || is_nothing(second) => Ok(is_nothing(first) && is_nothing(second)),
        _ => compare(first, second).map(Ordering::is_eq).ok_or(Failure::Undefined),
    }
}

fn equal_to_any(first: &Value, others: &[Value]) -> Result<bool, Failure> {
    if others.is_empty() {
        return Err(Failure::Undefined);
    }
    for other in others {
        if equal(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn less(first: &Value, second: &Value) -> Result<bool, Failure> {
    compare(first, second).map(Ordering::is_lt).ok_or(Failure::Undefined)
}

fn less_or_equal(first: &Value, second: &Value) -> Result<bool, Failure> {
    compare(first, second).map(Ordering::is_le).ok_or(Failure::Undefined)
}

fn length(value: &Value) -> Result<i64, Failure> {
    let length = match value {
        Value::List(list) => list.items().len(),
        Value::Map(fields) => fields.len(),
        other => other.any_text().ok_or(Failure::Undefined)?.len(),
    };
    i64::try_from(length).map_err(|_| Failure::Undefined)
}

fn integer(value: &Value) -> Result<i64, Failure> {
    match value {
        Value::Integer(value) => Ok(*value),
        Value::Byte(value) => Ok((*value).into()),
        _ => Err(Failure::Undefined),
    }
}

fn index<'a>(value: &Value<'a>, indexes: &[Value]) -> Result<Value<'a>, Failure> {
    if matches!(value, Value::Missing | Value::Null) {
        return Err(Failure::Undefined);
    }
    let mut value = value.clone();
    for index in indexes {
        value = match &value {
            Value::Map(fields) => {
                let name = index.text().ok_or(Failure::Undefined)?;
                find(fields, name).unwrap_or(Value::Null)
            }
            Value::List(list) => {
                let at = usize::try_from(integer(index)?).map_err(|_| Failure::Undefined)?;
                Value::of(list.items().get(at).ok_or(Failure::Undefined)?)
            }
            other => {
                let text = other.any_text().ok_or(Failure::Undefined)?;
                let at = usize::try_from(integer(index)?).map_err(|_| Failure::Undefined)?;
                Value::Byte(*text.as_bytes().get(at).ok_or(Failure::Undefined)?)
            }
        };
    }
    Ok(value)
}

fn slice<'a>(value: &Value<'a>, indexes: &[Value]) -> Result<Value<'a>, Failure> {
    if indexes.len() > 3 {
        return Err(Failure::Undefined);
    }
    let at = |at: usize| indexes.get(at).map(integer).transpose();
    let (start, end, most) = (at(0)?, at(1)?, at(2)?);
    if let Value::List(list) = value {
        return list.slice(start, end, most).map(Value::List);
    }
    let text = value.any_text().filter(|_| most.is_none()).ok_or(Failure::Undefined)?;
    let bound = |at: Option<i64>, default: usize| {
        at.map_or(Some(default), |at| {
            usize::try_from(at).ok().filter(|at| *at <= text.len())
        })
    };
    let start = bound(start, 0).ok_or(Failure::Undefined)?;
    let end = bound(end, text.len())
        .filter(|end| start <= *end)
        .ok_or(Failure::Undefined)?;
    let part = text.get(start..end).ok_or_else(|| unsupported("parts of characters"))?;
    Ok(match value {
        // A part of a number stays one.
        Value::Number(text) => Value::Number(text.get(start..end).unwrap_or_default()),
        _ => Value::Made(part.into()),
    })
}

/// The arguments of an escaping function as one text.
fn joined(values: &[Value]) -> Result<String, Failure> {
    let shown: Vec<Value> = values
        .iter()
        .map(|value| match value {
            Value::Missing | Value::Null => Value::Text("<no value>"),
            other => other.clone(),
        })
        .collect();
    print::sprint(&shown)
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '\'' | '"' => out.extend(['\\', c]),
            c if matches!(c, '<' | '>' | '&' | '=') || c < ' ' || (!c.is_ascii() && !is_printable(c)) => {
                // Writing to a string cannot fail, here and below.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

fn url_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'-' | b'_' | b'.' | b'~' => out.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => out.push(byte.into()),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
