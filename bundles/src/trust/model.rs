//! The signature file of a model (`model.sig` of OpenSSF Model Signing 1.0): who vouches for which files.
//!
//! It differs from other evidence in that nobody knows beforehand what it is about: the signed manifest says which files
//! the model is. So no digest is asked for here, and what comes out is the manifest, in a [`Verified`] that exists only if
//! every check held. Whether the files are the listed ones is [`crate::model`]'s to tell.

use std::error::Error;

use super::envelope::SigstoreBundle;
use super::policy::{Examination, Note, Steps, TrustPolicy};
use super::statement::Statement;
use super::verification::{CheckOutcome, Refusal, RefusalReason as Why, Untrusted, Verification};
use super::verified::{Provenance, Verified};
use super::vouch::{Vouch, names};
use crate::model::{MODEL_PREDICATE, Manifest, ManifestError, Method};
use crate::registry::Evidence;

/// Room for a manifest of the largest size, which is a third longer in base64.
const FILE_MAX: usize = 48 * 1024 * 1024;

/// Whether evidence says of itself that it is a model's signature file. Nothing is believed of that: it says which of two
/// checks to make, [`TrustPolicy::verify_model`] or [`TrustPolicy::check`], and each refuses what belongs to the other.
pub fn claims_model(evidence: &Evidence) -> bool {
    let signed = SigstoreBundle::read(&evidence.bytes).and_then(|bundle| bundle.contents());
    let statement = signed.and_then(|signed| Statement::read(&signed.payload));
    statement.is_ok_and(|statement| statement.is_a(MODEL_PREDICATE).is_ok())
}

/// What came of checking a model's signature file.
#[derive(Debug, Clone)]
pub struct ModelSignature {
    /// Every check by name.
    pub verification: Verification,
    /// The list of the model's files, which enough trusted signers vouch for; or why there is none.
    pub manifest: Result<Verified<Manifest>, UntrustedModel>,
}

/// Why a model's signature file vouches for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UntrustedModel {
    /// The signature does not count.
    #[error("the model's signature does not count: {}", .0.detail)]
    Signature(Refusal),
    /// The signature holds, and what is signed is no usable list of files.
    #[error("what is signed says not clearly which files the model is")]
    Manifest(#[source] ManifestError),
    /// The policy trusts nobody, or wants more signers than one file has.
    #[error(transparent)]
    Policy(#[from] Untrusted),
}

impl UntrustedModel {
    /// The stable name for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Signature(refusal) => refusal.reason.as_str(),
            Self::Manifest(error) => error.reason(),
            Self::Policy(error) => error.reason(),
        }
    }
}

impl TrustPolicy {
    /// Checks a model's signature file, and tells every check by name.
    pub fn verify_model(&self, signature: &Evidence) -> ModelSignature {
        let mut examination = Examination::default();
        let manifest = self.vouched_model(signature, &mut examination);
        let signers = names(&examination.vouching);
        let last = match &manifest {
            Ok(_) => self.last_notes(Ok(&signers)),
            Err(UntrustedModel::Policy(error)) => self.last_notes(Err(error)),
            // The check on the manifest has told it all.
            Err(UntrustedModel::Manifest(_)) => Vec::new(),
            Err(error @ UntrustedModel::Signature(_)) => {
                vec![Note::new("threshold", CheckOutcome::Failed, error.to_string())]
            }
        };
        let verification = examination.conclude(manifest.is_ok(), last);
        ModelSignature { verification, manifest }
    }

    fn vouched_model(
        &self,
        signature: &Evidence,
        examination: &mut Examination,
    ) -> Result<Verified<Manifest>, UntrustedModel> {
        self.usable()?;
        let mut steps = Steps {
            evidence: signature.digest,
            checks: &mut examination.checks,
        };
        let (vouching, manifest) = steps
            .walk_model(&signature.bytes, self)
            .map_err(UntrustedModel::Signature)?;
        examination.vouching = vouching;
        let manifest = manifest.map_err(UntrustedModel::Manifest)?;
        self.not_revoked(manifest.root())?;
        let signers = self.judge(examination, manifest.root())?;
        Ok(Verified::new(manifest, Provenance::Signed { signers }))
    }
}

impl Steps<'_> {
    /// Who signed, and what.
    fn walk_model(
        &mut self,
        bytes: &[u8],
        policy: &TrustPolicy,
    ) -> Result<(Vec<Vouch>, Result<Manifest, ManifestError>), Refusal> {
        let bundle = match bytes.len() {
            ..=FILE_MAX => SigstoreBundle::read(bytes),
            length => Err(format!("it has {length} bytes, and at most {FILE_MAX} are read")),
        };
        let bundle = self.step("bundle-format", Why::MalformedSignature, bundle, |bundle| {
            bundle.media_type().to_owned()
        })?;
        let (vouching, statement, payload) = self.said(&bundle, bytes, policy)?;
        let kind = statement.is_a(MODEL_PREDICATE);
        self.step("predicate-type", Why::WrongPredicateType, kind, |()| {
            MODEL_PREDICATE.to_owned()
        })?;
        let manifest = Manifest::read(&payload);
        self.note_manifest(&manifest);
        Ok((vouching, manifest))
    }

    fn note_manifest(&mut self, manifest: &Result<Manifest, ManifestError>) {
        let (outcome, detail) = match manifest {
            Ok(manifest) => (CheckOutcome::Passed, summary(manifest)),
            Err(error) => (CheckOutcome::Failed, in_full(error)),
        };
        self.note("manifest", outcome, detail);
    }
}

fn summary(manifest: &Manifest) -> String {
    let serialization = manifest.serialization();
    let method = match serialization.method {
        Method::Files => String::new(),
        Method::Shards { size } => format!(" in shards of {size} bytes"),
    };
    format!(
        "{} files{method} by {}, root {}",
        manifest.files().len(),
        serialization.algorithm.name(),
        manifest.root()
    )
}

/// An error with what caused it, as a check has no cause of its own.
pub(super) fn in_full(error: &dyn Error) -> String {
    let (mut said, mut cause) = (error.to_string(), error.source());
    while let Some(next) = cause {
        said = format!("{said}: {next}");
        cause = next.source();
    }
    said
}
