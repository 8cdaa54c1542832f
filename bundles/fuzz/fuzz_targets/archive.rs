//! A bundle layer of any bytes is opened or refused. What is no gzip is taken for the tar inside, because checksums
//! would let hardly any change through.
#![no_main]

use interlock_fuzz::{gzip, open};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let opened = if bytes.starts_with(&[0x1f, 0x8b]) {
        open(bytes)
    } else {
        open(&gzip(bytes))
    };
    if let Ok(bundle) = opened {
        assert!(bundle.entrypoints().count() > 0);
        assert!(bundle.data().is_object());
    }
});
