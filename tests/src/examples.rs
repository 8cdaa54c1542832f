//! Manifests and CRDs that nobody here wrote: the YAML files inside the pinned releases of KServe, Argo Rollouts and
//! the Gateway API, as `tests/tools/manifests` names them, and the YAML on their Markdown pages.

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

    /// Every object of the release whose text has one of `words`, in YAML files and on Markdown pages, ordered by file;
    /// no CRDs. Beside them the files with a part that has such a word and is no YAML.
    pub fn mentioning(self, words: &[&str]) -> Result<(Vec<Example>, Vec<PathBuf>)> {
        let looks_so = |part: &str| {
            words.iter().any(|word| part.contains(word)) && !part.contains("kind: CustomResourceDefinition")
        };
        let (mut found, mut unread) = (Vec::new(), Vec::new());
        for (file, text) in self.files(&["yaml", "yml", "md"])? {
            let is_page = file.extension().is_some_and(|extension| extension == "md");
            let texts = if is_page { blocks(&text) } else { vec![text] };
            for part in texts.iter().flat_map(|text| parts(text)).filter(|part| looks_so(part)) {
                match parse(&part) {
                    Some(object) if object.get("kind").is_some() => found.push(Example {
                        file: file.clone(),
                        object,
                    }),
                    _ => unread.push(file.clone()),
                }
            }
        }
        Ok((found, unread))
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
        let mut found = Vec::new();
        for (file, text) in self.files(&["yaml", "yml"])? {
            let objects = parts(&text)
                .into_iter()
                .filter(|part| looks_so(part))
                .filter_map(|part| parse(&part));
            found.extend(objects.map(|object| Example {
                file: file.clone(),
                object,
            }));
        }
        Ok(found)
    }

    /// The release's text files with one of `extensions`, by their paths inside the release.
    fn files(self, extensions: &[&str]) -> Result<Vec<(PathBuf, String)>> {
        let folder = self.folder()?;
        let mut files = Vec::new();
        all_files(&folder, &mut files)?;
        files.sort();
        let has_one = |path: &PathBuf| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            extension.is_some_and(|extension| extensions.contains(&extension))
        };
        let read = |path: PathBuf| {
            let text = std::fs::read_to_string(&path).ok()?;
            Some((path.strip_prefix(&folder).unwrap_or(&path).to_owned(), text))
        };
        Ok(files.into_iter().filter(has_one).filter_map(read).collect())
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

/// The fenced blocks of a Markdown page without their indentation; of a shell command what it hands to kubectl.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for line in page.lines() {
        let indented = line.len() - line.trim_start().len();
        let fence = line.trim_start().strip_prefix("```");
        let is_fence = fence.is_some_and(|language| !language.contains('`'));
        match &mut open {
            None if is_fence => open = Some((indented, String::new())),
            None => {}
            Some(_) if is_fence => blocks.extend(open.take().map(|(_, block)| block)),
            Some((_, block)) if line.contains("<<") => block.clear(),
            Some(_) if line.trim() == "EOF" => {}
            Some((margin, block)) => {
                // A page may indent with tabs, as no YAML may.
                block.push_str(
                    &line
                        .get(indented.min(*margin)..)
                        .unwrap_or_default()
                        .replace('\t', "  "),
                );
                block.push('\n');
            }
        }
    }
    blocks.extend(open.map(|(_, block)| block));
    blocks
}

/// Some examples are no YAML before their reader fills in placeholders (`image: {username}/torchserve`): filled in here
/// with their own name.
fn parse(part: &str) -> Option<Value> {
    let as_it_is = serde_saphyr::from_str(part).ok();
    as_it_is.or_else(|| serde_saphyr::from_str(&part.replace(": {", ": ").replace("}/", "/")).ok())
}

fn all_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => all_files(&entry.path(), found)?,
            _ => found.push(entry.path()),
        }
    }
    Ok(())
}
