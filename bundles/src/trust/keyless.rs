//! Signatures made with a certificate that was issued for the occasion. The cryptography is `sigstore-verify`'s: chain
//! at every authenticated time, promise of the certificate log, timestamps, log entries and their binding to this
//! signature. Here is who counts, which of these a signer may do without, and every check by name.

use sigstore_verify::types::{Artifact, Bundle, Sha256Hash, SignatureContent};
use sigstore_verify::{CertificateError, Error, TransparencyLogError, VerificationPolicy, VerificationResult};

use super::identity::Identity;
use super::policy::Steps;
use super::signer::{Keyless, Maker, Signer, Vouch, names};
use super::statement::Statement;
use super::verification::{CheckOutcome, Refusal, RefusalReason as Why};
use crate::digest::Digest;

/// What a signature is over.
pub(super) enum Signed<'a> {
    /// A statement; about this digest, or about one of its own choice.
    Statement { payload: &'a [u8], subject: Option<Digest> },
    /// The bytes themselves.
    Content(&'a [u8]),
}

/// What is checked, in the order in which it is.
const CHECKS: [&str; 7] = [
    "timestamp",
    "certificate",
    "certificate-log",
    "transparency-log",
    "signature",
    "subject",
    "log-entry",
];

/// A check that failed.
struct Failure {
    check: &'static str,
    reason: Why,
    detail: String,
}

impl Failure {
    fn new(check: &'static str, reason: Why, detail: impl ToString) -> Self {
        let detail = detail.to_string();
        Self { check, reason, detail }
    }
}

impl Steps<'_> {
    /// Finds the signers whom the certificate names, if the signature holds.
    pub(super) fn certified(
        &mut self,
        json: &[u8],
        signed: &Signed<'_>,
        signers: &[Signer],
    ) -> Result<Vec<Vouch>, Refusal> {
        let by_certificate: Vec<(&Signer, &Keyless)> = signers
            .iter()
            .filter_map(|signer| Some((signer, signer.keyless()?)))
            .collect();
        let Some((_, first)) = by_certificate.first() else {
            let detail = "signed with a certificate (keyless), and all trusted signers sign with keys".to_owned();
            return self.fail("identity", Why::UntrustedIdentity, detail);
        };
        let (mut vouching, mut misfit) = (Vec::new(), None);
        let mut tried: Vec<&Keyless> = Vec::new();
        for (_, terms) in &by_certificate {
            if tried.iter().any(|other| other.same_terms(terms)) {
                continue;
            }
            tried.push(terms);
            let outcome = terms.verify(json, signed);
            let certified = outcome.and_then(|result| {
                let identity = result.certificate().and_then(Identity::of).ok_or_else(|| {
                    Failure::new(
                        "identity",
                        Why::UntrustedIdentity,
                        "the certificate names no issuer or nobody",
                    )
                })?;
                Ok((result, identity))
            });
            match certified {
                Ok((result, identity)) => {
                    let same = by_certificate.iter().filter(|(_, other)| other.same_terms(terms));
                    match who(same, &identity) {
                        Ok(found) => {
                            if vouching.is_empty() {
                                self.told(terms, &result);
                            }
                            vouching.extend(found);
                        }
                        Err(detail) => {
                            misfit.get_or_insert((Failure::new("identity", Why::UntrustedIdentity, detail), terms));
                        }
                    }
                }
                Err(failure) => {
                    // What got furthest is told: another root than the right one knows nothing of the certificate.
                    let further = |(other, _): &(Failure, _)| place(other.check) < place(failure.check);
                    if misfit.as_ref().is_none_or(further) {
                        misfit = Some((failure, terms));
                    }
                }
            }
        }
        if !vouching.is_empty() {
            let (issuer, subject) = match vouching.first().map(|vouch| &vouch.maker) {
                Some(Maker::Identity { issuer, subject }) => (issuer.as_str(), subject.as_str()),
                _ => ("", ""),
            };
            let detail = format!("made by {}: {subject} of {issuer}", names(&vouching).join(", "));
            self.note("identity", CheckOutcome::Passed, detail);
            return Ok(vouching);
        }
        let (failure, terms) = misfit.unwrap_or_else(|| {
            (
                Failure::new("identity", Why::UntrustedIdentity, "no signer was tried"),
                first,
            )
        });
        for check in CHECKS.iter().take_while(|check| **check != failure.check) {
            self.note(check, terms.outcome(check), String::new());
        }
        self.fail(failure.check, failure.reason, failure.detail)
    }

    /// Notes what holds.
    fn told(&mut self, terms: &Keyless, result: &VerificationResult) {
        let times: Vec<String> = result.verified_timestamps().iter().map(ToString::to_string).collect();
        for check in CHECKS {
            let detail = match check {
                "timestamp" => format!("signed at {}", times.join(" and ")),
                "certificate" => format!(
                    "its chain holds at that time, under the trust root {}",
                    terms.root.digest()
                ),
                "certificate-log" if !terms.certificate_logged => "not required for these signers".to_owned(),
                "certificate-log" => "promised by a trusted certificate log".to_owned(),
                "transparency-log" if !terms.logged => "not required for these signers".to_owned(),
                "transparency-log" => "included in a trusted log".to_owned(),
                "signature" => "made with the certificate's key".to_owned(),
                "subject" => "about what was given".to_owned(),
                _ => "what log entries there are, are about this signature".to_owned(),
            };
            self.note(check, terms.outcome(check), detail);
        }
    }
}

