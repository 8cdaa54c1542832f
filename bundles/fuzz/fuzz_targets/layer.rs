//! A model's layer of any bytes is read to its end or refused, packed or not, and no file leaves the model's folder.
#![no_main]

use interlock_bundles::digest::Digest;
use interlock_bundles::model::artifact::{Layer, LayerKind, Packing, Reading, contents};
use interlock_bundles::model::{Algorithm, Method};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
        let layer = Layer {
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            kind: LayerKind::Archive(packing),
        };
        let reading = Reading {
            algorithm: Algorithm::Sha256,
            method: Method::Files,
            folder: None,
            keep: None,
        };
        if let Ok(found) = contents(&layer, &reading, bytes) {
            assert!(
                found
                    .files
                    .iter()
                    .all(|file| !file.name.as_str().split('/').any(|part| part == ".."))
            );
        }
    }
});
