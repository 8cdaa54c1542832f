//! How a model was made into a list of digests: the manifest says so, and whoever compares must do the same.

use std::num::NonZeroU64;
use std::ops::Range;

use super::algorithm::Algorithm;
use super::error::ManifestError;
use super::manifest::{IGNORED_MAX, SerializationDocument};
use super::name::FileName;

/// What was hashed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serialization {
    /// Whole files or parts of them.
    pub method: Method,
    /// The hash.
    pub algorithm: Algorithm,
    /// Whether the signer followed symbolic links to files.
    pub allow_symlinks: bool,
    /// Files and folders that the signer passed over, relative to the model. They are the signer's wish:
    /// [`super::Allowed`] says which of them count.
    pub ignore_paths: Vec<FileName>,
}

/// What one digest covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A file.
    Files,
    /// A part of a file. An empty file has none, so nothing is signed of it.
    Shards {
        /// Bytes in every shard of a file but the last.
        size: NonZeroU64,
    },
}

impl Serialization {
    pub(super) fn read(document: &SerializationDocument<'_>) -> Result<Self, ManifestError> {
        let algorithm = Algorithm::named(&document.hash_type).ok_or_else(|| ManifestError::HashType {
            found: shown(&document.hash_type),
        })?;
        let method = method(document)?;
        // `model-signing` hashes whole files when asked for BLAKE3 in shards, and says so.
        if algorithm == Algorithm::Blake3 && method != Method::Files {
            return Err(ManifestError::HashType {
                found: "blake3 in shards".to_owned(),
            });
        }
        Ok(Self {
            method,
            algorithm,
            allow_symlinks: document.allow_symlinks,
            ignore_paths: ignore_paths(document)?,
        })
    }

    /// The parts of a file of `size` bytes that have a digest each, from its beginning to its end.
    pub fn parts(&self, size: u64) -> impl Iterator<Item = Range<u64>> + use<> {
        self.method.parts(size)
    }
}

impl Method {
    /// The parts of a file of `size` bytes that have a digest each, from its beginning to its end.
    pub fn parts(self, size: u64) -> impl Iterator<Item = Range<u64>> {
        let (step, empty) = match self {
            Self::Files => (NonZeroU64::MAX, true),
            Self::Shards { size } => (size, false),
        };
        let whole = (size == 0 && empty).then_some(0..0);
        let mut start = 0;
        whole.into_iter().chain(std::iter::from_fn(move || {
            let end = size.min(step.get().saturating_add(start));
            let part = (start < end).then_some(start..end);
            start = end;
            part
        }))
    }
}

fn method(document: &SerializationDocument<'_>) -> Result<Method, ManifestError> {
    match (&*document.method, &document.shard_size) {
        ("files", None) => Ok(Method::Files),
        ("shards", Some(number)) => Ok(Method::Shards {
            size: shard_size(number)?,
        }),
        ("files", Some(number)) => Err(ManifestError::ShardSize {
            found: format!("{number} with the method `files`"),
        }),
        ("shards", None) => Err(ManifestError::ShardSize {
            found: "missing".to_owned(),
        }),
        (other, _) => Err(ManifestError::Method { found: shown(other) }),
    }
}

/// The tool writes whole numbers as Protobuf does all numbers of a `Struct`: `1000000000.0`.
fn shard_size(number: &serde_json::Number) -> Result<NonZeroU64, ManifestError> {
    let text = number.to_string();
    let digits = text.strip_suffix(".0").unwrap_or(&text);
    digits
        .parse()
        .map_err(|_| ManifestError::ShardSize { found: text.clone() })
}

fn ignore_paths(document: &SerializationDocument<'_>) -> Result<Vec<FileName>, ManifestError> {
    let Some(paths) = &document.ignore_paths else {
        return Ok(Vec::new());
    };
    if paths.count > IGNORED_MAX {
        return Err(ManifestError::TooMany {
            what: "ignored paths",
            found: paths.count,
            limit: IGNORED_MAX,
        });
    }
    let parse = |path: &String| FileName::parse(path).map_err(ManifestError::IgnorePath);
    paths.items.iter().map(parse).collect()
}

/// A text from outside, fit for a message.
pub(super) fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(120).collect::<String>())
}
