//! What a registry may answer: manifests of bundles and models, pages of referrers, signatures of the old format.
#![no_main]

use interlock_bundles::model::artifact::Artifact;
use interlock_bundles::registry::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    fuzz::manifest(bytes);
    fuzz::legacy(bytes);
    if let Some(found) = fuzz::index(bytes) {
        assert!(found <= bytes.len());
    }
    let _ = Artifact::read(bytes);
});
