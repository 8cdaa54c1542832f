//! A model in a registry: which layers its manifest has, and which files they are or hold.
//!
//! Most tools that push models keep each file in a layer of its own, as it is: then the layer's digest is the file's, and
//! the manifest alone tells what the model's files are ([`Layer::unread`]). Layers that are archives, or whose files were
//! signed by another hash than SHA-256 or in parts, must be read once from end to end ([`contents()`]).
//!
//! ModelPack (modelpack/model-spec, `docs/spec.md`), its older name CNAI, KitOps, ORAS and container images are read. Where
//! two tools would make different files of the same layer, nothing is guessed: the artifact is refused.

mod archive;
mod contents;
mod error;
mod files;
mod stored;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

pub use contents::{Contents, Outside, Reading, contents};
pub use error::{ArtifactError, ContentsError};
pub use files::{ArtifactFiles, Total};

use super::algorithm::{Algorithm, ContentDigest};
use super::compare::SeenFile;
use super::manifest::plain;
use super::name::FileName;
use super::serialization::Method;
use crate::digest::Digest;

/// One layer a file is usual: ten times what large models have.
const LAYERS_MAX: usize = 10_000;
/// What ORAS, ModelPack and its older name CNAI call a layer's file.
const NAMES: [&str; 3] = [TITLE, "org.cncf.model.filepath", "org.cnai.model.filepath"];
const TITLE: &str = "org.opencontainers.image.title";
/// How ORAS marks a folder, which it packs as a gzipped tar whatever media type the user gave.
const UNPACK: &str = "io.deis.oras.content.unpack";
const IMAGE_CONFIGS: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];
/// What ORAS calls files of which the user said nothing.
const IMAGE_LAYER: &str = "application/vnd.oci.image.layer.";

/// A model's manifest, as far as it tells of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The layers, in order.
    pub layers: Vec<Layer>,
    /// Whether it is a container image: its layers make a file system, of which the model is a folder.
    pub is_image: bool,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The digest of its bytes, as they are in the registry.
    pub digest: Digest,
    /// How many bytes those are.
    pub size: u64,
    /// What they are.
    pub kind: LayerKind,
}

/// What a layer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerKind {
    /// A file as it is.
    File(FileName),
    /// A tar archive of files.
    Archive(Packing),
}

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// With gzip.
    Gzip,
    /// With Zstandard.
    Zstd,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestDocument {
    config: Option<ConfigDocument>,
    layers: Option<Vec<LayerDocument>>,
    manifests: Option<IgnoredAny>,
    #[serde(flatten)]
    _others: Others,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigDocument {
    #[serde(default)]
    media_type: String,
    #[serde(flatten)]
    _others: Others,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayerDocument {
    #[serde(default)]
    media_type: String,
    digest: Digest,
    size: u64,
    annotations: Option<BTreeMap<String, String>>,
    #[serde(flatten)]
    _others: Others,
}

/// Fields that decide nothing here, under names that nobody takes for those that are read. Go's tools do not look at the case
/// of letters, so that to them `Layers` is `layers`, and the last one counts.
struct Others;

impl<'de> Deserialize<'de> for Others {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self)
    }
}

impl<'de> Visitor<'de> for Others {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fields")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Self, M::Error> {
        while let Some((name, IgnoredAny)) = fields.next_entry::<String, _>()? {
            if let Some(field) = mistaken_for(&name) {
                let detail = format!("field {} is {field} to some tools, and not to others", shown(&name));
                return Err(M::Error::custom(detail));
            }
        }
        Ok(self)
    }
}

/// The fields that are read of a manifest, its configuration or a layer.
const FIELDS: [&str; 7] = [
    "config",
    "layers",
    "manifests",
    "mediaType",
    "digest",
    "size",
    "annotations",
];

/// The field that some tools take another one for.
fn mistaken_for(name: &str) -> Option<&'static str> {
    // The letters outside of ASCII that stand for one of it where case does not matter.
    let folded = |text: &str| {
        let text = text.replace('\u{17f}', "s").replace('\u{212a}', "k");
        text.to_ascii_lowercase()
    };
    let is_it = |field: &&str| folded(field) == folded(name) && *field != name;
    FIELDS.into_iter().find(is_it)
}

