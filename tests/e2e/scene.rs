//! What the stories about governance begin with: a platform whose baseline bundle judges, and workloads of few words.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use futures::future::{LocalBoxFuture, join_all};
use interlock_crds::{GovernanceTrack, Release};
use interlock_tests::Platform;
use interlock_tests::eventually::object_becomes;
pub(crate) use interlock_tests::operator::metric;
use interlock_tests::platform::{SOON, baseline, condition_of};
use kube::{Api, ResourceExt};

/// Publishes the baseline bundle and waits until it judges.
pub(crate) async fn bring_baseline(platform: &Platform) -> Result<()> {
    platform.publish("policies/baseline", "stable", &baseline()?).await?;
    platform
        .bundle(
            "baseline",
            platform.registry.host(),
            "policies/baseline",
            "stable",
            "baseline",
        )
        .await?;
    platform.bundle_says("baseline", "Judging").await?;
    Ok(())
}

/// A started platform whose baseline bundle judges.
pub(crate) async fn judging() -> Result<Platform> {
    let platform = Platform::start().await?;
    bring_baseline(&platform).await?;
    Ok(platform)
}

/// Lines of a track that governs `kinds` (in YAML's flow style) of one namespace; `more` goes under `spec`.
pub(crate) fn track(name: &str, namespace: &str, priority: u32, kinds: &str, more: &str) -> String {
    format!(
        "apiVersion: interlock.dev/v1alpha1\nkind: GovernanceTrack\nmetadata: {{name: {name}}}\nspec:\n  \
         priority: {priority}\n  match:\n    kinds: {kinds}\n    \
         namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}\n  \
         bundles: [{{name: baseline}}]\n{more}"
    )
}

/// The kinds of most tracks here.
pub(crate) const DEPLOYMENTS: &str = "[{group: apps, kind: Deployment}]";

/// A Deployment without Pods that the baseline denies: nothing of what it asks for is there.
pub(crate) fn idle(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 0\n  \
         selector: {{matchLabels: {{app: app}}}}\n  template:\n    metadata: {{labels: {{app: app}}}}\n    \
         spec: {{containers: [{{name: app, image: nginx}}]}}\n"
    )
}

/// A Release that somebody declares.
pub(crate) fn declared(name: &str, deployment: &str) -> String {
    format!(
        "apiVersion: interlock.dev/v1alpha1\nkind: Release\nmetadata: {{name: {name}}}\nspec:\n  \
         subject: {{apiVersion: apps/v1, kind: Deployment, name: {deployment}}}\n"
    )
}

/// The names of a namespace's Releases, sorted.
pub(crate) async fn names(api: &Api<Release>) -> Result<Vec<String>> {
    let mut names: Vec<_> = api
        .list(&kube::api::ListParams::default())
        .await?
        .iter()
        .map(ResourceExt::name_any)
        .collect();
    names.sort();
    Ok(names)
}

/// Waits until a track's status is as `wanted` says.
pub(crate) async fn track_becomes(
    platform: &Platform,
    name: &str,
    what: &str,
    wanted: impl Fn(&GovernanceTrack) -> bool,
) -> Result<GovernanceTrack> {
    let api: Api<GovernanceTrack> = Api::all(platform.client.clone());
    object_becomes(&api, name, what, SOON, wanted)
        .await
        .with_context(|| format!("the operator's log ends:\n{}", platform.log_tail(25)))
}

/// Reason, status and message of a track's `Ready`.
pub(crate) fn ready_of(track: &GovernanceTrack) -> (&str, &str, &str) {
    condition_of(
        track
            .status
            .as_ref()
            .map(|status| status.conditions.as_slice())
            .unwrap_or_default(),
        "Ready",
    )
}

/// Runs the parts of a story side by side, and tells of all that failed.
pub(crate) async fn side_by_side(parts: Vec<(&str, LocalBoxFuture<'_, Result<()>>)>) -> Result<()> {
    let (names, futures): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    let mut failures = String::new();
    for (name, outcome) in names.into_iter().zip(join_all(futures).await) {
        if let Err(error) = outcome {
            writeln!(failures, "== {name}: {error:?}\n")?;
        }
    }
    if failures.is_empty() {
        Ok(())
    } else {
        bail!("parts of the story failed\n{failures}")
    }
}
