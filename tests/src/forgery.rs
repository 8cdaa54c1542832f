//! Signatures as they should not be: unsigned, of a stranger, of something else, bent after they were made. What can
//! be made so by cosign is; the rest is attached by hand.

#![expect(
    clippy::indexing_slicing,
    reason = "a story ends where what it bends is not what a registry keeps"
)]

use anyhow::{Context as _, Result};
use interlock_bundles::digest::Digest;
use serde_json::{Value, json};

use crate::artifact::{INDEX, MANIFEST, Repository, digest_of};
use crate::cosign::KeyPair;

/// Type of the attestation that is offered as a signature.
pub const ATTESTATION: &str = "https://example.com/evaluation/v1";

/// Pushes an artifact whose layer `fresh` makes under `tag`, with the signature, or what goes for one, of this case by
/// a trusted key or a stranger's. Answers `host/path@sha256:…`.
pub async fn offer(
    (key, stranger): (&KeyPair, &KeyPair),
    repository: &Repository,
    case: &str,
    tag: &str,
    fresh: impl Fn() -> Result<Vec<u8>>,
) -> Result<String> {
    let offered = repository.push(tag, &fresh()?).await?;
    match case {
        "unsigned" => {}
        "wrong key" => stranger.sign(&offered).await?,
        "attestation as signature" => key.attest(&offered, ATTESTATION, &json!({"auc": 0.9})).await?,
        "signed twice with one key" => {
            key.sign(&offered).await?;
            key.sign(&offered).await?;
        }
        "two signers, one key" => key.sign(&offered).await?,
        "signature of another digest" | "changed after signing" | "no bundle at all as signature" => {
            let other = repository.push("signed", &fresh()?).await?;
            key.sign(&other).await?;
            let signature = signature_of(repository, &other).await?;
            let bent = edited(&signature, |bundle| match case {
                "changed after signing" => bundle["dsseEnvelope"]["payload"] = json!("eyJfdHlwZSI6IngifQ=="),
                "no bundle at all as signature" => *bundle = json!("signed, honestly"),
                _ => {}
            })?;
            attach(repository, &bent, &offered).await?;
        }
        other => anyhow::bail!("no such case: {other}"),
    }
    Ok(offered)
}

/// A signature as a registry keeps it.
pub struct Signature {
    manifest: Value,
    bundle: Vec<u8>,
}

/// A Sigstore bundle as `oras attach` and cosign carry it, of which the config's blob must be pushed.
pub fn carried(bundle: Vec<u8>) -> Signature {
    let media_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let config = json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}"), "size": 2});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": media_type, "config": config,
        "layers": [{"mediaType": media_type}],
    });
    Signature { manifest, bundle }
}

/// The signature attached to `reference`, by the referrers API or by tag.
pub async fn signature_of(repository: &Repository, reference: &str) -> Result<Signature> {
    let digest = digest_of(reference);
    let mut listing = repository.get(&format!("referrers/{digest}")).await?;
    if !listing.status().is_success() {
        listing = repository
            .get(&format!("manifests/{}", digest.replace(':', "-")))
            .await?;
    }
    let listing: Value = listing.error_for_status()?.json().await?;
    let listed = listing["manifests"][0]["digest"]
        .as_str()
        .context("nothing is listed")?;
    let manifest: Value = repository.get(&format!("manifests/{listed}")).await?.json().await?;
    let layer = manifest["layers"][0]["digest"]
        .as_str()
        .context("the signature has no layer")?;
    let bundle = repository.get(&format!("blobs/{layer}")).await?.bytes().await?.to_vec();
    Ok(Signature { manifest, bundle })
}

/// The signature with another Sigstore bundle in it.
pub fn edited(signature: &Signature, change: impl FnOnce(&mut Value)) -> Result<Signature> {
    let mut bundle: Value = serde_json::from_slice(&signature.bundle)?;
    change(&mut bundle);
    Ok(Signature {
        manifest: signature.manifest.clone(),
        bundle: serde_json::to_vec(&bundle)?,
    })
}

/// Attaches a signature to `reference` by hand, both ways a registry may list it.
pub async fn attach(repository: &Repository, signature: &Signature, reference: &str) -> Result<()> {
    let subject = repository.get(&format!("manifests/{}", digest_of(reference))).await?;
    let size = subject.error_for_status()?.bytes().await?.len();
    let mut manifest = signature.manifest.clone();
    let layer = manifest["layers"][0]["mediaType"]
        .as_str()
        .context("a layer has a type")?;
    manifest["layers"][0] = repository.push_blob(layer, &signature.bundle).await?;
    manifest["subject"] = json!({"mediaType": MANIFEST, "digest": digest_of(reference), "size": size});
    let bytes = serde_json::to_vec(&manifest)?;
    let digest = Digest::of(&bytes);
    repository.push_manifest(&digest.to_string(), MANIFEST, &bytes).await?;
    let listed = json!({
        "mediaType": MANIFEST, "digest": digest, "size": bytes.len(), "artifactType": manifest["artifactType"],
    });
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [listed]});
    let tag = digest_of(reference).replace(':', "-");
    repository
        .push_manifest(&tag, INDEX, &serde_json::to_vec(&index)?)
        .await?;
    Ok(())
}
