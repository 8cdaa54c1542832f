//! A model on a hub that speaks the API of the Hugging Face Hub: how it is named, and what the hub says of its files.
//!
//! A hub keeps large files by Git LFS, and publishes their size and SHA-256: such a file need not be read to be compared
//! with a signed list, as far as the hub's word goes. Of small files it publishes what Git calls them, which says nothing
//! that a list could be compared with: they must be read.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::artifact::{Contents, ContentsError, Layer, LayerKind, Reading, contents};
use super::compare::SeenFile;
use super::manifest::{ListedFile, Manifest, plain};
use super::name::{FileName, NameError};
use crate::digest::Digest;

/// What the hub allows of an organisation's or a model's name.
const NAME_MAX: usize = 96;
const COMMIT_DIGITS: usize = 40;
const SCHEME: &str = "hf://";

/// A model on a hub at one commit, `hf://ORG/NAME@COMMIT`: always the same files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubModel {
    organisation: String,
    name: String,
    commit: String,
}

/// The text does not name one commit of a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HubModelError {
    /// It names no model.
    #[error("{given:?} names no model on a hub: {rule}; write hf://ORG/NAME@COMMIT")]
    Name {
        /// The text, cut.
        given: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// It names a model by nothing, or by what can be moved.
    #[error(
        "{given:?} leads to other files whenever its publisher wants: pin it by all 40 hexadecimal digits of a commit, as in hf://ORG/NAME@COMMIT; `git ls-remote` of the model's repository shows them"
    )]
    Mutable {
        /// The text, cut.
        given: String,
    },
}

/// A file of a model, as the hub lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFile {
    /// Its name.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest, if the hub publishes it.
    pub published: Option<Digest>,
}

/// What it takes to compare a file with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Nothing: it is not listed, or with another size.
    Nothing(Contents),
    /// Nothing but the hub's word: the digest that it publishes is of the kind that is listed.
    Published(Contents),
    /// Its bytes, which are few.
    Bytes,
    /// Its bytes, which are many: it was signed by another hash than the hub publishes, or in parts.
    Other,
}

/// Why a page of a hub's list of files cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// It is no such list, or contradicts itself.
    #[error("its list of files is malformed: {problem}")]
    Malformed {
        /// What is wrong with it.
        problem: String,
    },
    /// A file that no signed list can be about.
    #[error("a file on the hub cannot be a file of a signed model")]
    Name(#[from] NameError),
}

impl FromStr for HubModel {
    type Err = HubModelError;

    fn from_str(text: &str) -> Result<Self, HubModelError> {
        let broken = |rule| HubModelError::Name { given: cut(text), rule };
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or_else(|| broken("it does not begin with hf://"))?;
        // KServe writes the revision behind a colon, Hugging Face's own tools behind an @.
        let (path, revision) = rest.split_once(['@', ':']).unwrap_or((rest, ""));
        let (organisation, name) = path.split_once('/').ok_or_else(|| broken("it has no organisation"))?;
        if ![organisation, name].into_iter().all(is_name) {
            return Err(broken(
                "organisation and name have letters, digits, dots, dashes and underscores, and begin with a letter or digit",
            ));
        }
        if revision.len() != COMMIT_DIGITS || !revision.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(HubModelError::Mutable { given: cut(text) });
        }
        Ok(Self {
            organisation: organisation.to_owned(),
            name: name.to_owned(),
            commit: revision.to_owned(),
        })
    }
}

impl HubModel {
    /// The segments of a path on the hub: `before`, the model's two names, `between`, the commit.
    pub(crate) fn path<'a>(&'a self, before: &[&'a str], between: &'a str) -> Vec<&'a str> {
        let model = [&*self.organisation, &*self.name, between, &*self.commit];
        before.iter().copied().chain(model).collect()
    }
}

impl fmt::Display for HubModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}@{}", self.organisation, self.name, self.commit)
    }
}

fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    text.len() <= NAME_MAX
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.bytes().all(is_allowed)
}

fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    size: u64,
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    oid: String,
    size: u64,
}

impl HubFile {
    /// Reads a page of a hub's list: the files on it, without the folders.
    pub fn read_page(page: &[u8]) -> Result<Vec<Self>, ListingError> {
        let entries: Vec<Entry> = serde_json::from_slice(page).map_err(|error| ListingError::Malformed {
            problem: plain(&error.to_string(), 300),
        })?;
        let files = entries.into_iter().filter(|entry| entry.kind != "directory");
        files.map(Entry::read).collect()
    }

    /// What it takes to compare it with what a manifest lists under its name.
    pub fn need(&self, manifest: &Manifest, reading: &Reading) -> Need {
        let whole = FileName::whole();
        let name = if manifest.is_single_file() { &whole } else { &self.name };
        let is_of_size = |listed: &ListedFile| listed.size.is_none_or(|size| size == self.size);
        if !manifest.file(name).is_some_and(is_of_size) {
            return Need::Nothing(self.without_digests());
        }
        match self.published {
            None => Need::Bytes,
            Some(digest) => self
                .as_layer(digest)
                .unread(reading)
                .map_or(Need::Other, Need::Published),
        }
    }

    /// What is known of it by its bytes.
    pub fn contents(&self, reading: &Reading, bytes: &[u8]) -> Result<Contents, ContentsError> {
        contents(&self.as_layer(Digest::of(bytes)), reading, bytes)
    }

    /// Its name and size alone, where these tell already that it is not as signed.
    fn without_digests(&self) -> Contents {
        let file = SeenFile {
            name: self.name.clone(),
            size: self.size,
            digests: Vec::new(),
        };
        Contents {
            files: vec![file],
            ..Contents::default()
        }
    }

    /// The file as a registry would have it: a layer that is one file, as it is.
    fn as_layer(&self, digest: Digest) -> Layer {
        Layer {
            digest,
            size: self.size,
            kind: LayerKind::File(self.name.clone()),
        }
    }
}

impl Entry {
    fn read(self) -> Result<HubFile, ListingError> {
        let name = FileName::parse(&self.path)?;
        let malformed = |rule: &str| ListingError::Malformed {
            problem: format!("{:?} {rule}", name.as_str()),
        };
        if self.kind != "file" {
            return Err(malformed("is neither a file nor a directory"));
        }
        let published = match &self.lfs {
            None => None,
            Some(large) if large.size != self.size => return Err(malformed("has two sizes")),
            Some(large) => {
                Some(Digest::from_hex(&large.oid).map_err(|_| malformed("has an LFS digest that is not a SHA-256"))?)
            }
        };
        Ok(HubFile {
            name,
            size: self.size,
            published,
        })
    }
}
