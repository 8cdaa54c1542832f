//! Any payload is a statement or refused, and a statement is about what it names and nothing else.
#![no_main]

use interlock_bundles::trust::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    fuzz::statement(payload);
});
