//! All that a registry has about one artifact, and what it proves under each policy that was asked for. A signature is
//! checked once for each policy, however many workloads share the artifact.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use interlock_bundles::digest::Digest;
use interlock_bundles::registry::Evidence;
use interlock_bundles::trust::{
    AttestationPolicy, Listed, SIGNATURE_PREDICATE, SignatureFormat, TrustPolicy, Untrusted,
};

use crate::dossier::{Attested, Signature, Source, Unavailable};

/// Raw evidence and its verdicts.
pub(super) struct Proof {
    digest: Digest,
    /// What the evidence consists of, in its order.
    contents: Vec<Digest>,
    /// The evidence, unless it is large and lies on disk.
    evidence: Mutex<Option<Vec<Evidence>>>,
    verdicts: Mutex<Vec<(TrustPolicy, Signature)>>,
    attested: Mutex<Vec<(AttestationPolicy, Source<Attested>)>>,
}

/// Evidence larger than this is not kept in memory: some ten signatures. Whoever may push to a repository may attach
/// megabytes to each of its artifacts.
const IN_MEMORY: usize = 64 * 1024;

/// The check whose outcome may change with the clock alone.
const UNTIMELY: &str = "timestamp";

impl Proof {
    /// Nothing is checked yet.
    pub(super) fn new(digest: Digest, evidence: Vec<Evidence>) -> Self {
        Self {
            digest,
            contents: evidence.iter().map(|one| one.digest).collect(),
            evidence: Mutex::new(Some(evidence)),
            verdicts: Mutex::default(),
            attested: Mutex::default(),
        }
    }

    /// Whether both rest on the same evidence.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.contents == other.contents
    }

    /// Whether the evidence is too large for memory.
    pub(super) fn is_large(&self) -> bool {
        let evidence = lock(&self.evidence);
        let size: usize = evidence.iter().flatten().map(|one| one.bytes.len()).sum();
        size > IN_MEMORY
    }

    /// The evidence lies on disk: what is large goes from memory.
    pub(super) fn is_on_disk(&self) {
        if self.is_large() {
            *lock(&self.evidence) = None;
        }
    }

    /// The evidence; `load` reads it from disk if it is not in memory. None if the disk does not have it any more.
    pub(super) fn evidence(&self, load: impl FnOnce() -> Option<Vec<Evidence>>) -> Option<Vec<Evidence>> {
        let known = lock(&self.evidence).clone();
        known.or_else(load).filter(|found| {
            let contents = found.iter().map(|one| one.digest);
            contents.eq(self.contents.iter().copied())
        })
    }

    /// What it proves under a policy; `checked` is called if that was not known yet. Others who ask meanwhile wait.
    pub(super) fn judge(
        &self,
        policy: &TrustPolicy,
        load: impl FnOnce() -> Option<Vec<Evidence>>,
        checked: impl FnOnce(&Signature),
    ) -> Signature {
        let mut verdicts = lock(&self.verdicts);
        if let Some((_, known)) = verdicts.iter().find(|(known, _)| known == policy) {
            return known.clone();
        }
        let Some(evidence) = self.evidence(load) else {
            return Signature::Unavailable(self.lost());
        };
        let signature = check(policy, &self.digest, &evidence);
        checked(&signature);
        verdicts.push((policy.clone(), signature.clone()));
        signature
    }

    /// What is attested under a policy; found out once, unless the evidence is too large to be kept.
    pub(super) fn attested(
        &self,
        policy: &AttestationPolicy,
        load: impl FnOnce() -> Option<Vec<Evidence>>,
    ) -> Source<Attested> {
        let mut known = lock(&self.attested);
        if let Some((_, known)) = known.iter().find(|(one, _)| one == policy) {
            return known.clone();
        }
        let Some(mut evidence) = self.evidence(load) else {
            return Source::Unavailable(self.lost());
        };
        // Its manifest, which is kept with lists of files.
        evidence.retain(|one| one.digest != self.digest);
        let found = match policy.attested(&self.digest, &evidence) {
            Ok(attested) => Source::Complete(Attested::of(&attested)),
            Err(error) => Source::Unavailable(Unavailable {
                reason: "TooManyAttestations".to_owned(),
                message: error.to_string(),
            }),
        };
        if lock(&self.evidence).is_some() {
            known.push((policy.clone(), found.clone()));
        }
        found
    }

    fn lost(&self) -> Unavailable {
        Unavailable {
            reason: "EvidenceFailed".to_owned(),
            message: format!("the signatures of {} cannot be read from the cache folder", self.digest),
        }
    }

    /// Whether it is known to satisfy a policy.
    pub(super) fn satisfies(&self, policy: &TrustPolicy) -> bool {
        let verdicts = lock(&self.verdicts);
        let known = verdicts.iter().find(|(known, _)| known == policy);
        matches!(known, Some((_, Signature::Verified { .. })))
    }

    /// Forgets verdicts that may be others by now although the evidence is the same, and whether there were any: the time at
    /// which a log says that it took a signature in may lie ahead of the clock here.
    pub(super) fn forget_untimely(&self) -> bool {
        lock(&self.attested).clear();
        let mut verdicts = lock(&self.verdicts);
        let before = verdicts.len();
        verdicts.retain(|(_, said)| !said.checks_failed().iter().any(|check| check == UNTIMELY));
        verdicts.len() < before
    }

    /// Forgets verdicts under policies that nobody asks for any more, and what is attested: that is found out again.
    pub(super) fn keep(&self, is_wanted: impl Fn(&TrustPolicy) -> bool) {
        lock(&self.verdicts).retain(|(policy, _)| is_wanted(policy));
        lock(&self.attested).clear();
    }
}

