//! `strings.any_prefix_match` and `strings.any_suffix_match` (`v1/topdown/strings.go`).

use super::{Context, Failure};
use crate::engine::term::Term;

pub(super) fn any_prefix_match(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    any_match(arguments, |text| text.as_bytes().to_vec())
}

pub(super) fn any_suffix_match(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    any_match(arguments, |text| text.bytes().rev().collect())
}

/// Whether any of the first strings, read in that direction, starts with any of the second.
fn any_match(arguments: &[Term], read: fn(&str) -> Vec<u8>) -> Result<Term, Failure> {
    let [texts, affixes] = arguments else {
        return Err(Failure::Undefined);
    };
    let (texts, affixes) = (strings(texts)?, strings(affixes)?);
    let mut texts: Vec<_> = texts.into_iter().map(read).collect();
    texts.sort_unstable();
    // Those that start with an affix come directly after it.
    let found = affixes.into_iter().map(read).any(|affix| {
        let first = texts.partition_point(|text| *text < affix);
        texts.get(first).is_some_and(|text| text.starts_with(&affix))
    });
    Ok(Term::Boolean(found))
}

/// A string, or an array or a set of nothing but strings.
fn strings(term: &Term) -> Result<Vec<&str>, Failure> {
    fn all<'a>(items: impl IntoIterator<Item = &'a Term>) -> Option<Vec<&'a str>> {
        items
            .into_iter()
            .map(|item| match item {
                Term::String(text) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }
    match term {
        Term::String(text) => Some(vec![text.as_str()]),
        Term::Array(items) => all(items),
        Term::Set(items) => all(items),
        _ => None,
    }
    .ok_or(Failure::Undefined)
}
