//! What is revoked counts no more, whoever signed it, also where it runs: at once, and without a word of any registry. What
//! is not revoked any more counts again.

use anyhow::{Context as _, Result, ensure};
use interlock_crds::{Revocation, Signer};
use interlock_tests::Platform;
use interlock_tests::artifact::digest_of;
use interlock_tests::cosign::KeyPair;
use interlock_tests::eventually::{object_becomes, object_goes};
use interlock_tests::platform::{SOON, bundle_conditions, condition_of, release_conditions};
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::scene::DEPLOYMENTS;
use crate::signed::{apply, artifacts, bring_bundles, deployment, push, rejected, says, track, verified};

const IMAGES: &str = "ArtifactsVerified";

/// A platform, a namespace whose images `platform` or `lead` signs, and two images that `platform` signed, named as the
/// liar's.
struct Scene {
    platform: Platform,
    namespace: String,
    cart: String,
    other: String,
}

impl Scene {
    async fn revoke(&self, mut spec: Value) -> Result<()> {
        spec["reason"] = json!("a story");
        let object = json!({"apiVersion": "interlock.dev/v1alpha1", "kind": "Revocation", "metadata": {"name": "incident"}, "spec": spec});
        apply(&self.platform, "default", object).await
    }

    async fn take_back(&self) -> Result<()> {
        let revocations: Api<Revocation> = Api::all(self.platform.client.clone());
        revocations.delete("incident", &DeleteParams::default()).await?;
        object_goes(&revocations, "incident", SOON).await
    }

    async fn says(&self, workload: &str, want: crate::signed::Says) -> Result<interlock_crds::Release> {
        says(&self.platform, &self.namespace, &format!("deployment-{workload}"), want).await
    }

