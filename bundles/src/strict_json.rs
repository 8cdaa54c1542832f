//! JSON without ambiguity (RFC 8259): one document, UTF-8, no key twice, no half of a surrogate pair, bounded in depth
//! and number of values. The bytes are only looked at, so that what is checked can be passed on as it is.

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;

/// Keys of one object that are compared with each other; above that, they are hashed.
const FEW_KEYS: usize = 16;

/// Digits of a number with an exponent, those that the exponent stands for included. OPA's library refuses numbers from
/// 2^100000 on, which has 30,103, and what is as small; its modules compute with them for a long time.
const MOST_DIGITS: usize = 30_100;

/// What one document may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    /// Levels of nesting; a scalar is 0 deep.
    pub(crate) depth: usize,
    /// What all values may take in memory as a reader holds them, in units of 32 bytes. What is read takes its part from it.
    pub(crate) room: usize,
}

/// What a value takes, with what a list of them has to spare.
const VALUE: usize = 2;
/// What the first field of an object takes besides, and each further one: a node of a tree holds eleven.
const FIRST_FIELD: usize = 22;
const FIELD: usize = 5;

/// Why a document is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nested deeper than the cap.
    TooDeep,
    /// An object has a key twice.
    Again {
        /// The key, or its beginning.
        key: String,
        /// How many bytes stand before what follows it.
        at: usize,
    },
    /// Anything else.
    Syntax {
        /// What was found.
        what: &'static str,
        /// How many bytes stand before it.
        at: usize,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => f.write_str("it is nested too deep"),
            Self::Again { key, at } => write!(f, "key {key:?} for the second time at byte {at}"),
            Self::Syntax { what, at } => write!(f, "{what} at byte {at}"),
        }
    }
}

/// Holds bytes to strict JSON.
pub(crate) fn check(bytes: &[u8], caps: &mut Caps) -> Result<(), Fault> {
    let text = std::str::from_utf8(bytes).map_err(|error| Fault::Syntax {
        what: "no UTF-8",
        at: error.valid_up_to(),
    })?;
    let mut scanner = Scanner {
        text: text.as_bytes(),
        at: 0,
        depth: caps.depth,
        room: caps.room,
    };
    scanner.value()?;
    caps.room = scanner.room;
    scanner.space();
    if scanner.at < bytes.len() {
        return Err(scanner.fault("something after its end"));
    }
    Ok(())
}

