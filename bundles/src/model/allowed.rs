//! What the one who verifies allows. A signer says what was passed over and whether links were followed; that alone
//! decides nothing here, because what is passed over can hold anything.

use super::name::FileName;
use super::serialization::Serialization;

/// What a model's folder may have besides plain files that are all listed. The default is what the default of
/// `model-signing` leaves room for: the files by which Git manages a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// Files and folders that may be passed over if the manifest says that the signer did.
    pub ignored: Vec<FileName>,
    /// The signature that is being verified, where it lies in the folder. It is passed over in any case: no signature can
    /// cover itself.
    pub signature: Option<FileName>,
    /// Whether symbolic links to files of the same folder are followed if the signer did.
    pub symlinks: bool,
    /// Whether there may be empty files that the manifest cannot list, because it lists shards.
    pub empty_files: bool,
}

impl Default for Allowed {
    fn default() -> Self {
        let git = [".git", ".gitattributes", ".github", ".gitignore"];
        Self {
            ignored: git.into_iter().filter_map(|path| FileName::parse(path).ok()).collect(),
            signature: None,
            symlinks: false,
            empty_files: false,
        }
    }
}

impl Allowed {
    /// The paths that are passed over: those that the signer passed over and may be.
    pub(super) fn passed_over(&self, serialization: &Serialization) -> Vec<FileName> {
        let may_be = |path: &&FileName| self.ignored.iter().any(|allowed| path.is_within(allowed));
        let ignored = serialization.ignore_paths.iter().filter(may_be);
        ignored.chain(&self.signature).cloned().collect()
    }
}
