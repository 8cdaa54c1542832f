//! The JSON that both functions take: a value, or a text of JSON.

use serde::de::IgnoredAny;

use super::super::Failure;
use super::super::yaml::json;
use super::{MAX_DEPTH, Refusal};
use crate::engine::term::Term;

/// The largest document or schema as a text, in bytes.
const MAX_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// The document with nothing in it that JSON does not have.
pub(super) fn read(term: &Term) -> Result<Term, Refusal> {
    match term {
        Term::String(text) => parse(text),
        Term::Object(_) | Term::Array(_) => {
            check_depth(term, MAX_DEPTH)?;
            if !term.is_json() {
                return Err(Refusal::Invalid("invalid number literal".to_owned()));
            }
            Ok(json::plain(term))
        }
        _ => Err(Refusal::Invalid("wrong type, expected string or object".to_owned())),
    }
}

fn parse(text: &str) -> Result<Term, Refusal> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Refusal::Limit(format!(
            "a JSON text has {} bytes, more than {MAX_TEXT_BYTES}",
            text.len()
        )));
    }
    let depth = depth_of(text);
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    // Keeps the spelling of numbers, but takes more than JSON.
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Err(Refusal::Invalid("invalid JSON string".to_owned()));
    }
    Term::parse(&without_lone_surrogates(text), MAX_DEPTH)
        .map_err(|error| Refusal::Limit(format!("a JSON text: {error}")))
}

fn check_depth(term: &Term, depth: usize) -> Result<(), Refusal> {
    let below = |depth: usize| depth.checked_sub(1).ok_or_else(too_deep);
    match term {
        Term::Array(items) => {
            let depth = below(depth)?;
            items.iter().try_for_each(|item| check_depth(item, depth))
        }
        Term::Set(items) => {
            let depth = below(depth)?;
            items.iter().try_for_each(|item| check_depth(item, depth))
        }
        Term::Object(fields) => {
            let depth = below(depth)?;
            fields.iter().try_for_each(|(key, value)| {
                check_depth(key, depth)?;
                check_depth(value, depth)
            })
        }
        _ => Ok(()),
    }
}

fn too_deep() -> Refusal {
    Refusal::Limit(format!("a document is nested more than {MAX_DEPTH} deep"))
}

/// How deep brackets are nested outside of strings.
fn depth_of(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut in_string = false;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if in_string => {
                bytes.next();
            }
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Go reads half a surrogate pair as U+FFFD, Rust refuses it. The text is valid JSON.
fn without_lone_surrogates(text: &str) -> String {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut sound = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at_checked(at).unwrap_or((rest, ""));
        sound.push_str(before);
        let length = match unit(escape) {
            Some(0xd800..=0xdbff) => match escape.get(6..).and_then(unit) {
                Some(0xdc00..=0xdfff) => 12,
                _ => 0,
            },
            Some(0xdc00..=0xdfff) => 0,
            _ => 2,
        };
        sound.push_str(if length == 0 {
            "\\ufffd"
        } else {
            escape.get(..length).unwrap_or_default()
        });
        rest = escape.get(if length == 0 { 6 } else { length }..).unwrap_or_default();
    }
    sound.push_str(rest);
    sound
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Limit(text) => Self::Limit(text),
            Failure::Undefined => Self::Invalid("no value".to_owned()),
        }
    }
}
