//! Hashing on all cores: each takes the next part of a file until none is left.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::error::DirectoryError;
use super::walk::{Found, State, unreadable};
use crate::model::algorithm::{Algorithm, ContentDigest};

/// Fits the cache of a core beside what else is there; larger ones were no faster.
const BUFFER: usize = 256 * 1024;

/// One digest to compute.
pub(super) struct Job<'a> {
    pub(super) file: &'a Found,
    /// Its bytes.
    pub(super) part: Range<u64>,
}

/// The digests of all parts, in their order.
pub(super) fn all(jobs: &[Job<'_>], algorithm: Algorithm) -> Result<Vec<ContentDigest>, DirectoryError> {
    // The largest first: a core that begins it last would work alone while the others are done.
    let mut order: Vec<(usize, &Job<'_>)> = jobs.iter().enumerate().collect();
    order.sort_by_key(|(_, job)| std::cmp::Reverse(job.part.end - job.part.start));
    let next = AtomicUsize::new(0);
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut done = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores.min(jobs.len()))
            .map(|_| scope.spawn(|| work(&order, &next, algorithm)))
            .collect();
        let mut done = Vec::with_capacity(jobs.len());
        for worker in workers {
            done.extend(worker.join().unwrap_or_else(|cause| panic::resume_unwind(cause))?);
        }
        Ok(done)
    })?;
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, digest)| digest).collect())
}

/// Takes jobs until none is left. After an error the others take no more either.
fn work(
    order: &[(usize, &Job<'_>)],
    next: &AtomicUsize,
    algorithm: Algorithm,
) -> Result<Vec<(usize, ContentDigest)>, DirectoryError> {
    let mut buffer = vec![0; BUFFER];
    let mut done = Vec::new();
    while let Some((at, job)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
        let digest = job.open().and_then(|file| job.digest(&file, algorithm, &mut buffer));
        match digest {
            Ok(digest) => done.push((*at, digest)),
            Err(error) => {
                next.store(order.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
    }
    Ok(done)
}

impl Job<'_> {
    /// Opens the file that was found.
    fn open(&self) -> Result<File, DirectoryError> {
        let path = &self.file.path;
        let file = File::open(path).map_err(unreadable(path))?;
        self.check(&file)?;
        Ok(file)
    }

    /// Hashes the part, which counts only if the file is afterwards what it was before.
    fn digest(&self, file: &File, algorithm: Algorithm, buffer: &mut [u8]) -> Result<ContentDigest, DirectoryError> {
        let mut hasher = algorithm.hasher();
        let mut at = self.part.start;
        while at < self.part.end {
            let left = usize::try_from(self.part.end - at).unwrap_or(usize::MAX);
            let length = left.min(buffer.len());
            let piece = buffer.get_mut(..length).unwrap_or_default();
            file.read_exact_at(piece, at).map_err(|error| self.unread(error))?;
            hasher.update(piece);
            at += length as u64;
        }
        self.check(file)?;
        Ok(hasher.finish())
    }

    /// Whether the open file is the one that was found, as it was then.
    fn check(&self, file: &File) -> Result<(), DirectoryError> {
        let metadata = file.metadata().map_err(unreadable(&self.file.path))?;
        if State::of(&metadata) == self.file.state {
            Ok(())
        } else {
            Err(self.changed())
        }
    }

    /// Its end came too early, or the system refused.
    fn unread(&self, error: io::Error) -> DirectoryError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.changed(),
            _ => unreadable(&self.file.path)(error),
        }
    }

    fn changed(&self) -> DirectoryError {
        DirectoryError::Changed {
            path: self.file.path.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::model::FileName;

    fn found(path: &Path) -> Found {
        Found {
            name: FileName::whole(),
            path: path.to_owned(),
            state: State::of(&fs::metadata(path).unwrap()),
        }
    }

    fn hash(found: &Found, parts: &[Range<u64>]) -> Result<Vec<String>, DirectoryError> {
        let job = |part: &Range<u64>| Job {
            file: found,
            part: part.clone(),
        };
        let jobs: Vec<_> = parts.iter().map(job).collect();
        let digests = all(&jobs, Algorithm::Sha256)?;
        Ok(digests.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn parts_come_back_in_their_order_whatever_their_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let bytes: Vec<u8> = (0..1_000_003_u32).flat_map(u32::to_le_bytes).collect();
        fs::write(&path, &bytes).unwrap();
        let length = bytes.len();
        let parts: Vec<_> = vec![0..1, 1..length, 0..0, 7..7 + BUFFER, 0..length, length - 1..length];
        let want: Vec<_> = parts
            .iter()
            .map(|part| crate::digest::Digest::of(&bytes[part.clone()]).to_string())
            .collect();
        let parts: Vec<_> = parts.iter().map(|part| part.start as u64..part.end as u64).collect();
        assert_eq!(hash(&found(&path), &parts).unwrap(), want);
    }

    #[test]
    fn a_file_that_is_not_what_it_was_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        // The system's clock for files ticks every few milliseconds: a state is waited for that can be told from the last.
        let write = |text: &str| {
            let before = found(&path).state;
            while found(&path).state == before {
                fs::write(&path, text).unwrap();
            }
            found(&path)
        };
        fs::write(&path, "").unwrap();
        // After it was found, before it is opened.
        let reason = |found: &Found| {
            let whole = Job {
                file: found,
                part: 0..found.size(),
            };
            whole.open().map_err(|error| error.reason()).map(drop)
        };
        let first = write("1234");
        assert_eq!(reason(&first), Ok(()));
        // The same size, and the time of modification put back: the time of change cannot be.
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        write("5678");
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(modified).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), modified);
        assert_eq!(reason(&first), Err("ChangedWhileRead"));
        let replaced = write("1234");
        fs::rename(&path, folder.path().join("other")).unwrap();
        fs::write(&path, "1234").unwrap();
        assert_eq!(reason(&replaced), Err("ChangedWhileRead"));
        // While it is open: other content, more, less.
        for text in ["5678", "12345", "1"] {
            let found = write("1234");
            let job = Job {
                file: &found,
                part: 0..4,
            };
            let file = job.open().unwrap();
            write(text);
            let digest = job.digest(&file, Algorithm::Sha256, &mut [0; 3]);
            assert_eq!(
                digest.map_err(|error| error.reason()),
                Err("ChangedWhileRead"),
                "{text}"
            );
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(reason(&first), Err("ModelUnreadable"));
    }
}