impl Artifact {
    /// Reads a manifest, whose bytes were compared with the digest that was asked for.
    pub fn read(manifest: &[u8]) -> Result<Self, ArtifactError> {
        let document: ManifestDocument =
            serde_json::from_slice(manifest).map_err(|error| ArtifactError::Malformed {
                detail: plain(&error.to_string(), 300),
            })?;
        if document.manifests.is_some() {
            return Err(ArtifactError::Index);
        }
        let layers = document.layers.unwrap_or_default();
        if layers.is_empty() {
            return Err(ArtifactError::NoLayers);
        }
        if layers.len() > LAYERS_MAX {
            return Err(ArtifactError::TooManyLayers {
                found: layers.len(),
                limit: LAYERS_MAX,
            });
        }
        let config = document.config.map(|config| config.media_type).unwrap_or_default();
        let is_image = IMAGE_CONFIGS.contains(&config.as_str());
        let read = |(at, layer): (usize, &LayerDocument)| layer.read(at + 1, is_image);
        let layers = layers.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self { layers, is_image })
    }

    /// The layer that is this file, if exactly one is.
    pub fn file(&self, name: &FileName) -> Option<&Layer> {
        let is_it = |layer: &&Layer| matches!(&layer.kind, LayerKind::File(own) if own == name);
        let mut named = self.layers.iter().filter(is_it);
        named.next().filter(|_| named.next().is_none())
    }
}

impl Layer {
    /// What is looked for in it, and what it is taken for: what is found in the same bytes depends on both.
    pub fn read_as(&self, reading: &Reading) -> String {
        match &self.kind {
            LayerKind::File(name) => format!("file {name:?} {reading}"),
            LayerKind::Archive(packing) => format!("archive {packing:?} {reading}"),
        }
    }

    /// What the layer holds, if its digest says all that is looked for: no byte of it needs to be read then. So it is with
    /// a file that is hashed with SHA-256 as a whole, or in shards of which one covers it.
    pub fn unread(&self, reading: &Reading) -> Option<Contents> {
        let LayerKind::File(name) = &self.kind else { return None };
        let is_whole = reading.method.parts(self.size).take(2).count() < 2;
        // A size is the manifest's word; of an empty file, shards have no digest that it would have to fit.
        let is_told = self.size > 0 || reading.method == Method::Files || self.digest == Digest::of(b"");
        if reading.algorithm != Algorithm::Sha256 || !is_whole || !is_told {
            return None;
        }
        let digest = |_| ContentDigest::Sha256(*self.digest.as_bytes());
        let file = SeenFile {
            name: name.clone(),
            size: self.size,
            digests: reading.method.parts(self.size).map(digest).collect(),
        };
        Some(Contents::of_file(file, reading))
    }
}

impl LayerDocument {
    fn read(&self, number: usize, is_image: bool) -> Result<Layer, ArtifactError> {
        let kind = match self.packing(number, is_image)? {
            Some(packing) => LayerKind::Archive(packing),
            None => LayerKind::File(self.name(number)?),
        };
        Ok(Layer {
            digest: self.digest,
            size: self.size,
            kind,
        })
    }

    /// How the layer is packed; nothing if it is a file.
    fn packing(&self, number: usize, is_image: bool) -> Result<Option<Packing>, ArtifactError> {
        if !is_image && self.annotation(UNPACK) == Some("true") {
            return Ok(Some(Packing::Gzip));
        }
        // What ORAS pushes without a type of its own has a title, and is written to a file by all who read artifacts.
        if !is_image && self.media_type.starts_with(IMAGE_LAYER) && self.annotation(TITLE).is_some() {
            return Ok(None);
        }
        let kind = self.media_type.split(';').next().unwrap_or_default().trim();
        let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| kind.ends_with(suffix));
        if ends(&[".tar"]) {
            Ok(Some(Packing::Plain))
        } else if ends(&[".tar+gzip", ".tar.gzip", ".tar.gz"]) {
            Ok(Some(Packing::Gzip))
        } else if ends(&[".tar+zstd", ".tar.zstd", ".tar.zst"]) {
            Ok(Some(Packing::Zstd))
        } else if is_image || kind.contains(".tar+") || ends(&["+zstd", ".zstd", "+gzip", ".gzip", "+encrypted"]) {
            Err(ArtifactError::UnsupportedLayer {
                number,
                media_type: shown(&self.media_type),
            })
        } else {
            Ok(None)
        }
    }

    /// The one name of the file. Who goes by one annotation and who goes by another must see the same file.
    fn name(&self, number: usize) -> Result<FileName, ArtifactError> {
        let mut names = NAMES.iter().filter_map(|key| self.annotation(key));
        let Some(name) = names.next() else {
            return Err(ArtifactError::Nameless {
                number,
                media_type: shown(&self.media_type),
            });
        };
        if let Some(other) = names.find(|other| *other != name) {
            return Err(ArtifactError::TwoNames {
                number,
                one: shown(name),
                other: shown(other),
            });
        }
        FileName::parse(name).map_err(|source| ArtifactError::Name { number, source })
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }
}

/// A text from outside, fit for a message.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(120).collect::<String>())
}
