//! A bundle's data files as one tree. Of each value that is no object the text is kept too: a number as JSON readers
//! hold it has 64 bits or is a double, and OPA compares all its digits.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::Malformed;
use crate::strict_json::{self, Caps};

/// Nesting is what the JSON reader takes; the room, 128 MiB, is for all files together.
pub(super) const CAPS: Caps = Caps {
    depth: 127,
    room: 4 << 20,
};

/// All data files as one object.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) tree: Value,
    text: Text,
}

/// The same as text. Objects are taken apart where something is put in or left out.
#[derive(Debug, Clone)]
enum Text {
    Whole(String),
    Object(BTreeMap<String, Text>),
}

impl Data {
    /// Merges files, of which `a/b/data.json` is `data.a.b`.
    pub(super) fn merge(files: Vec<(String, Vec<u8>)>) -> Result<Self, Malformed> {
        let files: BTreeMap<String, Vec<u8>> = files.into_iter().collect();
        let mut tree = Map::new();
        let mut text = BTreeMap::new();
        let mut caps = CAPS;
        for (path, bytes) in &files {
            let malformed = |detail: String| Malformed::MalformedData {
                path: path.clone(),
                detail,
            };
            let mut value = strict_json::read(bytes, &mut caps).map_err(malformed)?;
            let mut raw = Text::Whole(String::from_utf8_lossy(bytes).trim_ascii().to_owned());
            for folder in path.rsplit('/').skip(1) {
                value = Value::Object(Map::from_iter([(folder.to_owned(), value)]));
                raw = Text::Object(BTreeMap::from([(folder.to_owned(), raw)]));
            }
            let (Value::Object(value), Some(raw)) = (value, raw.into_object()) else {
                return Err(malformed("the data of the root is not an object".to_owned()));
            };
            merge_into(&mut tree, value)
                .map_err(|key| malformed(format!("key {key:?} is already in another data file")))?;
            merge_text(&mut text, raw);
        }
        Ok(Self {
            tree: Value::Object(tree),
            text: Text::Object(text),
        })
    }

    /// The whole as JSON without what is at a path. Every number is written as in its file.
    pub(super) fn to_json_without(&self, path: &[&str]) -> String {
        let mut json = String::new();
        self.text.write(path, &mut json);
        json
    }
}

impl Text {
    fn into_object(self) -> Option<BTreeMap<String, Self>> {
        match self {
            Self::Object(fields) => Some(fields),
            Self::Whole(text) => open(&text),
        }
    }

    fn write(&self, without: &[&str], json: &mut String) {
        match self {
            Self::Whole(text) if without.is_empty() => json.push_str(text),
            Self::Whole(text) => match open(text) {
                Some(fields) => Self::Object(fields).write(without, json),
                None => json.push_str(text),
            },
            Self::Object(fields) => {
                let kept = fields.iter().filter_map(|(key, value)| match without {
                    [last] if last == key => None,
                    [first, rest @ ..] if first == key => Some((key, value, rest)),
                    _ => Some((key, value, [].as_slice())),
                });
                json.push('{');
                for (index, (key, value, without)) in kept.enumerate() {
                    if index > 0 {
                        json.push(',');
                    }
                    json.push_str(&Value::from(key.as_str()).to_string());
                    json.push(':');
                    value.write(without, json);
                }
                json.push('}');
            }
        }
    }
}

/// The fields of an object; `None` for anything else.
fn open(text: &str) -> Option<BTreeMap<String, Text>> {
    let fields = strict_json::fields(text)?.into_iter();
    Some(fields.map(|(key, text)| (key, Text::Whole(text.to_owned()))).collect())
}

/// Objects are merged key by key; anything else twice is a conflict, named by its key.
fn merge_into(tree: &mut Map<String, Value>, from: Map<String, Value>) -> Result<(), String> {
    for (key, value) in from {
        match (tree.get_mut(&key), value) {
            (Some(Value::Object(ours)), Value::Object(theirs)) => merge_into(ours, theirs)?,
            (Some(_), _) => return Err(key.chars().take(100).collect()),
            (None, value) => {
                tree.insert(key, value);
            }
        }
    }
    Ok(())
}

/// The same for what merges without a conflict.
fn merge_text(tree: &mut BTreeMap<String, Text>, from: BTreeMap<String, Text>) {
    for (key, text) in from {
        let text = match tree.remove(&key).and_then(Text::into_object) {
            Some(mut ours) => {
                merge_text(&mut ours, text.into_object().unwrap_or_default());
                Text::Object(ours)
            }
            None => text,
        };
        tree.insert(key, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(files: &[(&str, &str)]) -> Result<Data, Malformed> {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        Data::merge(files.collect())
    }

    #[test]
    fn numbers_keep_the_text_of_their_file() {
        let data = merge(&[
            (
                "data.json",
                r#"{"a": {"b": 12345678901234567890123, "x": [0.1000, 1e2]}, "z": -0}"#,
            ),
            ("a/c/data.json", "1.50"),
            ("a/d/data.json", r#"{"e": {"golden": 1, "kept": 1.0}, "golden": 2}"#),
        ])
        .unwrap();
        assert_eq!(
            data.to_json_without(&["a", "d", "e", "golden"]),
            r#"{"a":{"b":12345678901234567890123,"c":1.50,"d":{"e":{"kept":1.0},"golden":2},"x":[0.1000, 1e2]},"z":-0}"#
        );
        assert!(
            data.to_json_without(&["a", "nothing", "there"])
                .contains("\"golden\": 1")
        );
        assert_eq!(merge(&[]).unwrap().to_json_without(&["interlock", "golden"]), "{}");
    }

    #[test]
    fn the_text_says_what_the_tree_does() {
        let data = merge(&[
            (
                "data.json",
                r#"{"\u0061":{"b":[{"c":"\n\""}]},"interlock":{"golden":{"g":{}}}}"#,
            ),
            ("a/x/y/data.json", "[true,null]"),
            ("interlock/other/data.json", "{}"),
        ])
        .unwrap();
        let mut tree = data.tree.clone();
        assert_eq!(serde_json::from_str::<Value>(&data.to_json_without(&[])).unwrap(), tree);
        tree["interlock"].as_object_mut().unwrap().remove("golden");
        let without = data.to_json_without(&["interlock", "golden"]);
        assert_eq!(serde_json::from_str::<Value>(&without).unwrap(), tree);
    }

    #[test]
    fn what_cannot_be_merged_or_computed_with_is_refused() {
        for (files, want) in [
            (
                [("a/data.json", "1"), ("data.json", r#"{"a":1}"#)],
                "already in another",
            ),
            ([("a/data.json", "1"), ("b/data.json", "1e-40400")], "30,100 digits"),
            ([("a/data.json", "1"), ("b/data.json", "1e999")], "out of range"),
        ] {
            let error = merge(&files).unwrap_err();
            assert!(error.to_string().contains(want), "{error}");
        }
    }
}
