//! Evidence about images and models: collected ahead of judgements, kept, and asked for again only where that can
//! change something.
//!
//! ```text
//! observe ──look(wishes)──▶ Store ◀──answers── run ──questions──▶ registries
//!            ◀──answers──────┘  └── raw signatures on disk
//! ```
//!
//! Two questions are asked, each once however many workloads share it: where a tag leads (again at every interval), and
//! which signatures a digest has. Signatures are kept as the registry gave them and verified by whoever looks, with
//! the keys of the day: a Signer that changes costs no question unless the result is not Verified.
//!
//! What can only get better by asking stays while a registry cannot be asked: a digest keeps its signatures. What may
//! have changed becomes Unavailable: where a tag leads. Nothing asked yet is neither.

mod ask;
mod hosts;
mod proof;
mod question;
mod store;

use std::sync::Arc;
use std::time::Duration;

use interlock_bundles::trust::TrustPolicy;
use interlock_crds::GovernanceTrack;
use interlock_crds::track::ArtifactSigners;
use kube::ResourceExt as _;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use self::question::Question;
pub use self::store::Store;
use self::store::{Found, Wish};
use super::Context;
use super::queue::Trigger;
use super::registry::signers;
use crate::artifacts::{self, Answers, Demand, Role};
use crate::dossier::{Dossier, Unavailable};
use crate::judge::chain;
use crate::subject::SubjectKey;

/// For how long a workload that is new or changed waits for answers before it is judged without them.
const PATIENCE: Duration = Duration::from_secs(5);

/// For how long after the start one waits whose verdict stands: it should not turn for a moment and back.
const PATIENCE_AFTER_START: Duration = Duration::from_mins(1);

/// Questions are gathered for this long: a rollout looks at many workloads at once.
const GATHER: Duration = Duration::from_millis(20);

/// Writes what is known of the signatures that the track demands into the dossier. None if it is too early to tell;
/// the workload is looked at again then.
pub(super) async fn attach(
    context: &Context,
    key: &SubjectKey,
    track: &GovernanceTrack,
    mut dossier: Dossier,
) -> Option<Dossier> {
    let Some(signers) = &track.spec.signed_by else {
        context.evidence.forget(key);
        return Some(dossier);
    };
    let demands = artifacts::demands(&dossier, signers);
    let wishes = wishes(context, track, signers, &demands);
    let (store, subject, names) = (Arc::clone(&context.evidence), key.clone(), names(signers));
    // Reads files and checks signatures.
    let looked = tokio::task::spawn_blocking(move || store.look(&subject, names, &wishes)).await;
    let found = looked.unwrap_or_else(|error| {
        tracing::error!(%error, "looking at evidence ended abnormally");
        let failed = || Found::known_unavailable("EvidenceFailed", "the signatures could not be looked at");
        demands.iter().map(|_| failed()).collect()
    });
    let patience = patience(context, key, &dossier);
    let now = Instant::now();
    let deadline = found.iter().filter_map(|one| Some(one.pending_since? + patience)).max();
    if let Some(deadline) = deadline.filter(|deadline| *deadline > now) {
        context.queue.send_at(Trigger::Subject(key.clone()), deadline);
        return None;
    }
    let answers: Answers = demands
        .into_iter()
        .zip(found)
        .map(|(demand, found)| ((demand.role, demand.name), found.signature))
        .collect();
    artifacts::fill(&mut dossier, signers, &answers);
    Some(dossier)
}

/// How long to wait for an answer that may come.
fn patience(context: &Context, key: &SubjectKey, dossier: &Dossier) -> Duration {
    let hash = Some(dossier.content_hash().to_string());
    let stands = context.sources.releases_of(key).iter().any(|release| {
        let status = release.status.as_ref();
        status.is_some_and(|status| status.content_hash == hash && !status.artifacts.is_empty())
    });
    if stands && context.evidence.is_young(PATIENCE_AFTER_START) {
        PATIENCE_AFTER_START
    } else {
        PATIENCE
    }
}

/// What to look for, one for each demand.
fn wishes(context: &Context, track: &GovernanceTrack, signers: &ArtifactSigners, demands: &[Demand]) -> Vec<Wish> {
    let secrets: Arc<[String]> = track.spec.pull_secrets.iter().map(|one| one.name.clone()).collect();
    let trust = |role: Role| -> Result<Arc<TrustPolicy>, Unavailable> {
        let wanted = match role {
            Role::Image => &signers.images,
            Role::Model => &signers.models,
        };
        let unavailable = |reason: &str, message: String| Unavailable {
            reason: reason.to_owned(),
            message,
        };
        let Some(wanted) = wanted else {
            let message = format!("track {} names no signers", track.name_any());
            return Err(unavailable("SignerNotFound", message));
        };
        signers::trust_policy(&context.sources.signers, wanted, role.field())
            .map(Arc::new)
            .map_err(|error| unavailable(error.reason(), chain(&error)))
    };
    let (image, model) = (trust(Role::Image), trust(Role::Model));
    let wish = |demand: &Demand| Wish {
        reference: demand.reference.clone(),
        secrets: Arc::clone(&secrets),
        trust: match demand.role {
            Role::Image => image.clone(),
            Role::Model => model.clone(),
        },
    };
    demands.iter().map(wish).collect()
}

/// The Signers that a track names.
fn names(signers: &ArtifactSigners) -> Vec<String> {
    let parts = [&signers.images, &signers.models].into_iter().flatten();
    parts.flat_map(|part| part.signers.clone()).collect()
}

/// Asks what is due, until the operator stops leading.
pub async fn run(context: Arc<Context>) {
    let store = Arc::clone(&context.evidence);
    let mut asking = JoinSet::new();
    let mut tidied = Instant::now();
    loop {
        let (questions, next) = store.due(Instant::now());
        for question in questions {
            let context = Arc::clone(&context);
            asking.spawn(async move { find_out(&context, question).await });
        }
        let tidy = tidied + store.interval();
        tokio::select! {
            Some(done) = asking.join_next() => match done {
                Ok(Ok(())) => {}
                Ok(Err(error)) | Err(error) => {
                    tracing::error!(%error, "a question ended abnormally");
                    // Which one is not known: all that are still open are asked again.
                    asking.abort_all();
                    while asking.join_next().await.is_some() {}
                    store.start_over();
                }
            },
            () = store.woken() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep_until(next.unwrap_or(tidy).min(tidy)) => {}
        }
        if tidied.elapsed() >= store.interval() {
            tidied = Instant::now();
            tidy_up(&context).await;
        }
    }
}

/// Asks, and lets the workloads that this concerns be looked at again.
async fn find_out(context: &Arc<Context>, question: Question) -> Result<(), JoinError> {
    let outcome = ask::ask(context, &question).await;
    let store = Arc::clone(&context.evidence);
    let concerned = tokio::task::spawn_blocking(move || store.answered(&question, outcome, Instant::now())).await?;
    for subject in concerned {
        context.queue.send(Trigger::Subject(subject));
    }
    Ok(())
}

/// Forgets what no workload needs, in memory and on disk.
async fn tidy_up(context: &Arc<Context>) {
    let subjects = context.sources.subjects();
    let store = Arc::clone(&context.evidence);
    let tidied = tokio::task::spawn_blocking(move || store.tidy(&subjects)).await;
    match tidied {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(
            error = &error as &dyn std::error::Error,
            "cannot tidy the evidence cache"
        ),
        Err(error) => tracing::error!(%error, "tidying the evidence ended abnormally"),
    }
}
