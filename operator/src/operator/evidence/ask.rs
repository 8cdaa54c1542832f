//! Asks one question: reads the pull secrets, speaks to the registry, counts.

use interlock_bundles::reference::Wanted;
use interlock_bundles::registry::RegistryError;
use interlock_bundles::trust::claims_model;

use super::super::Context;
use super::super::registry::credentials::{self, SecretError};
use super::super::registry::message;
use super::question::{Again, Answer, Artifact, Failure, Question};
use crate::dossier::Unavailable;
use crate::judge::chain;

/// Asks, within the registry's deadline.
pub(super) async fn ask(context: &Context, question: &Question) -> Result<Answer, Failure> {
    let outcome = steps(context, question).await;
    let word = outcome
        .as_ref()
        .map_or_else(|failure| failure.why.reason.as_str(), |_| "ok");
    context.metrics.asked(question.kind(), word);
    outcome
}

async fn steps(context: &Context, question: &Question) -> Result<Answer, Failure> {
    let credentials = credentials::first(&context.client, question.secrets(), question.repository()).await?;
    Ok(match question {
        Question::Resolve(tag) => {
            let wanted = Wanted::Tag(tag.name.clone());
            let pinned = context.registry.resolve(&tag.repository, &wanted, &credentials).await?;
            Answer::Leads(pinned.digest)
        }
        Question::Signatures(Artifact { pinned, legacy, .. }) => {
            let registry = &context.registry;
            let evidence = registry.evidence(pinned, *legacy, &credentials).await?;
            // A list of files says nothing of the manifest, so that both are needed.
            Answer::Signatures(if evidence.iter().any(claims_model) {
                registry.with_manifest(pinned, evidence, &credentials).await?
            } else {
                evidence
            })
        }
    })
}

impl From<SecretError> for Failure {
    fn from(error: SecretError) -> Self {
        Self {
            why: Unavailable {
                reason: error.reason().to_owned(),
                message: chain(&error),
            },
            again: if error.is_transient() {
                Again::Soon(None)
            } else {
                Again::Later
            },
            concerns_host: false,
        }
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let concerns_host = matches!(
            error,
            RegistryError::Throttled { .. } | RegistryError::Unavailable { .. } | RegistryError::Timeout { .. }
        );
        Self {
            why: Unavailable {
                reason: error.reason().to_owned(),
                message: message(&error),
            },
            again: if error.is_transient() {
                Again::Soon(error.retry_after())
            } else {
                Again::Later
            },
            concerns_host,
        }
    }
}
