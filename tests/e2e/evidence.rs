//! What is asked of a registry about signatures, and what is kept: a registry in trouble is never "unsigned", what was
//! verified stays without it, and nothing is asked that cannot change anything.

use anyhow::{Context as _, Result, ensure};
use interlock_crds::Signer;
use interlock_tests::artifact::digest_of;
use interlock_tests::cosign::KeyPair;
use interlock_tests::eventually::{eventually, object_goes};
use interlock_tests::operator::metric;
use interlock_tests::platform::SOON;
use interlock_tests::{Lie, Part, Platform};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{DeleteParams, ListParams};

use crate::scene::DEPLOYMENTS;
use crate::signed::{
    apply, artifacts, bring_bundles, deployment, push, rejected, says, track, unknown, verified, versions,
};

const IMAGES: &str = "ArtifactsVerified";
const QUESTIONS: &str = "interlock_registry_questions_total";
const CHECKS: &str = "interlock_signature_checks_total";

/// A platform, a namespace whose images `platform` signs, an image that it signed and one that nobody did, both named
/// as the liar's.
struct Scene {
    platform: Platform,
    namespace: String,
    signed: String,
    bare: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_is_asked_as_little_as_possible_and_never_taken_at_its_silence() -> Result<()> {
    let platform = Platform::start_with(&["--evidence-interval=2"]).await?;
    bring_bundles(&platform).await?;
    let namespace = platform.namespace("kept").await?;
    platform
        .apply(
            &namespace,
            &track(&namespace, DEPLOYMENTS, "{images: {signers: [platform]}}", ""),
        )
        .await?;
    let signed = push(platform.liar.host(), "apps/signed", "1").await?;
    let bare = push(platform.liar.host(), "apps/bare", "1").await?;
    platform.key.sign(&signed).await?;
    let mut scene = Scene {
        platform,
        namespace,
        signed,
        bare,
    };
    trouble_is_unknown_and_passes(&scene).await?;
    what_is_verified_is_not_asked_for_again(&scene).await?;
    another_key_concerns_those_who_name_it(&scene).await?;
    an_image_that_is_gone_stays_verified(&scene).await?;
    a_restart_without_the_registry_writes_nothing(&mut scene).await?;
    what_nobody_wants_is_forgotten(&scene).await
}

async fn deploy(scene: &Scene, name: &str, image: &str) -> Result<()> {
    apply(&scene.platform, &scene.namespace, deployment(name, image, None)).await
}

/// What a registry in trouble does is told by name, and mended without anybody's action.
async fn trouble_is_unknown_and_passes(scene: &Scene) -> Result<()> {
    let platform = &scene.platform;
    for (number, (lie, reason)) in [
        (Lie::RetryAfter(1), "RegistryThrottled"),
        (Lie::Status(503), "RegistryUnavailable"),
        (Lie::Status(401), "Unauthorized"),
        (Lie::Status(403), "Forbidden"),
        (Lie::Status(404), "NotFound"),
        (Lie::Hang, "RegistryTimeout"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("trouble-{number}");
        let image = push(platform.liar.host(), "apps/trouble", &name).await?;
        platform.key.sign(&image).await?;
        let hex = digest_of(&image).trim_start_matches("sha256:").to_owned();
        platform.liar.tell(Part::Path(hex), lie);
        deploy(scene, &name, &image).await?;
        let release = format!("deployment-{name}");
        says(
            platform,
            &scene.namespace,
            &release,
            unknown(IMAGES, reason, "could not be checked"),
        )
        .await
        .context(reason)?;
        platform.liar.be_honest();
        says(platform, &scene.namespace, &release, verified(IMAGES))
            .await
            .context(reason)?;
    }
    Ok(())
}

/// Waits until registries were asked `more` further questions of this kind and outcome.
async fn further(platform: &Platform, labels: &[&str], more: f64) -> Result<()> {
    let count = async || -> Result<f64> {
        let text = platform.operator.metrics().await?;
        let samples = text.lines().filter(|line| {
            line.starts_with(QUESTIONS) && labels.iter().all(|label| line.contains(&format!("\"{label}\"")))
        });
        Ok(samples
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum())
    };
    let before = count().await?;
    let what = format!("{more} further questions {labels:?}");
    eventually(
        &what,
        SOON,
        async || Ok((count().await? >= before + more).then_some(())),
    )
    .await
}

/// Two names of one artifact are one question, and none once it is verified.
async fn what_is_verified_is_not_asked_for_again(scene: &Scene) -> Result<()> {
    let platform = &scene.platform;
    platform.liar.asked();
    for name in ["a", "b", "c"] {
        deploy(scene, name, &scene.signed).await?;
    }
    deploy(scene, "bare", &scene.bare).await?;
    for name in ["a", "b", "c"] {
        says(
            platform,
            &scene.namespace,
            &format!("deployment-{name}"),
            verified(IMAGES),
        )
        .await?;
    }
    let unsigned = rejected(IMAGES, "Unsigned", "sign exactly this digest");
    says(platform, &scene.namespace, "deployment-bare", unsigned).await?;
    // What nobody signed is asked for again at the interval: that is the clock.
    further(platform, &["signatures", "ok"], 3.0).await?;
    let asked = platform.liar.asked();
    let about = |reference: &str, what: &str| {
        let name = format!("/{what}/{}", digest_of(reference));
        asked.iter().filter(|line| line.contains(&name)).count()
    };
    ensure!(about(&scene.signed, "referrers") == 1, "{asked:#?}");
    ensure!(about(&scene.bare, "referrers") >= 3, "{asked:#?}");
    let others = asked.iter().filter(|line| line.contains("apps/trouble")).count();
    ensure!(others == 0, "verified, and asked for again: {asked:#?}");
    Ok(())
}

/// A Signer that changes, goes and comes back: only what names it is looked at again.
#[expect(clippy::print_stdout, reason = "the figures are for who reads the test")]
async fn another_key_concerns_those_who_name_it(scene: &Scene) -> Result<()> {
    let platform = &scene.platform;
    let rotating = platform.namespace("rotating").await?;
    platform.signer("rotating", &platform.key).await?;
    platform
        .apply(
            &rotating,
            &track(&rotating, DEPLOYMENTS, "{images: {signers: [rotating]}}", ""),
        )
        .await?;
    apply(platform, &rotating, deployment("app", &scene.signed, None)).await?;
    let found = says(platform, &rotating, "deployment-app", verified(IMAGES)).await?;
    ensure!(artifacts(&found)[0].signers == ["rotating"], "{:?}", artifacts(&found));
    let others = versions(platform, &scene.namespace).await?;
    let checks = metric(platform.probes(), CHECKS, "").await?;
    platform.liar.asked();

    let stranger = KeyPair::generate().await?;
    platform.signer("rotating", &stranger).await?;
    let untrusted = rejected(IMAGES, "UntrustedKey", "made by none of the trusted keys (rotating)");
    says(platform, &rotating, "deployment-app", untrusted).await?;
    let asked = platform.liar.asked();
    let stray = asked
        .iter()
        .filter(|line| !line.contains("apps/signed") && !line.contains("apps/bare"))
        .count();
    ensure!(stray == 0, "{asked:#?}");
    let checked = metric(platform.probes(), CHECKS, "").await? - checks;
    println!(
        "one Signer changed: {checked} signature checks, {} requests",
        asked.len()
    );
    ensure!((checked - 1.0).abs() < 0.1, "{checked} checks");

    let signers: Api<Signer> = Api::all(platform.client.clone());
    signers.delete("rotating", &DeleteParams::default()).await?;
    object_goes(&signers, "rotating", SOON).await?;
    let missing = unknown(IMAGES, "SignerNotFound", "there is no Signer rotating: create it");
    says(platform, &rotating, "deployment-app", missing).await?;
    platform.liar.asked();
    platform.signer("rotating", &platform.key).await?;
    says(platform, &rotating, "deployment-app", verified(IMAGES)).await?;
    let asked = platform.liar.asked();
    ensure!(!asked.iter().any(|line| line.contains("apps/signed")), "{asked:#?}");
    let after = versions(platform, &scene.namespace).await?;
    ensure!(
        others == after,
        "workloads that do not name the Signer were written: {others:?} {after:?}"
    );
    Ok(())
}

/// The registry loses an image that runs: it stays verified, also for a workload that comes now.
async fn an_image_that_is_gone_stays_verified(scene: &Scene) -> Result<()> {
    let platform = &scene.platform;
    let url = format!(
        "http://{}/v2/apps/signed/manifests/{}",
        platform.registry.host(),
        digest_of(&scene.signed)
    );
    let client = reqwest::Client::new();
    client.delete(&url).send().await?.error_for_status()?;
    ensure!(client.get(&url).send().await?.status() == 404, "it is still there");
    deploy(scene, "late", &scene.signed).await?;
    says(platform, &scene.namespace, "deployment-late", verified(IMAGES)).await?;
    Ok(())
}

/// Verified and rejected alike: what was known before is known after, and written once.
async fn a_restart_without_the_registry_writes_nothing(scene: &mut Scene) -> Result<()> {
    let platform = &mut scene.platform;
    let before = versions(platform, &scene.namespace).await?;
    platform.registry.stop().await?;
    further(platform, &["signatures", "RegistryUnavailable"], 1.0).await?;
    let after = versions(platform, &scene.namespace).await?;
    ensure!(before == after, "an outage wrote: {before:?} {after:?}");
    platform.operator.start_again()?;
    platform.operator.ready().await?;
    // A workload that was never judged shows that all before it in the queue were; the rejected one was asked for.
    let probes = platform.probes().to_owned();
    let looked = async || {
        let unavailable = metric(&probes, QUESTIONS, "RegistryUnavailable").await? >= 1.0;
        let looked = metric(&probes, "interlock_reconciles_total", "ok").await?;
        #[expect(clippy::cast_precision_loss, reason = "a few workloads")]
        let all = looked > before.len() as f64 + 1.0;
        Ok((unavailable && all).then_some(()))
    };
    eventually("everything was looked at without the registry", SOON, looked).await?;
    further(platform, &["signatures", "RegistryUnavailable"], 1.0).await?;
    let after = versions(platform, &scene.namespace).await?;
    ensure!(before == after, "a restart wrote: {before:?} {after:?}");
    // A tag is not known any more, nor what was never asked about; neither is unsigned.
    let host = platform.liar.host();
    for (name, image) in [
        ("tagged", format!("{host}/apps/bare:1")),
        ("never-asked", format!("{host}/apps/bare@sha256:{}", "2".repeat(64))),
    ] {
        apply(platform, &scene.namespace, deployment(name, &image, None)).await?;
    }
    let away = unknown(IMAGES, "RegistryUnavailable", "could not be checked");
    says(platform, &scene.namespace, "deployment-never-asked", away).await?;
    let denied = crate::signed::Says {
        verdict: "Deny",
        ..away
    };
    says(platform, &scene.namespace, "deployment-tagged", denied).await?;
    platform.registry.start_again().await?;
    platform.key.sign(&scene.bare).await?;
    says(platform, &scene.namespace, "deployment-bare", verified(IMAGES)).await?;
    let signed = crate::signed::Says {
        verdict: "Deny",
        ..verified(IMAGES)
    };
    says(platform, &scene.namespace, "deployment-tagged", signed).await?;
    let not_found = unknown(IMAGES, "NotFound", "not found");
    says(platform, &scene.namespace, "deployment-never-asked", not_found).await?;
    Ok(())
}

/// Evidence goes with the last workload that needs it.
async fn what_nobody_wants_is_forgotten(scene: &Scene) -> Result<()> {
    let platform = &scene.platform;
    let kept = || -> Result<usize> {
        let entries: Vec<_> = std::fs::read_dir(platform.cache())?.collect::<Result<_, _>>()?;
        let names = entries
            .iter()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        Ok(names.filter(|name| name.ends_with(".evidence")).count())
    };
    let many = kept()?;
    ensure!(many > 2, "{many} files");
    let deployments: Api<Deployment> = Api::namespaced(platform.client.clone(), &scene.namespace);
    deployments
        .delete_collection(&DeleteParams::default(), &ListParams::default())
        .await?;
    // The image of the workload in the other namespace is still needed.
    eventually("one entry is left", SOON, async || Ok((kept()? == 1).then_some(()))).await
}
