//! Who governs what: one workload has one Release and one track, whatever people and controllers do meanwhile.

use std::time::Duration;

use anyhow::{Result, ensure};
use interlock_crds::release::GateOutcome;
use interlock_crds::{GovernanceTrack, Level, ORIGIN_LABEL, Release, Verdict};
use interlock_tests::Platform;
use interlock_tests::eventually::{eventually, object_becomes, object_goes};
use interlock_tests::platform::{SOON, condition_of, release_conditions};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::main_job::good;
use crate::scene::{DEPLOYMENTS, declared, idle, judging, names, side_by_side, track, track_becomes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_workload_has_one_release_and_one_track() -> Result<()> {
    let platform = judging().await?;
    let p = &platform;
    side_by_side(vec![
        ("declared releases", Box::pin(declared_releases(p))),
        ("adoption", Box::pin(adoption(p))),
        ("priorities", Box::pin(priorities(p))),
        ("owners", Box::pin(owners(p))),
        ("ungoverned", Box::pin(ungoverned(p))),
        ("churn", Box::pin(churn(p))),
        ("tampering", Box::pin(tampering(p))),
        ("names", Box::pin(release_names(p))),
        ("levels", Box::pin(levels(p))),
        ("restless", Box::pin(restless(p))),
    ])
    .await?;
    let log = platform.operator.log();
    ensure!(
        !log.contains("not reconciled"),
        "a workload was tried again:\n{}",
        platform.log_tail(60)
    );
    Ok(())
}

/// A declared Release takes the place of the discovered one, two are told of each other, and it all goes back.
async fn declared_releases(platform: &Platform) -> Result<()> {
    let namespace = platform.namespace("declared").await?;
    let releases = platform.releases(&namespace);
    platform
        .apply(&namespace, &track("declared", &namespace, 10, DEPLOYMENTS, ""))
        .await?;
    platform.apply(&namespace, &idle("cart")).await?;
    platform
        .release_says(&namespace, "deployment-cart", "Deny", "GateDenied")
        .await?;

    platform.apply(&namespace, &declared("cart", "cart")).await?;
    platform.release_says(&namespace, "cart", "Deny", "GateDenied").await?;
    object_goes(&releases, "deployment-cart", SOON).await?;

    platform.apply(&namespace, &declared("twin", "cart")).await?;
    for (one, other) in [("cart", "twin"), ("twin", "cart")] {
        let release = platform
            .release_says(&namespace, one, "Unknown", "DuplicateSubject")
            .await?;
        let (_, status, message) = condition_of(release_conditions(&release), "Ready");
        ensure!(
            status == "False" && message.contains(&format!("Release {other}")),
            "{status}: {message}"
        );
        ensure!(release.status.unwrap_or_default().track.is_none(), "no track judges it");
    }
    releases.delete("twin", &DeleteParams::default()).await?;
    platform.release_says(&namespace, "cart", "Deny", "GateDenied").await?;

    releases.delete("cart", &DeleteParams::default()).await?;
    platform
        .release_says(&namespace, "deployment-cart", "Deny", "GateDenied")
        .await?;
    ensure!(names(&releases).await? == ["deployment-cart"]);

    // A Release may come before its workload.
    platform.apply(&namespace, &declared("early", "late")).await?;
    platform
        .release_says(&namespace, "early", "Unknown", "SubjectNotFound")
        .await?;
    platform.apply(&namespace, &idle("late")).await?;
    platform.release_says(&namespace, "early", "Deny", "GateDenied").await?;
    ensure!(names(&releases).await? == ["deployment-cart", "early"]);
    Ok(())
}

/// Whoever declares a Release under the name of the discovered one makes it their own.
async fn adoption(platform: &Platform) -> Result<()> {
    let namespace = platform.namespace("adoption").await?;
    let releases = platform.releases(&namespace);
    platform
        .apply(&namespace, &track("adoption", &namespace, 10, DEPLOYMENTS, ""))
        .await?;
    platform.apply(&namespace, &idle("cart")).await?;
    platform
        .release_says(&namespace, "deployment-cart", "Deny", "GateDenied")
        .await?;
    platform.apply(&namespace, &declared("deployment-cart", "cart")).await?;
    object_becomes(
        &releases,
        "deployment-cart",
        "no longer discovered, nor owned by the workload",
        SOON,
        |release| !release.labels().contains_key(ORIGIN_LABEL) && release.owner_references().is_empty(),
    )
    .await?;
    // The workload goes, and what a person declared stays.
    Api::<Deployment>::namespaced(platform.client.clone(), &namespace)
        .delete("cart", &DeleteParams::default())
        .await?;
    platform
        .release_says(&namespace, "deployment-cart", "Unknown", "SubjectNotFound")
        .await?;
    Ok(())
}

/// The highest priority governs, a tie is nobody's, and a workload's own labels only raise what is asked.
async fn priorities(platform: &Platform) -> Result<()> {
    let namespace = platform.namespace("priorities").await?;
    let governed_by = async |name: &'static str| {
        let is_so =
            |release: &Release| release.status.as_ref().and_then(|status| status.track.as_deref()) == Some(name);
        object_becomes(&platform.releases(&namespace), "deployment-cart", name, SOON, is_so).await
    };
    platform
        .apply(&namespace, &track("low", &namespace, 10, DEPLOYMENTS, ""))
        .await?;
    platform.apply(&namespace, &idle("cart")).await?;
    governed_by("low").await?;

    platform
        .apply(&namespace, &track("high", &namespace, 10, DEPLOYMENTS, ""))
        .await?;
    let release = platform
        .release_says(&namespace, "deployment-cart", "Unknown", "TrackConflict")
        .await?;
    let (reason, status, message) = condition_of(release_conditions(&release), "TrackAssigned");
    ensure!(
        (reason, status) == ("TrackConflict", "False") && message.contains("high, low"),
        "{reason} {status} {message}"
    );
    ensure!(
        condition_of(release_conditions(&release), "Stalled").1 == "True",
        "only a person can resolve it"
    );

    platform
        .apply(&namespace, &track("high", &namespace, 20, DEPLOYMENTS, ""))
        .await?;
    governed_by("high").await?;
    platform
        .release_says(&namespace, "deployment-cart", "Deny", "GateDenied")
        .await?;

    // Tracks that ask for a label: one stricter, one laxer.
    let asking = |name: &str, priority| {
        let track = track(name, &namespace, priority, DEPLOYMENTS, "");
        track.replace(
            "    namespaceSelector",
            &format!("    objectSelector: {{matchLabels: {{{name}: please}}}}\n    namespaceSelector"),
        )
    };
    platform.apply(&namespace, &asking("stricter", 30)).await?;
    platform.apply(&namespace, &asking("laxer", 5)).await?;
    let deployments: Api<Deployment> = Api::namespaced(platform.client.clone(), &namespace);
    let label = async |labels: serde_json::Value| {
        let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
        deployments.patch("cart", &PatchParams::default(), &patch).await
    };
    label(json!({"laxer": "please", "stricter": "please"})).await?;
    governed_by("stricter").await?;
    label(json!({"stricter": null})).await?;
    governed_by("high").await?;

    Api::<GovernanceTrack>::all(platform.client.clone())
        .delete("high", &DeleteParams::default())
        .await?;
    governed_by("low").await?;
    Ok(())
}

