//! Terms as Go's `encoding/json` writes them. Sets are arrays, keys are strings.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::float as go_float;
use crate::engine::term::Term;

/// The term with nothing in it that JSON does not have: OPA's `ast.JSON`.
pub(in crate::engine::builtins) fn plain(term: &Term) -> Term {
    match term {
        Term::Array(items) => Term::Array(items.iter().map(plain).collect()),
        Term::Set(items) => Term::Array(items.iter().map(plain).collect()),
        Term::Object(fields) => {
            let fields: BTreeMap<Term, Term> = fields
                .iter()
                .map(|(key, value)| {
                    let name = match key {
                        Term::String(name) => name.clone(),
                        other => text(&plain(other)),
                    };
                    (Term::String(name), plain(value))
                })
                .collect();
            Term::Object(fields)
        }
        other => other.clone(),
    }
}

/// The text of a [`plain`] term, without spaces. Numbers keep their digits.
pub(in crate::engine::builtins) fn text(term: &Term) -> String {
    let mut text = String::new();
    write(&mut text, term);
    text
}

fn write(text: &mut String, term: &Term) {
    match term {
        Term::Null => text.push_str("null"),
        Term::Boolean(value) => text.push_str(if *value { "true" } else { "false" }),
        Term::Number(number) => text.push_str(number.text()),
        Term::String(value) => write_string(text, value),
        Term::Array(items) => write_items(text, ['[', ']'], items, write),
        Term::Set(items) => write_items(text, ['[', ']'], items, write),
        Term::Object(fields) => write_items(text, ['{', '}'], fields, |text, (key, value)| {
            write(text, key);
            text.push(':');
            write(text, value);
        }),
    }
}

fn write_items<I: IntoIterator>(
    text: &mut String,
    [open, close]: [char; 2],
    items: I,
    write: impl Fn(&mut String, I::Item),
) {
    text.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write(text, item);
    }
    text.push(close);
}

/// Go also escapes what has a meaning in HTML and JavaScript.
fn write_string(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            _ => text.push(c),
        }
    }
    text.push('"');
}

/// A finite double: without an exponent between 10⁻⁶ and 10²¹.
pub(in crate::engine::builtins) fn float(value: f64) -> String {
    let magnitude = value.abs();
    let verb = if value == 0.0 || (1e-6..1e21).contains(&magnitude) {
        'f'
    } else {
        'e'
    };
    let text = go_float::format(value, verb, None);
    let text = text.trim_start_matches('+');
    // Go cleans up e-09 to e-9.
    text.replace("e-0", "e-")
}
