//! Pulled bundles and their signatures, by digest of the bundle's manifest.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::CacheError;
use super::folder::{Folder, Listed, is_format, list, take_apart};
use crate::digest::Digest;
use crate::registry::{Caps, Evidence, Pulled};

const FORMAT: &str = "interlock bundle cache 1";
const SUFFIX: &str = ".bundle";

/// A folder with one file for each bundle, named by the digest of its manifest.
#[derive(Debug, Clone)]
pub struct BundleCache {
    folder: Folder,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contents {
    format: String,
    manifest_bytes: usize,
    layer_bytes: usize,
    evidence: Vec<Listed>,
}

impl BundleCache {
    /// Uses a folder, making it if needed, and removes what a crash left half-written. One process
    /// at a time may use it.
    pub fn open(dir: &Path) -> Result<Self, CacheError> {
        let folder = Folder::open(dir, SUFFIX)?;
        Ok(Self { folder })
    }

    /// Stores a bundle with its signatures, in place of what was stored under its digest.
    pub fn store(&self, pulled: &Pulled, evidence: &[Evidence]) -> Result<(), CacheError> {
        let contents = Contents {
            format: FORMAT.to_owned(),
            manifest_bytes: pulled.manifest().len(),
            layer_bytes: pulled.layer().len(),
            evidence: list(evidence),
        };
        let signatures = evidence.iter().map(|one| one.bytes.as_slice());
        let pieces: Vec<_> = [pulled.manifest(), pulled.layer()]
            .into_iter()
            .chain(signatures)
            .collect();
        self.folder.store(&pulled.digest().hex(), &contents, &pieces)
    }

    /// What is stored for a digest; `None` if nothing is. A damaged entry is
    /// [`CacheError::Damaged`]: treat it as absent.
    pub fn load(&self, digest: &Digest) -> Result<Option<(Pulled, Vec<Evidence>)>, CacheError> {
        self.folder
            .load(&digest.hex(), entry_max(), |bytes| read(bytes, digest))
    }

    /// Removes every entry but these, and tells how many. This is how the cache stays small: the
    /// caller knows which bundles still matter.
    pub fn keep(&self, wanted: &BTreeSet<Digest>) -> Result<usize, CacheError> {
        self.folder.keep(wanted.iter().map(Digest::hex))
    }
}

/// The most that a pull under the default caps can store.
fn entry_max() -> u64 {
    let caps = Caps::default();
    caps.manifest_bytes + caps.layer_bytes + caps.evidence_bytes
}

/// Takes an entry apart and compares every piece with its digest.
fn read(bytes: &[u8], digest: &Digest) -> Result<(Pulled, Vec<Evidence>), String> {
    let (contents, mut pieces) = take_apart::<Contents>(bytes)?;
    is_format(&contents.format, FORMAT)?;
    let manifest = pieces.take(contents.manifest_bytes)?;
    if !digest.matches(&manifest) {
        return Err("its manifest has another digest".to_owned());
    }
    let pulled = Pulled::new(manifest, pieces.take(contents.layer_bytes)?).map_err(|error| error.to_string())?;
    Ok((pulled, pieces.signatures(contents.evidence)?))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    fn pulled(content: &str) -> Pulled {
        let layer = content.as_bytes().to_vec();
        let manifest = serde_json::json!({"layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": Digest::of(&layer), "size": layer.len(),
        }]});
        Pulled::new(manifest.to_string().into_bytes(), layer).unwrap()
    }

    fn evidence(content: &str) -> Evidence {
        let bytes = content.as_bytes().to_vec();
        Evidence {
            media_type: "application/x".to_owned(),
            digest: Digest::of(&bytes),
            bytes,
        }
    }

    impl BundleCache {
        fn path(&self, digest: &Digest) -> PathBuf {
            self.folder.path(&digest.hex())
        }
    }

    fn cache() -> (tempfile::TempDir, BundleCache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = BundleCache::open(&dir.path().join("bundles")).unwrap();
        (dir, cache)
    }

    #[test]
    fn what_is_stored_is_found_also_after_a_restart() {
        let (dir, cache) = cache();
        let bundle = pulled("a\nb");
        assert!(cache.load(&bundle.digest()).unwrap().is_none());
        for signatures in [vec![], vec![evidence("one\n"), evidence("")], vec![evidence("two")]] {
            cache.store(&bundle, &signatures).unwrap();
            let again = BundleCache::open(&dir.path().join("bundles")).unwrap();
            let (found, found_signatures) = again.load(&bundle.digest()).unwrap().unwrap();
            assert_eq!(
                (found.digest(), found.layer(), found_signatures),
                (bundle.digest(), bundle.layer(), signatures)
            );
        }
        assert_eq!(fs::read_dir(dir.path().join("bundles")).unwrap().count(), 1);
    }

    /// Every single byte, and every length.
    #[test]
    fn a_damaged_entry_is_never_used() {
        let (_dir, cache) = cache();
        let bundle = pulled("content");
        cache.store(&bundle, &[evidence("signature")]).unwrap();
        let path = cache.path(&bundle.digest());
        let good = fs::read(&path).unwrap();
        let found = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            cache.load(&bundle.digest())
        };
        for at in 0..good.len() {
            let mut bent = good.clone();
            bent[at] ^= 1;
            match found(&bent) {
                Err(error) => assert_eq!(error.reason(), "CacheEntryDamaged"),
                // The signature's media type is a hint and has no digest of its own.
                Ok(entry) => {
                    let (pulled, signatures) = entry.unwrap();
                    assert_eq!(
                        (pulled.layer(), signatures[0].bytes.as_slice()),
                        (bundle.layer(), b"signature".as_slice()),
                        "byte {at}"
                    );
                }
            }
            assert!(
                matches!(found(&good[..at]), Err(CacheError::Damaged { .. })),
                "cut at {at}"
            );
        }
        assert!(found(&[good.as_slice(), b"x"].concat()).is_err());
        let other = pulled("other");
        fs::write(cache.path(&other.digest()), &good).unwrap();
        assert!(cache.load(&other.digest()).is_err(), "another bundle's entry");
    }

    #[test]
    fn a_lying_table_of_contents_allocates_nothing() {
        let (_dir, cache) = cache();
        let digest = Digest::of(b"x");
        for contents in [
            r#"{"format":"interlock bundle cache 1","manifestBytes":18446744073709551615,"layerBytes":1,"evidence":[]}"#,
            r#"{"format":"interlock bundle cache 2","manifestBytes":1,"layerBytes":1,"evidence":[]}"#,
            "",
        ] {
            fs::write(cache.path(&digest), format!("{contents}\nx")).unwrap();
            assert!(cache.load(&digest).is_err());
        }
    }

    #[test]
    fn only_what_is_wanted_is_kept_and_a_crash_leaves_nothing() {
        let (dir, cache) = cache();
        let bundles = [pulled("a"), pulled("b"), pulled("c")];
        for bundle in &bundles {
            cache.store(bundle, &[]).unwrap();
        }
        let dir = dir.path().join("bundles");
        fs::write(dir.join("abc.0.writing"), "half").unwrap();
        fs::write(dir.join("README"), "not ours").unwrap();
        assert_eq!(cache.keep(&BTreeSet::from([bundles[1].digest()])).unwrap(), 2);
        let cache = BundleCache::open(&dir).unwrap();
        let there: Vec<bool> = bundles
            .iter()
            .map(|bundle| cache.load(&bundle.digest()).unwrap().is_some())
            .collect();
        assert_eq!(there, [false, true, false]);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
    }
}
