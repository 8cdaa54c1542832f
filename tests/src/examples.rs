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

    /// Every object of `kind` in any YAML file of the release, ordered by file. Documents that are no YAML (templates,
    /// broken test data) are left out.
    pub fn objects(self, kind: &str) -> Result<Vec<Example>> {
        // Parsing all of a release takes minutes, so a document must look as if it were one.
        let looks_so = |part: &str| part.lines().any(|line| kind_of(line) == Some(kind));
        Ok(self
            .documents(looks_so)?
            .into_iter()
            .filter(|example| text(example, "/kind") == Some(kind))
            .collect())
    }

    /// The CRD called `name` (`<plural>.<group>`), as it is in the release's last file that holds it.
    pub fn crd(self, name: &str) -> Result<Value> {
        let line = format!("  name: {name}");
        let looks_so = |part: &str| part.contains("kind: CustomResourceDefinition") && part.lines().any(|l| l == line);
        let crds = self.documents(looks_so)?;
        let named = crds
            .into_iter()
            .rfind(|example| text(example, "/metadata/name") == Some(name));
        Ok(named
            .with_context(|| format!("the release of {self:?} has no CRD called {name}"))?
            .object)
    }

    fn documents(self, looks_so: impl Fn(&str) -> bool) -> Result<Vec<Example>> {
        let folder = self.folder()?;
        let mut files = Vec::new();
        yaml_files(&folder, &mut files)?;
        files.sort();
        let mut found = Vec::new();
        for path in files {
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            let file = path.strip_prefix(&folder).unwrap_or(&path);
            let objects = parts(&text)
                .into_iter()
                .filter(|part| looks_so(part))
                .filter_map(|part| parse(&part));
            found.extend(objects.map(|object| Example {
                file: file.to_owned(),
                object,
            }));
        }
        Ok(found)
    }
}

/// The kind that a line of an object's first level states.
fn kind_of(line: &str) -> Option<&str> {
    line.strip_prefix("kind:")
        .map(|kind| kind.trim().trim_matches(['"', '\'']))
}

fn text<'a>(example: &'a Example, pointer: &str) -> Option<&'a str> {
    example.object.pointer(pointer).and_then(Value::as_str)
}

/// The documents of a YAML file, to be parsed each on its own: one that is a template does not hide the others.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for line in text.lines() {
        match line.strip_prefix("---") {
            Some(rest) if rest.is_empty() || rest.starts_with([' ', '\t']) => {
                parts.push(String::new());
            }
            _ => parts.last_mut().into_iter().for_each(|part| part.extend([line, "\n"])),
        }
    }
    parts
}

/// Some examples are no YAML before their reader fills in placeholders (`image: {username}/torchserve`): filled in here
/// with their own name.
fn parse(part: &str) -> Option<Value> {
    let as_it_is = serde_saphyr::from_str(part).ok();
    as_it_is.or_else(|| serde_saphyr::from_str(&part.replace(": {", ": ").replace("}/", "/")).ok())
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