/// Reads one document that is held to strict JSON. Numbers beyond 64 bits become doubles.
pub(crate) fn read(bytes: &[u8], caps: &mut Caps) -> Result<Value, String> {
    check(bytes, caps).map_err(|fault| fault.to_string())?;
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// The fields of an object in a text that was checked, each value as its text; `None` for anything else.
pub(crate) fn fields(text: &str) -> Option<Vec<(String, &str)>> {
    let mut scanner = Scanner {
        text: text.as_bytes(),
        at: 0,
        depth: usize::MAX,
        room: usize::MAX,
    };
    let mut fields = Vec::new();
    scanner.space();
    if !scanner.eat(b'{') {
        return None;
    }
    scanner.space();
    if scanner.eat(b'}') {
        return Some(fields);
    }
    loop {
        let key = meaning(scanner.key().ok()?)?;
        scanner.space();
        let start = scanner.at;
        scanner.value().ok()?;
        fields.push((key, text.get(start..scanner.at)?));
        if !scanner.goes_on(b'}').ok()? {
            return Some(fields);
        }
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    room: usize,
}

impl<'a> Scanner<'a> {
    fn fault(&self, what: &'static str) -> Fault {
        Fault::Syntax { what, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Result<(), Fault> {
        self.space();
        self.take(VALUE)?;
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => Err(self.fault("no value")),
        }
    }

    fn take(&mut self, units: usize) -> Result<(), Fault> {
        let room = self.room.checked_sub(units);
        self.room = room.ok_or_else(|| self.fault("more values than are read"))?;
        Ok(())
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        self.depth = self.depth.checked_sub(1).ok_or(Fault::TooDeep)?;
        self.at += 1;
        self.space();
        read(self)?;
        self.depth += 1;
        Ok(())
    }

    fn array(&mut self) -> Result<(), Fault> {
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            self.value()?;
            if !self.goes_on(b']')? {
                return Ok(());
            }
        }
    }

    fn object(&mut self) -> Result<(), Fault> {
        let mut keys = Keys::default();
        if self.eat(b'}') {
            return Ok(());
        }
        self.take(FIRST_FIELD)?;
        loop {
            self.take(FIELD)?;
            let key = self.key()?;
            if !keys.insert(key) {
                let key = meaning(key).unwrap_or_default().chars().take(100).collect();
                return Err(Fault::Again { key, at: self.at });
            }
            self.value()?;
            if !self.goes_on(b'}')? {
                return Ok(());
            }
        }
    }

    /// A key with its quotes, up to the colon.
    fn key(&mut self) -> Result<&'a [u8], Fault> {
        self.space();
        if self.peek() != Some(b'"') {
            return Err(self.fault("no key"));
        }
        let key = self.string()?;
        self.space();
        if !self.eat(b':') {
            return Err(self.fault("no colon"));
        }
        Ok(key)
    }

    /// After an element: true at a comma, false at the end.
    fn goes_on(&mut self, close: u8) -> Result<bool, Fault> {
        self.space();
        if self.eat(b',') {
            return Ok(true);
        }
        if self.eat(close) {
            return Ok(false);
        }
        Err(self.fault("neither comma nor end"))
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.fault("no value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        let mantissa = self.at - start;
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            let exponent = self.digits()?.iter().fold(0_usize, |sum, digit| {
                sum.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
            });
            if exponent.saturating_add(mantissa) > MOST_DIGITS {
                return Err(self.fault("a number of more than 30,100 digits"));
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<&'a [u8], Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.fault("no digit"));
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// A string with its quotes.
    fn string(&mut self) -> Result<&'a [u8], Fault> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(self.text.get(start..self.at).unwrap_or_default());
                }
                Some(b'\\') => self.escape()?,
                Some(0..0x20) => return Err(self.fault("a control character")),
                Some(_) => self.at += 1,
                None => return Err(self.fault("no end of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => match self.unit()? {
                0xd800..0xdc00 if self.eat(b'\\') && self.peek() == Some(b'u') => match self.unit()? {
                    0xdc00..0xe000 => Ok(()),
                    _ => Err(self.fault("half of a surrogate pair")),
                },
                0xd800..0xe000 => Err(self.fault("half of a surrogate pair")),
                _ => Ok(()),
            },
            _ => Err(self.fault("an unknown escape")),
        }
    }

    /// The four digits of `\uXXXX`, from the `u` on.
    fn unit(&mut self) -> Result<u16, Fault> {
        self.at += 1;
        let digits = self.text.get(self.at..self.at + 4);
        let unit = digits.and_then(|digits| {
            digits.iter().try_fold(0_u16, |unit, digit| {
                let digit = char::from(*digit).to_digit(16)?;
                Some(unit << 4 | u16::try_from(digit).ok()?)
            })
        });
        self.at += 4;
        unit.ok_or_else(|| self.fault("no four hexadecimal digits"))
    }
}

/// The keys of one object so far, with their quotes.
#[derive(Default)]
struct Keys<'a> {
    few: Vec<&'a [u8]>,
    many: HashSet<&'a [u8]>,
    /// Keys with escapes, as what they mean: they may equal one that is written otherwise.
    escaped: bool,
    meanings: HashSet<String>,
}

impl<'a> Keys<'a> {
    /// False if the key is there already.
    fn insert(&mut self, key: &'a [u8]) -> bool {
        if !self.escaped && key.contains(&b'\\') {
            self.escaped = true;
            self.meanings = self
                .few
                .iter()
                .chain(&self.many)
                .filter_map(|key| meaning(key))
                .collect();
        }
        if self.escaped {
            return meaning(key).is_some_and(|key| self.meanings.insert(key));
        }
        if self.few.len() < FEW_KEYS {
            let is_new = !self.few.contains(&key);
            self.few.push(key);
            return is_new;
        }
        !self.few.contains(&key) && self.many.insert(key)
    }
}

fn meaning(key: &[u8]) -> Option<String> {
    serde_json::from_slice(key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const CAPS: Caps = Caps {
        depth: 64,
        room: 10_000,
    };

    fn check(bytes: &[u8], mut caps: Caps) -> Result<(), Fault> {
        super::check(bytes, &mut caps)
    }

    fn read(bytes: &[u8], mut caps: Caps) -> Result<Value, String> {
        super::read(bytes, &mut caps)
    }

    #[test]
    fn depth_and_memory_are_capped() {
        let caps = Caps { depth: 2, room: 8 };
        assert_eq!(check(b"[[1],2]", caps), Ok(()));
        assert_eq!(check(b"[[[]]]", caps), Err(Fault::TooDeep));
        let error = check(b"[1,2,3,4]", caps).unwrap_err().to_string();
        assert_eq!(error, "more values than are read at byte 7");
        // Several documents share it.
        let mut caps = Caps { depth: 9, room: 100 };
        let objects = format!("[{}]", [r#"{"":0}"#; 3].join(","));
        assert_eq!(super::check(objects.as_bytes(), &mut caps), Ok(()));
        assert!(super::check(objects.as_bytes(), &mut caps).is_err());
    }

    #[test]
    fn an_object_is_taken_apart_into_the_texts_of_its_values() {
        let fields = |text| super::fields(text).map(|fields| format!("{fields:?}"));
        let text = r#" {"a" : 1.50 , "\u0062": {"c":[1, "}"]}, "":"\"" } "#;
        let want = r#"[("a", "1.50"), ("b", "{\"c\":[1, \"}\"]}"), ("", "\"\\\"\"")]"#;
        assert_eq!(fields(text).as_deref(), Some(want));
        assert_eq!(fields("{ }").as_deref(), Some("[]"));
        assert_eq!(fields("[1]"), None);
        assert_eq!(fields("1"), None);
    }

    /// With features of the JSON library that any crate may switch on, objects with such a key would be read as
    /// something else.
    #[test]
    fn no_key_has_a_meaning_of_its_own() {
        for key in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
            let text = format!(r#"{{"{key}":"1"}}"#);
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value.to_string(), text);
        }
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let text = br#" {"a": [1, -2, 1.5, "x", null, true]} "#;
        assert_eq!(read(text, CAPS).unwrap(), json!({"a": [1, -2, 1.5, "x", null, true]}));
        let error = read(b"1e999", CAPS).unwrap_err();
        assert!(error.contains("out of range"), "{error}");
    }

    #[test]
    fn only_strict_json_passes() {
        for text in [
            " {} ",
            "-0.5e+10",
            r#"["\ud83d\ude00\n\u0041", {"a": 1, "b": {"a": 2}}]"#,
            "1e999",
            "-12.5e-30000",
        ] {
            check(text.as_bytes(), CAPS).unwrap();
        }
        for (text, want) in [
            ("", "no value at byte 0"),
            ("{} x", "something after its end at byte 3"),
            ("[1,]", "no value at byte 3"),
            ("012", "something after its end at byte 1"),
            ("1.", "no digit"),
            // The first was found by fuzzing: the module answered where OPA refuses.
            ("1e40400", "a number of more than 30,100 digits"),
            ("[0.1E-30100]", "a number of more than 30,100 digits"),
            ("1e99999999999999999999", "a number of more than 30,100 digits"),
            ("+1", "no value"),
            ("NaN", "no value"),
            ("{'a':1}", "no key"),
            (r#"{"a":1,}"#, "no key"),
            ("{1:2}", "no key"),
            ("{1,2}", "no key"),
            ("set()", "no value"),
            (r#"{"a":1,"a":2}"#, "for the second time at byte 11"),
            (r#"{"a":1,"\u0061":2}"#, "for the second time"),
            (r#"{"\u0061":1,"b":1,"a":2}"#, "for the second time"),
            (r#""\ud800""#, "half of a surrogate pair"),
            (r#""\udc00""#, "half of a surrogate pair"),
            (r#""\ud800\u0041""#, "half of a surrogate pair"),
            (r#""\x41""#, "an unknown escape"),
            (r#""\u00g0""#, "no four hexadecimal digits"),
            ("\"\n\"", "a control character"),
            ("\"a", "no end of a string"),
        ] {
            let error = check(text.as_bytes(), CAPS).unwrap_err();
            assert!(error.to_string().contains(want), "{text}: {error}");
        }
        assert!(
            check(b"\"\xff\"", CAPS)
                .unwrap_err()
                .to_string()
                .contains("no UTF-8 at byte 1")
        );
        let keys: Vec<_> = (0..100).map(|n| format!("\"k{}\":1", n % 99)).collect();
        assert!(check(format!("{{{}}}", keys.join(",")).as_bytes(), CAPS).is_err());
    }

    proptest! {
        #[test]
        fn whatever_passes_is_json_to_others_too(text in r#"[\[\]{}:,"0-9a-e\\u.+ -]{0,30}"#) {
            let passes = check(text.as_bytes(), CAPS).is_ok();
            let reads = serde_json::from_str::<Value>(&text);
            prop_assert!(!passes || reads.is_ok() || text.contains(['e', 'E']), "{}", text);
        }

        #[test]
        fn what_serde_writes_passes(keys in prop::collection::vec(".*", 0..30), number: f64) {
            let value: Value = keys.into_iter().map(|key| (key, json!([number]))).collect();
            prop_assert!(check(value.to_string().as_bytes(), CAPS).is_ok());
        }
    }
}
