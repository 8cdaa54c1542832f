//! Whether evidence satisfies a trust policy: pure, synchronous, offline.
//!
//! A signature counts if, in this order, its bundle can be read, it is made with a key, one of the
//! policy's keys made it, and the statement so signed is about the subject and of the kind wanted.
//! Nothing of a payload is read before its signature holds; nothing in a bundle chooses the key, the
//! algorithm or the kind.

use std::collections::BTreeSet;

use super::envelope::SigstoreBundle;
use super::key::PublicKey;
use super::statement::{SIGNATURE_PREDICATE, Statement};
use super::verification::{Check, CheckOutcome, Refusal, RefusalReason, Untrusted, Verification, VerificationOutcome};
use super::verified::{Provenance, Verified};
use crate::digest::Digest;
use crate::registry::{Evidence, Pulled};

/// Somebody who may sign, with a key of theirs. A signer with several keys appears once for each,
/// under the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The name that policies, conditions and logs use.
    pub name: String,
    /// The key.
    pub key: PublicKey,
}

/// Who must have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustPolicy {
    /// Those whose signatures count.
    pub signers: Vec<Signer>,
    /// How many different signers are needed, at least one. Signers that share a key count once, and so
    /// do the keys of one signer.
    pub threshold: u32,
}

/// Everything found out about the evidence; both faces of the check are made from it.
#[derive(Default)]
pub(super) struct Examination {
    pub(super) checks: Vec<Check>,
    pub(super) refusals: Vec<Refusal>,
    /// Signers whose signature holds.
    pub(super) vouching: Vec<Signer>,
}

impl TrustPolicy {
    /// Checks all evidence and tells every check by name.
    pub fn check(&self, subject: &Digest, predicate_type: &str, evidence: &[Evidence]) -> Verification {
        let (examination, verdict) = self.decide(subject, predicate_type, evidence);
        let mut checks = examination.checks;
        let (name, outcome, detail) = match &verdict {
            Ok(signers) => (
                "threshold",
                CheckOutcome::Passed,
                format!("signed by {}, {} needed", signers.join(", "), self.threshold),
            ),
            Err(error @ Untrusted::UnusablePolicy { .. }) => ("policy", CheckOutcome::Failed, error.to_string()),
            Err(error) => ("threshold", CheckOutcome::Failed, error.to_string()),
        };
        checks.push(Check {
            name,
            evidence: None,
            outcome,
            detail,
        });
        Verification {
            outcome: match verdict {
                Ok(_) => VerificationOutcome::Verified,
                Err(_) => VerificationOutcome::Rejected,
            },
            signers: names(&examination.vouching),
            checks,
        }
    }

    /// Whether enough signatures over `subject` count, and whose they are. To be asked before an artifact
    /// is pulled; [`Self::verify`] decides again on what was pulled.
    pub fn satisfied_by(&self, subject: &Digest, evidence: &[Evidence]) -> Result<Vec<String>, Untrusted> {
        self.vouched(subject, SIGNATURE_PREDICATE, evidence)
    }

    /// Turns a pulled bundle into a verified one, if enough of its signatures count.
    pub fn verify(&self, pulled: Pulled, evidence: &[Evidence]) -> Result<Verified<Pulled>, Untrusted> {
        let signers = self.satisfied_by(&pulled.digest(), evidence)?;
        Ok(Verified::new(pulled, Provenance::Signed { signers }))
    }

    /// The names of the signers that vouch, if they are enough.
    pub(super) fn vouched(
        &self,
        subject: &Digest,
        predicate_type: &str,
        evidence: &[Evidence],
    ) -> Result<Vec<String>, Untrusted> {
        self.decide(subject, predicate_type, evidence).1
    }

    fn decide(
        &self,
        subject: &Digest,
        predicate_type: &str,
        evidence: &[Evidence],
    ) -> (Examination, Result<Vec<String>, Untrusted>) {
        let mut examination = Examination::default();
        if let Err(unusable) = self.usable() {
            return (examination, Err(unusable));
        }
        for one in evidence {
            examination.examine(one, subject, predicate_type, &self.signers);
        }
        let verdict = self.judge(&examination, *subject);
        (examination, verdict)
    }

