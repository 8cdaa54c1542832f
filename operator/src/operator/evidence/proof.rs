//! All that a registry has about one artifact, and what it proves under each policy that was asked for. A signature is
//! checked once for each policy, however many workloads share the artifact.

use std::sync::{Mutex, PoisonError};

use interlock_bundles::digest::Digest;
use interlock_bundles::registry::Evidence;
use interlock_bundles::trust::{TrustPolicy, Untrusted};

use crate::dossier::Signature;

/// Raw evidence and its verdicts.
pub(super) struct Proof {
    digest: Digest,
    evidence: Vec<Evidence>,
    verdicts: Mutex<Vec<(TrustPolicy, Signature)>>,
}

impl Proof {
    /// Nothing is checked yet.
    pub(super) fn new(digest: Digest, evidence: Vec<Evidence>) -> Self {
        Self {
            digest,
            evidence,
            verdicts: Mutex::default(),
        }
    }

    /// The evidence.
    pub(super) fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// What it proves under a policy; `checked` is called if that was not known yet. Others who ask meanwhile wait.
    pub(super) fn judge(&self, policy: &TrustPolicy, checked: impl FnOnce(&Signature)) -> Signature {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = verdicts.iter().find(|(known, _)| known == policy) {
            return known.clone();
        }
        let signature = self.check(policy);
        checked(&signature);
        verdicts.push((policy.clone(), signature.clone()));
        signature
    }

    /// Whether it is known to satisfy a policy.
    pub(super) fn satisfies(&self, policy: &TrustPolicy) -> bool {
        let verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = verdicts.iter().find(|(known, _)| known == policy);
        matches!(known, Some((_, Signature::Verified { .. })))
    }

    /// Forgets verdicts under policies that nobody asks for any more.
    pub(super) fn keep(&self, is_wanted: impl Fn(&TrustPolicy) -> bool) {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.retain(|(policy, _)| is_wanted(policy));
    }

    fn check(&self, policy: &TrustPolicy) -> Signature {
        match policy.satisfied_by(&self.digest, &self.evidence) {
            Ok(signers) => Signature::Verified {
                digest: self.digest.to_string(),
                signers,
            },
            Err(error) => Signature::Rejected {
                digest: Some(self.digest.to_string()),
                reason: error.reason().to_owned(),
                message: message(&error),
            },
        }
    }
}

/// Artifacts may be indexes of several manifests: signing one of them does not sign the other.
fn message(error: &Untrusted) -> String {
    match error {
        Untrusted::Unsigned { subject } => format!(
            "{subject} has no signature: sign exactly this digest with `cosign sign` (--recursive: an index and all in it)"
        ),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_checked_once() {
        let digest = Digest::of(b"image");
        let proof = Proof::new(digest, Vec::new());
        let policy = |threshold| TrustPolicy {
            signers: Vec::new(),
            threshold,
        };
        let mut checks = 0;
        for threshold in [1, 1, 2, 1, 2] {
            let said = proof.judge(&policy(threshold), |_| checks += 1);
            assert!(matches!(said, Signature::Rejected { .. }));
        }
        assert_eq!(checks, 2);
        proof.keep(|known| known.threshold == 1);
        proof.judge(&policy(2), |_| checks += 1);
        assert_eq!(checks, 3);
        assert!(!proof.satisfies(&policy(1)));
    }

    #[test]
    fn no_signature_says_which_digest_to_sign() {
        let subject = Digest::of(b"image");
        let said = message(&Untrusted::Unsigned { subject });
        assert!(
            said.starts_with(&format!("{subject} has no signature: sign exactly this digest")),
            "{said}"
        );
    }
}
