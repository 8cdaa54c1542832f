//! Memory of any bytes is read as a value or refused; a value that is text is the same in memory. The first byte says
//! which of the two is asked, the next four where the value is.
#![no_main]

use interlock_bundles::engine::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(([kind, at @ ..], rest)) = bytes.split_first_chunk::<5>() else {
        return;
    };
    let at = u32::from_le_bytes(*at);
    if kind % 2 == 0 {
        let _ = fuzz::read_value(rest, at, 4096, 32);
    } else if let Ok(text) = std::str::from_utf8(rest)
        && let Some(seen) = fuzz::round_trips(text, at % 4096)
    {
        assert!(seen.iter().all(|other| *other == seen[0]), "{seen:?}");
    }
});
