//! What registries gave, on disk, so that a restart during an outage finds it: bundles with their signatures in a
//! [`BundleCache`], the signatures of images and models, which are never pulled themselves, in an [`EvidenceCache`], and
//! what was found in the layers of models in a [`LayerCache`].
//!
//! Nothing read from the first two is trusted: bytes are compared with their digests when read, signatures are
//! checked again by whoever asks. One file an entry, written aside and renamed, so that a crash leaves
//! the old entry or the new one. All may share a folder.

mod bundles;
mod evidence;
mod folder;
mod layers;

use std::io;
use std::path::PathBuf;

pub use bundles::BundleCache;
pub use evidence::EvidenceCache;
pub use layers::LayerCache;

/// Why the cache did not serve. None of these is more than a reason to ask the registry.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file system refused.
    #[error("cannot {doing} {path:?} in the cache")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no room for an entry.
    #[error("the cache has {held} bytes of signatures, and {more} more would be above the limit of {limit}")]
    Full {
        /// Bytes that are there.
        held: u64,
        /// Bytes that were to be stored.
        more: u64,
        /// The most.
        limit: u64,
    },
    /// An entry is there, but not what was stored. Treat it as absent, and say so.
    #[error("the cache entry {path:?} is damaged and not used: {problem}")]
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
            Self::Full { .. } => "CacheFull",
            Self::Damaged { .. } => "CacheEntryDamaged",
        }
    }
}
