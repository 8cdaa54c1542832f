//! Signatures with a key by the real cosign, where more is asked of them than the key: a log and a timestamp authority have
//! seen them; and cosign's old format, which counts where that is said and not otherwise.

use anyhow::Result;
use interlock_tests::artifact::Repository;
use interlock_tests::keyless::{Log, Services};
use interlock_tests::{Flavour, Registry};

use super::{Desk, file_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_and_a_timestamp_can_be_demanded_of_a_key() -> Result<()> {
    let (desk, sigstore, registry) =
        tokio::try_join!(Desk::new(), Services::start(), Registry::start(Flavour::Referrers))?;
    let root = sigstore.trusted_root().display().to_string();
    let (key, stranger) = (file_of(&desk.key), file_of(&desk.stranger));
    let repository = Repository::new(registry.host(), "shop/cart");
    let (bare, logged) = (
        repository.push("bare", b"an image").await?,
        repository.push("logged", b"another image").await?,
    );
    desk.key.sign(&bare).await?;
    sigstore.sign_with_key(&desk.key, Log::Rekor1, &logged).await?;
    let verify = "verify image --plain-http";
    let demand = |flag: &'static str| ["--trusted-root", root.as_str(), flag, "--key", key.as_str()];
    for flag in ["--require-transparency-log", "--require-timestamp"] {
        desk.must(
            verify,
            &[&demand(flag)[..], &[&logged]].concat(),
            0,
            "verified: signed by",
        )
        .await?;
        desk.must(
            verify,
            &[&demand(flag)[..], &[&bare]].concat(),
            1,
            "this signer must have one",
        )
        .await?;
    }
    desk.must(verify, &["--key", &key, &bare], 0, "not required for this key")
        .await?;
    let now = jiff::Timestamp::now();
    let (before, after) = (
        now - jiff::SignedDuration::from_hours(1),
        now + jiff::SignedDuration::from_hours(1),
    );
    let (before, after) = (before.to_string(), after.to_string());
    let window = |flag: &'static str, time: &str| -> Vec<String> {
        let all = ["--trusted-root", &root, "--key", &key, flag, time, &logged];
        all.map(str::to_owned).to_vec()
    };
    for (flag, time, code, says) in [
        ("--key-not-before", &before, 0, "the key counts from"),
        ("--key-not-after", &after, 0, "the key counts until"),
        ("--key-not-before", &after, 1, "its key counts from"),
        ("--key-not-after", &before, 1, "its key counts until"),
    ] {
        let flags = window(flag, time);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        desk.must(verify, &flags, code, says).await?;
    }
    let other = [
        "--trusted-root",
        &root,
        "--require-timestamp",
        "--key",
        &stranger,
        &logged,
    ];
    desk.must(verify, &other, 1, "none of the trusted keys").await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_format_of_cosign_counts_only_where_that_is_said() -> Result<()> {
    let desk = Desk::new().await?;
    let (key, stranger) = (file_of(&desk.key), file_of(&desk.stranger));
    for flavour in [Flavour::Referrers, Flavour::Tags] {
        let registry = Registry::start(flavour).await?;
        let repository = Repository::new(registry.host(), "shop/cart");
        let (image, other) = (
            repository.push("1", b"an image").await?,
            repository.push("2", b"another image").await?,
        );
        desk.key.sign_legacy(&image).await?;
        let verify = "verify image --plain-http";
        let old = ["--signature-format", "legacy", "--key"];
        desk.must(verify, &["--key", &key, &image], 1, "has no signature")
            .await?;
        desk.must(verify, &[&old[..], &[&key, &image]].concat(), 0, "simple signing")
            .await?;
        desk.must(
            verify,
            &[&old[..], &[&stranger, &image]].concat(),
            1,
            "none of the trusted keys",
        )
        .await?;
        desk.must(verify, &[&old[..], &[&key, &other]].concat(), 1, "has no signature")
            .await?;
        // The same signature under the other image's tag.
        move_legacy(&repository, &image, &other).await?;
        desk.must(verify, &[&old[..], &[&key, &other]].concat(), 1, "signed for")
            .await?;
    }
    Ok(())
}

/// Puts the signatures of `from` under the tag of `to`.
async fn move_legacy(repository: &Repository, from: &str, to: &str) -> Result<()> {
    use interlock_tests::artifact::digest_of;
    let tag = |reference: &str| format!("{}.sig", digest_of(reference).replace(':', "-"));
    let answer = repository.get(&format!("manifests/{}", tag(from))).await?;
    let media_type = answer.headers()["content-type"].to_str()?.to_owned();
    let bytes = answer.bytes().await?;
    repository.push_manifest(&tag(to), &media_type, &bytes).await.map(drop)
}
