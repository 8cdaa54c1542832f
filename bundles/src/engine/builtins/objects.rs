//! `object.subset` (`v1/topdown/subset.go`).

use std::collections::BTreeMap;

use super::text::{advance, borders};
use super::{Context, Failure};
use crate::engine::term::Term;

/// Whether the second argument is part of the first: objects by key and recursively, sets by
/// element, arrays as a run of elements, a set within an array in any order.
pub(super) fn subset(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let [whole, part] = arguments else {
        return Err(Failure::Undefined);
    };
    let answer = match (whole, part) {
        (Term::Object(whole), Term::Object(part)) => objects(whole, part),
        (Term::Set(whole), Term::Set(part)) => part.is_subset(whole),
        (Term::Array(whole), Term::Array(part)) => arrays(whole, part),
        // OPA stops at the first element of the array that completes the set, so that an empty array
        // contains no set, not even the empty one.
        (Term::Array(whole), Term::Set(part)) => {
            let mut missing = part.len();
            whole.iter().any(|item| {
                missing = missing.saturating_sub(usize::from(part.contains(item)));
                missing == 0
            })
        }
        _ => return Err(Failure::Undefined),
    };
    Ok(Term::Boolean(answer))
}

fn objects(whole: &BTreeMap<Term, Term>, part: &BTreeMap<Term, Term>) -> bool {
    part.iter()
        .all(|(key, part)| whole.get(key).is_some_and(|whole| values(whole, part)))
}

/// Inside objects, a value equals or is in turn a part; a set inside an array only counts at the top.
fn values(whole: &Term, part: &Term) -> bool {
    match (whole, part) {
        (Term::Object(whole), Term::Object(part)) => objects(whole, part),
        (Term::Set(whole), Term::Set(part)) => part.is_subset(whole),
        (Term::Array(whole), Term::Array(part)) => arrays(whole, part),
        _ => whole == part,
    }
}

/// Whether one array appears in the other as a run of equal elements.
fn arrays(whole: &[Term], part: &[Term]) -> bool {
    let borders = borders(part);
    let mut matched = 0;
    part.is_empty()
        || whole.iter().any(|item| {
            matched = advance(part, &borders, matched, item);
            matched == part.len()
        })
}
