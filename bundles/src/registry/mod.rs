//! Everything that speaks to a registry: the OCI distribution API over HTTP; and by the same rules to a [`Hub`] of models.
//!
//! What comes from here fits the digest it was asked for by, is no larger than the caps, and is not
//! believed: [`Pulled`] is opaque until a [`crate::trust::TrustPolicy`] has vouched for it. No registry
//! outside the allow-list is connected to.
//!
//! No answer of a registry reads as "unsigned" but a complete one: throttling, outages, refusals and
//! dangling entries are errors.

mod answer;
mod auth;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod hub;
mod layers;
mod legacy;
mod pull;
mod pulled;
mod push;
mod referrers;
mod resolve;
mod session;
mod settings;
#[cfg(test)]
mod tests;

pub use error::{Detail, RegistryError};
pub use hub::{Hub, HubContents, HubError, HubSettings};
pub(crate) use legacy::LegacySignature;
pub use pulled::{Pulled, PulledError};
pub use referrers::Evidence;
pub use settings::{Caps, Credentials, RegistrySettings};

use std::time::Duration;

use session::{CONNECT_TIMEOUT, Session};

use crate::model::artifact::{Contents, ContentsError, Layer, Reading};
use crate::reference::{Pinned, Repository, Wanted};

const USER_AGENT: &str = concat!("interlock/", env!("CARGO_PKG_VERSION"));

/// A client for the allowed registries. Keeps connections open between calls, but no tokens.
#[derive(Debug, Clone)]
pub struct Registry {
    http: reqwest::Client,
    settings: RegistrySettings,
}

impl Registry {
    /// Checks the settings and sets up HTTPS. Connects to nothing.
    pub fn new(settings: RegistrySettings) -> Result<Self, RegistryError> {
        settings.check()?;
        let http = client(settings.timeout)?;
        Ok(Self { http, settings })
    }

    /// Finds the one manifest that is wanted. To be done once: everything after works with its result.
    ///
    /// A digest is its own answer, without a request. A tag is fetched and its bytes hashed here. For a
    /// version range the tags are listed; those that are no semantic versions (a leading `v` is fine)
    /// are passed over.
    pub async fn resolve(
        &self,
        repository: &Repository,
        wanted: &Wanted,
        credentials: &Credentials,
    ) -> Result<Pinned, RegistryError> {
        let session = self.session(repository, credentials)?;
        self.within(
            format!("resolving {wanted} of {repository}"),
            resolve::resolve(session, wanted),
        )
        .await
    }

    /// Gets a manifest and its bundle layer, both compared with their digests, neither opened.
    pub async fn pull(&self, pinned: &Pinned, credentials: &Credentials) -> Result<Pulled, RegistryError> {
        let session = self.session(&pinned.repository, credentials)?;
        self.within(format!("pulling {pinned}"), pull::pull(session, pinned))
            .await
    }

    /// Gets every Sigstore bundle attached to a manifest: signatures and attestations alike.
    ///
    /// An empty list means that the registry answered completely and knows of none. Whatever else
    /// happens is an error.
    pub async fn signatures(&self, pinned: &Pinned, credentials: &Credentials) -> Result<Vec<Evidence>, RegistryError> {
        let session = self.session(&pinned.repository, credentials)?;
        self.within(
            format!("getting the signatures of {pinned}"),
            referrers::signatures(session, pinned),
        )
        .await
    }

    /// Gets everything that may count as a signature: [`Self::signatures`], and with `legacy` also
    /// [`Self::legacy_signatures`], which share one cap. Only if both are answered completely is it known what there is.
    pub async fn evidence(
        &self,
        pinned: &Pinned,
        legacy: bool,
        credentials: &Credentials,
    ) -> Result<Vec<Evidence>, RegistryError> {
        let mut evidence = self.signatures(pinned, credentials).await?;
        if legacy {
            evidence.extend(self.legacy_signatures(pinned, credentials).await?);
        }
        self.weighed(pinned, evidence)
    }

    /// The same evidence with the artifact's manifest, by its digest: what a signed list of files is compared with
    /// ([`crate::trust::TrustPolicy::listed`]).
    pub async fn with_manifest(
        &self,
        pinned: &Pinned,
        mut evidence: Vec<Evidence>,
        credentials: &Credentials,
    ) -> Result<Vec<Evidence>, RegistryError> {
        evidence.push(Evidence {
            media_type: String::new(),
            digest: pinned.digest,
            bytes: self.manifest(pinned, credentials).await?,
        });
        self.weighed(pinned, evidence)
    }

