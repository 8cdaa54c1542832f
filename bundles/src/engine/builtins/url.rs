//! `urlquery.*` and `uri.*` (`v1/topdown/encoding.go`, `uri.go`), which follow Go's `net/url`.

mod escape;
mod reference;

use std::collections::BTreeMap;

use super::encodings::utf8;
use super::{Builtin, Context, Failure, builtin, json_marshal, string};
use crate::engine::term::Term;
use escape::{Part, escape, unescape};
use reference::Reference;

pub(super) const TABLE: &[Builtin] = &[
    builtin("uri.is_valid", 1, uri_is_valid),
    builtin("uri.parse", 1, uri_parse),
    builtin("urlquery.decode", 1, query_decode),
    builtin("urlquery.decode_object", 1, query_decode_object),
    builtin("urlquery.encode", 1, query_encode),
    builtin("urlquery.encode_object", 1, query_encode_object),
];

/// Go's own bound on the parameters of a query.
const MAX_PARAMETERS: usize = 10_000;
/// Bytes of an encoded object.
const MAX_OUTPUT: usize = 8 * 1024 * 1024;

/// False, not undefined, for what is no string; false for the empty string too.
#[expect(clippy::unnecessary_wraps, reason = "the table holds functions of one type")]
fn uri_is_valid(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let valid = string(arguments, 0).is_ok_and(|text| !text.is_empty() && Reference::parse(text).is_some());
    Ok(Term::Boolean(valid))
}

/// The parts that are not empty.
fn uri_parse(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let reference = Reference::parse(string(arguments, 0)?).ok_or(Failure::Undefined)?;
    let raw_path = reference.raw_path.map(String::into_bytes);
    let parts = [
        ("scheme", reference.scheme.into_bytes()),
        ("hostname", reference.hostname),
        ("port", reference.port),
        ("raw_path", raw_path.unwrap_or_else(|| reference.path.clone())),
        ("path", reference.path),
        ("raw_query", reference.raw_query.into_bytes()),
        ("fragment", reference.fragment),
    ];
    let parts = parts.into_iter().filter(|(_, value)| !value.is_empty());
    let fields: Result<_, _> = parts
        .map(|(name, value)| Ok((Term::String(name.to_owned()), utf8(value)?)))
        .collect();
    fields.map(Term::Object)
}

fn query_encode(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    Ok(Term::String(escape(string(arguments, 0)?.as_bytes(), Part::Query)))
}

fn query_decode(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let text = string(arguments, 0)?.as_bytes();
    utf8(unescape(text, Part::Query).ok_or(Failure::Undefined)?)
}

/// `k=v&k=w`, by key, from an object whose values are strings or arrays or sets of strings.
fn query_encode_object(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let Some(Term::Object(fields)) = arguments.first() else {
        return Err(Failure::Undefined);
    };
    let mut by_name = BTreeMap::new();
    for (key, value) in fields {
        by_name.insert(json_marshal::name(key)?, value);
    }
    let mut query = String::new();
    for (name, value) in by_name {
        let name = escape(name.as_bytes(), Part::Query);
        let values: Vec<&Term> = match value {
            Term::String(_) => vec![value],
            Term::Array(items) => items.iter().collect(),
            Term::Set(items) => items.iter().collect(),
            _ => return Err(Failure::Undefined),
        };
        for value in values {
            let Term::String(value) = value else {
                return Err(Failure::Undefined);
            };
            let separator = if query.is_empty() { "" } else { "&" };
            query.extend([separator, &name, "=", &escape(value.as_bytes(), Part::Query)]);
            if query.len() > MAX_OUTPUT {
                return Err(Failure::Limit(format!("a query is longer than {MAX_OUTPUT} bytes")));
            }
        }
    }
    Ok(Term::String(query))
}

/// An object with an array of values for each key.
fn query_decode_object(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let query = string(arguments, 0)?;
    let parameters = query.split('&');
    if query.contains(';') || parameters.clone().count() > MAX_PARAMETERS {
        return Err(Failure::Undefined);
    }
    let pairs: Option<Vec<_>> = parameters
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let key = unescape(key.as_bytes(), Part::Query)?;
            Some((key, unescape(value.as_bytes(), Part::Query)?))
        })
        .collect();
    let mut fields: BTreeMap<Term, Vec<Term>> = BTreeMap::new();
    for (key, value) in pairs.ok_or(Failure::Undefined)? {
        fields.entry(utf8(key)?).or_default().push(utf8(value)?);
    }
    let fields = fields.into_iter().map(|(key, values)| (key, Term::Array(values)));
    Ok(Term::Object(fields.collect()))
}
