//! The main job: a signed bundle from a registry judges workloads, and the verdict shows as conditions.

use anyhow::Result;
use interlock_crds::release::GateOutcome;
use interlock_tests::platform::{SOON, baseline, bundle_conditions, condition_of, release_conditions};
use interlock_tests::{Platform, eventually};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;

/// A track for one namespace.
pub(crate) fn track(name: &str, namespace: &str, bundle: &str) -> String {
    format!(
        "apiVersion: interlock.dev/v1alpha1\nkind: GovernanceTrack\nmetadata: {{name: {name}}}\nspec:\n  priority: 10\n  \
         match:\n    kinds: [{{group: apps, kind: Deployment}}]\n    \
         namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}\n  \
         bundles: [{{name: {bundle}}}]\n"
    )
}

/// Everything that the baseline's gates want of a Deployment called `name`.
pub(crate) fn good(name: &str) -> String {
    let image = format!("registry.example.com/{name}@sha256:{}", "a".repeat(64));
    format!(
        r"
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}}}
automountServiceAccountToken: false
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: {name}}}
spec:
  podSelector: {{matchLabels: {{app: {name}}}}}
  policyTypes: [Ingress]
  ingress: [{{from: [{{podSelector: {{matchLabels: {{app: front}}}}}}]}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      serviceAccountName: {name}
      automountServiceAccountToken: false
      securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
      - name: app
        image: {image}
        securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
        resources: {{requests: {{cpu: 100m, memory: 64Mi}}, limits: {{memory: 64Mi}}}}
"
    )
}

/// A Deployment as people first write it.
pub(crate) fn bad(name: &str) -> String {
    format!(
        r"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - name: app
        image: nginx:1.27
        env: [{{name: DB_PASSWORD, value: hunter2}}]
"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_bundle_judges_workloads_and_the_verdict_shows_as_conditions() -> Result<()> {
    let platform = Platform::start().await?;
    let namespace = platform.namespace("main-job").await?;
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
    let bundle = platform.bundle_says("baseline", "Judging").await?;
    assert_eq!(condition_of(bundle_conditions(&bundle), "Verified").1, "True");
    let status = bundle.status.unwrap_or_default();
    assert_eq!(status.active.unwrap_or_default().signers, ["platform"]);
    assert_eq!(status.catalogue.len(), 5);

    platform
        .apply(&namespace, &track("main-job", &namespace, "baseline"))
        .await?;
    platform.apply(&namespace, &good("good")).await?;
    platform.apply(&namespace, &bad("bad")).await?;

    let good_release = platform
        .release_says(&namespace, "deployment-good", "Allow", "Allowed")
        .await?;
    let conditions = release_conditions(&good_release);
    assert_eq!(condition_of(conditions, "Ready").1, "True");
    assert_eq!(condition_of(conditions, "Admissible").1, "True");
    assert_eq!(condition_of(conditions, "TrackAssigned").1, "True");
    assert_eq!(condition_of(conditions, "Stalled").1, "");

    let bad_release = platform
        .release_says(&namespace, "deployment-bad", "Deny", "GateDenied")
        .await?;
    let status = bad_release.status.clone().unwrap_or_default();
    assert!(
        status
            .gates
            .iter()
            .any(|gate| gate.id == "C-01" && gate.result == GateOutcome::Fail)
    );
    let text = serde_json::to_string(&bad_release)?;
    assert!(
        !text.contains("hunter2"),
        "a secret must not leave the workload: {text}"
    );
    assert_eq!(condition_of(release_conditions(&bad_release), "Stalled").1, "True");
    let owner = bad_release.metadata.owner_references.unwrap_or_default();
    assert_eq!(owner.first().map(|owner| owner.name.as_str()), Some("bad"));

    // An Event tells of the denial, once; a verdict that is good from the beginning is no news.
    events_become(&platform, &namespace, &["deployment-bad GateDenied"]).await?;

    // Mended, the verdict turns.
    platform.apply(&namespace, &good("bad")).await?;
    platform
        .release_says(&namespace, "deployment-bad", "Allow", "Allowed")
        .await?;
    let both = ["deployment-bad Allowed", "deployment-bad GateDenied"];
    events_become(&platform, &namespace, &both).await?;
    Ok(())
}

/// Waits until these are all the Events about Releases in a namespace, by name and reason.
async fn events_become(platform: &Platform, namespace: &str, want: &[&str]) -> Result<()> {
    let api: Api<Event> = Api::namespaced(platform.client.clone(), namespace);
    eventually("the Events are told", SOON, async || {
        let events = api.list(&ListParams::default()).await?;
        let of_releases = events.items.iter().filter_map(|event| {
            let about = event
                .regarding
                .as_ref()
                .filter(|about| about.kind.as_deref() == Some("Release"))?;
            Some(format!("{} {}", about.name.as_deref()?, event.reason.as_deref()?))
        });
        let mut found: Vec<_> = of_releases.collect();
        found.sort();
        Ok((found == want).then_some(()))
    })
    .await
}
