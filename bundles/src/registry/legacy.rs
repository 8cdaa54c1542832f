//! Signatures as cosign attached them before version 3: layers of a manifest under the tag `sha256-<hex>.sig`, the signatures
//! themselves in annotations (cosign `specs/SIGNATURE_SPEC.md`).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::error::RegistryError;
use super::pull::MANIFESTS;
use super::pulled::Descriptor;
use super::referrers::Evidence;
use super::session::{Ask, Session};
use crate::digest::Digest;
use crate::reference::Pinned;

const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const RECEIPT: &str = "dev.sigstore.cosign/bundle";

/// One such signature as a document of its own, so that it is kept and handed on as others are: the text that is signed
/// is a blob, and its signature stands in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LegacySignature {
    /// The text that is signed, in base64.
    pub(crate) payload: String,
    /// The signature, in base64; empty if there is none.
    pub(crate) signature: String,
    /// What a transparency log gave back, as JSON.
    pub(crate) receipt: Option<String>,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    #[serde(flatten)]
    descriptor: Descriptor,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl LegacySignature {
    /// The media type of the evidence that holds one: that of what is signed.
    pub(crate) const MEDIA_TYPE: &str = SIMPLE_SIGNING;

    /// Reads one.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| format!("not a signature in the old format: {error}"))
    }

    fn evidence(&self, at: &str) -> Result<Evidence, RegistryError> {
        let bytes = serde_json::to_vec(self).map_err(|error| RegistryError::Malformed {
            at: at.to_owned(),
            problem: format!("a signature that cannot be written down: {error}"),
        })?;
        Ok(Evidence {
            media_type: Self::MEDIA_TYPE.to_owned(),
            digest: Digest::of(&bytes),
            bytes,
        })
    }
}

pub(super) async fn legacy_signatures(
    mut session: Session<'_>,
    pinned: &Pinned,
) -> Result<Vec<Evidence>, RegistryError> {
    let caps = session.line.settings.caps;
    let url = session.url(&format!("manifests/sha256-{}.sig", pinned.digest.hex()))?;
    let ask = Ask::get(url, MANIFESTS, ("manifest bytes", caps.manifest_bytes));
    let manifest = match session.ask(&ask).await {
        Err(RegistryError::NotFound { .. }) => {
            session.is_there(pinned.digest).await?;
            return Ok(Vec::new());
        }
        outcome => outcome?.body,
    };
    let manifest: Manifest = serde_json::from_slice(&manifest).map_err(|error| RegistryError::Malformed {
        at: ask.at(),
        problem: format!("manifest of signatures: {error}"),
    })?;
    let is_one = |layer: &Layer| layer.descriptor.media_type == SIMPLE_SIGNING;
    let layers: Vec<Layer> = manifest.layers.into_iter().filter(is_one).collect();
    if layers.len() > caps.referrers {
        return Err(RegistryError::LimitExceeded {
            at: ask.at(),
            what: "signatures and attestations",
            limit: caps.referrers as u64,
        });
    }
    let mut left = caps.evidence_bytes;
    let mut found = Vec::new();
    for layer in layers {
        let evidence = session.legacy_signature(layer, pinned, &ask).await?;
        left = left
            .checked_sub(evidence.bytes.len() as u64)
            .ok_or_else(|| RegistryError::LimitExceeded {
                at: ask.at(),
                what: "bytes of all signatures",
                limit: caps.evidence_bytes,
            })?;
        found.push(evidence);
    }
    Ok(found)
}

impl Session<'_> {
    async fn legacy_signature(&mut self, layer: Layer, pinned: &Pinned, ask: &Ask) -> Result<Evidence, RegistryError> {
        let Layer {
            descriptor,
            mut annotations,
        } = layer;
        let cap = ("signature bytes", self.line.settings.caps.bundle_bytes);
        let payload = match self.blob(descriptor.digest, descriptor.size, cap).await {
            // Listed and gone is not the same as never there.
            Err(RegistryError::NotFound { .. }) => {
                return Err(RegistryError::SignaturesIncomplete {
                    subject: pinned.digest,
                    entry: descriptor.digest,
                });
            }
            outcome => outcome?,
        };
        let signature = LegacySignature {
            payload: STANDARD.encode(payload),
            signature: annotations.remove(SIGNATURE).unwrap_or_default(),
            receipt: annotations.remove(RECEIPT),
        };
        signature.evidence(&ask.at())
    }
}