/// Of a chain of owners the topmost is governed; a reference that only claims an owner hides nothing.
async fn owners(platform: &Platform) -> Result<()> {
    let namespace = platform.namespace("owners").await?;
    let releases = platform.releases(&namespace);
    let kinds = "[{group: apps, kind: Deployment}, {group: apps, kind: ReplicaSet}, {kind: Pod}]";
    platform
        .apply(&namespace, &track("owners", &namespace, 10, kinds, ""))
        .await?;
    platform
        .apply(&namespace, &idle("cart").replace("replicas: 0", "replicas: 2"))
        .await?;
    platform
        .release_says(&namespace, "deployment-cart", "Deny", "GateDenied")
        .await?;
    let pods: Api<Pod> = Api::namespaced(platform.client.clone(), &namespace);
    let made = async || Ok((pods.list(&ListParams::default()).await?.items.len() == 2).then_some(()));
    eventually("the Deployment has its Pods", SOON, made).await?;
    track_becomes(
        platform,
        "owners",
        "governs one workload, and nothing is left over",
        |track| {
            let status = track.status.clone().unwrap_or_default();
            status.counts.unwrap_or_default().governed == 1 && status.ungoverned.unwrap_or_default().count == 0
        },
    )
    .await?;
    ensure!(names(&releases).await? == ["deployment-cart"]);

    // The garbage collector deletes such a Pod; the finalizer lets it be looked at until then.
    let forged = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: forged\n  finalizers: [interlock.dev/story]\n  \
        ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: cart, controller: true, \
        uid: 00000000-0000-0000-0000-000000000000}]\nspec: {containers: [{name: app, image: nginx}]}\n";
    platform.apply(&namespace, forged).await?;
    platform
        .release_says(&namespace, "pod-forged", "Deny", "GateDenied")
        .await?;
    let nothing = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    pods.patch("forged", &PatchParams::default(), &nothing).await?;
    pods.delete("forged", &DeleteParams::default()).await.ok();
    object_goes(&releases, "pod-forged", SOON).await?;

    // An owner of a kind that no track names is nobody's top.
    platform
        .apply(
            &namespace,
            &declared("pod", "cart").replace("kind: Deployment", "kind: ReplicaSet"),
        )
        .await?;
    let replica_sets: Api<k8s_openapi::api::apps::v1::ReplicaSet> =
        Api::namespaced(platform.client.clone(), &namespace);
    let set = replica_sets
        .list(&ListParams::default())
        .await?
        .items
        .first()
        .map(ResourceExt::name_any)
        .unwrap_or_default();
    platform
        .apply(
            &namespace,
            &declared("set", &set).replace("kind: Deployment", "kind: ReplicaSet"),
        )
        .await?;
    let release = platform
        .release_says(&namespace, "set", "Unknown", "Controlled")
        .await?;
    ensure!(
        condition_of(release_conditions(&release), "Ready")
            .2
            .contains("Deployment"),
        "it names the owner"
    );
    Ok(())
}

