//! The operator: watches, judges, writes.
//!
//! ```text
//! sources (watches) ──▶ queue ──▶ reconcile = observe → judge → decide → apply
//! bundles (registry) ──▶ policies ──┤
//! evidence (registry) ──────────────┘
//! ```
//!
//! One replica leads, by Lease; the others wait. Everything that leads lives inside `lead`, so losing the Lease
//! drops all of it.

pub mod apply;
pub mod bundle;
pub mod drift;
pub mod evidence;
pub mod kinds;
pub mod leader;
pub mod metrics;
pub mod observe;
pub mod policies;
pub mod queue;
pub mod reconcile;
mod registry;
pub mod server;
pub mod signer;
pub mod source;
pub mod sources;
pub mod track;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use interlock_bundles::cache::{BundleCache, EvidenceCache};
use interlock_bundles::engine::Engine;
use interlock_bundles::registry::{Registry, RegistrySettings};
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use tokio::task::JoinSet;

use self::metrics::Metrics;
use self::policies::Policies;
use self::server::Health;
use self::sources::Sources;

pub use crate::MANAGER;

/// What the operator is told on its command line.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the Lease and of pull secrets.
    pub namespace: String,
    /// This replica's name in the Lease.
    pub identity: String,
    /// Folder that keeps verified bundles for the time when the registry cannot be reached.
    pub cache: std::path::PathBuf,
    /// Address of `/healthz`, `/readyz` and `/metrics`.
    pub listen: std::net::SocketAddr,
    /// Registries and how to speak to them.
    pub registry: RegistrySettings,
    /// Workloads judged at the same time.
    pub concurrency: usize,
    /// How often a registry is asked again where a tag leads, and for signatures that were not there.
    pub evidence_interval: Duration,
}

/// What every part of a leading operator shares.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// What was told on the command line.
    pub settings: Settings,
    /// Watched objects.
    pub sources: Sources,
    /// Bundles that judge.
    pub policies: Policies,
    /// What is known of images and models.
    pub evidence: Arc<evidence::Store>,
    /// Where bundles come from.
    pub registry: Registry,
    /// Where they are kept.
    pub cache: BundleCache,
    /// What runs them.
    pub engine: Engine,
    /// Where Events go.
    pub recorder: Recorder,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is known of drift monitors.
    pub monitors: drift::Monitors,
    /// Work to do.
    pub queue: queue::Sender,
}

/// Runs until it is told to stop. Returns an error only for what a restart can mend.
pub async fn run(client: Client, settings: Settings, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let metrics = Arc::new(Metrics::default());
    let health = Health::default();
    let server = server::serve(settings.listen, health.clone(), Arc::clone(&metrics));
    let renewal = leader::Renewal::default();
    let work = async {
        let mut lease = leader::acquire(&client, &settings, &health, &renewal).await?;
        loop {
            lease.wait_for(true).await?;
            metrics.leader.set(1);
            tracing::info!(identity = %settings.identity, "leading");
            let led = tokio::select! {
                lost = lease.wait_for(false) => lost,
                failed = lead(client.clone(), settings.clone(), health.clone(), Arc::clone(&metrics)) => {
                    failed.context("the operator cannot lead")?;
                    Ok(())
                }
            };
            metrics.leader.set(0);
            health.standing_by();
            tracing::warn!(identity = %settings.identity, "no longer leading");
            led?;
        }
    };
    tokio::select! {
        () = stop => {
            renewal.given_back().await;
            Ok(())
        }
        ended = server => ended,
        ended = work => ended,
    }
}

/// Everything that only the leader does. Ends when one of its parts does.
async fn lead(client: Client, settings: Settings, health: Health, metrics: Arc<Metrics>) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    let (queue, requests) = queue::channel();
    let reporter = Reporter {
        controller: MANAGER.to_owned(),
        instance: Some(settings.identity.clone()),
    };
    let kept = EvidenceCache::open(&settings.cache).context("cannot use the cache folder")?;
    let evidence = evidence::Store::new(kept, settings.evidence_interval, Arc::clone(&metrics));
    let context = Arc::new(Context {
        sources: Sources::start(&client, &settings.namespace, &queue, &mut tasks),
        policies: Policies::default(),
        evidence: Arc::new(evidence),
        registry: Registry::new(settings.registry.clone()).context("cannot speak to registries")?,
        cache: BundleCache::open(&settings.cache).context("cannot use the cache folder")?,
        engine: Engine::with_cache(&settings.cache.join("modules")).context("cannot start the sandbox")?,
        recorder: Recorder::new(client.clone(), reporter),
        metrics,
        monitors: drift::Monitors::default(),
        queue,
        client,
        settings,
    });
    health
        .starting("waiting for the API server to list tracks, bundles, signers, trust roots, revocations and Releases");
    context.sources.wait_for_own().await;
    tasks.spawn(signer::run(Arc::clone(&context)));
    tasks.spawn(bundle::run(Arc::clone(&context)));
    tasks.spawn(kinds::run(Arc::clone(&context)));
    tasks.spawn(drift::run(Arc::clone(&context)));
    tasks.spawn(evidence::run(Arc::clone(&context)));
    health.starting("waiting for the kinds that tracks name and for the first attempt at every bundle");
    // A verdict written before the bundles had their chance would turn to Unknown and back at every restart.
    let patience = tokio::time::timeout(
        Duration::from_secs(90),
        context.policies.all_attempted(&context.sources),
    );
    let _ = tokio::join!(context.sources.wait_for_all(), patience);
    tasks.spawn(track::run(Arc::clone(&context)));
    tasks.spawn(queue::run(Arc::clone(&context), requests));
    health.ready();
    while let Some(ended) = tasks.join_next().await {
        ended.context("a part of the operator ended")?;
    }
    anyhow::bail!("every part of the operator ended")
}