    /// The fingerprint of a Signer's key.
    async fn fingerprint(&self, signer: &str) -> Result<String> {
        let signers: Api<Signer> = Api::all(self.platform.client.clone());
        let told = |signer: &Signer| signer.status.as_ref().and_then(|status| status.fingerprint.clone());
        let signer = object_becomes(&signers, signer, "tells its fingerprint", SOON, |signer| {
            told(signer).is_some()
        });
        told(&signer.await?).context("a fingerprint")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_revoked_counts_nowhere_until_it_is_taken_back() -> Result<()> {
    let platform = Platform::start_with(&["--evidence-interval=2"]).await?;
    let lead = KeyPair::generate().await?;
    platform.signer("lead", &lead).await?;
    bring_bundles(&platform).await?;
    let namespace = platform.namespace("revoked").await?;
    let track = track(&namespace, DEPLOYMENTS, "{images: {signers: [platform, lead]}}", "");
    platform.apply(&namespace, &track).await?;
    let host = platform.liar.host();
    let (cart, other) = (
        push(host, "apps/cart", "1").await?,
        push(host, "apps/other", "1").await?,
    );
    for (name, image) in [("cart", &cart), ("other", &other)] {
        platform.key.sign(image).await?;
        apply(&platform, &namespace, deployment(name, image, None)).await?;
    }
    let mut scene = Scene {
        platform,
        namespace,
        cart,
        other,
    };
    for name in ["cart", "other"] {
        scene.says(name, verified(IMAGES)).await?;
    }
    an_image(&scene).await?;
    a_signature(&scene).await?;
    a_key_and_all_that_it_signed(&scene, &lead).await?;
    a_bundle_keeps_judging_until_a_restart(&mut scene).await
}

/// Only the one that is named turns, and nobody is asked about it.
async fn an_image(scene: &Scene) -> Result<()> {
    let before = scene.says("other", verified(IMAGES)).await?;
    scene.platform.liar.asked();
    scene.revoke(json!({"digests": [digest_of(&scene.cart)]})).await?;
    let turned = scene
        .says("cart", rejected(IMAGES, "Revoked", "is revoked: use another"))
        .await?;
    let artifact = &artifacts(&turned)[0];
    ensure!(artifact.checks_failed == ["revocation"], "{artifact:?}");
    let message = condition_of(release_conditions(&turned), IMAGES).2;
    ensure!(message.contains(digest_of(&scene.cart)), "{message}");
    // Also for a workload that comes now, under any name.
    let copy = scene.cart.replace("apps/cart@", "apps/never-asked@");
    apply(&scene.platform, &scene.namespace, deployment("copy", &copy, None)).await?;
    scene.says("copy", rejected(IMAGES, "Revoked", "is revoked")).await?;
    let after = scene.says("other", verified(IMAGES)).await?;
    ensure!(
        before.metadata.resource_version == after.metadata.resource_version,
        "what is not revoked was written"
    );
    let asked = scene.platform.liar.asked();
    ensure!(
        asked.is_empty(),
        "a registry was asked about what is revoked: {asked:#?}"
    );
    scene.take_back().await?;
    scene.says("cart", verified(IMAGES)).await?;
    let asked = scene.platform.liar.asked();
    let about = asked.iter().filter(|line| line.contains("apps/cart")).count();
    ensure!(about == 0, "a registry was asked about what is verified: {asked:#?}");
    Ok(())
}

/// A signature by its own digest, as `interlock verify` shows it.
async fn a_signature(scene: &Scene) -> Result<()> {
    let key = scene.platform.key.public_file().display().to_string();
    let shown = interlock_tests::operator::interlock(&[
        "verify",
        "image",
        "--plain-http",
        "--key",
        &key,
        "-o",
        "json",
        &scene.other,
    ])
    .await?;
    let shown: Value = serde_json::from_slice(&shown.stdout)?;
    let evidence = shown["checks"][0]["evidence"].as_str().context("a signature")?;
    scene.revoke(json!({"digests": [evidence]})).await?;
    let want = rejected(IMAGES, "Revoked", "the signature is revoked");
    scene.says("other", want).await?;
    scene.says("cart", verified(IMAGES)).await?;
    scene.take_back().await?;
    scene.says("other", verified(IMAGES)).await?;
    Ok(())
}

/// While the registry is away: what is known of the signatures is enough to tell. Whoever has signed with a key that counts
/// is found once it is back.
async fn a_key_and_all_that_it_signed(scene: &Scene, lead: &KeyPair) -> Result<()> {
    let fingerprint = scene.fingerprint("platform").await?;
    let turned = rejected(
        IMAGES,
        "Revoked",
        "it rests on a key of platform that is revoked, sha256:",
    );
    scene.platform.registry.stop().await?;
    scene.revoke(json!({"keys": [fingerprint]})).await?;
    for name in ["cart", "other"] {
        let found = scene.says(name, turned).await?;
        let failed = &artifacts(&found)[0].checks_failed;
        ensure!(*failed == ["revocation", "threshold"], "{failed:?}");
    }
    let refused = scene.platform.bundle_says("baseline", "Revoked").await?;
    let said = condition_of(bundle_conditions(&refused), "Ready").2;
    ensure!(
        said.contains("a key of platform") && said.ends_with("keeps judging"),
        "{said}"
    );
    scene.platform.registry.start_again().await?;
    lead.sign(&scene.cart).await?;
    let found = scene.says("cart", verified(IMAGES)).await?;
    ensure!(artifacts(&found)[0].signers == ["lead"], "{:?}", artifacts(&found));
    scene.says("other", turned).await?;
    Ok(())
}

/// The same key signed the bundles: they are not taken away, and after a restart they are not taken up again.
async fn a_bundle_keeps_judging_until_a_restart(scene: &mut Scene) -> Result<()> {
    let conditions = scene.platform.bundle_says("baseline", "Revoked").await?;
    let verified_by = condition_of(bundle_conditions(&conditions), "Verified");
    ensure!(
        (verified_by.0, verified_by.1) == ("Revoked", "False"),
        "{verified_by:?}"
    );
    scene.platform.operator.start_again()?;
    scene.platform.operator.ready().await?;
    for name in ["cart", "other"] {
        let release = format!("deployment-{name}");
        scene
            .platform
            .release_says(&scene.namespace, &release, "Unknown", "BundleNotReady")
            .await?;
    }
    scene.take_back().await?;
    scene.platform.bundle_says("baseline", "Judging").await?;
    scene.platform.bundle_says("model", "Judging").await?;
    for name in ["cart", "other"] {
        scene.says(name, verified(IMAGES)).await?;
    }
    Ok(())
}
