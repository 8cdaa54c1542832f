//! Why an artifact cannot be compared with a list of files: what its files are would not be clear.

use crate::model::name::NameError;

/// What is wrong with the manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// Not the JSON of an OCI image manifest with SHA-256 digests.
    #[error("the manifest is not an OCI image manifest: {detail}")]
    Malformed {
        /// What the parser says.
        detail: String,
    },
    /// A list of manifests for several platforms.
    #[error("it is an index of several manifests: name the one of a platform by its digest")]
    Index,
    /// Nothing is in it.
    #[error("it has no layers, so there are no files")]
    NoLayers,
    /// A longer list than is read.
    #[error("it has {found} layers, and at most {limit} are read: pack several files into one layer")]
    TooManyLayers {
        /// How many there are.
        found: usize,
        /// The cap.
        limit: usize,
    },
    /// A layer that is packed in a way that is not read here.
    #[error(
        "layer {number} is {media_type}, which cannot be looked into: push files as they are, or as tar or tar+gzip"
    )]
    UnsupportedLayer {
        /// Which layer, from 1.
        number: usize,
        /// Its media type.
        media_type: String,
    },
    /// A layer that is a file without a name.
    #[error(
        "layer {number} ({media_type}) names no file: push it with the annotation org.cncf.model.filepath or org.opencontainers.image.title"
    )]
    Nameless {
        /// Which layer, from 1.
        number: usize,
        /// Its media type.
        media_type: String,
    },
    /// A layer whose annotations contradict each other.
    #[error("layer {number} is named {one} and {other}: which of them it becomes depends on who reads it")]
    TwoNames {
        /// Which layer, from 1.
        number: usize,
        /// The one name.
        one: String,
        /// The other.
        other: String,
    },
    /// A layer whose name is no file's.
    #[error("layer {number} cannot be a file of a signed model")]
    Name {
        /// Which layer, from 1.
        number: usize,
        /// Why not.
        #[source]
        source: NameError,
    },
}

/// What is wrong with a layer's content. The layer itself has the digest that the manifest names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentsError {
    /// The compression is broken.
    #[error("it is not a gzip file: {detail}")]
    NotGzip {
        /// What the decompressor says.
        detail: String,
    },
    /// The same, or it looks back over more bytes than are kept.
    #[error("it is not a Zstandard file with a window of at most 32 MiB: {detail}")]
    NotZstd {
        /// What the decompressor says.
        detail: String,
    },
    /// The archive is broken, or can be read in more than one way.
    #[error("it is not a tar archive that all tools read alike: {detail}")]
    NotTar {
        /// What is wrong with it.
        detail: &'static str,
    },
    /// An entry that no list of files can be about.
    #[error("entry {entry} {rule}")]
    Unsafe {
        /// Its name.
        entry: String,
        /// What it is.
        rule: &'static str,
    },
    /// An entry whose name is no file's.
    #[error("an entry cannot be a file of a signed model")]
    Name(#[from] NameError),
    /// More than is read.
    #[error("{what} exceed the limit of {limit}")]
    TooMuch {
        /// What was counted.
        what: &'static str,
        /// The cap.
        limit: u64,
    },
}

impl ArtifactError {
    /// The stable name for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed { .. } | Self::NoLayers => "MalformedManifest",
            Self::Index => "ModelIsIndex",
            Self::TooManyLayers { .. } => "ModelTooLarge",
            Self::UnsupportedLayer { .. } => "UnsupportedLayer",
            Self::Nameless { .. } | Self::TwoNames { .. } | Self::Name { .. } => "MalformedName",
        }
    }
}

impl ContentsError {
    /// The stable name for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotGzip { .. } => "NotGzip",
            Self::NotZstd { .. } => "NotZstd",
            Self::NotTar { .. } => "NotTar",
            Self::Unsafe { .. } => "UnsafeEntry",
            Self::Name(_) => "MalformedName",
            Self::TooMuch { .. } => "ModelTooLarge",
        }
    }
}
