//! Why bytes are not a bundle.

/// Why verified bytes cannot be opened as an OPA bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Not one whole gzip member and nothing after it.
    #[error("bundle is not a gzip file ({detail}): push what `opa build` wrote")]
    NotGzip {
        /// What is wrong with it.
        detail: String,
    },
    /// The unpacked bytes are no tar archive.
    #[error("bundle is not a tar archive inside its gzip ({detail}): push what `opa build` wrote")]
    NotTar {
        /// What is wrong with it.
        detail: String,
    },
    /// An entry that could reach outside the bundle or is no plain file.
    #[error("bundle entry {path:?} {rule}: a bundle holds plain files below its root")]
    UnsafePath {
        /// The entry's name, cut.
        path: String,
        /// Which rule it breaks.
        rule: &'static str,
    },
    /// Two entries for one path.
    #[error("bundle has more than one entry {path:?}")]
    DuplicatePath {
        /// The normal form of the path.
        path: String,
    },
    /// More entries than allowed.
    #[error("bundle has more than {limit} entries")]
    TooManyEntries {
        /// How many are allowed.
        limit: usize,
    },
    /// Something is larger than allowed.
    #[error("bundle is too large: {what} has more than {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: String,
        /// How many bytes are allowed.
        limit: u64,
    },
    /// No `policy.wasm`.
    #[error("bundle has no policy.wasm: build it with `opa build -t wasm -e <entrypoint>`")]
    NoPolicyWasm,
    /// Several modules. OPA would bind each to its entry points; here one bundle is one policy.
    #[error("bundle has several modules, {}: build one module with several `-e`", paths.join(", "))]
    SeveralModules {
        /// Where they are, at most eight.
        paths: Vec<String>,
    },
    /// The manifest binds no entry point to the module.
    #[error("bundle has no entry point: build it with `opa build -t wasm -e <entrypoint>`")]
    NoEntrypoint,
    /// A data file is not strict JSON, or does not fit the others.
    #[error("bundle data {path:?} is malformed: {detail}")]
    MalformedData {
        /// The file.
        path: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The manifest is missing or says something odd.
    #[error("bundle manifest is malformed: {detail}")]
    MalformedManifest {
        /// What is wrong with it.
        detail: String,
    },
    /// A patch of another bundle. It cannot be judged by itself, and OPA takes them unsigned.
    #[error("bundle is a delta ({path:?}): push a whole bundle")]
    DeltaBundle {
        /// The patch file.
        path: String,
    },
}

impl Malformed {
    /// A stable CamelCase word for conditions and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotGzip { .. } => "NotGzip",
            Self::NotTar { .. } => "NotTar",
            Self::UnsafePath { .. } => "UnsafePath",
            Self::DuplicatePath { .. } => "DuplicatePath",
            Self::TooManyEntries { .. } => "TooManyEntries",
            Self::TooLarge { .. } => "TooLarge",
            Self::NoPolicyWasm => "NoPolicyWasm",
            Self::SeveralModules { .. } => "SeveralModules",
            Self::NoEntrypoint => "NoEntrypoint",
            Self::MalformedData { .. } => "MalformedData",
            Self::MalformedManifest { .. } => "MalformedManifest",
            Self::DeltaBundle { .. } => "DeltaBundle",
        }
    }
}
