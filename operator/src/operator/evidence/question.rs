//! What is asked of registries, and what comes back.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use interlock_bundles::digest::Digest;
use interlock_bundles::reference::{Pinned, Repository};
use interlock_bundles::registry::Evidence;

use crate::dossier::Unavailable;
use crate::operator::registry::credentials::PullSecret;

/// One question to one registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Question {
    /// Where does a tag lead?
    Resolve(Tag),
    /// Which signatures has an artifact?
    Signatures(Artifact),
}

/// A tag, and the Secrets it is asked for with: what one team may see is not another's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tag {
    /// Where.
    pub(super) repository: Repository,
    /// Which.
    pub(super) name: String,
    /// Secrets in the order in which they are tried.
    pub(super) secrets: Arc<[PullSecret]>,
}

/// An artifact, the Secrets it is asked for with, and whether for signatures in cosign's old format too: an answer without
/// them is none where they count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Artifact {
    /// Which.
    pub(super) pinned: Pinned,
    /// Secrets in the order in which they are tried.
    pub(super) secrets: Arc<[PullSecret]>,
    /// Whether a signature in the old format would count.
    pub(super) legacy: bool,
}

impl Artifact {
    /// The name under which its evidence is kept: what one team may see is not another's, on disk either.
    pub(super) fn key(&self) -> String {
        let legacy = self.legacy.then(|| "legacy".to_owned());
        let secrets = self.secrets.iter();
        let secrets = secrets.map(|secret| format!("{}/{}", secret.namespace, secret.name));
        let artifact = std::iter::once(self.pinned.to_string()).chain(legacy);
        artifact.chain(secrets).collect::<Vec<_>>().join(" ")
    }
}

/// What a registry said, completely.
pub(super) enum Answer {
    /// Where the tag leads.
    Leads(Digest),
    /// All signatures and attestations.
    Signatures(Vec<Evidence>),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// In the words of a condition.
    pub(super) why: Unavailable,
    /// When to ask again.
    pub(super) again: Again,
    /// Whether the registry itself is in trouble, rather than this question.
    pub(super) concerns_host: bool,
}

/// When a question is worth asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// Soon, and not before this has passed.
    Soon(Option<Duration>),
    /// At the next interval: somebody has to change something first.
    Later,
}

impl Question {
    /// `host[:port]` of the registry.
    pub(super) fn host(&self) -> &str {
        self.repository().registry()
    }

    /// The repository.
    pub(super) fn repository(&self) -> &Repository {
        match self {
            Self::Resolve(tag) => &tag.repository,
            Self::Signatures(artifact) => &artifact.pinned.repository,
        }
    }

    /// Secrets with credentials.
    pub(super) fn secrets(&self) -> &[PullSecret] {
        match self {
            Self::Resolve(tag) => &tag.secrets,
            Self::Signatures(artifact) => &artifact.secrets,
        }
    }

    /// The kind, as metrics name it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Resolve(_) => "resolve",
            Self::Signatures(_) => "signatures",
        }
    }

    /// `pause`, a little longer or shorter: questions that were first asked together should not be for ever.
    pub(super) fn spread(&self, pause: Duration) -> Duration {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        let parts = u32::try_from(hasher.finish() % 1000).unwrap_or_default();
        pause.mul_f64(0.9 + f64::from(parts) / 10_000.0)
    }
}