/// What no track claims has no discovered Release, and is counted and named.
async fn ungoverned(platform: &Platform) -> Result<()> {
    let namespace = platform.namespace("ungoverned").await?;
    let releases = platform.releases(&namespace);
    let labelled =
        track("ungoverned", &namespace, 10, DEPLOYMENTS, "").replace("kubernetes.io/metadata.name", "story-governs");
    platform.apply(&namespace, &labelled).await?;
    platform.apply(&namespace, &idle("cart")).await?;
    let namespaces: Api<Namespace> = Api::all(platform.client.clone());
    let govern = async |yes: bool| {
        let value = if yes { json!(namespace) } else { json!(null) };
        let patch = Patch::Merge(json!({"metadata": {"labels": {"story-governs": value}}}));
        namespaces.patch(&namespace, &PatchParams::default(), &patch).await
    };
    let subject = format!("Deployment {namespace}/cart");
    let governed = |track: &GovernanceTrack| {
        track
            .status
            .clone()
            .unwrap_or_default()
            .counts
            .unwrap_or_default()
            .governed
    };
    let left_over = |track: &GovernanceTrack| {
        track
            .status
            .clone()
            .unwrap_or_default()
            .ungoverned
            .unwrap_or_default()
            .sample
    };
    // Other stories' Deployments are ungoverned for moments, and the sample holds ten: this one sorts late.
    govern(true).await?;
    platform
        .release_says(&namespace, "deployment-cart", "Deny", "GateDenied")
        .await?;
    track_becomes(platform, "ungoverned", "governs it", |track| {
        governed(track) == 1 && !left_over(track).contains(&subject)
    })
    .await?;
    govern(false).await?;
    object_goes(&releases, "deployment-cart", SOON).await?;
    track_becomes(platform, "ungoverned", "names it", |track| {
        governed(track) == 0 && left_over(track).contains(&subject)
    })
    .await?;

    platform.apply(&namespace, &declared("cart", "cart")).await?;
    platform.release_says(&namespace, "cart", "Unknown", "NoTrack").await?;
    track_becomes(platform, "ungoverned", "still names it", |track| {
        left_over(track).contains(&subject)
    })
    .await?;
    govern(true).await?;
    platform.release_says(&namespace, "cart", "Deny", "GateDenied").await?;
    Ok(())
}

