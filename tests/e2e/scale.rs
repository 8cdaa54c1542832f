//! Hundreds of workloads: all judged soon, none written again by a restart, and a change concerns its own namespace only.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use interlock_crds::{GovernanceTrack, Release, Verdict};
use interlock_tests::Platform;
use interlock_tests::eventually::eventually;
use interlock_tests::platform::SOON;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};

use crate::scene::{idle, judging, metric, track};

const NAMESPACES: usize = 40;
const WORKLOADS: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_workloads_are_judged_soon_and_written_once() -> Result<()> {
    let mut platform = judging().await?;
    let everywhere = track("scale", "-", 10, crate::scene::DEPLOYMENTS, "").replace(
        "{matchLabels: {kubernetes.io/metadata.name: -}}",
        "{matchExpressions: [{key: scale, operator: Exists}]}",
    );
    platform.apply("default", &everywhere).await?;
    create_namespaces(&platform).await?;
    let started = Instant::now();
    create_workloads(&platform).await?;
    let created = started.elapsed();
    let releases: Api<Release> = Api::all(platform.client.clone());
    let judged = async || {
        let all = releases.list(&ListParams::default().match_any()).await?.items;
        let denied = all
            .iter()
            .filter(|one| one.status.as_ref().and_then(|status| status.verdict) == Some(Verdict::Deny))
            .count();
        Ok((denied == WORKLOADS).then_some(all))
    };
    let before = eventually("every workload has its verdict", SOON, judged).await?;
    println!(
        "{WORKLOADS} workloads created in {created:.1?}, all judged after {:.1?}",
        started.elapsed()
    );
    let tracks: Api<GovernanceTrack> = Api::all(platform.client.clone());
    let counted = async || {
        let status = tracks.get("scale").await?.status.unwrap_or_default();
        let counts = status.counts.unwrap_or_default();
        Ok(
            (counts.governed == 500 && counts.denied == 500 && status.ungoverned.unwrap_or_default().count == 0)
                .then_some(()),
        )
    };
    eventually("the track counts them", SOON, counted).await?;

    // A change in one namespace.
    quiet(platform.probes()).await?;
    let looks = metric(platform.probes(), "interlock_reconciles_total", "").await?;
    let policy: NetworkPolicy =
        serde_saphyr::from_str("metadata: {name: story}\nspec: {podSelector: {matchLabels: {app: app}}}")?;
    Api::namespaced(platform.client.clone(), "scale-7")
        .create(&PostParams::default(), &policy)
        .await?;
    let fewer = async || {
        let here: Api<Release> = Api::namespaced(platform.client.clone(), "scale-7");
        let changed = |release: &Release| {
            let old = before
                .iter()
                .find(|one| one.uid() == release.uid())
                .and_then(|one| one.status.clone())
                .unwrap_or_default();
            release.status.clone().unwrap_or_default().dossier_digest != old.dossier_digest
        };
        let all = here.list(&ListParams::default()).await?.items;
        Ok((!all.is_empty() && all.iter().all(changed)).then_some(all.len()))
    };
    let concerned = eventually("the namespace is judged anew", SOON, fewer).await?;
    quiet(platform.probes()).await?;
    let looks = metric(platform.probes(), "interlock_reconciles_total", "").await? - looks;
    println!("a NetworkPolicy beside {concerned} workloads: {looks} looks");
    // One for the policy, one for each Release that was written.
    ensure!(
        looks <= 2.0 * f64::from(u32::try_from(concerned)?),
        "{looks} looks at {concerned} workloads"
    );

    a_restart_writes_nothing(&mut platform).await
}

/// The operator looks at everything again, and finds everything said.
#[expect(clippy::print_stdout, reason = "the time it took is what one wants to know")]
async fn a_restart_writes_nothing(platform: &mut Platform) -> Result<()> {
    let releases: Api<Release> = Api::all(platform.client.clone());
    let before = releases.list(&ListParams::default()).await?;
    let started = Instant::now();
    platform.operator.start_again()?;
    platform.operator.ready().await?;
    let probes = platform.probes().to_owned();
    let looked = async || Ok((metric(&probes, "interlock_reconciles_total", "ok").await? >= 500.0).then_some(()));
    eventually("the restarted operator looked at all of them", SOON, looked).await?;
    println!("looked at all of them {:.1?} after a restart", started.elapsed());
    quiet(platform.probes()).await?;
    let writes = metric(platform.probes(), "interlock_api_writes_total", "").await?;
    ensure!(
        writes == 0.0,
        "{writes} writes after a restart:\n{}",
        platform.log_tail(30)
    );
    let after = releases.list(&ListParams::default()).await?;
    let version =
        |list: &kube::api::ObjectList<Release>| list.iter().map(ResourceExt::resource_version).collect::<Vec<_>>();
    ensure!(version(&before) == version(&after));
    ensure!(!platform.operator.log().contains("WARN"), "{}", platform.log_tail(40));
    Ok(())
}

async fn create_namespaces(platform: &Platform) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(platform.client.clone());
    let create = |number: usize| {
        let (api, params) = (namespaces.clone(), PostParams::default());
        async move {
            let mut namespace = Namespace::default();
            namespace.metadata.name = Some(format!("scale-{number}"));
            namespace.metadata.labels = Some([("scale".to_owned(), "yes".to_owned())].into());
            api.create(&params, &namespace).await.map(drop)
        }
    };
    futures::stream::iter((0..NAMESPACES).map(create))
        .buffer_unordered(16)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

async fn create_workloads(platform: &Platform) -> Result<()> {
    let deployment: Deployment = serde_saphyr::from_str(&idle("x"))?;
    let create = |number: usize| {
        let api: Api<Deployment> = Api::namespaced(platform.client.clone(), &format!("scale-{}", number % NAMESPACES));
        let mut deployment = deployment.clone();
        deployment.metadata.name = Some(format!("workload-{number}"));
        async move { api.create(&PostParams::default(), &deployment).await.map(drop) }
    };
    futures::stream::iter((0..WORKLOADS).map(create))
        .buffer_unordered(32)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

/// Waits until the operator looks at nothing any more.
async fn quiet(probes: &str) -> Result<()> {
    let mut last = (-1.0, Instant::now());
    eventually("the operator has nothing to do", SOON, async || {
        let now = metric(probes, "interlock_reconciles_total", "").await?;
        if (now - last.0).abs() > 0.5 {
            last = (now, Instant::now());
        }
        Ok((last.1.elapsed() > Duration::from_secs(2)).then_some(()))
    })
    .await
}
