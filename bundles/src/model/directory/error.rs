//! Why a folder cannot be read as a model.

use std::io;
use std::path::PathBuf;

use crate::model::name::NameError;

/// Why it cannot be told which files a model has, or what they hash to. Paths are as the user named the folder.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The system refused.
    #[error("cannot read {path:?}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The signature is over a single file.
    #[error("{path:?} is a folder, and the signature is over a single file: name that file")]
    WantsFile {
        /// What was named.
        path: PathBuf,
    },
    /// The signature is over a folder.
    #[error("{path:?} is no folder, and the signature is over the files of one: name the model's folder")]
    WantsFolder {
        /// What was named.
        path: PathBuf,
    },
    /// A name that is no text cannot be listed.
    #[error("the name of {path:?} is not UTF-8, so that no signature can be about it: rename or remove it")]
    NotUtf8 {
        /// The file or folder.
        path: PathBuf,
    },
    /// A name that no manifest may list.
    #[error("{path:?} cannot be part of a signed model: rename or remove it")]
    Name {
        /// The file or folder.
        path: PathBuf,
        /// Which rule its name breaks.
        #[source]
        source: NameError,
    },
    /// A symbolic link that is not followed.
    #[error("{path:?} is a symbolic link, and {problem}: put the file itself in its place")]
    Link {
        /// The link.
        path: PathBuf,
        /// Why it is not followed.
        problem: LinkProblem,
    },
    /// A pipe, a socket, a device.
    #[error("{path:?} is neither a file nor a folder: remove it")]
    Special {
        /// What is there.
        path: PathBuf,
    },
    /// Somebody wrote to the file.
    #[error("{path:?} changed while it was read: verify when nobody writes to the model")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// More files and folders than are looked at.
    #[error("{path:?} has more than {limit} files and folders, the most that are looked at")]
    TooMany {
        /// The model's folder.
        path: PathBuf,
        /// The cap.
        limit: usize,
    },
}

/// Why a symbolic link is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkProblem {
    /// The manifest says that the signer followed none.
    #[error("the signer followed none")]
    NotSigned,
    /// The signer followed links, and the caller does not.
    #[error("the signer followed it, which is not allowed here")]
    NotAllowed,
    /// It leads out of the model's folder, or nowhere.
    #[error("it does not lead to a file in the model's folder")]
    LeadsElsewhere,
    /// What is below a linked folder is not signed.
    #[error("it leads to a folder, whose files are not signed under that name")]
    ToFolder,
}

impl DirectoryError {
    /// The stable name for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Read { .. } => "ModelUnreadable",
            Self::WantsFile { .. } => "NotAFile",
            Self::WantsFolder { .. } => "NotAFolder",
            Self::NotUtf8 { .. } | Self::Name { .. } => "MalformedName",
            Self::Link { .. } => "SymbolicLink",
            Self::Special { .. } => "SpecialFile",
            Self::Changed { .. } => "ChangedWhileRead",
            Self::TooMany { .. } => "ModelTooLarge",
        }
    }
}
