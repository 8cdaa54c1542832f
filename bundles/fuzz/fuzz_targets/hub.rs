//! A page of a hub's list, of any bytes, is read or refused; no file of it leaves the model's folder.
#![no_main]

use interlock_bundles::model::hub::HubFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(files) = HubFile::read_page(bytes) {
        // Each takes at least `{"type":"","path":"","size":0}`.
        assert!(files.len() <= bytes.len() / 20);
        assert!(
            !files
                .iter()
                .any(|file| file.name.as_str().split('/').any(|part| part == ".."))
        );
    }
});
