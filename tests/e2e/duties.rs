//! Separation of duties: who builds is not who approves. By cosign's own hand, for an image and for a bundle.

use anyhow::{Result, ensure};
use interlock_tests::Platform;
use interlock_tests::artifact::Repository;
use interlock_tests::cosign::KeyPair;
use interlock_tests::platform::{baseline, bundle_conditions, condition_of};
use serde_json::json;

use crate::scene::DEPLOYMENTS;
use crate::signed::{apply, artifacts, bring_bundles, deployment, push, rejected, says, track, verified};

const IMAGES: &str = "ArtifactsVerified";

/// Who may build and who may approve. `twin` is another name of the builder's key.
const SIGNED_BY: &str = "{signers: [ci, twin, lead], duties: [{name: builder, signers: [ci]}, \
    {name: approver, signers: [lead, twin]}]}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_each_duty_somebody_else_has_to_sign() -> Result<()> {
    let platform = Platform::start_with(&["--evidence-interval=2"]).await?;
    let (builder, lead) = tokio::try_join!(KeyPair::generate(), KeyPair::generate())?;
    for (name, key) in [("ci", &builder), ("twin", &builder), ("lead", &lead)] {
        platform.signer(name, key).await?;
    }
    bring_bundles(&platform).await?;
    let namespace = platform.namespace("duties").await?;
    let track = track(&namespace, DEPLOYMENTS, &format!("{{images: {SIGNED_BY}}}"), "");
    platform.apply(&namespace, &track).await?;

    // Two images: what somebody signs of one says nothing of the other.
    let host = platform.registry.host();
    let (cart, other) = (
        push(host, "duties/cart", "1").await?,
        push(host, "duties/other", "1").await?,
    );
    for (name, image) in [("cart", &cart), ("other", &other)] {
        builder.sign(image).await?;
        apply(&platform, &namespace, deployment(name, image, None)).await?;
    }
    lead.sign(&cart).await?;
    let found = says(&platform, &namespace, "deployment-cart", verified(IMAGES)).await?;
    ensure!(
        artifacts(&found)[0].signers == ["ci", "lead", "twin"],
        "{:?}",
        artifacts(&found)
    );
    let alone = rejected(IMAGES, "DutiesNotSeparate", "nobody of them is left for: approver");
    let found = says(&platform, &namespace, "deployment-other", alone).await?;
    let failed = &artifacts(&found)[0].checks_failed;
    ensure!(*failed == ["separation-of-duties"], "{failed:?}");

    // Somebody else approves: found at the interval.
    lead.sign(&other).await?;
    says(&platform, &namespace, "deployment-other", verified(IMAGES)).await?;

    // An approver alone has built nothing.
    let approved = push(host, "duties/approved", "1").await?;
    lead.sign(&approved).await?;
    apply(&platform, &namespace, deployment("approved", &approved, None)).await?;
    let unbuilt = rejected(IMAGES, "DutiesNotSeparate", "nobody of them is left for: builder");
    says(&platform, &namespace, "deployment-approved", unbuilt).await?;
    a_bundle_too(&platform, &builder, &lead).await
}

async fn a_bundle_too(platform: &Platform, builder: &KeyPair, lead: &KeyPair) -> Result<()> {
    let host = platform.registry.host();
    let pushed = Repository::new(host, "policies/duties")
        .push("stable", &baseline()?)
        .await?;
    builder.sign(&pushed).await?;
    let bundle = json!({
        "apiVersion": "interlock.dev/v1alpha1", "kind": "PolicyBundle", "metadata": {"name": "duties"},
        "spec": {
            "url": format!("oci://{host}/policies/duties"), "ref": {"tag": "stable"}, "bundle": "baseline",
            "pollInterval": "10s",
            "signedBy": {"signers": ["ci", "lead"], "duties": [
                {"name": "builder", "signers": ["ci"]}, {"name": "approver", "signers": ["lead"]},
            ]},
        },
    });
    apply(platform, "default", bundle).await?;
    let refused = platform.bundle_says("duties", "DutiesNotSeparate").await?;
    let said = condition_of(bundle_conditions(&refused), "Verified").2;
    ensure!(said.contains("left for: approver"), "{said}");
    lead.sign(&pushed).await?;
    let judging = platform.bundle_says("duties", "Judging").await?;
    let active = judging.status.and_then(|status| status.active).unwrap_or_default();
    ensure!(active.signers == ["ci", "lead"], "{active:?}");
    Ok(())
}