    /// Whether the policy asks for anything, and of anybody.
    pub(super) fn usable(&self) -> Result<(), Untrusted> {
        let problem = match (self.threshold, self.signers.as_slice()) {
            (0, _) => "its threshold is 0, which nobody would have to meet",
            (_, []) => "it names no signer",
            _ => return Ok(()),
        };
        Err(Untrusted::UnusablePolicy { problem })
    }

    pub(super) fn judge(&self, examination: &Examination, subject: Digest) -> Result<Vec<String>, Untrusted> {
        let signers = names(&examination.vouching);
        let have = different(&examination.vouching);
        if have >= self.threshold {
            Ok(signers)
        } else if have > 0 {
            Err(Untrusted::ThresholdNotMet {
                subject,
                have,
                need: self.threshold,
                signers,
            })
        } else if examination.refusals.is_empty() {
            Err(Untrusted::Unsigned { subject })
        } else {
            Err(Untrusted::NoTrustedSignature {
                subject,
                refusals: examination.refusals.clone(),
            })
        }
    }
}

impl Examination {
    /// Looks at one piece of evidence and notes what it shows.
    fn examine(&mut self, evidence: &Evidence, subject: &Digest, predicate_type: &str, signers: &[Signer]) {
        let mut steps = Steps {
            evidence: evidence.digest,
            checks: &mut self.checks,
        };
        match steps.walk(&evidence.bytes, subject, predicate_type, signers) {
            Ok(vouching) => self.vouching.extend(vouching),
            Err(refusal) => self.refusals.push(refusal),
        }
    }
}

/// The checks on one piece of evidence, in their order.
pub(super) struct Steps<'a> {
    pub(super) evidence: Digest,
    pub(super) checks: &'a mut Vec<Check>,
}

impl Steps<'_> {
    fn walk(
        &mut self,
        bytes: &[u8],
        subject: &Digest,
        predicate_type: &str,
        signers: &[Signer],
    ) -> Result<Vec<Signer>, Refusal> {
        use RefusalReason as Why;
        let bundle = self.step(
            "bundle-format",
            Why::MalformedSignature,
            SigstoreBundle::read(bytes),
            |bundle| bundle.media_type().to_owned(),
        )?;
        let hint = self.step("key-material", Why::UntrustedKey, bundle.key_hint(), |_| {
            "signed with a key".to_owned()
        })?;
        let (vouching, statement) = self.stated(&bundle, hint, subject, signers)?;
        self.step(
            "predicate-type",
            Why::WrongPredicateType,
            statement.is_a(predicate_type),
            |()| predicate_type.to_owned(),
        )?;

        self.pass_over("transparency-log", bundle.log_entries(), "log entries");
        self.pass_over("timestamp", bundle.timestamps(), "timestamps");
        Ok(vouching)
    }

    /// Who signed the envelope, and the statement in it, which is about `subject`.
    pub(super) fn stated(
        &mut self,
        bundle: &SigstoreBundle,
        hint: &str,
        subject: &Digest,
        signers: &[Signer],
    ) -> Result<(Vec<Signer>, Statement), Refusal> {
        let (vouching, statement, _) = self.said(bundle, hint, signers)?;
        let about = statement.is_about(subject);
        self.step("subject", RefusalReason::SubjectMismatch, about, |()| {
            format!("about {subject}")
        })?;
        Ok((vouching, statement))
    }

    /// Who signed the envelope, the statement in it, and the payload that the statement was read from.
    pub(super) fn said(
        &mut self,
        bundle: &SigstoreBundle,
        hint: &str,
        signers: &[Signer],
    ) -> Result<(Vec<Signer>, Statement, Vec<u8>), Refusal> {
        use RefusalReason as Why;
        let signed = self.step("envelope", Why::MalformedSignature, bundle.signed(), |_| {
            "DSSE with one signature over an in-toto statement".to_owned()
        })?;
        let vouching = self.made_by(hint, &signed.signature, &signed.message(), signers)?;
        let statement = self.step(
            "statement",
            Why::MalformedSignature,
            Statement::read(&signed.payload),
            |_| "in-toto statement".to_owned(),
        )?;
        Ok((vouching, statement, signed.payload))
    }

    /// Finds the signers whose key made the signature over `message`.
    pub(super) fn made_by(
        &mut self,
        hint: &str,
        signature: &[u8],
        message: &[u8],
        signers: &[Signer],
    ) -> Result<Vec<Signer>, Refusal> {
        let (why, found) = match maker(hint, signature, message, signers) {
            Ok(vouching) => (RefusalReason::BadSignature, Ok(vouching)),
            Err((why, detail)) => (why, Err(detail)),
        };
        self.step("signature", why, found, |vouching| {
            let key = vouching.first().map_or("", |signer| signer.key.algorithm());
            format!("made by {} with {key}", names(vouching).join(", "))
        })
    }

    /// Notes how a check went; a failure ends the walk.
    pub(super) fn step<T>(
        &mut self,
        name: &'static str,
        reason: RefusalReason,
        outcome: Result<T, String>,
        detail: impl FnOnce(&T) -> String,
    ) -> Result<T, Refusal> {
        let (outcome_shown, detail) = match &outcome {
            Ok(value) => (CheckOutcome::Passed, detail(value)),
            Err(problem) => (CheckOutcome::Failed, problem.clone()),
        };
        self.checks.push(Check {
            name,
            evidence: Some(self.evidence),
            outcome: outcome_shown,
            detail: detail.clone(),
        });
        outcome.map_err(|_| Refusal {
            evidence: self.evidence,
            reason,
            detail,
        })
    }

    /// Notes what a key's signature does not need and this version does not look into.
    pub(super) fn pass_over(&mut self, name: &'static str, there: usize, what: &str) {
        self.checks.push(Check {
            name,
            evidence: Some(self.evidence),
            outcome: CheckOutcome::NotNeeded,
            detail: format!("not required for this key; {there} {what} not looked into"),
        });
    }
}

