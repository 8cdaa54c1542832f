//! `regex.globs_match`: whether some text matches two patterns at once
//! (`github.com/yashtewari/glob-intersection` 0.2, answer by answer).
//!
//! A pattern is characters, `.` and `[sets]`, each perhaps with `+` or `*` behind it. The answers are not
//! always what set theory says: a dot meets even the empty set, and `a*` meets no empty pattern.

use std::collections::HashMap;

use super::super::{Context, Failure, string};
use crate::engine::term::Term;

/// Steps of one comparison.
const MAX_STEPS: usize = 1 << 24;
/// Repeated tokens of both patterns, which are compared recursively.
const MAX_REPEATED: usize = 500;

pub(super) fn globs_match(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let (a, b) = (string(arguments, 0)?, string(arguments, 1)?);
    let (a, b) = (simplify(tokenize(a)?), simplify(tokenize(b)?));
    let repeated = a.iter().chain(&b).filter(|token| token.repeat != Repeat::Once).count();
    if repeated > MAX_REPEATED {
        return Err(Failure::Limit(format!(
            "two globs have {repeated} repetitions; at most {MAX_REPEATED} are compared"
        )));
    }
    let Some((a, b)) = trim(&a, &b) else {
        return Ok(Term::Boolean(false));
    };
    let mut comparison = Comparison {
        known: HashMap::new(),
        steps: MAX_STEPS,
    };
    comparison.both(a, b, false).map(Term::Boolean)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Once,
    Plus,
    Star,
}

#[derive(Debug, PartialEq, Eq)]
enum Symbol {
    Character(char),
    Dot,
    /// Ranges of characters, sorted, with gaps between them.
    Set(Vec<(u32, u32)>),
}

struct Token {
    symbol: Symbol,
    repeat: Repeat,
}

impl Token {
    /// Whether some character is both.
    fn meets(&self, other: &Self) -> bool {
        match (&self.symbol, &other.symbol) {
            (Symbol::Character(a), Symbol::Character(b)) => a == b,
            (Symbol::Dot, _) | (_, Symbol::Dot) => true,
            (Symbol::Character(c), Symbol::Set(set)) | (Symbol::Set(set), Symbol::Character(c)) => {
                let code = u32::from(*c);
                overlaps(set, code, code)
            }
            (Symbol::Set(a), Symbol::Set(b)) => a.iter().any(|(low, high)| overlaps(b, *low, *high)),
        }
    }
}

/// Whether a set has any character from `low` to `high`.
fn overlaps(set: &[(u32, u32)], low: u32, high: u32) -> bool {
    let first = set.partition_point(|(_, end)| *end < low);
    set.get(first).is_some_and(|(start, _)| *start <= high)
}

fn tokenize(glob: &str) -> Result<Vec<Token>, Failure> {
    let mut characters = glob.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(c) = characters.next() {
        let symbol = match c {
            '\\' => Symbol::Character(characters.next().ok_or(Failure::Undefined)?),
            '.' => Symbol::Dot,
            '[' => Symbol::Set(set(&mut characters)?),
            ']' | '+' | '*' => return Err(Failure::Undefined),
            c => Symbol::Character(c),
        };
        let repeat = match characters.peek() {
            Some('+') => Repeat::Plus,
            Some('*') => Repeat::Star,
            _ => Repeat::Once,
        };
        if repeat != Repeat::Once {
            characters.next();
        }
        tokens.push(Token { symbol, repeat });
    }
    Ok(tokens)
}

/// After an opening bracket: characters and ranges.
fn set(characters: &mut impl Iterator<Item = char>) -> Result<Vec<(u32, u32)>, Failure> {
    let mut next = || {
        let c = characters.next().ok_or(Failure::Undefined)?;
        let escaped = c == '\\';
        let c = if escaped {
            characters.next().ok_or(Failure::Undefined)?
        } else {
            c
        };
        Ok((c, escaped))
    };
    let mut ranges = Vec::new();
    // What a range may begin with.
    let mut previous = None;
    loop {
        match next()? {
            (']', false) => return Ok(merge(ranges)),
            ('-', false) => {
                let low: u32 = previous.take().ok_or(Failure::Undefined)?;
                let high = match next()? {
                    (']' | '-', false) => return Err(Failure::Undefined),
                    (c, _) => u32::from(c),
                };
                if high < low {
                    return Err(Failure::Undefined);
                }
                ranges.push((low, high));
            }
            (c, _) => {
                ranges.push((c.into(), c.into()));
                previous = Some(c.into());
            }
        }
    }
}

