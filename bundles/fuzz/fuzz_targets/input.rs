//! What passes as strict JSON is JSON to serde too, and the other way round.
#![no_main]

use interlock_bundles::engine::fuzz;
use interlock_fuzz::json::Strict;
use libfuzzer_sys::fuzz_target;

const DEPTH: usize = 100;

fuzz_target!(|bytes: &[u8]| {
    let passes = fuzz::is_strict_json(bytes, DEPTH);
    match serde_json::from_slice::<Strict>(bytes) {
        // What is too small for a double is 0 to serde, whatever its exponent.
        Ok(Strict(depth)) => assert!(passes == (depth <= DEPTH) || !passes && has_large_exponent(bytes)),
        // Serde holds numbers in a double, the engine keeps their digits.
        Err(error) => assert!(
            !passes || error.to_string().starts_with("number out of range"),
            "{error}"
        ),
    }
});

/// Whether there may be a number of more than 30,100 digits: no shorter exponent makes one of a short text.
fn has_large_exponent(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        rest = rest.get(at + 1..).unwrap_or_default();
        let digits = rest.strip_prefix(b"-").or_else(|| rest.strip_prefix(b"+")).unwrap_or(rest);
        if digits.iter().take_while(|byte| byte.is_ascii_digit()).count() >= 5 {
            return true;
        }
    }
    false
}
