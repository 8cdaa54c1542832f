//! `make bench`: what Interlock costs at the size of a real platform, each figure beside one of a peer in the same run.
//!
//! 1,000 workloads in 400 namespaces, 50 images and 20 models on a real API server, registry and Prometheus. Counted is
//! what the steady state asks and writes, and what one changed Signer sets off; times are told as ratios only. The
//! table goes into `docs/performance.md`, every figure into `target/bench/results.json`.

#![expect(clippy::print_stdout, reason = "the figures are what one wants to see")]

mod cluster;
mod figures;

use std::time::{Duration, Instant};

use anyhow::Result;

use self::cluster::{Cluster, IMAGES, MODELS, NAMESPACES, ROUND, WORKLOADS};
use self::figures::Figures;

/// How many rounds of the drift monitor and of the registry the steady state is watched for.
const ROUNDS: u32 = 4;

#[tokio::main]
async fn main() -> Result<()> {
    let mut figures = Figures::default();
    step("an API server, a registry, a Prometheus, and the operator with its bundles");
    let mut cluster = Cluster::start().await?;
    step(&format!(
        "{IMAGES} images and {MODELS} models, pushed and signed; {WORKLOADS} workloads in {NAMESPACES} namespaces"
    ));
    let signing = cluster.publish().await?;
    let created = cluster.create().await?;
    let judged = cluster.judged(created).await?;
    figures.time(
        "bring up",
        "every workload judged, from the first one created",
        judged,
        ("creating them", created),
    );
    figures.count(
        "bring up",
        "registry questions",
        cluster.registry_questions().await?,
        "artifacts",
        count(IMAGES + MODELS),
    );
    figures.time(
        "bring up",
        "all of it judged, among it every signature checked",
        judged,
        ("signing the artifacts with cosign", signing),
    );
    figures.bytes(
        "memory",
        "operator, resident",
        cluster.operator_memory()?,
        ("kube-apiserver", cluster.api_server_memory()?),
    );

    step("the steady state");
    cluster.quiet().await?;
    let before = cluster.counts().await?;
    let since = Instant::now();
    tokio::time::sleep(ROUND * ROUNDS).await;
    let rounds = since.elapsed().as_secs_f64() / ROUND.as_secs_f64();
    let steady = cluster.counts().await?.since(&before);
    figures.count(
        "steady state",
        "writes to the API server",
        steady.writes,
        "workloads",
        count(WORKLOADS),
    );
    figures.count(
        "steady state",
        "workloads looked at",
        steady.looks,
        "workloads",
        count(WORKLOADS),
    );
    figures.count(
        "steady state, a round",
        "registry questions, tags",
        steady.resolves / rounds,
        "tags",
        count(cluster::TAGS),
    );
    figures.count(
        "steady state, a round",
        "registry questions, signatures",
        steady.signatures / rounds,
        "artifacts",
        count(IMAGES + MODELS),
    );
    figures.count(
        "steady state, a round",
        "Prometheus questions",
        steady.prometheus / rounds,
        "models",
        count(MODELS),
    );

    step("one Signer changes");
    let before = cluster.counts().await?;
    let (turned, signed_by_it) = cluster.change_signer().await?;
    let changed = cluster.counts().await?.since(&before);
    figures.count(
        "one Signer changes",
        "workloads that turn",
        count(turned),
        "workloads",
        count(WORKLOADS),
    );
    figures.count(
        "one Signer changes",
        "artifacts checked again",
        changed.checks,
        "artifacts it can concern",
        count(signed_by_it),
    );
    figures.count(
        "one Signer changes",
        "registry questions, signatures",
        changed.signatures,
        "artifacts it can concern",
        count(signed_by_it),
    );

    step("a restart");
    let since = Instant::now();
    let writes = cluster.restart().await?;
    figures.time(
        "restart",
        "every workload looked at again",
        since.elapsed(),
        ("bringing it up", judged),
    );
    figures.count(
        "restart",
        "writes to the API server",
        writes,
        "workloads",
        count(WORKLOADS),
    );
    figures.publish()
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn step(what: &str) {
    println!("\n── {what}");
}

/// The time since the operator did anything after which it is taken to be at rest.
const AT_REST: Duration = Duration::from_secs(3);
