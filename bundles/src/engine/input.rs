//! The input before the guest sees it. OPA's guest reads malformed JSON as *undefined*, on which a deny list allows
//! everything, and is lax in much else; so what it gets is checked here, byte by byte, and never rewritten.

use serde_json::Value;

use super::error::EvaluateError;
use super::limits::Limits;
use crate::strict_json::{self, Caps, Fault};

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

/// Holds bytes to strict JSON: one document, UTF-8, no key twice, no half of a surrogate pair.
pub(super) fn check(bytes: &[u8], limits: &Limits) -> Result<(), EvaluateError> {
    if bytes.len() > limits.input_bytes {
        return Err(too_large(limits));
    }
    let mut caps = Caps {
        depth: limits.input_depth,
        room: usize::MAX,
    };
    strict_json::check(bytes, &mut caps).map_err(|fault| match fault {
        Fault::TooDeep => EvaluateError::InputTooDeep {
            limit: limits.input_depth,
        },
        fault => EvaluateError::MalformedInput {
            detail: fault.to_string(),
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

#[cfg(test)]
mod tests {
    use super::*;
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
        let error = check(br#"{"a":1,"a":2}"#, &limits).unwrap_err();
        assert_eq!(error.reason(), "MalformedInput");
        assert!(
            error.to_string().contains("key \"a\" for the second time at byte 11"),
            "{error}"
        );
    }
}
