//! What passes as strict JSON is JSON to serde too, and the other way round.
#![no_main]

use interlock_bundles::engine::fuzz;
use interlock_fuzz::json::Strict;
use libfuzzer_sys::fuzz_target;

const DEPTH: usize = 100;

fuzz_target!(|bytes: &[u8]| {
    let passes = fuzz::is_strict_json(bytes, DEPTH);
    match serde_json::from_slice::<Strict>(bytes) {
        Ok(Strict(depth)) => assert_eq!(passes, depth <= DEPTH),
        // Serde holds numbers in a double, the engine keeps their digits.
        Err(error) => assert!(
            !passes || error.to_string().starts_with("number out of range"),
            "{error}"
        ),
    }
});