/// Workloads that go while they are judged leave nothing behind.
async fn churn(platform: &Platform) -> Result<()> {
    let namespace = platform.namespace("churn").await?;
    platform
        .apply(&namespace, &track("churn", &namespace, 10, DEPLOYMENTS, ""))
        .await?;
    let deployments: Api<Deployment> = Api::namespaced(platform.client.clone(), &namespace);
    for round in 0..60_u64 {
        platform.apply(&namespace, &idle("brief")).await?;
        // From before the operator has heard of it, to after it has written.
        tokio::time::sleep(Duration::from_millis(round * 7)).await;
        deployments.delete("brief", &DeleteParams::background()).await?;
    }
    let empty = async || Ok(names(&platform.releases(&namespace)).await?.is_empty().then_some(()));
    eventually("no Release is left", SOON, empty).await?;
    // The same with a whole namespace.
    platform.apply(&namespace, &idle("brief")).await?;
    platform
        .release_says(&namespace, "deployment-brief", "Deny", "GateDenied")
        .await?;
    let namespaces: Api<Namespace> = Api::all(platform.client.clone());
    namespaces.delete(&namespace, &DeleteParams::default()).await?;
    object_goes(&namespaces, &namespace, SOON).await
}

/// What people do to a discovered Release by hand is put right.
async fn tampering(platform: &Platform) -> Result<()> {
    let namespace = platform.namespace("tampering").await?;
    let releases = platform.releases(&namespace);
    platform
        .apply(&namespace, &track("tampering", &namespace, 10, DEPLOYMENTS, ""))
        .await?;
    platform.apply(&namespace, &idle("cart")).await?;
    let before = platform
        .release_says(&namespace, "deployment-cart", "Deny", "GateDenied")
        .await?;

    releases.delete("deployment-cart", &DeleteParams::default()).await?;
    let back = object_becomes(&releases, "deployment-cart", "made anew", SOON, |release| {
        release.uid() != before.uid()
            && release.status.as_ref().and_then(|status| status.verdict) == Some(Verdict::Deny)
    })
    .await?;

    let lie = json!({"status": {"verdict": "Allow", "gates": [], "gatesOmitted": 7, "recheckAt": "2030-01-01T00:00:00Z",
        "conditions": [{"type": "Ready", "status": "True", "reason": "Allowed", "message": "trust me",
            "lastTransitionTime": "2020-01-01T00:00:00Z"}]}});
    releases
        .patch_status("deployment-cart", &PatchParams::default(), &Patch::Merge(lie))
        .await?;
    object_becomes(
        &releases,
        "deployment-cart",
        "as it was before the lie",
        SOON,
        |release| {
            let (Some(now), Some(was)) = (&release.status, &back.status) else {
                return false;
            };
            let ready = |status| condition_of(status, "Ready").0;
            now.verdict == was.verdict
                && now.gates == was.gates
                && now.gates_omitted == was.gates_omitted
                && now.recheck_at == was.recheck_at
                && ready(&now.conditions) == ready(&was.conditions)
                && condition_of(&now.conditions, "Stalled").1 == "True"
        },
    )
    .await?;

    let wiped = json!({"status": null});
    releases
        .patch_status("deployment-cart", &PatchParams::default(), &Patch::Merge(wiped))
        .await?;
    platform
        .release_says(&namespace, "deployment-cart", "Deny", "GateDenied")
        .await?;
    Ok(())
}

/// The plain name may be taken, and names may be long.
async fn release_names(platform: &Platform) -> Result<()> {
    let namespace = platform.namespace("names").await?;
    let releases = platform.releases(&namespace);
    platform
        .apply(&namespace, &track("names", &namespace, 10, DEPLOYMENTS, ""))
        .await?;
    platform
        .apply(&namespace, &declared("deployment-cart", "other"))
        .await?;
    platform
        .release_says(&namespace, "deployment-cart", "Unknown", "SubjectNotFound")
        .await?;
    let long = format!("long-{}", "x".repeat(190));
    platform
        .apply(&namespace, &[idle("cart"), idle(&long)].join("---\n"))
        .await?;
    let made = async || {
        let all = releases.list(&ListParams::default()).await?.items;
        Ok((all.len() == 3 && all.iter().all(|release| release.status.is_some())).then_some(all))
    };
    let all = eventually("both have their Releases", SOON, made).await?;
    for (subject, prefix) in [("cart", "deployment-cart-"), (long.as_str(), "deployment-long-xxxx")] {
        let release = all.iter().find(|release| release.spec.subject.name == subject);
        let name = release.map(ResourceExt::name_any).unwrap_or_default();
        ensure!(
            name.starts_with(prefix) && name.len() <= 63,
            "{subject} has Release {name:?}"
        );
        platform.release_says(&namespace, &name, "Deny", "GateDenied").await?;
    }
    let untouched = releases.get("deployment-cart").await?;
    ensure!(untouched.spec.subject.name == "other" && untouched.owner_references().is_empty());
    Ok(())
}

