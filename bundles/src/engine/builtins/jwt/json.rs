//! JSON as Go's `encoding/json` reads and writes it: members in their order and with their
//! duplicates, numbers as their text, and what is no Unicode replaced by U+FFFD.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Failure;
use crate::engine::decimal::Decimal;
use crate::engine::term::{Number, Term};

/// Arrays and objects inside one another. A value that crosses to the guest may be no deeper either.
const MAX_DEPTH: usize = 256;
/// The longest text that is read, in bytes: as values it takes a hundred times the memory.
const MAX_BYTES: usize = 1024 * 1024;

#[derive(Debug, Clone)]
pub(super) enum Json {
    Null,
    Boolean(bool),
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Reads a document as OPA does: behind the value, `null` alone is let pass (`util.UnmarshalJSON`).
pub(super) fn read_document(text: &[u8]) -> Result<Json, Failure> {
    let mut reader = Reader::new(text)?;
    let value = reader.value()?;
    reader.space();
    if reader.rest.is_empty() || reader.rest.starts_with(b"null") {
        Ok(value)
    } else {
        Err(Failure::Undefined)
    }
}

/// Reads the first value and does not look behind it (`json.Decoder`).
pub(super) fn read_first(text: &[u8]) -> Result<Json, Failure> {
    Reader::new(text)?.value()
}

/// Whether the text is one value and nothing else (`json.Valid`).
pub(super) fn is_valid(text: &[u8]) -> Result<bool, Failure> {
    let mut reader = Reader::new(text)?;
    match reader.value() {
        Ok(_) => {
            reader.space();
            Ok(reader.rest.is_empty())
        }
        Err(Failure::Undefined) => Ok(false),
        Err(limit) => Err(limit),
    }
}

impl Json {
    /// The value as a term; of members with one name the last counts.
    pub(super) fn into_term(self) -> Result<Term, Failure> {
        Ok(match self {
            Self::Null => Term::Null,
            Self::Boolean(value) => Term::Boolean(value),
            Self::Number(text) => Term::Number(number(&text)?),
            Self::String(text) => Term::String(text),
            Self::Array(items) => Term::Array(items.into_iter().map(Self::into_term).collect::<Result<_, _>>()?),
            Self::Object(members) => {
                let fields: BTreeMap<_, _> = members.into_iter().collect();
                let term = |(name, value): (String, Self)| Ok((Term::String(name), value.into_term()?));
                Term::Object(fields.into_iter().map(term).collect::<Result<_, Failure>>()?)
            }
        })
    }
}

/// OPA takes no number whose binary exponent is beyond ±100,000 (`ast.NumberChecked`).
fn number(text: &str) -> Result<Number, Failure> {
    const MAX_EXPONENT: f64 = 1e5;
    if text.contains(['e', 'E']) {
        let value = Decimal::parse(text).ok_or(Failure::Undefined)?;
        let (digits, exponent) = value.parts();
        let leading: String = digits.iter().take(17).map(|digit| char::from(b'0' + digit)).collect();
        let rest = i64::try_from(digits.len().saturating_sub(17)).unwrap_or(i64::MAX);
        // The number is read as a double in pieces, because no double holds all of it.
        let power: f64 = exponent.saturating_add(rest).to_string().parse().unwrap_or(f64::MAX);
        let mantissa: f64 = leading.parse().unwrap_or(1.0);
        let log2 = mantissa.log2() + power * std::f64::consts::LOG2_10;
        if !(-MAX_EXPONENT - 1.0..MAX_EXPONENT).contains(&log2) {
            return Err(Failure::Undefined);
        }
    }
    Number::parse(text).ok_or(Failure::Undefined)
}

struct Reader<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8]) -> Result<Self, Failure> {
        if text.len() > MAX_BYTES {
            return Err(Failure::Limit(format!(
                "a JSON text has {} bytes; at most {MAX_BYTES} are read",
                text.len()
            )));
        }
        Ok(Self { rest: text, depth: 0 })
    }

    fn space(&mut self) {
        let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let end = self
            .rest
            .iter()
            .position(|byte| !space(byte))
            .unwrap_or(self.rest.len());
        self.skip(end);
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn eat(&mut self, token: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The next token behind white space must be this one.
    fn expect(&mut self, token: &[u8]) -> Result<(), Failure> {
        self.space();
        if self.eat(token) {
            Ok(())
        } else {
            Err(Failure::Undefined)
        }
    }

    fn value(&mut self) -> Result<Json, Failure> {
        self.space();
        match self.rest.first() {
            Some(b'"') => self.string().map(Json::String),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'n') => self.expect(b"null").map(|()| Json::Null),
            Some(b't') => self.expect(b"true").map(|()| Json::Boolean(true)),
            _ => self.expect(b"false").map(|()| Json::Boolean(false)),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json, Failure>) -> Result<Json, Failure> {
        if self.depth >= MAX_DEPTH {
            return Err(Failure::Limit(format!(
                "JSON is nested deeper than {MAX_DEPTH} arrays and objects"
            )));
        }
        self.depth += 1;
        self.skip(1);
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn array(&mut self) -> Result<Json, Failure> {
        let mut items = Vec::new();
        self.space();
        if self.eat(b"]") {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            if !self.eat(b",") {
                return self.expect(b"]").map(|()| Json::Array(items));
            }
        }
    }

    fn object(&mut self) -> Result<Json, Failure> {
        let mut members = Vec::new();
        self.space();
        if self.eat(b"}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            let name = self.string()?;
            self.expect(b":")?;
            members.push((name, self.value()?));
            self.space();
            if !self.eat(b",") {
                return self.expect(b"}").map(|()| Json::Object(members));
            }
        }
    }

    fn number(&mut self) -> Result<Json, Failure> {
        let start = self.rest;
        self.eat(b"-");
        if !self.eat(b"0") {
            self.digits()?;
        }
        if self.eat(b".") {
            self.digits()?;
        }
        if self.eat(b"e") || self.eat(b"E") {
            let _ = self.eat(b"+") || self.eat(b"-");
            self.digits()?;
        }
        let text = start.get(..start.len() - self.rest.len()).unwrap_or_default();
        Ok(Json::Number(text.iter().copied().map(char::from).collect()))
    }

    fn digits(&mut self) -> Result<(), Failure> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.skip(count);
        if count > 0 { Ok(()) } else { Err(Failure::Undefined) }
    }

    fn string(&mut self) -> Result<String, Failure> {
        if !self.eat(b"\"") {
            return Err(Failure::Undefined);
        }
        let mut string = String::new();
        loop {
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let plain = self.rest.iter().position(special).ok_or(Failure::Undefined)?;
            push_utf8(&mut string, self.rest.get(..plain).unwrap_or_default());
            self.skip(plain);
            if self.eat(b"\"") {
                return Ok(string);
            }
            string.push(self.escape().ok_or(Failure::Undefined)?);
        }
    }

    /// One escaped character; half of a surrogate pair alone is U+FFFD.
    fn escape(&mut self) -> Option<char> {
        self.rest = self.rest.strip_prefix(b"\\")?;
        let (kind, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(match kind {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'"' | b'\\' | b'/' => char::from(*kind),
            b'u' => {
                let first = self.unit()?;
                let after = self.rest;
                let second = if self.eat(b"\\u") { self.unit() } else { None };
                match char::decode_utf16([first].into_iter().chain(second)).next()? {
                    Ok(pair) if pair.len_utf16() == 2 => pair,
                    single => {
                        self.rest = after;
                        single.unwrap_or(char::REPLACEMENT_CHARACTER)
                    }
                }
            }
            _ => return None,
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u16> {
        let (digits, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        digits.iter().try_fold(0, |unit, digit| {
            let digit = char::from(*digit).to_digit(16)?;
            Some(unit << 4 | u16::try_from(digit).ok()?)
        })
    }
}

/// Go replaces every byte that belongs to no character, one by one.
fn push_utf8(string: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        string.push_str(chunk.valid());
        string.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
}

/// The text Go's `json.Marshal` makes of what `ast.JSON` makes of the term: sorted names, sets as
/// sorted arrays, names that are no strings as their JSON.
pub(super) fn write(term: &Term) -> String {
    let mut text = String::new();
    push_term(&mut text, term);
    text
}

fn push_term(text: &mut String, term: &Term) {
    match term {
        Term::Null => text.push_str("null"),
        Term::Boolean(value) => text.push_str(if *value { "true" } else { "false" }),
        Term::Number(number) => text.push_str(number.text()),
        Term::String(string) => push_string(text, string),
        Term::Array(items) => push_all(text, ['[', ']'], items, push_term),
        Term::Set(items) => push_all(text, ['[', ']'], items, push_term),
        Term::Object(fields) => {
            let name = |key: &Term| match key {
                Term::String(name) => name.clone(),
                other => write(other),
            };
            let members: BTreeMap<_, _> = fields.iter().map(|(key, value)| (name(key), value)).collect();
            push_all(text, ['{', '}'], members, |text, (name, value)| {
                push_string(text, &name);
                text.push(':');
                push_term(text, value);
            });
        }
    }
}

fn push_all<I: IntoIterator>(
    text: &mut String,
    [open, close]: [char; 2],
    items: I,
    push: impl Fn(&mut String, I::Item),
) {
    text.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        push(text, item);
    }
    text.push(close);
}

fn push_string(text: &mut String, string: &str) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            _ => text.push(c),
        }
    }
    text.push('"');
}
