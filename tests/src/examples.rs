//! Manifests and CRDs that nobody here wrote: the YAML files inside the pinned releases of KServe, Argo Rollouts and
//! the Gateway API, as `tests/tools/manifests` names them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::tools::tool;

/// A project whose release is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Project {
    /// KServe: InferenceServices and their like.
    KServe,
    /// Argo Rollouts: Rollouts.
    ArgoRollouts,
    /// The Gateway API: HTTPRoutes, Gateways.
    GatewayApi,
}

/// One YAML document of a release.
#[derive(Clone, Debug)]
pub struct Example {
    /// Path inside the release.
    pub file: PathBuf,
    /// The object.
    pub object: Value,
}

impl Project {
    /// The folder with the release's YAML files.
    pub fn folder(self) -> Result<PathBuf> {
        let name = match self {
            Self::KServe => "kserve",
            Self::ArgoRollouts => "argo-rollouts",
            Self::GatewayApi => "gateway-api",
        };
        Ok(tool("manifests")?.join(name))
    }

    /// Every object of `kind` in any YAML file of the release, ordered by file. Files that are no YAML (templates,
    /// broken test data) are left out.
    pub fn objects(self, kind: &str) -> Result<Vec<Example>> {
        let folder = self.folder()?;
        let mut files = Vec::new();
        yaml_files(&folder, &mut files)?;
        files.sort();
        let mut found = Vec::new();
        for path in files {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            if !text.contains(kind) {
                continue; // parsing all of them takes long
            }
            let file = path.strip_prefix(&folder).unwrap_or(&path).to_owned();
            let objects = parts(&text).filter(|object| object.get("kind").is_some_and(|found| found == kind));
            found.extend(objects.map(|object| Example { file: file.clone(), object }));
        }
        Ok(found)
    }

    /// The CRD called `name` (`<plural>.<group>`), the first that the release's install files hold.
    pub fn crd(self, name: &str) -> Result<Value> {
        let crds = self.objects("CustomResourceDefinition")?;
        let named = crds.into_iter().find(|crd| crd.object.pointer("/metadata/name").is_some_and(|found| found == name));
        Ok(named.with_context(|| format!("the release of {self:?} has no CRD called {name}"))?.object)
    }
}

/// The documents of a YAML file, each parsed on its own: one that is a template does not hide the others.
fn parts(text: &str) -> impl Iterator<Item = Value> {
    let mut parts = vec![String::new()];
    for line in text.lines() {
        match line.strip_prefix("---") {
            Some(rest) if rest.is_empty() || rest.starts_with([' ', '\t']) => parts.push(String::new()),
            _ => parts.last_mut().into_iter().for_each(|part| *part += &format!("{line}\n")),
        }
    }
    parts.into_iter().filter_map(|part| serde_saphyr::from_str(&part).ok())
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => yaml_files(&entry.path(), found)?,
            _ => found.push(entry.path()),
        }
    }
    Ok(())
}
