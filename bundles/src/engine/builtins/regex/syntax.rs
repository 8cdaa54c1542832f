//! Regular expressions as Go's `regexp/syntax` reads them (with the flags of `regexp.Compile`), made
//! into the form that `regex-automata` compiles.
//!
//! What Go refuses is undefined; a pattern too long or nested too deep is a limit of the host. Go gives
//! up later, at 1000 levels and at 128 MiB.

use regex_syntax::hir::{Capture, Class, ClassUnicode, ClassUnicodeRange, Hir, Look, Repetition};

use super::super::Failure;
use super::class::Escape;
use super::unicode;

/// Groups within groups, which are read recursively.
const MAX_DEPTH: usize = 50;
/// Levels of the result, which is compiled recursively.
const MAX_HEIGHT: usize = 100;
/// The largest count in `{n,m}`, and the largest product of counts within counts.
const MAX_REPEATS: u32 = 1000;
/// A compiled pattern is larger than its text, by more than this factor.
const GROWTH: usize = 16;

/// A pattern that Go accepts.
pub(super) struct Pattern {
    pub(super) hir: Hir,
    /// The names of the groups; the first is the whole match, which has none.
    pub(super) names: Vec<Option<String>>,
}

/// Reads a pattern. `max_bytes` bounds what is held of it.
pub(super) fn parse(pattern: &str, max_bytes: usize) -> Result<Pattern, Failure> {
    check_length(pattern, max_bytes)?;
    let mut parser = Parser {
        rest: pattern,
        flags: Flags::default(),
        names: vec![None],
        ranges: max_bytes / size_of::<ClassUnicodeRange>(),
    };
    let part = parser.alternation(MAX_DEPTH)?;
    if !parser.rest.is_empty() {
        return Err(Failure::Undefined); // A closing parenthesis too many.
    }
    Ok(Pattern {
        hir: part.hir,
        names: parser.names,
    })
}

/// Refuses a pattern that cannot but take more than `max_bytes`.
pub(super) fn check_length(pattern: &str, max_bytes: usize) -> Result<(), Failure> {
    let (length, most) = (pattern.len(), max_bytes / GROWTH);
    if length > most {
        return Err(limit(format!("has {length} bytes; at most {most} are compiled")));
    }
    Ok(())
}

fn limit(rule: impl std::fmt::Display) -> Failure {
    Failure::Limit(format!("a regular expression {rule}"))
}

/// What `(?imsU)` sets.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Flags {
    fold: bool,
    lines: bool,
    dot_newline: bool,
    lazy: bool,
}

/// A part of the pattern.
struct Part {
    hir: Hir,
    height: usize,
    /// The largest product of nested counts.
    repeats: u32,
}

impl Part {
    fn leaf(hir: Hir) -> Self {
        Self {
            hir,
            height: 1,
            repeats: 1,
        }
    }

    fn check_height(&self) -> Result<(), Failure> {
        if self.height > MAX_HEIGHT {
            return Err(limit(format!("nests deeper than {MAX_HEIGHT} levels")));
        }
        Ok(())
    }

    fn join(mut parts: Vec<Self>, join: fn(Vec<Hir>) -> Hir) -> Self {
        if parts.len() == 1
            && let Some(part) = parts.pop()
        {
            return part;
        }
        Self {
            height: 1 + parts.iter().map(|part| part.height).max().unwrap_or(0),
            repeats: parts.iter().map(|part| part.repeats).max().unwrap_or(1),
            hir: join(parts.into_iter().map(|part| part.hir).collect()),
        }
    }
}

/// How often: at least, at most, and whether as `{n,m}`.
struct Count {
    min: u32,
    max: Option<u32>,
    braces: bool,
}

pub(super) struct Parser<'a> {
    pub(super) rest: &'a str,
    flags: Flags,
    names: Vec<Option<String>>,
    /// How many ranges of characters may still be made.
    ranges: usize,
}

