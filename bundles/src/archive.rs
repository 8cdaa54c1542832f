//! Opens an OPA bundle: a gzipped tar with a manifest, data and one WebAssembly module.
//!
//! Only what is verified can be opened, and nothing is unpacked before that: `open` exists on
//! [`Verified`] values alone. Even a trusted signer's bundle is read within caps on everything, in one
//! pass, without touching a file system.

mod error;
mod manifest;
mod members;
mod strict_json;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use error::Malformed;

use crate::digest::Digest;
use crate::registry::Pulled;
use crate::trust::{BuiltIn, LocalFile, Provenance, Verified};
use manifest::{Manifest, is_under};
use members::Caps;

/// An opened bundle.
#[derive(Debug)]
pub struct Bundle {
    digest: Digest,
    provenance: Provenance,
    manifest: Manifest,
    wasm: Vec<u8>,
    data: Value,
    signatures: bool,
}

impl Verified<Pulled> {
    /// The bundle as `opa build` wrote it, to be kept as a file.
    pub fn layer(&self) -> &[u8] {
        self.get().layer()
    }

    /// Opens the bundle layer. The bundle's digest is that of the OCI manifest.
    pub fn open(&self) -> Result<Bundle, Malformed> {
        let pulled = self.get();
        Bundle::read(pulled.layer(), pulled.digest(), self.provenance())
    }
}

impl Verified<LocalFile> {
    /// Opens the file. The bundle's digest is that of the file.
    pub fn open(&self) -> Result<Bundle, Malformed> {
        let file = self.get();
        Bundle::read(file.bytes(), file.digest(), self.provenance())
    }
}

impl Verified<BuiltIn> {
    /// Opens the bundle that is part of this program. Its digest is that of the file.
    pub fn open(&self) -> Result<Bundle, Malformed> {
        let built_in = self.get();
        Bundle::read(built_in.bytes(), built_in.digest(), self.provenance())
    }
}

impl Bundle {
    fn read(gzip: &[u8], digest: Digest, provenance: &Provenance) -> Result<Self, Malformed> {
        let members = members::read(gzip, Caps::default())?;
        let (path, wasm) = one_module(members.modules)?;
        let manifest = members.manifest.ok_or_else(|| Malformed::MalformedManifest {
            detail: "it is missing".to_owned(),
        })?;
        let manifest = manifest::read(&manifest, &path)?;
        let data = merge(members.data)?;
        check_roots(&data, "", &manifest.roots)?;
        Ok(Self {
            digest,
            provenance: provenance.clone(),
            manifest,
            wasm,
            data,
            signatures: members.signatures,
        })
    }

    /// The name in the manifest's metadata.
    pub fn name(&self) -> Option<&str> {
        self.manifest.name.as_deref()
    }

    /// The revision in the manifest.
    pub fn revision(&self) -> Option<&str> {
        self.manifest.revision.as_deref()
    }

    /// The digest the bundle is known by: of its OCI manifest, or of the file.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Who vouches for it.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The paths of the entry points, such as `interlock/baseline/decision`, sorted; at least one.
    pub fn entrypoints(&self) -> impl Iterator<Item = &str> {
        self.manifest.entrypoints.keys().map(String::as_str)
    }

    /// The annotations that `opa build` moved from an entry point's `# METADATA` to the manifest.
    pub fn annotations(&self, entrypoint: &str) -> &[Value] {
        self.manifest.entrypoints.get(entrypoint).map_or(&[], Vec::as_slice)
    }

    /// The parts of the data tree the bundle owns; one empty root owns all of it.
    pub fn roots(&self) -> &[String] {
        &self.manifest.roots
    }

    /// The module's bytes, not yet looked into.
    pub fn wasm(&self) -> &[u8] {
        &self.wasm
    }

    /// All data files as one object.
    pub fn data(&self) -> &Value {
        &self.data
    }

    /// Whether there is a `.signatures.json`. It is not read: trust comes from the signature of the
    /// whole, and OPA's own signatures protect against no rollback.
    pub fn has_signatures_file(&self) -> bool {
        self.signatures
    }
}

fn one_module(mut modules: Vec<(String, Vec<u8>)>) -> Result<(String, Vec<u8>), Malformed> {
    let module = modules.pop().ok_or(Malformed::NoPolicyWasm)?;
    if modules.is_empty() {
        return Ok(module);
    }
    modules.push(module);
    let paths = modules.into_iter().take(8).map(|(path, _)| path).collect();
    Err(Malformed::SeveralModules { paths })
}

/// One tree of all data files: `a/b/data.json` is `data.a.b`.
fn merge(files: Vec<(String, Vec<u8>)>) -> Result<Value, Malformed> {
    let files: BTreeMap<String, Vec<u8>> = files.into_iter().collect();
    let mut tree = Map::new();
    for (path, bytes) in &files {
        let malformed = |detail: String| Malformed::MalformedData {
            path: path.clone(),
            detail,
        };
        let mut value = strict_json::read(bytes).map_err(|error| malformed(error.to_string()))?;
        let folders = path.rsplit('/').skip(1);
        for folder in folders {
            value = Value::Object(Map::from_iter([(folder.to_owned(), value)]));
        }
        let Value::Object(value) = value else {
            return Err(malformed("the data of the root is not an object".to_owned()));
        };
        merge_into(&mut tree, value)
            .map_err(|key| malformed(format!("key {key:?} is already in another data file")))?;
    }
    Ok(Value::Object(tree))
}

/// Objects are merged key by key; anything else twice is a conflict, named by its key.
fn merge_into(tree: &mut Map<String, Value>, from: Map<String, Value>) -> Result<(), String> {
    for (key, value) in from {
        match (tree.get_mut(&key), value) {
            (Some(Value::Object(ours)), Value::Object(theirs)) => merge_into(ours, theirs)?,
            (Some(_), _) => return Err(key.chars().take(100).collect()),
            (None, value) => {
                tree.insert(key, value);
            }
        }
    }
    Ok(())
}

/// Every value lies under a root.
fn check_roots(value: &Value, path: &str, roots: &[String]) -> Result<(), Malformed> {
    if roots.iter().any(|root| is_under(path, root)) {
        return Ok(());
    }
    let Some(fields) = value.as_object() else {
        return Err(Malformed::MalformedData {
            path: path.to_owned(),
            detail: format!("it is outside the manifest's roots {roots:?}"),
        });
    };
    fields.iter().try_for_each(|(key, value)| {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}/{key}")
        };
        check_roots(value, &path, roots)
    })
}

#[cfg(test)]
mod tests;
