//! A bundle's life on the command line, against real registries and the real cosign: push, sign, verify, pull, inspect,
//! lint; and the plain check of a signed file. Images and signatures without a key have a story of their own. 0 is good,
//! 1 is bad, 2 is an error, and only results go to stdout.

mod hub;
mod keyless;
mod keys;
mod lies;
mod model_signing;
pub(crate) mod models;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use interlock_tests::cosign::KeyPair;
use interlock_tests::operator::binary;
use interlock_tests::platform::baseline;
use interlock_tests::registry::{PASSWORD, USER};
use interlock_tests::scratch::{scratch, write};
use interlock_tests::{Flavour, Liar, Lie, Part, Registry};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::trial::{digest_of, gzip, pack, unpack};

/// How a command ended.
struct Said {
    code: Option<i32>,
    out: String,
    complaint: String,
}

impl Said {
    fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.out).with_context(|| format!("no JSON: {}{}", self.out, self.complaint))
    }
}

/// A person at a terminal: a folder, keys, and what `docker login` left behind.
struct Desk {
    folder: TempDir,
    key: KeyPair,
    stranger: KeyPair,
}

impl Desk {
    async fn new() -> Result<Self> {
        let (key, stranger) = tokio::try_join!(KeyPair::generate(), KeyPair::generate())?;
        let folder = scratch("desk")?;
        Ok(Self { folder, key, stranger })
    }

    fn log_in(&self, host: &str) -> Result<()> {
        let config = json!({"auths": {host: {"username": USER, "password": PASSWORD}}});
        write(self.folder.path(), "config.json", config.to_string()).map(drop)
    }

