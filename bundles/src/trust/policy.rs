//! Whether evidence satisfies a trust policy: pure, synchronous, offline.
//!
//! A signature counts if, in this order, its bundle can be read, one of the policy's signers made it, by key or by
//! certificate (`keyless.rs`), and the statement so signed is about the subject and of the kind wanted.
//! Nothing of a payload is read before its signature holds; nothing in a bundle chooses the key, the
//! algorithm, the trust root or the kind.

use std::collections::BTreeSet;

use super::envelope::{MadeWith, SigstoreBundle};
use super::key::PublicKey;
use super::keyless;
use super::signer::{Maker, Signer, Vouch, different, names};
use super::statement::{SIGNATURE_PREDICATE, Statement};
use super::verification::{Check, CheckOutcome, Refusal, RefusalReason, Untrusted, Verification, VerificationOutcome};
use super::verified::{Provenance, Verified};
use crate::digest::Digest;
use crate::registry::{Evidence, Pulled};

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
    /// Whose signatures hold.
    pub(super) vouching: Vec<Vouch>,
}

impl TrustPolicy {
    /// Checks all evidence and tells every check by name.
    pub fn check(&self, subject: &Digest, predicate_type: &str, evidence: &[Evidence]) -> Verification {
        let (examination, verdict) = self.decide(subject, predicate_type, evidence);
        examination
            .conclude(verdict.map(|signers| format!("signed by {}, {} needed", signers.join(", "), self.threshold)))
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
    /// The last check, of the policy as a whole, and what came out. A verdict that is good says so in words.
    pub(super) fn conclude(self, verdict: Result<String, Untrusted>) -> Verification {
        let (outcome, shown, name, detail) = match verdict {
            Ok(detail) => (VerificationOutcome::Verified, CheckOutcome::Passed, "threshold", detail),
            Err(error) => {
                let is_policy = matches!(error, Untrusted::UnusablePolicy { .. });
                let name = if is_policy { "policy" } else { "threshold" };
                (
                    VerificationOutcome::Rejected,
                    CheckOutcome::Failed,
                    name,
                    error.to_string(),
                )
            }
        };
        let mut checks = self.checks;
        checks.push(Check {
            name,
            evidence: None,
            outcome: shown,
            detail,
        });
        Verification {
            outcome,
            signers: names(&self.vouching),
            checks,
        }
    }

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
    ) -> Result<Vec<Vouch>, Refusal> {
        use RefusalReason as Why;
        let bundle = self.step(
            "bundle-format",
            Why::MalformedSignature,
            SigstoreBundle::read(bytes),
            |bundle| bundle.media_type().to_owned(),
        )?;
        let (vouching, statement) = self.stated(&bundle, bytes, subject, signers)?;
        self.step(
            "predicate-type",
            Why::WrongPredicateType,
            statement.is_a(predicate_type),
            |()| predicate_type.to_owned(),
        )?;
        Ok(vouching)
    }

    /// Who signed the envelope, and the statement in it, which is about `subject`.
    pub(super) fn stated(
        &mut self,
        bundle: &SigstoreBundle,
        bytes: &[u8],
        subject: &Digest,
        signers: &[Signer],
    ) -> Result<(Vec<Vouch>, Statement), Refusal> {
        let (vouching, statement, _) = self.said(bundle, bytes, signers)?;
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
        bytes: &[u8],
        signers: &[Signer],
    ) -> Result<(Vec<Vouch>, Statement, Vec<u8>), Refusal> {
        use RefusalReason as Why;
        let made_with = self.made_with(bundle)?;
        let signed = self.step("envelope", Why::MalformedSignature, bundle.signed(), |_| {
            "DSSE with one signature over an in-toto statement".to_owned()
        })?;
        let vouching = match made_with {
            MadeWith::Key { hint } => self.made_by(bundle, hint, (&signed.signature, &signed.message()), signers)?,
            MadeWith::Certificate => self.certified(bytes, keyless::Signed::Statement(&signed.payload), signers)?,
        };
        let statement = self.step(
            "statement",
            Why::MalformedSignature,
            Statement::read(&signed.payload),
            |_| "in-toto statement".to_owned(),
        )?;
        Ok((vouching, statement, signed.payload))
    }

