//! What a Signer may say besides whose signatures count: which log or timestamp authority must have seen them, in which
//! time a key counts, in which formats, and under which certificate authority. The real cosign signs, with a key, and lets
//! the logs and the authority of a private Sigstore see it or not; with certificates of an authority of one's own, which
//! cosign does not sign with, that Sigstore does.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use interlock_tests::artifact::{Repository, digest_of};
use interlock_tests::cosign::KeyPair;
use interlock_tests::forgery::{attach, carried};
use interlock_tests::keyless::{Log, Services};
use interlock_tests::platform::{baseline, condition_of};
use interlock_tests::sigstore::DEV;
use interlock_tests::{Lie, Part, Platform};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::scene::DEPLOYMENTS;
use crate::signed::{
    Says, apply, artifacts, bring_bundles, deployment, push, rejected, says, track, unknown, verified,
};
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
    scene.sigstore.sign_with_key(&scene.key, Log::Rekor1, &logged).await?;
    scene.sigstore.sign_with_key(&scene.key, Log::Rekor2, &second).await?;
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
    let said = condition_of(&signer.status.unwrap_or_default().conditions, "Ready")
        .2
        .to_owned();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_counts_only_in_a_format_that_its_signer_names() -> Result<()> {
    let scene = Scene::start("formats").await?;
    let platform = &scene.platform;
    let formats = async |formats: Value| -> Result<()> {
        let key = json!({"publicKey": {"pem": scene.key.public()}, "formats": formats});
        signer(platform, key).await?;
        signer_says(platform, "KeyAccepted").await.map(drop)
    };
    signer(platform, json!({"publicKey": {"pem": scene.key.public()}})).await?;
    let host = platform.liar.host();
    let (old, new) = (
        push(host, "shop/cart", "old").await?,
        push(host, "shop/cart", "new").await?,
    );
    scene.key.sign_legacy(&old).await?;
    scene.key.sign(&new).await?;
    platform.liar.asked();
    for (name, image) in [("old", &old), ("new", &new)] {
        apply(platform, &scene.namespace, deployment(name, image, None)).await?;
    }
    let unsigned = rejected(IMAGES, "Unsigned", "has no signature");
    scene
        .each_says(&[("old", unsigned), ("new", verified(IMAGES))].into())
        .await?;
    let asked = platform.liar.asked();
    ensure!(
        !asked.iter().any(|line| line.contains(".sig")),
        "looked for in vain: {asked:#?}"
    );

    // The registry knows of no signature in the new format, and cannot say whether there is an old one.
    platform.liar.tell(Part::Path(".sig".to_owned()), Lie::Status(503));
    formats(json!(["Bundle", "Legacy"])).await?;
    let away = unknown(IMAGES, "RegistryUnavailable", "could not be checked");
    scene.says("old", away).await?;
    platform.liar.be_honest();
    scene
        .each_says(&[("old", verified(IMAGES)), ("new", verified(IMAGES))].into())
        .await?;

    for (named, old, new) in [
        (json!(["Bundle"]), unsigned, verified(IMAGES)),
        (
            json!(["Legacy"]),
            verified(IMAGES),
            rejected(IMAGES, "FormatNotAccepted", "releases signs in the format legacy"),
        ),
        (
            json!(["OldBundle"]),
            unsigned,
            rejected(IMAGES, "FormatNotAccepted", "releases signs in the format old-bundle"),
        ),
        (json!(["Legacy", "Bundle"]), verified(IMAGES), verified(IMAGES)),
    ] {
        formats(named.clone()).await?;
        let wanted = [("old", old), ("new", new)].into();
        scene.each_says(&wanted).await.with_context(|| named.to_string())?;
    }
    a_bundle_counts_by_it_too(&scene).await
}

