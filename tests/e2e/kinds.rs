//! Which kinds a track may name: any namespaced one, whenever it comes, as far as the operator may look. What it may
//! not look at is Unknown: neither a pass nor a denial.

use anyhow::{Result, ensure};
use interlock_crds::release::GateOutcome;
use interlock_crds::{GovernanceTrack, Release, Verdict};
use interlock_tests::Platform;
use interlock_tests::eventually::{eventually, object_becomes, object_goes};
use interlock_tests::platform::{SOON, condition_of, release_conditions};
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::main_job::good;
use crate::scene::{DEPLOYMENTS, bring_baseline, idle, ready_of, track, track_becomes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_namespaced_kind_is_governed_as_far_as_the_operator_may_look() -> Result<()> {
    let mut platform = Platform::start().await?;
    bring_baseline(&platform).await?;
    let namespace = platform.namespace("kinds").await?;
    platform
        .apply(&namespace, &track("kinds", &namespace, 10, DEPLOYMENTS, ""))
        .await?;
    platform.apply(&namespace, &good("cart")).await?;
    platform
        .release_says(&namespace, "deployment-cart", "Allow", "Allowed")
        .await?;
    kinds_that_come_and_go(&platform).await?;
    kinds_that_cannot_be_governed(&platform).await?;
    kinds_that_may_not_be_listed(&platform).await?;
    relations_that_may_not_be_listed(&mut platform, &namespace).await
}

fn crd(scope: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: gadgets.story.dev}}\nspec:\n  \
         group: story.dev\n  scope: {scope}\n  names: {{kind: Gadget, plural: gadgets, singular: gadget}}\n  \
         versions:\n  - name: v1\n    served: true\n    storage: true\n    \
         schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}\n"
    )
}

