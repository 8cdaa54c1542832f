//! What counts no more, whoever signed it: keys that got lost, artifacts and signatures that should not have been made,
//! and what a transparency log shows to be somebody else's doing.

use std::collections::BTreeSet;
use std::str::FromStr;

use sigstore_verify::types::bundle::TransparencyLogEntry;
use sigstore_verify::types::{Checkpoint, KindVersion};

use super::envelope::{Made, Signed, SigstoreBundle};
use super::library;
use super::policy::{Steps, TrustPolicy};
use super::root::TrustRoot;
use super::signer::{Means, SigningTime};
use super::verification::{Refusal, RefusalReason as Why};
use super::vouch::Vouch;
use crate::digest::Digest;

/// What is revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Keys by their fingerprints, those of certificates among them: see [`PublicKey::fingerprint`](super::PublicKey).
    pub keys: BTreeSet<Digest>,
    /// Digests of artifacts, of what is signed (the statement in a signature's envelope), and of signatures as they lie
    /// there, which whoever passes one on can write differently.
    pub digests: BTreeSet<Digest>,
    /// Entries of transparency logs. Whoever passes a signature on can leave its entries out, where no signer demands
    /// one; then this has no effect.
    pub entries: BTreeSet<LogEntry>,
}

/// An entry of a transparency log. Written as the log's ID, 64 hexadecimal digits, and the index, with a colon between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogEntry {
    /// The log's ID, SHA-256 of its key, as a trust root names it.
    pub log: Digest,
    /// The index in the whole log.
    pub index: u64,
}

/// The text names no log entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} is no log entry: write the log's ID in 64 hexadecimal digits, a colon, and the index, as Rekor shows them (logID, logIndex)"
)]
pub struct LogEntryError {
    given: String,
}

impl FromStr for LogEntry {
    type Err = LogEntryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let entry = text
            .split_once(':')
            .and_then(|(log, index)| Some((Digest::from_hex(log).ok()?, index.parse().ok()?)));
        let (log, index) = entry.ok_or_else(|| LogEntryError {
            given: text.chars().take(120).collect(),
        })?;
        Ok(Self { log, index })
    }
}

impl std::fmt::Display for LogEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.log.hex(), self.index)
    }
}

impl Revoked {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.digests.is_empty() && self.entries.is_empty()
    }
}

impl Steps<'_> {
    /// Those who vouch with a key that is not revoked, for a signature of which nothing else is. `entry` is what is wrong
    /// with its log entries.
    pub(super) fn not_revoked(
        &mut self,
        vouching: Vec<Vouch>,
        signed: Signed<'_>,
        entry: Option<String>,
        policy: &TrustPolicy,
    ) -> Result<Vec<Vouch>, Refusal> {
        let revoked = &policy.revoked;
        if revoked.is_empty() {
            return Ok(vouching);
        }
        if revoked.digests.contains(&self.evidence) {
            return self.fail("revocation", Why::Revoked, "the signature is revoked".to_owned());
        }
        if !revoked.digests.is_empty() && revoked.digests.contains(&signed.digest()) {
            let detail = format!("what it signs is revoked, {}", signed.digest());
            return self.fail("revocation", Why::Revoked, detail);
        }
        if let Some(problem) = entry {
            return self.fail("revocation", Why::Revoked, problem);
        }
        let is_revoked = |vouch: &Vouch| vouch.keys.iter().find(|key| revoked.keys.contains(key)).copied();
        let (out, left): (Vec<_>, Vec<_>) = vouching.into_iter().partition(|vouch| is_revoked(vouch).is_some());
        if let (true, Some(vouch)) = (left.is_empty(), out.first()) {
            let key = is_revoked(vouch).map_or_else(String::new, |key| key.to_string());
            let detail = format!("it rests on a key of {} that is revoked, {key}", vouch.name);
            return self.fail("revocation", Why::Revoked, detail);
        }
        self.step("revocation", Why::Revoked, Ok(left), |_| {
            "neither its keys nor its log entries are revoked".to_owned()
        })
    }
}

impl Revoked {
    /// What is wrong with the log entries of a signature.
    pub(super) fn entry_of(&self, bundle: &SigstoreBundle, made: &Made<'_>, policy: &TrustPolicy) -> Option<String> {
        if self.entries.is_empty() || bundle.log_entries() == 0 {
            return None;
        }
        let Ok(bundle) = library::read(made.json) else {
            return Some("its log entries cannot be read, and there are revoked ones".to_owned());
        };
        let mut entries = bundle.verification_material.tlog_entries.iter();
        entries.find_map(|entry| self.entry(entry, policy))
    }

    /// What a log vouches for is compared, not what an entry says of itself: of Rekor v2, that is the index, and the log
    /// whose key signed the checkpoint; of Rekor v1, what the promise (SET) is over.
    fn entry(&self, entry: &TransparencyLogEntry, policy: &TrustPolicy) -> Option<String> {
        let is_v2 = entry.kind_version == KindVersion::HashedRekordV002;
        if !is_v2 && entry.inclusion_promise.is_none() {
            let detail = "its log entry has no promise of the log, so that its index is not known for certain, and there are revoked entries";
            return Some(detail.to_owned());
        }
        let named = entry.log_id.key_id.as_bytes();
        let checkpoint = entry
            .inclusion_proof
            .as_ref()
            .and_then(|proof| proof.checkpoint.checkpoint());
        let is_in = |log: &Digest| {
            let signed = |checkpoint| policy.roots().any(|root| root.log_signed(log, checkpoint));
            named == log.as_bytes().as_slice() || (is_v2 && checkpoint.is_some_and(signed))
        };
        let index = entry.log_index.get();
        let mut revoked = self.entries.iter();
        let found = revoked.find(|revoked| revoked.index == index && is_in(&revoked.log))?;
        Some(format!("its log entry {found} is revoked"))
    }
}

impl TrustPolicy {
    /// The trust roots that its signers name.
    fn roots(&self) -> impl Iterator<Item = &TrustRoot> {
        self.signers.iter().filter_map(|signer| match &signer.means {
            Means::Key(keyed) => keyed.demands.as_ref().map(|demands| &demands.root),
            Means::Keyless(keyless) => Some(&keyless.root),
            Means::Issued(issued) => match &issued.time {
                SigningTime::Said(demands) => Some(&demands.root),
                SigningTime::At(_) | SigningTime::Issuance => None,
            },
        })
    }
}

impl TrustRoot {
    /// Whether a log of this root, by its ID, signed a checkpoint.
    fn log_signed(&self, log: &Digest, checkpoint: &Checkpoint) -> bool {
        let keys = self.log_keys().iter().filter(|(id, _)| id == log);
        keys.into_iter().any(|(_, key)| {
            let mut signatures = checkpoint.signatures().iter();
            signatures.any(|one| key.verify(checkpoint.signed_data(), &one.signature).is_ok())
        })
    }
}
