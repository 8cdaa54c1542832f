//! Who signed it: what is not signed as asked for is refused by name, on registries with the referrers API and without,
//! and the last good bundle keeps judging.

use anyhow::{Context as _, Result};
use interlock_tests::artifact::{INDEX, MANIFEST, Repository};
use interlock_tests::cosign::KeyPair;
use interlock_tests::{Flavour, Registry};
use serde_json::{Value, json};

use crate::trial::{PATH, Refusal, Stage, Trial, digest_of, refusal};

const ATTESTATION: &str = "https://example.com/evaluation/v1";

/// What is offered, and what must be said of it.
const SIGNATURES: [(&str, Refusal); 8] = [
    (
        "unsigned",
        refusal(
            Stage::Verifying,
            "Unsigned",
            "has no signature: sign it with `cosign sign`",
        ),
    ),
    (
        "wrong key",
        refusal(
            Stage::Verifying,
            "UntrustedKey",
            "made by none of the trusted keys (platform)",
        ),
    ),
    (
        "signature of another digest",
        refusal(Stage::Verifying, "SubjectMismatch", "no signature of sha256:"),
    ),
    (
        "attestation as signature",
        refusal(Stage::Verifying, "WrongPredicateType", ATTESTATION),
    ),
    (
        "changed after signing",
        refusal(Stage::Verifying, "BadSignature", "which did not make it"),
    ),
    (
        "signed twice with one key",
        refusal(Stage::Verifying, "ThresholdNotMet", "signed by 1 of 2 needed signers"),
    ),
    (
        "two signers, one key",
        refusal(
            Stage::Verifying,
            "ThresholdNotMet",
            "signed by 1 of 2 needed signers (platform, twin)",
        ),
    ),
    (
        "no bundle at all as signature",
        refusal(Stage::Verifying, "MalformedSignature", "no signature of sha256:"),
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_artifact_that_is_not_signed_as_asked_for_is_refused_and_the_last_good_one_judges() -> Result<()> {
    let tags = Registry::start(Flavour::Tags).await?;
    let more = ["--allow-registry", "--plain-http-registry"].map(|flag| format!("{flag}={}", tags.host()));
    let trial = Trial::start(&more.each_ref().map(String::as_str)).await?;
    let stranger = KeyPair::generate().await?;
    trial.platform.signer("twin", &trial.platform.key).await?;
    trial.platform.signer("stranger", &stranger).await?;

    for host in [trial.platform.registry.host(), tags.host()] {
        let repository = Repository::new(host, PATH);
        for (number, (case, want)) in SIGNATURES.into_iter().enumerate() {
            let context = || format!("case {case:?} on {host}");
            let tag = format!("case-{number}");
            offer(&trial, &stranger, &repository, case, &tag)
                .await
                .with_context(context)?;
            let (signers, threshold) = match want.reason {
                "ThresholdNotMet" if case.starts_with("two") => (vec!["platform", "twin"], 2),
                "ThresholdNotMet" => (vec!["platform", "stranger"], 2),
                _ => (vec!["platform"], 1),
            };
            trial
                .ask(json!({
                    "url": format!("oci://{host}/{PATH}"), "ref": {"tag": tag},
                    "signedBy": {"signers": signers, "threshold": threshold},
                }))
                .await?;
            trial.refuses(case, want).await.with_context(context)?;
        }
    }

    // Trust withdrawn from who signed the good one: said so, and it judges on until a better one is there.
    let signed_by = json!({"signers": ["stranger"]});
    trial
        .ask(json!({"ref": {"tag": "stable"}, "signedBy": signed_by}))
        .await?;
    let withdrawn = refusal(
        Stage::Verifying,
        "UntrustedKey",
        "made by none of the trusted keys (stranger)",
    );
    trial.refuses("trust withdrawn", withdrawn).await?;

    // Two different keys do meet a threshold of two.
    let both = trial.push("both", &trial.fresh()?).await?;
    trial.platform.key.sign(&both).await?;
    stranger.sign(&both).await?;
    let signed_by = json!({"signers": ["platform", "stranger"], "threshold": 2});
    trial
        .ask(json!({"ref": {"tag": "both"}, "signedBy": signed_by}))
        .await?;
    let bundle = trial.judging(digest_of(&both)).await?;
    let status = bundle.status.unwrap_or_default();
    assert_eq!(status.active.unwrap_or_default().signers, ["platform", "stranger"]);
    trial.still_judges(digest_of(&both)).await
}

/// Pushes a good bundle under `tag` with the signature, or what goes for one, of this case.
async fn offer(trial: &Trial, stranger: &KeyPair, repository: &Repository, case: &str, tag: &str) -> Result<()> {
    let key = &trial.platform.key;
    let offered = repository.push(tag, &trial.fresh()?).await?;
    match case {
        "unsigned" => {}
        "wrong key" => stranger.sign(&offered).await?,
        "attestation as signature" => key.attest(&offered, ATTESTATION, &json!({"auc": 0.9})).await?,
        "signed twice with one key" => {
            key.sign(&offered).await?;
            key.sign(&offered).await?;
        }
        "two signers, one key" => key.sign(&offered).await?,
        "signature of another digest" => {
            let signature = signature_of(repository, &signed(trial, repository).await?).await?;
            attach(repository, &signature, &offered).await?;
        }
        "changed after signing" => {
            let signature = signature_of(repository, &signed(trial, repository).await?).await?;
            let changed = edited(&signature, |bundle| {
                bundle["dsseEnvelope"]["payload"] = json!("eyJfdHlwZSI6IngifQ==");
            })?;
            attach(repository, &changed, &offered).await?;
        }
        "no bundle at all as signature" => {
            let signature = signature_of(repository, &signed(trial, repository).await?).await?;
            attach(
                repository,
                &edited(&signature, |bundle| *bundle = json!("signed, honestly"))?,
                &offered,
            )
            .await?;
        }
        other => anyhow::bail!("no such case: {other}"),
    }
    Ok(())
}

/// Another good bundle, truly signed.
async fn signed(trial: &Trial, repository: &Repository) -> Result<String> {
    let reference = repository.push("signed", &trial.fresh()?).await?;
    trial.platform.key.sign(&reference).await?;
    Ok(reference)
}

/// A signature as a registry keeps it.
struct Signature {
    manifest: Value,
    bundle: Vec<u8>,
}

/// The signature attached to `reference`, by the referrers API or by tag.
async fn signature_of(repository: &Repository, reference: &str) -> Result<Signature> {
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
fn edited(signature: &Signature, change: impl FnOnce(&mut Value)) -> Result<Signature> {
    let mut bundle: Value = serde_json::from_slice(&signature.bundle)?;
    change(&mut bundle);
    Ok(Signature {
        manifest: signature.manifest.clone(),
        bundle: serde_json::to_vec(&bundle)?,
    })
}

/// Attaches a signature to `reference` by hand, both ways a registry may list it.
async fn attach(repository: &Repository, signature: &Signature, reference: &str) -> Result<()> {
    let subject = repository.get(&format!("manifests/{}", digest_of(reference))).await?;
    let size = subject.error_for_status()?.bytes().await?.len();
    let mut manifest = signature.manifest.clone();
    let layer = manifest["layers"][0]["mediaType"]
        .as_str()
        .context("a layer has a type")?;
    manifest["layers"][0] = repository.push_blob(layer, &signature.bundle).await?;
    manifest["subject"] = json!({"mediaType": MANIFEST, "digest": digest_of(reference), "size": size});
    let bytes = serde_json::to_vec(&manifest)?;
    let digest = interlock_bundles::digest::Digest::of(&bytes);
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