/// What judges may be signed in the old format as well, by a Signer that names it.
async fn a_bundle_counts_by_it_too(scene: &Scene) -> Result<()> {
    let platform = &scene.platform;
    let host = platform.registry.host();
    let bundle = Repository::new(host, "policies/old")
        .push("stable", &baseline()?)
        .await?;
    scene.key.sign_legacy(&bundle).await?;
    let object = |signer: &str| {
        format!(
            "apiVersion: interlock.dev/v1alpha1\nkind: PolicyBundle\nmetadata: {{name: old}}\nspec:\n  \
             url: oci://{host}/policies/old\n  ref: {{tag: stable}}\n  bundle: baseline\n  pollInterval: 1h\n  \
             signedBy: {{signers: [{signer}]}}\n"
        )
    };
    platform.signer("usual", &scene.key).await?;
    platform.apply("default", &object("usual")).await?;
    platform.bundle_says("old", "Unsigned").await?;
    platform.apply("default", &object("releases")).await?;
    platform.bundle_says("old", "Judging").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_an_authority_of_ones_own_count_for_their_subjects() -> Result<()> {
    let scene = Scene::start("authority").await?;
    let platform = &scene.platform;
    trust_inline(platform, &root_of(&scene.sigstore)?).await?;
    let by = |email: &str| json!({"pki": {"email": email}, "logs": []});
    let dated = |email: &str| {
        let mut request = by(email);
        request["timestamp"] = json!("bare");
        request
    };
    let mut logged = by(DEV.1);
    logged["logs"] = json!([1]);
    for (name, request) in [
        ("dated", dated(DEV.1)),
        ("logged", logged),
        ("undated", by(DEV.1)),
        ("stranger", dated("stranger@example.com")),
    ] {
        let image = scene.deploy(name).await?;
        let bundle = scene.sigstore.signature(&request, &digest_of(&image).parse()?).await?;
        let repository = Repository::new(platform.registry.host(), "shop/cart");
        attach(&repository, &carried(bundle), &image).await?;
    }
    let (root, intermediate) = (
        scene.sigstore.pem("pki_root.pem")?,
        scene.sigstore.pem("pki_intermediate.pem")?,
    );
    let authority = async |more: Value| -> Result<()> {
        let mut authority = json!({"roots": root, "intermediates": intermediate, "subjects": [{"exact": DEV.1}]});
        let more = more.as_object().context("fields")?.clone();
        authority.as_object_mut().context("fields")?.extend(more);
        signer(platform, json!({"certificateAuthority": authority})).await
    };
    let strangers = rejected(IMAGES, "UntrustedIdentity", "not releases: it names");
    for (more, undated, logged, dated) in [
        (
            json!({"trustRoot": "private"}),
            UNDATED,
            verified(IMAGES),
            verified(IMAGES),
        ),
        (
            json!({"trustRoot": "private", "timestamp": "Required"}),
            UNDATED,
            UNDATED,
            verified(IMAGES),
        ),
        (
            json!({"trustRoot": "private", "transparencyLog": "Required"}),
            UNLOGGED,
            verified(IMAGES),
            UNLOGGED,
        ),
        (
            json!({"signingTime": "Issuance"}),
            verified(IMAGES),
            verified(IMAGES),
            verified(IMAGES),
        ),
    ] {
        authority(more.clone()).await?;
        let status = signer_says(platform, "AuthorityAccepted")
            .await?
            .status
            .unwrap_or_default();
        let is_dated = more.get("trustRoot").is_some();
        ensure!(
            status.root_fingerprints.len() == 1
                && status.expires.is_some() == is_dated
                && status.trust_root_digest.is_some() == is_dated,
            "{more}: {status:?}"
        );
        let wanted = [("undated", undated), ("logged", logged), ("dated", dated)].into();
        scene.each_says(&wanted).await.with_context(|| more.to_string())?;
    }
    scene.says("stranger", strangers).await?;
    let both = json!({"subjects": [{"exact": DEV.1}, {"pattern": ".+@example\\.com"}], "signingTime": "Issuance"});
    authority(both).await?;
    scene.says("stranger", verified(IMAGES)).await?;

    // Other roots, for all that they vouch for the same names; and what is no certificate.
    let other = Services::start().await?;
    let foreign = json!({"roots": other.pem("pki_root.pem")?, "signingTime": "Issuance"});
    authority(foreign).await?;
    let untrusted = rejected(
        IMAGES,
        "UntrustedCertificate",
        "none of the root certificates vouches for it",
    );
    scene.says("dated", untrusted).await?;
    let broken =
        json!({"roots": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "signingTime": "Issuance"});
    authority(broken).await?;
    signer_says(platform, "UnusableAuthority").await?;
    let not_known = unknown(IMAGES, "SignerNotReady", "certificate 1 cannot be used");
    scene.says("dated", not_known).await.map(drop)
}
