//! What layers of models hold, by their digest, by what their manifest takes them for, and by how they were read.
//!
//! A list of files cannot be checked without the layer, so unlike signatures it is believed when read: whoever can write to
//! the folder can say what is in a layer. Damage by accident is found by a digest.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::CacheError;
use super::folder::{Folder, is_format, take_apart};
use crate::digest::Digest;
use crate::model::artifact::{Contents, Layer, Reading};

const FORMAT: &str = "interlock layer cache 2";
const SUFFIX: &str = ".layer";
/// Room for the longest names and most digests that a layer's contents have.
const ENTRY_MAX: u64 = 64 * 1024 * 1024;

/// A folder with one file for each layer and way of reading it.
#[derive(Debug, Clone)]
pub struct LayerCache {
    folder: Folder,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    format: String,
    layer: Digest,
    read_as: String,
    digest: Digest,
    bytes: usize,
}

impl LayerCache {
    /// Uses a folder, making it if needed, and removes what a crash left half-written. One process
    /// at a time may use it.
    pub fn open(dir: &Path) -> Result<Self, CacheError> {
        let folder = Folder::open(dir, SUFFIX)?;
        Ok(Self { folder })
    }

    /// Stores what was found in the layer.
    pub fn store(&self, layer: &Layer, reading: &Reading, contents: &Contents) -> Result<(), CacheError> {
        let name = name(layer, reading);
        let piece = contents.to_json().map_err(|error| CacheError::Io {
            doing: "write",
            path: self.folder.path(&name),
            source: error.into(),
        })?;
        let entry = Entry {
            format: FORMAT.to_owned(),
            layer: layer.digest,
            read_as: layer.read_as(reading),
            digest: Digest::of(&piece),
            bytes: piece.len(),
        };
        self.folder.store(&name, &entry, &[&piece])
    }

    /// What was found in a layer when it was read in this way; `None` if it was not. A damaged entry is
    /// [`CacheError::Damaged`]: treat it as absent.
    pub fn load(&self, layer: &Layer, reading: &Reading) -> Result<Option<Contents>, CacheError> {
        let read = |bytes: &[u8]| read(bytes, layer, reading);
        self.folder.load(&name(layer, reading), ENTRY_MAX, read)
    }
}

fn name(layer: &Layer, reading: &Reading) -> String {
    Digest::of(format!("{} {}", layer.digest, layer.read_as(reading)).as_bytes()).hex()
}

fn read(bytes: &[u8], layer: &Layer, reading: &Reading) -> Result<Contents, String> {
    let (entry, mut pieces) = take_apart::<Entry>(bytes)?;
    is_format(&entry.format, FORMAT)?;
    if (entry.layer, entry.read_as) != (layer.digest, layer.read_as(reading)) {
        return Err(format!("it is about {}", entry.layer));
    }
    let piece = pieces.take(entry.bytes)?;
    if !entry.digest.matches(&piece) {
        return Err("its content has another digest".to_owned());
    }
    Contents::from_json(&piece, reading.algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::artifact::{LayerKind, Packing, contents};
    use crate::model::{Algorithm, FileName, Method};

    fn reading(algorithm: Algorithm, folder: Option<&str>) -> Reading {
        Reading {
            algorithm,
            method: Method::Files,
            folder: folder.map(|name| FileName::parse(name).unwrap()),
            keep: FileName::parse("a").ok(),
        }
    }

    fn layer(content: &[u8], kind: LayerKind) -> Layer {
        Layer {
            digest: Digest::of(content),
            size: 1,
            kind,
        }
    }

    fn file(name: &str) -> LayerKind {
        LayerKind::File(FileName::parse(name).unwrap())
    }

    #[test]
    fn what_was_found_is_found_again_for_the_same_way_of_reading() {
        let dir = tempfile::tempdir().unwrap();
        let cache = LayerCache::open(dir.path()).unwrap();
        let layer_of = layer;
        let layer = layer_of(b"x", file("a"));
        let ways = [
            reading(Algorithm::Sha256, None),
            reading(Algorithm::Blake2b, None),
            reading(Algorithm::Blake3, Some("b")),
        ];
        for (at, way) in ways.iter().enumerate() {
            assert!(cache.load(&layer, way).unwrap().is_none());
            let found = contents(&layer, way, &b"x"[..]).unwrap();
            assert_eq!(found.kept.is_some(), at < 3);
            cache.store(&layer, way, &found).unwrap();
            let again = LayerCache::open(dir.path()).unwrap();
            assert_eq!(again.load(&layer, way).unwrap(), Some(found));
            assert!(cache.load(&layer_of(b"y", file("a")), way).unwrap().is_none());
            // Another manifest may call the same bytes otherwise, or take them for an archive.
            let packings = [Packing::Plain, Packing::Gzip, Packing::Zstd].map(LayerKind::Archive);
            for kind in packings.into_iter().chain([file("b"), file("a/b")]) {
                let other = layer_of(b"x", kind);
                assert!(cache.load(&other, way).unwrap().is_none(), "{other:?}");
            }
        }
    }

    #[test]
    fn a_damaged_entry_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let cache = LayerCache::open(dir.path()).unwrap();
        let (layer, way) = (layer(b"x", file("a")), reading(Algorithm::Sha256, None));
        let found = Contents::default();
        cache.store(&layer, &way, &found).unwrap();
        let path = cache.folder.path(&name(&layer, &way));
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bent = good.clone();
            bent[at] ^= 1;
            std::fs::write(&path, &bent).unwrap();
            assert!(cache.load(&layer, &way).is_err(), "byte {at}");
            std::fs::write(&path, &good[..at]).unwrap();
            assert!(cache.load(&layer, &way).is_err(), "cut at {at}");
        }
    }
}
