//! PolicyBundles: brings the artifact that is asked for to the bundle that judges.
//!
//! ```text
//! resolve → signatures → verify → open → compile → self-test → swap
//! ```
//!
//! Flow: the new bundle is built aside; only one that passed every step takes the place of the old one, in a single
//! write. Guarantees: a step that fails leaves the last good bundle at work and says why in `Ready`; a bundle that
//! works is not taken away while the operator runs, not even when its signer is, or it is revoked. Assumption: the status of a PolicyBundle is written by
//! the operator alone; its `active.revision` is what rollbacks are measured by.

mod build;
mod quantity;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use interlock_bundles::digest::Digest;
use interlock_bundles::trust::{Provenance, TrustPolicy};
use interlock_crds::bundle::{ActiveBundle, CatalogueEntry};
use interlock_crds::condition::{Statement, Status, Type};
use interlock_crds::{PolicyBundle, PolicyBundleStatus};
use jiff::Timestamp;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};

pub(crate) use self::build::Terms;
use self::build::{Outcome, Stage};
use super::queue::Trigger;
use super::source::Patience;
use super::{Context, apply};
use crate::conditions::{self, Standing};
use crate::judge::{Active, chain};
use crate::verdict;

/// Keeps every PolicyBundle at what it asks for.
pub async fn run(context: Arc<Context>) {
    let bundles: Api<PolicyBundle> = Api::all(context.client.clone());
    Controller::new(bundles, watcher::Config::default())
        .trigger_backoff(Patience::default())
        .reconcile_on(trusting_others(Arc::clone(&context)))
        .run(reconcile, |_, _, _| Action::requeue(Duration::from_secs(10)), context)
        .for_each(|result| async move {
            if let Err(error) = result {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a PolicyBundle was not reconciled"
                );
            }
        })
        .await;
}

/// Bundles whose `signedBy` comes to mean something else: a Signer, its TrustRoot, what that reads, or a Revocation has
/// changed.
fn trusting_others(context: Arc<Context>) -> impl Stream<Item = ObjectRef<PolicyBundle>> {
    let changes = context.sources.trust.subscribe();
    let rounds = stream::unfold(
        (context, changes, HashMap::new()),
        |(context, mut changes, known)| async move {
            // The sender goes only when the operator stops leading.
            changes.changed().await.ok()?;
            let bundles = context.sources.bundles.all().into_iter();
            let meanings: HashMap<String, Meaning> = bundles
                .map(|bundle| {
                    let meaning = build::trust(&context, &bundle).map_err(|problem| chain(&problem));
                    (bundle.name_any(), meaning)
                })
                .collect();
            let turned = meanings
                .iter()
                .filter(|&(name, meaning)| known.get(name) != Some(meaning));
            let turned: Vec<_> = turned.map(|(name, _)| ObjectRef::new(name)).collect();
            Some((stream::iter(turned), (context, changes, meanings)))
        },
    );
    rounds.flatten()
}

/// Who must have signed a bundle, or why that is not known.
type Meaning = Result<TrustPolicy, String>;

/// How soon a registry that did not answer is asked again, at most.
const RETRY: Duration = Duration::from_secs(30);

async fn reconcile(bundle: Arc<PolicyBundle>, context: Arc<Context>) -> Result<Action, apply::Error> {
    let name = bundle.name_any();
    let before = context.policies.active(&name);
    context.policies.begin(&name, bundle.uid());
    let outcome = build::bring_up(&context, &bundle).await;
    let active = context.policies.active(&name);
    let terms = |one: &Active| (one.policy.digest(), one.shape, one.limits);
    let swapped = before.as_ref().map(terms) != active.as_ref().map(terms);
    if swapped {
        if let Some(active) = &active {
            tracing::info!(bundle = %name, digest = %active.policy.digest(), revision = active.policy.revision(), "judging with");
        }
        context.queue.send(Trigger::All);
        prune_cache(&context);
    }
    let new = status(&bundle, &outcome, active.as_ref(), Timestamp::now());
    let stored = bundle.status.clone().unwrap_or_default();
    context.metrics.bundle(&name, outcome.problem.is_none());
    let bare = |status: PolicyBundleStatus| PolicyBundleStatus {
        conditions: vec![],
        ..status
    };
    if !conditions::same(&stored.conditions, &new.conditions) || bare(stored) != bare(new.clone()) {
        apply::status(&context, &Api::<PolicyBundle>::all(context.client.clone()), &name, &new).await?;
    }
    context.policies.attempted(&name);
    context
        .sources
        .changed
        .send_modify(|count| *count = count.wrapping_add(1));
    Ok(Action::requeue(pause(&bundle, &outcome)))
}

/// When to ask the registry again.
fn pause(bundle: &PolicyBundle, outcome: &Outcome) -> Duration {
    let interval = Duration::from(bundle.spec.poll_interval);
    let wait = match &outcome.problem {
        Some(problem) if problem.standing == Standing::Reconciling => problem
            .retry_after
            .unwrap_or(RETRY)
            .max(Duration::from_secs(5))
            .min(interval.max(RETRY)),
        _ => interval,
    };
    // Bundles created together should not ask together for ever.
    let spread = bundle
        .uid()
        .unwrap_or_default()
        .bytes()
        .fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    wait.mul_f64(0.95 + f64::from(spread % 1000) / 10_000.0)
}

