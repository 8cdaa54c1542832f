//! Attestations as evidence: what signers who count say of an image, by cosign's own hand, decides a gate; what anybody
//! else says, or about something else, does not. On registries with the referrers API and without.

use anyhow::{Context as _, Result, ensure};
use interlock_crds::{Release, Signer};
use interlock_tests::artifact::Repository;
use interlock_tests::cosign::KeyPair;
use interlock_tests::keyless::{Log, Services};
use interlock_tests::opa::build_files;
use interlock_tests::{Flavour, Platform, Registry};
use kube::Api;
use serde_json::json;

use crate::signed::{apply, deployment, fresh, push};
use crate::trust::{root_of, signer, trust_inline};

const TYPE: &str = "https://example.com/evaluation/v1";
const NAME: &str = "evaluation";

/// The track: who signs, who evaluates, and what else is said of that.
fn track(namespace: &str, evaluators: &str, more: &str) -> String {
    let track = crate::main_job::track(namespace, namespace, NAME);
    format!(
        "{track}  signedBy:\n    images: {{signers: [platform]}}\n    \
         attestations: [{{predicateType: {TYPE:?}, signers: [{evaluators}]{more}}}]\n"
    )
}

/// A platform whose bundle wants evaluations.
async fn evaluating(more: &[&str]) -> Result<Platform> {
    let platform = Platform::start_with(more).await?;
    let manifest = r#"{"revision":"1.0.0","roots":["evaluation"],"metadata":{"name":"evaluation"}}"#;
    let files = [
        ("evaluation.rego", include_str!("attestations/policy.rego")),
        (".manifest", manifest),
    ];
    let bundle = build_files(&files, &["evaluation/decision", "evaluation/catalogue"]).await?;
    platform.publish("policies/evaluation", "stable", &bundle).await?;
    let host = platform.registry.host();
    platform
        .bundle(NAME, host, "policies/evaluation", "stable", NAME)
        .await?;
    platform.bundle_says(NAME, "Judging").await?;
    Ok(platform)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_those_who_count_attest_decides_a_gate() -> Result<()> {
    let tags = Registry::start(Flavour::Tags).await?;
    let more = ["--allow-registry", "--plain-http-registry"].map(|flag| format!("{flag}={}", tags.host()));
    let platform = evaluating(&[&more[0], &more[1], "--evidence-interval=3"]).await?;
    let (lab, stranger) = tokio::try_join!(KeyPair::generate(), KeyPair::generate())?;
    platform.signer("lab", &lab).await?;
    let host = platform.registry.host();
    let namespace = platform.namespace(NAME).await?;
    platform.apply(&namespace, &track(&namespace, "lab", "")).await?;
    for (place, host) in [("referrers", host), ("tags", tags.host())] {
        each_in_turn(&platform, &namespace, place, host, (&lab, &stranger))
            .await
            .with_context(|| place.to_owned())?;
    }
    // Another evaluator, and one that does not exist: what was attested is not thrown away, and does not count.
    platform.signer("other", &stranger).await?;
    platform.apply(&namespace, &track(&namespace, "other", "")).await?;
    says(&platform, &namespace, "referrers", "Deny", "only 0.1").await?;
    platform.apply(&namespace, &track(&namespace, "nobody", "")).await?;
    says(&platform, &namespace, "referrers", "Unknown", "SignerNotFound").await?;
    platform.apply(&namespace, &track(&namespace, "lab", "")).await?;
    says(&platform, &namespace, "referrers", "Allow", "").await?;
    // The evaluator's key is revoked: all that it ever attested is.
    let signers: Api<Signer> = Api::all(platform.client.clone());
    let key = signers.get("lab").await?.status.and_then(|status| status.fingerprint);
    let revocation = json!({
        "apiVersion": "interlock.dev/v1alpha1", "kind": "Revocation", "metadata": {"name": "lab"},
        "spec": {"reason": "a story", "keys": [key.context("a fingerprint")?]},
    });
    apply(&platform, "default", revocation).await?;
    says(
        &platform,
        &namespace,
        "referrers",
        "Pending",
        "no evaluation yet, Revoked",
    )
    .await?;
    Ok(())
}

/// How old an attestation is, is known of a key only where its Signer demands that somebody saw it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_key_attests_has_an_age_where_that_is_demanded() -> Result<()> {
    let (platform, sigstore, lab) = tokio::try_join!(
        evaluating(&["--evidence-interval=2"]),
        Services::start(),
        KeyPair::generate()
    )?;
    trust_inline(&platform, &root_of(&sigstore)?).await?;
    let demanding = json!({"publicKey": {"pem": lab.public(), "trustRoot": "private", "timestamp": "Required"}});
    signer(&platform, demanding.clone()).await?;
    let namespace = platform.namespace("aged").await?;
    platform
        .apply(&namespace, &track(&namespace, "releases", ", maxAge: 1h"))
        .await?;
    let image = push(platform.registry.host(), "apps/aged", "1").await?;
    platform.key.sign(&image).await?;
    lab.attest(&image, TYPE, &json!({"auc": 0.85})).await?;
    apply(&platform, &namespace, deployment("aged", &image, None)).await?;
    says(
        &platform,
        &namespace,
        "aged",
        "Pending",
        "NoTrustedTime, UntrustedKey refused",
    )
    .await?;
    let good = json!({"auc": 0.9});
    sigstore.attest_with_key(&lab, Log::Rekor1, &image, TYPE, &good).await?;
    says(&platform, &namespace, "aged", "Allow", "").await?;
    // The same two: both count now, and of neither the age is known.
    signer(&platform, json!({"publicKey": {"pem": lab.public()}})).await?;
    let undated = "no evaluation yet, NoTrustedTime, UntrustedKey refused";
    says(&platform, &namespace, "aged", "Pending", undated).await?;
    signer(&platform, demanding).await?;
    says(&platform, &namespace, "aged", "Allow", "").await?;
    Ok(())
}

