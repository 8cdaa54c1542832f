//! What survives: a killed operator, a registry and an API server that are away, a second operator, a damaged cache.
//! Whatever happens, verdicts stay or become Unknown, and nothing is written that was so already.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use interlock_crds::{GovernanceTrack, PolicyBundle, Release, Signer};
use interlock_tests::Platform;
use interlock_tests::eventually::{eventually, object_becomes};
use interlock_tests::platform::{NAMESPACE, SOON, condition_of, release_conditions};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::main_job::{good, track};
use crate::scene::{bring_baseline, idle, judging, metric};

/// A platform with an allowed and a denied workload in a namespace.
async fn settled(story: &str) -> Result<(Platform, String)> {
    let platform = judging().await?;
    let namespace = platform.namespace(story).await?;
    platform.apply(&namespace, &workloads(story, &namespace)).await?;
    both_are_judged(&platform, &namespace).await?;
    Ok((platform, namespace))
}

fn workloads(story: &str, namespace: &str) -> String {
    [track(story, namespace, "baseline"), good("good"), idle("bad")].join("---\n")
}

async fn both_are_judged(platform: &Platform, namespace: &str) -> Result<()> {
    platform
        .release_says(namespace, "deployment-good", "Allow", "Allowed")
        .await?;
    platform
        .release_says(namespace, "deployment-bad", "Deny", "GateDenied")
        .await?;
    Ok(())
}

/// Name and resourceVersion of every object that the operator writes or judges, and of every Event.
async fn versions(platform: &Platform) -> Result<BTreeMap<String, String>> {
    async fn of<K>(platform: &Platform, all: &mut BTreeMap<String, String>) -> Result<()>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        for object in Api::<K>::all(platform.client.clone())
            .list(&ListParams::default())
            .await?
        {
            let name = format!(
                "{} {}/{}",
                K::kind(&()),
                object.namespace().unwrap_or_default(),
                object.name_any()
            );
            all.insert(name, object.resource_version().unwrap_or_default());
        }
        Ok(())
    }
    let mut all = BTreeMap::new();
    of::<Signer>(platform, &mut all).await?;
    of::<PolicyBundle>(platform, &mut all).await?;
    of::<GovernanceTrack>(platform, &mut all).await?;
    of::<Release>(platform, &mut all).await?;
    of::<Deployment>(platform, &mut all).await?;
    of::<Event>(platform, &mut all).await?;
    Ok(all)
}

/// The versions once they have kept still for longer than the interval at which registries are asked (10 s): that
/// nothing comes can only be seen by waiting.
async fn still_versions(platform: &Platform) -> Result<BTreeMap<String, String>> {
    let mut seen = (versions(platform).await?, std::time::Instant::now());
    eventually("nothing is written any more", SOON, async || {
        let now = versions(platform).await?;
        if now != seen.0 {
            seen = (now, std::time::Instant::now());
        }
        Ok((seen.1.elapsed() > Duration::from_secs(12)).then(|| seen.0.clone()))
    })
    .await
}

fn difference(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    changed
        .map(|name| format!("{name}: {:?} → {:?}", before.get(name), after.get(name)))
        .collect()
}

/// Ready, and everything looked at at least once.
async fn restarted(platform: &mut Platform) -> Result<()> {
    platform.operator.start_again()?;
    platform.operator.ready().await?;
    looked_around(platform).await
}

