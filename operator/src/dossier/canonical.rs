//! Canonical JSON: equal documents have equal bytes, and so equal digests.
//!
//! Keys are sorted by their UTF-8 bytes and there is no white space. Numbers keep the form that `serde_json`
//! gives them; they come from the API server or from one parser, so that one number has one form.

use serde_json::Value;

/// The canonical bytes of `value`.
pub fn bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_bytes());
            out.push(b'{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                scalar(&Value::String(key.clone()), out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        other => scalar(other, out),
    }
}

fn scalar(value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(value.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value = json!({"b": [{"z": 1, "a": "é\n"}], "a": null});
        assert_eq!(
            String::from_utf8(super::bytes(&value)).unwrap(),
            r#"{"a":null,"b":[{"a":"é\n","z":1}]}"#
        );
    }
}
