//! How the files that are there differ from those that were signed. Every file is named that is missing, too many or
//! other than signed; only when there is none are the two the same.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use super::algorithm::ContentDigest;
use super::allowed::Allowed;
use super::manifest::{ListedFile, Manifest};
use super::name::FileName;
use super::serialization::{Method, Serialization};

/// Differences that are told; the others are counted.
const TOLD: usize = 100;

/// A file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenFile {
    /// Its name.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// The digests of its parts, as the manifest's [`Serialization::parts`] divides it. May be left out (empty) where
    /// name or size already differ.
    pub digests: Vec<ContentDigest>,
}

/// What came of comparing a manifest with what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The first 100 differences, sorted by name.
    pub differences: Vec<Difference>,
    /// How many differences there are.
    pub count: usize,
    /// How many files are there.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// A file that is there, and others of the same name.
type Found<'a> = (&'a SeenFile, &'a [SeenFile]);

/// One file that is not as signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It was signed, and is not there.
    Missing {
        /// The file.
        name: FileName,
    },
    /// It is there, and was not signed.
    Extra {
        /// The file.
        name: FileName,
        /// What is known about why not.
        why: Unlisted,
    },
    /// It is there more than once, as layers of an artifact allow: which of them is used depends on who unpacks it.
    Repeated {
        /// The file.
        name: FileName,
    },
    /// It has another content.
    Changed {
        /// The file.
        name: FileName,
        /// Bytes of the first part that differs; none where only the file as a whole has a digest.
        first: Option<Range<u64>>,
        /// How many parts differ.
        parts: usize,
    },
    /// It has another size.
    Resized {
        /// The file.
        name: FileName,
        /// Bytes it has.
        found: u64,
        /// Bytes that were signed.
        signed: u64,
    },
}

/// Why a file is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    /// It was not there when the model was signed.
    Unsigned,
    /// The signer passed over it, which is not allowed here.
    Ignored,
    /// It is empty, and shards do not list empty files.
    Empty,
}

impl Comparison {
    /// Whether what is there is what was signed.
    pub fn is_same(&self) -> bool {
        self.count == 0
    }
}

impl Manifest {
    /// Compares with the files that are there, which may come in any order. Their parts must have been hashed as
    /// [`Self::serialization`] says.
    pub fn compare(&self, mut seen: Vec<SeenFile>, allowed: &Allowed) -> Comparison {
        seen.sort_by(|one, other| one.name.cmp(&other.name));
        let mut comparison = Comparison {
            differences: Vec::new(),
            count: 0,
            files: seen.len(),
            bytes: seen.iter().fold(0, |sum, file| sum.saturating_add(file.size)),
        };
        let by_name = seen.chunk_by(|one, other| one.name == other.name);
        let mut seen = by_name.filter_map(<[SeenFile]>::split_first).peekable();
        let mut listed = self.files().iter().peekable();
        loop {
            let difference = match (listed.peek(), seen.peek()) {
                (None, None) => return comparison,
                (Some(_), None) => listed.next().map(missing),
                (None, Some(_)) => seen.next().and_then(|found| self.extra(found, allowed)),
                (Some(want), Some((have, _))) => match want.name.cmp(&have.name) {
                    Ordering::Less => listed.next().map(missing),
                    Ordering::Greater => seen.next().and_then(|found| self.extra(found, allowed)),
                    Ordering::Equal => {
                        let pair = listed.next().zip(seen.next());
                        pair.and_then(|(want, have)| changed(self.serialization(), want, have))
                    }
                },
            };
            comparison.note(difference);
        }
    }

    fn extra(&self, (file, again): Found<'_>, allowed: &Allowed) -> Option<Difference> {
        if !again.is_empty() {
            return Some(repeated(file));
        }
        let serialization = self.serialization();
        let is_empty = file.size == 0 && serialization.method != Method::Files;
        let why = match is_empty {
            true if allowed.empty_files => return None,
            true => Unlisted::Empty,
            false if serialization.ignore_paths.iter().any(|path| file.name.is_within(path)) => Unlisted::Ignored,
            false => Unlisted::Unsigned,
        };
        Some(Difference::Extra {
            name: file.name.clone(),
            why,
        })
    }
}

impl Comparison {
    fn note(&mut self, difference: Option<Difference>) {
        let Some(difference) = difference else { return };
        self.count += 1;
        if self.differences.len() < TOLD {
            self.differences.push(difference);
        }
    }
}

fn missing(file: &ListedFile) -> Difference {
    Difference::Missing {
        name: file.name.clone(),
    }
}

fn repeated(file: &SeenFile) -> Difference {
    Difference::Repeated {
        name: file.name.clone(),
    }
}

fn changed(serialization: &Serialization, want: &ListedFile, (have, again): Found<'_>) -> Option<Difference> {
    if !again.is_empty() {
        return Some(repeated(have));
    }
    let name = || want.name.clone();
    if let Some(signed) = want.size.filter(|size| *size != have.size) {
        let found = have.size;
        return Some(Difference::Resized {
            name: name(),
            found,
            signed,
        });
    }
    let is_divided = serialization.method != Method::Files;
    // A digest that was left out differs from every other.
    let parts = serialization.parts(have.size).zip(0..want.digests.len());
    let mut other = parts.filter(|(_, at)| have.digests.get(*at) != want.digests.get(*at));
    let (first, _) = other.next()?;
    Some(Difference::Changed {
        name: name(),
        first: is_divided.then_some(first),
        parts: 1 + other.count(),
    })
}

impl Difference {
    /// The file.
    pub fn name(&self) -> &FileName {
        match self {
            Self::Missing { name }
            | Self::Extra { name, .. }
            | Self::Repeated { name }
            | Self::Changed { name, .. }
            | Self::Resized { name, .. } => name,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ", self.name())?;
        match self {
            Self::Missing { .. } => f.write_str("is signed and not there"),
            Self::Extra { why, .. } => write!(f, "is there and not signed{why}"),
            Self::Repeated { .. } => f.write_str("is there more than once"),
            Self::Changed { first: None, .. } => f.write_str("has other content than was signed"),
            Self::Changed {
                first: Some(Range { start, end }),
                parts,
                ..
            } => write!(
                f,
                "has other content than was signed, in {parts} of its parts, first in bytes {start} to {end}"
            ),
            Self::Resized { found, signed, .. } => write!(f, "has {found} bytes, and {signed} are signed"),
        }
    }
}

impl fmt::Display for Unlisted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsigned => "",
            Self::Ignored => ": the signer passed over it, which is not allowed here",
            Self::Empty => ": it is empty, and a signature over shards says nothing of empty files",
        })
    }
}
