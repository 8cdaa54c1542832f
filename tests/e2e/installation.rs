//! The chart's life on a real API server, by the real helm: installed, upgraded, uninstalled, and beside
//! `interlock crds --apply`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use interlock_tests::ControlPlane;
use interlock_tests::apply::{api_for, apply, documents};
use interlock_tests::chart::{self, IMAGE, RELEASE, helm};
use interlock_tests::eventually::{eventually, object_goes};
use interlock_tests::operator::interlock;
use interlock_tests::platform::{NAMESPACE, SOON};
use interlock_tests::scratch::scratch;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;

use crate::chart::{RESTRICTED, said};

/// Installing, upgrading with newer CRDs, uninstalling, and installing again over what was kept.
#[tokio::test]
async fn helm_installs_upgrades_and_leaves_the_objects() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let client = control_plane.client().await?;
    apply(&client, NAMESPACE, RESTRICTED).await?;
    let old = chart_with_an_older_signer()?;
    let old = old.path().display().to_string();
    let new = chart::folder().display().to_string();

    release(control_plane.kubeconfig(), "install", &old, &[]).await?;
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    ensure!(columns(&crds.get("signers.interlock.dev").await?) == ["Age"]);
    pods_are_made(&client, 2).await?;
    people_may_do_their_part(&client).await?;
    interlock_tests::env::served(&client, "signers.interlock.dev").await?;
    let key = "-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----\\n";
    let signer = format!(
        "apiVersion: interlock.dev/v1alpha1\nkind: Signer\nmetadata: {{name: kept}}\nspec: {{publicKey: {{pem: \"{key}\"}}}}\n"
    );
    apply(&client, "default", &signer).await?;

    // Newer CRDs come with the newer chart.
    let notes = release(control_plane.kubeconfig(), "upgrade", &new, &["replicas=3"]).await?;
    ensure!(notes.contains("It may contact NO registry yet"), "{notes}");
    ensure!(
        columns(&crds.get("signers.interlock.dev").await?)
            == ["Algorithm", "TrustRoot", "Ready", "Reason", "Expires", "Key", "Age"]
    );
    pods_are_made(&client, 3).await?;
    let size = size_of_release(&client).await?;
    println!("the release's Secret is {size} bytes, of 1,048,576");
    ensure!(size < 300_000, "the release's Secret is {size} bytes");

    // The same again changes nothing.
    let before = generations(&client).await?;
    release(control_plane.kubeconfig(), "upgrade", &new, &["replicas=3"]).await?;
    ensure!(
        before == generations(&client).await?,
        "an upgrade to the same changed something"
    );

    // Nothing of one update strategy is left in the way of the other.
    let claimed = ["replicas=1", "cache.existingClaim=bundles"];
    release(control_plane.kubeconfig(), "upgrade", &new, &claimed).await?;

    let output = helm(
        Some(control_plane.kubeconfig()),
        &["uninstall", RELEASE, "-n", NAMESPACE],
    )
    .await?;
    ensure!(output.status.success(), "{}", said(&output));
    object_goes(&Api::<Deployment>::namespaced(client.clone(), NAMESPACE), RELEASE, SOON).await?;
    ensure!(crds.list(&ListParams::default()).await?.items.len() == interlock_crds::crds().len());
    let signers: Api<interlock_crds::Signer> = Api::all(client.clone());
    signers.get("kept").await.context("objects are kept")?;

    // What was kept is taken up again.
    release(control_plane.kubeconfig(), "install", &new, &[]).await?;
    signers.get("kept").await.context("objects are kept")?;
    Ok(())
}