    pub(super) fn made_with<'b>(&mut self, bundle: &'b SigstoreBundle) -> Result<MadeWith<'b>, Refusal> {
        self.step(
            "key-material",
            RefusalReason::MalformedSignature,
            bundle.made_with(),
            MadeWith::describe,
        )
    }

    /// Finds the signers whose key made a signature over a message.
    pub(super) fn made_by(
        &mut self,
        bundle: &SigstoreBundle,
        hint: &str,
        (signature, message): (&[u8], &[u8]),
        signers: &[Signer],
    ) -> Result<Vec<Vouch>, Refusal> {
        let (why, found) = match maker(hint, signature, message, signers) {
            Ok(found) => (RefusalReason::BadSignature, Ok(found)),
            Err((why, detail)) => (why, Err(detail)),
        };
        let (_, vouching) = self.step("signature", why, found, |(key, vouching)| {
            format!("made by {} with {}", names(vouching).join(", "), key.algorithm())
        })?;
        self.pass_over("transparency-log", bundle.log_entries(), "log entries");
        self.pass_over("timestamp", bundle.timestamps(), "timestamps");
        Ok(vouching)
    }

    /// Notes how a check went; a failure ends the walk.
    pub(super) fn step<T>(
        &mut self,
        name: &'static str,
        reason: RefusalReason,
        outcome: Result<T, String>,
        detail: impl FnOnce(&T) -> String,
    ) -> Result<T, Refusal> {
        match outcome {
            Ok(value) => {
                self.note(name, CheckOutcome::Passed, detail(&value));
                Ok(value)
            }
            Err(problem) => self.fail(name, reason, problem),
        }
    }

    /// Notes a check that failed, which ends the walk.
    pub(super) fn fail<T>(&mut self, name: &'static str, reason: RefusalReason, detail: String) -> Result<T, Refusal> {
        self.note(name, CheckOutcome::Failed, detail.clone());
        Err(Refusal {
            evidence: self.evidence,
            reason,
            detail,
        })
    }

    pub(super) fn note(&mut self, name: &'static str, outcome: CheckOutcome, detail: String) {
        self.checks.push(Check {
            name,
            evidence: Some(self.evidence),
            outcome,
            detail,
        });
    }

    /// Notes what a key's signature does not need and this version does not look into.
    fn pass_over(&mut self, name: &'static str, there: usize, what: &str) {
        let detail = format!("not required for this key; {there} {what} not looked into");
        self.note(name, CheckOutcome::NotNeeded, detail);
    }
}

/// Which key made a signature, and whose it is: all signers with that key. The hinted key is tried first.
fn maker<'s>(
    hint: &str,
    signature: &[u8],
    message: &[u8],
    signers: &'s [Signer],
) -> Result<(&'s PublicKey, Vec<Vouch>), (RefusalReason, String)> {
    let keys: Vec<(&Signer, &PublicKey)> = signers
        .iter()
        .filter_map(|signer| Some((signer, signer.key()?)))
        .collect();
    let hinted = |(_, key): &&(&Signer, &PublicKey)| key.is_hinted_by(hint);
    let others = keys.iter().filter(|signer| !hinted(signer));
    let mut tried = BTreeSet::new();
    let made = keys
        .iter()
        .filter(hinted)
        .chain(others)
        .filter(|(_, key)| tried.insert(key.fingerprint()))
        .find(|(_, key)| key.made(signature, message));
    if let Some((_, made)) = made {
        let same_key = keys.iter().filter(|(_, key)| key == made);
        let vouch = |(signer, key): &(&Signer, &PublicKey)| Vouch {
            name: signer.name.clone(),
            maker: Maker::Key(key.fingerprint()),
        };
        return Ok((made, same_key.map(vouch).collect()));
    }
    let all: BTreeSet<&str> = keys.iter().map(|(signer, _)| signer.name.as_str()).collect();
    let all: Vec<&str> = all.into_iter().collect();
    Err(match keys.iter().find(hinted) {
        Some((signer, key)) => (
            RefusalReason::BadSignature,
            format!(
                "it names the key of {}, which did not make it: {}",
                signer.name,
                key.likely_cause()
            ),
        ),
        None if all.is_empty() => (
            RefusalReason::UntrustedKey,
            "made with a key, and no trusted signer signs with one".to_owned(),
        ),
        None => (
            RefusalReason::UntrustedKey,
            format!("made by none of the trusted keys ({})", all.join(", ")),
        ),
    })
}
