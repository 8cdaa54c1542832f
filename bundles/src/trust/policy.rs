//! Whether evidence satisfies a trust policy: pure, synchronous, offline.
//!
//! A signature counts if, in this order, its bundle can be read, one of the policy's signers made it, by key or by
//! certificate (`keyless.rs`), and the statement so signed is about the subject and of the kind wanted.
//! Nothing of a payload is read before its signature holds; nothing in a bundle chooses the key, the
//! algorithm, the trust root or the kind.

use std::sync::Arc;

use super::duties::{Duty, unfilled};
use super::envelope::{Made, MadeWith, Signed, SigstoreBundle};
use super::format::{self, SignatureFormat};
use super::revoked::Revoked;
use super::signer::Signer;
use super::statement::{SIGNATURE_PREDICATE, Statement};
use super::verification::{Check, CheckOutcome, Refusal, RefusalReason, Untrusted, Verification, VerificationOutcome};
use super::verified::{Provenance, Verified};
use super::vouch::{Vouch, different, names};
use crate::digest::Digest;
use crate::registry::{Evidence, LegacySignature, Pulled};

/// Who must have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustPolicy {
    /// Those whose signatures count.
    pub signers: Vec<Signer>,
    /// How many different signers are needed, at least one. Signers that share a key count once, and so
    /// do the keys of one signer.
    pub threshold: u32,
    /// What has to be signed for by different people.
    pub duties: Vec<Duty>,
    /// Whether a signed list of an artifact's files counts as well as a signature on its manifest ([`Self::listed`]): of data,
    /// not of what is run, as a list says nothing of an image's configuration.
    pub lists: bool,
    /// What does not count, whoever signed it. Shared, as it is one list for all policies, and long where much is revoked.
    pub revoked: Arc<Revoked>,
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
    /// So many different ones of these signers.
    pub fn new(signers: Vec<Signer>, threshold: u32) -> Self {
        Self {
            signers,
            threshold,
            duties: Vec::new(),
            lists: false,
            revoked: Arc::default(),
        }
    }

    /// Whether a signature in this format can count: where none can, there is no need to look for one.
    pub fn accepts(&self, format: SignatureFormat) -> bool {
        self.signers.iter().any(|signer| signer.formats.contains(&format))
    }

    /// Checks all evidence and tells every check by name.
    pub fn check(&self, subject: &Digest, predicate_type: &str, evidence: &[Evidence]) -> Verification {
        self.examine(subject, predicate_type, evidence).0
    }

    /// Both faces of one check: what [`Self::check`] tells, and whose signatures are enough or why they are not, as
    /// [`Self::satisfied_by`] says.
    pub fn examine(
        &self,
        subject: &Digest,
        predicate_type: &str,
        evidence: &[Evidence],
    ) -> (Verification, Result<Vec<String>, Untrusted>) {
        let (examination, verdict) = self.decide(subject, predicate_type, evidence);
        let last = self.last_notes(verdict.as_deref());
        (examination.conclude(verdict.is_ok(), last), verdict)
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
        if let Err(error) = self.usable().and_then(|()| self.not_revoked(*subject)) {
            return (examination, Err(error));
        }
        for one in evidence {
            examination.examine(one, subject, predicate_type, self);
        }
        let verdict = self.judge(&examination, *subject);
        (examination, verdict)
    }

    /// Whether the policy asks for anything, and of anybody.
    pub(super) fn usable(&self) -> Result<(), Untrusted> {
        let problem = match (self.threshold, self.signers.as_slice()) {
            (0, _) => "its threshold is 0, which nobody would have to meet",
            (_, []) => "it names no signer",
            (_, signers) if !self.duties.iter().all(|duty| duty.is_known(signers)) => {
                "the signers of a duty are none of its signers"
            }
            _ => return Ok(()),
        };
        Err(Untrusted::UnusablePolicy { problem })
    }

    /// Whether what is to be checked may count at all: what is revoked does not, whatever signatures it has.
    pub fn not_revoked(&self, subject: Digest) -> Result<(), Untrusted> {
        if self.revoked.digests.contains(&subject) {
            return Err(Untrusted::Revoked { subject });
        }
        Ok(())
    }

    /// The checks on the policy as a whole, and how they went.
    pub(super) fn last_notes(&self, verdict: Result<&[String], &Untrusted>) -> Vec<Note> {
        match verdict {
            Ok(signers) => {
                let mut notes = vec![self.threshold_met(signers)];
                if !self.duties.is_empty() {
                    let detail = "somebody else has signed for each duty".to_owned();
                    notes.push(Note::new("separation-of-duties", CheckOutcome::Passed, detail));
                }
                notes
            }
            Err(error) => {
                let failed = Note::new(error.check(), CheckOutcome::Failed, error.to_string());
                match error {
                    Untrusted::DutiesNotSeparate { signers, .. } => vec![self.threshold_met(signers), failed],
                    _ => vec![failed],
                }
            }
        }
    }

    fn threshold_met(&self, signers: &[String]) -> Note {
        let detail = format!("signed by {}, {} needed", signers.join(", "), self.threshold);
        Note::new("threshold", CheckOutcome::Passed, detail)
    }

    pub(super) fn judge(&self, examination: &Examination, subject: Digest) -> Result<Vec<String>, Untrusted> {
        let signers = names(&examination.vouching);
        let people = different(&examination.vouching);
        let have = u32::try_from(people.len()).unwrap_or(u32::MAX);
        if have >= self.threshold {
            let unfilled = unfilled(&self.duties, &people);
            if unfilled.is_empty() {
                return Ok(signers);
            }
            Err(Untrusted::DutiesNotSeparate {
                subject,
                unfilled: unfilled.into_iter().map(str::to_owned).collect(),
                signers,
            })
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
    /// What came out, after the checks on the policy as a whole.
    pub(super) fn conclude(self, is_good: bool, last: Vec<Note>) -> Verification {
        let mut checks = self.checks;
        checks.extend(last.into_iter().map(|note| note.about(None)));
        Verification {
            outcome: if is_good {
                VerificationOutcome::Verified
            } else {
                VerificationOutcome::Rejected
            },
            signers: names(&self.vouching),
            formats: self.vouching.iter().filter_map(|vouch| vouch.came_as).collect(),
            checks,
        }
    }

    /// Looks at one piece of evidence and notes what it shows.
    fn examine(&mut self, evidence: &Evidence, subject: &Digest, predicate_type: &str, policy: &TrustPolicy) {
        let mut steps = Steps {
            evidence: evidence.digest,
            checks: &mut self.checks,
        };
        let outcome = if evidence.media_type == LegacySignature::MEDIA_TYPE {
            steps.walk_legacy(&evidence.bytes, subject, predicate_type, policy)
        } else {
            steps.walk(&evidence.bytes, subject, predicate_type, policy)
        };
        match outcome {
            Ok(vouching) => self.vouching.extend(vouching),
            Err(refusal) => self.refusals.push(refusal),
        }
    }
}

/// A check that was made, to be written down.
pub(super) struct Note {
    check: &'static str,
    outcome: CheckOutcome,
    detail: String,
}

impl Note {
    pub(super) fn new(check: &'static str, outcome: CheckOutcome, detail: String) -> Self {
        Self { check, outcome, detail }
    }

    fn about(self, evidence: Option<Digest>) -> Check {
        Check {
            name: self.check,
            evidence,
            outcome: self.outcome,
            detail: self.detail,
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
        policy: &TrustPolicy,
    ) -> Result<Vec<Vouch>, Refusal> {
        use RefusalReason as Why;
        let bundle = self.step(
            "bundle-format",
            Why::MalformedSignature,
            SigstoreBundle::read(bytes),
            |bundle| bundle.media_type().to_owned(),
        )?;
        let (vouching, statement) = self.stated(&bundle, bytes, subject, policy)?;
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
        policy: &TrustPolicy,
    ) -> Result<(Vec<Vouch>, Statement), Refusal> {
        let (vouching, statement, _) = self.said(bundle, bytes, policy)?;
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
        policy: &TrustPolicy,
    ) -> Result<(Vec<Vouch>, Statement, Vec<u8>), Refusal> {
        use RefusalReason as Why;
        let made_with = self.made_with(bundle)?;
        let contents = self.step("envelope", Why::MalformedSignature, bundle.contents(), |contents| {
            let what = Signed::Statement(&contents.payload).digest();
            format!("DSSE with one signature over an in-toto statement, {what}")
        })?;
        let made = Made {
            json: bytes,
            signed: Signed::Statement(&contents.payload),
            message: &contents.message(),
            signature: &contents.signature,
        };
        let vouching = self.vouching(bundle, &made_with, &made, policy)?;
        let statement = self.step(
            "statement",
            Why::MalformedSignature,
            Statement::read(&contents.payload),
            |_| "in-toto statement".to_owned(),
        )?;
        Ok((vouching, statement, contents.payload))
    }

    /// Whose signature it is, and counts.
    pub(super) fn vouching(
        &mut self,
        bundle: &SigstoreBundle,
        made_with: &MadeWith<'_>,
        made: &Made<'_>,
        policy: &TrustPolicy,
    ) -> Result<Vec<Vouch>, Refusal> {
        let vouching = match made_with {
            MadeWith::Key { hint } => self.made_by(hint, made, &policy.signers, |keyed| keyed.examine(bundle, made))?,
            MadeWith::Certificate => self.certified(bundle, made, &policy.signers)?,
        };
        let vouching = self.accepted(vouching, bundle.format())?;
        let entry = policy.revoked.entry_of(bundle, made, policy);
        self.not_revoked(vouching, made.signed, entry, policy)
    }

    /// Those who sign in this format.
    pub(super) fn accepted(&mut self, vouching: Vec<Vouch>, format: SignatureFormat) -> Result<Vec<Vouch>, Refusal> {
        let (mut accepted, others): (Vec<_>, Vec<_>) =
            vouching.into_iter().partition(|vouch| vouch.formats.contains(&format));
        for vouch in &mut accepted {
            vouch.came_as = Some(format);
        }
        let outcome = match others.first() {
            Some(other) if accepted.is_empty() => Err(format!(
                "{} signs in the format {}, and this is {format}",
                other.name,
                format::listed(&other.formats)
            )),
            _ => Ok(accepted),
        };
        self.step("signature-format", RefusalReason::FormatNotAccepted, outcome, |_| {
            format.to_string()
        })
    }

    pub(super) fn made_with<'b>(&mut self, bundle: &'b SigstoreBundle) -> Result<MadeWith<'b>, Refusal> {
        self.step(
            "key-material",
            RefusalReason::MalformedSignature,
            bundle.made_with(),
            MadeWith::describe,
        )
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

    pub(super) fn note_down(&mut self, note: Note) {
        self.checks.push(note.about(Some(self.evidence)));
    }

    pub(super) fn note(&mut self, name: &'static str, outcome: CheckOutcome, detail: String) {
        self.note_down(Note::new(name, outcome, detail));
    }
}
