//! `semver.compare` and `semver.is_valid` (`internal/semver/semver.go`).
//!
//! Not the `semver` crate: OPA takes a leading `v`, has its own bounds and its own idea of an
//! overlong numeric pre-release identifier.

use std::cmp::Ordering;

use super::{Context, Failure, string};
use crate::engine::term::Term;

struct Version<'a> {
    /// Major, minor, patch.
    numbers: [i64; 3],
    pre_release: &'a str,
}

/// -1, 0 or 1.
pub(super) fn compare(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let a = Version::parse(string(arguments, 0)?).ok_or(Failure::Undefined)?;
    let b = Version::parse(string(arguments, 1)?).ok_or(Failure::Undefined)?;
    let order = a
        .numbers
        .cmp(&b.numbers)
        .then_with(|| pre_releases(a.pre_release, b.pre_release));
    Ok(Term::Number((order as i64).into()))
}

/// False, not undefined, for what is no string.
#[expect(clippy::unnecessary_wraps, reason = "the table holds functions of one type")]
pub(super) fn is_valid(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let valid = string(arguments, 0).is_ok_and(|text| Version::parse(text).is_some());
    Ok(Term::Boolean(valid))
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, metadata) = cut(text, '+');
        let (text, pre_release) = cut(text, '-');
        let sound = metadata.is_none_or(identifiers)
            && pre_release.is_none_or(|text| identifiers(text) && no_leading_zeros(text));
        let mut parts = text.split('.');
        let numbers = [number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?];
        (sound && parts.next().is_none()).then_some(Self {
            numbers,
            pre_release: pre_release.unwrap_or_default(),
        })
    }
}

fn cut(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// Dot-separated, none empty, of letters, digits and hyphens.
fn identifiers(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.split('.')
        .all(|identifier| !identifier.is_empty() && identifier.bytes().all(allowed))
}

fn no_leading_zeros(text: &str) -> bool {
    text.split('.')
        .all(|identifier| identifier.len() == 1 || !identifier.starts_with('0') || !is_numeric(identifier))
}

fn is_numeric(identifier: &str) -> bool {
    !identifier.is_empty() && identifier.bytes().all(|byte| byte.is_ascii_digit())
}

fn number(text: &str) -> Option<i64> {
    if !is_numeric(text) || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok()
}

/// None is greater than any; otherwise identifier by identifier, the shorter list first.
fn pre_releases(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    match (a.is_empty(), b.is_empty()) {
        (true, _) => Ordering::Greater,
        (_, true) => Ordering::Less,
        _ => {
            let (mut a, mut b) = (a.split('.'), b.split('.'));
            loop {
                match (a.next(), b.next()) {
                    (None, None) => return Ordering::Equal,
                    (None, _) => return Ordering::Less,
                    (_, None) => return Ordering::Greater,
                    (Some(a), Some(b)) => match identifier(a, b) {
                        Ordering::Equal => {}
                        order => return order,
                    },
                }
            }
        }
    }
}

/// Numbers by value and before words; a number beyond 64 bits counts as the largest, as in Go's
/// `strconv.Atoi`. Two different ones are equal here; OPA 1.22 does not return from that comparison.
fn identifier(a: &str, b: &str) -> Ordering {
    let value = |text: &str| text.parse::<i64>().unwrap_or(i64::MAX);
    match (is_numeric(a), is_numeric(b)) {
        (true, true) => value(a).cmp(&value(b)),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}
