//! Fetching manifests and blobs by digest, and a bundle from the two.

use super::error::RegistryError;
use super::pulled::{self, Pulled, PulledError};
use super::session::{Answer, Ask, Session};
use crate::digest::Digest;
use crate::reference::Pinned;

/// What we can read where a manifest is asked for; an index so that it can be refused by name.
pub(super) const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json";

/// Manifest and bundle layer.
pub(super) async fn pull(mut session: Session<'_>, pinned: &Pinned) -> Result<Pulled, RegistryError> {
    let manifest = session.manifest(pinned.digest).await?;
    let not_a_bundle = |source| RegistryError::NotABundle {
        at: pinned.to_string(),
        source,
    };
    let layer = pulled::bundle_layer(&manifest).map_err(not_a_bundle)?;
    let cap = ("layer bytes", session.line.settings.caps.layer_bytes);
    let bytes = session.blob(layer.digest, layer.size, cap).await?;
    Pulled::new(manifest, bytes).map_err(|error| match error {
        PulledError::LayerDigest { want, got } => RegistryError::DigestMismatch {
            at: pinned.to_string(),
            want: want.to_string(),
            got,
        },
        other => not_a_bundle(other),
    })
}

impl Session<'_> {
    /// A manifest's bytes, which have this digest.
    pub(super) async fn manifest(&mut self, digest: Digest) -> Result<Vec<u8>, RegistryError> {
        let answer = self.manifest_at(&digest.to_string()).await?;
        compare(&answer, digest)?;
        Ok(answer.body)
    }

    /// Whatever manifest a tag or digest leads to.
    pub(super) async fn manifest_at(&mut self, reference: &str) -> Result<Answer, RegistryError> {
        let url = self.url(&format!("manifests/{reference}"))?;
        let cap = ("manifest bytes", self.line.settings.caps.manifest_bytes);
        self.ask(&Ask::get(url, MANIFESTS, cap)).await
    }

    /// A blob's bytes, which have this digest. Not asked for if its manifest says it is too large.
    pub(super) async fn blob(
        &mut self,
        digest: Digest,
        size: u64,
        cap: (&'static str, u64),
    ) -> Result<Vec<u8>, RegistryError> {
        let url = self.url(&format!("blobs/{digest}"))?;
        let ask = Ask {
            elsewhere: true,
            ..Ask::get(url, "*/*", cap)
        };
        let (what, limit) = cap;
        if size > limit {
            return Err(RegistryError::LimitExceeded {
                at: ask.at(),
                what,
                limit,
            });
        }
        let answer = self.ask(&ask).await?;
        compare(&answer, digest)?;
        Ok(answer.body)
    }
}

fn compare(answer: &Answer, want: Digest) -> Result<(), RegistryError> {
    let got = Digest::of(&answer.body);
    if got == want {
        return Ok(());
    }
    Err(RegistryError::DigestMismatch {
        at: format!("GET {}", answer.url.path()),
        want: want.to_string(),
        got,
    })
}
