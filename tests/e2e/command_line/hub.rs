//! Models on a hub, with lists that the real `model-signing` signed (`bundles/testdata/oms`): compared at one commit with
//! what the hub publishes. The hub is an imitation (`tests/src/hub.rs`): no test leaves the machine.

use std::time::Duration;

use anyhow::{Result, ensure};
use interlock_tests::hub::{COMMIT, Hub};
use interlock_tests::{Liar, Lie, Part};
use serde_json::json;

use super::models::{Files, Signed, changes, comparison};
use super::{Desk, Said};

/// Bytes from which files are large: those with the weights.
const LARGE: usize = 16;

struct Scene {
    desk: Desk,
    signed: Signed,
    list: String,
    model: String,
}

impl Scene {
    async fn new() -> Result<Self> {
        let (desk, signed) = (Desk::new().await?, Signed::read("files-p256")?);
        Ok(Self {
            list: desk.file("iris.sig", &signed.signature)?,
            model: format!("hf://acme/iris@{COMMIT}"),
            desk,
            signed,
        })
    }

    /// Verifies the model on the hub `host` with these flags besides.
    async fn verify(&self, host: &str, more: &[&str], code: i32, says: &str) -> Result<Said> {
        let hub = format!("http://{host}");
        let flags = ["--hub", &hub, "--key", &self.signed.key, &self.model];
        let words = "verify model --plain-http --timeout 2 -o json";
        self.desk.must(words, &[&flags, more].concat(), code, says).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_on_a_hub_is_compared_with_its_list_without_downloading_weights() -> Result<()> {
    let scene = Scene::new().await?;
    let mut files = scene.signed.files.clone();
    files.insert(".gitattributes".to_owned(), b"*.bin filter=lfs".to_vec());
    let hub = Hub::start(files.clone(), LARGE).await?;
    let listed = ["--signature", &scene.list];
    let published = files.values().filter(|content| content.len() >= LARGE).count() - 1;
    let read: usize = scene
        .signed
        .files
        .values()
        .map(Vec::len)
        .filter(|size| *size < LARGE)
        .sum();

    let said = scene.verify(hub.host(), &listed, 0, "all as signed").await?;
    let found = comparison(&said)?;
    assert_eq!(
        (&found["files"], &found["downloaded"], &found["published"]),
        (&json!(6), &json!(read), &json!({"by": hub.host(), "files": published}))
    );
    assert_eq!(
        (&said.json()?["subject"], &found["passedOver"]),
        (&json!(scene.model), &json!([".gitattributes"]))
    );
    ensure!(
        said.out.contains(&format!("as published by {}", hub.host())),
        "{}",
        said.out
    );
    let asked = hub.asked();
    ensure!(asked.iter().all(|(_, token)| token.is_none()), "{asked:?}");
    for (name, _) in files.iter().filter(|(_, content)| content.len() >= LARGE) {
        ensure!(
            !asked.iter().any(|(path, _)| path.ends_with(name)),
            "{name} was read: {asked:?}"
        );
    }

    // Its own signature serves, and is passed over; a stranger's is not looked any further with.
    scene.verify(hub.host(), &[], 2, "--signature FILE").await?;
    let mut own = files.clone();
    own.insert("model.sig".to_owned(), scene.signed.signature.clone());
    hub.hold(own);
    scene.verify(hub.host(), &[], 0, "all as signed").await?;
    scene.verify(hub.host(), &listed, 0, "all as signed").await?;
    let mut other = files.clone();
    other.insert("model.sig".to_owned(), b"another".to_vec());
    hub.hold(other);
    scene.verify(hub.host(), &listed, 1, "\"model.sig\\\" is there").await?;
    scene.verify(hub.host(), &[], 1, "not a Sigstore bundle").await?;

    for (change, kind, file) in changes() {
        let mut changed: Files = files.clone();
        change(&mut changed);
        hub.hold(changed);
        let said = scene.verify(hub.host(), &listed, 1, file).await?;
        let found = comparison(&said)?;
        let told = found["differences"].as_array().cloned().unwrap_or_default();
        ensure!(
            told.iter().any(|one| one["kind"] == kind && one["file"] == file),
            "{kind} {file}: {found}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_hub_does_not_tell_or_tells_wrongly_is_no_verdict() -> Result<()> {
    let scene = Scene::new().await?;
    let hub = Hub::start(scene.signed.files.clone(), LARGE).await?;
    let liar = Liar::in_front_of(hub.host()).await?;
    let listed = ["--signature", &scene.list];
    let (tree, file) = (
        || Part::Path("/tree/".to_owned()),
        || Part::Path("/config.json".to_owned()),
    );
    for (part, lie, code, says) in [
        (tree(), Lie::Status(503), 3, "failed with status 503"),
        (tree(), Lie::RetryAfter(60), 3, "come back in 60 s"),
        (tree(), Lie::Status(404), 2, "the hub does not show"),
        (tree(), Lie::Hang, 3, "no complete answer within 2 s"),
        (
            tree(),
            Lie::Drip(Duration::from_millis(50)),
            3,
            "no complete answer within 2 s",
        ),
        (tree(), Lie::Truncate(40), 3, "no answer"),
        (tree(), Lie::Endless, 3, "exceeds the limit"),
        (tree(), Lie::Body(b"<html>".to_vec()), 3, "malformed"),
        (
            tree(),
            Lie::Header("link", "</x>; rel=\"next\"".to_owned()),
            2,
            "does not show",
        ),
        (
            tree(),
            Lie::Redirect("https://127.0.0.1:1/".to_owned()),
            3,
            "refused to go on",
        ),
        (file(), Lie::Status(429), 3, "slow down"),
        (file(), Lie::Status(404), 3, "does not have it"),
        (file(), Lie::FlipBit, 1, "\"config.json\\\" has other content"),
        (file(), Lie::Truncate(4), 3, "no answer"),
        (file(), Lie::Body(b"{}".to_vec()), 3, "2 bytes, and 13 are listed"),
        (
            file(),
            Lie::Redirect("http://127.0.0.1:1/".to_owned()),
            3,
            "refused to go on",
        ),
    ] {
        liar.be_honest();
        liar.tell(part, lie.clone());
        let said = scene.verify(liar.host(), &listed, code, says).await?;
        ensure!(!said.out.contains("\"verified\": true"), "{lie:?}: {}", said.out);
    }
    liar.be_honest();
    scene.verify(liar.host(), &listed, 0, "all as signed").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_hub_cannot_tell_is_open_and_what_moves_is_refused() -> Result<()> {
    let mut scene = Scene::new().await?;
    for (fixture, code, says) in [
        ("blake3", 3, "download the model and verify its folder"),
        ("shards", 3, "download the model and verify its folder"),
        ("single", 0, "all as signed"),
    ] {
        let signed = Signed::read(fixture)?;
        let hub = Hub::start(signed.named("model.gguf"), LARGE).await?;
        let list = scene.desk.file(&format!("{fixture}.sig"), &signed.signature)?;
        let said = scene.verify(hub.host(), &["--signature", &list], code, says).await?;
        ensure!(said.json()?["verified"] == json!(code == 0), "{fixture}: {}", said.out);
    }
    let hub = Hub::start(scene.signed.files.clone(), LARGE).await?;
    let listed = ["--signature".to_owned(), scene.list.clone()];
    let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
    for model in ["hf://acme/iris", "hf://acme/iris@main", "hf://acme/iris:v1"] {
        model.clone_into(&mut scene.model);
        scene.verify(hub.host(), &listed, 2, "40 hexadecimal digits").await?;
    }
    ensure!(hub.asked().is_empty(), "nothing is asked about what moves");
    Ok(())
}
