//! What came out of checking signatures: every check by name for people, one reason for conditions.

use std::collections::BTreeSet;

use serde::Serialize;

use super::format::SignatureFormat;
use crate::digest::Digest;

/// The outcome of checking all evidence about one subject, with every check that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Whether the policy is satisfied.
    pub outcome: VerificationOutcome,
    /// The names of the signers whose signatures hold, sorted.
    pub signers: Vec<String>,
    /// The formats in which those signatures came.
    pub formats: BTreeSet<SignatureFormat>,
    /// What was checked, in order: for each piece of evidence, and for the policy as a whole.
    pub checks: Vec<Check>,
}

impl Verification {
    /// The names of the checks that failed, on whatever evidence.
    pub fn failed(&self) -> BTreeSet<&'static str> {
        let failed = self.checks.iter().filter(|check| check.outcome == CheckOutcome::Failed);
        failed.map(|check| check.name).collect()
    }
}

/// Whether enough trusted signers vouch for the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum VerificationOutcome {
    /// They do.
    Verified,
    /// They do not.
    Rejected,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// The check's stable name: `policy`, `bundle-format`, `key-material`, `envelope`, `message-signature`, `timestamp`,
    /// `certificate`, `certificate-log`, `transparency-log`, `signature`, `log-entry`, `key-validity`, `identity`,
    /// `signature-format`, `revocation`, `statement`, `subject`, `predicate-type`, `manifest`, `threshold`,
    /// `separation-of-duties`.
    pub name: &'static str,
    /// The evidence it was made on; none for checks on the whole.
    pub evidence: Option<Digest>,
    /// How it went.
    pub outcome: CheckOutcome,
    /// What was found, in a sentence fragment.
    pub detail: String,
}

/// How a check went. After one that failed, the later checks on the same evidence are not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum CheckOutcome {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// It was not made, because the policy does not ask for it.
    NotNeeded,
}

/// Why one piece of evidence does not count, from what says least about the subject to what says most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum RefusalReason {
    /// It cannot be read as a Sigstore bundle with a DSSE envelope and a statement.
    MalformedSignature,
    /// No trusted key made it.
    UntrustedKey,
    /// No trusted clock says when it was made.
    NoTrustedTime,
    /// Its certificate is not from a trusted authority, or was not good when it was made.
    UntrustedCertificate,
    /// No trusted log has it.
    NotLogged,
    /// Its certificate names none of those trusted.
    UntrustedIdentity,
    /// It names a trusted key that did not make it.
    BadSignature,
    /// A trusted signer made it, in a format in which theirs do not count.
    FormatNotAccepted,
    /// A trusted key made it at a time at which it does not count.
    KeyNotValid,
    /// A trusted key signed a statement of another kind, say an attestation.
    WrongPredicateType,
    /// A trusted key signed something else.
    SubjectMismatch,
    /// A trusted signer made it, and it, its key or its log entry is revoked.
    Revoked,
}

/// One piece of evidence that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The evidence.
    pub evidence: Digest,
    /// Why.
    pub reason: RefusalReason,
    /// In words.
    pub detail: String,
}

/// Why a subject is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// The policy itself can trust nothing.
    #[error("nothing can be trusted under this policy: {problem}")]
    UnusablePolicy {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It does not count any more, whoever signed it.
    #[error("{subject} is revoked: use another, or take it off the list of what is")]
    Revoked {
        /// What is revoked.
        subject: Digest,
    },
    /// There is no signature at all.
    #[error("{subject} has no signature: sign it with `cosign sign`")]
    Unsigned {
        /// What should be signed.
        subject: Digest,
    },
    /// There are signatures, but none counts.
    #[error("no signature of {subject} counts, of {} found: {}", refusals.len(), most_telling(refusals).1)]
    NoTrustedSignature {
        /// What should be signed.
        subject: Digest,
        /// Every signature that was looked at.
        refusals: Vec<Refusal>,
    },
    /// Some signatures count, but of too few different signers.
    #[error("{subject} is signed by {have} of {need} needed signers ({}): signers that share a key, and keys of one signer, count once", signers.join(", "))]
    ThresholdNotMet {
        /// What should be signed.
        subject: Digest,
        /// How many different signers signed.
        have: u32,
        /// How many are needed.
        need: u32,
        /// Those that signed, by name.
        signers: Vec<String>,
    },
    /// Enough signed, but not somebody else for each duty.
    #[error("{subject} is signed by {}, and nobody of them is left for: {}. Somebody else has to sign for each duty; signers that share a key or an identity are one", signers.join(", "), unfilled.join(", "))]
    DutiesNotSeparate {
        /// What should be signed.
        subject: Digest,
        /// The duties that nobody is left for.
        unfilled: Vec<String>,
        /// Those that signed, by name.
        signers: Vec<String>,
    },
}

impl Untrusted {
    /// The stable name for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnusablePolicy { .. } => "UnusableTrustPolicy",
            Self::Revoked { .. } => "Revoked",
            Self::Unsigned { .. } => "Unsigned",
            Self::NoTrustedSignature { refusals, .. } => most_telling(refusals).0.as_str(),
            Self::ThresholdNotMet { .. } => "ThresholdNotMet",
            Self::DutiesNotSeparate { .. } => "DutiesNotSeparate",
        }
    }
}

impl Untrusted {
    /// The name of the check that failed.
    pub(super) fn check(&self) -> &'static str {
        match self {
            Self::UnusablePolicy { .. } => "policy",
            Self::Revoked { .. } => "revocation",
            Self::DutiesNotSeparate { .. } => "separation-of-duties",
            Self::Unsigned { .. } | Self::NoTrustedSignature { .. } | Self::ThresholdNotMet { .. } => "threshold",
        }
    }
}

impl RefusalReason {
    /// The stable name for conditions, events and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedSignature => "MalformedSignature",
            Self::UntrustedKey => "UntrustedKey",
            Self::NoTrustedTime => "NoTrustedTime",
            Self::UntrustedCertificate => "UntrustedCertificate",
            Self::NotLogged => "NotLogged",
            Self::UntrustedIdentity => "UntrustedIdentity",
            Self::BadSignature => "BadSignature",
            Self::FormatNotAccepted => "FormatNotAccepted",
            Self::KeyNotValid => "KeyNotValid",
            Self::WrongPredicateType => "WrongPredicateType",
            Self::SubjectMismatch => "SubjectMismatch",
            Self::Revoked => "Revoked",
        }
    }
}

/// The refusal that got furthest: what a trusted signer did says more than what a stranger did.
fn most_telling(refusals: &[Refusal]) -> (RefusalReason, &str) {
    refusals
        .iter()
        .max_by_key(|refusal| refusal.reason)
        .map_or((RefusalReason::MalformedSignature, ""), |refusal| {
            (refusal.reason, refusal.detail.as_str())
        })
}