/// `interlock crds --apply` and helm on the same CRDs, in either order.
#[tokio::test]
async fn crds_may_be_applied_beside_helm() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let client = control_plane.client().await?;
    apply(&client, NAMESPACE, RESTRICTED).await?;
    let kubeconfig = control_plane.kubeconfig().display().to_string();
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let old = chart_with_an_older_signer()?;
    let old = old.path().display().to_string();
    let new = chart::folder().display().to_string();

    // First helm, then ours: the newer ones win, and helm's marks stay.
    release(control_plane.kubeconfig(), "install", &old, &[]).await?;
    apply_crds(&kubeconfig).await?;
    let crd = crds.get("signers.interlock.dev").await?;
    ensure!(columns(&crd) == ["Algorithm", "TrustRoot", "Ready", "Reason", "Expires", "Key", "Age"]);
    ensure!(
        crd.annotations()
            .get("helm.sh/resource-policy")
            .is_some_and(|policy| policy == "keep")
    );
    // Helm then agrees with the same version without being forced.
    release(control_plane.kubeconfig(), "upgrade", &new, &[]).await?;
    // Another version it does not, unless it is forced: what it says of the other writer is not lost on people.
    let refused = release(control_plane.kubeconfig(), "upgrade", &old, &[]).await;
    let refused = refused
        .err()
        .context("helm overwrites what others have applied")?
        .to_string();
    ensure!(refused.contains("conflict with \"interlock\""), "{refused}");
    let mut forced = vec![
        "upgrade",
        RELEASE,
        &old,
        "-n",
        NAMESPACE,
        "--reuse-values",
        "--force-conflicts",
    ];
    let output = helm(Some(control_plane.kubeconfig()), &forced).await?;
    ensure!(output.status.success(), "{}", said(&output));
    ensure!(columns(&crds.get("signers.interlock.dev").await?) == ["Age"]);
    forced[2] = &new;
    let output = helm(Some(control_plane.kubeconfig()), &forced).await?;
    ensure!(output.status.success(), "{}", said(&output));
    // And leaves the CRDs alone when told to.
    release(control_plane.kubeconfig(), "upgrade", &new, &["crds.install=false"]).await?;
    ensure!(crds.list(&ListParams::default()).await?.items.len() == interlock_crds::crds().len());
    apply_crds(&kubeconfig).await?;
    let output = helm(
        Some(control_plane.kubeconfig()),
        &["uninstall", RELEASE, "-n", NAMESPACE],
    )
    .await?;
    ensure!(output.status.success(), "{}", said(&output));
    ensure!(
        columns(&crds.get("signers.interlock.dev").await?)
            == ["Algorithm", "TrustRoot", "Ready", "Reason", "Expires", "Key", "Age"]
    );
    Ok(())
}

/// First `interlock crds --apply`, then helm: it refuses what it did not make, unless it is told to take it.
#[tokio::test]
async fn helm_takes_applied_crds_when_told_to() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let client = control_plane.client().await?;
    apply(&client, NAMESPACE, RESTRICTED).await?;
    let kubeconfig = control_plane.kubeconfig().display().to_string();
    let new = chart::folder().display().to_string();
    apply_crds(&kubeconfig).await?;
    let refused = release(control_plane.kubeconfig(), "install", &new, &[]).await;
    let refused = refused.err().context("helm takes what is not its own")?.to_string();
    ensure!(refused.contains("invalid ownership metadata"), "{refused}");
    release(control_plane.kubeconfig(), "install", &new, &["crds.install=false"]).await?;
    let output = helm(
        Some(control_plane.kubeconfig()),
        &[
            "upgrade",
            RELEASE,
            &new,
            "-n",
            NAMESPACE,
            "--reuse-values",
            "--set=crds.install=true",
            "--take-ownership",
        ],
    )
    .await?;
    ensure!(output.status.success(), "{}", said(&output));
    apply_crds(&kubeconfig).await
}

/// `interlock crds --apply`.
async fn apply_crds(kubeconfig: &str) -> Result<()> {
    let output = interlock(&["crds", "--apply", "--kubeconfig", kubeconfig]).await?;
    ensure!(output.status.success(), "{}", said(&output));
    Ok(())
}

/// `helm install` or `helm upgrade`; answers what it said.
async fn release(kubeconfig: &Path, verb: &str, chart: &str, values: &[&str]) -> Result<String> {
    let mut arguments = vec![verb, RELEASE, chart, "--namespace", NAMESPACE];
    for value in IMAGE.iter().chain(values) {
        arguments.extend(["--set", value]);
    }
    let output = helm(Some(kubeconfig), &arguments).await?;
    ensure!(
        output.status.success(),
        "helm {}: {}",
        arguments.join(" "),
        said(&output)
    );
    Ok(said(&output))
}

