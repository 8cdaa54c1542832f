//! Signatures made with a certificate, whoever vouches for it: they count for whom they hold. Where they hold for nobody,
//! what got furthest is told, as another root than the right one knows nothing of the certificate.

use super::envelope::{Made, SigstoreBundle};
use super::library::Failure;
use super::policy::{Note, Steps};
use super::signer::Signer;
use super::verification::{Refusal, RefusalReason as Why};
use super::vouch::Vouch;
use super::{issued, keyless};

/// What comes of a signature on the terms of a signer, or of several with the same ones.
pub(super) struct Attempt {
    /// The checks that were made before one failed, or all.
    pub(super) notes: Vec<Note>,
    pub(super) outcome: Result<Vec<Vouch>, Failure>,
}

impl Steps<'_> {
    /// Finds the signers whom the certificate names, if the signature holds.
    pub(super) fn certified(
        &mut self,
        bundle: &SigstoreBundle,
        made: &Made<'_>,
        signers: &[Signer],
    ) -> Result<Vec<Vouch>, Refusal> {
        let (mut held, mut failed, mut vouching) = (None, None::<(Vec<Note>, Failure)>, Vec::new());
        for attempt in keyless::attempts(made, signers).chain(issued::attempts(bundle, made, signers)) {
            match attempt.outcome {
                Ok(found) => {
                    held.get_or_insert(attempt.notes);
                    vouching.extend(found);
                }
                Err(failure) => {
                    if failed
                        .as_ref()
                        .is_none_or(|(notes, _)| notes.len() < attempt.notes.len())
                    {
                        failed = Some((attempt.notes, failure));
                    }
                }
            }
        }
        let (notes, failure) = match (held, failed) {
            (Some(notes), _) => (notes, None),
            (None, Some((notes, failure))) => (notes, Some(failure)),
            (None, None) => {
                let detail =
                    "signed with a certificate (keyless, or of an authority), and all trusted signers sign with keys"
                        .to_owned();
                return self.fail("identity", Why::UntrustedIdentity, detail);
            }
        };
        for note in notes {
            self.note_down(note);
        }
        match failure {
            Some(failure) => self.fail(failure.check, failure.reason, failure.detail),
            None => Ok(vouching),
        }
    }
}
