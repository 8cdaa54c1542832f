//! Finding the Sigstore bundles attached to a manifest (distribution specification, "Listing
//! referrers" and "Referrers tag schema"; cosign's `specs/BUNDLE_SPEC.md` for what is in them).
//!
//! A listing proves presence, never absence of what a registry withholds. But an outage must not look
//! like absence either, so everything short of a complete answer is an error.

use reqwest::Method;
use serde::Deserialize;

use super::error::RegistryError;
use super::pull::MANIFESTS;
use super::pulled::Descriptor;
use super::resolve::next_page;
use super::session::{Ask, Session};
use crate::digest::Digest;
use crate::reference::Pinned;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// All versions begin so; which ones can be read is for `trust/` to say.
const SIGSTORE_BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// What some registries list for a manifest whose `artifactType` is in its layer only.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// One Sigstore bundle as found: it says what it wants, and nothing of it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// As the manifest that carries it says.
    pub media_type: String,
    /// The bundle's JSON, if it is that.
    pub bytes: Vec<u8>,
    /// The digest of `bytes`.
    pub digest: Digest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    digest: Digest,
    artifact_type: Option<String>,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Descriptor>,
}

pub(super) async fn signatures(mut session: Session<'_>, pinned: &Pinned) -> Result<Vec<Evidence>, RegistryError> {
    let entries = session.referrers(pinned.digest).await?;
    let mut left = session.line.settings.caps.evidence_bytes;
    let mut found = Vec::new();
    for entry in entries {
        let evidence = match session.evidence(&entry, left).await {
            // Listed and gone is not the same as never there.
            Err(RegistryError::NotFound { .. }) => {
                return Err(RegistryError::SignaturesIncomplete {
                    subject: pinned.digest,
                    entry: entry.digest,
                });
            }
            outcome => outcome?,
        };
        left = left.saturating_sub(evidence.iter().map(|one| one.bytes.len() as u64).sum());
        found.extend(evidence);
    }
    Ok(found)
}

