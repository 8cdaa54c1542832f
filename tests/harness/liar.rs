//! The lying registry tells the truth until it is told otherwise, and each lie is the lie it says it is.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::StreamExt as _;
use interlock_tests::artifact::{MANIFEST, Repository};
use interlock_tests::{Flavour, Liar, Lie, Part, Registry};
use reqwest::StatusCode;

/// A registry that holds `manifests/1`, and a liar before it.
async fn liar() -> Result<(Registry, Liar, Repository)> {
    let registry = Registry::start(Flavour::Referrers).await?;
    let liar = Liar::before(&registry).await?;
    let repository = Repository::new(liar.host(), "bundles/lies");
    repository.push("1", b"content").await?; // through the liar: it passes uploads on
    liar.asked();
    Ok((registry, liar, repository))
}

#[tokio::test]
async fn is_honest_unless_told_and_again_after() -> Result<()> {
    let (registry, liar, through) = liar().await?;
    let directly = Repository::new(registry.host(), "bundles/lies");
    let truth = directly.get("manifests/1").await?.bytes().await?;

    let answer = through.get("manifests/1").await?;
    assert_eq!(answer.headers()["content-type"], MANIFEST);
    assert_eq!(answer.bytes().await?, truth);
    assert_eq!(liar.asked(), ["GET /v2/bundles/lies/manifests/1"]);

    liar.tell(Part::Manifests, Lie::Status(500));
    assert_eq!(
        through.get("manifests/1").await?.status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(
        through.get("tags/list").await?.status(),
        StatusCode::OK,
        "a lie about manifests is none about tags"
    );
    liar.be_honest();
    assert_eq!(through.get("manifests/1").await?.bytes().await?, truth);
    Ok(())
}

#[tokio::test]
async fn answers_any_status() -> Result<()> {
    let (_registry, liar, repository) = liar().await?;
    for status in [401, 403, 404, 429, 500, 503] {
        liar.tell(Part::Everything, Lie::Status(status));
        assert_eq!(repository.get("manifests/1").await?.status().as_u16(), status);
    }
    liar.tell(Part::Everything, Lie::RetryAfter(7));
    let answer = repository.get("manifests/1").await?;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (429, &"7".parse()?)
    );
    Ok(())
}

#[tokio::test]
async fn distorts_bodies() -> Result<()> {
    let (_registry, liar, repository) = liar().await?;
    let truth = repository.get("manifests/1").await?.bytes().await?;

    liar.tell(Part::Manifests, Lie::FlipBit);
    let flipped = repository.get("manifests/1").await?.bytes().await?;
    assert_eq!(
        truth.iter().zip(&flipped).filter(|(one, other)| one != other).count(),
        1
    );

    liar.tell(Part::Manifests, Lie::Body(b"other".to_vec()));
    assert_eq!(repository.get("manifests/1").await?.bytes().await?, "other");

    liar.tell(Part::Manifests, Lie::Truncate(10));
    let answer = repository.get("manifests/1").await?;
    assert_eq!(answer.content_length(), Some(truth.len() as u64));
    assert!(
        answer.bytes().await.is_err(),
        "the body ended before its length without an error"
    );

    liar.tell(Part::Manifests, Lie::Endless);
    let mut body = repository.get("manifests/1").await?.bytes_stream();
    let mut read = 0;
    while read < 8 << 20 {
        read += body.next().await.unwrap()?.len();
    }
    Ok(())
}

#[tokio::test]
async fn takes_its_time() -> Result<()> {
    let (_registry, liar, repository) = liar().await?;
    liar.tell(Part::Manifests, Lie::Hang);
    let hung = tokio::time::timeout(Duration::from_millis(300), repository.get("manifests/1")).await;
    assert!(hung.is_err(), "it answered");

    liar.tell(Part::Manifests, Lie::Late(Duration::from_millis(300)));
    let started = Instant::now();
    assert_eq!(repository.get("manifests/1").await?.status(), StatusCode::OK);
    assert!(started.elapsed() >= Duration::from_millis(300));

    liar.tell(Part::Manifests, Lie::Drip(Duration::from_millis(100)));
    let body = repository.get("manifests/1").await?.bytes();
    assert!(
        tokio::time::timeout(Duration::from_millis(300), body).await.is_err(),
        "the body came at once"
    );
    Ok(())
}
