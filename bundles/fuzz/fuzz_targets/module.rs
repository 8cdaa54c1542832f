//! A module of any bytes is refused, or compiled and judged within its limits; and one that gets a memory of its own is
//! still a valid module.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use interlock_bundles::engine::{Engine, Limits, fuzz};
use interlock_fuzz::{gzip, open, tar};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const MANIFEST: &[u8] = br#"{"revision":"1.0.0","wasm":[{"entrypoint":"hostile/deny","module":"/policy.wasm"}]}"#;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().expect("an engine"));

fuzz_target!(|wasm: &[u8]| {
    let Some(owning) = fuzz::own_memory(wasm) else {
        return;
    };
    wasmparser::Validator::new()
        .validate_all(&owning)
        .expect("a valid module");
    let Ok(bundle) = open(&gzip(&tar(&[("policy.wasm", wasm), (".manifest", MANIFEST)]))) else {
        return;
    };
    let limits = Limits {
        memory_bytes: 4 << 20,
        deadline: Duration::from_millis(2),
        result_bytes: 64 << 10,
        ..Limits::default()
    };
    if let Ok(policy) = ENGINE.compile(&bundle, limits) {
        let _ = policy.judge(&json!({"object": {"a": [1]}}), Timestamp::UNIX_EPOCH);
    }
});