/// What is said of an artifact that is revoked itself, whatever signatures it has; nothing of others.
pub(super) fn revoked(policy: &TrustPolicy, digest: Digest) -> Option<Signature> {
    policy.not_revoked(digest).err()?;
    Some(check(policy, &digest, &[]))
}

/// Signatures on the manifest vouch for an artifact, or a signed list of its files. A list that does not fit is no evidence
/// against a signed manifest: whoever may push can attach another model's list.
fn check(policy: &TrustPolicy, digest: &Digest, evidence: &[Evidence]) -> Signature {
    let is_manifest = |one: &&Evidence| one.digest == *digest;
    let manifest = evidence.iter().find(is_manifest);
    let evidence = match manifest {
        None => Cow::Borrowed(evidence),
        Some(_) => evidence.iter().filter(|one| !is_manifest(one)).cloned().collect(),
    };
    let (verification, verdict) = policy.examine(digest, SIGNATURE_PREDICATE, &evidence);
    let listed = manifest.and_then(|one| policy.listed(&one.bytes, &evidence));
    let verified = |signers: BTreeSet<String>, formats: BTreeSet<SignatureFormat>| Signature::Verified {
        digest: digest.to_string(),
        signers: signers.into_iter().collect(),
        formats: formats.into_iter().map(spoken).map(str::to_owned).collect(),
    };
    let rejected = |reason: &str, message: String, failed: BTreeSet<&str>| Signature::Rejected {
        digest: Some(digest.to_string()),
        reason: reason.to_owned(),
        message,
        checks_failed: failed.into_iter().map(str::to_owned).collect(),
    };
    // What failed for its time is checked again.
    let files = || {
        let of_time = verification.failed().into_iter().filter(|check| *check == UNTIMELY);
        of_time.chain(["files"]).collect()
    };
    match (verdict, listed) {
        (
            Err(Untrusted::NoTrustedSignature { .. }),
            Some(Listed::Unusable {
                reason,
                detail,
                checks_failed,
            }),
        ) => {
            let message = format!("the signed list of files of {digest} does not count: {detail}");
            rejected(reason, message, checks_failed)
        }
        (Err(error @ Untrusted::Revoked { .. }), _) | (Err(error), None | Some(Listed::Unusable { .. })) => {
            rejected(error.reason(), message(&error), verification.failed())
        }
        (Err(_), Some(Listed::Differs { detail })) => {
            let message = format!(
                "{digest} has a signed list of files that is another model's: {detail}. Sign what was pushed, or push what was signed"
            );
            rejected("FilesDiffer", message, files())
        }
        (Err(_), Some(Listed::Unread { detail })) => {
            let message = format!(
                "the signed list of files of {digest} cannot be compared without downloading them: {detail}. Sign the manifest with `cosign sign`, or push each file as it is"
            );
            rejected("FilesNotCompared", message, files())
        }
        (Err(_), Some(Listed::Same { signers, formats })) => verified(signers.into_iter().collect(), formats),
        (Ok(signers), Some(Listed::Same { signers: more, formats })) => verified(
            signers.into_iter().chain(more).collect(),
            verification.formats.into_iter().chain(formats).collect(),
        ),
        (Ok(signers), Some(Listed::Differs { .. } | Listed::Unread { .. } | Listed::Unusable { .. }) | None) => {
            verified(signers.into_iter().collect(), verification.formats)
        }
    }
}

