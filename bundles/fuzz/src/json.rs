//! JSON for the fuzzer: a second opinion on what is strict, and changes that leave a document well-formed.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A document without a key twice, by serde's reading. Holds how deep it is nested.
pub struct Strict(pub usize);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict(0))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
        Ok(Strict(0))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
        Ok(Strict(0))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
        Ok(Strict(0))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
        Ok(Strict(0))
    }

    fn visit_str<E>(self, _: &str) -> Result<Strict, E> {
        Ok(Strict(0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strict, A::Error> {
        let mut deepest = 0;
        while let Some(Strict(depth)) = items.next_element()? {
            deepest = deepest.max(depth);
        }
        Ok(Strict(deepest + 1))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Strict, A::Error> {
        let mut keys = HashSet::new();
        let mut deepest = 0;
        while let Some((key, Strict(depth))) = fields.next_entry::<String, Strict>()? {
            if !keys.insert(key) {
                return Err(A::Error::custom("a key twice"));
            }
            deepest = deepest.max(depth);
        }
        Ok(Strict(deepest + 1))
    }
}

/// Values that policies stumble over, and that mean something to the shipped ones.
const ODD: [&str; 24] = [
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e400",
    "18446744073709551616",
    "[]",
    "{}",
    "[{}]",
    r#"["ALL",1,null]"#,
    r#""""#,
    r#""*""#,
    r#""é\ud83d\ude00\u0000\u2028""#,
    r#""<&>""#,
    r#""1.5Gi""#,
    r#""nginx@sha256:00""#,
    r#""cluster-admin""#,
    r#""Unconfined""#,
    r#""verified""#,
    r#""rejected""#,
    r#""unavailable""#,
    r#"{"name":"x","value":"hunter2"}"#,
    r#"{"privileged":true,"runAsUser":0}"#,
];

/// The document with one change that `seed` chooses: a value in another's place, a value gone, a value twice.
pub fn change(document: &Value, seed: u32) -> String {
    let mut chance = Chance(seed);
    let mut document = document.clone();
    let places = count(&document);
    // The mark stands for what has to be written as it is, because numbers would lose their digits.
    let mark = Value::from("\u{1}");
    let odd = ODD[chance.below(ODD.len())];
    let at = chance.below(places);
    let kind = chance.below(4);
    let other = nth(&document, chance.below(places)).cloned().unwrap_or_default();
    if let Some(place) = nth_mut(&mut document, at) {
        match (kind, place) {
            (0, Value::Array(items)) if !items.is_empty() => drop(items.remove(chance.below(items.len()))),
            (0, Value::Object(fields)) if !fields.is_empty() => {
                let key = fields
                    .keys()
                    .nth(chance.below(fields.len()))
                    .cloned()
                    .unwrap_or_default();
                drop(fields.remove(&key));
            }
            (1, place) => *place = other,
            (2, Value::Array(items)) => items.push(other),
            (_, place) => *place = mark.clone(),
        }
    }
    document.to_string().replace(&mark.to_string(), odd)
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

fn count(value: &Value) -> usize {
    1 + children(value).into_iter().map(count).sum::<usize>()
}

fn nth(value: &Value, mut index: usize) -> Option<&Value> {
    if index == 0 {
        return Some(value);
    }
    index -= 1;
    for child in children(value) {
        let inside = count(child);
        if index < inside {
            return nth(child, index);
        }
        index -= inside;
    }
    None
}

fn nth_mut(value: &mut Value, mut index: usize) -> Option<&mut Value> {
    if index == 0 {
        return Some(value);
    }
    index -= 1;
    let children: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => Vec::new(),
    };
    for child in children {
        let inside = count(child);
        if index < inside {
            return nth_mut(child, index);
        }
        index -= inside;
    }
    None
}

/// Xorshift: the same seed, the same choices.
struct Chance(u32);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.max(1);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % limit.max(1)
    }
}
