//! `indexof_n`, `strings.count` and `strings.split_n` (`v1/topdown/strings.go`).

use super::numbers::small_integer;
use super::{Builtin, Context, Failure, builtin, string};
use crate::engine::term::Term;

pub(super) const TABLE: &[Builtin] = &[
    builtin("indexof_n", 2, indexof_n),
    builtin("strings.count", 2, count),
    builtin("strings.split_n", 3, split_n),
];

/// Elements of an answer.
const MAX_ITEMS: usize = 1 << 18;

/// Where the second text is in the first, in characters; the places may overlap.
fn indexof_n(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let (text, part) = (string(arguments, 0)?, string(arguments, 1)?);
    let part: Vec<char> = part.chars().collect();
    if part.is_empty() {
        return Err(Failure::Undefined);
    }
    // Knuth, Morris and Pratt: linear even where every place overlaps the next.
    let borders = borders(&part);
    let mut matched = 0;
    let mut places = Vec::new();
    for (index, c) in text.chars().enumerate() {
        matched = advance(&part, &borders, matched, &c);
        if matched == part.len() {
            check(places.len() + 1)?;
            let place = i64::try_from(index + 1 - matched).map_err(|_| Failure::Undefined)?;
            places.push(Term::Number(place.into()));
        }
    }
    Ok(Term::Array(places))
}

/// For each beginning of the text, how long its longest end is that is also its beginning.
pub(super) fn borders<T: PartialEq>(text: &[T]) -> Vec<usize> {
    let mut borders = Vec::with_capacity(text.len());
    let mut matched = 0;
    for (index, c) in text.iter().enumerate() {
        if index > 0 {
            matched = advance(text, &borders, matched, c);
        }
        borders.push(matched);
    }
    borders
}

/// How much of `part` is matched after one more character or element.
pub(super) fn advance<T: PartialEq>(part: &[T], borders: &[usize], mut matched: usize, next: &T) -> usize {
    while part.get(matched) != Some(next) {
        let Some(border) = matched.checked_sub(1).and_then(|last| borders.get(last)) else {
            return 0;
        };
        matched = *border;
    }
    matched + 1
}

/// How often the second text is in the first, without overlaps.
fn count(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let count = string(arguments, 0)?.matches(string(arguments, 1)?).count();
    i64::try_from(count)
        .map(|count| Term::Number(count.into()))
        .map_err(|_| Failure::Undefined)
}

/// The first parts, or for a negative number the last ones; without a separator the characters.
fn split_n(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let (text, separator) = (string(arguments, 0)?, string(arguments, 1)?);
    let wanted = small_integer(arguments, 2)?;
    let most = usize::try_from(wanted.unsigned_abs()).unwrap_or(usize::MAX);
    let parts = if separator.is_empty() {
        select(text.split("").filter(|part| !part.is_empty()), wanted < 0, most)?
    } else {
        select(text.split(separator), wanted < 0, most)?
    };
    Ok(Term::Array(parts))
}

/// The first or the last of the parts.
fn select<'a>(parts: impl Iterator<Item = &'a str> + Clone, last: bool, most: usize) -> Result<Vec<Term>, Failure> {
    let count = parts.clone().count();
    let skipped = if last { count.saturating_sub(most) } else { 0 };
    check(most.min(count))?;
    let parts = parts.skip(skipped).take(most);
    Ok(parts.map(|part| Term::String(part.to_owned())).collect())
}

fn check(count: usize) -> Result<(), Failure> {
    if count > MAX_ITEMS {
        return Err(Failure::Limit(format!("a text has more than {MAX_ITEMS} parts")));
    }
    Ok(())
}
