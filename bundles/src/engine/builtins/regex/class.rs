//! Escapes and sets of characters in regular expressions: `\x{1F600}`, `\pL`, `[^a-z[:digit:]]`.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::super::Failure;
use super::syntax::Parser;
use super::unicode;

/// Ranges of ASCII characters, both ends included.
type Ranges = &'static [(char, char)];

const DIGIT: Ranges = &[('0', '9')];
/// `\s`, which lacks the vertical tab of `[:space:]`.
const SPACE: Ranges = &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')];
const WORD: Ranges = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

/// What follows a backslash.
pub(super) enum Escape {
    Set(ClassUnicode),
    /// By its code, because it may be a surrogate.
    Character(u32),
}

impl Parser<'_> {
    /// After a backslash, what means the same inside and outside of brackets.
    pub(super) fn escape(&mut self) -> Result<Escape, Failure> {
        let code = match self.next().ok_or(Failure::Undefined)? {
            letter @ ('d' | 'D') => return self.ascii(DIGIT, letter == 'D').map(Escape::Set),
            letter @ ('s' | 'S') => return self.ascii(SPACE, letter == 'S').map(Escape::Set),
            letter @ ('w' | 'W') => return self.ascii(WORD, letter == 'W').map(Escape::Set),
            letter @ ('p' | 'P') => return self.property(letter == 'P').map(Escape::Set),
            'x' => self.hexadecimal().ok_or(Failure::Undefined)?,
            '0' => self.octal(0),
            // A single digit would be a back reference.
            digit @ '1'..='7' if self.rest.starts_with(|c: char| c.is_digit(8)) => {
                self.octal(digit.to_digit(8).unwrap_or(0))
            }
            'a' => 0x7,
            'f' => 0xc,
            'n' => 0xa,
            'r' => 0xd,
            't' => 0x9,
            'v' => 0xb,
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c.into(),
            _ => return Err(Failure::Undefined),
        };
        Ok(Escape::Character(code))
    }

    /// Up to two more digits.
    fn octal(&mut self, first: u32) -> u32 {
        let mut code = first;
        for _ in 0..2 {
            let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(8)) else {
                break;
            };
            code = code * 8 + digit;
            self.next();
        }
        code
    }

    /// Two digits, or any number of them in braces.
    fn hexadecimal(&mut self) -> Option<u32> {
        if !self.eat("{") {
            let high = self.next()?.to_digit(16)?;
            return Some(high * 16 + self.next()?.to_digit(16)?);
        }
        let (digits, rest) = self.rest.split_once('}')?;
        self.rest = rest;
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let significant = digits.trim_start_matches('0');
        let code = match significant {
            "" => 0,
            digits => u32::from_str_radix(digits, 16).ok()?,
        };
        (plain && code <= char::MAX.into()).then_some(code)
    }

    /// After `\p`: one letter, or a name in braces; a circumflex negates.
    fn property(&mut self, negated: bool) -> Result<ClassUnicode, Failure> {
        let name = if self.eat("{") {
            let (name, rest) = self.rest.split_once('}').ok_or(Failure::Undefined)?;
            self.rest = rest;
            name
        } else {
            let all = self.rest;
            self.next();
            all.strip_suffix(self.rest).unwrap_or_default()
        };
        let (negated, name) = match name.strip_prefix('^') {
            Some(name) => (!negated, name),
            None => (negated, name),
        };
        let set = unicode::property(name).ok_or(Failure::Undefined)?;
        self.set(set, negated)
    }

    fn ascii(&mut self, ranges: Ranges, negated: bool) -> Result<ClassUnicode, Failure> {
        let ranges = ranges.iter().map(|(first, last)| ClassUnicodeRange::new(*first, *last));
        self.set(ClassUnicode::new(ranges), negated)
    }

    /// After an opening bracket. A closing one that comes first is a character.
    pub(super) fn bracketed(&mut self) -> Result<ClassUnicode, Failure> {
        let negated = self.eat("^");
        let mut ranges = Vec::new();
        let mut first = true;
        while first || !self.eat("]") {
            first = false;
            if let Some((name, rest)) = self.rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) {
                self.rest = rest;
                let (negated, name) = match name.strip_prefix('^') {
                    Some(name) => (true, name),
                    None => (false, name),
                };
                let named = posix(name).ok_or(Failure::Undefined)?;
                ranges.extend_from_slice(self.ascii(named, negated)?.ranges());
                continue;
            }
            match self.member()? {
                Escape::Set(set) => ranges.extend_from_slice(set.ranges()),
                Escape::Character(low) => {
                    let is_range = !self.rest.starts_with("-]") && self.eat("-");
                    let high = match is_range.then(|| self.member()).transpose()? {
                        None => low,
                        Some(Escape::Character(high)) if high >= low => high,
                        Some(_) => return Err(Failure::Undefined),
                    };
                    ranges.extend(range(low, high));
                }
            }
        }
        self.set(ClassUnicode::new(ranges), negated)
    }

    fn member(&mut self) -> Result<Escape, Failure> {
        match self.next().ok_or(Failure::Undefined)? {
            '\\' => self.escape(),
            c => Ok(Escape::Character(c.into())),
        }
    }
}

/// The sets inside brackets that are named like `[:digit:]`.
fn posix(name: &str) -> Option<Ranges> {
    Some(match name {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\x7f')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        "digit" => DIGIT,
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => WORD,
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return None,
    })
}

/// What of the range is no surrogate.
fn range(low: u32, high: u32) -> Option<ClassUnicodeRange> {
    let low = char::from_u32(low).unwrap_or('\u{e000}');
    let high = char::from_u32(high).unwrap_or('\u{d7ff}');
    (low <= high).then(|| ClassUnicodeRange::new(low, high))
}
