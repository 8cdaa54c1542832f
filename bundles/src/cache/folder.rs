//! A folder of entries: how they are named, written, read and removed, whatever is in them.
//!
//! An entry is one line of JSON, its table of contents, and after it the pieces that the table lists, end to end.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::CacheError;
use crate::digest::Digest;
use crate::registry::Evidence;

const ASIDE: &str = ".writing";
/// An entry's first line: the table of contents. 64 signatures need some 12 KiB.
const CONTENTS_MAX: usize = 256 * 1024;

/// The files of a folder that end alike.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    dir: PathBuf,
    suffix: &'static str,
}

impl Folder {
    /// Uses a folder, making it if needed, and removes what a crash left half-written. One process
    /// at a time may use it.
    pub(super) fn open(dir: &Path, suffix: &'static str) -> Result<Self, CacheError> {
        fs::create_dir_all(dir).map_err(|source| io_error("create", dir, source))?;
        let folder = Self {
            dir: dir.to_owned(),
            suffix,
        };
        for path in folder.files(ASIDE)? {
            fs::remove_file(&path).map_err(|source| io_error("remove", &path, source))?;
        }
        Ok(folder)
    }

    /// Stores an entry in place of the one that was stored under its name.
    pub(super) fn store(&self, name: &str, contents: &impl Serialize, pieces: &[&[u8]]) -> Result<(), CacheError> {
        static WRITES: AtomicU64 = AtomicU64::new(0);
        let path = self.path(name);
        let aside = path.with_extension(format!("{}{ASIDE}", WRITES.fetch_add(1, Ordering::Relaxed)));
        let written = write(&aside, contents, pieces)
            .and_then(|()| fs::rename(&aside, &path))
            .and_then(|()| File::open(&self.dir)?.sync_all());
        written.map_err(|source| {
            // The first failure is the one to tell.
            drop(fs::remove_file(&aside));
            io_error("write", &path, source)
        })
    }

    /// What is stored under a name, taken apart by `read`; `None` if nothing is. No more than `most` bytes of
    /// pieces are read.
    pub(super) fn load<T>(
        &self,
        name: &str,
        most: u64,
        read: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<Option<T>, CacheError> {
        let path = self.path(name);
        let mut bytes = Vec::new();
        let most = CONTENTS_MAX as u64 + most + 1;
        match File::open(&path).and_then(|file| file.take(most).read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error("read", &path, source)),
        }
        match read(&bytes) {
            Ok(entry) => Ok(Some(entry)),
            Err(problem) => Err(CacheError::Damaged { path, problem }),
        }
    }

    /// Removes every entry but these, and tells how many.
    pub(super) fn keep(&self, names: impl Iterator<Item = String>) -> Result<usize, CacheError> {
        let kept: BTreeSet<PathBuf> = names.map(|name| self.path(&name)).collect();
        let mut removed = 0;
        for path in self.files(self.suffix)? {
            if !kept.contains(&path) {
                fs::remove_file(&path).map_err(|source| io_error("remove", &path, source))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Bytes of an entry; none if there is none.
    pub(super) fn size(&self, name: &str) -> u64 {
        fs::metadata(self.path(name)).map_or(0, |metadata| metadata.len())
    }

    /// Bytes of all entries.
    pub(super) fn total(&self) -> Result<u64, CacheError> {
        let files = self.files(self.suffix)?;
        let sizes = files
            .iter()
            .map(|path| fs::metadata(path).map_or(0, |metadata| metadata.len()));
        Ok(sizes.sum())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}{}", self.suffix))
    }

    /// The folder's files whose name ends so.
    fn files(&self, suffix: &str) -> Result<Vec<PathBuf>, CacheError> {
        let failed = |source| io_error("list", &self.dir, source);
        let entries: Result<Vec<_>, _> = fs::read_dir(&self.dir).map_err(failed)?.collect();
        let paths = entries.map_err(failed)?.into_iter().map(|entry| entry.path());
        Ok(paths.filter(|path| path.to_string_lossy().ends_with(suffix)).collect())
    }
}

fn write(path: &Path, contents: &impl Serialize, pieces: &[&[u8]]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    serde_json::to_writer(&mut file, contents)?;
    file.write_all(b"\n")?;
    for piece in pieces {
        file.write_all(piece)?;
    }
    file.sync_all()
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> CacheError {
    CacheError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// An entry's bytes after its table of contents.
pub(super) struct Pieces<'a>(&'a [u8]);

/// An entry's table of contents, and its pieces.
pub(super) fn take_apart<C: DeserializeOwned>(bytes: &[u8]) -> Result<(C, Pieces<'_>), String> {
    let end = bytes
        .iter()
        .take(CONTENTS_MAX)
        .position(|byte| *byte == b'\n')
        .ok_or("it has no table of contents")?;
    let (contents, rest) = bytes.split_at(end);
    let contents = serde_json::from_slice(contents).map_err(|error| format!("table of contents: {error}"))?;
    Ok((contents, Pieces(rest.get(1..).unwrap_or_default())))
}

/// Refuses entries of another version.
pub(super) fn is_format(found: &str, want: &str) -> Result<(), String> {
    if found == want {
        Ok(())
    } else {
        Err(format!("its format is {found:?}, this version writes {want:?}"))
    }
}

impl Pieces<'_> {
    /// The next piece, of this length.
    pub(super) fn take(&mut self, length: usize) -> Result<Vec<u8>, String> {
        let (piece, after) = self.0.split_at_checked(length).ok_or("it is cut short")?;
        self.0 = after;
        Ok(piece.to_vec())
    }

    /// The signatures that come next, compared with their digests, and the end.
    pub(super) fn signatures(mut self, listed: Vec<Listed>) -> Result<Vec<Evidence>, String> {
        let mut evidence = Vec::new();
        for entry in listed {
            let bytes = self.take(entry.bytes)?;
            if !entry.digest.matches(&bytes) {
                return Err("one of its signatures has another digest".to_owned());
            }
            evidence.push(Evidence {
                media_type: entry.media_type,
                bytes,
                digest: entry.digest,
            });
        }
        if self.0.is_empty() {
            Ok(evidence)
        } else {
            Err("it has something after its end".to_owned())
        }
    }
}

/// A signature in a table of contents.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    media_type: String,
    digest: Digest,
    bytes: usize,
}

/// The signatures' lines in a table of contents.
pub(super) fn list(evidence: &[Evidence]) -> Vec<Listed> {
    let listed = evidence.iter().map(|one| Listed {
        media_type: one.media_type.clone(),
        digest: one.digest,
        bytes: one.bytes.len(),
    });
    listed.collect()
}
