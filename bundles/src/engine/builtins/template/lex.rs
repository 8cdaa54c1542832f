//! The tokens of a template (`text/template/parse/lex.go`).

use std::sync::LazyLock;

use regex::Regex;

use super::{Failure, unsupported};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Text(&'a str),
    /// `{{`
    Open,
    /// `}}`
    Close,
    Space,
    Bool(bool),
    Comma,
    Assign,
    Declare,
    Pipe,
    LeftParen,
    RightParen,
    Dot,
    Nil,
    /// With its dot.
    Field(&'a str),
    /// With its dollar sign.
    Variable(&'a str),
    Identifier(&'a str),
    Number(&'a str),
    /// With its quotes, as the two below.
    Char(&'a str),
    String(&'a str),
    RawString(&'a str),
    Keyword(Keyword),
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

/// All tokens; the last is [`Token::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<Token<'_>>, Failure> {
    let mut lexer = Lexer {
        rest: source,
        tokens: Vec::new(),
    };
    while lexer.text()? {}
    lexer.tokens.push(Token::End);
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    rest: &'a str,
    tokens: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    /// Text up to the next action, and the action or comment. False at the end.
    fn text(&mut self) -> Result<bool, Failure> {
        let Some((text, action)) = self.rest.split_once("{{") else {
            self.push_text(self.rest);
            return Ok(false);
        };
        let trimmed = action.strip_prefix('-').filter(|after| after.starts_with(SPACES));
        let text = if trimmed.is_some() {
            text.trim_end_matches(SPACES)
        } else {
            text
        };
        self.push_text(text);
        // The space after the dash belongs to it.
        self.rest = trimmed.and_then(|after| after.get(1..)).unwrap_or(action);
        if let Some(comment) = self.rest.strip_prefix("/*") {
            let (_, after) = comment.split_once("*/").ok_or(Failure::Undefined)?;
            self.rest = after;
            return self.close().then_some(true).ok_or(Failure::Undefined);
        }
        self.tokens.push(Token::Open);
        let mut depth = 0_usize;
        while !self.close() {
            self.inside(&mut depth)?;
        }
        if depth > 0 {
            return Err(Failure::Undefined);
        }
        self.tokens.push(Token::Close);
        Ok(true)
    }

    fn push_text(&mut self, text: &'a str) {
        if !text.is_empty() {
            self.tokens.push(Token::Text(text));
        }
    }

    /// Takes `}}`, or ` -}}` and the space behind it.
    fn close(&mut self) -> bool {
        let trimming = self.rest.strip_prefix(SPACES).and_then(|rest| rest.strip_prefix("-}}"));
        match (trimming, self.rest.strip_prefix("}}")) {
            (Some(rest), _) => self.rest = rest.trim_start_matches(SPACES),
            (None, Some(rest)) => self.rest = rest,
            (None, None) => return false,
        }
        true
    }

    /// One token of an action.
    fn inside(&mut self, depth: &mut usize) -> Result<(), Failure> {
        let rest = self.rest;
        let mut chars = rest.chars();
        let first = chars.next().ok_or(Failure::Undefined)?;
        let token = match first {
            ' ' | '\t' | '\r' | '\n' => {
                self.space();
                Token::Space
            }
            '"' => Token::String(self.quoted('"')?),
            '\'' => Token::Char(self.quoted('\'')?),
            '`' => {
                let end = rest
                    .get(1..)
                    .and_then(|body| body.find('`'))
                    .ok_or(Failure::Undefined)?;
                Token::RawString(self.take(end + 2)?)
            }
            '$' => Token::Variable(self.word(1)?),
            '.' if !chars.as_str().starts_with(|next: char| next.is_ascii_digit()) => match self.word(1)? {
                "." => Token::Dot,
                field => Token::Field(field),
            },
            '.' | '+' | '-' | '0'..='9' => self.number()?,
            letter if is_alphanumeric(letter) => word_token(self.word(0)?),
            ':' if chars.as_str().starts_with('=') => self.punctuation(":=", Token::Declare)?,
            '=' => self.punctuation("=", Token::Assign)?,
            '|' => self.punctuation("|", Token::Pipe)?,
            ',' => self.punctuation(",", Token::Comma)?,
            '(' => {
                *depth += 1;
                self.punctuation("(", Token::LeftParen)?
            }
            ')' => {
                *depth = depth.checked_sub(1).ok_or(Failure::Undefined)?;
                self.punctuation(")", Token::RightParen)?
            }
            _ => return Err(Failure::Undefined),
        };
        self.tokens.push(token);
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&'a str, Failure> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Failure::Undefined)?;
        self.rest = rest;
        Ok(taken)
    }

    fn punctuation(&mut self, text: &str, token: Token<'a>) -> Result<Token<'a>, Failure> {
        self.take(text.len()).map(|_| token)
    }

    /// A run of spaces, without the last one if a trimming end follows.
    fn space(&mut self) {
        let after = self.rest.trim_start_matches(SPACES);
        let kept = usize::from(after.starts_with("-}}"));
        self.rest = self
            .rest
            .get(self.rest.len() - after.len() - kept..)
            .unwrap_or_default();
    }

    /// Letters and digits after `prefix` bytes; what follows must end a word.
    fn word(&mut self, prefix: usize) -> Result<&'a str, Failure> {
        let body = self.rest.get(prefix..).ok_or(Failure::Undefined)?;
        let length = body.find(|c| !is_alphanumeric(c)).unwrap_or(body.len());
        let word = self.take(prefix + length)?;
        let ends = self.rest.is_empty()
            || self
                .rest
                .starts_with([' ', '\t', '\r', '\n', '.', ',', '|', ':', ')', '('])
            || self.rest.starts_with("}}");
        ends.then_some(word).ok_or(Failure::Undefined)
    }

    /// A string or character in quotes, on one line.
    fn quoted(&mut self, quote: char) -> Result<&'a str, Failure> {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                '\n' => break,
                c if c == quote && !escaped => return self.take(at + 1),
                c => escaped = c == '\\' && !escaped,
            }
        }
        Err(Failure::Undefined)
    }

    fn number(&mut self) -> Result<Token<'a>, Failure> {
        let length = number_length(self.rest).ok_or(Failure::Undefined)?;
        let number = self.take(length)?;
        let imaginary = if self.rest.starts_with(['+', '-']) {
            let length = number_length(self.rest).ok_or(Failure::Undefined)?;
            let imaginary = self.take(length)?;
            imaginary
                .ends_with('i')
                .then_some(imaginary)
                .ok_or(Failure::Undefined)?
        } else {
            number
        };
        if imaginary.ends_with('i') {
            return Err(unsupported("complex numbers"));
        }
        Ok(Token::Number(number))
    }
}

/// How much of the text Go's lexer takes for a number; whether it is one is seen later.
fn number_length(text: &str) -> Option<usize> {
    let accept = |rest: &mut &str, set: &[char]| -> bool {
        let after = rest.strip_prefix(set);
        *rest = after.unwrap_or(rest);
        after.is_some()
    };
    let mut rest = text;
    accept(&mut rest, &['+', '-']);
    let mut is_digit: fn(char) -> bool = |c| c.is_ascii_digit() || c == '_';
    let mut exponent: &[char] = &['e', 'E'];
    if accept(&mut rest, &['0']) {
        if accept(&mut rest, &['x', 'X']) {
            is_digit = |c| c.is_ascii_hexdigit() || c == '_';
            exponent = &['p', 'P'];
        } else if accept(&mut rest, &['o', 'O']) {
            is_digit = |c| matches!(c, '0'..='7' | '_');
            exponent = &[];
        } else if accept(&mut rest, &['b', 'B']) {
            is_digit = |c| matches!(c, '0' | '1' | '_');
            exponent = &[];
        }
    }
    rest = rest.trim_start_matches(is_digit);
    if accept(&mut rest, &['.']) {
        rest = rest.trim_start_matches(is_digit);
    }
    if accept(&mut rest, exponent) {
        accept(&mut rest, &['+', '-']);
        rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
    }
    accept(&mut rest, &['i']);
    (!rest.starts_with(is_alphanumeric)).then_some(text.len() - rest.len())
}

fn word_token(word: &str) -> Token<'_> {
    Token::Keyword(match word {
        "true" | "false" => return Token::Bool(word == "true"),
        "nil" => return Token::Nil,
        "block" => Keyword::Block,
        "break" => Keyword::Break,
        "continue" => Keyword::Continue,
        "define" => Keyword::Define,
        "else" => Keyword::Else,
        "end" => Keyword::End,
        "if" => Keyword::If,
        "range" => Keyword::Range,
        "template" => Keyword::Template,
        "with" => Keyword::With,
        _ => return Token::Identifier(word),
    })
}

/// A letter, a decimal digit or `_`.
fn is_alphanumeric(c: char) -> bool {
    // The standard library's notion of a letter is wider than Go's.
    static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\p{L}\p{Nd}]$").ok());
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    WORD.as_ref()
        .is_some_and(|word| word.is_match(c.encode_utf8(&mut [0; 4])))
}
