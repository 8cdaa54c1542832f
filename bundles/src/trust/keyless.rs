//! Signatures made with a certificate that was issued for the occasion: who counts, and every check by name.
//! What makes a certificate and its signature good is in [`library`].

mod library;

use sigstore_verify::VerificationResult;

use self::library::Failure;
use super::identity::Identity;
use super::policy::Steps;
use super::signer::{Keyless, Maker, Signer, Vouch, names};
use super::verification::{CheckOutcome, Refusal, RefusalReason as Why};

/// What a signature is over.
#[derive(Clone, Copy)]
pub(super) enum Signed<'a> {
    /// A statement; what it is about is for others to look at.
    Statement(&'a [u8]),
    /// The bytes themselves.
    Content(&'a [u8]),
}

/// What is checked before anybody is asked for, in the order in which it is.
const CHECKS: [&str; 6] = [
    "timestamp",
    "certificate",
    "certificate-log",
    "transparency-log",
    "signature",
    "log-entry",
];

/// The signers who ask for the same.
struct Terms<'a> {
    keyless: &'a Keyless,
    signers: Vec<(&'a Signer, &'a Keyless)>,
}

impl Steps<'_> {
    /// Finds the signers whom the certificate names, if the signature holds.
    pub(super) fn certified(
        &mut self,
        json: &[u8],
        signed: Signed<'_>,
        signers: &[Signer],
    ) -> Result<Vec<Vouch>, Refusal> {
        let (mut held, mut failed, mut vouching) = (None, None::<(&Keyless, Failure)>, Vec::new());
        for terms in Terms::of(signers) {
            match terms.vouched(json, signed) {
                Ok((result, found)) => {
                    held.get_or_insert((terms.keyless, result));
                    vouching.extend(found);
                }
                Err(failure) => {
                    // What got furthest is told: another root than the right one knows nothing of the certificate.
                    let place = |failure: &Failure| failure.held().len();
                    if failed.as_ref().is_none_or(|(_, other)| place(other) < place(&failure)) {
                        failed = Some((terms.keyless, failure));
                    }
                }
            }
        }
        match (held, failed) {
            (Some((keyless, result)), _) => {
                self.note_held(keyless, &result, &vouching);
                Ok(vouching)
            }
            (None, Some((keyless, failure))) => {
                for check in failure.held() {
                    self.note(check, keyless.outcome(check), String::new());
                }
                self.fail(failure.check, failure.reason, failure.detail)
            }
            (None, None) => {
                let detail = "signed with a certificate (keyless), and all trusted signers sign with keys".to_owned();
                self.fail("identity", Why::UntrustedIdentity, detail)
            }
        }
    }

    fn note_held(&mut self, keyless: &Keyless, result: &VerificationResult, vouching: &[Vouch]) {
        let times: Vec<String> = result.verified_timestamps().iter().map(ToString::to_string).collect();
        for check in CHECKS {
            let detail = match (check, keyless.outcome(check)) {
                (_, CheckOutcome::NotNeeded) => "not required for these signers".to_owned(),
                ("timestamp", _) => format!("signed at {}", times.join(" and ")),
                ("certificate", _) => format!("its chain holds then, under the trust root {}", keyless.root.digest()),
                ("certificate-log", _) => "promised by a trusted certificate log".to_owned(),
                ("transparency-log", _) => "taken by a trusted log".to_owned(),
                ("signature", _) => "made with the certificate's key".to_owned(),
                _ => "what log entries there are, are about this signature".to_owned(),
            };
            self.note(check, keyless.outcome(check), detail);
        }
        if let Some(Vouch {
            maker: Maker::Identity { issuer, subject },
            ..
        }) = vouching.first()
        {
            let detail = format!("made by {}: {subject} of {issuer}", names(vouching).join(", "));
            self.note("identity", CheckOutcome::Passed, detail);
        }
    }
}

impl<'a> Terms<'a> {
    fn of(signers: &'a [Signer]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for signer in signers {
            let Some(keyless) = signer.keyless() else {
                continue;
            };
            match all.iter_mut().find(|terms| terms.keyless.same_terms(keyless)) {
                Some(terms) => terms.signers.push((signer, keyless)),
                None => all.push(Self {
                    keyless,
                    signers: vec![(signer, keyless)],
                }),
            }
        }
        all
    }

    fn vouched(&self, json: &[u8], signed: Signed<'_>) -> Result<(VerificationResult, Vec<Vouch>), Failure> {
        let unknown = |detail: String| Failure::after_all("identity", Why::UntrustedIdentity, detail);
        let result = self.keyless.verify(json, signed)?;
        let identity = result.certificate().and_then(Identity::of);
        let identity = identity.ok_or_else(|| unknown("the certificate names no issuer, or nobody".to_owned()))?;
        let vouching = self.whose(&identity).map_err(unknown)?;
        Ok((result, vouching))
    }

    /// The signers whom an identity fits, at least one; else why it does not fit the first.
    fn whose(&self, identity: &Identity) -> Result<Vec<Vouch>, String> {
        let (mut found, mut misfit) = (Vec::new(), None);
        for (signer, keyless) in &self.signers {
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
            return Err(misfit.unwrap_or_default());
        }
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
}
