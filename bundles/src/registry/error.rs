//! What can go wrong with a registry, in the words of a status condition.
//!
//! "Could not tell" and "is not there" are different errors: a caller may conclude that something is
//! absent from [`RegistryError::NotFound`] only, and that an artifact is unsigned from no error at all.

use std::time::Duration;

use super::pulled::PulledError;
use crate::digest::Digest;
use crate::reference::{ReferenceError, Repository};

/// Why a registry operation did not succeed. `at` is the request or operation it happened in.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The settings themselves are unusable.
    #[error("registry setting {setting} has the value {given:?}: {rule}")]
    Settings {
        /// Which field.
        setting: &'static str,
        /// Its value.
        given: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The HTTP client could not be built: no usable TLS roots, usually.
    #[error("cannot set up HTTPS: check that this machine has CA certificates installed")]
    Tls(#[source] reqwest::Error),
    /// The repository is not on the allow-list. Nothing was sent.
    #[error("{repository} is not on the list of allowed registries {allowed:?}: add its host, or host/prefix/*")]
    NotAllowed {
        /// What was asked for.
        repository: Repository,
        /// The list.
        allowed: Vec<String>,
    },
    /// The tag asked for cannot be a tag.
    #[error("cannot ask for this tag")]
    Tag(#[from] ReferenceError),
    /// 401, or a token was refused.
    #[error("{at}: the registry does not accept these credentials{detail}: check the pull secret")]
    Unauthorized {
        /// Where.
        at: String,
        /// What the registry said, if anything.
        detail: Detail,
    },
    /// 403.
    #[error("{at}: the registry forbids this to these credentials{detail}: check their permissions on the repository")]
    Forbidden {
        /// Where.
        at: String,
        /// What the registry said, if anything.
        detail: Detail,
    },
    /// 404: the registry answered that there is no such thing.
    #[error("{at}: not found{detail}: check the name; a repository that these credentials may not see looks the same")]
    NotFound {
        /// Where.
        at: String,
        /// What the registry said, if anything.
        detail: Detail,
    },
    /// 429, also after retries.
    #[error("{at}: the registry asks to slow down{}", retry_hint(*.retry_after))]
    Throttled {
        /// Where.
        at: String,
        /// How long the registry asked to wait, if it said.
        retry_after: Option<Duration>,
    },
    /// 5xx, also after retries.
    #[error("{at}: the registry failed with status {status}{detail}")]
    ServerError {
        /// Where.
        at: String,
        /// The HTTP status.
        status: u16,
        /// What the registry said, if anything.
        detail: Detail,
    },
    /// No whole answer: refused, reset, no such host, TLS failure.
    #[error("{at}: no answer from the registry")]
    Unavailable {
        /// Where.
        at: String,
        /// What the HTTP client said.
        #[source]
        source: reqwest::Error,
    },
    /// The deadline passed.
    #[error("{at}: no complete answer within {} s", after.as_secs_f32())]
    Timeout {
        /// Where.
        at: String,
        /// The deadline of the whole operation.
        after: Duration,
    },
    /// Something is larger or more than the caps allow. Nothing above the cap was kept.
    #[error("{at}: {what} exceeds the limit of {limit}")]
    LimitExceeded {
        /// Where.
        at: String,
        /// What was counted, with its unit: `manifest bytes`, `tags`.
        what: &'static str,
        /// The cap.
        limit: u64,
    },
    /// The bytes do not have the digest they were asked for by, or the registry names another.
    #[error("{at}: got bytes with digest {got}, want {want}")]
    DigestMismatch {
        /// Where.
        at: String,
        /// What was asked for or announced.
        want: String,
        /// What the bytes have.
        got: Digest,
    },
    /// The answer breaks the distribution specification.
    #[error("{at}: the registry's answer is malformed: {problem}")]
    Malformed {
        /// Where.
        at: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The registry sends us somewhere we do not go.
    #[error("{at}: refused to go on to {to}: {rule}")]
    RedirectRefused {
        /// Where.
        at: String,
        /// Scheme and host it points to.
        to: String,
        /// The rule that forbids it.
        rule: &'static str,
    },
    /// A signature is listed, but could not be had: whether the artifact is signed is not known.
    #[error("signature {entry} of {subject} is listed by the registry but not there: sign again if it does not come")]
    SignaturesIncomplete {
        /// The artifact.
        subject: Digest,
        /// The missing entry.
        entry: Digest,
    },
    /// No tag is a version within the range.
    #[error("no tag of {repository} is a version within {range}: the highest versions there are {seen:?}")]
    NoMatchingVersion {
        /// Where was looked.
        repository: Repository,
        /// The range.
        range: semver::VersionReq,
        /// The highest versions among the tags, at most eight.
        seen: Vec<String>,
    },
    /// What is there, or what is to be pushed, is not a policy bundle.
    #[error("{at}: not a policy bundle")]
    NotABundle {
        /// Where.
        at: String,
        /// Why.
        #[source]
        source: PulledError,
    },
}

/// What a registry said about an error: `: CODE message`, shortened, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detail(pub(super) String);

impl std::fmt::Display for Detail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", self.0)
        }
    }
}

impl RegistryError {
    /// The stable name for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Settings { .. } | Self::Tls(_) => "InvalidRegistrySettings",
            Self::NotAllowed { .. } => "RegistryNotAllowed",
            Self::Tag(_) => "InvalidTag",
            Self::Unauthorized { .. } => "Unauthorized",
            Self::Forbidden { .. } => "Forbidden",
            Self::NotFound { .. } => "NotFound",
            Self::Throttled { .. } => "RegistryThrottled",
            Self::ServerError { .. } | Self::Unavailable { .. } => "RegistryUnavailable",
            Self::Timeout { .. } => "RegistryTimeout",
            Self::LimitExceeded { .. } => "LimitExceeded",
            Self::DigestMismatch { .. } => "DigestMismatch",
            Self::Malformed { .. } => "MalformedAnswer",
            Self::RedirectRefused { .. } => "RedirectRefused",
            Self::SignaturesIncomplete { .. } => "SignaturesIncomplete",
            Self::NoMatchingVersion { .. } => "NoMatchingVersion",
            Self::NotABundle { .. } => "NotABundle",
        }
    }

    /// Whether the same request may well succeed later, with nothing changed by anybody.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Throttled { .. }
                | Self::ServerError { .. }
                | Self::Unavailable { .. }
                | Self::Timeout { .. }
                | Self::SignaturesIncomplete { .. }
        )
    }

    /// Whether it is the registry that answers not at all, or wrongly, and not the question that is wrong: nothing is known
    /// then of what was asked about.
    pub fn is_at_fault(&self) -> bool {
        self.is_transient()
            || matches!(
                self,
                Self::LimitExceeded { .. }
                    | Self::DigestMismatch { .. }
                    | Self::Malformed { .. }
                    | Self::RedirectRefused { .. }
            )
    }

    /// How long the registry asked to be left alone, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn retry_hint(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| {
        format!(", and to come back in {} s", wait.as_secs())
    })
}
