//! What the stories about signed images and models share: tracks that judge signatures alone, workloads of few words, and
//! what their Releases say.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use interlock_crds::release::Artifact;
use interlock_crds::{PolicyBundle, Release};
use interlock_tests::Platform;
use interlock_tests::artifact::Repository;
use interlock_tests::eventually::object_becomes;
use interlock_tests::platform::{SOON, condition_of, release_conditions};
use interlock_tests::tools::repository_root;
use kube::ResourceExt as _;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::scene::bring_baseline;

/// Publishes the bundles baseline and model and waits until they judge.
pub(crate) async fn bring_bundles(platform: &Platform) -> Result<PolicyBundle> {
    let model = std::fs::read(repository_root().join("bundles/dist/model.tar.gz"))?;
    platform.publish("policies/model", "stable", &model).await?;
    let host = platform.registry.host();
    platform
        .bundle("model", host, "policies/model", "stable", "model")
        .await?;
    bring_baseline(platform).await?;
    platform.bundle_says("model", "Judging").await
}

/// A track for `kinds` of one namespace whose only enforced gates are those about signatures; `signed_by` and what
/// follows it in YAML's flow style.
pub(crate) fn track(namespace: &str, kinds: &str, signed_by: &str, more: &str) -> String {
    let off: String = ["C-04", "C-05", "C-06", "C-07", "M-14"]
        .map(|gate| format!("  - {{id: {gate}, level: \"Off\"}}\n"))
        .concat();
    format!(
        "apiVersion: interlock.dev/v1alpha1\nkind: GovernanceTrack\nmetadata: {{name: {namespace}}}\nspec:\n  \
         priority: 20\n  match:\n    kinds: {kinds}\n    \
         namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}\n  \
         bundles: [{{name: baseline}}, {{name: model}}]\n  gates:\n{off}  signedBy: {signed_by}\n{more}"
    )
}

/// A Deployment without Pods: its image, and perhaps a model in an image volume.
pub(crate) fn deployment(name: &str, image: &str, model: Option<&str>) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod(image, model)},
        },
    })
}

/// The PodSpec of [`deployment`].
pub(crate) fn pod(image: &str, model: Option<&str>) -> Value {
    let volumes: Vec<_> = model
        .map(|reference| json!({"name": "model", "image": {"reference": reference}}))
        .into_iter()
        .collect();
    json!({"containers": [{"name": "app", "image": image}], "volumes": volumes})
}

/// Applies one object.
pub(crate) async fn apply(platform: &Platform, namespace: &str, object: Value) -> Result<()> {
    interlock_tests::apply::apply_value(&platform.client, namespace, object).await?;
    Ok(())
}

/// An artifact that nobody pushed before, in `path` of the registry at `host`: `host/path@sha256:…`.
pub(crate) async fn push(host: &str, path: &str, tag: &str) -> Result<String> {
    Repository::new(host, path).push(tag, &fresh()).await
}

/// Bytes that no other artifact has.
pub(crate) fn fresh() -> Vec<u8> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "layer {} of {}",
        COUNT.fetch_add(1, Ordering::Relaxed),
        std::process::id()
    )
    .into_bytes()
}

/// What a Release must say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Says {
    /// `ArtifactsVerified` or `ModelVerified`.
    pub(crate) kind: &'static str,
    /// Its status.
    pub(crate) status: &'static str,
    /// Its reason.
    pub(crate) reason: &'static str,
    /// Part of its message.
    pub(crate) words: &'static str,
    /// The verdict.
    pub(crate) verdict: &'static str,
}

/// Short for what a Release says that is as it should be.
pub(crate) const fn verified(kind: &'static str) -> Says {
    Says {
        kind,
        status: "True",
        reason: "Verified",
        words: "signed as the track demands",
        verdict: "Allow",
    }
}

/// Short for one that is denied.
pub(crate) const fn rejected(kind: &'static str, reason: &'static str, words: &'static str) -> Says {
    Says {
        kind,
        status: "False",
        reason,
        words,
        verdict: "Deny",
    }
}

/// Short for one that is not known.
pub(crate) const fn unknown(kind: &'static str, reason: &'static str, words: &'static str) -> Says {
    Says {
        kind,
        status: "Unknown",
        reason,
        words,
        verdict: "Unknown",
    }
}

/// Waits until the Release says this; what is not known must not read as unsigned.
pub(crate) async fn says(platform: &Platform, namespace: &str, release: &str, want: Says) -> Result<Release> {
    let what = format!("{want:?}");
    let found = object_becomes(&platform.releases(namespace), release, &what, SOON, |release| {
        let (reason, status, message) = condition_of(release_conditions(release), want.kind);
        let verdict = release.status.as_ref().and_then(|status| status.verdict);
        // One reason may follow itself with other words.
        (reason, status) == (want.reason, want.status)
            && message.contains(want.words)
            && verdict.is_some_and(|found| found.as_str() == want.verdict)
    })
    .await
    .with_context(|| format!("the operator's log ends:\n{}", platform.log_tail(25)))?;
    if want.status == "Unknown" {
        let text = serde_json::to_string(&found.status)?.to_lowercase();
        ensure!(
            !text.contains("unsigned") && !text.contains("no signature"),
            "said to be unsigned: {text}"
        );
    }
    Ok(found)
}

/// What a Release lists.
pub(crate) fn artifacts(release: &Release) -> &[Artifact] {
    release
        .status
        .as_ref()
        .map(|status| status.artifacts.as_slice())
        .unwrap_or_default()
}

/// Name and resourceVersion of a namespace's Releases.
pub(crate) async fn versions(platform: &Platform, namespace: &str) -> Result<BTreeMap<String, String>> {
    let releases = platform.releases(namespace).list(&ListParams::default()).await?;
    let versions = releases
        .iter()
        .map(|one| (one.name_any(), one.resource_version().unwrap_or_default()));
    Ok(versions.collect())
}
