//! The files of all layers together, as a list of files is compared with them.

use std::collections::HashSet;

use super::contents::Contents;
use super::error::ContentsError;
use crate::model::allowed::Allowed;
use crate::model::compare::SeenFile;
use crate::model::manifest::{Manifest, RESOURCES_MAX};
use crate::model::name::FileName;

/// The files of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactFiles {
    /// Those in the model's folder, by their names below it. A name that several layers have is there several times.
    pub files: Vec<SeenFile>,
    /// Whether there is more outside of that folder.
    pub has_more: bool,
    /// The bytes of the file to keep, if one layer has it.
    pub kept: Option<Vec<u8>>,
}

impl ArtifactFiles {
    /// Puts together what the layers have, in their order. Layers are unpacked over each other, so that a file can end up
    /// elsewhere than its name says, where an earlier layer has a symbolic link on the way: that is refused.
    pub fn of(layers: Vec<Contents>, folder: Option<&FileName>) -> Result<Self, ContentsError> {
        let links = layers.iter().flat_map(|layer| &layer.outside.links);
        let links: HashSet<&str> = links.map(String::as_str).collect();
        for path in layers.iter().flat_map(|layer| &layer.outside.folders) {
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            if let Some(link) = ends.filter_map(|end| path.get(..end)).find(|part| links.contains(part)) {
                return Err(ContentsError::Unsafe {
                    entry: format!("{link:?}"),
                    rule: "is a link in one place and a folder in another, so that files may end up anywhere",
                });
            }
        }
        let mut all = Self {
            files: Vec::new(),
            has_more: false,
            kept: None,
        };
        for layer in layers {
            all.has_more |= layer.outside.is_there;
            all.kept = all.kept.or(layer.kept);
            for file in layer.files {
                all.files.push(below(folder, file)?);
            }
        }
        Ok(all)
    }

    /// As [`Manifest::compare`] takes them: without those passed over. The one file of a model without a folder has any
    /// name: it was signed without one.
    pub fn seen(self, manifest: &Manifest, allowed: &Allowed) -> Vec<SeenFile> {
        let passed_over = allowed.passed_over(manifest.serialization());
        let mut files = self.files;
        files.retain(|file| !passed_over.iter().any(|path| file.name.is_within(path)));
        if let (true, [file]) = (manifest.is_single_file(), files.as_mut_slice()) {
            file.name = FileName::whole();
        }
        files
    }
}

/// All names of all layers together, and signatures: the names of one layer may have a quarter of that.
const NAMES_MAX: usize = 64 * 1024 * 1024;

/// What the layers of an artifact have together. Each has its caps, and a manifest may name the same one thousands of times.
#[derive(Debug, Default)]
pub struct Total {
    files: usize,
    names: usize,
}

impl Total {
    /// Counts what was found in one more layer, unless that is too much.
    pub fn add(&mut self, layer: &Contents) -> Result<(), ContentsError> {
        let outside = layer.outside.links.iter().chain(&layer.outside.folders);
        let names = layer
            .files
            .iter()
            .map(|file| file.name.as_str())
            .chain(outside.map(String::as_str));
        let files = self.files + layer.files.len();
        let names = self.names + names.map(str::len).sum::<usize>() + layer.kept.as_ref().map_or(0, Vec::len);
        let too_much = |what, limit: usize| {
            let limit = limit as u64;
            Err(ContentsError::TooMuch { what, limit })
        };
        // No list has more.
        if files > RESOURCES_MAX {
            return too_much("the files of all layers", RESOURCES_MAX);
        }
        if names > NAMES_MAX {
            return too_much("the names and signatures in all layers", NAMES_MAX);
        }
        *self = Self { files, names };
        Ok(())
    }
}

/// A file by its name below the folder.
fn below(folder: Option<&FileName>, file: SeenFile) -> Result<SeenFile, ContentsError> {
    let Some(folder) = folder else { return Ok(file) };
    let name = file.name.as_str().strip_prefix(folder.as_str()).unwrap_or_default();
    let name = FileName::parse(name.strip_prefix('/').unwrap_or(name))?;
    Ok(SeenFile { name, ..file })
}
