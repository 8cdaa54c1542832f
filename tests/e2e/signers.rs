//! What a Signer may say of a key: which log or timestamp authority must have seen its signatures, and in which time it
//! counts. The real cosign signs, with a key, and lets the logs and the authority of a private Sigstore see it or not.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use interlock_tests::Platform;
use interlock_tests::cosign::KeyPair;
use interlock_tests::keyless::{Log, Services};
use interlock_tests::platform::condition_of;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::scene::DEPLOYMENTS;
use crate::signed::{Says, apply, artifacts, bring_bundles, deployment, push, rejected, says, track, unknown, verified};
use crate::trust::{digest, root_of, root_says, signer, signer_says, trust_inline};

const IMAGES: &str = "ArtifactsVerified";

/// A platform, a private Sigstore, a key, and a namespace whose images the Signer `releases` signs.
struct Scene {
    platform: Platform,
    sigstore: Services,
    key: KeyPair,
    namespace: String,
}

impl Scene {
    async fn start(story: &str) -> Result<Self> {
        let (platform, sigstore, key) = tokio::try_join!(
            Platform::start_with(&["--evidence-interval=2"]),
            Services::start(),
            KeyPair::generate()
        )?;
        bring_bundles(&platform).await?;
        let namespace = platform.namespace(story).await?;
        let track = track(&namespace, DEPLOYMENTS, "{images: {signers: [releases]}}", "");
        platform.apply(&namespace, &track).await?;
        Ok(Self {
            platform,
            sigstore,
            key,
            namespace,
        })
    }

    /// The Signer `releases`: the key, and what is said of it besides.
    async fn key_with(&self, more: Value) -> Result<()> {
        let mut key = json!({"pem": self.key.public()});
        let more = more.as_object().context("fields")?.clone();
        key.as_object_mut().context("fields")?.extend(more);
        signer(&self.platform, json!({"publicKey": key})).await
    }

    /// A workload with an image that nobody signed yet.
    async fn deploy(&self, name: &str) -> Result<String> {
        let image = push(self.platform.registry.host(), "shop/cart", name).await?;
        apply(&self.platform, &self.namespace, deployment(name, &image, None)).await?;
        Ok(image)
    }

    async fn says(&self, workload: &str, want: Says) -> Result<interlock_crds::Release> {
        says(&self.platform, &self.namespace, &format!("deployment-{workload}"), want).await
    }

    async fn each_says(&self, wanted: &BTreeMap<&'static str, Says>) -> Result<()> {
        for (workload, want) in wanted {
            self.says(workload, *want)
                .await
                .with_context(|| format!("{workload}: {want:?}"))?;
        }
        Ok(())
    }
}

const UNLOGGED: Says = rejected(IMAGES, "NotLogged", "this signer must have one");
const UNDATED: Says = rejected(IMAGES, "NoTrustedTime", "");
const OUTSIDE: Says = rejected(IMAGES, "KeyNotValid", "its key counts");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_counts_only_with_what_its_signer_demands() -> Result<()> {
    let scene = Scene::start("witnessed").await?;
    let (bare, logged, second) = (
        scene.deploy("bare").await?,
        scene.deploy("logged").await?,
        scene.deploy("second-log").await?,
    );
    scene.key.sign(&bare).await?;
    scene
        .sigstore
        .sign_with_key(&scene.key, Log::Rekor1, &logged)
        .await?;
    scene
        .sigstore
        .sign_with_key(&scene.key, Log::Rekor2, &second)
        .await?;
    the_key_waits_for_its_root(&scene).await?;
    each_demand_is_held(&scene).await?;
    what_the_root_has_not_is_unknown(&scene).await?;
    another_root_turns_what_runs(&scene).await
}

/// Nothing is demanded; then an entry in a log, of a root that comes later.
async fn the_key_waits_for_its_root(scene: &Scene) -> Result<()> {
    let platform = &scene.platform;
    scene.key_with(json!({})).await?;
    signer_says(platform, "KeyAccepted").await?;
    let all = ["bare", "logged", "second-log"].map(|name| (name, verified(IMAGES)));
    scene.each_says(&all.into()).await?;
    scene
        .key_with(json!({"trustRoot": "private", "transparencyLog": "Required"}))
        .await?;
    signer_says(platform, "TrustRootNotFound").await?;
    let absent = unknown(IMAGES, "SignerNotReady", "there is no TrustRoot private: create it");
    let all = ["bare", "logged", "second-log"].map(|name| (name, absent));
    scene.each_says(&all.into()).await?;
    let root = root_of(&scene.sigstore)?;
    trust_inline(platform, &root).await?;
    let signer = signer_says(platform, "KeyAccepted").await?;
    let status = signer.status.unwrap_or_default();
    ensure!(
        status.trust_root_digest == Some(digest(&root)) && status.fingerprint.is_some() && status.expires.is_none(),
        "{status:?}"
    );
    let said = condition_of(&status.conditions, "Ready").2;
    ensure!(said.ends_with("count if they are in a transparency log"), "{said}");
    let found = scene.says("logged", verified(IMAGES)).await?;
    ensure!(artifacts(&found)[0].signers == ["releases"], "{:?}", artifacts(&found));
    Ok(())
}