/// A format's name in the API.
fn spoken(format: SignatureFormat) -> &'static str {
    match format {
        SignatureFormat::Bundle => "Bundle",
        SignatureFormat::OldBundle => "OldBundle",
        SignatureFormat::Legacy => "Legacy",
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    use std::sync::Arc;

    use interlock_bundles::trust::{PublicKey, Revoked, Signer};

    use super::*;

    #[test]
    fn a_policy_is_checked_once() {
        let digest = Digest::of(b"image");
        let proof = Proof::new(digest, Vec::new());
        let policy = |threshold| TrustPolicy::new(Vec::new(), threshold);
        let mut checks = 0;
        for threshold in [1, 1, 2, 1, 2] {
            let said = proof.judge(&policy(threshold), || None, |_| checks += 1);
            assert_eq!(said.checks_failed(), ["policy"]);
        }
        assert_eq!(checks, 2);
        proof.keep(|known| known.threshold == 1);
        proof.judge(&policy(2), || None, |_| checks += 1);
        assert_eq!(checks, 3);
        assert!(!proof.satisfies(&policy(1)));
    }

    #[test]
    fn what_is_large_is_read_from_disk_again_and_only_if_it_is_the_same() {
        let one = |size: usize| {
            let bytes = vec![b'x'; size];
            Evidence {
                media_type: "application/x".to_owned(),
                digest: Digest::of(&bytes),
                bytes,
            }
        };
        let small = Proof::new(Digest::of(b"image"), vec![one(10)]);
        small.is_on_disk();
        assert_eq!(small.evidence(|| None), Some(vec![one(10)]));
        let large = Proof::new(Digest::of(b"image"), vec![one(IN_MEMORY), one(1)]);
        assert!(large.evidence(|| None).is_some(), "not on disk yet");
        large.is_on_disk();
        assert!(large.evidence(|| None).is_none());
        assert!(large.evidence(|| Some(vec![one(1)])).is_none(), "other evidence");
        assert!(large.evidence(|| Some(vec![one(IN_MEMORY), one(1)])).is_some());
        let policy = TrustPolicy::new(Vec::new(), 1);
        let said = large.judge(&policy, || None, |_| {});
        assert!(matches!(said, Signature::Unavailable(why) if why.reason == "EvidenceFailed"));
        assert!(!large.satisfies(&policy), "it is looked at again");
    }

    #[test]
    fn a_signed_list_of_files_vouches_for_what_has_exactly_these_files() {
        let file = |name: &str| {
            let path = format!("{}/../bundles/testdata/oms/{name}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read(path).unwrap()
        };
        let evidence = |bytes: Vec<u8>| Evidence {
            media_type: String::new(),
            digest: Digest::of(&bytes),
            bytes,
        };
        let fixtures: serde_json::Value = serde_json::from_slice(&file("fixtures.json")).unwrap();
        let layer = |(name, text): (&String, &serde_json::Value)| {
            let text = text.as_str().unwrap();
            serde_json::json!({"mediaType": "application/x", "digest": Digest::of(text.as_bytes()), "size": text.len(),
                "annotations": {"org.opencontainers.image.title": name}})
        };
        let tree = fixtures["files-p256"]["tree"].as_object().unwrap();
        let layers: Vec<_> = tree.iter().map(layer).collect();
        let manifest = |layers: &[serde_json::Value]| serde_json::json!({"layers": layers}).to_string().into_bytes();
        let policy = |key: &str| {
            let pem = String::from_utf8(file(key)).unwrap();
            let key = PublicKey::from_pem(&pem).unwrap();
            TrustPolicy {
                lists: true,
                ..TrustPolicy::new(vec![Signer::with_key("team", key)], 1)
            }
        };
        let says = |manifest: Vec<u8>, list: &str, key: &str| {
            let all = vec![evidence(file(list)), evidence(manifest)];
            let proof = Proof::new(all[1].digest, all);
            match proof.judge(&policy(key), || None, |_| {}) {
                Signature::Verified { signers, formats, .. } => format!("{signers:?} {formats:?}"),
                Signature::Rejected {
                    reason, checks_failed, ..
                } => format!("{reason} {checks_failed:?}"),
                other => panic!("{other:?}"),
            }
        };
        let good = manifest(&layers);
        assert_eq!(
            says(good.clone(), "files-p256.sig", "p256.pub"),
            r#"["team"] ["Bundle"]"#
        );
        assert_eq!(
            says(manifest(&layers[1..]), "files-p256.sig", "p256.pub"),
            r#"FilesDiffer ["files"]"#
        );
        assert_eq!(
            says(good.clone(), "blake3.sig", "p256.pub"),
            r#"FilesNotCompared ["files"]"#
        );
        assert!(says(good.clone(), "files-p256.sig", "p384.pub").starts_with("UntrustedKey "));
        let all = vec![evidence(file("files-p256.sig")), evidence(good.clone())];
        let mut two = policy("p256.pub");
        two.threshold = 2;
        let said = Proof::new(Digest::of(&good), all).judge(&two, || None, |_| {});
        let Signature::Rejected { reason, message, .. } = &said else {
            panic!("{said:?}")
        };
        assert_eq!(
            (reason.as_str(), said.checks_failed()),
            ("ThresholdNotMet", &["threshold".to_owned()][..])
        );
        assert!(message.contains("signed by 1 of 2 needed signers (team)"), "{message}");
        // Without the manifest, a list says nothing of it; and what is revoked stays so.
        let alone = Proof::new(Digest::of(&good), vec![evidence(file("files-p256.sig"))]);
        let said = alone.judge(&policy("p256.pub"), || None, |_| {});
        assert!(matches!(said, Signature::Rejected { reason, .. } if reason == "SubjectMismatch"));
        let mut revoking = policy("p256.pub");
        revoking.revoked = Arc::new(Revoked {
            digests: [Digest::of(&good)].into(),
            ..Revoked::default()
        });
        let all = vec![evidence(file("files-p256.sig")), evidence(good.clone())];
        let said = Proof::new(Digest::of(&good), all).judge(&revoking, || None, |_| {});
        assert!(matches!(said, Signature::Rejected { reason, .. } if reason == "Revoked"));
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
