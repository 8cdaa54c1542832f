//! Which files a folder has: every name below it but those passed over, without following links out of it.

use std::fs::{self, DirEntry, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::{DirectoryError, LinkProblem};
use crate::model::allowed::Allowed;
use crate::model::manifest::Manifest;
use crate::model::name::FileName;

/// Ten times what a manifest may list.
const ENTRIES_MAX: usize = 1_000_000;

/// A file that was found.
pub(super) struct Found {
    pub(super) name: FileName,
    pub(super) path: PathBuf,
    pub(super) state: State,
}

/// What tells whether a file is the one it was, with the content it had. The time of change (ctime) is the system's own:
/// unlike that of modification, who writes to a file cannot set it back. Both tick every few milliseconds only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl State {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Found {
    /// Bytes.
    pub(super) fn size(&self) -> u64 {
        self.state.size
    }
}

/// The files below `path`, sorted by name; or `path` itself, where the model is a single file.
pub(super) fn files(path: &Path, manifest: &Manifest, allowed: &Allowed) -> Result<Vec<Found>, DirectoryError> {
    // The user named this path: where it leads is the model.
    let root = fs::canonicalize(path).map_err(unreadable(path))?;
    let metadata = fs::metadata(&root).map_err(unreadable(path))?;
    match (metadata.is_dir(), manifest.is_single_file()) {
        (true, true) => return Err(DirectoryError::WantsFile { path: path.to_owned() }),
        (true, false) => {}
        (false, true) if metadata.is_file() => {
            let name = FileName::whole();
            let state = State::of(&metadata);
            return Ok(vec![Found {
                name,
                path: root,
                state,
            }]);
        }
        (false, true) => return Err(DirectoryError::Special { path: path.to_owned() }),
        (false, false) => return Err(DirectoryError::WantsFolder { path: path.to_owned() }),
    }
    let mut walk = Walk {
        root,
        passed_over: allowed.passed_over(manifest.serialization()),
        links: match (manifest.serialization().allow_symlinks, allowed.symlinks) {
            (true, true) => Ok(()),
            (true, false) => Err(LinkProblem::NotAllowed),
            (false, _) => Err(LinkProblem::NotSigned),
        },
        folders: vec![(path.to_owned(), String::new())],
        found: Vec::new(),
        entries: 0,
    };
    walk.run(path)?;
    walk.found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(walk.found)
}

struct Walk {
    /// The model's folder, without links on the way.
    root: PathBuf,
    passed_over: Vec<FileName>,
    /// Whether links are followed, or why not.
    links: Result<(), LinkProblem>,
    /// Folders to look into: the path, and the name with a slash behind it.
    folders: Vec<(PathBuf, String)>,
    found: Vec<Found>,
    entries: usize,
}

impl Walk {
    fn run(&mut self, top: &Path) -> Result<(), DirectoryError> {
        while let Some((folder, prefix)) = self.folders.pop() {
            for entry in fs::read_dir(&folder).map_err(unreadable(&folder))? {
                self.entries += 1;
                if self.entries > ENTRIES_MAX {
                    return Err(DirectoryError::TooMany {
                        path: top.to_owned(),
                        limit: ENTRIES_MAX,
                    });
                }
                self.look_at(&entry.map_err(unreadable(&folder))?, &prefix)?;
            }
        }
        Ok(())
    }

    fn look_at(&mut self, entry: &DirEntry, prefix: &str) -> Result<(), DirectoryError> {
        let path = entry.path();
        let name = name(entry, prefix)?;
        if self.passed_over.iter().any(|ignored| name.is_within(ignored)) {
            return Ok(());
        }
        let metadata = fs::symlink_metadata(&path).map_err(unreadable(&path))?;
        let metadata = if metadata.is_symlink() {
            self.follow(&path)?
        } else {
            metadata
        };
        if metadata.is_dir() {
            self.folders.push((path, format!("{name}/")));
        } else if metadata.is_file() {
            let state = State::of(&metadata);
            self.found.push(Found { name, path, state });
        } else {
            return Err(DirectoryError::Special { path });
        }
        Ok(())
    }

    /// What a link leads to, if that is a file of the model's folder.
    fn follow(&self, link: &Path) -> Result<Metadata, DirectoryError> {
        let refused = |problem| DirectoryError::Link {
            path: link.to_owned(),
            problem,
        };
        self.links.map_err(refused)?;
        let target = fs::canonicalize(link).map_err(|_| refused(LinkProblem::LeadsElsewhere))?;
        if !target.starts_with(&self.root) {
            return Err(refused(LinkProblem::LeadsElsewhere));
        }
        let metadata = fs::metadata(&target).map_err(unreadable(link))?;
        if metadata.is_dir() {
            return Err(refused(LinkProblem::ToFolder));
        }
        Ok(metadata)
    }
}

fn name(entry: &DirEntry, prefix: &str) -> Result<FileName, DirectoryError> {
    let segment = entry.file_name();
    let Some(segment) = segment.to_str() else {
        return Err(DirectoryError::NotUtf8 { path: entry.path() });
    };
    FileName::parse(&format!("{prefix}{segment}")).map_err(|source| DirectoryError::Name {
        path: entry.path(),
        source,
    })
}

pub(super) fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> DirectoryError {
    move |source| DirectoryError::Read {
        path: path.to_owned(),
        source,
    }
}
