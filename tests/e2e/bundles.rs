//! Who signed it: what is not signed as asked for is refused by name, on registries with the referrers API and without,
//! and the last good bundle keeps judging.

use anyhow::{Context as _, Result};
use interlock_tests::artifact::Repository;
use interlock_tests::cosign::KeyPair;
use interlock_tests::forgery::{ATTESTATION, offer};
use interlock_tests::{Flavour, Registry};
use serde_json::json;

use crate::trial::{PATH, Refusal, Stage, Trial, digest_of, refusal};

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
            offer((&trial.platform.key, &stranger), &repository, case, &tag, || {
                trial.fresh()
            })
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
