//! Signatures and attestations alone, by what they are about: a text that names it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::CacheError;
use super::folder::{Folder, Listed, is_format, list, take_apart};
use crate::digest::Digest;
use crate::registry::{Caps, Evidence};

const FORMAT: &str = "interlock evidence cache 1";
const SUFFIX: &str = ".evidence";

/// All entries together. Usual signatures have some kilobytes, so that this is enough for tens of thousands of artifacts; whoever
/// may push can attach megabytes to each.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A folder with one file for each subject, named by a digest of its text.
#[derive(Debug, Clone)]
pub struct EvidenceCache {
    folder: Folder,
    most: u64,
    /// Bytes of all entries.
    held: Arc<Mutex<u64>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contents {
    format: String,
    subject: String,
    evidence: Vec<Listed>,
}

impl EvidenceCache {
    /// Uses a folder, making it if needed, and removes what a crash left half-written. One process
    /// at a time may use it.
    pub fn open(dir: &Path) -> Result<Self, CacheError> {
        Self::of(Folder::open(dir, SUFFIX)?, BYTES_MAX)
    }

    fn of(folder: Folder, most: u64) -> Result<Self, CacheError> {
        let held = Arc::new(Mutex::new(folder.total()?));
        Ok(Self { folder, most, held })
    }

    /// Stores all that a registry has about an artifact, in place of what was stored before. Nothing is something:
    /// that the registry has no signature. [`CacheError::Full`] if there is no room for it.
    pub fn store(&self, subject: &str, evidence: &[Evidence]) -> Result<(), CacheError> {
        let contents = Contents {
            format: FORMAT.to_owned(),
            subject: subject.to_string(),
            evidence: list(evidence),
        };
        let pieces: Vec<_> = evidence.iter().map(|one| one.bytes.as_slice()).collect();
        let (name, more) = (name(subject), pieces.iter().map(|piece| piece.len() as u64).sum());
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let others = held.saturating_sub(self.folder.size(&name));
        if others + more > self.most {
            let (held, limit) = (*held, self.most);
            return Err(CacheError::Full { held, more, limit });
        }
        let stored = self.folder.store(&name, &contents, &pieces);
        *held = others + self.folder.size(&name);
        stored
    }

    /// What is stored about an artifact; `None` if nothing is. A damaged entry is [`CacheError::Damaged`]: treat it
    /// as absent.
    pub fn load(&self, subject: &str) -> Result<Option<Vec<Evidence>>, CacheError> {
        let most = Caps::default().evidence_bytes;
        self.folder.load(&name(subject), most, |bytes| read(bytes, subject))
    }

    /// Removes every entry but these, and tells how many.
    pub fn keep(&self, wanted: &BTreeSet<String>) -> Result<usize, CacheError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let removed = self.folder.keep(wanted.iter().map(|one| name(one)));
        *held = self.folder.total()?;
        removed
    }
}

/// A text may have characters that no file name may have.
fn name(subject: &str) -> String {
    Digest::of(subject.as_bytes()).hex()
}

fn read(bytes: &[u8], subject: &str) -> Result<Vec<Evidence>, String> {
    let (contents, pieces) = take_apart::<Contents>(bytes)?;
    is_format(&contents.format, FORMAT)?;
    if contents.subject != subject {
        return Err(format!("it is about {:?}", contents.subject));
    }
    pieces.signatures(contents.evidence)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn evidence(content: &str) -> Evidence {
        let bytes = content.as_bytes().to_vec();
        Evidence {
            media_type: "application/x".to_owned(),
            digest: Digest::of(&bytes),
            bytes,
        }
    }

    fn pinned(path: &str) -> String {
        format!("registry.example.com/{path}@{}", Digest::of(b"image"))
    }

    fn cache() -> (tempfile::TempDir, EvidenceCache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = EvidenceCache::open(dir.path()).unwrap();
        (dir, cache)
    }

    #[test]
    fn what_is_stored_is_found_by_repository_and_digest() {
        let (dir, cache) = cache();
        let (one, other) = (pinned("a"), pinned("b"));
        assert!(cache.load(&one).unwrap().is_none());
        for stored in [vec![], vec![evidence("x\n"), evidence("")], vec![evidence("y")]] {
            cache.store(&one, &stored).unwrap();
            let again = EvidenceCache::open(dir.path()).unwrap();
            assert_eq!(again.load(&one).unwrap(), Some(stored));
            assert!(again.load(&other).unwrap().is_none(), "the same digest elsewhere");
        }
        fs::copy(cache.folder.path(&name(&one)), cache.folder.path(&name(&other))).unwrap();
        assert!(cache.load(&other).is_err(), "another artifact's entry");
        assert_eq!(cache.keep(&BTreeSet::from([one.clone()])).unwrap(), 1);
        assert!(cache.load(&one).unwrap().is_some());
    }

    /// Every single byte, and every length: a signature is found whole, or the entry is damaged.
    #[test]
    fn a_damaged_entry_hides_no_signature_and_changes_none() {
        let (_dir, cache) = cache();
        let subject = pinned("a");
        let stored = [evidence("first"), evidence("second")];
        cache.store(&subject, &stored).unwrap();
        let path = cache.folder.path(&name(&subject));
        let good = fs::read(&path).unwrap();
        let found = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            cache.load(&subject)
        };
        let bytes = |all: &[Evidence]| all.iter().map(|one| one.bytes.clone()).collect::<Vec<_>>();
        for at in 0..good.len() {
            let mut bent = good.clone();
            bent[at] ^= 1;
            match found(&bent) {
                Err(error) => assert_eq!(error.reason(), "CacheEntryDamaged"),
                // The media type is a hint and has no digest of its own.
                Ok(entry) => assert_eq!(bytes(&entry.unwrap()), bytes(&stored), "byte {at}"),
            }
            assert!(
                matches!(found(&good[..at]), Err(CacheError::Damaged { .. })),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn all_together_have_a_limit_and_what_is_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        let folder = || Folder::open(dir.path(), SUFFIX).unwrap();
        let cache = EvidenceCache::of(folder(), 2000).unwrap();
        let [one, other, more] = [pinned("a"), pinned("b"), pinned("c")];
        let large = [evidence(&"x".repeat(900))];
        cache.store(&one, &large).unwrap();
        let full = |cache: &EvidenceCache, subject: &str| {
            matches!(
                cache.store(subject, &large),
                Err(CacheError::Full {
                    more: 900,
                    limit: 2000,
                    ..
                })
            )
        };
        assert!(full(&cache, &other));
        cache.store(&one, &large).unwrap();
        cache.store(&more, &[evidence("y")]).unwrap();
        assert!(
            full(&EvidenceCache::of(folder(), 2000).unwrap(), &other),
            "after a restart"
        );
        assert!(cache.load(&one).unwrap().is_some() && cache.load(&other).unwrap().is_none());
        cache.keep(&BTreeSet::from([more.clone()])).unwrap();
        cache.store(&other, &large).unwrap();
    }

    #[test]
    fn both_caches_share_a_folder() {
        let (dir, cache) = cache();
        cache.store(&pinned("a"), &[evidence("x")]).unwrap();
        let bundles = super::super::BundleCache::open(dir.path()).unwrap();
        bundles.keep(&BTreeSet::new()).unwrap();
        assert!(cache.load(&pinned("a")).unwrap().is_some());
    }
}