fn place(check: &str) -> usize {
    CHECKS.iter().position(|other| *other == check).unwrap_or(CHECKS.len())
}

/// The signers whom an identity fits; else why it does not fit the first.
fn who<'a>(
    signers: impl Iterator<Item = &'a (&'a Signer, &'a Keyless)>,
    identity: &Identity,
) -> Result<Vec<Vouch>, String> {
    let (mut found, mut misfit) = (Vec::new(), None);
    for (signer, keyless) in signers {
        match keyless.identity.fits(identity) {
            Ok(()) => found.push(Vouch {
                name: signer.name.clone(),
                maker: Maker::Identity {
                    issuer: identity.issuer.clone(),
                    subject: identity.subject.clone(),
                },
            }),
            Err(problem) => {
                misfit.get_or_insert_with(|| format!("not {}: {problem}", signer.name));
            }
        }
    }
    if found.is_empty() {
        Err(misfit.unwrap_or_default())
    } else {
        Ok(found)
    }
}

impl Keyless {
    fn same_terms(&self, other: &Self) -> bool {
        self.root == other.root && self.logged == other.logged && self.certificate_logged == other.certificate_logged
    }

    /// How a check that did not fail went.
    fn outcome(&self, check: &str) -> CheckOutcome {
        match check {
            "certificate-log" if !self.certificate_logged => CheckOutcome::NotNeeded,
            "transparency-log" if !self.logged => CheckOutcome::NotNeeded,
            _ => CheckOutcome::Passed,
        }
    }

    fn verify(&self, json: &[u8], signed: &Signed<'_>) -> Result<VerificationResult, Failure> {
        let malformed = |problem: &dyn std::fmt::Display| Failure::new("timestamp", Why::MalformedSignature, problem);
        let text = std::str::from_utf8(json).map_err(|error| malformed(&error))?;
        let bundle = Bundle::from_json(text).map_err(|error| malformed(&error))?;
        let mut policy = VerificationPolicy::any_identity();
        if !self.logged {
            policy = policy.skip_tlog_unsafe();
        }
        if !self.certificate_logged {
            policy = policy.skip_sct();
        }
        let artifact = match (signed, &bundle.content) {
            (Signed::Content(content), SignatureContent::MessageSignature(_)) => Artifact::from_blob(content),
            // Two readers of one JSON: what was signed has to be what is read afterwards.
            (Signed::Statement { payload, subject }, SignatureContent::DsseEnvelope(envelope))
                if envelope.payload.as_bytes() == *payload =>
            {
                let own = || Statement::read(payload).and_then(|statement| statement.subject());
                let subject = subject.map_or_else(own, Ok).map_err(|problem| malformed(&problem))?;
                Artifact::from_digest(Sha256Hash::new(*subject.as_bytes()))
            }
            _ => return Err(malformed(&"it can be read in two ways")),
        };
        let result = self
            .root
            .verifier()
            .verify(artifact, &bundle, &policy)
            .map_err(failure)?;
        if result.verified_timestamps().is_empty() || !result.certificate_verified() {
            return Err(Failure::new("timestamp", Why::NoTrustedTime, "no authenticated time"));
        }
        Ok(result)
    }
}

/// Which check an error of the library is about.
fn failure(error: Error) -> Failure {
    match &error {
        Error::Timestamp(_) => Failure::new("timestamp", Why::NoTrustedTime, error),
        Error::Certificate(CertificateError::Sct(_)) => {
            Failure::new("certificate-log", Why::UntrustedCertificate, error)
        }
        Error::Certificate(_) => Failure::new("certificate", Why::UntrustedCertificate, error),
        Error::TransparencyLog(TransparencyLogError::EntryMismatch(_)) => {
            Failure::new("log-entry", Why::NotLogged, error)
        }
        Error::TransparencyLog(_) => Failure::new("transparency-log", Why::NotLogged, error),
        Error::SignatureInvalid(_) => Failure::new("signature", Why::BadSignature, error),
        Error::ArtifactMismatch(_) => Failure::new("subject", Why::SubjectMismatch, error),
        _ => Failure::new("timestamp", Why::MalformedSignature, error),
    }
}
