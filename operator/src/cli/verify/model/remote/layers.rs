//! The layers of a model: each is read once at most, and only if its digest does not say all.

use std::collections::{HashMap, HashSet};

use interlock_bundles::cache::LayerCache;
use interlock_bundles::digest::Digest;
use interlock_bundles::model::artifact::{Artifact, ArtifactFiles, Contents, Layer, LayerKind, Reading, Total};
use interlock_bundles::model::{Algorithm, FileName, Method};
use interlock_bundles::registry::Evidence;

use super::{LARGEST, SIGNATURE};
use crate::cli::bundles::Found;
use crate::cli::output;
use crate::judge::chain;

/// The layers of one artifact, and what was read of them.
pub(super) struct Layers<'a> {
    found: &'a Found,
    artifact: Artifact,
    folder: Option<FileName>,
    read: HashMap<(Digest, String), Result<Contents, String>>,
    /// Of what was read: no more is kept than an artifact may have in all, and other layers are read again.
    kept: Total,
    cache: Option<LayerCache>,
    downloaded: u64,
}

impl<'a> Layers<'a> {
    pub(super) fn new(
        found: &'a Found,
        artifact: Artifact,
        folder: Option<FileName>,
        cache: Option<LayerCache>,
    ) -> Self {
        Self {
            found,
            artifact,
            folder,
            read: HashMap::new(),
            kept: Total::default(),
            cache,
            downloaded: 0,
        }
    }

    /// The folder whose files are the model; none is the whole artifact.
    pub(super) fn folder(&self) -> Option<FileName> {
        self.folder.clone()
    }

    /// Bytes of layers that were read from the registry.
    pub(super) fn downloaded(&self) -> u64 {
        self.downloaded
    }

    /// Where in the artifact the model's own signature is, if it has one.
    pub(super) fn signature(&self) -> Option<FileName> {
        let name = match &self.folder {
            Some(folder) => format!("{folder}/{SIGNATURE}"),
            None => SIGNATURE.to_owned(),
        };
        FileName::parse(&name).ok()
    }

    /// The model's own signature, where it is a layer.
    pub(super) async fn own_list(&mut self) -> anyhow::Result<Option<Evidence>> {
        let Some(layer) = self.signature().and_then(|name| self.artifact.file(&name).cloned()) else {
            return Ok(None);
        };
        let repository = &self.found.pinned.repository;
        let bytes = self
            .found
            .registry
            .layer(repository, &layer, LARGEST, &self.found.credentials)
            .await?;
        self.downloaded += layer.size;
        Ok(Some(evidence(bytes)))
    }

    /// The model's own signature, where it is in an archive. Read as most lists are made, so that most archives need not be
    /// read again to be compared with it.
    pub(super) async fn packed_list(&mut self) -> anyhow::Result<Option<Evidence>> {
        let reading = Reading {
            algorithm: Algorithm::Sha256,
            method: Method::Files,
            folder: self.folder(),
            keep: self.signature(),
        };
        let mut seen = HashSet::new();
        let archives = self.artifact.layers.iter();
        let archives = archives.filter(|layer| {
            matches!(layer.kind, LayerKind::Archive(_)) && seen.insert((layer.digest, layer.read_as(&reading)))
        });
        for layer in archives.cloned().collect::<Vec<_>>() {
            if let Ok(Contents { kept: Some(kept), .. }) = self.contents(&layer, &reading).await? {
                return Ok(Some(evidence(kept)));
            }
        }
        Ok(None)
    }

    /// All files, or why there can be no list of them.
    pub(super) async fn files(&mut self, reading: &Reading) -> anyhow::Result<Result<ArtifactFiles, String>> {
        let (mut all, mut total) = (Vec::new(), Total::default());
        for (at, layer) in self.artifact.layers.clone().iter().enumerate() {
            let contents = match self.contents(layer, reading).await? {
                Ok(contents) => total.add(&contents).map(|()| contents).map_err(|error| chain(&error)),
                Err(why) => Err(why),
            };
            match contents {
                Ok(contents) => all.push(contents),
                Err(why) => return Ok(Err(format!("layer {} ({}): {why}", at + 1, layer.digest))),
            }
        }
        Ok(ArtifactFiles::of(all, reading.folder.as_ref()).map_err(|error| chain(&error)))
    }

    /// Whether a list is the signature that the model itself has, and has once.
    pub(super) fn is_own(&self, list: &Evidence, all: &ArtifactFiles) -> bool {
        let layer = self.signature().and_then(|name| self.artifact.file(&name));
        let is_layer = layer.is_some_and(|layer| layer.digest == list.digest);
        let is_packed = all.kept.as_ref().is_some_and(|kept| list.digest.matches(kept));
        let named = all.files.iter().filter(|file| file.name.as_str() == SIGNATURE);
        (is_layer || is_packed) && named.count() == 1
    }

    async fn contents(&mut self, layer: &Layer, reading: &Reading) -> anyhow::Result<Result<Contents, String>> {
        if let Some(contents) = layer.unread(reading) {
            return Ok(Ok(contents));
        }
        let key = (layer.digest, layer.read_as(reading));
        if let Some(contents) = self.read.get(&key) {
            return Ok(contents.clone());
        }
        let contents = match self.remembered(layer, reading) {
            Some(contents) => Ok(contents),
            None => self.look_into(layer, reading).await?,
        };
        let fits = match &contents {
            Ok(contents) => self.kept.add(contents).is_ok(),
            Err(_) => true,
        };
        if fits {
            self.read.insert(key, contents.clone());
        }
        Ok(contents)
    }

    async fn look_into(&mut self, layer: &Layer, reading: &Reading) -> anyhow::Result<Result<Contents, String>> {
        let Found {
            registry,
            credentials,
            pinned,
            ..
        } = self.found;
        let contents = registry
            .look_into(&pinned.repository, layer, reading, credentials)
            .await?;
        self.downloaded += layer.size;
        if let (Some(cache), Ok(contents)) = (&self.cache, &contents) {
            let stored = cache.store(layer, reading, contents);
            stored.unwrap_or_else(|error| output::error(&format!("interlock: {}", chain(&error))));
        }
        Ok(contents.map_err(|error| chain(&error)))
    }

    /// What an earlier run found. A cache that does not serve is told, and costs the download.
    fn remembered(&self, layer: &Layer, reading: &Reading) -> Option<Contents> {
        let loaded = self.cache.as_ref()?.load(layer, reading);
        loaded.unwrap_or_else(|error| {
            output::error(&format!("interlock: {}", chain(&error)));
            None
        })
    }
}

fn evidence(bytes: Vec<u8>) -> Evidence {
    Evidence {
        media_type: String::new(),
        digest: Digest::of(&bytes),
        bytes,
    }
}
