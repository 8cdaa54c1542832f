//! The input before the guest sees it. OPA's guest reads malformed JSON as *undefined*, on which a deny list allows
//! everything, and is lax in much else; so what it gets is checked here, byte by byte, and never rewritten.

use std::collections::HashSet;

use serde_json::Value;

use super::error::EvaluateError;
use super::limits::Limits;

/// Keys of one object that are compared with each other; above that, they are hashed.
const FEW_KEYS: usize = 16;

/// Digits of a number with an exponent, those that the exponent stands for included. OPA's library refuses numbers from
/// 2^100000 on, which has 30,103, and what is as small; its modules compute with them for a long time.
const MOST_DIGITS: usize = 30_100;

/// A document as the guest gets it. What is too deep or too large never reaches it.
pub(super) fn of_value(input: &Value, limits: &Limits) -> Result<Vec<u8>, EvaluateError> {
    if !fits_depth(input, limits.input_depth) {
        return Err(EvaluateError::InputTooDeep {
            limit: limits.input_depth,
        });
    }
    let text = input.to_string();
    if text.len() > limits.input_bytes {
        return Err(too_large(limits));
    }
    Ok(text.into_bytes())
}

/// Holds bytes to strict JSON (RFC 8259): one document, UTF-8, no key twice, no half of a surrogate pair.
pub(super) fn check(bytes: &[u8], limits: &Limits) -> Result<(), EvaluateError> {
    if bytes.len() > limits.input_bytes {
        return Err(too_large(limits));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| EvaluateError::MalformedInput {
        detail: format!("it is not UTF-8 at byte {}", error.valid_up_to()),
    })?;
    let mut scanner = Scanner {
        text: text.as_bytes(),
        at: 0,
        depth: limits.input_depth,
    };
    let outcome = scanner.value().and_then(|()| {
        scanner.space();
        if scanner.at < bytes.len() {
            return Err(Fault::Syntax("something after its end"));
        }
        Ok(())
    });
    outcome.map_err(|fault| match fault {
        Fault::TooDeep => EvaluateError::InputTooDeep {
            limit: limits.input_depth,
        },
        Fault::Syntax(what) => EvaluateError::MalformedInput {
            detail: format!("{what} at byte {}", scanner.at),
        },
    })
}

fn too_large(limits: &Limits) -> EvaluateError {
    EvaluateError::InputTooLarge {
        limit: limits.input_bytes,
    }
}

fn fits_depth(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| fits_depth(item, depth - 1)),
        Value::Object(fields) => depth > 0 && fields.values().all(|field| fits_depth(field, depth - 1)),
        _ => true,
    }
}

enum Fault {
    Syntax(&'static str),
    TooDeep,
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
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
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => Err(Fault::Syntax("no value")),
        }
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
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(Fault::Syntax("no key"));
            }
            let key = self.string()?;
            if !keys.insert(key) {
                return Err(Fault::Syntax("a key for the second time"));
            }
            self.space();
            if !self.eat(b':') {
                return Err(Fault::Syntax("no colon"));
            }
            self.value()?;
            if !self.goes_on(b'}')? {
                return Ok(());
            }
        }
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
        Err(Fault::Syntax("neither comma nor end"))
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(Fault::Syntax("no value"));
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
                return Err(Fault::Syntax("a number of more than 30,100 digits"));
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
            return Err(Fault::Syntax("no digit"));
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
                Some(0..0x20) => return Err(Fault::Syntax("a control character")),
                Some(_) => self.at += 1,
                None => return Err(Fault::Syntax("no end of a string")),
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
                    _ => Err(Fault::Syntax("half of a surrogate pair")),
                },
                0xd800..0xe000 => Err(Fault::Syntax("half of a surrogate pair")),
                _ => Ok(()),
            },
            _ => Err(Fault::Syntax("an unknown escape")),
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
        unit.ok_or(Fault::Syntax("no four hexadecimal digits"))
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

    #[test]
    fn input_is_measured_before_the_guest_sees_it() {
        let limits = Limits {
            input_bytes: 20,
            input_depth: 2,
            ..Limits::default()
        };
        for (input, reason) in [
            (json!({"a": [1]}), None),
            (json!([[[]]]), Some("InputTooDeep")),
            (json!({"a": {"b": {}}}), Some("InputTooDeep")),
            (json!("0123456789012345678"), Some("InputTooLarge")),
        ] {
            let by_value = of_value(&input, &limits).err().map(|error| error.reason());
            let by_bytes = check(input.to_string().as_bytes(), &limits)
                .err()
                .map(|error| error.reason());
            assert_eq!((by_value, by_bytes), (reason, reason), "{input}");
        }
    }

    #[test]
    fn only_strict_json_passes() {
        let limits = Limits::default();
        for text in [
            " {} ",
            "-0.5e+10",
            r#"["\ud83d\ude00\n\u0041", {"a": 1, "b": {"a": 2}}]"#,
            "1e999",
            "-12.5e-30000",
        ] {
            check(text.as_bytes(), &limits).unwrap();
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
            (r#"{"a":1,"a":2}"#, "a key for the second time at byte 10"),
            (r#"{"a":1,"\u0061":2}"#, "a key for the second time"),
            (r#"{"\u0061":1,"b":1,"a":2}"#, "a key for the second time"),
            (r#""\ud800""#, "half of a surrogate pair"),
            (r#""\udc00""#, "half of a surrogate pair"),
            (r#""\ud800\u0041""#, "half of a surrogate pair"),
            (r#""\x41""#, "an unknown escape"),
            (r#""\u00g0""#, "no four hexadecimal digits"),
            ("\"\n\"", "a control character"),
            ("\"a", "no end of a string"),
        ] {
            let error = check(text.as_bytes(), &limits).unwrap_err();
            assert_eq!(error.reason(), "MalformedInput", "{text}");
            assert!(error.to_string().contains(want), "{text}: {error}");
        }
        assert!(
            check(b"\"\xff\"", &limits)
                .unwrap_err()
                .to_string()
                .contains("not UTF-8 at byte 1")
        );
        let keys: Vec<_> = (0..100).map(|n| format!("\"k{}\":1", n % 99)).collect();
        assert!(check(format!("{{{}}}", keys.join(",")).as_bytes(), &limits).is_err());
    }

    proptest! {
        #[test]
        fn whatever_passes_is_json_to_others_too(text in r#"[\[\]{}:,"0-9a-e\\u.+ -]{0,30}"#) {
            let passes = check(text.as_bytes(), &Limits::default()).is_ok();
            let reads = serde_json::from_str::<Value>(&text);
            prop_assert!(!passes || reads.is_ok() || text.contains(['e', 'E']), "{}", text);
        }

        #[test]
        fn what_serde_writes_passes(keys in prop::collection::vec(".*", 0..30), number: f64) {
            let value: Value = keys.into_iter().map(|key| (key, json!([number]))).collect();
            prop_assert!(check(value.to_string().as_bytes(), &Limits::default()).is_ok());
        }
    }
}
