//! The one mail address that Go's `mail.ParseAddress` reads: RFC 5322 with a display name, comments,
//! groups of one and domains in brackets.

use std::net::IpAddr;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

pub(super) fn is_address(text: &str) -> bool {
    let mut parser = Parser { rest: text };
    let found = parser.address(true);
    found == Some(1) && parser.skip_comments().is_some() && parser.rest.is_empty()
}

#[derive(Clone, Copy)]
struct Parser<'a> {
    rest: &'a str,
}

/// An encoded word (RFC 2047).
#[derive(PartialEq, Eq)]
enum Word {
    Plain,
    Encoded,
    /// In a character set that Go does not know: an error.
    Unknown,
}

fn is_visible(c: char) -> bool {
    matches!(c, '!'..='~') || !c.is_ascii()
}

fn is_atom(c: char) -> bool {
    is_visible(c) && !"()<>[]:;@\\,\"".contains(c)
}

impl<'a> Parser<'a> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn eat(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// How many addresses there are.
    fn address(&mut self, groups: bool) -> Option<usize> {
        self.skip_space();
        let mut spec = *self;
        if spec.spec().is_some() {
            *self = spec;
            self.skip_space();
            if self.eat('(') {
                let comment = self.comment()?;
                let mut words = comment.split([' ', '\t']);
                return words.all(|word| encoding(word) != Word::Unknown).then_some(1);
            }
            return Some(1);
        }
        if self.rest.is_empty() {
            return None;
        }
        if !self.rest.starts_with('<') {
            self.phrase()?;
        }
        self.skip_space();
        if groups && self.eat(':') {
            return self.group();
        }
        let sound = self.eat('<') && self.spec().is_some() && self.eat('>');
        sound.then_some(1)
    }

    fn group(&mut self) -> Option<usize> {
        let mut count = 0;
        self.skip_space();
        if self.eat(';') {
            self.skip_comments()?;
            return Some(count);
        }
        loop {
            self.skip_space();
            count += self.address(false)?;
            self.skip_comments()?;
            if self.eat(';') {
                self.skip_comments()?;
                return Some(count);
            }
            if !self.eat(',') {
                return None;
            }
        }
    }

    /// `local@domain`
    fn spec(&mut self) -> Option<()> {
        self.skip_space();
        if self.rest.starts_with('"') {
            self.quoted().filter(|local| *local > 0)?;
        } else {
            is_dotted(self.atom()?).then_some(())?;
        }
        self.eat('@').then_some(())?;
        self.skip_space();
        if !self.eat('[') {
            return is_dotted(self.atom()?).then_some(());
        }
        let (literal, rest) = self.rest.split_once(']')?;
        self.rest = rest;
        literal.parse::<IpAddr>().ok().map(|_| ())
    }

    fn atom(&mut self) -> Option<&'a str> {
        let end = self.rest.find(|c| !is_atom(c)).unwrap_or(self.rest.len());
        let (atom, rest) = self.rest.split_at_checked(end).filter(|_| end > 0)?;
        self.rest = rest;
        Some(atom)
    }

    /// How many characters stand between the quotes.
    fn quoted(&mut self) -> Option<usize> {
        let mut count = 0;
        let mut characters = self.rest.char_indices().skip(1);
        loop {
            let (at, c) = characters.next()?;
            let c = match c {
                '"' => {
                    self.rest = self.rest.get(at + 1..)?;
                    return Some(count);
                }
                '\\' => characters.next()?.1,
                c => c,
            };
            if !is_visible(c) && !matches!(c, ' ' | '\t') {
                return None;
            }
            count += 1;
        }
    }

    /// The words of a display name: what follows them is the caller's matter, unless there are none.
    fn phrase(&mut self) -> Option<()> {
        let mut found = false;
        loop {
            if found {
                self.skip_comments()?;
            }
            self.skip_space();
            if self.rest.is_empty() {
                return Some(());
            }
            let word = if self.rest.starts_with('"') {
                self.quoted().map(|_| Word::Plain)
            } else {
                self.atom().map(encoding)
            };
            match word {
                Some(Word::Plain | Word::Encoded) => found = true,
                _ => return found.then_some(()),
            }
        }
    }

    fn skip_comments(&mut self) -> Option<()> {
        self.skip_space();
        while self.eat('(') {
            self.comment()?;
            self.skip_space();
        }
        Some(())
    }

    /// The rest of a comment, which may hold others, without its escapes.
    fn comment(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut depth = 1_usize;
        let mut characters = self.rest.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '\\' => text.extend(characters.next().map_or(Some(c), |(_, c)| Some(c))),
                '(' => {
                    depth += 1;
                    text.push(c);
                }
                ')' if depth == 1 => {
                    self.rest = self.rest.get(at + 1..)?;
                    return Some(text);
                }
                ')' => {
                    depth -= 1;
                    text.push(c);
                }
                c => text.push(c),
            }
        }
        None
    }
}

fn is_dotted(atom: &str) -> bool {
    !(atom.starts_with('.') || atom.ends_with('.') || atom.contains(".."))
}

fn encoding(word: &str) -> Word {
    let inside = word.strip_prefix("=?").and_then(|word| word.strip_suffix("?="));
    let parts: Vec<&str> = inside.unwrap_or_default().split('?').collect();
    let [set, encoding, text] = parts.as_slice() else {
        return Word::Plain;
    };
    let decodes = match *encoding {
        "B" | "b" => {
            const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
            let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
            GeneralPurpose::new(&STANDARD, CONFIG).decode(text).is_ok()
        }
        "Q" | "q" => is_quoted_printable(text),
        _ => false,
    };
    if word.len() < 8 || set.is_empty() || !decodes {
        return Word::Plain;
    }
    let known = ["utf-8", "iso-8859-1", "us-ascii"];
    if known.iter().any(|known| set.eq_ignore_ascii_case(known)) {
        Word::Encoded
    } else {
        Word::Unknown
    }
}

fn is_quoted_printable(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let sound = match byte {
            b'=' => (0..2).all(|_| bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit())),
            b'\n' | b'\r' | b'\t' | b' '..=b'~' => true,
            _ => false,
        };
        if !sound {
            return false;
        }
    }
    true
}
