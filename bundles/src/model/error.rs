//! Why a manifest is refused, although its signature holds: it would not say which files a model is, or say it twice.

use super::name::{FileName, NameError};
use crate::digest::Digest;

/// Why a signed payload is no usable manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// More bytes than are read.
    #[error("the manifest has {found} bytes, and at most {limit} are read: sign larger parts, or fewer files")]
    TooLarge {
        /// Bytes of the payload.
        found: usize,
        /// The cap.
        limit: usize,
    },
    /// A longer list than is read.
    #[error("the manifest lists {found} {what}, and at most {limit} are read: sign larger shards, or fewer files")]
    TooMany {
        /// What is listed.
        what: &'static str,
        /// How many.
        found: usize,
        /// The cap.
        limit: usize,
    },
    /// Not the JSON of a manifest: a field is missing, unknown, twice there or of another type.
    #[error("not a manifest of model-signing 1.x: {detail}")]
    Malformed {
        /// What the parser says.
        detail: String,
    },
    /// Another version of in-toto statements.
    #[error("statement type {found} is not {want}: sign the model with model-signing 1.x")]
    StatementType {
        /// The type given.
        found: String,
        /// The one supported.
        want: &'static str,
    },
    /// The statement says something else of something else.
    #[error("the statement is a {found}, want a {want}: sign the model with model-signing 1.x")]
    PredicateType {
        /// The type given.
        found: String,
        /// The one supported.
        want: &'static str,
    },
    /// A manifest is about one model.
    #[error("the statement has {found} subjects, want exactly one: sign each model by itself")]
    Subjects {
        /// How many there are.
        found: usize,
    },
    /// The subject's digest is no SHA-256.
    #[error("the subject's digest {found} is not 64 lower-case hexadecimal digits")]
    MalformedRoot {
        /// The text given.
        found: String,
    },
    /// The subject is not what the list hashes to.
    #[error("the subject is {signed}, and the listed digests hash to {computed}: the manifest contradicts itself")]
    RootMismatch {
        /// The subject's digest.
        signed: Digest,
        /// SHA-256 over the digests of the resources, in their order.
        computed: Digest,
    },
    /// Neither files nor shards.
    #[error("serialization method {found} is not supported: sign with `files` or `shards`")]
    Method {
        /// The method given.
        found: String,
    },
    /// A hash that is not known here.
    #[error("hash_type {found} is not supported: sign with sha256, blake2b, or blake3 over whole files")]
    HashType {
        /// The hash given.
        found: String,
    },
    /// No usable size of shards.
    #[error("shard_size is {found}, want a whole number of bytes, at least 1, and only for the method `shards`")]
    ShardSize {
        /// What is given.
        found: String,
    },
    /// An ignored path that could lead anywhere.
    #[error("ignore_paths cannot be used: sign the model again with plain relative paths")]
    IgnorePath(#[source] NameError),
    /// The manifest says of one file both that it is signed and that it does not count.
    #[error("{name:?} is listed, and ignore_paths has {ignored:?}: sign the model again without one of the two")]
    ListedAndIgnored {
        /// The listed file.
        name: FileName,
        /// The ignored path.
        ignored: FileName,
    },
    /// Nothing is listed.
    #[error("no file is listed, so nothing would be verified: sign a folder that has files")]
    NothingListed,
    /// A listed name that is no file's name.
    #[error("a listed name cannot be used: rename the file and sign the model again")]
    Name(#[source] NameError),
    /// One name twice.
    #[error("{name:?} is listed twice: which of its digests counts?")]
    DuplicateName {
        /// The name.
        name: FileName,
    },
    /// The list is not sorted as the tool sorts it.
    #[error("{name:?} is listed after {after:?}: the list must be sorted by path, as model-signing writes it")]
    Unsorted {
        /// The name that comes too late.
        name: FileName,
        /// The name before it.
        after: FileName,
    },
    /// A file cannot have files below it.
    #[error("{file:?} is listed as a file, and {below:?} would be below it: sign the model again")]
    FileAndFolder {
        /// The one.
        file: FileName,
        /// The other.
        below: FileName,
    },
    /// Some file systems take the two for one, and would keep one of them.
    #[error("{one:?} and {other:?} differ only in case or Unicode composition: rename one and sign the model again")]
    Lookalikes {
        /// The one.
        one: FileName,
        /// The other.
        other: FileName,
    },
    /// A digest that is not by the manifest's hash.
    #[error("the digest of {name} is by {found}, and the manifest's are by {want}")]
    Algorithm {
        /// The resource as listed.
        name: String,
        /// The algorithm given.
        found: String,
        /// The one that hash_type and shard_size ask for.
        want: String,
    },
    /// A digest of another length or alphabet.
    #[error("the digest of {name} is {found}, want {want} lower-case hexadecimal digits")]
    MalformedDigest {
        /// The resource as listed.
        name: String,
        /// The text given.
        found: String,
        /// How many digits there must be.
        want: usize,
    },
    /// No `path:start:end`.
    #[error("{found} is no shard: want `path:start:end` in plain decimal numbers, and no further colon")]
    MalformedShard {
        /// The name given.
        found: String,
    },
    /// A gap, an overlap or disorder.
    #[error(
        "a shard of {name:?} begins at {found}, and must at {want}: shards must cover a file without gap or overlap"
    )]
    ShardStart {
        /// The file.
        name: FileName,
        /// Where it begins.
        found: u64,
        /// Where the one before it ends.
        want: u64,
    },
    /// A shard of another size.
    #[error(
        "a shard of {name:?} covers {start} to {end}: want {size} bytes, and only in the last shard fewer, at least 1"
    )]
    ShardSpan {
        /// The file.
        name: FileName,
        /// Its first byte.
        start: u64,
        /// The byte after its last.
        end: u64,
        /// The shard_size.
        size: u64,
    },
}

impl ManifestError {
    /// The stable name for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } | Self::TooMany { .. } => "ManifestTooLarge",
            Self::Malformed { .. } | Self::MalformedRoot { .. } => "MalformedModelManifest",
            Self::StatementType { .. } => "WrongStatementType",
            Self::PredicateType { .. } => "WrongPredicateType",
            Self::Subjects { .. } => "SubjectCount",
            Self::RootMismatch { .. } => "RootMismatch",
            Self::Method { .. } => "UnsupportedMethod",
            Self::HashType { .. } => "UnsupportedHash",
            Self::ShardSize { .. } => "MalformedShardSize",
            Self::IgnorePath(_) => "MalformedIgnorePath",
            Self::ListedAndIgnored { .. } => "ListedAndIgnored",
            Self::NothingListed => "NothingListed",
            Self::Name(_) => "MalformedName",
            Self::DuplicateName { .. } => "DuplicateName",
            Self::Unsorted { .. } => "ManifestNotSorted",
            Self::FileAndFolder { .. } => "FileAndFolder",
            Self::Lookalikes { .. } => "AmbiguousNames",
            Self::Algorithm { .. } => "WrongAlgorithm",
            Self::MalformedDigest { .. } => "MalformedDigest",
            Self::MalformedShard { .. } => "MalformedShard",
            Self::ShardStart { .. } | Self::ShardSpan { .. } => "ShardsDoNotTile",
        }
    }
}