/// What an administrator adds for a kind that the chart does not list: the label joins it to the operator's rights.
const GADGET_READER: &str = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: gadgets\n  \
    labels: {interlock.dev/aggregate-to-operator: \"true\"}\nrules:\n\
    - {apiGroups: [story.dev], resources: [gadgets], verbs: [get, list, watch]}\n";

/// A custom kind with a pod template somewhere inside.
const GADGET: &str = "apiVersion: story.dev/v1\nkind: Gadget\nmetadata: {name: robot}\nspec:\n  workers:\n    template:\n      \
    metadata: {labels: {app: robot}}\n      spec: {containers: [{name: arm, image: arm:latest}]}\n";

/// A kind is waited for, governed when it comes, by the pods found inside it, and let go of when it is removed.
async fn kinds_that_come_and_go(platform: &Platform) -> Result<()> {
    let namespace = platform.namespace("gadgets").await?;
    let crds: Api<CustomResourceDefinition> = Api::all(platform.client.clone());
    platform.apply(&namespace, GADGET_READER).await?;
    platform
        .apply(
            &namespace,
            &track("gadgets", &namespace, 10, "[{group: story.dev, kind: Gadget}]", ""),
        )
        .await?;
    for round in ["first", "second"] {
        // The watch that ends says so first, then the search that finds nothing.
        track_becomes(platform, "gadgets", round, |track| {
            ready_of(track).0 == "KindNotFound" && ready_of(track).2.contains("serves no Gadget.story.dev: install")
        })
        .await?;

        platform.apply(&namespace, &crd("Namespaced")).await?;
        object_becomes(&crds, "gadgets.story.dev", "established", SOON, |crd| {
            let conditions = crd.status.as_ref().and_then(|status| status.conditions.as_ref());
            conditions
                .into_iter()
                .flatten()
                .any(|condition| condition.type_ == "Established" && condition.status == "True")
        })
        .await?;
        track_becomes(platform, "gadgets", "Ready", |track| {
            ready_of(track) == ("Governing", "True", ready_of(track).2)
        })
        .await?;
        platform.apply(&namespace, GADGET).await?;
        let release = platform
            .release_says(&namespace, "gadget-robot", "Deny", "GateDenied")
            .await?;
        let gates = release.status.unwrap_or_default().gates;
        ensure!(
            gates.iter().any(|gate| gate.id == "C-01" && gate.term == "arm"),
            "the pod inside it is judged: {gates:?}"
        );

        crds.delete("gadgets.story.dev", &DeleteParams::default()).await?;
        object_goes(&crds, "gadgets.story.dev", SOON).await?;
        // Its objects went with it; whether the operator was told before its watch ended is chance. If not, it only
        // knows that it cannot look: Unknown, and never the old verdict.
        let releases = platform.releases(&namespace);
        eventually("the Release is gone or Unknown", SOON, async || {
            let release = releases.get_opt("gadget-robot").await?;
            let unknown = |release: &Release| {
                let verdict = release.status.as_ref().and_then(|status| status.verdict);
                verdict == Some(Verdict::Unknown)
                    && condition_of(release_conditions(release), "Ready").0 == "KindNotFound"
            };
            Ok(release.as_ref().is_none_or(unknown).then_some(()))
        })
        .await?;
    }
    track_becomes(platform, "gadgets", "waits again", |track| {
        ready_of(track).0 == "KindNotFound"
    })
    .await?;
    Ok(())
}

/// A cluster-scoped kind is refused by name, even if it was namespaced before.
async fn kinds_that_cannot_be_governed(platform: &Platform) -> Result<()> {
    platform
        .apply(
            "default",
            &track("cluster-wide", "default", 10, "[{kind: Namespace}]", ""),
        )
        .await?;
    let refused = track_becomes(platform, "cluster-wide", "KindNotNamespaced", |track| {
        ready_of(track).0 == "KindNotNamespaced"
    })
    .await?;
    ensure!(ready_of(&refused).2.contains("Namespace"), "{}", ready_of(&refused).2);
    platform.apply("default", &crd("Cluster")).await?;
    track_becomes(platform, "gadgets", "KindNotNamespaced", |track| {
        ready_of(track).0 == "KindNotNamespaced"
    })
    .await?;
    // A version that is not served is no such kind.
    platform
        .apply(
            "default",
            &track(
                "old",
                "default",
                10,
                "[{group: apps, version: v1beta1, kind: StatefulSet}]",
                "",
            ),
        )
        .await?;
    let missing = track_becomes(platform, "old", "KindNotFound", |track| {
        ready_of(track).0 == "KindNotFound"
    })
    .await?;
    ensure!(ready_of(&missing).2.contains("v1beta1"), "{}", ready_of(&missing).2);
    // Nor does it take the kind away from a track that names a served one, whatever their priorities.
    platform
        .apply(
            "default",
            &track(
                "old",
                "default",
                99,
                "[{group: apps, version: v1beta1, kind: Deployment}]",
                "",
            ),
        )
        .await?;
    track_becomes(platform, "old", "VersionMismatch", |track| {
        ready_of(track).0 == "VersionMismatch" && ready_of(track).2.contains("version v1, not v1beta1")
    })
    .await?;
    track_becomes(platform, "kinds", "still governs", |track| {
        ready_of(track).0 == "Governing"
    })
    .await?;
    let tracks: Api<GovernanceTrack> = Api::all(platform.client.clone());
    for name in ["cluster-wide", "old", "gadgets"] {
        tracks.delete(name, &DeleteParams::default()).await?;
    }
    // Without the track nothing of the kind is left.
    let all: Api<Release> = Api::all(platform.client.clone());
    let left = async || {
        Ok(all
            .list(&ListParams::default())
            .await?
            .iter()
            .all(|one| one.spec.subject.kind != "Gadget")
            .then_some(()))
    };
    eventually("no Release of a Gadget is left", SOON, left).await?;
    Ok(())
}

/// Takes the rules about a resource away from a ClusterRole.
async fn rules_without(platform: &Platform, role: &str, resource: &str) -> Result<()> {
    let api: Api<ClusterRole> = Api::all(platform.client.clone());
    let rules = api.get(role).await?.rules.unwrap_or_default();
    let kept: Vec<_> = rules
        .into_iter()
        .filter(|rule| !rule.resources.iter().flatten().any(|one| one == resource))
        .collect();
    api.patch(role, &PatchParams::default(), &Patch::Merge(json!({"rules": kept})))
        .await?;
    Ok(())
}

/// What may not be listed is named on the track; verdicts that rested on it are Unknown; a grant is enough to recover.
async fn kinds_that_may_not_be_listed(platform: &Platform) -> Result<()> {
    let namespace = platform.namespace("forbidden").await?;
    let kinds = "[{group: autoscaling, kind: HorizontalPodAutoscaler}]";
    platform
        .apply(&namespace, &track("scalers", &namespace, 10, kinds, ""))
        .await?;
    let scaler = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: shop}\nspec:\n  \
        {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}}\n";
    platform.apply(&namespace, scaler).await?;
    // A Release that was there before.
    let release = "apiVersion: interlock.dev/v1alpha1\nkind: Release\nmetadata: {name: shop}\nspec:\n  \
        subject: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: shop}\n";
    platform.apply(&namespace, release).await?;
    let grant = |verbs: &str| {
        GADGET_READER
            .replace("gadgets", "horizontalpodautoscalers")
            .replace("story.dev", "autoscaling")
            .replace("[get, list, watch]", verbs)
    };
    let tracks: Api<GovernanceTrack> = Api::all(platform.client.clone());
    // Half a grant is none: what is listed once and then not watched grows old.
    for verbs in [None, Some("[list]")] {
        if let Some(verbs) = verbs {
            tracks.delete("scalers", &DeleteParams::default()).await?;
            platform.release_says(&namespace, "shop", "Unknown", "NoTrack").await?;
            platform.apply(&namespace, &grant(verbs)).await?;
            platform
                .apply(&namespace, &track("scalers", &namespace, 10, kinds, ""))
                .await?;
        }
        let refused = track_becomes(platform, "scalers", "Forbidden", |track| {
            ready_of(track).0 == "Forbidden"
        })
        .await?;
        ensure!(
            ready_of(&refused).2.contains("horizontalpodautoscalers.autoscaling"),
            "{}",
            ready_of(&refused).2
        );
        let unknown = platform
            .release_says(&namespace, "shop", "Unknown", "Forbidden")
            .await?;
        ensure!(condition_of(release_conditions(&unknown), "Ready").1 == "Unknown");
    }
    platform.apply(&namespace, &grant("[get, list, watch]")).await?;
    track_becomes(platform, "scalers", "Governing", |track| {
        ready_of(track).0 == "Governing"
    })
    .await?;
    object_becomes(
        &platform.releases(&namespace),
        "shop",
        "judged",
        SOON,
        |release: &Release| release.status.as_ref().and_then(|status| status.track.as_deref()) == Some("scalers"),
    )
    .await?;
    Ok(())
}

