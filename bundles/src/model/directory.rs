//! A model in a folder of this machine: which files there are, and what they hash to.
//!
//! First all names are looked up, then those files are hashed that the manifest lists, on all cores, a part of a file at a
//! time in a buffer of fixed size. No link is followed unless signer and caller both allow it, and then only to a file of
//! the same folder. A file that is not, after it was hashed, what it was when its name was looked up is an error.
//!
//! What this cannot see is a change after the last look. Who may write to the folder while it is verified, or until it is
//! used, can change it then: verify where nobody can write.

mod error;
mod hash;
mod walk;

use std::path::Path;

pub use error::{DirectoryError, LinkProblem};

use super::allowed::Allowed;
use super::compare::SeenFile;
use super::manifest::{ListedFile, Manifest};
use hash::Job;
use walk::Found;

/// The files below `path`, as [`Manifest::compare`] takes them: all of them, but those passed over, with the digests of
/// those that are listed. Where the model is a single file, `path` is that file.
pub fn read(path: &Path, manifest: &Manifest, allowed: &Allowed) -> Result<Vec<SeenFile>, DirectoryError> {
    let found = walk::files(path, manifest, allowed)?;
    let listed: Vec<_> = found.iter().map(|file| comparable(file, manifest)).collect();
    let parts = |size| manifest.serialization().parts(size);
    let jobs: Vec<Job<'_>> = found
        .iter()
        .zip(&listed)
        .filter(|(_, listed)| listed.is_some())
        .flat_map(|(file, _)| parts(file.size()).map(move |part| Job { file, part }))
        .collect();
    let mut digests = hash::all(&jobs, manifest.serialization().algorithm)?.into_iter();
    let seen = found.iter().zip(&listed).map(|(file, listed)| SeenFile {
        name: file.name.clone(),
        size: file.size(),
        digests: digests
            .by_ref()
            .take(listed.map_or(0, |listed| listed.digests.len()))
            .collect(),
    });
    Ok(seen.collect())
}

/// What the manifest lists under the file's name, if only the content is left to compare.
fn comparable<'m>(file: &Found, manifest: &'m Manifest) -> Option<&'m ListedFile> {
    let listed = manifest.file(&file.name)?;
    let is_of_size = listed.size.is_none_or(|size| size == file.size());
    is_of_size.then_some(listed)
}
