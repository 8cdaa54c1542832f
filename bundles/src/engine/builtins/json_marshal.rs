//! `json.marshal_with_options` (`v1/topdown/encoding.go`): JSON as Go's `encoding/json` writes it, with
//! `<`, `>` and `&` escaped and keys sorted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Builtin, Context, Failure, builtin};
use crate::engine::term::Term;

/// The longest text a call may make, in bytes.
const MAX_OUTPUT: usize = 8 * 1024 * 1024;

pub(super) const TABLE: &[Builtin] = &[builtin("json.marshal_with_options", 2, marshal_with_options)];

/// Options are `pretty`, `indent` and `prefix`; one of the latter two means pretty unless `pretty` says
/// otherwise.
fn marshal_with_options(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let [term, Term::Object(options)] = arguments else {
        return Err(Failure::Undefined);
    };
    if !term.is_json() {
        return Err(Failure::Undefined);
    }
    let (mut pretty, mut prefix, mut indent) = (None, None, None);
    for (key, value) in options {
        match (key, value) {
            (Term::String(key), Term::Boolean(value)) if key == "pretty" => pretty = Some(*value),
            (Term::String(key), Term::String(value)) if key == "prefix" => prefix = Some(value.as_str()),
            (Term::String(key), Term::String(value)) if key == "indent" => indent = Some(value.as_str()),
            _ => return Err(Failure::Undefined),
        }
    }
    let pretty = pretty.unwrap_or(prefix.is_some() || indent.is_some());
    let mut json = Json {
        text: String::new(),
        layout: pretty.then(|| (prefix.unwrap_or(""), indent.unwrap_or("\t"))),
        depth: 0,
    };
    json.push(prefix.filter(|_| pretty).unwrap_or(""))?;
    json.term(term)?;
    Ok(Term::String(json.text))
}

struct Json<'a> {
    text: String,
    /// What every line begins with, and what it is indented with.
    layout: Option<(&'a str, &'a str)>,
    depth: usize,
}

impl Json<'_> {
    fn push(&mut self, text: &str) -> Result<(), Failure> {
        self.text.push_str(text);
        if self.text.len() > MAX_OUTPUT {
            return Err(Failure::Limit(format!("the text is longer than {MAX_OUTPUT} bytes")));
        }
        Ok(())
    }

    fn term(&mut self, term: &Term) -> Result<(), Failure> {
        match term {
            Term::String(text) => self.string(text),
            Term::Array(items) => self.all(['[', ']'], items, Self::term),
            Term::Set(items) => self.all(['[', ']'], items, Self::term),
            Term::Object(fields) => {
                let mut by_name = BTreeMap::new();
                for (key, value) in fields {
                    by_name.insert(name(key)?, value);
                }
                self.all(['{', '}'], by_name, |json, (name, value)| {
                    json.string(&name)?;
                    json.push(if json.layout.is_some() { ": " } else { ":" })?;
                    json.term(value)
                })
            }
            scalar => self.push(&scalar.to_rego()),
        }
    }

    fn all<I: IntoIterator>(
        &mut self,
        [open, close]: [char; 2],
        items: I,
        write: impl Fn(&mut Self, I::Item) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.text.push(open);
        self.depth += 1;
        let mut is_empty = true;
        for item in items {
            if !is_empty {
                self.text.push(',');
            }
            is_empty = false;
            self.new_line()?;
            write(self, item)?;
        }
        self.depth -= 1;
        if !is_empty {
            self.new_line()?;
        }
        self.text.push(close);
        Ok(())
    }

    fn new_line(&mut self) -> Result<(), Failure> {
        let Some((prefix, indent)) = self.layout else {
            return Ok(());
        };
        self.text.push('\n');
        self.push(prefix)?;
        let depth = if indent.is_empty() { 0 } else { self.depth };
        for _ in 0..depth {
            self.push(indent)?;
        }
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), Failure> {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.text.extend(['\\', c]),
                '\u{8}' => self.text.push_str("\\b"),
                '\u{c}' => self.text.push_str("\\f"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    // Writing to a string cannot fail.
                    let _ = write!(self.text, "\\u{:04x}", u32::from(c));
                }
                _ => self.text.push(c),
            }
        }
        self.push("\"")
    }
}

/// A key that is no string becomes the JSON of it.
pub(super) fn name(key: &Term) -> Result<String, Failure> {
    if let Term::String(name) = key {
        return Ok(name.clone());
    }
    let mut json = Json {
        text: String::new(),
        layout: None,
        depth: 0,
    };
    json.term(key)?;
    Ok(json.text)
}
