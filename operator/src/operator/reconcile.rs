//! One workload, from what is known to what is written.
//!
//! ```text
//! observe (reads) → judge (sandbox, blocking pool) → decide (pure) → apply (writes)
//! ```

use std::sync::Arc;
use std::time::Duration;

use interlock_crds::release::JudgedBy;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::observe::{Observation, observe};
use super::queue::Trigger;
use super::{Context, apply};
use crate::artifacts;
use crate::decide::{Found, Governed, Observed, Plan, decide};
use crate::dossier::Dossier;
use crate::judge::{self, Bench};
use crate::subject::SubjectKey;
use crate::verdict::{Failure, Opinion, weigh};

/// Why a workload could not be brought to its verdict this time. It is tried again.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot read what the decision rests on")]
    Observe(#[source] kube::Error),
    #[error("cannot write the decision")]
    Apply(#[source] apply::Error),
}

impl Error {
    fn step(&self) -> &'static str {
        match self {
            Self::Observe(_) => "observe",
            Self::Apply(_) => "apply",
        }
    }
}

/// How long after a failure the workload is looked at again.
const RETRY: Duration = Duration::from_secs(5);

/// Looks at one workload and sees to it that it is looked at again when that is needed.
pub async fn reconcile(context: &Arc<Context>, key: &SubjectKey) {
    let span = tracing::info_span!("reconcile", kind = %key.kind, namespace = %key.namespace, name = %key.name);
    let started = Instant::now();
    let result = steps(context, key).instrument(span.clone()).await;
    let again = match result {
        Ok(recheck_at) => {
            context.metrics.reconciled("ok", started.elapsed());
            recheck_at.map(|at| {
                let wait = at.duration_since(Timestamp::now());
                Instant::now() + Duration::try_from(wait).unwrap_or_default() + Duration::from_millis(100)
            })
        }
        Err(error) => {
            context.metrics.reconciled(error.step(), started.elapsed());
            let _entered = span.enter();
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "not reconciled, will be tried again"
            );
            Some(Instant::now() + RETRY)
        }
    };
    if let Some(at) = again {
        context.queue.send_at(Trigger::Subject(key.clone()), at);
    }
}

async fn steps(context: &Arc<Context>, key: &SubjectKey) -> Result<Option<Timestamp>, Error> {
    let now = Timestamp::now();
    let observation = observe(context, key).await.map_err(Error::Observe)?; // reads
    let Some(found) = judge(context, observation, now).await else {
        return Ok(None);
    };
    let observed = Observed {
        finding: found,
        releases: context.sources.releases_of(key),
        plain_name_taken: context.sources.release_name_taken(key),
        key: key.clone(),
    };
    let plan: Plan = decide(&observed, now); // pure
    apply::plan(context, key, &plan).await.map_err(Error::Apply)?; // writes
    let again = may_pass(&observed.finding).then(|| now + AGAIN);
    Ok([plan.recheck_at, again].into_iter().flatten().min())
}

/// Whether the verdict is Unknown for something that the next attempt may not meet: a busy machine.
fn may_pass(found: &Found) -> bool {
    matches!(found, Found::Governed(governed)
        if matches!(governed.judgement.reason.as_str(), "DeadlineExceeded" | "ConcurrencyLimit" | "EvaluationFailed"))
}

/// How long after such an attempt the workload is judged again.
const AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// Lets the track's bundles judge a governed workload; everything else is already decided.
async fn judge(context: &Context, observation: Observation, now: Timestamp) -> Option<Found> {
    let (owner, track, dossier, drift) = match observation {
        Observation::Governed {
            owner,
            track,
            dossier,
            drift,
        } => (owner, track, dossier, drift),
        Observation::NotYet => return None,
        Observation::Conflict { owner, tracks } => return Some(Found::Conflict { owner, tracks }),
        Observation::Ungoverned => return Some(Found::Ungoverned),
        Observation::Controlled { by } => return Some(Found::Controlled { by }),
        Observation::Absent => return Some(Found::Absent),
        Observation::Unavailable(why) => {
            return Some(Found::Unavailable {
                reason: why.reason,
                message: why.message,
            });
        }
    };
    let benches: Vec<Bench> = track
        .spec
        .bundles
        .iter()
        .map(|used| Bench {
            bundle: used.name.clone(),
            active: context.policies.get(&context.sources, &used.name),
            parameters: used.parameters.clone().unwrap_or_default(),
        })
        .collect();
    let bundles = benches
        .iter()
        .filter_map(|bench| {
            let policy = &bench.active.as_ref().ok()?.policy;
            Some(JudgedBy {
                name: bench.bundle.clone(),
                digest: policy.digest().to_string(),
                revision: policy.revision().map(str::to_owned),
            })
        })
        .collect();
    let opinions = opinions(context, benches, &dossier, &track.name_any(), now).await;
    Some(Found::Governed(Box::new(Governed {
        owner,
        track: track.name_any(),
        content_hash: dossier.content_hash().to_string(),
        dossier_digest: dossier.digest().to_string(),
        bundles,
        artifacts: track
            .spec
            .signed_by
            .as_ref()
            .map(|signers| artifacts::report(&dossier, signers))
            .unwrap_or_default(),
        judgement: weigh(&track.spec.gates, &opinions, now),
        drift,
    })))
}

/// Runs the bundles on the blocking pool. An evaluation that ends abnormally is no reason to keep the old verdict.
async fn opinions(
    context: &Context,
    benches: Vec<Bench>,
    dossier: &Arc<Dossier>,
    track: &str,
    now: Timestamp,
) -> Vec<Opinion> {
    let names: Vec<_> = benches.iter().map(|bench| bench.bundle.clone()).collect();
    let (metrics, dossier, track) = (Arc::clone(&context.metrics), Arc::clone(dossier), track.to_owned());
    let work = move || {
        let started = Instant::now();
        let opinions = judge::opinions(&benches, &dossier, &track, now);
        metrics.evaluated(started.elapsed());
        opinions
    };
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|error| {
        tracing::error!(%error, "an evaluation ended abnormally");
        let failed = |bundle: String| Opinion {
            findings: Err(Failure {
                reason: "EvaluationFailed".to_owned(),
                message: format!("bundle {bundle} could not judge: the evaluation ended abnormally"),
            }),
            catalogue: None,
            bundle,
        };
        names.into_iter().map(failed).collect()
    })
}
