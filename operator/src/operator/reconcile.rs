//! One workload, from what is known to what is written.
//!
//! ```text
//! observe (reads) → judge (sandbox, blocking pool) → decide (pure) → apply (writes)
//! ```

use std::sync::Arc;
use std::time::Duration;

use interlock_crds::release::JudgedBy;
use jiff::Timestamp;
use kube::ResourceExt as _;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::observe::{Observation, observe};
use super::queue::Trigger;
use super::{Context, apply};
use crate::decide::{Found, Governed, Observed, Plan, decide};
use crate::judge::{self, Bench};
use crate::subject::SubjectKey;
use crate::verdict::weigh;

/// Why a workload could not be brought to its verdict this time. It is tried again.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot read what the decision rests on")]
    Observe(#[source] kube::Error),
    #[error("the evaluation ended abnormally")]
    Judge(#[source] tokio::task::JoinError),
    #[error("cannot write the decision")]
    Apply(#[source] apply::Error),
}

impl Error {
    fn step(&self) -> &'static str {
        match self {
            Self::Observe(_) => "observe",
            Self::Judge(_) => "judge",
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
    let Some(found) = judge(context, observation, now).await.map_err(Error::Judge)? else {
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
    Ok(plan.recheck_at)
}

/// Lets the track's bundles judge a governed workload; everything else is already decided.
async fn judge(
    context: &Arc<Context>,
    observation: Observation,
    now: Timestamp,
) -> Result<Option<Found>, tokio::task::JoinError> {
    let (owner, track, dossier) = match observation {
        Observation::Governed { owner, track, dossier } => (owner, track, dossier),
        Observation::NotYet => return Ok(None),
        Observation::Conflict { owner, tracks } => return Ok(Some(Found::Conflict { owner, tracks })),
        Observation::Ungoverned => return Ok(Some(Found::Ungoverned)),
        Observation::Controlled { by } => return Ok(Some(Found::Controlled { by })),
        Observation::Absent => return Ok(Some(Found::Absent)),
        Observation::Unavailable(why) => {
            return Ok(Some(Found::Unavailable {
                reason: why.reason,
                message: why.message,
            }));
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
    let name = track.name_any();
    let metrics = Arc::clone(&context.metrics);
    let work = move || {
        let started = Instant::now();
        let opinions = judge::opinions(&benches, &dossier, &name, now);
        metrics.evaluated(started.elapsed());
        (opinions, dossier)
    };
    let (opinions, dossier) = tokio::task::spawn_blocking(work).await?;
    Ok(Some(Found::Governed(Box::new(Governed {
        owner,
        track: track.name_any(),
        content_hash: dossier.content_hash().to_string(),
        dossier_digest: dossier.digest().to_string(),
        bundles,
        judgement: weigh(&track.spec.gates, &opinions, now),
    }))))
}
