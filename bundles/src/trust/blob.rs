//! The plain Sigstore check of one file, as `cosign verify-blob` does it: a bundle may hold a signature over the
//! file's own bytes, or an envelope with a statement about its digest. What the statement says is not looked into.

use super::envelope::{Made, Signed, SigstoreBundle};
use super::policy::{Examination, Steps, TrustPolicy};
use super::verification::{Refusal, RefusalReason as Why, Untrusted, Verification};
use super::vouch::Vouch;
use crate::digest::Digest;
use crate::registry::Evidence;

/// What was signed.
#[derive(Debug, Clone, Copy)]
pub enum Blob<'a> {
    /// Its bytes.
    Content(&'a [u8]),
    /// Its digest: enough for an envelope, not for a signature over the bytes themselves.
    Digest(Digest),
}

impl Blob<'_> {
    fn digest(&self) -> Digest {
        match self {
            Self::Content(bytes) => Digest::of(bytes),
            Self::Digest(digest) => *digest,
        }
    }
}

/// The signature is over the bytes themselves, and only their digest was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the signature is over the bytes of {digest} and not over a statement about it: give the file instead of its digest"
)]
pub struct NeedsContent {
    /// What was given.
    pub digest: Digest,
}

impl TrustPolicy {
    /// Checks one Sigstore bundle against a file or digest, and tells every check by name.
    pub fn check_blob(&self, blob: &Blob<'_>, evidence: &Evidence) -> Result<Verification, NeedsContent> {
        if let (Blob::Digest(digest), Ok(bundle)) = (blob, SigstoreBundle::read(&evidence.bytes))
            && matches!(bundle.message_signature(), Ok(Some(_)))
        {
            return Err(NeedsContent { digest: *digest });
        }
        let mut examination = Examination::default();
        // Asked first: a threshold of 0 is met by a file that nobody signed.
        let verdict = self
            .usable()
            .and_then(|()| self.not_revoked(blob.digest()))
            .and_then(|()| self.judge_blob(blob, evidence, &mut examination));
        let last = self.last_notes(verdict.as_deref());
        Ok(examination.conclude(verdict.is_ok(), last))
    }

    fn judge_blob(
        &self,
        blob: &Blob<'_>,
        evidence: &Evidence,
        examination: &mut Examination,
    ) -> Result<Vec<String>, Untrusted> {
        let mut steps = Steps {
            evidence: evidence.digest,
            checks: &mut examination.checks,
        };
        match steps.walk_blob(&evidence.bytes, blob, self) {
            Ok(vouching) => examination.vouching.extend(vouching),
            Err(refusal) => examination.refusals.push(refusal),
        }
        self.judge(examination, blob.digest())
    }
}

impl Steps<'_> {
    fn walk_blob(&mut self, bytes: &[u8], blob: &Blob<'_>, policy: &TrustPolicy) -> Result<Vec<Vouch>, Refusal> {
        let bundle = self.step(
            "bundle-format",
            Why::MalformedSignature,
            SigstoreBundle::read(bytes),
            |bundle| bundle.media_type().to_owned(),
        )?;
        let message = bundle.message_signature();
        let message = self.step("message-signature", Why::MalformedSignature, message, |found| {
            if found.is_some() {
                "over the bytes of the file"
            } else {
                "none: it holds an envelope"
            }
            .to_owned()
        })?;
        let (Some(signature), Blob::Content(content)) = (message, blob) else {
            return Ok(self.stated(&bundle, bytes, &blob.digest(), policy)?.0);
        };
        let made = Made {
            json: bytes,
            signed: Signed::Content(content),
            message: content,
            signature: &signature,
        };
        let made_with = self.made_with(&bundle)?;
        self.vouching(&bundle, &made_with, &made, policy)
    }
}