    fn file(&self, name: &str, content: &[u8]) -> Result<String> {
        Ok(write(self.folder.path(), name, content)?.display().to_string())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `interlock` with these words, and with these files and references behind them.
    async fn run(&self, words: &str, more: &[&str]) -> Result<Said> {
        self.said(&mut tokio::process::Command::new(binary()?), words, more)
            .await
    }

    /// The same with no more than so many KiB of address space, of which it takes no more on machines with many cores.
    async fn run_within(&self, kib: u32, words: &str, more: &[&str]) -> Result<Said> {
        let mut shell = tokio::process::Command::new("sh");
        let limited = format!(r#"ulimit -v {kib}; exec "$0" "$@""#);
        shell
            .args(["-c", &limited])
            .arg(binary()?)
            .env("MALLOC_ARENA_MAX", "2")
            .env("TOKIO_WORKER_THREADS", "2");
        self.said(&mut shell, words, more).await
    }

    async fn said(&self, command: &mut tokio::process::Command, words: &str, more: &[&str]) -> Result<Said> {
        let output = command
            .args(words.split(' '))
            .args(more)
            .env("DOCKER_CONFIG", self.folder.path())
            .kill_on_drop(true)
            .output()
            .await?;
        Ok(Said {
            code: output.status.code(),
            // Bundles come this way too.
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            complaint: String::from_utf8(output.stderr)?,
        })
    }

    /// The same, which must end with `code` and say `text` on the stream where that belongs.
    async fn must(&self, words: &str, more: &[&str], code: i32, text: &str) -> Result<Said> {
        let said = self.run(words, more).await?;
        ensure!(
            said.code == Some(code) && (said.out.contains(text) || said.complaint.contains(text)),
            "{words} {more:?} ended with {:?}, want {code} and {text:?}:\n{}\n{}",
            said.code,
            said.out,
            said.complaint
        );
        ensure!(code != 2 || said.out.is_empty(), "an error on stdout: {}", said.out);
        Ok(said)
    }
}

fn file_of(key: &KeyPair) -> String {
    key.public_file().display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_is_pushed_signed_verified_and_pulled_on_every_kind_of_registry() -> Result<()> {
    for flavour in [Flavour::Referrers, Flavour::Tags] {
        life_of_a_bundle(flavour)
            .await
            .with_context(|| format!("{flavour:?}"))?;
    }
    Ok(())
}

async fn life_of_a_bundle(flavour: Flavour) -> Result<()> {
    let (registry, desk) = tokio::try_join!(Registry::start(flavour), Desk::new())?;
    let good = baseline()?;
    let file = desk.file("baseline.tar.gz", &good)?;
    let tagged = format!("{}/policies/baseline:stable", registry.host());
    let (key, stranger) = (file_of(&desk.key), file_of(&desk.stranger));
    let pulled = desk.path("pulled.tar.gz").display().to_string();

    let pushed = desk
        .must("bundle push --plain-http", &[&file, &tagged], 0, "@sha256:")
        .await?;
    let reference = pushed.out.trim().to_owned();

    // Not signed yet, then by somebody else, then attested only: not verified, and not pulled.
    let check = async |says: &str| {
        desk.must("bundle verify --plain-http", &["--key", &key, &tagged], 1, says)
            .await?;
        desk.must(
            "bundle pull --plain-http",
            &["--key", &key, "-o", &pulled, &tagged],
            1,
            says,
        )
        .await?;
        ensure!(!Path::new(&pulled).exists(), "written though not trusted");
        desk.must("bundle inspect --plain-http", &["--key", &key, &tagged], 1, says)
            .await
    };
    check("has no signature").await?;
    desk.stranger.sign(&reference).await?;
    check("made by none of the trusted keys").await?;
    desk.key
        .attest(&reference, "https://example.com/x/v1", &json!({}))
        .await?;
    check("https://example.com/x/v1").await?;

    desk.key.sign(&reference).await?;
    let verified = desk
        .must(
            "bundle verify --plain-http -o json",
            &["--key", &key, &tagged],
            0,
            "threshold",
        )
        .await?
        .json()?;
    assert_eq!(
        (&verified["verified"], &verified["signers"]),
        (&json!(true), &json!([key]))
    );
    assert_eq!(verified["subject"], json!(reference));
    desk.must(
        "verify bundle --plain-http",
        &["--key", &key, &reference],
        0,
        "verified",
    )
    .await?;
    let both = ["--key", &key, "--key", &stranger, &reference];
    desk.must("bundle verify --plain-http --threshold 2", &both, 0, "verified")
        .await?;
    let twice = ["--key", &key, "--key", &key, &reference];
    desk.must(
        "bundle verify --plain-http --threshold 2",
        &twice,
        1,
        "signed by 1 of 2 needed signers",
    )
    .await?;

    desk.must(
        "bundle pull --plain-http",
        &["--key", &key, "-o", &pulled, &tagged],
        0,
        digest_of(&reference),
    )
    .await?;
    assert!(
        std::fs::read(&pulled)? == good,
        "pulled bytes differ from what was pushed"
    );
    let out = ["--key", &key, "-o", "-", &tagged];
    desk.must("bundle pull --plain-http", &out, 0, "to standard output")
        .await?;
    let contents = desk
        .must(
            "bundle inspect --plain-http -o json",
            &["--key", &key, &tagged],
            0,
            "C-01",
        )
        .await?
        .json()?;
    assert_eq!(
        (&contents["name"], &contents["provenance"]),
        (&json!("baseline"), &json!("signed"))
    );
    assert_eq!(contents["digest"], json!(digest_of(&reference)));
    desk.must("bundle inspect", &[&pulled], 0, "local file").await?;
    desk.must("bundle lint", &[&pulled], 0, "no remarks").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_fails_is_an_error_and_never_a_verdict() -> Result<()> {
    let (registry, private, desk) = tokio::try_join!(
        Registry::start(Flavour::Referrers),
        Registry::start(Flavour::Private),
        Desk::new()
    )?;
    let liar = Liar::before(&registry).await?;
    let (key, file) = (file_of(&desk.key), desk.file("baseline.tar.gz", &baseline()?)?);
    let tagged = format!("{}/policies/baseline:stable", liar.host());
    desk.must("bundle push --plain-http", &[&file, &tagged], 0, "@sha256:")
        .await?;

    for (part, lie, code, says) in [
        (
            Part::Everything,
            Lie::Status(401),
            2,
            "does not accept these credentials",
        ),
        (Part::Everything, Lie::Status(404), 2, "not found"),
        (Part::Everything, Lie::Status(429), 3, "asks to slow down"),
        (Part::Referrers, Lie::Status(403), 2, "forbids this"),
        (Part::Referrers, Lie::Status(500), 3, "failed with status 500"),
        (Part::Referrers, Lie::Hang, 3, "no complete answer within 1 s"),
        (Part::Manifests, Lie::FlipBit, 3, "got bytes with digest"),
    ] {
        liar.be_honest();
        liar.tell(part, lie);
        let said = desk
            .must(
                "bundle verify --plain-http --timeout 1",
                &["--key", &key, &tagged],
                code,
                says,
            )
            .await?;
        ensure!(!said.complaint.contains("no signature"), "{}", said.complaint);
    }
    drop(liar);
    desk.must(
        "bundle verify --plain-http",
        &["--key", &key, &tagged],
        3,
        "no answer from the registry",
    )
    .await?;

    // The password of `docker login`, and none.
    let closed = format!("{}/policies/baseline:stable", private.host());
    desk.must(
        "bundle push --plain-http",
        &[&file, &closed],
        2,
        "does not accept these credentials",
    )
    .await?;
    desk.log_in(private.host())?;
    desk.must("bundle push --plain-http", &[&file, &closed], 0, "@sha256:")
        .await?;
    desk.must(
        "bundle verify --plain-http",
        &["--key", &key, &closed],
        1,
        "has no signature",
    )
    .await?;

    // Without TLS only where it is asked for, and a push only of what could be used.
    desk.must(
        "bundle verify",
        &["--key", &key, &closed],
        3,
        "no answer from the registry",
    )
    .await?;
    let hint = "does not speak TLS; if that is meant to be so, add --plain-http";
    desk.must("bundle verify", &["--key", &key, &closed], 3, hint).await?;
    desk.must("bundle verify --plain-http", &[&closed], 2, "no key given")
        .await?;
    let text = desk.file("text", b"no bundle")?;
    desk.must("bundle push --plain-http", &[&text, &closed], 2, "not a gzip file")
        .await?;
    let pinned = format!("{}/policies/baseline@sha256:{}", private.host(), "0".repeat(64));
    desk.must("bundle push --plain-http", &[&file, &pinned], 2, "pushed under a tag")
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lint_names_what_would_keep_a_bundle_from_working() -> Result<()> {
    let desk = Desk::new().await?;
    let good = unpack(&baseline()?)?;
    let with = |path: &str, content: &[u8]| {
        let mut files = good.clone();
        files.insert(path.to_owned(), content.to_vec());
        pack(&files)
    };
    let mut without = good.clone();
    without.remove("policy.wasm");
    let foreign = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func)))"#;
    for (rule, bundle) in [
        ("NotGzip", b"text".to_vec()),
        ("NotTar", gzip(&[b'x'; 1024])?),
        ("NoPolicyWasm", pack(&without)?),
        ("MalformedData", with("data.json", b"{")?),
        ("MalformedManifest", with(".manifest", b"{}x")?),
        ("InvalidModule", with("policy.wasm", b"text")?),
        ("ForeignImport", with("policy.wasm", &wat::parse_str(foreign)?)?),
    ] {
        let file = desk.file("bundle.tar.gz", &bundle)?;
        let said = desk.must("bundle lint -o json", &[&file], 1, rule).await?.json()?;
        assert_eq!(
            (&said["ok"], &said["remarks"][0]["rule"]),
            (&json!(false), &json!(rule))
        );
        desk.must("bundle inspect", &[&file], 2, "").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cosign_signs_or_attests_about_a_file_is_verified() -> Result<()> {
    let desk = Desk::new().await?;
    let (key, stranger) = (file_of(&desk.key), file_of(&desk.stranger));
    let blob = desk.file("model.bin", b"weights")?;
    let other = desk.file("other.bin", b"other weights")?;
    let signed = desk.file("signed.json", &desk.key.sign_blob(blob.as_ref()).await?)?;
    let predicate = json!({"auc": 0.9});
    let attested = desk
        .key
        .attest_blob(blob.as_ref(), "https://example.com/x/v1", &predicate)
        .await?;
    let attested = desk.file("attested.json", &attested)?;
    let digest = interlock_bundles::digest::Digest::of(b"weights").to_string();
    let text = desk.file("text.json", b"{}")?;

    for (bundle, key, blob, code, says) in [
        (&signed, &key, &blob, 0, "verified: signed by"),
        (&attested, &key, &blob, 0, "verified: signed by"),
        (&attested, &key, &digest, 0, "verified: signed by"),
        (&signed, &key, &digest, 2, "give the file instead of its digest"),
        (&signed, &key, &other, 1, "signature or content were changed"),
        (&attested, &key, &other, 1, "not verified"),
        (&signed, &stranger, &blob, 1, "made by none of the trusted keys"),
        (&attested, &stranger, &blob, 1, "made by none of the trusted keys"),
        (&text, &key, &blob, 1, "not verified"),
        (&signed, &key, &"sha256:xyz".to_owned(), 2, "sha256:xyz"),
    ] {
        desk.must("verify blob", &["--bundle", bundle, "--key", key, blob], code, says)
            .await?;
    }
    let checks = desk
        .must(
            "verify blob -o json",
            &["--bundle", &attested, "--key", &key, &other],
            1,
            "subject",
        )
        .await?
        .json()?;
    assert_eq!(checks["verified"], json!(false));
    Ok(())
}
