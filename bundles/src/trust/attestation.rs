//! Attestations: signed statements that say more of an artifact than that it was signed. One counts only if its
//! signature, its subject, its predicate type and its signer all hold; what it says is read after that.

use jiff::Timestamp;
use serde_json::Value;

use super::envelope::SigstoreBundle;
use super::policy::{Steps, TrustPolicy};
use super::statement::Statement;
use super::verification::{Refusal, RefusalReason};
use super::verified::{Provenance, Verified};
use super::vouch::names;
use crate::digest::Digest;
use crate::registry::{Evidence, LegacySignature};
use crate::strict_json::{self, Caps};

/// A statement as JSON: an SBOM has hundreds of kilobytes.
const MAX_STATEMENT_BYTES: usize = 1 << 20;
/// The room, 64 MiB, is for all attestations of one type about one artifact.
pub(super) const CAPS: Caps = Caps {
    depth: 64,
    room: 2 << 20,
};
/// Attestations of one type about one artifact. Whoever may sign could otherwise fill the memory.
const MOST: usize = 32;

/// Whose statements of one type count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationPolicy {
    /// The predicate type, a URI, compared as it is.
    pub predicate_type: String,
    /// Those whose statements count: any one of its signers is enough, whatever its threshold and duties say.
    pub trust: TrustPolicy,
}

/// A statement about an artifact, by somebody who counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// The evidence that carries it.
    pub evidence: Digest,
    /// What is said: the statement's `predicate`, null if there is none.
    pub predicate: Value,
    /// Those who say it, by name, sorted.
    pub signers: Vec<String>,
    /// When a trusted clock saw the signature, the earliest if several did.
    pub signed_at: Option<Timestamp>,
}

/// All statements of one type about one artifact.
#[derive(Debug, Clone, Default)]
pub struct Attested {
    /// Those that count, by the digest of their evidence.
    pub attestations: Vec<Verified<Attestation>>,
    /// What does not count, by digest. Statements of other types by those who count are not among them; of what nobody
    /// who counts has signed, the type is not known.
    pub refusals: Vec<Refusal>,
}

/// More statements of one type than are read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found} attestations {predicate_type:?} count, and at most {MOST} are read: remove those that are out of date"
)]
pub struct TooManyAttestations {
    /// How many count.
    pub found: usize,
    /// Their type.
    pub predicate_type: String,
}

impl AttestationPolicy {
    /// The statements about `subject` among its evidence. None at all is a complete answer.
    pub fn attested(&self, subject: &Digest, evidence: &[Evidence]) -> Result<Attested, TooManyAttestations> {
        let mut attested = Attested::default();
        if let Err(error) = self.trust.not_revoked(*subject) {
            attested.refusals.extend(evidence.iter().map(|one| Refusal {
                evidence: one.digest,
                reason: RefusalReason::Revoked,
                detail: error.to_string(),
            }));
        }
        let evidence = if attested.refusals.is_empty() { evidence } else { &[] };
        let mut caps = CAPS;
        // What is signed in the old format attests nothing: it is no attestation that is refused either.
        let stated = evidence
            .iter()
            .filter(|one| one.media_type != LegacySignature::MEDIA_TYPE);
        for one in stated {
            match self.read(one, subject, &mut caps) {
                Ok(attestation) => attested.attestations.push(attestation),
                Err(refusal) if refusal.reason == RefusalReason::WrongPredicateType => {}
                Err(refusal) => attested.refusals.push(refusal),
            }
        }
        if attested.attestations.len() > MOST {
            return Err(TooManyAttestations {
                found: attested.attestations.len(),
                predicate_type: self.predicate_type.clone(),
            });
        }
        attested.attestations.sort_by_key(|one| one.get().evidence);
        attested.attestations.dedup_by_key(|one| one.get().evidence);
        attested.refusals.sort_by_key(|one| one.evidence);
        Ok(attested)
    }

    fn read(&self, evidence: &Evidence, subject: &Digest, caps: &mut Caps) -> Result<Verified<Attestation>, Refusal> {
        let mut steps = Steps {
            evidence: evidence.digest,
            checks: &mut Vec::new(),
        };
        let malformed = |detail: String| Refusal {
            evidence: evidence.digest,
            reason: RefusalReason::MalformedSignature,
            detail,
        };
        let bundle = SigstoreBundle::read(&evidence.bytes).map_err(malformed)?;
        let (vouching, statement, payload) = steps.said(&bundle, &evidence.bytes, &self.trust)?;
        self.concerns(&statement, subject).map_err(|(reason, detail)| Refusal {
            evidence: evidence.digest,
            reason,
            detail,
        })?;
        let attestation = Attestation {
            evidence: evidence.digest,
            predicate: predicate(&payload, caps).map_err(malformed)?,
            signers: names(&vouching),
            signed_at: vouching.iter().filter_map(|vouch| vouch.seen_at).min(),
        };
        let provenance = Provenance::Signed {
            signers: attestation.signers.clone(),
        };
        Ok(Verified::new(attestation, provenance))
    }

    /// The type first: a statement of another one is nobody's business here, whatever it is about.
    fn concerns(&self, statement: &Statement, subject: &Digest) -> Result<(), (RefusalReason, String)> {
        statement
            .is_a(&self.predicate_type)
            .map_err(|detail| (RefusalReason::WrongPredicateType, detail))?;
        statement
            .is_about(subject)
            .map_err(|detail| (RefusalReason::SubjectMismatch, detail))
    }
}

/// What a statement says.
pub(super) fn predicate(payload: &[u8], caps: &mut Caps) -> Result<Value, String> {
    if payload.len() > MAX_STATEMENT_BYTES {
        return Err(format!(
            "the statement has {} bytes, at most {MAX_STATEMENT_BYTES} are read",
            payload.len()
        ));
    }
    let mut statement = strict_json::read(payload, caps)?;
    Ok(statement.get_mut("predicate").map(Value::take).unwrap_or_default())
}