    /// All of it together is no larger than what is kept.
    fn weighed(&self, pinned: &Pinned, evidence: Vec<Evidence>) -> Result<Vec<Evidence>, RegistryError> {
        let limit = self.settings.caps.evidence_bytes;
        if evidence.iter().map(|one| one.bytes.len() as u64).sum::<u64>() > limit {
            return Err(RegistryError::LimitExceeded {
                at: format!("the signatures of {pinned}"),
                what: "bytes of all signatures",
                limit,
            });
        }
        Ok(evidence)
    }

    /// Gets a manifest alone, compared with its digest.
    pub async fn manifest(&self, pinned: &Pinned, credentials: &Credentials) -> Result<Vec<u8>, RegistryError> {
        let mut session = self.session(&pinned.repository, credentials)?;
        self.within(
            format!("getting the manifest of {pinned}"),
            session.manifest(pinned.digest),
        )
        .await
    }

    /// Gets every signature that is attached to a manifest in the format that cosign had before version 3, as
    /// [`Self::signatures`] gets the others. To be asked for only where such a signature would count:
    /// [`crate::trust::TrustPolicy::accepts`].
    pub async fn legacy_signatures(
        &self,
        pinned: &Pinned,
        credentials: &Credentials,
    ) -> Result<Vec<Evidence>, RegistryError> {
        let session = self.session(&pinned.repository, credentials)?;
        self.within(
            format!("getting the signatures of {pinned} in the old format"),
            legacy::legacy_signatures(session, pinned),
        )
        .await
    }

    /// Gets a layer of at most `most` bytes, compared with its digest.
    pub async fn layer(
        &self,
        repository: &Repository,
        layer: &Layer,
        most: u64,
        credentials: &Credentials,
    ) -> Result<Vec<u8>, RegistryError> {
        let mut session = self.session(repository, credentials)?;
        let blob = session.blob(layer.digest, layer.size, ("layer bytes", most));
        self.within(format!("getting layer {} of {repository}", layer.digest), blob)
            .await
            .map_err(|error| layers::named_and_gone(layer, error))
    }

    /// Reads a layer of any size once, holding a few pieces of it at a time, and tells what files it has. An error of the
    /// layer itself is told only of bytes that have its digest.
    pub async fn look_into(
        &self,
        repository: &Repository,
        layer: &Layer,
        reading: &Reading,
        credentials: &Credentials,
    ) -> Result<Result<Contents, ContentsError>, RegistryError> {
        let session = self.session(repository, credentials)?;
        layers::look_into(session, layer, reading).await
    }

    /// Pushes a `bundle.tar.gz` as OPA's tools do, under a tag. The same bundle always gets the same digest.
    pub async fn push(
        &self,
        repository: &Repository,
        tag: &str,
        bundle_targz: Vec<u8>,
        credentials: &Credentials,
    ) -> Result<Pinned, RegistryError> {
        let session = self.session(repository, credentials)?;
        self.within(
            format!("pushing {repository}:{tag}"),
            push::push(session, tag, bundle_targz),
        )
        .await
    }

    fn session<'a>(
        &'a self,
        repository: &'a Repository,
        credentials: &'a Credentials,
    ) -> Result<Session<'a>, RegistryError> {
        Session::open(&self.http, &self.settings, repository, credentials)
    }

    async fn within<T>(
        &self,
        at: String,
        operation: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, RegistryError> {
        within(self.settings.timeout, at, operation).await
    }
}

/// HTTPS that never follows, retries or decompresses by itself: see [`session`].
fn client(timeout: Duration) -> Result<reqwest::Client, RegistryError> {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .build()
        .map_err(RegistryError::Tls)
}

/// The deadline of a whole operation: a registry that trickles bytes ends here.
async fn within<T>(
    after: Duration,
    at: String,
    operation: impl Future<Output = Result<T, RegistryError>>,
) -> Result<T, RegistryError> {
    match tokio::time::timeout(after, operation).await {
        Ok(outcome) => outcome,
        Err(_) => Err(RegistryError::Timeout { at, after }),
    }
}