/// Who made a signature: all signers with the one key that fits. The hinted key is tried first.
fn maker(
    hint: &str,
    signature: &[u8],
    message: &[u8],
    signers: &[Signer],
) -> Result<Vec<Signer>, (RefusalReason, String)> {
    let hinted = |signer: &&Signer| signer.key.is_hinted_by(hint);
    let others = signers.iter().filter(|signer| !hinted(signer));
    let mut tried = BTreeSet::new();
    let made = signers
        .iter()
        .filter(hinted)
        .chain(others)
        .filter(|signer| tried.insert(signer.key.fingerprint()))
        .find(|signer| signer.key.made(signature, message));
    if let Some(found) = made {
        let same_key = signers.iter().filter(|signer| signer.key == found.key);
        return Ok(same_key.cloned().collect());
    }
    Err(match signers.iter().find(hinted) {
        Some(signer) => (
            RefusalReason::BadSignature,
            format!(
                "it names the key of {}, which did not make it: {}",
                signer.name,
                signer.key.likely_cause()
            ),
        ),
        None => (
            RefusalReason::UntrustedKey,
            format!("made by none of the trusted keys ({})", names(signers).join(", ")),
        ),
    })
}

pub(super) fn names(signers: &[Signer]) -> Vec<String> {
    let names: BTreeSet<&String> = signers.iter().map(|signer| &signer.name).collect();
    names.into_iter().cloned().collect()
}

/// How many different signers these are, counting as one whatever is tied by a shared name or key.
fn different(signers: &[Signer]) -> u32 {
    let mut groups: Vec<Vec<&Signer>> = Vec::new();
    for signer in signers {
        let tied = |other: &&Signer| other.name == signer.name || other.key == signer.key;
        let (joined, mut apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.iter().any(tied));
        let mut group = joined.concat();
        group.push(signer);
        apart.push(group);
        groups = apart;
    }
    u32::try_from(groups.len()).unwrap_or(u32::MAX)
}
