//! Drift monitors: probes ahead of any judgement whether the drift of each workload is watched.
//!
//! ```text
//! observe ──known()──▶ store ◀──take── round, one a track and interval ──ask──▶ Prometheus
//!    ▲                                   │
//!    └────── Trigger::Subject ◀──────────┘ where something else is told now
//! ```
//!
//! Flow: a workload enters the store when `observe` first asks for it, and leaves it when it is not governed any more.
//! Tracks with the same monitor are still probed each on its own: their rounds begin at times of their own. In a round
//! the shared questions are asked once, then each workload's, spread over the first quarter of the interval at most.
//! Guarantees: `observe` never waits for Prometheus; a workload that was never probed under this monitor is not yet
//! known; after a restart what is told begins with what the Release says.

mod probe;
mod prometheus;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use interlock_crds::GovernanceTrack;
use interlock_crds::drift::{DriftMonitor, Prometheus as Spec};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::prometheus::{Problem, Prometheus};
use super::Context;
use super::queue::Trigger;
use crate::drift::Report;
use crate::drift::chain::Shared;
use crate::drift::settle::Settled;
use crate::judge::chain;
use crate::subject::SubjectKey;

/// What is told of every workload whose track asks for a monitor.
#[derive(Default)]
pub struct Monitors {
    entries: Mutex<BTreeMap<SubjectKey, Entry>>,
    /// Counts workloads that nobody has probed yet.
    wanted: watch::Sender<u64>,
}

struct Entry {
    beat: Arc<Beat>,
    settled: Settled,
    probed: bool,
}

/// One track's monitor, as long as it stays the same.
#[derive(Debug, PartialEq)]
struct Beat {
    track: String,
    uid: Option<String>,
    monitor: DriftMonitor,
}

impl Monitors {
    /// What is told of the workload, if it was probed under the track's monitor. If it was not, it will be, and then
    /// looked at again. `stored` is what was told before the operator started.
    pub fn known(
        &self,
        key: &SubjectKey,
        track: &GovernanceTrack,
        monitor: &DriftMonitor,
        stored: impl FnOnce() -> Option<Report>,
    ) -> Option<Report> {
        let mut entries = self.entries();
        let is_same =
            |beat: &Beat| beat.track == track.name_any() && beat.uid == track.uid() && beat.monitor == *monitor;
        if let Some(entry) = entries.get(key).filter(|entry| is_same(&entry.beat)) {
            return entry.settled.told().filter(|_| entry.probed).cloned();
        }
        let shared = entries
            .values()
            .map(|entry| &entry.beat)
            .find(|beat| is_same(beat))
            .cloned();
        let beat = shared.unwrap_or_else(|| {
            Arc::new(Beat {
                track: track.name_any(),
                uid: track.uid(),
                monitor: monitor.clone(),
            })
        });
        // Another monitor is another question: only a restart begins with the old answer.
        let told = if entries.contains_key(key) { None } else { stored() };
        let settled = Settled::begin(told);
        let probed = false;
        entries.insert(key.clone(), Entry { beat, settled, probed });
        drop(entries);
        self.wanted.send_modify(|count| *count = count.wrapping_add(1));
        None
    }

    /// The workload is not governed by such a track any more.
    pub fn forget(&self, key: &SubjectKey) {
        self.entries().remove(key);
    }

    /// Takes what a probe found; answers whether the workload is to be looked at again.
    fn take(&self, key: &SubjectKey, beat: &Arc<Beat>, found: Report) -> bool {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(key).filter(|entry| Arc::ptr_eq(&entry.beat, beat)) else {
            return false;
        };
        let first = !entry.probed;
        entry.probed = true;
        entry.settled.take(found) || first
    }

    /// The workloads of a monitor: all, or those that were never probed.
    fn of(&self, beat: &Arc<Beat>, only_new: bool) -> Vec<SubjectKey> {
        let entries = self.entries();
        let meant = |entry: &Entry| Arc::ptr_eq(&entry.beat, beat) && !(only_new && entry.probed);
        entries
            .iter()
            .filter(|(_, entry)| meant(entry))
            .map(|(key, _)| key.clone())
            .collect()
    }

