//! The second part of `make bench`: what Interlock costs at the size of a real platform, each figure beside one of a peer
//! in the same run. The first parts measure the engine and the checks of signatures (`bundles/benches`).
//!
//! 1,000 workloads in 400 namespaces, 50 images and 20 models on a real API server, registry and Prometheus. Counted is
//! what the steady state asks and writes, and what one changed Signer sets off; times are told as ratios only. The
//! table goes into `docs/performance.md`, every figure into `target/bench/results.json`.

#![expect(clippy::print_stdout, reason = "the figures are what one wants to see")]

mod cluster;
mod figures;

use std::time::{Duration, Instant};

use anyhow::Result;

use self::cluster::{Cluster, IMAGES, MODELS, NAMESPACES, ROUND, TAGS, WORKLOADS};
use self::figures::Figures;

/// How many rounds of the drift monitor and of the registry the steady state is watched for.
const ROUNDS: u32 = 4;

#[tokio::main]
async fn main() -> Result<()> {
    let mut figures = Figures::of_libraries()?;
    step("an API server, a registry, a Prometheus, and the operator with its bundles");
    let mut cluster = Cluster::start().await?;
    let brought_up = bring_up(&mut cluster, &mut figures).await?;
    rest(&cluster, &mut figures).await?;
    change_a_signer(&cluster, &mut figures).await?;
    step("a restart");
    let since = Instant::now();
    let writes = cluster.restart().await?;
    let measure = "restart";
    figures.time(
        measure,
        "every workload looked at again",
        since.elapsed(),
        ("bringing it up", brought_up),
    );
    figures.count(measure, "writes to the API server", writes, "workloads", WORKLOADS);
    figures.publish()
}

/// From nothing to a verdict for every workload; answers how long that took.
async fn bring_up(cluster: &mut Cluster, figures: &mut Figures) -> Result<Duration> {
    step(&format!(
        "{IMAGES} images and {MODELS} models, pushed and signed; {WORKLOADS} workloads in {NAMESPACES} namespaces"
    ));
    let measure = "bring up";
    cluster.publish().await?;
    let created = cluster.create().await?;
    let judged = cluster.judged(created).await?;
    figures.time(
        measure,
        "every workload judged, from the first one created",
        judged,
        ("creating them", created),
    );
    let questions = cluster.registry_questions().await?;
    figures.count(
        measure,
        "registry questions",
        questions,
        "artifacts and tags",
        IMAGES + MODELS + TAGS,
    );
    let (own, other) = (cluster.operator_memory()?, cluster.api_server_memory()?);
    figures.bytes("memory", "operator, resident", own, ("kube-apiserver", other));
    Ok(judged)
}

/// Nothing changes: what is asked and written all the same.
async fn rest(cluster: &Cluster, figures: &mut Figures) -> Result<()> {
    step("the steady state");
    cluster.quiet().await?;
    let (before, since) = (cluster.counts().await?, Instant::now());
    tokio::time::sleep(ROUND * ROUNDS).await;
    let rounds = since.elapsed().as_secs_f64() / ROUND.as_secs_f64();
    let steady = cluster.counts().await?.since(&before);
    let measure = "steady state";
    figures.count(
        measure,
        "writes to the API server",
        steady.writes,
        "workloads",
        WORKLOADS,
    );
    figures.count(measure, "workloads looked at", steady.looks, "workloads", WORKLOADS);
    let measure = "steady state, a round";
    figures.count(
        measure,
        "registry questions, tags",
        steady.resolves / rounds,
        "tags",
        TAGS,
    );
    let signatures = steady.signatures / rounds;
    figures.count(
        measure,
        "registry questions, signatures",
        signatures,
        "artifacts",
        IMAGES + MODELS,
    );
    figures.count(
        measure,
        "Prometheus questions",
        steady.prometheus / rounds,
        "models",
        MODELS,
    );
    Ok(())
}

/// One Signer gets another key: what that sets off.
async fn change_a_signer(cluster: &Cluster, figures: &mut Figures) -> Result<()> {
    step("one Signer changes");
    let before = cluster.counts().await?;
    let (turned, concerned) = cluster.change_signer().await?;
    let changed = cluster.counts().await?.since(&before);
    let (measure, against) = ("one Signer changes", "artifacts it can concern");
    figures.count(measure, "workloads that turn", count(turned), "workloads", WORKLOADS);
    figures.count(measure, "artifacts checked again", changed.checks, against, concerned);
    figures.count(
        measure,
        "registry questions, signatures",
        changed.signatures,
        against,
        concerned,
    );
    Ok(())
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn step(what: &str) {
    println!("\n── {what}");
}

/// The time since the operator did anything after which it is taken to be at rest.
const AT_REST: Duration = Duration::from_secs(3);
