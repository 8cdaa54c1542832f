//! A Rego value on the host: what built-in functions take and give, and what a result is read as.
//!
//! Unlike JSON it has sets and keys of any type. It crosses the border as text in the syntax of
//! `opa_value_dump` and `opa_value_parse`, because OPA's JSON functions would turn sets into arrays.
//! Order and equality are those of OPA (`v1/ast/compare.go`), so a set has one canonical order.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::decimal::Decimal;
use super::room::Room;

/// A ground Rego value. The derived order is OPA's: null, booleans, numbers, strings, arrays,
/// objects, sets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Term {
    Null,
    Boolean(bool),
    Number(Number),
    String(String),
    Array(Vec<Term>),
    Object(BTreeMap<Term, Term>),
    Set(BTreeSet<Term>),
}

/// A number as its decimal text, which is kept: OPA prints `1.0` and `1e2` as they were written.
/// Equal by value.
#[derive(Debug, Clone)]
pub(super) struct Number {
    text: String,
    value: Decimal,
}

/// The text is not a Rego value, or one nested too deep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub(super) struct TermError {
    what: &'static str,
    at: usize,
}

impl Number {
    /// Reads a number as policies may write it: as in JSON, or `.5`.
    pub(super) fn from_rego(text: &str) -> Option<Self> {
        is_rego_number(text).then(|| Self::parse(text)).flatten()
    }

    /// Reads a number as Go does, which takes more than JSON.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let value = Decimal::parse(text)?;
        Some(Self {
            text: text.to_owned(),
            value,
        })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether its text is a number in JSON too.
    fn is_json(&self) -> bool {
        !self.text.trim_start_matches('-').starts_with('.')
    }

    /// The value if it is written as an `i64` would be.
    pub(super) fn as_i64(&self) -> Option<i64> {
        let value: i64 = self.text.parse().ok()?;
        (value.to_string() == self.text).then_some(value)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self {
            text: value.to_string(),
            value: Decimal::from(value),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}

impl Term {
    /// Reads the text of `opa_value_dump`. `depth` bounds the nesting.
    pub(super) fn parse(text: &str, depth: usize) -> Result<Self, TermError> {
        Self::parse_in(&mut Room::new(), text, depth)
    }

    /// The same in a room that is shared with other values.
    pub(super) fn parse_in(room: &mut Room, text: &str, depth: usize) -> Result<Self, TermError> {
        let mut reader = Reader {
            text,
            at: 0,
            depth,
            room,
        };
        let term = reader.term()?;
        reader.space();
        if reader.at < text.len() {
            return Err(reader.error("trailing text"));
        }
        Ok(term)
    }

    /// The text that `opa_value_parse` reads back as the same value.
    pub(super) fn to_guest(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, &|text, string| {
            // JSON's escapes are the guest's. Serialising a string cannot fail.
            text.push_str(&serde_json::Value::from(string).to_string());
        });
        text
    }

    /// The text OPA prints for this value (`ast.Value.String()`), as `sprintf("%v", …)` shows it.
    pub(super) fn to_rego(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, &|text, string| {
            text.push_str(&super::quote::quote(string, false));
        });
        text
    }

    fn write(&self, text: &mut String, string: &dyn Fn(&mut String, &str)) {
        match self {
            Self::Null => text.push_str("null"),
            Self::Boolean(value) => text.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => text.push_str(number.text()),
            Self::String(value) => string(text, value),
            Self::Array(items) => write_all(text, ['[', ']'], items, |text, item| {
                item.write(text, string);
            }),
            Self::Set(items) if items.is_empty() => text.push_str("set()"),
            Self::Set(items) => write_all(text, ['{', '}'], items, |text, item| {
                item.write(text, string);
            }),
            Self::Object(fields) => write_all(text, ['{', '}'], fields, |text, (key, value)| {
                key.write(text, string);
                text.push_str(": ");
                value.write(text, string);
            }),
        }
    }

