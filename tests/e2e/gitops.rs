//! What GitOps tools see: the health of every kind in every state, by what Argo CD and Flux really run over the files in
//! `docs/gitops`; and no difference between what is in Git and what the API server holds.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use interlock_tests::apply::{api_for, apply_value, documents};
use interlock_tests::cosign::KeyPair;
use interlock_tests::scratch::{scratch, write};
use interlock_tests::tools::{repository_root, tool};
use interlock_tests::{Platform, TestEnv};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::main_job::{bad, good};
use crate::scene::{DEPLOYMENTS, declared, judging, ready_of, track, track_becomes};

/// What the tools say of an object.
#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    argo: String,
    message: String,
    kstatus: String,
    flux: String,
    #[serde(default)]
    patch: String,
    in_checks: bool,
}

/// Asks them, with the files that users get.
async fn health(questions: &Value) -> Result<Vec<Health>> {
    let folder = repository_root().join("docs/gitops");
    let file = |name: &str| folder.join(name).display().to_string();
    let mut child = Command::new(tool("health")?)
        .args(["--argo-cd", &file("argocd-cm.yaml")])
        .args([file("flux-governance.yaml"), file("flux-shop.yaml")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = child.stdin.take().context("standard input")?;
    let text = questions.to_string();
    let (written, output) = tokio::join!(
        async move { input.write_all(text.as_bytes()).await },
        child.wait_with_output()
    );
    written?;
    let output = output?;
    ensure!(
        output.status.success(),
        "health: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn signer(name: &str, pem: &str) -> String {
    let pem = serde_json::to_string(pem).unwrap_or_default();
    format!(
        "apiVersion: interlock.dev/v1alpha1\nkind: Signer\nmetadata: {{name: {name}}}\nspec: {{publicKey: {{pem: {pem}}}}}\n"
    )
}

fn root(name: &str, source: &str) -> String {
    let digest = "0".repeat(64);
    format!(
        "apiVersion: interlock.dev/v1alpha1\nkind: TrustRoot\nmetadata: {{name: {name}}}\nspec: {{digest: \"sha256:{digest}\", {source}}}\n"
    )
}

fn revocation(name: &str) -> String {
    let digest = "0".repeat(64);
    format!(
        "apiVersion: interlock.dev/v1alpha1\nkind: Revocation\nmetadata: {{name: {name}}}\nspec: {{reason: lost, keys: [\"sha256:{digest}\"]}}\n"
    )
}

fn bundle(name: &str, host: &str, tag: &str, signer: &str) -> String {
    format!(
        "apiVersion: interlock.dev/v1alpha1\nkind: PolicyBundle\nmetadata: {{name: {name}}}\nspec:\n  \
         url: oci://{host}/policies/baseline\n  ref: {{tag: {tag}}}\n  bundle: baseline\n  signedBy: {{signers: [{signer}]}}\n"
    )
}

const NO_KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n";

/// Object, what Argo CD says, how its message begins, what kstatus says, what Flux says with our expressions.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// While the operator works.
const WORKING: &[Row] = &[
    ("Signer", "ready", "Healthy", "KeyAccepted: ", "Current", "Current"),
    ("Signer", "stalled", "Degraded", "KeyRejected: ", "Failed", "Failed"),
    (
        "TrustRoot",
        "stalled",
        "Degraded",
        "DigestMismatch: ",
        "Failed",
        "Failed",
    ),
    (
        "TrustRoot",
        "reconciling",
        "Progressing",
        "ConfigMapNotFound: ",
        "InProgress",
        "InProgress",
    ),
    ("Revocation", "lost", "None", "", "Current", "None"),
    ("PolicyBundle", "baseline", "Healthy", "Judging: ", "Current", "Current"),
    (
        "PolicyBundle",
        "reconciling",
        "Progressing",
        "SignerNotFound: ",
        "InProgress",
        "InProgress",
    ),
    (
        "PolicyBundle",
        "stalled",
        "Degraded",
        "UntrustedKey: ",
        "Failed",
        "Failed",
    ),
    (
        "GovernanceTrack",
        "ready",
        "Healthy",
        "Governing: ",
        "Current",
        "Current",
    ),
    (
        "GovernanceTrack",
        "reconciling",
        "Progressing",
        "BundleNotFound: ",
        "InProgress",
        "InProgress",
    ),
    (
        "Release",
        "deployment-good",
        "Healthy",
        "Allowed: ",
        "Current",
        "Current",
    ),
    (
        "Release",
        "deployment-bad",
        "Degraded",
        "GateDenied: C-",
        "Failed",
        "Failed",
    ),
    (
        "Release",
        "reconciling",
        "Progressing",
        "SubjectNotFound: ",
        "InProgress",
        "InProgress",
    ),
    ("Release", "stalled", "Degraded", "NoTrack: ", "Failed", "Failed"),
];

/// While it does not: objects that were just made, were changed, or are being deleted. kstatus alone takes what has no
/// status for good; that is why there are expressions. A Release whose workload was changed (`deployment-moved`) still
/// tells the verdict before: its own generation is the same.
const WAITING: &[Row] = &[
    (
        "TrustRoot",
        "new",
        "Progressing",
        "not looked at yet",
        "Current",
        "Unknown",
    ),
    (
        "Signer",
        "new",
        "Progressing",
        "not looked at yet",
        "Current",
        "Unknown",
    ),
    (
        "Signer",
        "ready",
        "Progressing",
        "the last change",
        "InProgress",
        "InProgress",
    ),
    (
        "PolicyBundle",
        "new",
        "Progressing",
        "not looked at yet",
        "Current",
        "Unknown",
    ),
    (
        "PolicyBundle",
        "baseline",
        "Progressing",
        "the last change",
        "InProgress",
        "InProgress",
    ),
    (
        "GovernanceTrack",
        "new",
        "Progressing",
        "not looked at yet",
        "Current",
        "Unknown",
    ),
    (
        "GovernanceTrack",
        "ready",
        "Progressing",
        "the last change",
        "InProgress",
        "InProgress",
    ),
    (
        "Release",
        "new",
        "Progressing",
        "not looked at yet",
        "Current",
        "Unknown",
    ),
    (
        "Release",
        "deployment-good",
        "Healthy",
        "Allowed: ",
        "Current",
        "Current",
    ),
    (
        "Release",
        "deployment-moved",
        "Healthy",
        "Allowed: ",
        "Current",
        "Current",
    ),
    (
        "Release",
        "stalled",
        "Progressing",
        "Pending deletion",
        "Terminating",
        "InProgress",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn argo_cd_and_flux_see_every_kind_as_it_stands() -> Result<()> {
    let mut platform = judging().await?;
    let namespace = platform.namespace("gitops").await?;
    let elsewhere = platform.namespace("gitops-elsewhere").await?;
    let host = platform.registry.host().to_owned();
    let (key, stranger) = tokio::try_join!(KeyPair::generate(), KeyPair::generate())?;

    let platform_objects = [
        signer("ready", key.public()),
        signer("stranger", stranger.public()),
        signer("stalled", NO_KEY),
        revocation("lost"),
        root("stalled", "inline: '{}'"),
        root("reconciling", "configMap: {name: nowhere}"),
        bundle("reconciling", &host, "stable", "nobody"),
        bundle("stalled", &host, "stable", "stranger"),
        track("ready", &namespace, 10, DEPLOYMENTS, ""),
        track("reconciling", &elsewhere, 10, "[{group: batch, kind: CronJob}]", "")
            .replace("name: baseline", "name: missing"),
    ];
    platform.apply(&namespace, &platform_objects.join("---\n")).await?;
    platform
        .apply(&namespace, &[good("good"), bad("bad"), good("moved")].join("---\n"))
        .await?;
    platform.apply(&namespace, &declared("reconciling", "absent")).await?;
    platform.apply(&elsewhere, &bad("stalled")).await?;
    platform.apply(&elsewhere, &declared("stalled", "stalled")).await?;

    platform.bundle_says("reconciling", "SignerNotFound").await?;
    platform.bundle_says("stalled", "UntrustedKey").await?;
    platform
        .release_says(&namespace, "deployment-good", "Allow", "Allowed")
        .await?;
    platform
        .release_says(&namespace, "deployment-moved", "Allow", "Allowed")
        .await?;
    platform
        .release_says(&namespace, "deployment-bad", "Deny", "GateDenied")
        .await?;
    platform
        .release_says(&namespace, "reconciling", "Unknown", "SubjectNotFound")
        .await?;
    platform
        .release_says(&elsewhere, "stalled", "Unknown", "NoTrack")
        .await?;
    track_becomes(&platform, "ready", "Governing", |track| {
        ready_of(track).0 == "Governing"
    })
    .await?;
    track_becomes(&platform, "reconciling", "BundleNotFound", |track| {
        ready_of(track).0 == "BundleNotFound"
    })
    .await?;
    let places = [namespace.as_str(), elsewhere.as_str()];
    compare(&platform, &places, WORKING).await?;

    platform.operator.kill()?;
    let changed = [
        signer("ready", stranger.public()),
        signer("new", key.public()),
        root("new", "inline: '{}'"),
        bundle("baseline", &host, "other", "platform"),
        bundle("new", &host, "stable", "platform"),
        track("ready", &namespace, 11, DEPLOYMENTS, ""),
        track("new", &elsewhere, 12, DEPLOYMENTS, ""),
        declared("new", "good"),
        bad("moved"), // as it is now, it would be denied
    ];
    platform.apply(&namespace, &changed.join("---\n")).await?;
    let releases = platform.releases(&elsewhere);
    let kept = json!({"metadata": {"finalizers": ["interlock-tests/kept"]}});
    releases
        .patch("stalled", &PatchParams::default(), &Patch::Merge(kept))
        .await?;
    releases.delete("stalled", &DeleteParams::default()).await?;
    compare(&platform, &places, WAITING).await
}

async fn compare(platform: &Platform, places: &[&str], rows: &[Row]) -> Result<()> {
    let mut questions = Vec::new();
    for (kind, name, ..) in rows {
        questions.push(json!({"live": live(platform, places, kind, name).await?}));
    }
    let mut problems = Vec::new();
    for ((kind, name, argo, message, kstatus, flux), said) in rows.iter().zip(health(&json!(questions)).await?) {
        let as_told = said.argo == *argo
            && said.message.starts_with(message)
            && said.kstatus == *kstatus
            && said.flux == *flux
            // A bundle whose update is refused is not ready, and the one before it goes on judging: nothing waits for it. A
            // trust root is waited for with its Signers. A Revocation has no status.
            && said.in_checks != ["PolicyBundle", "TrustRoot", "Revocation"].contains(kind);
        if !as_told {
            problems.push(format!(
                "{kind} {name}: {said:?}, want {argo} {message:?} {kstatus} {flux}"
            ));
        }
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

async fn live(platform: &Platform, places: &[&str], kind: &str, name: &str) -> Result<Value> {
    let object: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "interlock.dev/v1alpha1", "kind": kind, "metadata": {"name": name},
    }))?;
    for place in places {
        let api = api_for(&platform.client, place, &object).await?;
        if let Some(found) = api.get_opt(name).await? {
            return Ok(serde_json::to_value(found)?);
        }
    }
    anyhow::bail!("there is no {kind} {name}")
}

/// What users can write and what the documentation and the demo write.
fn written() -> Result<Vec<Value>> {
    let root = repository_root();
    let key = serde_json::to_string(NO_KEY)?;
    let mut all = Vec::new();
    for file in ["tests/e2e/testdata/every_field.yaml", "tests/demo/platform.yaml"] {
        let text = std::fs::read_to_string(root.join(file))?;
        let words = ["PUBLIC_KEY", "PLATFORM_KEY", "SHOP_KEY", "ML_KEY"].map(|word| (word, key.as_str()));
        let hosts = [
            ("REGISTRY", "registry.example.com"),
            ("PROMETHEUS", "prometheus.example.com:9090"),
        ];
        let text = words
            .into_iter()
            .chain(hosts)
            .fold(text, |text, (word, value)| text.replace(&format!("${{{word}}}"), value));
        let found = documents(&text)?.into_iter();
        all.extend(found.filter(|one| one["apiVersion"].as_str() == Some(interlock_crds::API_VERSION)));
    }
    Ok(all)
}

#[test]
fn the_examples_use_every_field() -> Result<()> {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for document in written()? {
        let kind = document["kind"].as_str().unwrap_or_default().to_owned();
        paths("spec", &document["spec"], used.entry(kind).or_default());
    }
    for crd in interlock_crds::crds() {
        let kind = crd.spec.names.kind;
        let schema = serde_json::to_value(&crd.spec.versions[0].schema)?;
        let mut known = BTreeSet::new();
        schema_paths("spec", &schema["openAPIV3Schema"]["properties"]["spec"], &mut known);
        let missing: Vec<_> = known.difference(&used[&kind]).collect();
        ensure!(missing.is_empty(), "every_field.yaml lacks {kind} {missing:?}");
    }
    Ok(())
}

fn paths(at: &str, value: &Value, found: &mut BTreeSet<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        found.insert(at.clone());
        paths(&at, value, found);
    }
    for value in value.as_array().into_iter().flatten() {
        paths(at, value, found);
    }
}

fn schema_paths(at: &str, schema: &Value, found: &mut BTreeSet<String>) {
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        found.insert(at.clone());
        schema_paths(&at, schema, found);
        schema_paths(&at, &schema["items"], found);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_git_and_what_the_api_server_holds_show_no_difference() -> Result<()> {
    let env = TestEnv::new("gitops-diff").await?;
    let folder = scratch("gitops-diff")?;
    for document in written()? {
        let what = format!("{} {}", document["kind"], document["metadata"]["name"]);
        let first = apply_value(&env.client, &env.namespace, document.clone()).await?;
        let second = apply_value(&env.client, &env.namespace, document.clone()).await?;
        ensure!(
            first.metadata.resource_version == second.metadata.resource_version,
            "{what}: applied twice, written twice"
        );
        // By name, as others share the control plane: as kubectl, and as Argo CD, which merges by itself.
        let file = write(folder.path(), "written.json", document.to_string())?
            .display()
            .to_string();
        for flags in [&["--server-side", "--field-manager=interlock-tests"][..], &[]] {
            let output = Command::new(tool("kubectl")?)
                .arg("--kubeconfig")
                .arg(env.control_plane.kubeconfig())
                .args(["diff", "--namespace", &env.namespace, "--filename", &file])
                .args(flags)
                .output()
                .await?;
            ensure!(
                output.status.success() && output.stdout.is_empty(),
                "{what}: kubectl diff {flags:?} shows {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let asked = json!([{"live": second, "written": document}]);
        let said = health(&asked).await?;
        ensure!(
            said[0].patch.is_empty(),
            "{what}: Argo CD would still apply {}",
            said[0].patch
        );
    }
    Ok(())
}