/// One image, about which more and more is said.
async fn each_in_turn(
    platform: &Platform,
    namespace: &str,
    place: &str,
    host: &str,
    (lab, stranger): (&KeyPair, &KeyPair),
) -> Result<()> {
    let repository = Repository::new(host, "apps/evaluated");
    let image = repository.push(place, &fresh()).await?;
    platform.key.sign(&image).await?;
    apply(platform, namespace, deployment(place, &image, None)).await?;
    says(platform, namespace, place, "Pending", "no evaluation yet").await?;
    // By a stranger; of another type; of another image.
    stranger.attest(&image, TYPE, &json!({"auc": 0.1})).await?;
    lab.attest(&image, "https://example.com/lineage/v1", &json!({"auc": 0.99}))
        .await?;
    let other = repository.push("other", &fresh()).await?;
    lab.attest(&other, TYPE, &json!({"auc": 0.99})).await?;
    says(platform, namespace, place, "Pending", "UntrustedKey refused").await?;
    lab.attest(
        &image,
        TYPE,
        &json!({"auc": 0.91, "dataset": {"name": "holdout", "rows": 1000}}),
    )
    .await?;
    let release = says(platform, namespace, place, "Allow", "").await?;
    let status = release.status.unwrap_or_default();
    ensure!(status.passed == ["E-01"], "{:?}", status.passed);
    Ok(())
}

/// Waits until the Release has this verdict and, where words are given, its gate says them.
async fn says(platform: &Platform, namespace: &str, name: &str, verdict: &str, words: &str) -> Result<Release> {
    let what = format!("{verdict}: {words}");
    let release = format!("deployment-{name}");
    let soon = interlock_tests::platform::SOON;
    interlock_tests::object_becomes(&platform.releases(namespace), &release, &what, soon, |release| {
        let status = release.status.as_ref();
        status.is_some_and(|status| {
            let says = |gate: &interlock_crds::release::GateResult| gate.message.contains(words);
            status.verdict.is_some_and(|found| found.as_str() == verdict)
                && (words.is_empty() || status.gates.iter().any(says))
        })
    })
    .await
    .with_context(|| format!("the operator's log ends:\n{}", platform.log_tail(25)))
}
