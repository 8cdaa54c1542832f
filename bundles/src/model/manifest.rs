//! [`Manifest`]: the files that a signature is about, each with its digests, in the one way that can be read from it.

mod document;
mod list;

use document::StatementDocument;
pub(super) use document::{IGNORED_MAX, SerializationDocument};

use super::algorithm::ContentDigest;
use super::error::ManifestError;
use super::name::{self, FileName};
use super::serialization::{Serialization, shown};
use crate::digest::Digest;

/// What `model-signing` 1.x writes: "these files are the model".
pub const MODEL_PREDICATE: &str = "https://model_signing/signature/v1.0";
/// What `model_signing sign` calls the signature where nothing else is said.
pub const SIGNATURE_FILE: &str = "model.sig";

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PAYLOAD_MAX: usize = 32 * 1024 * 1024;
pub(super) const RESOURCES_MAX: usize = 100_000;

/// The files of a model, as somebody listed them. Who vouches for the list is not said here: outside of this crate there
/// are only those in a [`crate::trust::Verified`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    model_name: String,
    root: Digest,
    serialization: Serialization,
    files: Vec<ListedFile>,
}

/// A file as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// Its name.
    pub name: FileName,
    /// Its size in bytes, which only the method `shards` tells.
    pub size: Option<u64>,
    /// The digests of its parts, from its beginning to its end: one with the method `files`.
    pub digests: Vec<ContentDigest>,
}

impl Manifest {
    /// Reads the payload of a statement, which must be one that `model-signing` 1.x writes and leave nothing open.
    pub(crate) fn read(payload: &[u8]) -> Result<Self, ManifestError> {
        let statement = statement(payload)?;
        let [subject] = statement.subject.items.as_slice() else {
            return Err(ManifestError::Subjects { found: 0 });
        };
        let signed = Digest::from_hex(&subject.digest.sha256).map_err(|_| ManifestError::MalformedRoot {
            found: shown(&subject.digest.sha256),
        })?;
        let serialization = Serialization::read(&statement.predicate.serialization)?;
        let files = list::files(&statement.predicate.resources.items, &serialization)?;
        let computed = root(&files);
        if signed != computed {
            return Err(ManifestError::RootMismatch { signed, computed });
        }
        check_names(&files)?;
        check_ignored(&files, &serialization.ignore_paths)?;
        Ok(Self {
            model_name: plain(&subject.name, 255),
            root: computed,
            serialization,
            files,
        })
    }

    /// The name of the folder or file that was signed, cut to 255 characters and without control characters; maybe empty.
    /// It tells a reader something and decides nothing.
    pub fn model_name(&self) -> &str {
        &self.model_name
    }

    /// SHA-256 over the listed digests: what other documents call the model by. Names are not in it: lists that give the
    /// same digests other names have the same root.
    pub fn root(&self) -> Digest {
        self.root
    }

    /// How the files were hashed.
    pub fn serialization(&self) -> &Serialization {
        &self.serialization
    }

    /// The files, at least one, sorted by name; no name twice.
    pub fn files(&self) -> &[ListedFile] {
        &self.files
    }

    /// Whether the model is one file without a folder, listed as `.`.
    pub fn is_single_file(&self) -> bool {
        self.files.iter().any(|file| file.name.is_whole())
    }

    /// The file of this name.
    pub(super) fn file(&self, name: &FileName) -> Option<&ListedFile> {
        let at = self.files.binary_search_by(|file| file.name.cmp(name)).ok()?;
        self.files.get(at)
    }
}

/// The document, if it is about one model and not too large.
fn statement(payload: &[u8]) -> Result<StatementDocument<'_>, ManifestError> {
    if payload.len() > PAYLOAD_MAX {
        return Err(ManifestError::TooLarge {
            found: payload.len(),
            limit: PAYLOAD_MAX,
        });
    }
    let statement: StatementDocument<'_> =
        serde_json::from_slice(payload).map_err(|error| ManifestError::Malformed {
            detail: plain(&error.to_string(), 300),
        })?;
    if statement.kind != STATEMENT {
        return Err(ManifestError::StatementType {
            found: shown(&statement.kind),
            want: STATEMENT,
        });
    }
    if statement.predicate_type != MODEL_PREDICATE {
        return Err(ManifestError::PredicateType {
            found: shown(&statement.predicate_type),
            want: MODEL_PREDICATE,
        });
    }
    let (subjects, resources) = (statement.subject.count, statement.predicate.resources.count);
    match (subjects, resources) {
        (1, ..=RESOURCES_MAX) => Ok(statement),
        (1, found) => Err(ManifestError::TooMany {
            what: "resources",
            found,
            limit: RESOURCES_MAX,
        }),
        (found, _) => Err(ManifestError::Subjects { found }),
    }
}

/// So much of a text from outside, fit for a terminal.
pub(super) fn plain(text: &str, most: usize) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(most)
        .collect()
}

fn root(files: &[ListedFile]) -> Digest {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    for digest in files.iter().flat_map(|file| &file.digests) {
        hasher.update(digest.as_bytes());
    }
    Digest::from_sha256(hasher.finalize().into())
}

/// Whether the names can all be files of one folder, on every file system. The manifest's order puts what is below a
/// name right behind it.
///
/// Names that differ only in case or Unicode composition are refused, and not just told: a file system that takes them
/// for one keeps one of the two contents, so that what is loaded need not be what was verified elsewhere. Models in use
/// have no such names.
fn check_names(files: &[ListedFile]) -> Result<(), ManifestError> {
    for (file, next) in files.iter().zip(files.iter().skip(1)) {
        if next.name.is_within(&file.name) || file.name.is_whole() || next.name.is_whole() {
            return Err(ManifestError::FileAndFolder {
                file: file.name.clone(),
                below: next.name.clone(),
            });
        }
    }
    let mut folded: Vec<_> = files.iter().map(|file| (file.name.folded(), &file.name)).collect();
    folded.sort_by(|(one, _), (other, _)| name::by_segments(one, other));
    for ((one, name), (other, next)) in folded.iter().zip(folded.iter().skip(1)) {
        if name::is_within(other, one) {
            return Err(ManifestError::Lookalikes {
                one: (*name).clone(),
                other: (*next).clone(),
            });
        }
    }
    Ok(())
}

/// Whether no file is both listed and ignored.
fn check_ignored(files: &[ListedFile], ignored: &[FileName]) -> Result<(), ManifestError> {
    for path in ignored {
        let at = files.partition_point(|file| file.name < *path);
        match files.get(at) {
            Some(file) if file.name.is_within(path) => {
                return Err(ManifestError::ListedAndIgnored {
                    name: file.name.clone(),
                    ignored: path.clone(),
                });
            }
            _ => {}
        }
    }
    Ok(())
}
