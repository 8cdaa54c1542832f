//! `sprintf`: the directives of Go's `fmt.Sprintf` (`fmt/print.go`), for the four kinds of values that
//! OPA passes to it (`v1/topdown/strings.go`): `int64`, `*big.Int`, `float64` and `string`. All other
//! Rego values arrive as the string OPA prints for them.

use super::verbs::{Argument, Flags, print};
use super::{Context, Failure, string};
use crate::engine::term::{Number, Term};

/// The longest text a call may make, in bytes: one directive alone can ask for a million.
const MAX_OUTPUT: usize = 4 * 1024 * 1024;
/// Widths and precisions beyond this do not count as numbers in Go either.
const MAX_NUMBER: i64 = 1_000_000;

pub(super) fn sprintf(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let format = string(arguments, 0)?;
    let Some(Term::Array(values)) = arguments.get(1) else {
        return Err(Failure::Undefined);
    };
    let values: Vec<Argument> = values.iter().map(argument).collect();
    let mut printer = Printer {
        format,
        at: 0,
        last_bracket: format.rfind(']'),
        values: &values,
        next: 0,
        reordered: false,
        good_index: true,
        out: String::new(),
    };
    printer.run()?;
    Ok(Term::String(printer.out))
}

fn argument(term: &Term) -> Argument {
    match term {
        Term::String(text) => Argument::Text(text.clone()),
        Term::Number(number) => number_argument(number),
        other => Argument::Text(other.to_rego()),
    }
}

/// The text of a number decides: with a point or an exponent it is a float.
fn number_argument(number: &Number) -> Argument {
    let text = number.text();
    if text.contains(['.', 'e', 'E']) {
        return match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Argument::Float(value),
            _ => Argument::Text(text.to_owned()),
        };
    }
    text.parse()
        .map_or_else(|_| Argument::Big(text.to_owned()), Argument::Integer)
}

struct Printer<'a> {
    format: &'a str,
    at: usize,
    /// Where the last `]` is, so that none is looked for in vain.
    last_bracket: Option<usize>,
    values: &'a [Argument],
    next: usize,
    reordered: bool,
    good_index: bool,
    out: String,
}

impl Printer<'_> {
    fn run(&mut self) -> Result<(), Failure> {
        loop {
            let rest = self.rest();
            let literal = rest.find('%').unwrap_or(rest.len());
            let text = rest.get(..literal).unwrap_or_default().to_owned();
            self.out.push_str(&text);
            self.at += literal;
            if self.rest().is_empty() {
                break;
            }
            self.at += 1;
            self.directive()?;
            if self.out.len() > MAX_OUTPUT {
                return Err(Failure::Limit(format!("the text is longer than {MAX_OUTPUT} bytes")));
            }
        }
        self.extra()
    }

    fn rest(&self) -> &str {
        self.format.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.format.as_bytes().get(self.at).copied()
    }

    /// One directive, from behind its `%`.
    fn directive(&mut self) -> Result<(), Failure> {
        self.good_index = true;
        let mut flags = self.flags();
        let mut after_index = self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            self.star_width(&mut flags);
            after_index = false;
        } else {
            flags.width = self.number();
            if after_index && flags.width.is_some() {
                self.good_index = false;
            }
        }
        if self.peek() == Some(b'.') && self.rest().len() > 1 {
            self.at += 1;
            if after_index {
                self.good_index = false;
            }
            after_index = self.index();
            if self.peek() == Some(b'*') {
                self.at += 1;
                flags.precision = self.star().and_then(|n| usize::try_from(n).ok());
                if flags.precision.is_none() {
                    self.out.push_str("%!(BADPREC)");
                }
                after_index = false;
            } else {
                flags.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        self.verb(flags)
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        flags
    }

    fn verb(&mut self, mut flags: Flags) -> Result<(), Failure> {
        let Some(verb) = self.rest().chars().next() else {
            self.out.push_str("%!(NOVERB)");
            return Ok(());
        };
        self.at += verb.len_utf8();
        if verb == '%' {
            self.out.push('%');
        } else if !self.good_index {
            self.out.extend(['%', '!', verb]);
            self.out.push_str("(BADINDEX)");
        } else if let Some(value) = self.values.get(self.next) {
            if matches!(verb, 'v' | 'w') {
                flags.sharp_v = std::mem::take(&mut flags.sharp);
                flags.plus_v = std::mem::take(&mut flags.plus);
            }
            self.next += 1;
            print(&mut self.out, value, verb, &flags)?;
        } else {
            self.out.extend(['%', '!', verb]);
            self.out.push_str("(MISSING)");
        }
        Ok(())
    }

    /// An explicit index such as `[2]`: true if there was one that could be read.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let (index, length) = if self.last_bracket.is_some_and(|last| last > self.at) {
            parse_index(self.rest())
        } else {
            (None, 1)
        };
        self.at += length;
        match index {
            Some(index) if (1..=self.values.len()).contains(&index) => {
                self.next = index - 1;
                true
            }
            other => {
                self.good_index = false;
                other.is_some()
            }
        }
    }

    /// A number in the format. One that is far too large counts as none and swallows the rest, as in
    /// Go.
    fn number(&mut self) -> Option<usize> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let (number, length) = parse_number(self.rest().get(..digits).unwrap_or_default());
        if length < digits {
            self.at = self.format.len();
            return None;
        }
        self.at += digits;
        number
    }

    /// A width or a precision that is an argument.
    fn star(&mut self) -> Option<i64> {
        let value = self.values.get(self.next)?;
        self.next += 1;
        match value {
            Argument::Integer(number) if number.unsigned_abs() <= MAX_NUMBER.unsigned_abs() => Some(*number),
            _ => None,
        }
    }

    fn star_width(&mut self, flags: &mut Flags) {
        match self.star() {
            None => self.out.push_str("%!(BADWIDTH)"),
            Some(width) => {
                flags.width = usize::try_from(width.unsigned_abs()).ok();
                if width < 0 {
                    flags.minus = true;
                    flags.zero = false;
                }
            }
        }
    }

    /// What is left over is shown, unless arguments were picked by index.
    fn extra(&mut self) -> Result<(), Failure> {
        let left = self.values.get(self.next..).unwrap_or_default();
        if self.reordered || left.is_empty() {
            return Ok(());
        }
        self.out.push_str("%!(EXTRA ");
        for (index, value) in left.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.out.push_str(value.type_name());
            self.out.push('=');
            print(&mut self.out, value, 'v', &Flags::default())?;
        }
        self.out.push(')');
        Ok(())
    }
}

/// Reads `[n]` at the start of the text: the number, if it is one, and how many bytes to skip.
fn parse_index(text: &str) -> (Option<usize>, usize) {
    let Some(end) = text.find(']').filter(|_| text.len() >= 3) else {
        return (None, 1);
    };
    let inside = text.get(1..end).unwrap_or_default();
    let (number, length) = parse_number(inside);
    (number.filter(|_| length == inside.len()), end + 1)
}

/// Reads digits: the number, and how many bytes it took before it ended or grew too large.
fn parse_number(text: &str) -> (Option<usize>, usize) {
    let mut number: Option<i64> = None;
    for (at, byte) in text.bytes().enumerate() {
        let sum = number.unwrap_or(0);
        if !byte.is_ascii_digit() {
            return (number.and_then(|number| usize::try_from(number).ok()), at);
        }
        if sum > MAX_NUMBER {
            return (None, at);
        }
        number = Some(sum * 10 + i64::from(byte - b'0'));
    }
    (number.and_then(|number| usize::try_from(number).ok()), text.len())
}
