//! An upgrade keeps every object and every verdict. What the operator of the first public state left behind was written
//! down once (`make upgrade` runs that operator itself); this version's takes over from it, under its chart's service account.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use interlock_tests::eventually;
use interlock_tests::platform::SOON;
use interlock_tests::upgrade::{Recorded, changes, verdicts};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::scene::metric;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_keeps_every_object_and_verdict() -> Result<()> {
    let recorded = Recorded::load()?;
    let mut cluster = recorded.restore().await?;
    let before = cluster.objects().await?;
    let told: BTreeSet<String> = verdicts(&before).into_values().collect();
    for kind in [
        "Allow Allowed",
        "Deny GateDenied",
        "Unknown TrackConflict",
        "Unknown BundleNotReady",
    ] {
        ensure!(told.contains(kind), "the record shows no {kind}: {told:?}");
    }

    cluster.upgrade().await?;
    let after = cluster.settled().await?;
    // The workloads' own UIDs are in the dossiers and cannot be restored, so that the digest of a dossier is another; with
    // the older operator's own objects (`make upgrade`) nothing at all is written.
    let replayed = [
        "/status/dossierDigest",
        "/metadata/resourceVersion",
        "/metadata/managedFields",
    ];
    let changes = changes(&before, &after, &replayed);
    ensure!(
        changes.is_empty(),
        "the upgrade from {} wrote:\n{}",
        recorded.commit,
        changes.join("\n")
    );
    let probes = cluster.operator.as_ref().map(|operator| operator.address().to_owned());
    let probes = probes.unwrap_or_default();
    let judged = after
        .values()
        .filter(|object| object["status"].get("dossierDigest").is_some());
    let judged = u32::try_from(judged.count())?.into();
    let looked = metric(&probes, "interlock_reconciles_total", "ok").await?;
    ensure!(
        looked >= judged,
        "it has looked at {looked} workloads only, of {judged}"
    );
    let writes = metric(&probes, "interlock_api_writes_total", "").await?;
    ensure!(writes <= judged, "{writes} writes for {judged} dossiers");

    // It does judge: a workload that changes gets another verdict.
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), "shop");
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "nginx:latest"}]}}}});
    deployments
        .patch("cart", &PatchParams::default(), &Patch::Strategic(image))
        .await?;
    eventually("cart is denied", SOON, async || {
        let now = verdicts(&cluster.objects().await?);
        Ok((now.get("Release shop/deployment-cart").map(String::as_str) == Some("Deny GateDenied")).then_some(()))
    })
    .await
}