/// A gate whose source may not be listed is Unknown and says so; the others are judged as before.
async fn relations_that_may_not_be_listed(platform: &mut Platform, namespace: &str) -> Result<()> {
    platform.apply(namespace, &idle("bare")).await?;
    platform
        .release_says(namespace, "deployment-bare", "Deny", "GateDenied")
        .await?;
    rules_without(platform, "interlock", "networkpolicies").await?;
    // A running watch is not ended by a right taken away: the next one is refused.
    platform.operator.start_again()?;
    platform.operator.ready().await?;
    let release = object_becomes(
        &platform.releases(namespace),
        "deployment-cart",
        "C-06 is Unknown",
        SOON,
        |release| {
            let status = release.status.clone().unwrap_or_default();
            status
                .gates
                .iter()
                .any(|gate| gate.id == "C-06" && gate.result == GateOutcome::Unknown)
        },
    )
    .await?;
    let status = release.status.clone().unwrap_or_default();
    let (reason, ready, message) = condition_of(&status.conditions, "Ready");
    ensure!(
        status.verdict.is_some_and(|verdict| verdict.as_str() == "Unknown") && ready == "Unknown",
        "{ready} {reason} {message}"
    );
    ensure!(
        message.contains("networkpolicies") || message.contains("Forbidden"),
        "{reason}: {message}"
    );
    ensure!(
        status.gates.len() == 1 && status.passed.len() == 4,
        "the other gates pass as before: {status:?}"
    );
    ensure!(release.name_any() == "deployment-cart");
    Ok(())
}