    /// The JSON document OPA prints: sets as sorted arrays, keys sorted, keys that are no strings as
    /// their Rego text. Integers beyond 64 bits become the nearest double, as for any JSON reader.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Boolean(value) => (*value).into(),
            Self::Number(number) => number_to_json(number.text()),
            Self::String(value) => value.as_str().into(),
            Self::Array(items) => items.iter().map(Self::to_json).collect(),
            Self::Set(items) => items.iter().map(Self::to_json).collect(),
            Self::Object(fields) => {
                let by_name: BTreeMap<_, _> = fields
                    .iter()
                    .map(|(key, value)| (key.to_key(), value.to_json()))
                    .collect();
                by_name.into_iter().collect()
            }
        }
    }

    /// Whether OPA can write it as JSON: not where a number in it has no digit before the point, as policies may write it.
    pub(super) fn is_json(&self) -> bool {
        match self {
            Self::Null | Self::Boolean(_) | Self::String(_) => true,
            Self::Number(number) => number.is_json(),
            Self::Array(items) => items.iter().all(Self::is_json),
            Self::Set(items) => items.iter().all(Self::is_json),
            Self::Object(fields) => fields.iter().all(|(key, value)| key.is_json() && value.is_json()),
        }
    }

    /// About how much memory the value takes, in bytes: what functions that copy values are bounded by.
    pub(super) fn weight(&self) -> usize {
        let parts = match self {
            Self::Null | Self::Boolean(_) => 0,
            Self::Number(number) => number.text().len(),
            Self::String(text) => text.len(),
            Self::Array(items) => items.iter().map(Self::weight).sum(),
            Self::Set(items) => Room::elements(items.len()) + items.iter().map(Self::weight).sum::<usize>(),
            Self::Object(fields) => {
                let values = fields.iter().map(|(key, value)| key.weight() + value.weight());
                Room::elements(fields.len()) + values.sum::<usize>()
            }
        };
        size_of::<Self>() + parts
    }

    /// How deep the value is nested; a scalar is 0 deep, an empty array 1.
    pub(super) fn depth(&self) -> usize {
        let deepest = match self {
            Self::Array(items) => items.iter().map(Self::depth).max(),
            Self::Set(items) => items.iter().map(Self::depth).max(),
            Self::Object(fields) => fields
                .iter()
                .flat_map(|(key, value)| [key.depth(), value.depth()])
                .max(),
            _ => return 0,
        };
        1 + deepest.unwrap_or(0)
    }

    /// The same as text in which numbers are written as they came: `1` and `1.0` are equal and stay as they are.
    pub(super) fn to_json_text(&self) -> String {
        let mut text = String::new();
        self.write_json(&mut text);
        text
    }

    fn write_json(&self, text: &mut String) {
        match self {
            Self::Null => text.push_str("null"),
            Self::Boolean(value) => text.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => text.push_str(number.text()),
            Self::String(value) => write_json_string(text, value),
            Self::Array(items) => write_json_list(text, items),
            Self::Set(items) => write_json_list(text, items),
            Self::Object(fields) => {
                let by_name: BTreeMap<_, _> = fields.iter().map(|(key, value)| (key.to_key(), value)).collect();
                text.push('{');
                for (index, (key, value)) in by_name.into_iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    write_json_string(text, &key);
                    text.push(':');
                    value.write_json(text);
                }
                text.push('}');
            }
        }
    }

    fn to_key(&self) -> String {
        match self {
            Self::String(name) => name.clone(),
            // As Go writes JSON into HTML, which OPA does for these alone.
            other => other
                .to_json_text()
                .replace('<', "\\u003c")
                .replace('>', "\\u003e")
                .replace('&', "\\u0026")
                .replace('\u{2028}', "\\u2028")
                .replace('\u{2029}', "\\u2029"),
        }
    }
}

fn write_all<I: IntoIterator>(
    text: &mut String,
    [open, close]: [char; 2],
    items: I,
    mut write: impl FnMut(&mut String, I::Item),
) {
    text.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        write(text, item);
    }
    text.push(close);
}

fn write_json_list<'a>(text: &mut String, items: impl IntoIterator<Item = &'a Term>) {
    text.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        item.write_json(text);
    }
    text.push(']');
}

fn write_json_string(text: &mut String, value: &str) {
    // Serialising a string cannot fail.
    text.push_str(&serde_json::to_string(value).unwrap_or_default());
}

/// RFC 8259, section 6, but that a fraction needs no digit before it.
fn is_rego_number(text: &str) -> bool {
    fn digits(text: &str) -> Option<(&str, &str)> {
        let end = text.bytes().take_while(u8::is_ascii_digit).count();
        text.split_at_checked(end).filter(|(digits, _)| !digits.is_empty())
    }
    let read = || {
        let text = text.strip_prefix('-').unwrap_or(text);
        let (whole, mut rest) = digits(text).or_else(|| text.starts_with('.').then_some(("0", text)))?;
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = digits(fraction)?.1;
        }
        if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
            rest = digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))?.1;
        }
        Some(rest.is_empty() && (whole == "0" || !whole.starts_with('0')))
    };
    read().unwrap_or(false)
}