/// Forgets cached bundles that no PolicyBundle judges with.
fn prune_cache(context: &Context) {
    let wanted: BTreeSet<Digest> = context
        .sources
        .bundles
        .all()
        .iter()
        .flat_map(|bundle| {
            let active = context
                .policies
                .active(&bundle.name_any())
                .map(|active| active.policy.digest());
            let stored = bundle
                .status
                .as_ref()
                .and_then(|status| status.active.as_ref()?.digest.parse().ok());
            [active, stored]
        })
        .flatten()
        .collect();
    if let Err(error) = context.cache.keep(&wanted) {
        tracing::warn!(error = &error as &dyn std::error::Error, "cannot tidy the bundle cache");
    }
}

/// The status to have. Pure.
fn status(bundle: &PolicyBundle, outcome: &Outcome, active: Option<&Active>, now: Timestamp) -> PolicyBundleStatus {
    let stored = bundle.status.clone().unwrap_or_default();
    let statements = statements(outcome, active);
    PolicyBundleStatus {
        observed_generation: bundle.metadata.generation,
        resolved_digest: outcome
            .resolved
            .map(|digest| digest.to_string())
            .or(stored.resolved_digest),
        // Without a bundle at work, what was good last is still what rollbacks are measured by.
        active: active.map(describe).or(stored.active),
        catalogue: active.map_or(stored.catalogue, catalogue),
        conditions: conditions::merge(&stored.conditions, &statements, bundle.metadata.generation, now),
    }
}

fn statements(outcome: &Outcome, active: Option<&Active>) -> Vec<Statement> {
    let Some(problem) = &outcome.problem else {
        let judging = active.map_or_else(String::new, |active| format!("judging with {}", spoken(active)));
        let signed = active.map_or_else(String::new, |active| {
            format!("signed by {}", signers(active).join(", "))
        });
        let ready = match active {
            Some(active) => weaknesses(active).fold(judging, |text, weakness| format!("{text}; {weakness}")),
            None => judging,
        };
        let mut statements = conditions::ready(Standing::Ready, Status::True, "Judging", &ready);
        statements.push(Statement::new(Type::Verified, Status::True, "Signed", signed));
        statements.push(Statement::new(
            Type::Compiled,
            Status::True,
            "Compiled",
            "compiled and self-tested",
        ));
        return statements;
    };
    let message = match active {
        Some(active) => format!("{}; {} keeps judging", problem.message, spoken(active)),
        None => problem.message.clone(),
    };
    let mut statements = conditions::ready(problem.standing, Status::False, &problem.reason, &message);
    let (verified, compiled) = match problem.stage {
        Stage::Asking => (Status::Unknown, Status::Unknown),
        Stage::Verifying => (Status::False, Status::Unknown),
        Stage::Building => (Status::True, Status::False),
    };
    let say = |kind, status: Status, good: (&str, &str)| match status {
        Status::True => Statement::new(kind, status, good.0, good.1),
        Status::False => Statement::new(kind, status, &problem.reason, &problem.message),
        Status::Unknown => Statement::new(kind, status, &problem.reason, "not found out yet"),
    };
    statements.push(say(Type::Verified, verified, ("Signed", "signed as asked for")));
    statements.push(say(Type::Compiled, compiled, ("Compiled", "compiled and self-tested")));
    statements
}

/// What whoever relies on the bundle should know of it: that it has no catalogue, and which of its entry points allow
/// what they do not know.
fn weaknesses(active: &Active) -> impl Iterator<Item = String> {
    let bare = active.policy.catalogue().is_none();
    let bare = bare.then(|| "it has no catalogue, so a rule that is undefined passes".to_owned());
    bare.into_iter().chain(active.warnings.iter().cloned())
}

fn describe(active: &Active) -> ActiveBundle {
    ActiveBundle {
        digest: active.policy.digest().to_string(),
        revision: active.policy.revision().map(str::to_owned),
        signers: signers(active),
    }
}

fn signers(active: &Active) -> Vec<String> {
    match active.policy.provenance() {
        Provenance::Signed { signers } => signers.clone(),
        // The operator takes bundles from registries only.
        _ => Vec::new(),
    }
}

fn catalogue(active: &Active) -> Vec<CatalogueEntry> {
    let gates = active
        .policy
        .catalogue()
        .map(|catalogue| catalogue.gates.as_slice())
        .unwrap_or_default();
    gates
        .iter()
        .map(|gate| CatalogueEntry {
            id: gate.id.clone(),
            title: gate.title.clone(),
            severity: Some(gate.severity.clone()).filter(|text| !text.is_empty()),
            phase: verdict::phase(gate.phase),
        })
        .collect()
}

/// `baseline 1.0.0 (sha256:0123456789ab)`.
fn spoken(active: &Active) -> String {
    let policy = &active.policy;
    let digest: String = policy.digest().to_string().chars().take(19).collect();
    let parts = [policy.name(), policy.revision()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    format!("{parts} ({digest})").trim_start().to_owned()
}
