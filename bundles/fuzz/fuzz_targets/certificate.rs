//! Any bytes are a certificate or refused, and whoever it names is compared with those who count.
#![no_main]

use interlock_bundles::trust::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| {
    fuzz::certificate(der);
});
