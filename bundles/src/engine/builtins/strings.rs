//! `strings.any_prefix_match` and `strings.any_suffix_match` (`v1/topdown/strings.go`).

use super::{Context, Failure};
use crate::engine::term::Term;

pub(super) fn any_prefix_match(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    any_match(arguments, |text, affix| text.starts_with(affix))
}

pub(super) fn any_suffix_match(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    any_match(arguments, |text, affix| text.ends_with(affix))
}

/// Whether any of the first strings matches any of the second.
fn any_match(arguments: &[Term], matches: fn(&str, &str) -> bool) -> Result<Term, Failure> {
    let [texts, affixes] = arguments else {
        return Err(Failure::Undefined);
    };
    let (texts, affixes) = (strings(texts)?, strings(affixes)?);
    let found = texts
        .iter()
        .any(|text| affixes.iter().any(|affix| matches(text, affix)));
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
