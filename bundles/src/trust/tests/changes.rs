//! Every place of a document changed in every way: what the tests of forged bundles try.

use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::*;

/// Base64 whose last bits may be anything.
const SPELLINGS: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The status that a timestamp begins with, after its own tag and length.
const GRANTED: [u8; 5] = [0x30, 3, 2, 1, 0];

/// A change: where, what kind of, and the whole text.
pub(super) struct Mutant {
    pub(super) at: String,
    pub(super) how: &'static str,
    pub(super) json: String,
}

/// Every place in a document but the whole.
pub(super) fn places(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, found: &mut Vec<String>) {
        let mut below = |name: &str, value: &Value| {
            let at = format!("{at}/{name}");
            walk(value, &at, found);
            found.push(at);
        };
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| below(name, value)),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(index, value)| below(&index.to_string(), value)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

pub(super) fn replaced(bundle: &Value, at: &str, value: Value) -> Value {
    let mut bundle = bundle.clone();
    *bundle.pointer_mut(at).unwrap() = value;
    bundle
}

fn dropped(bundle: &Value, at: &str) -> Value {
    let mut bundle = bundle.clone();
    let (parent, name) = at.rsplit_once('/').unwrap();
    match bundle.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(name).unwrap()),
        Value::Array(items) => drop(items.remove(name.parse::<usize>().unwrap())),
        _ => unreachable!(),
    }
    bundle
}

/// A member twice: `value` goes second, or in an array after the last.
fn twice(bundle: &Value, at: &str, value: &Value) -> String {
    const AGAIN: &str = "~again";
    let mut bundle = bundle.clone();
    let (parent, name) = at.rsplit_once('/').unwrap();
    match bundle.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.insert(format!("{name}{AGAIN}"), value.clone())),
        Value::Array(items) => items.push(value.clone()),
        _ => unreachable!(),
    }
    bundle.to_string().replace(AGAIN, "")
}

/// Other texts in the place of a text: bits of what it encodes flipped, characters changed, numbers one off.
fn texts(text: &str) -> Vec<(&'static str, String)> {
    let mut found: Vec<(&'static str, String)> = Vec::new();
    if let Ok(bytes) = STANDARD.decode(text) {
        // All bytes of what is short, and of timestamps, of which not all is signed; some of what is long.
        let token = bytes.get(4..9) == Some(&GRANTED);
        let step = if token { 1 } else { (bytes.len() / 24).max(1) };
        for at in (0..bytes.len()).step_by(step) {
            for bit in [Some(at % 8), token.then_some(0)].into_iter().flatten() {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                found.push(("bit", STANDARD.encode(bytes)));
            }
        }
    }
    let characters: Vec<char> = text.chars().collect();
    for at in [
        0,
        characters.len() / 3,
        characters.len() / 2,
        characters.len().saturating_sub(1),
    ] {
        let mut others = characters.clone();
        if let Some(other) = others.get_mut(at) {
            *other = if *other == 'A' { 'B' } else { 'A' };
            found.push(("text", others.iter().collect()));
            others.remove(at);
            found.push(("text", others.into_iter().collect()));
        }
    }
    found.extend(["", &format!("{text}A"), &format!("{text}\n")].map(|other| ("text", other.to_owned())));
    // Another spelling of the same bytes is no change; ours is the stricter reader, and takes one only.
    let bytes = |text: &str| SPELLINGS.decode(text.trim_end_matches(['\n', '='])).ok();
    found.retain(|(_, other)| bytes(text).is_none() || bytes(other) != bytes(text));
    let length = |text: &str| bytes(text).map(|bytes| bytes.len());
    for (how, other) in &mut found {
        if *how == "text" && length(other).is_some() && length(other) == length(text) {
            *how = "bit";
        } else if text.parse::<i64>().is_ok() && other.parse::<i64>().is_ok() {
            *how = "number";
        }
    }
    if let Ok(number) = text.parse::<i64>() {
        found.extend([number + 1, number - 1, -number, 0].map(|other| ("number", other.to_string())));
    }
    found
}

/// Every place dropped, null, twice, in the place of another bundle's, and every text and number changed.
pub(super) fn mutants(bundle: &Value, donors: &[Value]) -> Vec<Mutant> {
    let mut found = Vec::new();
    for at in places(bundle) {
        let mut add = |how, json: String| {
            let at = at.clone();
            found.push(Mutant { at, how, json });
        };
        let own = bundle.pointer(&at).unwrap();
        add("dropped", dropped(bundle, &at).to_string());
        add("null", replaced(bundle, &at, json!(null)).to_string());
        add("twice", twice(bundle, &at, own));
        for donor in donors.iter().filter_map(|donor| donor.pointer(&at)) {
            add("swapped", replaced(bundle, &at, donor.clone()).to_string());
            add("twice", twice(bundle, &at, donor));
            add("twice", twice(&replaced(bundle, &at, donor.clone()), &at, own));
        }
        match own {
            Value::String(text) => {
                for (how, text) in texts(text) {
                    add(how, replaced(bundle, &at, json!(text)).to_string());
                }
            }
            Value::Number(number) => {
                for other in [number.as_i64().unwrap() + 1, number.as_i64().unwrap() - 1] {
                    add("number", replaced(bundle, &at, json!(other)).to_string());
                }
            }
            Value::Array(items) => {
                let reversed = items.iter().rev().cloned().collect();
                add("reordered", replaced(bundle, &at, Value::Array(reversed)).to_string());
            }
            _ => {}
        }
    }
    // What says the same is no change.
    let same =
        |mutant: &Mutant| mutant.how != "twice" && serde_json::from_str::<Value>(&mutant.json).unwrap() == *bundle;
    found.retain(|mutant| !same(mutant));
    found
}
