//! The scalars of YAML: plain, quoted, and block scalars, with their folding of lines.

use super::super::Failure;
use super::scanner::{END, Scanner, Token, is_blank, is_blank_or_end, is_break, is_break_or_end, malformed};

/// The line breaks between two pieces of a scalar; the first may become a space.
#[derive(Default)]
struct Breaks {
    first: Option<char>,
    others: String,
}

impl Breaks {
    fn add(&mut self, line_break: char) {
        if self.first.is_none() {
            self.first = Some(line_break);
        } else {
            self.others.push(line_break);
        }
    }

    /// A single break folds into a space, of several only the first vanishes.
    fn fold(&mut self, text: &mut String) {
        match self.first {
            Some('\n') if self.others.is_empty() => text.push(' '),
            Some('\n') => text.push_str(&self.others),
            first => {
                text.extend(first);
                text.push_str(&self.others);
            }
        }
        *self = Self::default();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl Scanner {
    pub(super) fn plain_scalar(&mut self) -> Result<(), Failure> {
        self.begin_key()?;
        let indent = self.indent.map_or(0, |indent| indent + 1);
        let mut text = String::new();
        let mut blanks = String::new();
        let mut breaks = None::<Breaks>;
        loop {
            if self.at_document_indicator() || self.char_at(0) == '#' {
                break;
            }
            while !self.ends_plain() {
                if let Some(mut breaks) = breaks.take() {
                    breaks.fold(&mut text);
                } else {
                    text.push_str(&blanks);
                }
                blanks.clear();
                self.read(&mut text);
            }
            if !is_blank(self.char_at(0)) && !is_break(self.char_at(0)) {
                break;
            }
            while is_blank(self.char_at(0)) || is_break(self.char_at(0)) {
                let c = self.char_at(0);
                if is_break(c) {
                    blanks.clear();
                    let line_break = self.read_line();
                    breaks.get_or_insert_default().add(line_break);
                } else if breaks.is_none() {
                    self.read(&mut blanks);
                } else if c == '\t' && self.column < indent {
                    return malformed();
                } else {
                    self.skip();
                }
            }
            if self.flow_level == 0 && self.column < indent {
                break;
            }
        }
        self.push(Token::Scalar { text, plain: true });
        if breaks.is_some() {
            self.key_allowed = true;
        }
        Ok(())
    }

    fn ends_plain(&self) -> bool {
        let c = self.char_at(0);
        is_blank_or_end(c)
            || (c == ':' && is_blank_or_end(self.char_at(1)))
            || (self.flow_level > 0 && matches!(c, ',' | '?' | '[' | ']' | '{' | '}'))
    }

    pub(super) fn flow_scalar(&mut self, single: bool) -> Result<(), Failure> {
        self.begin_key()?;
        self.skip();
        let quote = if single { '\'' } else { '"' };
        let mut text = String::new();
        let mut blanks = String::new();
        loop {
            if self.at_document_indicator() || self.char_at(0) == END {
                return malformed();
            }
            let mut breaks = self.quoted_piece(single, &mut text)?;
            if self.char_at(0) == quote {
                break;
            }
            while is_blank(self.char_at(0)) || is_break(self.char_at(0)) {
                if is_break(self.char_at(0)) {
                    blanks.clear();
                    // Behind an escaped line break the others count in full.
                    let is_first = breaks.is_none();
                    let line_break = self.read_line();
                    let breaks = breaks.get_or_insert_default();
                    if is_first {
                        breaks.first = Some(line_break);
                    } else {
                        breaks.others.push(line_break);
                    }
                } else if breaks.is_none() {
                    self.read(&mut blanks);
                } else {
                    self.skip();
                }
            }
            match breaks {
                Some(mut breaks) => breaks.fold(&mut text),
                None => text.push_str(&blanks),
            }
            blanks.clear();
        }
        self.skip();
        self.push(Token::Scalar { text, plain: false });
        Ok(())
    }

    /// Up to the next blank, break or quote. An escaped line break ends it as well, and is returned.
    fn quoted_piece(&mut self, single: bool, text: &mut String) -> Result<Option<Breaks>, Failure> {
        while !is_blank_or_end(self.char_at(0)) {
            match (single, self.char_at(0), self.char_at(1)) {
                (true, '\'', '\'') => {
                    text.push('\'');
                    self.skip();
                    self.skip();
                }
                (true, '\'', _) | (false, '"', _) => break,
                (false, '\\', next) if is_break(next) => {
                    self.skip();
                    self.skip_line();
                    return Ok(Some(Breaks::default()));
                }
                (false, '\\', next) => {
                    self.skip();
                    self.skip();
                    text.push(self.escaped(next)?);
                }
                _ => self.read(text),
            }
        }
        Ok(None)
    }

    fn escaped(&mut self, c: char) -> Result<char, Failure> {
        Ok(match c {
            '0' => '\0',
            'a' => '\u{7}',
            'b' => '\u{8}',
            't' | '\t' => '\t',
            'n' => '\n',
            'v' => '\u{b}',
            'f' => '\u{c}',
            'r' => '\r',
            'e' => '\u{1b}',
            ' ' | '"' | '\'' | '\\' => c,
            'N' => '\u{85}',
            '_' => '\u{a0}',
            'L' => '\u{2028}',
            'P' => '\u{2029}',
            'x' => self.escaped_code(2)?,
            'u' => self.escaped_code(4)?,
            'U' => self.escaped_code(8)?,
            _ => return malformed(),
        })
    }

    fn escaped_code(&mut self, digits: usize) -> Result<char, Failure> {
        let mut code = 0_u64;
        for _ in 0..digits {
            let digit = self.char_at(0).to_digit(16).ok_or(Failure::Undefined)?;
            code = code << 4 | u64::from(digit);
            self.skip();
        }
        u32::try_from(code)
            .ok()
            .and_then(char::from_u32)
            .ok_or(Failure::Undefined)
    }

    pub(super) fn block_scalar(&mut self, literal: bool) -> Result<(), Failure> {
        self.begin_block_scalar()?;
        self.skip();
        let (chomping, increment) = self.block_header()?;
        self.end_line()?;
        let mut indent = increment.map(|increment| self.indent.unwrap_or(0) + increment);
        let mut text = String::new();
        let mut first_break = None;
        let mut breaks = String::new();
        let mut after_blank = false;
        let column = self.block_breaks(&mut indent, &mut breaks)?;
        while self.column == column && self.char_at(0) != END {
            let begins_blank = is_blank(self.char_at(0));
            if !literal && !after_blank && !begins_blank && first_break == Some('\n') {
                if breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.extend(first_break);
            }
            text.push_str(&breaks);
            breaks.clear();
            after_blank = begins_blank;
            while !is_break_or_end(self.char_at(0)) {
                self.read(&mut text);
            }
            first_break = is_break(self.char_at(0)).then(|| self.read_line());
            self.block_breaks(&mut indent, &mut breaks)?;
        }
        if chomping != Chomping::Strip {
            text.extend(first_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&breaks);
        }
        self.push(Token::Scalar { text, plain: false });
        Ok(())
    }

    /// `+` or `-` and a digit for the indentation, in any order.
    fn block_header(&mut self) -> Result<(Chomping, Option<usize>), Failure> {
        let mut chomping = Chomping::Clip;
        let mut increment = None;
        let mut chomped = false;
        loop {
            match self.char_at(0) {
                '+' | '-' if !chomped => {
                    chomped = true;
                    chomping = if self.char_at(0) == '+' {
                        Chomping::Keep
                    } else {
                        Chomping::Strip
                    };
                }
                '0' if increment.is_none() => return malformed(),
                c @ '1'..='9' if increment.is_none() => {
                    increment = c.to_digit(10).and_then(|digit| usize::try_from(digit).ok());
                }
                _ => return Ok((chomping, increment)),
            }
            self.skip();
        }
    }

    /// Empty lines and the indentation behind them. The first call finds out the column of the text,
    /// which is returned, unless the header told it.
    fn block_breaks(&mut self, indent: &mut Option<usize>, breaks: &mut String) -> Result<usize, Failure> {
        let mut deepest = 0;
        loop {
            let is_before = |scanner: &Self| indent.is_none_or(|indent| scanner.column < indent);
            while is_before(self) && self.char_at(0) == ' ' {
                self.skip();
            }
            deepest = deepest.max(self.column);
            if is_before(self) && self.char_at(0) == '\t' {
                return malformed();
            }
            if !is_break(self.char_at(0)) {
                break;
            }
            breaks.push(self.read_line());
        }
        let least = self.indent.map_or(0, |indent| indent + 1);
        Ok(*indent.get_or_insert(deepest.max(least).max(1)))
    }
}
