//! Any payload is a model's list of files or refused.
#![no_main]

use interlock_bundles::trust::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    if let Some(files) = fuzz::model_manifest(payload) {
        assert!(files <= payload.len());
    }
});
