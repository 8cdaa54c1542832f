//! Images signed by the real cosign, with a key and without one by a private Sigstore, verified as a person would:
//! exactly those whose signer, issuer, trust root and digest are the right ones.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use interlock_tests::artifact::{Repository, digest_of};
use interlock_tests::keyless::{Identity, Log, Services};
use interlock_tests::sigstore::Sigstore;
use interlock_tests::tools::repository_root;
use interlock_tests::{Flavour, Liar, Lie, Part, Registry};
use serde_json::{Value, json};

use super::{Desk, file_of};

const WHO: &str = "https://ci.example/acme/shop/release.yaml@refs/heads/main";
const ISSUER: &str = "https://token.ci.example";

fn pipeline() -> Identity {
    Identity {
        uri: WHO.to_owned(),
        issuer: ISSUER.to_owned(),
        claims: json!({"sourceRepositoryRef": "refs/heads/main"}),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_signed_with_a_key_is_verified_on_every_kind_of_registry() -> Result<()> {
    let desk = Desk::new().await?;
    let (key, stranger) = (file_of(&desk.key), file_of(&desk.stranger));
    for flavour in [Flavour::Referrers, Flavour::Tags] {
        let registry = Registry::start(flavour).await?;
        let image = Repository::new(registry.host(), "shop/cart")
            .push("1.4", b"an image")
            .await?;
        let tagged = format!("{}/shop/cart:1.4", registry.host());
        for command in ["verify image --plain-http", "verify model --plain-http"] {
            desk.must(command, &["--key", &key, &tagged], 1, "has no signature")
                .await?;
        }
        desk.key.sign(&image).await?;
        for command in ["verify image --plain-http", "verify model --plain-http"] {
            desk.must(command, &["--key", &key, &tagged], 0, &image).await?;
            desk.must(command, &["--key", &stranger, &tagged], 1, "none of the trusted keys")
                .await?;
        }
        let json = desk
            .must("verify image --plain-http -o json", &["--key", &key, &tagged], 0, "")
            .await?
            .json()?;
        assert_eq!(
            (&json["subject"], &json["digest"], &json["verified"], &json["signers"]),
            (&json!(image), &json!(digest_of(&image)), &json!(true), &json!([key]))
        );
        // What the tag led to is verified, and not what was signed before it moved.
        Repository::new(registry.host(), "shop/cart")
            .push("1.4", b"another image")
            .await?;
        desk.must(
            "verify image --plain-http",
            &["--key", &key, &tagged],
            1,
            "has no signature",
        )
        .await?;
        desk.must("verify image --plain-http", &["--key", &key, &image], 0, "verified")
            .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_signed_without_a_key_is_verified_for_the_right_signer_only() -> Result<()> {
    let (desk, sigstore, other) = tokio::try_join!(Desk::new(), Services::start(), Services::start())?;
    let (root, foreign) = (shown(&sigstore.trusted_root()), shown(&other.trusted_root()));
    for (flavour, log) in [(Flavour::Referrers, Log::Rekor1), (Flavour::Tags, Log::Rekor2)] {
        let registry = Registry::start(flavour).await?;
        let repository = Repository::new(registry.host(), "shop/cart");
        let image = repository.push("1.4", b"an image").await?;
        let unsigned = repository.push("1.5", b"another image").await?;
        sigstore.sign(&pipeline(), log, &image).await?;

        let by =
            |root: &str, who: &str, issuer: &str| format!("--trusted-root {root} --identity {who} --issuer {issuer}");
        let good = by(&root, WHO, ISSUER);
        let elsewhere = WHO.replace("main", "dev");
        let pattern = r"https://ci\.example/acme/shop/.+@refs/heads/main";
        let cosign = format!("--certificate-identity {WHO} --certificate-oidc-issuer {ISSUER} --trusted-root {root}");
        let key = format!("--key {}", file_of(&desk.key));
        for (flags, reference, code, says) in [
            (good.clone(), &image, 0, WHO),
            (
                format!("{good} --claim sourceRepositoryRef=refs/heads/main"),
                &image,
                0,
                "verified",
            ),
            (
                good.replace(&format!("identity {WHO}"), &format!("identity-regexp {pattern}")),
                &image,
                0,
                "verified",
            ),
            (cosign, &image, 0, "verified"),
            (by(&root, &elsewhere, ISSUER), &image, 1, "subject is"),
            (by(&root, WHO, "https://other.example"), &image, 1, "issuer is"),
            (by(&foreign, WHO, ISSUER), &image, 1, "failed"),
            (
                format!("{good} --claim buildTrigger=push"),
                &image,
                1,
                "buildTrigger is nothing",
            ),
            (good.clone(), &unsigned, 1, "has no signature"),
            (key, &image, 1, "all trusted signers sign with keys"),
        ] {
            desk.must(&format!("verify image --plain-http {flags}"), &[reference], code, says)
                .await
                .with_context(|| format!("{flavour:?}"))?;
        }
        // The same signer vouches for a bundle and a model.
        for command in ["verify bundle", "bundle verify", "verify model"] {
            desk.must(&format!("{command} --plain-http {good}"), &[&image], 0, "verified")
                .await?;
        }
        one_of_each(&desk, &good, &image).await?;
    }
    Ok(())
}

/// A key and an identity are two signers, of whom each has to sign.
async fn one_of_each(desk: &Desk, keyless: &str, image: &str) -> Result<()> {
    let key = file_of(&desk.key);
    let words: Vec<&str> = keyless.split(' ').collect();
    let both = [words.as_slice(), &["--key", &key, "--threshold", "2", image]].concat();
    desk.must("verify image --plain-http", &both, 1, "1 of 2 needed signers")
        .await?;
    desk.key.sign(image).await?;
    let said = desk
        .must("verify image --plain-http -o json", &both, 0, "")
        .await?
        .json()?;
    ensure!(
        said["signers"] == json!([key, WHO]) || said["signers"] == json!([WHO, key]),
        "{said}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_moved_to_another_image_and_a_registry_that_fails_verify_nothing() -> Result<()> {
    let (desk, sigstore, registry) =
        tokio::try_join!(Desk::new(), Services::start(), Registry::start(Flavour::Referrers))?;
    let root = shown(&sigstore.trusted_root());
    let good = ["--trusted-root", &root, "--identity", WHO, "--issuer", ISSUER];
    let repository = Repository::new(registry.host(), "shop/cart");
    let (image, victim) = (
        repository.push("1", b"an image").await?,
        repository.push("2", b"evil").await?,
    );
    sigstore.sign(&pipeline(), Log::Rekor1, &image).await?;
    graft(&repository, &image, &victim).await?;
    desk.must(
        "verify image --plain-http",
        &[&good[..], &[&image]].concat(),
        0,
        "verified",
    )
    .await?;
    desk.must(
        "verify image --plain-http",
        &[&good[..], &[&victim]].concat(),
        1,
        "subject",
    )
    .await?;

    let liar = Liar::before(&registry).await?;
    let through = format!("{}/shop/cart:1", liar.host());
    for (part, lie, code) in [
        (Part::Referrers, Lie::Status(500), 3),
        (Part::Everything, Lie::Status(429), 3),
        (Part::Everything, Lie::Status(404), 2),
        (Part::Manifests, Lie::FlipBit, 3),
    ] {
        liar.be_honest();
        liar.tell(part, lie);
        let said = desk
            .run(
                "verify image --plain-http --timeout 1",
                &[&good[..], &[&through]].concat(),
            )
            .await?;
        ensure!(
            said.code == Some(code) && said.out.is_empty(),
            "{:?} {}{}",
            said.code,
            said.out,
            said.complaint
        );
    }
    Ok(())
}

/// Attaches the signatures of `from` to `to`.
async fn graft(repository: &Repository, from: &str, to: &str) -> Result<()> {
    let index: Value = repository
        .get(&format!("referrers/{}", digest_of(from)))
        .await?
        .json()
        .await?;
    let signature = index["manifests"][0]["digest"].as_str().context("no signature")?;
    let mut manifest: Value = repository.get(&format!("manifests/{signature}")).await?.json().await?;
    let subject = repository.get(&format!("manifests/{}", digest_of(to))).await?;
    let size = subject.bytes().await?.len();
    manifest["subject"]["digest"] = digest_of(to).into();
    manifest["subject"]["size"] = size.into();
    let media_type = manifest["mediaType"].as_str().context("no media type")?.to_owned();
    let bytes = serde_json::to_vec(&manifest)?;
    let digest = interlock_bundles::digest::Digest::of(&bytes).to_string();
    repository.push_manifest(&digest, &media_type, &bytes).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_keyless_signature_is_named_by_its_check() -> Result<()> {
    let (desk, mut sigstore) = (Desk::new().await?, Sigstore::start()?);
    let blob = desk.file("model.bin", b"weights")?;
    for (wrong, check) in [
        ("", None),
        ("leaf-expired", Some("certificate")),
        ("sct-foreign", Some("certificate-log")),
        ("log-foreign", Some("transparency-log")),
        ("entry-artifact", Some("log-entry")),
    ] {
        let answer = sigstore.ask(&json!({
            "blob": BASE64_STANDARD.encode("weights"), "keyless": {"uri": WHO, "issuer": ISSUER},
            "logs": [1], "timestamp": "bare", "wrong": wrong,
        }))?;
        let made = answer.bundle.with_context(|| format!("{wrong}: {:?}", answer.error))?;
        let bundle = desk.file("bundle.json", made.to_string().as_bytes())?;
        let root = desk.file("root.json", &sigstore.trusted_root()?)?;
        let flags = [
            "--trusted-root",
            &root,
            "--identity",
            WHO,
            "--issuer",
            ISSUER,
            "--bundle",
            &bundle,
            &blob,
        ];
        let said = desk
            .must("verify blob -o json", &flags, i32::from(check.is_some()), "")
            .await?
            .json()?;
        let checks = said["checks"].as_array().context("no checks")?;
        let failed = checks.iter().find(|check| check["outcome"] == "failed");
        ensure!(
            failed.and_then(|failed| failed["name"].as_str()) == check,
            "{wrong}: {said}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_signed_without_a_key_is_its_signers_and_as_signed() -> Result<()> {
    let (desk, mut sigstore) = (Desk::new().await?, Sigstore::start()?);
    let signed = sigstore.ask(&json!({
        "payload": BASE64_STANDARD.encode(list_of_files()?), "payloadType": "application/vnd.in-toto+json",
        "keyless": {"uri": WHO, "issuer": ISSUER}, "logs": [1], "timestamp": "bare",
    }))?;
    let root = desk.file("root.json", &sigstore.trusted_root()?)?;
    let folder = desk.path("iris");
    std::fs::create_dir_all(folder.join("b"))?;
    std::fs::write(folder.join("a"), "a")?;
    std::fs::write(folder.join("b/c"), "c")?;
    std::fs::write(
        folder.join("model.sig"),
        signed.bundle.context("no signature")?.to_string(),
    )?;
    let folder_name = shown(&folder);

    let by = ["--trusted-root", &root, "--issuer", ISSUER, &folder_name, "--identity"];
    let (good, other) = (
        [&by[..], &[WHO]].concat(),
        [&by[..], &["https://evil.example"]].concat(),
    );
    let key = ["--key", &file_of(&desk.key), &folder_name];
    desk.must("verify model", &good, 0, "2 files, 2 bytes, all as signed")
        .await?;
    desk.must("verify model", &other, 1, "subject is").await?;
    desk.must("verify model", &key, 1, "all trusted signers sign with keys")
        .await?;
    std::fs::write(folder.join("b/c"), "d")?;
    desk.must("verify model", &good, 1, "\"b/c\" has other content than was signed")
        .await?;
    Ok(())
}

/// What `model-signing` 1.1.1 writes of a folder with the files `a` (a) and `b/c` (c).
fn list_of_files() -> Result<String> {
    let file = repository_root().join("bundles/testdata/oms/hostile.json");
    let cases: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    ensure!(cases[0]["name"] == "as written", "{}", cases[0]["name"]);
    Ok(cases[0]["payload"].as_str().context("no payload")?.to_owned())
}