    fn beats(&self) -> Vec<Arc<Beat>> {
        let mut beats: Vec<Arc<Beat>> = Vec::new();
        for entry in self.entries().values() {
            if !beats.iter().any(|beat| Arc::ptr_eq(beat, &entry.beat)) {
                beats.push(Arc::clone(&entry.beat));
            }
        }
        beats
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<SubjectKey, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Workloads that come at the same time are probed in one go.
const GATHER: Duration = Duration::from_millis(200);

/// Keeps a task going for every monitor that has workloads.
pub async fn run(context: Arc<Context>) {
    let mut wanted = context.monitors.wanted.subscribe();
    let mut running: Vec<Arc<Beat>> = Vec::new();
    let mut tasks: JoinSet<Arc<Beat>> = JoinSet::new();
    wanted.mark_changed();
    loop {
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            Some(ended) = tasks.join_next() => match ended {
                Ok(beat) => running.retain(|one| !Arc::ptr_eq(one, &beat)),
                Err(error) => {
                    // A panic must not leave a monitor unwatched: all begin anew, a moment later.
                    tracing::error!(%error, "probing a drift monitor ended abnormally");
                    tasks.shutdown().await;
                    running.clear();
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            },
        }
        for beat in context.monitors.beats() {
            if !running.iter().any(|one| Arc::ptr_eq(one, &beat)) {
                running.push(Arc::clone(&beat));
                tasks.spawn(watch_over(Arc::clone(&context), beat));
            }
        }
    }
}

/// Probes the workloads of one monitor, round by round, until it has none.
async fn watch_over(context: Arc<Context>, beat: Arc<Beat>) -> Arc<Beat> {
    let mut wanted = context.monitors.wanted.subscribe();
    tokio::time::sleep(GATHER).await;
    loop {
        let due = Instant::now() + interval(&beat);
        wanted.mark_unchanged();
        let all = context.monitors.of(&beat, false);
        if all.is_empty() {
            return beat;
        }
        round(&context, &beat, &all).await;
        while tokio::time::timeout_at(due, wanted.changed()).await.is_ok() {
            tokio::time::sleep(GATHER).await;
            wanted.mark_unchanged();
            let new = context.monitors.of(&beat, true);
            if !new.is_empty() {
                round(&context, &beat, &new).await;
            }
        }
    }
}

/// Tracks created together should not ask together for ever.
fn interval(beat: &Beat) -> Duration {
    let spread = f64::from(u32::try_from(spread(&(&beat.track, &beat.uid)) % 1000).unwrap_or_default());
    Duration::from(beat.monitor.interval).mul_f64(0.95 + spread / 20_000.0)
}

fn spread(of: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Time between two workloads, unless they are so many that they need a quarter of the interval.
const BETWEEN: Duration = Duration::from_millis(20);

/// Workloads probed at the same time.
const AT_ONCE: usize = 8;

/// After this many workloads in a row whose probe found the source unavailable, the others are not asked for.
const ENOUGH: u32 = 3;

/// Asks what is shared, then for each workload.
async fn round(context: &Arc<Context>, beat: &Arc<Beat>, keys: &[SubjectKey]) {
    let started = Instant::now();
    let source = source(context, &beat.monitor, keys).await;
    let (prometheus, shared) = match &source {
        Ok((prometheus, shared)) => (prometheus, shared),
        Err(problem) => {
            tracing::debug!(track = %beat.track, error = problem as &dyn std::error::Error, "no drift monitor was probed");
            for key in keys {
                tell(context, beat, key, unavailable(problem));
            }
            return;
        }
    };
    let failures: Mutex<(u32, Option<Report>)> = Mutex::default();
    let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
    let span = BETWEEN
        .saturating_mul(count)
        .min(Duration::from(beat.monitor.interval) / 4);
    let one = |key: &SubjectKey| {
        let (key, failures) = (key.clone(), &failures);
        async move {
            let share = f64::from(u32::try_from(spread(&key) % 1000).unwrap_or_default()) / 1000.0;
            tokio::time::sleep_until(started + span.mul_f64(share)).await;
            let lock = || failures.lock().unwrap_or_else(PoisonError::into_inner);
            let given_up = Some(lock())
                .filter(|failed| failed.0 >= ENOUGH)
                .and_then(|failed| failed.1.clone());
            let report = match given_up {
                Some(report) => report,
                None => match probe_one(prometheus, beat, shared, &key).await {
                    Ok(report) => {
                        lock().0 = 0;
                        report
                    }
                    Err(problem) => {
                        let report = unavailable(&problem);
                        let mut failed = lock();
                        *failed = (failed.0.saturating_add(1), Some(report.clone()));
                        report
                    }
                },
            };
            tell(context, beat, &key, report);
        }
    };
    let mut keys: Vec<&SubjectKey> = keys.iter().collect();
    keys.sort_by_key(|key| spread(key) % 1000);
    futures::stream::iter(keys.into_iter().map(one))
        .buffer_unordered(AT_ONCE)
        .collect::<()>()
        .await;
}

async fn source<'a>(
    context: &'a Context,
    monitor: &DriftMonitor,
    about: &[SubjectKey],
) -> Result<(Prometheus<'a>, Shared), Problem> {
    let token = token(context, &monitor.prometheus).await?;
    let prometheus = Prometheus::new(&monitor.prometheus, token, &context.metrics)?;
    let shared = probe::shared(&prometheus, monitor, about).await?;
    Ok((prometheus, shared))
}

async fn probe_one(
    prometheus: &Prometheus<'_>,
    beat: &Beat,
    shared: &Shared,
    key: &SubjectKey,
) -> Result<Report, Problem> {
    probe::workload(prometheus, &beat.monitor, shared, key.into()).await
}

fn unavailable(problem: &Problem) -> Report {
    Report::unavailable(problem.reason(), &chain(problem))
}

fn tell(context: &Context, beat: &Arc<Beat>, key: &SubjectKey, found: Report) {
    if context.monitors.take(key, beat, found) {
        context.queue.send(Trigger::Subject(key.clone()));
    }
}

/// The token that the track names, read anew each round: tokens are replaced while the operator runs.
async fn token(context: &Context, spec: &Spec) -> Result<Option<String>, Problem> {
    let Some(named) = &spec.bearer_token else {
        return Ok(None);
    };
    let (namespace, name, key) = (&context.settings.namespace, &named.name, &named.key);
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
    let secret = secrets.get_opt(name).await.map_err(|error| match error {
        kube::Error::Api(status) if status.code == 403 => Problem::Token(format!(
            "the operator may not read Secret {namespace}/{name}: name it in secretNames of the chart"
        )),
        error => Problem::Token(format!("cannot read Secret {namespace}/{name}: {}", chain(&error))),
    })?;
    let Some(secret) = secret else {
        let message = format!("there is no Secret {namespace}/{name}: create it in the operator's namespace");
        return Err(Problem::Token(message));
    };
    let value = secret.data.as_ref().and_then(|data| data.get(key));
    let value = value
        .and_then(|value| std::str::from_utf8(&value.0).ok())
        .map(str::trim);
    let is_token = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    value.filter(is_token).map(|text| Some(text.to_owned())).ok_or_else(|| {
        Problem::Token(format!(
            "Secret {namespace}/{name} has no token under the key {key}: correct the key or the Secret"
        ))
    })
}
