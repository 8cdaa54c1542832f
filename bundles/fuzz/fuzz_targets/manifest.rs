//! A `.manifest` of any bytes is read or refused, and nothing of it escapes the caps.
#![no_main]

use interlock_fuzz::{gzip, open, tar};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|manifest: &[u8]| {
    if let Ok(bundle) = open(&gzip(&tar(&[("policy.wasm", b"\0asm"), (".manifest", manifest)]))) {
        assert!(bundle.entrypoints().count() > 0);
        assert!(
            bundle
                .entrypoints()
                .all(|path| !path.is_empty() && path.chars().count() <= 256)
        );
        for label in [bundle.name(), bundle.revision()].into_iter().flatten() {
            assert!(!label.is_empty() && !label.chars().any(char::is_control));
        }
    }
});