/// The chart of a time when Signers showed nothing but their age.
fn chart_with_an_older_signer() -> Result<tempfile::TempDir> {
    fn copy(from: &Path, to: &Path) -> Result<()> {
        std::fs::create_dir_all(to)?;
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                copy(&entry.path(), &target)?;
            } else {
                std::fs::copy(entry.path(), target)?;
            }
        }
        Ok(())
    }
    let folder = scratch("older-chart")?;
    copy(&chart::folder(), folder.path())?;
    let file = folder.path().join("files/crds/signers.yaml");
    let mut crd: CustomResourceDefinition = serde_saphyr::from_str(&std::fs::read_to_string(&file)?)?;
    for version in &mut crd.spec.versions {
        let columns = version.additional_printer_columns.get_or_insert_default();
        columns.retain(|column| column.name == "Age");
    }
    std::fs::write(file, serde_saphyr::to_string(&crd)?)?;
    Ok(folder)
}

fn columns(crd: &CustomResourceDefinition) -> Vec<String> {
    let columns = crd
        .spec
        .versions
        .iter()
        .flat_map(|version| version.additional_printer_columns.iter().flatten());
    columns.map(|column| column.name.clone()).collect()
}

/// The cluster's own roles reach Interlock's kinds: a team states its Releases and reads the rest.
async fn people_may_do_their_part(client: &Client) -> Result<()> {
    let roles: Api<ClusterRole> = Api::all(client.clone());
    let verbs = |role: &ClusterRole, resource: &str| -> BTreeSet<String> {
        let granted = role.rules.iter().flatten();
        let ours = granted.filter(|rule| rule.api_groups.iter().flatten().any(|group| group == "interlock.dev"));
        let named = ours.filter(|rule| rule.resources.iter().flatten().any(|one| one == resource));
        named.flat_map(|rule| rule.verbs.clone()).collect()
    };
    for (role, resource, writes) in [
        ("view", "releases", false),
        ("edit", "releases", true),
        ("admin", "releases", true),
        ("edit", "governancetracks", false),
        ("admin", "signers", false),
        ("admin", "revocations", false),
    ] {
        eventually(
            &format!("{role} reads {resource}, writes: {writes}"),
            SOON,
            async || {
                let verbs = verbs(&roles.get(role).await?, resource);
                Ok((verbs.contains("list") && verbs.contains("create") == writes).then_some(()))
            },
        )
        .await?;
    }
    Ok(())
}

async fn pods_are_made(client: &Client, count: usize) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    eventually("the namespace takes the operator's pods", SOON, async || {
        Ok((pods.list(&ListParams::default()).await?.items.len() == count).then_some(()))
    })
    .await
}

/// The largest of the Secrets in which helm keeps what it installed.
async fn size_of_release(client: &Client) -> Result<usize> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let kept = secrets.list(&ListParams::default().labels("owner=helm")).await?;
    let sizes = kept
        .iter()
        .map(|secret| secret.data.iter().flatten().map(|(_, value)| value.0.len()).sum());
    sizes.max().context("helm keeps releases in Secrets")
}

/// The resource versions of all that the chart renders.
async fn generations(client: &Client) -> Result<Vec<(String, Option<i64>, Option<Value>)>> {
    let mut found = Vec::new();
    for object in documents(&chart::render(NAMESPACE, &["replicas=3"]).await?)? {
        let object: DynamicObject = serde_json::from_value(object)?;
        let stored = api_for(client, NAMESPACE, &object)
            .await?
            .get(&object.name_any())
            .await?;
        let name = format!("{} {}", object.types.unwrap_or_default().kind, stored.name_any());
        // Not every kind counts generations; the rest of these are roles.
        found.push((name, stored.metadata.generation, stored.data.get("rules").cloned()));
    }
    Ok(found)
}
