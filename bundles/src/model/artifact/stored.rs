//! What was found in a layer, as JSON: for a cache, so that no layer is read twice.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::contents::{Contents, Outside, Reading};
use crate::digest;
use crate::model::algorithm::Algorithm;
use crate::model::compare::SeenFile;
use crate::model::name::FileName;
use crate::model::serialization::Method;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    files: Vec<FileDocument>,
    has_more: bool,
    links: BTreeSet<String>,
    folders: BTreeSet<String>,
    kept: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDocument {
    name: String,
    size: u64,
    digests: Vec<String>,
}

impl Contents {
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let file = |file: &SeenFile| FileDocument {
            name: file.name.to_string(),
            size: file.size,
            digests: file.digests.iter().map(|one| digest::hex(one.as_bytes())).collect(),
        };
        serde_json::to_vec(&Document {
            files: self.files.iter().map(file).collect(),
            has_more: self.outside.is_there,
            links: self.outside.links.clone(),
            folders: self.outside.folders.clone(),
            kept: self.kept.as_ref().map(|bytes| STANDARD.encode(bytes)),
        })
    }

    /// Of digests by this algorithm.
    pub(crate) fn from_json(json: &[u8], algorithm: Algorithm) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let file = |file: FileDocument| {
            let digests = file.digests.iter().map(|hex| algorithm.digest_from_hex(hex));
            Ok(SeenFile {
                name: FileName::parse(&file.name).map_err(|error| error.to_string())?,
                size: file.size,
                digests: digests.collect::<Option<_>>().ok_or("a digest is malformed")?,
            })
        };
        let kept = document.kept.map(|text| STANDARD.decode(text)).transpose();
        Ok(Self {
            files: document.files.into_iter().map(file).collect::<Result<_, String>>()?,
            outside: Outside {
                is_there: document.has_more,
                links: document.links,
                folders: document.folders,
            },
            kept: kept.map_err(|error| error.to_string())?,
        })
    }
}

/// What tells one way to read a layer from another.
impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.algorithm.name())?;
        if let Method::Shards { size } = self.method {
            write!(f, " in shards of {size}")?;
        }
        for (what, name) in [("within", &self.folder), ("keeping", &self.keep)] {
            if let Some(name) = name {
                write!(f, " {what} {name:?}")?;
            }
        }
        Ok(())
    }
}
