//! [`Verified`]: the proof that something was vouched for, which only this module's neighbours in
//! `trust/` can make. What opens, compiles and runs bundles asks for it, so no other order compiles.
//!
//! Besides a checked signature there are two named ways in: [`LocalFile`], a file that the user of
//! the command line named and so vouches for (the operator must not use it; a test looks), and
//! [`BuiltIn`], bytes that are part of this program.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::Digest;

/// A value somebody vouched for, with who it was. Built only in `trust/`.
#[derive(Debug, Clone)]
pub struct Verified<T> {
    value: T,
    provenance: Provenance,
}

/// Who vouches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provenance {
    /// These trusted signers, by name, sorted: their signatures over the digest were checked.
    Signed {
        /// Names as in the trust policy.
        signers: Vec<String>,
    },
    /// The user of the command line, by naming the file.
    LocalFile,
    /// This program: the bytes are part of it.
    BuiltIn,
}

impl<T> Verified<T> {
    /// Only for `trust/`.
    pub(super) fn new(value: T, provenance: Provenance) -> Self {
        Self { value, provenance }
    }

    /// The value.
    pub fn get(&self) -> &T {
        &self.value
    }

    /// Who vouches for it.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }
}

/// A bundle file (`bundle.tar.gz`) the user named, trusted because the user named it. For the
/// command line only: nothing that acts for a cluster may construct one.
#[derive(Debug, Clone)]
pub struct LocalFile {
    path: PathBuf,
    bytes: Arc<[u8]>,
    digest: Digest,
}

/// Why a local bundle file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocalFileError {
    /// Opening or reading failed.
    #[error("cannot read bundle file {path:?}")]
    Read {
        /// The file as named.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Not a regular file: a directory, a pipe.
    #[error("bundle file {path:?} is not a regular file: name the bundle.tar.gz that `opa build` wrote")]
    NotAFile {
        /// The file as named.
        path: PathBuf,
    },
    /// Larger than a bundle may be.
    #[error("bundle file {path:?} is larger than {limit} bytes")]
    TooLarge {
        /// The file as named.
        path: PathBuf,
        /// The cap in bytes.
        limit: u64,
    },
}

impl LocalFile {
    /// The cap on a file's size: that of a pulled bundle layer.
    pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

    /// Reads a file and trusts it. The name says who vouches: whoever named the path.
    pub fn read(path: &Path) -> Result<Verified<Self>, LocalFileError> {
        let failed = |source| LocalFileError::Read {
            path: path.to_owned(),
            source,
        };
        // Asked before opening: opening a named pipe would wait for a writer.
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            return Err(LocalFileError::NotAFile { path: path.to_owned() });
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(Self::MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > Self::MAX_BYTES {
            return Err(LocalFileError::TooLarge {
                path: path.to_owned(),
                limit: Self::MAX_BYTES,
            });
        }
        let digest = Digest::of(&bytes);
        let file = Self {
            path: path.to_owned(),
            bytes: bytes.into(),
            digest,
        };
        Ok(Verified::new(file, Provenance::LocalFile))
    }

    /// The path as the user named it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The digest of the file itself (a file has no OCI manifest).
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A bundle that is part of this program: bytes from `include_bytes!`.
#[derive(Debug, Clone)]
pub struct BuiltIn {
    bytes: &'static [u8],
    digest: Digest,
}

impl BuiltIn {
    /// Trusts bytes that live as long as the program, which is what `include_bytes!` gives. Bytes
    /// read at run time do not belong here.
    pub fn include(bytes: &'static [u8]) -> Verified<Self> {
        let digest = Digest::of(bytes);
        Verified::new(Self { bytes, digest }, Provenance::BuiltIn)
    }

    /// The digest of the bundle file.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The bundle file's bytes.
    pub(crate) fn bytes(&self) -> &'static [u8] {
        self.bytes
    }
}