fn merge(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (low, high) in ranges {
        match merged.last_mut() {
            Some((_, end)) if low <= *end + 1 => *end = high.max(*end),
            _ => merged.push((low, high)),
        }
    }
    merged
}

/// One token for equal repeated ones in a row.
fn simplify(tokens: Vec<Token>) -> Vec<Token> {
    let mut simple: Vec<Token> = Vec::new();
    for token in tokens {
        match simple.last_mut() {
            Some(last)
                if last.repeat != Repeat::Once && token.repeat != Repeat::Once && last.symbol == token.symbol =>
            {
                if token.repeat == Repeat::Plus {
                    last.repeat = Repeat::Plus;
                }
            }
            _ => simple.push(token),
        }
    }
    simple
}

/// Cuts what is not repeated at both ends, but for one token each; nothing if it does not match.
fn trim<'a>(a: &'a [Token], b: &'a [Token]) -> Option<(&'a [Token], &'a [Token])> {
    let once = |(a, b): &(&Token, &Token)| a.repeat == Repeat::Once && b.repeat == Repeat::Once;
    let mut front = 0;
    for (a, b) in a.iter().zip(b).take_while(once) {
        if !a.meets(b) {
            return None;
        }
        front += 1;
    }
    let front = usize::saturating_sub(front, 1);
    let (a, b) = (a.get(front..)?, b.get(front..)?);
    let mut back = 0;
    for (a, b) in a.iter().rev().zip(b.iter().rev()).take_while(once) {
        if !a.meets(b) {
            return None;
        }
        back += 1;
    }
    let back = usize::saturating_sub(back, 1);
    Some((a.get(..a.len() - back)?, b.get(..b.len() - back)?))
}

struct Comparison {
    /// Answers by how many tokens are left and whether the patterns have changed places.
    known: HashMap<(usize, usize, bool), bool>,
    steps: usize,
}

impl Comparison {
    fn meets(&mut self, a: &Token, b: &Token) -> Result<bool, Failure> {
        let size = |token: &Token| match &token.symbol {
            Symbol::Set(ranges) => ranges.len() + 1,
            _ => 1,
        };
        let left = self.steps.checked_sub(size(a).saturating_mul(size(b)));
        self.steps =
            left.ok_or_else(|| Failure::Limit(format!("two globs take more than {MAX_STEPS} steps to compare")))?;
        Ok(a.meets(b))
    }

    /// Whether both patterns meet from here on.
    fn both(&mut self, a: &[Token], b: &[Token], swapped: bool) -> Result<bool, Failure> {
        let key = (a.len(), b.len(), swapped);
        if let Some(answer) = self.known.get(&key) {
            return Ok(*answer);
        }
        let answer = self.walk(a, b, swapped)?;
        self.known.insert(key, answer);
        Ok(answer)
    }

    fn walk(&mut self, mut a: &[Token], mut b: &[Token], swapped: bool) -> Result<bool, Failure> {
        while let ([x, after_x @ ..], [y, after_y @ ..]) = (a, b) {
            match (x.repeat, y.repeat) {
                (Repeat::Once, Repeat::Once) if self.meets(x, y)? => (a, b) = (after_x, after_y),
                (Repeat::Once, Repeat::Once) => return Ok(false),
                (Repeat::Plus, _) => return self.plus(a, b, swapped),
                (Repeat::Star, _) => return self.star(a, b, swapped),
                (_, Repeat::Plus) => return self.plus(b, a, !swapped),
                (_, Repeat::Star) => return self.star(b, a, !swapped),
            }
        }
        Ok(a.is_empty() && b.is_empty())
    }

    /// The first token of `repeated` takes at least one of `other`, or is itself taken.
    fn plus(&mut self, repeated: &[Token], other: &[Token], swapped: bool) -> Result<bool, Failure> {
        let ([token, rest @ ..], [first, after @ ..]) = (repeated, other) else {
            return Ok(false);
        };
        if !self.meets(token, first)? {
            return Ok(false);
        }
        Ok(
            self.star(repeated, after, swapped)?
                || (first.repeat != Repeat::Once && self.both(rest, other, swapped)?),
        )
    }

    /// The first token of `repeated` takes any number of `other`.
    fn star(&mut self, repeated: &[Token], other: &[Token], swapped: bool) -> Result<bool, Failure> {
        let [token, rest @ ..] = repeated else {
            return Ok(false);
        };
        let mut left = other;
        while let [first, after @ ..] = left {
            if let Some(next) = rest.first()
                && self.meets(first, next)?
                && self.both(rest, left, swapped)?
            {
                return Ok(true);
            }
            if !self.meets(first, token)? {
                return Ok(false);
            }
            left = after;
        }
        Ok(rest.is_empty())
    }
}
