//! A model whose files the real `model-signing` signed (`bundles/testdata/oms`) and whose manifest nobody did: the operator
//! compares the list that is attached to it with the manifest, and downloads no weights.

use anyhow::{Context as _, Result, ensure};
use interlock_bundles::digest::Digest;
use interlock_tests::Platform;
use interlock_tests::artifact::{Repository, digest_of};
use interlock_tests::forgery::{attach, carried};
use serde_json::json;

use crate::command_line::models::{Files, MODELPACK, Signed, TAR, push, push_raw, tar};
use crate::scene::DEPLOYMENTS;
use crate::signed::{apply, artifacts, bring_bundles, deployment, rejected, says, track, verified};

const MODEL: &str = "ModelVerified";

/// A platform, a namespace whose models `publisher` signs, and where they go.
struct Scene {
    platform: Platform,
    namespace: String,
    models: Repository,
    signed: Signed,
}

impl Scene {
    /// A workload with this model, to which the list is attached or not.
    async fn deploy(&self, name: &str, model: &str, listed: bool) -> Result<()> {
        if listed {
            attach(&self.models, &carried(self.signed.signature.clone()), model).await?;
        }
        let image = format!("{}/apps/app@{}", self.platform.liar.host(), digest_of(model));
        apply(&self.platform, &self.namespace, deployment(name, &image, Some(model))).await
    }

    async fn deploy_raw(&self, name: &str, files: &Files, listed: bool) -> Result<()> {
        let model = push_raw(&self.models, name, files).await?;
        self.deploy(name, &model, listed).await
    }

    async fn says(&self, workload: &str, want: crate::signed::Says) -> Result<interlock_crds::Release> {
        says(&self.platform, &self.namespace, &format!("deployment-{workload}"), want).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_list_of_files_vouches_for_a_model_that_has_exactly_these() -> Result<()> {
    let platform = Platform::start_with(&["--evidence-interval=2"]).await?;
    bring_bundles(&platform).await?;
    let namespace = platform.namespace("listed").await?;
    let signed = Signed::read("files-p256")?;
    let pem = std::fs::read_to_string(&signed.key)?;
    let publisher = json!({
        "apiVersion": "interlock.dev/v1alpha1", "kind": "Signer", "metadata": {"name": "publisher"},
        "spec": {"publicKey": {"pem": pem}},
    });
    apply(&platform, &namespace, publisher).await?;
    let track = track(&namespace, DEPLOYMENTS, "{models: {signers: [publisher]}}", "");
    platform.apply(&namespace, &track).await?;
    let models = Repository::new(platform.liar.host(), "models/iris");
    let scene = Scene {
        platform,
        namespace,
        models,
        signed,
    };
    let files = &scene.signed.files;

    scene.deploy_raw("good", files, true).await?;
    let release = scene.says("good", verified(MODEL)).await?;
    let model = artifacts(&release).iter().find(|one| !one.signers.is_empty());
    let model = model.context("a model with signers")?;
    ensure!(
        model.signers == ["publisher"] && model.formats == ["Bundle"],
        "{model:?}"
    );

    let mut changed = files.clone();
    changed.insert("config.json".to_owned(), b"{\"layers\": 3}".to_vec());
    scene.deploy_raw("changed", &changed, true).await?;
    let told = rejected(
        MODEL,
        "FilesDiffer",
        "\"config.json\" has other content than was signed",
    );
    let release = scene.says("changed", told).await?;
    ensure!(
        artifacts(&release).iter().any(|one| one.checks_failed == ["files"]),
        "{:?}",
        artifacts(&release)
    );

    let archive = scene.models.push_blob(TAR, &tar(files, "")?).await?;
    let packed = push(&scene.models, "packed", MODELPACK, vec![archive]).await?;
    scene.deploy("packed", &packed, true).await?;
    let told = rejected(MODEL, "FilesNotCompared", "cannot be compared without downloading them");
    scene.says("packed", told).await?;

    let mut unlisted = files.clone();
    unlisted.insert("more".to_owned(), b"more".to_vec());
    scene.deploy_raw("unlisted", &unlisted, false).await?;
    scene
        .says("unlisted", rejected(MODEL, "Unsigned", "has no signature"))
        .await?;

    let weights = format!("/blobs/{}", Digest::of(&files["weights/model.bin"]));
    let asked = scene.platform.liar.asked();
    ensure!(
        asked.iter().any(|one| one.contains("/manifests/")) && !asked.iter().any(|one| one.ends_with(&weights)),
        "weights were downloaded: {asked:?}"
    );
    Ok(())
}