impl Parser<'_> {
    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..)?;
        Some(c)
    }

    pub(super) fn eat(&mut self, token: &str) -> bool {
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// The set under the current flags, within the memory for sets.
    pub(super) fn set(&mut self, mut set: ClassUnicode, negated: bool) -> Result<ClassUnicode, Failure> {
        if self.flags.fold {
            unicode::fold(&mut set);
        }
        if negated {
            set.negate();
        }
        let count = set.ranges().len();
        self.ranges = self
            .ranges
            .checked_sub(count)
            .ok_or_else(|| limit("has too many ranges of characters"))?;
        Ok(set)
    }

    /// Up to a closing parenthesis, which stays, or the end.
    fn alternation(&mut self, depth: usize) -> Result<Part, Failure> {
        let mut branches = vec![self.concatenation(depth)?];
        while self.eat("|") {
            branches.push(self.concatenation(depth)?);
        }
        Ok(Part::join(branches, Hir::alternation))
    }

    fn concatenation(&mut self, depth: usize) -> Result<Part, Failure> {
        let mut parts = Vec::new();
        let mut after_repeat = false;
        while !self.rest.is_empty() && !self.rest.starts_with(['|', ')']) {
            let count = self.count()?;
            let repeats = count.is_some();
            match count {
                Some(count) => {
                    let part: Part = parts.pop().filter(|_| !after_repeat).ok_or(Failure::Undefined)?;
                    part.check_height()?;
                    parts.push(self.repeat(part, &count)?);
                }
                None => self.item(&mut parts, depth)?,
            }
            after_repeat = repeats;
        }
        Ok(Part::join(parts, Hir::concat))
    }

    /// Anything but a repetition. Flags alone and empty quotes are no part: as in Go, a repetition after
    /// them is one of the part before.
    fn item(&mut self, parts: &mut Vec<Part>, depth: usize) -> Result<(), Failure> {
        let hir = match self.next().ok_or(Failure::Undefined)? {
            '(' => {
                parts.extend(self.group(depth)?);
                return Ok(());
            }
            '\\' if self.eat("Q") => {
                let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                self.rest = rest;
                for c in quoted.chars() {
                    parts.push(Part::leaf(self.character(c.into())?));
                }
                return Ok(());
            }
            '^' if self.flags.lines => Hir::look(Look::StartLF),
            '$' if self.flags.lines => Hir::look(Look::EndLF),
            '^' => Hir::look(Look::Start),
            '$' => Hir::look(Look::End),
            '\\' if self.eat("A") => Hir::look(Look::Start),
            '\\' if self.eat("z") => Hir::look(Look::End),
            '\\' if self.eat("b") => Hir::look(Look::WordAscii),
            '\\' if self.eat("B") => Hir::look(Look::WordAsciiNegate),
            '\\' => match self.escape()? {
                Escape::Set(set) => Hir::class(Class::Unicode(set)),
                Escape::Character(code) => self.character(code)?,
            },
            '[' => Hir::class(Class::Unicode(self.bracketed()?)),
            '.' => {
                let newline = ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]);
                let none = ClassUnicode::empty();
                let mut set = if self.flags.dot_newline { none } else { newline };
                set.negate();
                Hir::class(Class::Unicode(set))
            }
            c => self.character(c.into())?,
        };
        parts.push(Part::leaf(hir));
        Ok(())
    }

    /// One character by its code; no text holds a surrogate.
    fn character(&mut self, code: u32) -> Result<Hir, Failure> {
        let Some(c) = char::from_u32(code) else {
            return Ok(Hir::fail());
        };
        let may_have_cases = !c.is_ascii() || c.is_ascii_alphabetic();
        if self.flags.fold && may_have_cases {
            let set = self.set(ClassUnicode::new([ClassUnicodeRange::new(c, c)]), false)?;
            return Ok(Hir::class(Class::Unicode(set)));
        }
        Ok(Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes()))
    }

    /// After an opening parenthesis: a group, or nothing if it only sets flags.
    fn group(&mut self, depth: usize) -> Result<Option<Part>, Failure> {
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| limit(format!("nests groups deeper than {MAX_DEPTH}")))?;
        let outside = self.flags;
        let index = if self.eat("?P<") || self.eat("?<") {
            let (name, rest) = self.rest.split_once('>').ok_or(Failure::Undefined)?;
            if name.is_empty() || !name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
                return Err(Failure::Undefined);
            }
            self.rest = rest;
            self.capture(Some(name.to_owned()))
        } else if self.eat("?") {
            if self.set_flags()? == ')' {
                return Ok(None);
            }
            None
        } else {
            self.capture(None)
        };
        let part = self.alternation(depth)?;
        part.check_height()?;
        if !self.eat(")") {
            return Err(Failure::Undefined);
        }
        self.flags = outside;
        Ok(Some(match index {
            Some(index) => Part {
                hir: Hir::capture(Capture {
                    index,
                    name: None,
                    sub: Box::new(part.hir),
                }),
                height: part.height + 1,
                ..part
            },
            None => part,
        }))
    }

    /// The number of a new group.
    fn capture(&mut self, name: Option<String>) -> Option<u32> {
        let index = u32::try_from(self.names.len()).ok();
        self.names.push(name);
        index
    }

    /// Reads flags, sets them and gives what ends them: a colon or a parenthesis.
    fn set_flags(&mut self) -> Result<char, Failure> {
        let mut flags = self.flags;
        let (mut on, mut any) = (true, false);
        loop {
            let flag = match self.next() {
                Some('i') => &mut flags.fold,
                Some('m') => &mut flags.lines,
                Some('s') => &mut flags.dot_newline,
                Some('U') => &mut flags.lazy,
                Some('-') if on => {
                    (on, any) = (false, false);
                    continue;
                }
                Some(end @ (':' | ')')) if on || any => {
                    self.flags = flags;
                    return Ok(end);
                }
                _ => return Err(Failure::Undefined),
            };
            *flag = on;
            any = true;
        }
    }

    /// `*`, `+`, `?` or `{n,m}`; braces around anything else are characters.
    fn count(&mut self) -> Result<Option<Count>, Failure> {
        for (token, min, max) in [("*", 0, None), ("+", 1, None), ("?", 0, Some(1))] {
            if self.eat(token) {
                return Ok(Some(Count {
                    min,
                    max,
                    braces: false,
                }));
            }
        }
        let Some((min, max, rest)) = braces(self.rest) else {
            return Ok(None);
        };
        self.rest = rest;
        if min > MAX_REPEATS || max.is_some_and(|max| max > MAX_REPEATS || max < min) {
            return Err(Failure::Undefined);
        }
        Ok(Some(Count { min, max, braces: true }))
    }

    fn repeat(&mut self, part: Part, count: &Count) -> Result<Part, Failure> {
        let lazy = self.eat("?") != self.flags.lazy;
        let repeats = match (count.braces, count.max) {
            // Nothing inside is counted, as it is not there.
            (true, Some(0)) => 1,
            (true, max) => part.repeats * max.unwrap_or(count.min).max(1),
            (false, _) => part.repeats,
        };
        if repeats > MAX_REPEATS {
            return Err(Failure::Undefined);
        }
        let hir = Hir::repetition(Repetition {
            min: count.min,
            max: count.max,
            greedy: !lazy,
            sub: Box::new(part.hir),
        });
        Ok(Part {
            hir,
            height: part.height + 1,
            repeats,
        })
    }
}

/// `{n}`, `{n,}` or `{n,m}` in front, and what follows.
fn braces(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (min, rest) = number(text.strip_prefix('{')?)?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, Some(min), rest));
    }
    let rest = rest.strip_prefix(',')?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, None, rest));
    }
    let (max, rest) = number(rest)?;
    Some((min, Some(max), rest.strip_prefix('}')?))
}

/// Digits without a leading zero; a number too large is as good as the largest.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    let plain = !digits.is_empty() && (digits.len() == 1 || !digits.starts_with('0'));
    plain.then(|| (digits.parse().unwrap_or(u32::MAX), rest))
}