async fn looked_around(platform: &Platform) -> Result<()> {
    let probes = platform.probes().to_owned();
    let done = async || Ok((metric(&probes, "interlock_reconciles_total", "ok").await? >= 2.0).then_some(()));
    eventually("the operator looked at both workloads", SOON, done).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_twice() -> Result<()> {
    let (mut platform, namespace) = settled("twice").await?;
    let before = still_versions(&platform).await?;
    // The same YAML again.
    platform.apply(&namespace, &workloads("twice", &namespace)).await?;
    platform
        .bundle(
            "baseline",
            platform.registry.host(),
            "policies/baseline",
            "stable",
            "baseline",
        )
        .await?;
    platform.signer("platform", &platform.key).await?;
    let after = still_versions(&platform).await?;
    ensure!(before == after, "applied again: {:#?}", difference(&before, &after));
    // The operator again, killed and asked to end.
    for kill in [true, false] {
        if !kill {
            platform.operator.terminate().await?;
        }
        restarted(&mut platform).await?;
        let after = still_versions(&platform).await?;
        ensure!(before == after, "started again: {:#?}", difference(&before, &after));
        let writes = metric(platform.probes(), "interlock_api_writes_total", "").await?;
        ensure!(
            writes == 0.0,
            "the operator sent {writes} writes after its restart\n{}",
            platform.log_tail(40)
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_operator_goes_on_from_its_cache() -> Result<()> {
    let (mut platform, namespace) = settled("killed").await?;
    let before = still_versions(&platform).await?;
    platform.registry.stop().await?;
    restarted(&mut platform).await?;
    // Old verdicts stand, new workloads are judged, and the bundle says what is the matter.
    let bundle = platform.bundle_says("baseline", "RegistryUnavailable").await?;
    let message = condition_of(interlock_tests::platform::bundle_conditions(&bundle), "Ready").2;
    ensure!(message.contains("keeps judging"), "{message}");
    platform.apply(&namespace, &idle("new")).await?;
    platform
        .release_says(&namespace, "deployment-new", "Deny", "GateDenied")
        .await?;
    let after = still_versions(&platform).await?;
    let releases = |all: &BTreeMap<String, String>| {
        let mut all = all.clone();
        all.retain(|name, _| name.starts_with("Release") && !name.ends_with("-new"));
        all
    };
    ensure!(
        releases(&before) == releases(&after),
        "{:#?}",
        difference(&releases(&before), &releases(&after))
    );
    platform.registry.start_again().await?;
    platform.bundle_says("baseline", "Judging").await?;

    // A damaged cache is not believed: the bundle is pulled again.
    let damaged = damage(platform.cache())?;
    ensure!(damaged > 0, "the cache is empty");
    restarted(&mut platform).await?;
    platform.bundle_says("baseline", "Judging").await?;
    both_are_judged(&platform, &namespace).await?;
    let mended = still_versions(&platform).await?;
    ensure!(
        releases(&after) == releases(&mended),
        "{:#?}",
        difference(&after, &mended)
    );

    // A damaged cache and no registry: nothing is known, and nothing is allowed.
    damage(platform.cache())?;
    platform.registry.stop().await?;
    restarted(&mut platform).await?;
    unknown_until_the_registry_is_back(&platform, &namespace).await?;

    // The same without any cache.
    for entry in std::fs::read_dir(platform.cache())? {
        let path = entry?.path();
        if path.is_dir() {
            std::fs::remove_dir_all(path)?;
        } else {
            std::fs::remove_file(path)?;
        }
    }
    platform.registry.stop().await?;
    restarted(&mut platform).await?;
    unknown_until_the_registry_is_back(&platform, &namespace).await
}

async fn unknown_until_the_registry_is_back(platform: &Platform, namespace: &str) -> Result<()> {
    for name in ["deployment-good", "deployment-bad"] {
        let release = platform
            .release_says(namespace, name, "Unknown", "BundleNotReady")
            .await?;
        let (_, status, message) = condition_of(release_conditions(&release), "Ready");
        ensure!(
            status == "Unknown" && message.contains("PolicyBundle baseline"),
            "{status}: {message}"
        );
    }
    platform.registry.start_again().await?;
    platform.bundle_says("baseline", "Judging").await?;
    both_are_judged(platform, namespace).await
}

/// Flips a bit in the middle of every file, and answers how many there are.
fn damage(folder: &std::path::Path) -> Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            count += damage(&path)?;
            continue;
        }
        let mut bytes = std::fs::read(&path)?;
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 1;
        }
        std::fs::write(&path, bytes)?;
        count += 1;
    }
    Ok(count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_server_may_go_and_come_back() -> Result<()> {
    let (mut platform, namespace) = settled("api-server").await?;
    let before = still_versions(&platform).await?;
    // Longer than the Lease holds.
    platform.control_plane.stop_api_server()?;
    tokio::time::sleep(Duration::from_secs(20)).await;
    platform.control_plane.start_api_server().await?;
    platform.apply(&namespace, &idle("new")).await?;
    platform
        .release_says(&namespace, "deployment-new", "Deny", "GateDenied")
        .await?;
    platform.operator.process().still_runs()?;
    // And shorter.
    platform.control_plane.stop_api_server()?;
    platform.control_plane.start_api_server().await?;
    platform.apply(&namespace, &idle("newer")).await?;
    platform
        .release_says(&namespace, "deployment-newer", "Deny", "GateDenied")
        .await?;
    platform.operator.process().still_runs()?;
    let after = still_versions(&platform).await?;
    let old = |all: &BTreeMap<String, String>| {
        let mut all = all.clone();
        all.retain(|name, _| name.starts_with("Release") && !name.contains("-new"));
        all
    };
    ensure!(
        old(&before) == old(&after),
        "old verdicts stand: {:#?}",
        difference(&old(&before), &old(&after))
    );
    let ready = reqwest::get(format!("http://{}/readyz", platform.probes())).await?;
    ensure!(ready.status().is_success(), "not ready: {}", ready.text().await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_operators_one_leads() -> Result<()> {
    let mut platform = Platform::start().await?;
    bring_baseline(&platform).await?;
    let namespace = platform.namespace("leaders").await?;
    platform.apply(&namespace, &workloads("leaders", &namespace)).await?;
    both_are_judged(&platform, &namespace).await?;
    let (mut second, _cache) = platform.second_operator()?;
    second.ready().await?;
    let leases: Api<Lease> = Api::namespaced(platform.client.clone(), NAMESPACE);
    let holder = |lease: &Lease| lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone());
    ensure!(holder(&leases.get("interlock").await?).as_deref() == Some("first"));
    ensure!(
        second.log().contains("serving health") && !second.log().contains("leading"),
        "one leads:\n{}",
        second.log()
    );
    let before = still_versions(&platform).await?;

    platform.operator.kill()?;
    object_becomes(&leases, "interlock", "held by the second", SOON, |lease| {
        holder(lease).as_deref() == Some("second")
    })
    .await?;
    platform.apply(&namespace, &idle("new")).await?;
    platform
        .release_says(&namespace, "deployment-new", "Deny", "GateDenied")
        .await
        .context(second.log())?;
    // The first comes back and waits.
    platform.operator.start_again()?;
    platform.operator.ready().await?;
    ensure!(holder(&leases.get("interlock").await?).as_deref() == Some("second"));
    // Asked to end, the leader hands over at once: sooner than the Lease would run out.
    second.terminate().await?;
    let left = holder(&leases.get("interlock").await?);
    ensure!(
        left.as_deref() != Some("second"),
        "the Lease was not given back: {left:?}"
    );
    object_becomes(&leases, "interlock", "held by the first", SOON, |lease| {
        holder(lease).as_deref() == Some("first")
    })
    .await?;
    platform.apply(&namespace, &idle("newer")).await?;
    platform
        .release_says(&namespace, "deployment-newer", "Deny", "GateDenied")
        .await?;
    let after = still_versions(&platform).await?;
    let lost: Vec<_> = before
        .iter()
        .filter(|(name, version)| !name.starts_with("GovernanceTrack") && after.get(*name) != Some(version))
        .collect();
    ensure!(lost.is_empty(), "no verdict is lost or written anew: {lost:#?}");
    Ok(())
}
