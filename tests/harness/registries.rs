//! The registries take what cosign signs, differ in what they list, and keep their content while they are down.

use anyhow::Result;
use interlock_tests::artifact::Repository;
use interlock_tests::cosign::KeyPair;
use interlock_tests::registry::{PASSWORD, USER};
use interlock_tests::{Flavour, Registry};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// What comes after the `@` of a reference.
fn digest(reference: &str) -> &str {
    reference.split_once('@').map_or(reference, |(_, digest)| digest)
}

#[tokio::test]
async fn a_signature_is_listed_by_the_referrers_api() -> Result<()> {
    let registry = Registry::start(Flavour::Referrers).await?;
    let repository = Repository::new(registry.host(), "bundles/listed");
    let subject = repository.push("1", b"content").await?;

    KeyPair::generate().await?.sign(&subject).await?;

    let listing: Value = repository
        .get(&format!("referrers/{}", digest(&subject)))
        .await?
        .json()
        .await?;
    let listed = listing["manifests"].as_array().unwrap();
    assert_eq!(listed.len(), 1, "{listing}");
    let found = listed[0]["digest"].as_str().unwrap();
    let manifest: Value = repository.get(&format!("manifests/{found}")).await?.json().await?;
    assert_eq!(manifest["subject"]["digest"], digest(&subject));
    assert_eq!(
        manifest["layers"][0]["mediaType"],
        "application/vnd.dev.sigstore.bundle.v0.3+json"
    );
    Ok(())
}

#[tokio::test]
async fn a_signature_is_found_by_tag_where_there_is_no_referrers_api() -> Result<()> {
    let registry = Registry::start(Flavour::Tags).await?;
    let repository = Repository::new(registry.host(), "bundles/tagged");
    let subject = repository.push("1", b"content").await?;

    KeyPair::generate().await?.sign(&subject).await?;

    let digest = digest(&subject);
    assert_eq!(
        repository.get(&format!("referrers/{digest}")).await?.status(),
        StatusCode::NOT_FOUND
    );
    let by_tag = repository
        .get(&format!("manifests/{}", digest.replace(':', "-")))
        .await?;
    assert_eq!(by_tag.status(), StatusCode::OK);
    let listing: Value = by_tag.json().await?;
    assert_eq!(listing["manifests"].as_array().unwrap().len(), 1, "{listing}");
    Ok(())
}

#[tokio::test]
async fn an_attestation_lies_beside_the_signature() -> Result<()> {
    let registry = Registry::start(Flavour::Referrers).await?;
    let repository = Repository::new(registry.host(), "bundles/attested");
    let subject = repository.push("1", b"content").await?;
    let key = KeyPair::generate().await?;

    key.sign(&subject).await?;
    key.attest(&subject, "https://example.com/evaluation/v1", &json!({"auc": 0.9}))
        .await?;

    let listing: Value = repository
        .get(&format!("referrers/{}", digest(&subject)))
        .await?
        .json()
        .await?;
    assert_eq!(listing["manifests"].as_array().unwrap().len(), 2, "{listing}");
    Ok(())
}

#[tokio::test]
async fn content_outlives_an_outage() -> Result<()> {
    for flavour in [Flavour::Referrers, Flavour::Tags] {
        let registry = Registry::start(flavour).await?;
        let repository = Repository::new(registry.host(), "bundles/kept");
        let subject = repository.push("1", b"content").await?;

        registry.stop().await?;
        let refused = repository.get("manifests/1").await.unwrap_err();
        assert!(
            format!("{refused:#}").contains("error sending request"),
            "{flavour:?}: {refused:#}"
        );
        registry.start_again().await?;

        let answer = repository.get(&format!("manifests/{}", digest(&subject))).await?;
        assert_eq!(answer.status(), StatusCode::OK, "{flavour:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_private_registry_wants_the_password() -> Result<()> {
    let registry = Registry::start(Flavour::Private).await?;
    let stranger = Repository::new(registry.host(), "bundles/private");
    let refused = stranger.push("1", b"content").await.unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");

    let known = stranger.clone().login(USER, PASSWORD);
    known.push("1", b"content").await?;

    assert_eq!(stranger.get("manifests/1").await?.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(known.get("manifests/1").await?.status(), StatusCode::OK);
    Ok(())
}