impl Session<'_> {
    /// What is listed for a manifest and may be a Sigstore bundle.
    async fn referrers(&mut self, subject: Digest) -> Result<Vec<Entry>, RegistryError> {
        let caps = self.line.settings.caps;
        let mut entries = Vec::new();
        let mut next = Some(self.url(&format!("referrers/{subject}"))?);
        let mut pages = 0;
        while let Some(url) = next {
            if pages == caps.pages {
                return Err(RegistryError::LimitExceeded {
                    at: format!("GET {}", url.path()),
                    what: "referrer list pages",
                    limit: caps.pages as u64,
                });
            }
            let ask = Ask::get(url, INDEX, ("referrer list bytes", caps.manifest_bytes));
            let answer = match self.ask(&ask).await {
                // A registry without this API; a later page that is missing is another matter.
                Err(RegistryError::NotFound { .. }) if pages == 0 => {
                    return self.tagged_referrers(subject).await;
                }
                Err(RegistryError::NotFound { .. }) => {
                    return Err(RegistryError::Malformed {
                        at: ask.at(),
                        problem: "a page of the referrer list is not there".to_owned(),
                    });
                }
                outcome => outcome?,
            };
            entries.extend(candidates(&answer.body, &ask)?);
            if entries.len() > caps.referrers {
                return Err(too_many(&ask, caps.referrers));
            }
            next = next_page(&ask, &answer)?;
            pages += 1;
        }
        // The listing of what is not there is empty as well.
        if entries.is_empty() {
            self.is_there(subject).await?;
        }
        Ok(entries)
    }

    /// The same, from the tag `sha256-<hex>` of registries without the referrers API.
    async fn tagged_referrers(&mut self, subject: Digest) -> Result<Vec<Entry>, RegistryError> {
        let caps = self.line.settings.caps;
        let url = self.url(&format!("manifests/sha256-{}", subject.hex()))?;
        let ask = Ask::get(url, INDEX, ("referrer list bytes", caps.manifest_bytes));
        let entries = match self.ask(&ask).await {
            Err(RegistryError::NotFound { .. }) => {
                self.is_there(subject).await?;
                Vec::new()
            }
            outcome => candidates(&outcome?.body, &ask)?,
        };
        if entries.len() > caps.referrers {
            return Err(too_many(&ask, caps.referrers));
        }
        Ok(entries)
    }

    /// An empty list, or two 404s, mean "no signatures" only from a registry that shows us the artifact itself: it
    /// also answers so for what was never pushed, or for what it does not want to show.
    pub(super) async fn is_there(&mut self, subject: Digest) -> Result<(), RegistryError> {
        let url = self.url(&format!("manifests/{subject}"))?;
        let cap = ("manifest bytes", self.line.settings.caps.manifest_bytes);
        let ask = Ask {
            method: Method::HEAD,
            ..Ask::get(url, MANIFESTS, cap)
        };
        self.ask(&ask).await.map(drop)
    }

    fn too_heavy(&self, entry: Digest) -> RegistryError {
        RegistryError::LimitExceeded {
            at: format!("signature {entry} of {}", self.repository),
            what: "bytes of all signatures",
            limit: self.line.settings.caps.evidence_bytes,
        }
    }

    /// The Sigstore bundles of one listed manifest: one, as cosign writes them, or none if it turns
    /// out to be something else.
    async fn evidence(&mut self, entry: &Entry, mut left: u64) -> Result<Vec<Evidence>, RegistryError> {
        let bytes = self.manifest(entry.digest).await?;
        let layers = serde_json::from_slice::<Manifest>(&bytes).map(|manifest| manifest.layers);
        let bundles: Vec<Descriptor> = layers
            .unwrap_or_default()
            .into_iter()
            .filter(|layer| layer.media_type.starts_with(SIGSTORE_BUNDLE))
            .take(self.line.settings.caps.referrers)
            .collect();
        let listed = entry
            .artifact_type
            .as_deref()
            .filter(|listed| listed.starts_with(SIGSTORE_BUNDLE));
        if let (true, Some(listed)) = (bundles.is_empty(), listed) {
            if bytes.len() as u64 > left {
                return Err(self.too_heavy(entry.digest));
            }
            // It claims to be a signature and is none. Handed on, so that the trust check says so
            // and a good signature beside it still counts.
            return Ok(vec![Evidence {
                media_type: listed.to_owned(),
                bytes,
                digest: entry.digest,
            }]);
        }
        let mut found = Vec::new();
        for layer in bundles {
            let cap = ("signature bytes", self.line.settings.caps.bundle_bytes);
            let bytes = self.blob(layer.digest, layer.size, cap).await?;
            left = left
                .checked_sub(bytes.len() as u64)
                .ok_or_else(|| self.too_heavy(entry.digest))?;
            found.push(Evidence {
                media_type: layer.media_type,
                bytes,
                digest: layer.digest,
            });
        }
        Ok(found)
    }
}

/// The entries of a page that may be Sigstore bundles. The type listed is the registry's word; it can
/// hide an entry from us, as leaving it out could.
fn candidates(page: &[u8], ask: &Ask) -> Result<Vec<Entry>, RegistryError> {
    candidates_at(page, || ask.at())
}

/// How many there are, for the fuzz targets.
#[cfg(fuzzing)]
pub(super) fn count_candidates(page: &[u8]) -> Option<usize> {
    candidates_at(page, || String::from("a page"))
        .ok()
        .map(|found| found.len())
}

fn candidates_at(page: &[u8], at: impl FnOnce() -> String) -> Result<Vec<Entry>, RegistryError> {
    let index: Index = serde_json::from_slice(page).map_err(|error| RegistryError::Malformed {
        at: at(),
        problem: format!("referrer list: {error}"),
    })?;
    let may_be = |entry: &Entry| match entry.artifact_type.as_deref() {
        None | Some("" | EMPTY) => true,
        Some(listed) => listed.starts_with(SIGSTORE_BUNDLE),
    };
    Ok(index.manifests.into_iter().filter(may_be).collect())
}

fn too_many(ask: &Ask, limit: usize) -> RegistryError {
    RegistryError::LimitExceeded {
        at: ask.at(),
        what: "signatures and attestations",
        limit: limit as u64,
    }
}