fn number_to_json(text: &str) -> serde_json::Value {
    if let Ok(value) = text.parse::<i64>() {
        return value.into();
    }
    if let Ok(value) = text.parse::<u64>() {
        return value.into();
    }
    // A number beyond every double has no JSON value here; its text is still said.
    text.parse::<f64>()
        .ok()
        .and_then(serde_json::Number::from_f64)
        .map_or_else(|| text.into(), serde_json::Value::Number)
}

/// A recursive descent over the text, which is short enough to be held: the caller caps it.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    room: &'a mut Room,
}

impl Reader<'_> {
    fn error(&self, what: &'static str) -> TermError {
        TermError { what, at: self.at }
    }

    /// Takes memory for what comes.
    fn fits(&mut self, take: impl FnOnce(&mut Room) -> Option<()>) -> Result<(), TermError> {
        take(self.room).ok_or_else(|| self.error("more values than the host takes"))
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn term(&mut self) -> Result<Term, TermError> {
        self.space();
        self.fits(Room::value)?;
        match self.peek() {
            Some(b'n') if self.eat("null") => Ok(Term::Null),
            Some(b't') if self.eat("true") => Ok(Term::Boolean(true)),
            Some(b'f') if self.eat("false") => Ok(Term::Boolean(false)),
            Some(b's') if self.eat("set()") => Ok(Term::Set(BTreeSet::new())),
            Some(b'"') => self.string().map(Term::String),
            Some(b'-' | b'.' | b'0'..=b'9') => self.number(),
            Some(b'[') => self.nested(Self::array),
            Some(b'{') => self.nested(Self::braces),
            _ => Err(self.error("no value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Term, TermError>) -> Result<Term, TermError> {
        self.depth = self.depth.checked_sub(1).ok_or_else(|| self.error("nested too deep"))?;
        self.at += 1;
        let term = read(self)?;
        self.depth += 1;
        Ok(term)
    }

    fn array(&mut self) -> Result<Term, TermError> {
        let mut items = Vec::new();
        self.space();
        if self.eat("]") {
            return Ok(Term::Array(items));
        }
        loop {
            items.push(self.term()?);
            if !self.more("]")? {
                return Ok(Term::Array(items));
            }
        }
    }

    /// An object or a set: the first separator tells.
    fn braces(&mut self) -> Result<Term, TermError> {
        self.space();
        if self.eat("}") {
            return Ok(Term::Object(BTreeMap::new()));
        }
        let first = self.term()?;
        self.space();
        if self.eat(":") {
            self.object(first)
        } else {
            self.set(first)
        }
    }

    fn object(&mut self, first: Term) -> Result<Term, TermError> {
        let mut fields = BTreeMap::new();
        let mut key = first;
        loop {
            self.fits(|room| room.element(fields.is_empty()))?;
            let value = self.term()?;
            fields.insert(key, value);
            if !self.more("}")? {
                return Ok(Term::Object(fields));
            }
            key = self.term()?;
            self.space();
            if !self.eat(":") {
                return Err(self.error("no colon after a key"));
            }
        }
    }

    fn set(&mut self, first: Term) -> Result<Term, TermError> {
        self.fits(|room| room.element(true))?;
        let mut items = BTreeSet::from([first]);
        while self.more("}")? {
            self.fits(|room| room.element(false))?;
            items.insert(self.term()?);
        }
        Ok(Term::Set(items))
    }

    /// After an element: true at a comma, false at the end.
    fn more(&mut self, close: &str) -> Result<bool, TermError> {
        self.space();
        if self.eat(",") {
            return Ok(true);
        }
        if self.eat(close) {
            return Ok(false);
        }
        Err(self.error("neither comma nor end"))
    }

    fn number(&mut self) -> Result<Term, TermError> {
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
        let text: String = self.rest().chars().take_while(|c| is_part(*c)).collect();
        self.fits(|room| room.text(text.len()).and_then(|()| room.number(text.len())))?;
        let number = Number::from_rego(&text).ok_or_else(|| self.error("not a number"))?;
        self.at += text.len();
        Ok(Term::Number(number))
    }

    fn string(&mut self) -> Result<String, TermError> {
        let mut escaped = false;
        let body = self.rest().get(1..).unwrap_or_default();
        let end = body.bytes().position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        });
        let quoted = end.and_then(|end| self.rest().get(..end + 2));
        let quoted = quoted.ok_or_else(|| self.error("string without an end"))?;
        let (string, length) = (serde_json::from_str(quoted), quoted.len());
        let string = string.map_err(|_| self.error("not a string"))?;
        self.fits(|room| room.text(length))?;
        self.at += length;
        Ok(string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_guest_calls_a_number_is_one_in_rego() {
        for text in ["0", "-0", "10", "1.50", "-0.5e1", "1E+400", "12345678901234567890"] {
            let number = Term::parse(text, 1).unwrap();
            assert_eq!((number.to_json_text().as_str(), number.is_json()), (text, true));
        }
        for text in [".5", "-.5", ".0", ".5e3"] {
            assert!(Number::from_rego(text).is_some(), "{text}");
            for within in [
                text.to_owned(),
                format!("[{text}]"),
                format!("{{{text}: 1}}"),
                format!("{{1, {text}}}"),
            ] {
                assert!(!Term::parse(&within, 2).unwrap().is_json(), "{within}");
            }
        }
        for text in [
            "00", "01", "-01", "1.", ".", "-.", ".e1", "-00.5", "+1", "+.5", "1e", "1e+", "1.e1", "-", "1.2.3", "1-2",
        ] {
            assert!(Number::from_rego(text).is_none(), "{text}");
            assert!(Term::parse(&format!("[{text}]"), 2).is_err(), "{text}");
        }
    }

    fn parse(text: &str) -> Term {
        Term::parse(text, 64).unwrap()
    }

    #[test]
    fn prints_as_opa_does() {
        for (text, rego) in [
            ("[1,2.0,1e2]", "[1, 2.0, 1e2]"),
            ("{3,1,2}", "{1, 2, 3}"),
            ("set()", "set()"),
            ("{}", "{}"),
            (r#"{"b":[],"a":{"x"}}"#, r#"{"a": {"x"}, "b": []}"#),
            (r#"{[1]:null,true:"é\u0007"}"#, r#"{true: "é\a", [1]: null}"#),
        ] {
            assert_eq!(parse(text).to_rego(), rego, "{text}");
        }
    }

    #[test]
    fn becomes_the_json_that_opa_prints() {
        let json = parse(r#"{"s": {3, 1}, 2: "x", {"k"}: 1.50, "n": 18446744073709551615}"#).to_json();
        assert_eq!(
            json.to_string(),
            r#"{"2":"x","[\"k\"]":1.5,"n":18446744073709551615,"s":[1,3]}"#
        );
    }

    #[test]
    fn orders_values_as_opa_does() {
        let sorted = [
            "null",
            "false",
            "true",
            "-1",
            "0.5",
            "1",
            "1e1",
            r#""a""#,
            r#""b""#,
            "[]",
            "[1]",
            "[1,2]",
            "[2]",
            "{}",
            r#"{"a":1}"#,
            "set()",
            "{1}",
        ];
        for pair in sorted.windows(2) {
            assert!(parse(pair[0]) < parse(pair[1]), "{pair:?}");
        }
        assert_eq!(parse("1.0"), parse("1"));
    }

    #[test]
    fn refuses_what_is_no_value() {
        for text in [
            "",
            "[",
            "[1",
            "{1:",
            "{1:2,3}",
            r#""a"#,
            "1 2",
            "nul",
            "--1",
            "[1,]",
            "{\"a\" 1}",
            &"[".repeat(65),
        ] {
            assert!(Term::parse(text, 64).is_err(), "{text}");
        }
    }

    fn any_term() -> impl Strategy<Value = Term> {
        let leaf = prop_oneof![
            Just(Term::Null),
            any::<bool>().prop_map(Term::Boolean),
            any::<i64>().prop_map(|n| Term::Number(n.into())),
            ".*".prop_map(Term::String),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Term::Array),
                prop::collection::btree_set(inner.clone(), 0..4).prop_map(Term::Set),
                prop::collection::btree_map(inner.clone(), inner, 0..4).prop_map(Term::Object),
            ]
        })
    }

    proptest! {
        #[test]
        fn text_for_the_guest_round_trips(term in any_term()) {
            prop_assert_eq!(Term::parse(&term.to_guest(), 64), Ok(term));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}:,\" 0-9a-z\\\\.+-]{0,40}") {
            let _ = Term::parse(&text, 8);
        }
    }
}
