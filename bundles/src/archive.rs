//! Opens an OPA bundle: a gzipped tar with a manifest, data and one WebAssembly module.
//!
//! Only what is verified can be opened, and nothing is unpacked before that: `open` exists on
//! [`Verified`] values alone. Even a trusted signer's bundle is read within caps on everything, in one
//! pass, without touching a file system.

mod data;
mod error;
mod manifest;
mod members;

use serde_json::Value;

pub use error::Malformed;

use crate::digest::Digest;
use crate::registry::Pulled;
use crate::trust::{BuiltIn, LocalFile, Provenance, Verified};
use data::Data;
use manifest::Manifest;
use members::Caps;

/// An opened bundle.
#[derive(Debug)]
pub struct Bundle {
    digest: Digest,
    provenance: Provenance,
    manifest: Manifest,
    wasm: Vec<u8>,
    data: Data,
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
        let data = Data::merge(members.data)?;
        let roots: Vec<Vec<&str>> = manifest.roots.iter().map(|root| segments(root)).collect();
        check_roots(&data.tree, &mut Vec::new(), &roots)?;
        check_overlap(&data.tree, manifest.entrypoints.keys())?;
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

    /// All data files as one object. Numbers beyond 64 bits are doubles here.
    pub fn data(&self) -> &Value {
        &self.data.tree
    }

    /// The same as JSON without what is at a path, each number as it is written in its file.
    pub(crate) fn data_without(&self, path: &[&str]) -> String {
        self.data.to_json_without(path)
    }

    /// Whether there is a `.signatures.json`. It is not read: trust comes from the signature of the
    /// whole, and OPA's own signatures protect against no rollback.
    pub fn has_signatures_file(&self) -> bool {
        self.signatures
    }
}

/// The keys on the way to a root; the empty one is everything.
fn segments(root: &str) -> Vec<&str> {
    root.split('/').filter(|segment| !segment.is_empty()).collect()
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

/// Every value lies under a root. Keys are compared one by one: `a/b` may be a key as well as two.
fn check_roots<'v>(value: &'v Value, path: &mut Vec<&'v str>, roots: &[Vec<&str>]) -> Result<(), Malformed> {
    if roots.iter().any(|root| path.starts_with(root)) {
        return Ok(());
    }
    let outside = |path: &[&str]| {
        let roots: Vec<_> = roots.iter().map(|root| root.join("/")).collect();
        Malformed::MalformedData {
            path: path.join("/").chars().take(200).collect(),
            detail: format!("it is outside the manifest's roots {roots:?}"),
        }
    };
    let fields = value.as_object().ok_or_else(|| outside(path))?;
    if fields.is_empty() && !path.is_empty() {
        return Err(outside(path));
    }
    for (key, value) in fields {
        path.push(key);
        check_roots(value, path, roots)?;
        path.pop();
    }
    Ok(())
}

/// No value is both data and an entry point: OPA refuses to load it, and a module would ignore one of them. An entry point
/// that is a package may have data below it, which its module puts together as OPA does.
fn check_overlap<'e>(data: &Value, mut entrypoints: impl Iterator<Item = &'e String>) -> Result<(), Malformed> {
    let is_data = |entrypoint: &&String| {
        let mut at = Some(data);
        for key in entrypoint.split('/') {
            match at {
                Some(Value::Object(fields)) => at = fields.get(key),
                Some(_) => return true,
                None => return false,
            }
        }
        at.is_some_and(|value| !value.is_object())
    };
    match entrypoints.find(is_data) {
        None => Ok(()),
        Some(entrypoint) => Err(Malformed::MalformedData {
            path: entrypoint.clone(),
            detail: "it is an entry point, and cannot be data too".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
