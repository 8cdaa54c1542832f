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
//! the keys and trust roots of the day: a Signer or TrustRoot that changes costs no question unless the result is not
//! Verified. What is revoked waits for no answer. Signatures in cosign's old format lie elsewhere, and are asked for only
//! where a Signer takes them; such an answer is another one, with them in it, so that what was never asked for is never
//! missed.
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

use interlock_bundles::trust::{AttestationPolicy, TrustPolicy};
use interlock_crds::GovernanceTrack;
use interlock_crds::bundle::SignedBy;
use interlock_crds::track::{ArtifactSigners, AttestationSigners, WorkloadPullSecrets};
use jiff::Timestamp;
use kube::ResourceExt as _;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use self::question::Question;
pub use self::store::Store;
use self::store::{AttestationWish, Found, Wish};
use super::Context;
use super::queue::Trigger;
use super::registry::credentials::PullSecret;
use super::registry::signers::{self, SignerProblem};
use crate::artifacts::{self, Answer, Answers, Demand, Role};
use crate::dossier::{Dossier, Unavailable};
use crate::judge::chain;
use crate::subject::SubjectKey;

/// For how long a workload that is new or changed waits for answers before it is judged without them.
const PATIENCE: Duration = Duration::from_secs(5);

/// For how long after the start one waits whose verdict stands: it should not turn for a moment and back.
const PATIENCE_AFTER_START: Duration = Duration::from_mins(1);

/// A workload with an attestation that will become too old is looked at again after this long, if not earlier.
const LOOK_AGAIN: Duration = Duration::from_hours(24);

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
    let secrets = secrets(context, track, &dossier);
    let wishes = wishes(context, track, signers, &demands, &secrets);
    let (store, subject, names) = (
        Arc::clone(&context.evidence),
        key.clone(),
        signers.names().cloned().collect(),
    );
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
    let now = Timestamp::now();
    let mut expiry = None;
    let answers: Answers = demands
        .into_iter()
        .zip(found)
        .map(|(demand, mut found)| {
            expiry = artifacts::expire(&mut found.attestations, signers, now)
                .into_iter()
                .chain(expiry)
                .min();
            let answer = if found.attestations.len() == signers.attestations.len() {
                Answer {
                    signature: found.signature,
                    attestations: found.attestations,
                }
            } else {
                artifacts::without_attestations(signers, found.signature)
            };
            ((demand.role, demand.name), answer)
        })
        .collect();
    if let Some(expiry) = expiry {
        // A moment later, so that it is past whatever the clocks round; within what timers take.
        let wait = Duration::try_from(expiry.duration_since(now)).unwrap_or_default() + Duration::from_secs(1);
        let at = Instant::now() + wait.min(LOOK_AGAIN);
        context.queue.send_at(Trigger::Subject(key.clone()), at);
    }
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
fn wishes(
    context: &Context,
    track: &GovernanceTrack,
    signers: &ArtifactSigners,
    demands: &[Demand],
    secrets: &Arc<[PullSecret]>,
) -> Vec<Wish> {
    let trust = |role: Role| -> Result<Arc<TrustPolicy>, Unavailable> {
        let wanted = match role {
            Role::Image => &signers.images,
            Role::Model => &signers.models,
        };
        let Some(wanted) = wanted else {
            let message = format!("track {} names no signers", track.name_any());
            return Err(Unavailable {
                reason: "SignerNotFound".to_owned(),
                message,
            });
        };
        signers::trust_policy(&context.sources, wanted, role.field())
            .map(|trust| {
                let lists = role == Role::Model;
                Arc::new(TrustPolicy { lists, ..trust })
            })
            .map_err(|error| unknown(&error))
    };
    let (image, model) = (trust(Role::Image), trust(Role::Model));
    let attestations = attestations(context, signers);
    let wish = |demand: &Demand| Wish {
        reference: demand.reference.clone(),
        secrets: Arc::clone(secrets),
        trust: match demand.role {
            Role::Image => image.clone(),
            Role::Model => model.clone(),
        },
        attestations: Arc::clone(&attestations),
    };
    demands.iter().map(wish).collect()
}

/// The platform's Secrets, and the workload's own if the track says so.
fn secrets(context: &Context, track: &GovernanceTrack, dossier: &Dossier) -> Arc<[PullSecret]> {
    let of_platform = track.spec.pull_secrets.iter().map(|one| PullSecret {
        namespace: context.settings.namespace.clone(),
        name: one.name.clone(),
        is_optional: false,
    });
    let own = match track.spec.workload_pull_secrets {
        WorkloadPullSecrets::Ignore => Vec::new(),
        WorkloadPullSecrets::Use => artifacts::pull_secrets(dossier),
    };
    let own = own.into_iter().map(|name| PullSecret {
        namespace: dossier.subject.namespace.clone(),
        name,
        is_optional: true,
    });
    of_platform.chain(own).collect()
}

/// It is not known who may sign.
fn unknown(problem: &SignerProblem) -> Unavailable {
    Unavailable {
        reason: problem.reason().to_owned(),
        message: chain(problem),
    }
}

/// Whose attestations count, for each type that the track names.
fn attestations(context: &Context, signers: &ArtifactSigners) -> Arc<[AttestationWish]> {
    let wish = |one: &AttestationSigners| {
        let anyone = SignedBy::any_of(one.signers.clone());
        let field = "spec.signedBy.attestations";
        let policy = signers::trust_policy(&context.sources, &anyone, field)
            .map(|trust| AttestationPolicy {
                predicate_type: one.predicate_type.clone(),
                trust,
            })
            .map_err(|error| unknown(&error));
        AttestationWish {
            predicate_type: one.predicate_type.clone(),
            policy,
        }
    };
    signers.attestations.iter().map(wish).collect()
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