async fn each_demand_is_held(scene: &Scene) -> Result<()> {
    let ago = |hours: i64| (Timestamp::now() - SignedDuration::from_hours(hours)).to_string();
    let (past, gone, soon) = (ago(2), ago(1), ago(-1));
    for (demands, ready, words, wanted) in [
        (
            json!({"transparencyLog": "Required"}),
            "KeyAccepted",
            "in a transparency log",
            [UNLOGGED, verified(IMAGES), verified(IMAGES)],
        ),
        (
            json!({"timestamp": "Required"}),
            "KeyAccepted",
            "seen by a timestamp authority",
            [UNDATED, verified(IMAGES), verified(IMAGES)],
        ),
        (
            json!({"notBefore": past, "notAfter": soon}),
            "KeyAccepted",
            "made from 2",
            [UNDATED, verified(IMAGES), verified(IMAGES)],
        ),
        (
            json!({"notBefore": past, "notAfter": gone}),
            "Expired",
            "the key's time ended at",
            [UNDATED, OUTSIDE, OUTSIDE],
        ),
        (
            json!({"notBefore": soon}),
            "KeyAccepted",
            "made from 2",
            [UNDATED, OUTSIDE, OUTSIDE],
        ),
        (
            json!({"transparencyLog": "Required", "timestamp": "Required", "notBefore": past, "notAfter": soon}),
            "KeyAccepted",
            "in a transparency log and seen by a timestamp authority and made from 2",
            [UNLOGGED, verified(IMAGES), verified(IMAGES)],
        ),
    ] {
        let mut key = demands.clone();
        key["trustRoot"] = json!("private");
        scene.key_with(key).await?;
        let status = signer_says(&scene.platform, ready).await?.status.unwrap_or_default();
        let said = condition_of(&status.conditions, "Ready").2;
        ensure!(said.contains(words), "{demands}: {said}");
        ensure!(
            demands.get("notAfter").is_none() || status.expires.is_some(),
            "{demands}: {status:?}"
        );
        let names = ["bare", "logged", "second-log"];
        let wanted = names.into_iter().zip(wanted).collect();
        scene.each_says(&wanted).await.with_context(|| demands.to_string())?;
    }
    Ok(())
}

/// A root without anybody who could say what is demanded: nobody knows who signed. One that issues no certificates is fine.
async fn what_the_root_has_not_is_unknown(scene: &Scene) -> Result<()> {
    let platform = &scene.platform;
    scene
        .key_with(json!({"trustRoot": "private", "transparencyLog": "Required"}))
        .await?;
    let mut root: Value = serde_json::from_str(&root_of(&scene.sigstore)?)?;
    root["certificateAuthorities"] = json!([]);
    trust_inline(platform, &root.to_string()).await?;
    root_says(platform, "RootAccepted").await?;
    signer_says(platform, "KeyAccepted").await?;
    scene.says("logged", verified(IMAGES)).await?;
    root["tlogs"] = json!([]);
    trust_inline(platform, &root.to_string()).await?;
    let signer = signer_says(platform, "TrustRootNotReady").await?;
    let said = condition_of(&signer.status.unwrap_or_default().conditions, "Ready").2.to_owned();
    ensure!(said.starts_with("TrustRoot private has no transparency log"), "{said}");
    let nobody = unknown(IMAGES, "SignerNotReady", "has no transparency log");
    scene.says("logged", nobody).await?;
    trust_inline(platform, &root_of(&scene.sigstore)?).await?;
    scene.says("logged", verified(IMAGES)).await?;
    Ok(())
}

/// The same key, and another log: an entry of the one that is not trusted any more is none.
async fn another_root_turns_what_runs(scene: &Scene) -> Result<()> {
    let other = Services::start().await?;
    trust_inline(&scene.platform, &root_of(&other)?).await?;
    scene.says("logged", rejected(IMAGES, "NotLogged", "")).await?;
    trust_inline(&scene.platform, &root_of(&scene.sigstore)?).await?;
    scene.says("logged", verified(IMAGES)).await?;
    Ok(())
}
