//! A registry that lies about an image that is well signed: whatever it says or keeps to itself, the image is not verified,
//! not said to be unsigned, not waited for without end, and not kept in memory without end. What it sends on to is not asked.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use interlock_tests::artifact::{Repository, digest_of};
use interlock_tests::{Flavour, Liar, Lie, Part, Registry};
use serde_json::Value;

use super::{Desk, file_of};

/// Address space of a command in KiB: twice what it takes to start and listen. What never ends would fill it at once.
const MEMORY: u32 = 200 << 10;

fn path(text: &str) -> Part {
    Part::Path(text.to_owned())
}

/// What there is to lie about.
struct Scene {
    /// Of the image.
    digest: String,
    /// The digest of its signature's manifest.
    signature: String,
    /// Another manifest.
    other: Vec<u8>,
    /// Another host.
    elsewhere: String,
}

impl Scene {
    /// Lies, by what they are.
    fn lies(&self) -> Vec<(&'static str, Vec<(Part, Lie)>)> {
        let Self {
            digest,
            signature,
            other,
            elsewhere,
        } = self;
        let again = format!("</v2/shop/cart/referrers/{digest}?n=1>; rel=\"next\"");
        let gone = "</v2/shop/cart/referrers/gone?n=1>; rel=\"next\"".to_owned();
        let to_elsewhere = |what: &str| Lie::Redirect(format!("http://{elsewhere}/v2/shop/cart/{what}"));
        let next_elsewhere = format!("<http://{elsewhere}/v2/shop/cart/referrers/{digest}>; rel=\"next\"");

        vec![
            (
                "another manifest the second time",
                vec![(path(signature), Lie::Body(other.clone()))],
            ),
            (
                "another digest announced",
                vec![(
                    path("/manifests/1"),
                    Lie::Header("docker-content-digest", format!("sha256:{}", "0".repeat(64))),
                )],
            ),
            (
                "a manifest that is cut off",
                vec![(path("/manifests/1"), Lie::Truncate(20))],
            ),
            ("a listing that is cut off", vec![(Part::Referrers, Lie::Truncate(20))]),
            ("a signature that is cut off", vec![(Part::Blobs, Lie::Truncate(20))]),
            (
                "a listing that is none",
                vec![(Part::Referrers, Lie::Body(b"<html>".to_vec()))],
            ),
            ("pages without end", vec![(Part::Referrers, Lie::Header("link", again))]),
            (
                "a page that is missing",
                vec![
                    (Part::Referrers, Lie::Header("link", gone)),
                    (path("/referrers/gone"), Lie::Status(404)),
                ],
            ),
            (
                "the next page elsewhere",
                vec![(Part::Referrers, Lie::Header("link", next_elsewhere))],
            ),
            (
                "a signature that is listed and gone",
                vec![(path(signature), Lie::Status(404))],
            ),
            ("a throttle", vec![(Part::Referrers, Lie::RetryAfter(3600))]),
            (
                "a throttle that does not say how long",
                vec![(Part::Everything, Lie::Status(429))],
            ),
            ("an outage", vec![(Part::Referrers, Lie::Status(503))]),
            ("a manifest without end", vec![(path("/manifests/1"), Lie::Endless)]),
            ("a listing without end", vec![(Part::Referrers, Lie::Endless)]),
            ("a signature without end", vec![(Part::Blobs, Lie::Endless)]),
            ("no answer", vec![(Part::Referrers, Lie::Hang)]),
            (
                "a byte at a time",
                vec![(Part::Blobs, Lie::Drip(Duration::from_millis(50)))],
            ),
            ("a flipped bit in the signature", vec![(Part::Blobs, Lie::FlipBit)]),
            (
                "manifests elsewhere",
                vec![(Part::Manifests, to_elsewhere("manifests/1"))],
            ),
            (
                "listings elsewhere",
                vec![(Part::Referrers, to_elsewhere(&format!("referrers/{digest}")))],
            ),
            (
                "blobs elsewhere, without TLS",
                vec![(Part::Blobs, to_elsewhere("blobs/x"))],
            ),
        ]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lie_about_an_image_becomes_a_verdict() -> Result<()> {
    let (desk, registry) = tokio::try_join!(Desk::new(), Registry::start(Flavour::Referrers))?;
    let repository = Repository::new(registry.host(), "shop/cart");
    let (image, other) = (
        repository.push("1", b"an image").await?,
        repository.push("2", b"another image").await?,
    );
    desk.key.sign(&image).await?;
    let digest = digest_of(&image);
    let listing: Value = repository.get(&format!("referrers/{digest}")).await?.json().await?;
    let signature = listing["manifests"][0]["digest"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let other = repository
        .get(&format!("manifests/{}", digest_of(&other)))
        .await?
        .bytes()
        .await?;
    let liar = Liar::before(&registry).await?;
    let elsewhere = Liar::before(&registry).await?;
    let scene = Scene {
        digest: digest.to_owned(),
        signature,
        other: other.to_vec(),
        elsewhere: elsewhere.host().to_owned(),
    };

    let (key, tagged) = (file_of(&desk.key), format!("{}/shop/cart:1", liar.host()));
    desk.must("verify image --plain-http", &["--key", &key, &tagged], 0, "verified")
        .await?;
    let asked = liar.asked();
    let tags = asked.iter().filter(|asked| asked.ends_with("/manifests/1")).count();
    ensure!(tags == 1, "what the tag means was asked more than once: {asked:?}");

    for (what, told) in scene.lies() {
        liar.be_honest();
        for (part, lie) in told {
            liar.tell(part, lie);
        }
        let started = Instant::now();
        let said = desk
            .run_within(
                MEMORY,
                "verify image --plain-http --timeout 2",
                &["--key", &key, &tagged],
            )
            .await?;
        ensure!(
            said.code == Some(3) && said.out.is_empty() && !said.complaint.contains("no signature"),
            "{what}: {:?} {}{}",
            said.code,
            said.out,
            said.complaint
        );
        ensure!(
            started.elapsed() < Duration::from_secs(30),
            "{what} was waited for too long"
        );
    }
    let asked = elsewhere.asked();
    ensure!(asked.is_empty(), "another host was asked: {asked:?}");
    liar.be_honest();
    desk.must("verify image --plain-http", &["--key", &key, &tagged], 0, "verified")
        .await
        .map(drop)
}
