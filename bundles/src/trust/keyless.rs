//! Signatures made with a certificate that was issued for the occasion: who counts, and every check by name.
//! What makes a certificate and its signature good is in [`super::library`].

use jiff::Timestamp;
use sigstore_verify::types::bundle::VerificationMaterialContent as Material;
use sigstore_verify::{VerificationPolicy, VerificationResult};

use super::certified::Attempt;
use super::envelope::Made;
use super::identity::Identity;
use super::keyed::signed_at;
use super::library::{self, CHECKS, Failure};
use super::policy::Note;
use super::signer::{Keyless, Signer};
use super::verification::{CheckOutcome, RefusalReason as Why};
use super::vouch::{Maker, Vouch, names};
use crate::digest::Digest;

/// The signers who ask for the same.
struct Terms<'a> {
    keyless: &'a Keyless,
    signers: Vec<(&'a Signer, &'a Keyless)>,
}

/// What comes of a signature for the signers who sign keyless, on each of their terms.
pub(super) fn attempts<'a>(made: &'a Made<'_>, signers: &'a [Signer]) -> impl Iterator<Item = Attempt> + 'a {
    Terms::of(signers).into_iter().map(|terms| match terms.vouched(made) {
        Ok((result, vouching)) => Attempt {
            notes: terms.notes(&result, &vouching),
            outcome: Ok(vouching),
        },
        Err(failure) => {
            let held = failure
                .held()
                .map(|check| Note::new(check, terms.keyless.outcome(check), String::new()));
            Attempt {
                notes: held.collect(),
                outcome: Err(failure),
            }
        }
    })
}

impl Terms<'_> {
    /// All checks, for a signature that holds.
    fn notes(&self, result: &VerificationResult, vouching: &[Vouch]) -> Vec<Note> {
        let keyless = self.keyless;
        let checks = CHECKS.into_iter().map(|check| {
            let detail = match (check, keyless.outcome(check)) {
                (_, CheckOutcome::NotNeeded) => "not required for these signers".to_owned(),
                ("timestamp", _) => signed_at(result.verified_timestamps()),
                ("certificate", _) => format!("its chain holds then, under the trust root {}", keyless.root.digest()),
                ("certificate-log", _) => "promised by a trusted certificate log".to_owned(),
                ("transparency-log", _) => "taken by a trusted log".to_owned(),
                ("signature", _) => "made with the certificate's key".to_owned(),
                _ => "what log entries there are, are about this signature".to_owned(),
            };
            Note::new(check, keyless.outcome(check), detail)
        });
        let makers = vouching.first().map(|vouch| vouch.makers.as_slice());
        let identity = if let Some([Maker::Identity { issuer, subject }, ..]) = makers {
            let detail = format!("made by {}: {subject} of {issuer}", names(vouching).join(", "));
            Some(Note::new("identity", CheckOutcome::Passed, detail))
        } else {
            None
        };
        checks.chain(identity).collect()
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

    fn vouched(&self, made: &Made<'_>) -> Result<(VerificationResult, Vec<Vouch>), Failure> {
        let unknown = |detail: String| Failure::after_all("identity", Why::UntrustedIdentity, detail);
        let (result, certificates) = self.keyless.verify(made)?;
        let nobody = || unknown("the certificate names no issuer, or nobody".to_owned());
        let certificate = result.certificate().ok_or_else(nobody)?;
        let identity = Identity::of(certificate).ok_or_else(nobody)?;
        let key = Digest::of(certificate.public_key.as_bytes());
        let mut vouching = self
            .whose(&identity, key, result.verified_timestamps().iter().min().copied())
            .map_err(unknown)?;
        let above = self.keyless.root.keys_above(&certificates);
        let above = above.map_err(|detail| Failure::after_all("certificate", Why::UntrustedCertificate, detail))?;
        for vouch in &mut vouching {
            vouch.keys.extend(&above);
        }
        Ok((result, vouching))
    }

    /// The signers whom an identity fits, at least one; else why it does not fit the first.
    fn whose(&self, identity: &Identity, key: Digest, seen_at: Option<Timestamp>) -> Result<Vec<Vouch>, String> {
        let (mut found, mut misfit) = (Vec::new(), None);
        for (signer, keyless) in &self.signers {
            match keyless.identity.fits(identity) {
                Ok(()) => {
                    let mut vouch = Vouch::by_key(signer, key);
                    vouch.named_by(&identity.issuer, std::slice::from_ref(&identity.subject));
                    vouch.seen_at = seen_at;
                    found.push(vouch);
                }
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
    /// Whether the signature holds, whoever made it; and the certificates that came along, the signer's own first.
    fn verify(&self, made: &Made<'_>) -> Result<(VerificationResult, Vec<Vec<u8>>), Failure> {
        let bundle = library::read(made.json)?;
        let result = library::verify(&self.root, &bundle, made, &self.policy())?;
        if result.verified_timestamps().is_empty() || !result.certificate_verified() {
            return Err(Failure::early(
                "timestamp",
                Why::NoTrustedTime,
                "no authenticated time".to_owned(),
            ));
        }
        let certificates = match &bundle.verification_material.content {
            Material::Certificate(one) => vec![one.raw_bytes.as_bytes().to_vec()],
            Material::X509CertificateChain { certificates } => {
                let all = certificates.iter().map(|one| one.raw_bytes.as_bytes().to_vec());
                all.collect()
            }
            // The library has found a certificate.
            _ => Vec::new(),
        };
        Ok((result, certificates))
    }

    /// In the library's terms. Whom the certificate names is looked at afterwards.
    fn policy(&self) -> VerificationPolicy {
        let mut policy = VerificationPolicy::any_identity();
        if !self.logged {
            policy = policy.skip_tlog_unsafe();
        }
        if !self.certificate_logged {
            policy = policy.skip_sct();
        }
        policy
    }

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
