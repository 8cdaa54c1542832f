//! What a pull yields: a manifest and its bundle layer, whose bytes fit their digests and are
//! otherwise not looked into.
//!
//! The bytes can be kept in a cache and given to [`crate::trust::TrustPolicy::verify`]; only a
//! `Verified<Pulled>` can be opened.

use std::sync::Arc;

use serde::Deserialize;

use crate::digest::Digest;

/// The layer types read as an OPA bundle, in order of preference: what OPA's own downloader reads
/// (`v1/download/oci_download.go`), and what Trivy and Tracee push.
pub(super) const OPA_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const BUNDLE_LAYERS: [&str; 2] = [OPA_LAYER, "application/vnd.cncf.openpolicyagent.layer.v1.tar+gzip"];

/// A bundle as pulled: its bytes have the digests they were asked for by, and nothing else is known
/// about them. Cheap to clone.
#[derive(Clone)]
pub struct Pulled {
    digest: Digest,
    manifest: Arc<[u8]>,
    layer: Arc<[u8]>,
}

/// Why a manifest and a layer are not a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PulledError {
    /// The manifest is not the JSON of an OCI image manifest.
    #[error("manifest is not an OCI image manifest: {0}")]
    NotAManifest(String),
    /// A list of manifests for several platforms; bundles have no platform, and which of the two
    /// digests is signed would be open.
    #[error("it is an index of several manifests: push the bundle as one image manifest")]
    Index,
    /// Not compressed with gzip, so no `bundle.tar.gz`.
    #[error("it is not a gzip file: give the bundle.tar.gz that `opa build` wrote")]
    NotGzip,
    /// No layer has a type that holds an OPA bundle.
    #[error("manifest has no bundle layer: found layer types {found:?}, want one of {BUNDLE_LAYERS:?}")]
    NoBundleLayer {
        /// The layer types that are there, at most eight.
        found: Vec<String>,
    },
    /// The layer's bytes do not have the digest that the manifest names.
    #[error("layer has digest {got}, its manifest says {want}")]
    LayerDigest {
        /// What the manifest says.
        want: Digest,
        /// What the bytes have.
        got: Digest,
    },
}

/// A content descriptor, as far as this crate needs it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Option<Vec<Descriptor>>,
    manifests: Option<serde::de::IgnoredAny>,
}

impl Pulled {
    /// Puts a manifest and its bundle layer together. The caller has compared the manifest with the
    /// digest it asked for; the layer is compared here.
    pub(crate) fn new(manifest: Vec<u8>, layer: Vec<u8>) -> Result<Self, PulledError> {
        let want = bundle_layer(&manifest)?.digest;
        let got = Digest::of(&layer);
        if got != want {
            return Err(PulledError::LayerDigest { want, got });
        }
        Ok(Self {
            digest: Digest::of(&manifest),
            manifest: manifest.into(),
            layer: layer.into(),
        })
    }

    /// The digest of the manifest: what signatures are about.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The manifest's bytes.
    pub(crate) fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// The bundle layer's bytes, a gzipped tar if all is well. Crate-private: outside, the only way
    /// to the content is `Verified<Pulled>::open`.
    pub(crate) fn layer(&self) -> &[u8] {
        &self.layer
    }
}

impl std::fmt::Debug for Pulled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pulled")
            .field("digest", &self.digest)
            .field("manifest_bytes", &self.manifest.len())
            .field("layer_bytes", &self.layer.len())
            .finish()
    }
}

/// The first layer that holds a bundle: all of the first type are looked at before the second.
pub(super) fn bundle_layer(manifest: &[u8]) -> Result<Descriptor, PulledError> {
    let manifest: Manifest =
        serde_json::from_slice(manifest).map_err(|error| PulledError::NotAManifest(error.to_string()))?;
    let layers = match manifest {
        Manifest { manifests: Some(_), .. } => return Err(PulledError::Index),
        Manifest { layers, .. } => layers.unwrap_or_default(),
    };
    BUNDLE_LAYERS
        .iter()
        .find_map(|wanted| layers.iter().find(|layer| layer.media_type == *wanted))
        .cloned()
        .ok_or_else(|| PulledError::NoBundleLayer {
            found: layers
                .iter()
                .take(8)
                .map(|layer| layer.media_type.chars().take(100).collect())
                .collect(),
        })
}
