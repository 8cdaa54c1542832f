//! Pulled bundles and their signatures on disk, so that a restart during a registry outage finds them.
//!
//! Nothing read from here is trusted: bytes are compared with their digests when read, signatures are
//! checked again by whoever asks. One file an entry, written aside and renamed, so that a crash leaves
//! the old entry or the new one.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::registry::{Caps, Evidence, Pulled};

const FORMAT: &str = "interlock bundle cache 1";
const SUFFIX: &str = ".bundle";
const ASIDE: &str = ".writing";
/// An entry's first line: the table of contents. 64 signatures need some 12 KiB.
const CONTENTS_MAX: usize = 256 * 1024;

/// A folder with one file for each bundle, named by the digest of its manifest.
#[derive(Debug, Clone)]
pub struct BundleCache {
    dir: PathBuf,
}

/// Why the cache did not serve. None of these is more than a reason to ask the registry.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file system refused.
    #[error("cannot {doing} {path:?} in the bundle cache")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// An entry is there, but not what was stored. Treat it as absent, and say so.
    #[error("the bundle cache entry {path:?} is damaged and not used: {problem}")]
    Damaged {
        /// The entry.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl CacheError {
    /// The stable name for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Io { .. } => "CacheUnavailable",
            Self::Damaged { .. } => "CacheEntryDamaged",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contents {
    format: String,
    manifest_bytes: usize,
    layer_bytes: usize,
    evidence: Vec<EvidenceEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EvidenceEntry {
    media_type: String,
    digest: Digest,
    bytes: usize,
}

impl BundleCache {
    /// Uses a folder, making it if needed, and removes what a crash left half-written. One process
    /// at a time may use it.
    pub fn open(dir: &Path) -> Result<Self, CacheError> {
        fs::create_dir_all(dir).map_err(|source| io_error("create", dir, source))?;
        let cache = Self { dir: dir.to_owned() };
        for path in cache.files(ASIDE)? {
            fs::remove_file(&path).map_err(|source| io_error("remove", &path, source))?;
        }
        Ok(cache)
    }

    /// Stores a bundle with its signatures, in place of what was stored under its digest.
    pub fn store(&self, pulled: &Pulled, evidence: &[Evidence]) -> Result<(), CacheError> {
        static WRITES: AtomicU64 = AtomicU64::new(0);
        let path = self.path(&pulled.digest());
        let aside = path.with_extension(format!("{}{ASIDE}", WRITES.fetch_add(1, Ordering::Relaxed)));
        let written = write(&aside, pulled, evidence)
            .and_then(|()| fs::rename(&aside, &path))
            .and_then(|()| File::open(&self.dir)?.sync_all());
        written.map_err(|source| {
            // The first failure is the one to tell.
            drop(fs::remove_file(&aside));
            io_error("write", &path, source)
        })
    }

    /// What is stored for a digest; `None` if nothing is. A damaged entry is
    /// [`CacheError::Damaged`]: treat it as absent.
    pub fn load(&self, digest: &Digest) -> Result<Option<(Pulled, Vec<Evidence>)>, CacheError> {
        let path = self.path(digest);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|file| file.take(entry_max() + 1).read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error("read", &path, source)),
        }
        match read(&bytes, digest) {
            Ok(entry) => Ok(Some(entry)),
            Err(problem) => Err(CacheError::Damaged { path, problem }),
        }
    }

    /// Removes every entry but these, and tells how many. This is how the cache stays small: the
    /// caller knows which bundles still matter.
    pub fn keep(&self, wanted: &BTreeSet<Digest>) -> Result<usize, CacheError> {
        let kept: BTreeSet<PathBuf> = wanted.iter().map(|digest| self.path(digest)).collect();
        let mut removed = 0;
        for path in self.files(SUFFIX)? {
            if !kept.contains(&path) {
                fs::remove_file(&path).map_err(|source| io_error("remove", &path, source))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(format!("{}{SUFFIX}", digest.hex()))
    }

    /// The cache's files whose name ends so.
    fn files(&self, suffix: &str) -> Result<Vec<PathBuf>, CacheError> {
        let failed = |source| io_error("list", &self.dir, source);
        let entries: Result<Vec<_>, _> = fs::read_dir(&self.dir).map_err(failed)?.collect();
        let paths = entries.map_err(failed)?.into_iter().map(|entry| entry.path());
        Ok(paths.filter(|path| path.to_string_lossy().ends_with(suffix)).collect())
    }
}

/// The most that a pull under the default caps can store.
fn entry_max() -> u64 {
    let caps = Caps::default();
    CONTENTS_MAX as u64 + caps.manifest_bytes + caps.layer_bytes + caps.evidence_bytes
}

fn write(path: &Path, pulled: &Pulled, evidence: &[Evidence]) -> io::Result<()> {
    let contents = Contents {
        format: FORMAT.to_owned(),
        manifest_bytes: pulled.manifest().len(),
        layer_bytes: pulled.layer().len(),
        evidence: evidence
            .iter()
            .map(|one| EvidenceEntry {
                media_type: one.media_type.clone(),
                digest: one.digest,
                bytes: one.bytes.len(),
            })
            .collect(),
    };
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    serde_json::to_writer(&mut file, &contents)?;
    file.write_all(b"\n")?;
    file.write_all(pulled.manifest())?;
    file.write_all(pulled.layer())?;
    for one in evidence {
        file.write_all(&one.bytes)?;
    }
    file.sync_all()
}

/// Takes an entry apart and compares every piece with its digest.
fn read(bytes: &[u8], digest: &Digest) -> Result<(Pulled, Vec<Evidence>), String> {
    let end = bytes
        .iter()
        .take(CONTENTS_MAX)
        .position(|byte| *byte == b'\n')
        .ok_or("it has no table of contents")?;
    let (contents, rest) = bytes.split_at(end);
    let contents: Contents = serde_json::from_slice(contents).map_err(|error| format!("table of contents: {error}"))?;
    if contents.format != FORMAT {
        return Err(format!(
            "its format is {:?}, this version writes {FORMAT:?}",
            contents.format
        ));
    }
    let mut rest = rest.get(1..).unwrap_or_default();
    let mut take = |length: usize| {
        let (piece, after) = rest.split_at_checked(length).ok_or("it is cut short")?;
        rest = after;
        Ok::<_, String>(piece.to_vec())
    };
    let manifest = take(contents.manifest_bytes)?;
    if !digest.matches(&manifest) {
        return Err("its manifest has another digest".to_owned());
    }
    let pulled = Pulled::new(manifest, take(contents.layer_bytes)?).map_err(|error| error.to_string())?;
    let mut evidence = Vec::new();
    for entry in contents.evidence {
        let bytes = take(entry.bytes)?;
        if !entry.digest.matches(&bytes) {
            return Err("one of its signatures has another digest".to_owned());
        }
        evidence.push(Evidence {
            media_type: entry.media_type,
            bytes,
            digest: entry.digest,
        });
    }
    if rest.is_empty() {
        Ok((pulled, evidence))
    } else {
        Err("it has something after its end".to_owned())
    }
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> CacheError {
    CacheError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
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