/// How strictly a gate counts, and that time alone makes it count.
async fn levels(platform: &Platform) -> Result<()> {
    let namespace = platform.namespace("levels").await?;
    let by_tag = good("cart").replace(&format!("@sha256:{}", "a".repeat(64)), ":1.0");
    let with_level = |level: &str| {
        track(
            "levels",
            &namespace,
            10,
            DEPLOYMENTS,
            &format!("  gates: [{{id: C-01, {level}}}]\n"),
        )
    };
    platform.apply(&namespace, &with_level("level: Enforce")).await?;
    platform.apply(&namespace, &by_tag).await?;
    platform
        .release_says(&namespace, "deployment-cart", "Deny", "GateDenied")
        .await?;

    for (given, level) in [("Warn", Level::Warn), ("Audit", Level::Audit)] {
        platform
            .apply(&namespace, &with_level(&format!("level: {given}")))
            .await?;
        object_becomes(
            &platform.releases(&namespace),
            "deployment-cart",
            given,
            SOON,
            |release| {
                let status = release.status.clone().unwrap_or_default();
                let reported = status
                    .gates
                    .iter()
                    .any(|gate| gate.id == "C-01" && gate.level == level && gate.result == GateOutcome::Fail);
                status.verdict == Some(Verdict::Allow) && reported
            },
        )
        .await?;
    }
    platform.apply(&namespace, &with_level("level: \"Off\"")).await?;
    object_becomes(
        &platform.releases(&namespace),
        "deployment-cart",
        "Off",
        SOON,
        |release| {
            let status = release.status.clone().unwrap_or_default();
            let silent =
                status.gates.iter().all(|gate| gate.id != "C-01") && !status.passed.contains(&"C-01".to_owned());
            status.verdict == Some(Verdict::Allow) && silent
        },
    )
    .await?;

    let soon = Timestamp::now() + SignedDuration::from_secs(12);
    let soon = Timestamp::from_second(soon.as_second())?;
    platform
        .apply(
            &namespace,
            &with_level(&format!("level: Enforce, effectiveOn: \"{soon}\"")),
        )
        .await?;
    object_becomes(
        &platform.releases(&namespace),
        "deployment-cart",
        "warned of what comes",
        SOON,
        |release| {
            let status = release.status.clone().unwrap_or_default();
            status.recheck_at.map(|time| time.0) == Some(soon) && status.verdict == Some(Verdict::Allow)
        },
    )
    .await?;
    let denied = platform
        .release_says(&namespace, "deployment-cart", "Deny", "GateDenied")
        .await?;
    let since = release_conditions(&denied)
        .iter()
        .find(|condition| condition.type_ == "Ready")
        .map(|one| one.last_transition_time.0);
    ensure!(
        since.is_some_and(|since| since >= soon && since <= soon + SignedDuration::from_secs(10)),
        "{since:?}, not {soon}"
    );
    ensure!(
        denied.status.unwrap_or_default().recheck_at.is_none(),
        "time changes nothing any more"
    );
    Ok(())
}

/// A workload that never keeps still is judged all the same.
async fn restless(platform: &Platform) -> Result<()> {
    let namespace = platform.namespace("restless").await?;
    platform
        .apply(&namespace, &track("restless", &namespace, 10, DEPLOYMENTS, ""))
        .await?;
    platform.apply(&namespace, &good("cart")).await?;
    platform
        .release_says(&namespace, "deployment-cart", "Allow", "Allowed")
        .await?;
    let deployments: Api<Deployment> = Api::namespaced(platform.client.clone(), &namespace);
    let busy = async {
        for round in 0.. {
            let image = json!([{"name": "app", "image": format!("nginx:{round}")}]);
            let patch = json!({"spec": {"replicas": 0, "template": {"spec": {"containers": image}}}});
            deployments
                .patch("cart", &PatchParams::default(), &Patch::Strategic(patch))
                .await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        judged = platform.release_says(&namespace, "deployment-cart", "Deny", "GateDenied") => judged.map(drop),
        ended = busy => ended,
    }
}
