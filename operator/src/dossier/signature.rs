//! What is known of the signatures over one artifact. Found out ahead of any judgement; a dossier only carries it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Unavailable;

/// What is known of the signatures over one image or model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Signature {
    /// The track names nobody who would have to sign it.
    #[default]
    NotRequired,
    /// Signed as the track demands.
    Verified {
        /// What the reference leads to, `sha256:<hex>`.
        digest: String,
        /// Signers that vouch, sorted.
        signers: Vec<String>,
        /// The formats in which their signatures came, sorted: `Bundle`, `OldBundle`, `Legacy`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        formats: Vec<String>,
    },
    /// The registry answered completely, and the track's demands are not met.
    Rejected {
        /// What the reference leads to, if it leads anywhere.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
        /// Stable CamelCase word, for example `Unsigned` or `UntrustedKey`.
        reason: String,
        /// One sentence for people.
        message: String,
        /// The names of the checks that failed, sorted, as `interlock verify` tells them: on whatever signature there
        /// is, and on the whole. Empty where nothing was checked.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        checks_failed: Vec<String>,
    },
    /// It could not be found out: neither signed nor unsigned.
    Unavailable(Unavailable),
}

impl Signature {
    /// Whether nobody has to sign.
    pub fn is_not_required(&self) -> bool {
        *self == Self::NotRequired
    }

    /// Reason and message of what is not verified.
    pub fn problem(&self) -> Option<(&str, &str)> {
        match self {
            Self::NotRequired | Self::Verified { .. } => None,
            Self::Rejected { reason, message, .. } => Some((reason, message)),
            Self::Unavailable(why) => Some((&why.reason, &why.message)),
        }
    }

    /// The formats in which the signatures came that count.
    pub fn formats(&self) -> &[String] {
        match self {
            Self::Verified { formats, .. } => formats,
            _ => &[],
        }
    }

    /// The names of the checks that failed.
    pub fn checks_failed(&self) -> &[String] {
        match self {
            Self::Rejected { checks_failed, .. } => checks_failed,
            _ => &[],
        }
    }

    /// Whether it is rejected, also, because something is revoked.
    pub fn is_revoked(&self) -> bool {
        self.checks_failed().iter().any(|check| check == "revocation")
    }

    /// What the reference leads to, as far as the registry was asked.
    pub fn digest(&self) -> Option<&str> {
        match self {
            Self::Verified { digest, .. } => Some(digest),
            Self::Rejected { digest, .. } => digest.as_deref(),
            Self::NotRequired | Self::Unavailable(_) => None,
        }
    }
}
