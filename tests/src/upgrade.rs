//! A cluster before and after an upgrade. Before, it has the CRDs of an older version and what that version's operator
//! left behind: either because it really ran here ([`Old::run`], for `make upgrade`), or because it did once, and what
//! it left was written down ([`Recorded`], which needs neither its sources nor its binary).

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value answers null for what it has not, and the keys are two"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::pinned_kind;
use kube::{Api, Client, ResourceExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::apply::apply;
use crate::artifact::Repository;
use crate::chart;
use crate::child::free_port;
use crate::control_plane::ControlPlane;
use crate::cosign::KeyPair;
use crate::env::served;
use crate::eventually::eventually;
use crate::operator::{Operator, binary};
use crate::platform::{NAMESPACE, arguments};
use crate::registry::{Flavour, Registry};
use crate::scratch::scratch;
use crate::tools::repository_root;

/// Nothing has been written for this long: everything has been looked at, and registries asked again.
const QUIET: Duration = Duration::from_secs(12);
/// Longer than it takes until then.
const LONG: Duration = Duration::from_mins(2);
/// Path and tag of the bundle that judges.
const BUNDLE: (&str, &str) = ("policies/baseline", "1.0.0");
/// Kinds whose objects are compared.
const KINDS: [&str; 4] = ["Signer", "PolicyBundle", "GovernanceTrack", "Release"];
/// Kinds of the scene's workloads, whose UIDs Releases carry.
const WORKLOADS: [(&str, &str); 4] = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "CronJob"),
];

/// Where the scene and the record lie.
pub fn folder() -> PathBuf {
    repository_root().join("tests/e2e/testdata/upgrade")
}

/// What an older version left behind.
#[derive(Serialize, Deserialize)]
pub struct Recorded {
    /// The commit.
    pub commit: String,
    /// The keys that `${KEY}` and `${STRANGER}` of the scene stood for.
    pub keys: [String; 2],
    /// What the registry held.
    pub artifacts: Vec<Artifact>,
    /// Every object of Interlock's kinds, with `${REGISTRY}` and `${UID:…}` for what differs from run to run.
    pub objects: Vec<Value>,
}

/// A manifest and the small blobs it names; the bundle itself is a file beside the record.
#[derive(Serialize, Deserialize)]
pub struct Artifact {
    name: String,
    media_type: String,
    manifest: String,
    blobs: Vec<String>,
}

/// A cluster.
pub struct Cluster {
    /// Its operator, while one runs.
    pub operator: Option<Operator>,
    /// Its control plane.
    pub control_plane: ControlPlane,
    /// A client with all rights.
    pub client: Client,
    registry: Registry,
    cache: TempDir,
    probes: String,
}

impl Cluster {
    /// One with the CRDs of `yaml`, and an empty registry.
    pub async fn with_crds(yaml: &str) -> Result<Self> {
        let (control_plane, registry) = tokio::try_join!(ControlPlane::start(), Registry::start(Flavour::Referrers))?;
        let client = control_plane.client().await?;
        let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n");
        apply(&client, NAMESPACE, &namespace).await?;
        for crd in apply(&client, NAMESPACE, yaml).await? {
            served(&client, &crd.name_any()).await?;
        }
        Ok(Self {
            operator: None,
            client,
            control_plane,
            registry,
            cache: scratch("upgrade-cache")?,
            probes: format!("127.0.0.1:{}", free_port()?),
        })
    }

    /// Applies what users had written.
    async fn scene(&self, keys: &[String; 2]) -> Result<()> {
        let text = std::fs::read_to_string(folder().join("scene.yaml"))?
            .replace("${KEY}", &serde_json::to_string(&keys[0])?)
            .replace("${STRANGER}", &serde_json::to_string(&keys[1])?)
            .replace("${REGISTRY}", self.registry.host());
        apply(&self.client, "default", &text).await.map(drop)
    }

    /// Starts the operator of `program` as whom `kubeconfig` names, with the cache that the one before it has left.
    async fn operate(&mut self, program: PathBuf, kubeconfig: &Path) -> Result<()> {
        let given = arguments(
            kubeconfig,
            self.cache.path(),
            &self.probes,
            "upgrade",
            &[self.registry.host()],
        );
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        let mut operator = Operator::start_of(program, &given, &self.probes, &[])?;
        operator.ready().await?;
        self.operator = Some(operator);
        Ok(())
    }

    /// Ends the operator as a rollout does, and puts this version's CRDs and operator in its place. The operator may do
    /// what this version's chart grants and no more.
    pub async fn upgrade(&mut self) -> Result<()> {
        if let Some(mut old) = self.operator.take() {
            old.terminate().await?;
        }
        let kubeconfig = self.control_plane.kubeconfig().display().to_string();
        let output = crate::operator::interlock(&["crds", "--apply", "--kubeconfig", &kubeconfig]).await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let kubeconfig = self.under_the_chart().await?;
        self.operate(binary()?, &kubeconfig).await
    }

    /// A kubeconfig of the chart's service account, once its rights hold: aggregated rules are put together with a delay,
    /// and what is forbidden meanwhile would show in a status.
    async fn under_the_chart(&self) -> Result<PathBuf> {
        apply(&self.client, NAMESPACE, chart::rbac(NAMESPACE).await?).await?;
        let token = chart::token(&self.client, NAMESPACE, chart::RELEASE).await?;
        let kubeconfig = self.control_plane.kubeconfig_with("operator", &token)?;
        let deployments: Api<Deployment> = Api::all(crate::control_plane::client(&kubeconfig).await?);
        let params = ListParams::default();
        eventually("the chart's rights hold", LONG, async || {
            deployments.list(&params).await?;
            Ok(Some(()))
        })
        .await?;
        Ok(kubeconfig)
    }

    /// Every object of Interlock, by kind, namespace and name, once nothing has been written for a while.
    pub async fn settled(&self) -> Result<BTreeMap<String, Value>> {
        let mut seen = (self.objects().await?, Instant::now());
        let outcome = eventually("nothing is written any more", LONG, async || {
            let now = self.objects().await?;
            if now != seen.0 {
                seen = (now, Instant::now());
            }
            let all_speak = seen.0.values().all(|object| object.get("status").is_some());
            Ok((all_speak && seen.1.elapsed() > QUIET).then(|| seen.0.clone()))
        });
        outcome
            .await
            .with_context(|| self.operator.as_ref().map(Operator::log).unwrap_or_default())
    }

    /// Every object of Interlock now.
    pub async fn objects(&self) -> Result<BTreeMap<String, Value>> {
        let mut all = BTreeMap::new();
        for kind in KINDS {
            for object in list(&self.client, interlock_crds::API_VERSION, kind).await? {
                all.insert(spoken(kind, &object), serde_json::to_value(object)?);
            }
        }
        Ok(all)
    }

    /// What stands for the UIDs and the registry of this cluster in a record.
    async fn placeholders(&self) -> Result<Vec<(String, String)>> {
        let mut all = vec![(self.registry.host().to_owned(), "${REGISTRY}".to_owned())];
        for (version, kind) in WORKLOADS {
            for object in list(&self.client, version, kind).await? {
                let uid = object.uid().context("an object has a UID")?;
                all.push((uid, format!("${{UID:{}}}", spoken(kind, &object))));
            }
        }
        Ok(all)
    }
}

async fn list(client: &Client, api_version: &str, kind: &str) -> Result<Vec<DynamicObject>> {
    let types = kube::core::TypeMeta {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
    };
    let (resource, _) = pinned_kind(client, &GroupVersionKind::try_from(&types)?).await?;
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut objects = api.list(&ListParams::default()).await?.items;
    for object in &mut objects {
        object.types = Some(types.clone()); // lists leave it out
    }
    Ok(objects)
}

fn spoken(kind: &str, object: &DynamicObject) -> String {
    match object.namespace() {
        Some(namespace) => format!("{kind} {namespace}/{}", object.name_any()),
        None => format!("{kind} {}", object.name_any()),
    }
}

/// A cluster on which the older version really ran.
pub struct Old {
    /// The cluster; its operator still runs.
    pub cluster: Cluster,
    keys: [String; 2],
    pinned: String,
}

impl Old {
    /// Lets the older version's `program` judge the scene, with its CRDs and its built bundle.
    pub async fn run(program: PathBuf, crds: &str, bundle: &[u8]) -> Result<Self> {
        let mut cluster = Cluster::with_crds(crds).await?;
        let (key, stranger) = tokio::try_join!(KeyPair::generate(), KeyPair::generate())?;
        let keys = [key.public().to_owned(), stranger.public().to_owned()];
        let pinned = Repository::new(cluster.registry.host(), BUNDLE.0)
            .push(BUNDLE.1, bundle)
            .await?;
        key.sign(&pinned).await?;
        cluster.scene(&keys).await?;
        let kubeconfig = cluster.control_plane.kubeconfig().to_owned();
        cluster.operate(program, &kubeconfig).await?;
        cluster.settled().await?;
        Ok(Self { cluster, keys, pinned })
    }

    /// Writes down what it left.
    pub async fn record(&self, commit: &str) -> Result<Recorded> {
        let placeholders = self.cluster.placeholders().await?;
        let objects = self.cluster.objects().await?.into_values().map(|object| {
            let text = placeholders
                .iter()
                .fold(object.to_string(), |text, (found, stands)| text.replace(found, stands));
            Ok(serde_json::from_str(&text)?)
        });
        Ok(Recorded {
            commit: commit.to_owned(),
            keys: self.keys.clone(),
            artifacts: artifacts(&Repository::new(self.cluster.registry.host(), BUNDLE.0), &self.pinned).await?,
            objects: objects.collect::<Result<_>>()?,
        })
    }
}

/// The bundle's manifest and its signatures.
async fn artifacts(repository: &Repository, pinned: &str) -> Result<Vec<Artifact>> {
    let digest = pinned.split('@').nth(1).context("a digest")?;
    let index: Value = repository.get(&format!("referrers/{digest}")).await?.json().await?;
    let referrers = index["manifests"].as_array().into_iter().flatten();
    let names = referrers.filter_map(|one| one["digest"].as_str()).map(str::to_owned);
    let mut all = Vec::new();
    for name in names.chain([digest.to_owned()]) {
        let manifest = repository.get(&format!("manifests/{name}")).await?.text().await?;
        let parsed: Value = serde_json::from_str(&manifest)?;
        let mut blobs = Vec::new();
        for part in parsed["layers"]
            .as_array()
            .into_iter()
            .flatten()
            .chain([&parsed["config"]])
        {
            let of = part["digest"].as_str().context("a blob has a digest")?;
            if let Ok(text) = String::from_utf8(repository.get(&format!("blobs/{of}")).await?.bytes().await?.to_vec()) {
                blobs.push(text);
            }
        }
        all.push(Artifact {
            name: if name == digest { BUNDLE.1.to_owned() } else { name },
            media_type: parsed["mediaType"].as_str().unwrap_or_default().to_owned(),
            manifest,
            blobs,
        });
    }
    all.reverse(); // what is signed comes before its signatures
    Ok(all)
}

impl Recorded {
    /// What lies in [`folder`].
    pub fn load() -> Result<Self> {
        Ok(serde_json::from_str(&std::fs::read_to_string(
            folder().join("left.json"),
        )?)?)
    }

    /// Writes it there, with the CRDs and the bundle.
    pub fn save(&self, crds: &str, bundle: &Path) -> Result<()> {
        std::fs::write(folder().join("left.json"), serde_json::to_string_pretty(self)? + "\n")?;
        std::fs::write(folder().join("crds.yaml"), crds)?;
        std::fs::copy(bundle, folder().join("baseline.tar.gz"))?;
        Ok(())
    }

    /// A cluster as the older version left it, its operator gone. Every field is written by who had written it.
    pub async fn restore(&self) -> Result<Cluster> {
        let cluster = Cluster::with_crds(&std::fs::read_to_string(folder().join("crds.yaml"))?).await?;
        self.fill(&Repository::new(cluster.registry.host(), BUNDLE.0)).await?;
        cluster.scene(&self.keys).await?;
        let recorded = self.objects_on(&cluster).await?;
        for object in &recorded {
            leave(&cluster.client, object).await?;
        }
        faithful(&recorded, &cluster.objects().await?)?;
        Ok(cluster)
    }

    async fn fill(&self, repository: &Repository) -> Result<()> {
        let bundle = std::fs::read(folder().join("baseline.tar.gz"))?;
        repository.push_blob(crate::artifact::LAYER, &bundle).await?;
        for artifact in &self.artifacts {
            for blob in &artifact.blobs {
                repository
                    .push_blob("application/octet-stream", blob.as_bytes())
                    .await?;
            }
            let manifest = artifact.manifest.as_bytes();
            repository
                .push_manifest(&artifact.name, &artifact.media_type, manifest)
                .await?;
        }
        Ok(())
    }

    async fn objects_on(&self, cluster: &Cluster) -> Result<Vec<Value>> {
        let placeholders = cluster.placeholders().await?;
        let objects = self.objects.iter().map(|object| {
            let text = placeholders
                .iter()
                .fold(object.to_string(), |text, (found, stands)| text.replace(stands, found));
            Ok(serde_json::from_str(&text)?)
        });
        objects.collect()
    }
}

/// Writes what the operator had written: a discovered Release, and every status.
async fn leave(client: &Client, recorded: &Value) -> Result<()> {
    let object: DynamicObject = serde_json::from_value(recorded.clone())?;
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let params = PatchParams::apply("interlock").force();
    let api = crate::apply::api_for(client, &namespace, &object).await?;
    let metadata = &recorded["metadata"];
    let bare = json!({"apiVersion": recorded["apiVersion"], "kind": recorded["kind"], "metadata": {"name": name}});
    if metadata.get("ownerReferences").is_some() {
        let mut whole = bare.clone();
        whole["metadata"]["labels"] = metadata["labels"].clone();
        whole["metadata"]["ownerReferences"] = metadata["ownerReferences"].clone();
        whole["spec"] = recorded["spec"].clone();
        api.patch(&name, &params, &Patch::Apply(&whole)).await?;
    }
    let mut status = bare;
    status["status"] = recorded["status"].clone();
    api.patch_status(&name, &params, &Patch::Apply(&status)).await?;
    Ok(())
}

/// Whether the cluster holds what was recorded, by whom it was written included.
fn faithful(recorded: &[Value], found: &BTreeMap<String, Value>) -> Result<()> {
    ensure!(
        recorded.len() == found.len(),
        "recorded {} objects, found {}",
        recorded.len(),
        found.len()
    );
    for object in recorded {
        let typed: DynamicObject = serde_json::from_value(object.clone())?;
        let name = spoken(object["kind"].as_str().unwrap_or_default(), &typed);
        let found = found.get(&name).with_context(|| format!("{name} is not there"))?;
        for field in ["spec", "status"] {
            ensure!(
                object[field] == found[field],
                "{name}: recorded {} and found {}",
                object[field],
                found[field]
            );
        }
        ensure!(
            writers(object) == writers(found),
            "{name}: written by {:#?} and {:#?}",
            writers(object),
            writers(found)
        );
    }
    Ok(())
}

/// Who wrote which fields.
fn writers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mut all: Vec<_> = entries
        .map(|entry| {
            format!(
                "{} {} {} {}",
                entry["manager"], entry["operation"], entry["subresource"], entry["fieldsV1"]
            )
        })
        .collect();
    all.sort();
    all
}

/// What an upgrade has changed, a line a change: objects that came or went, and fields that were written, but for those
/// under the JSON pointers `but_for`.
pub fn changes(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>, but_for: &[&str]) -> Vec<String> {
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let come = after.keys().filter(|name| !before.contains_key(*name));
    let mut all: Vec<String> = gone.map(|name| format!("{name} is gone")).collect();
    all.extend(come.map(|name| format!("{name} has come")));
    for (name, old) in before {
        let mut fields = Vec::new();
        after
            .get(name)
            .into_iter()
            .for_each(|new| differ("", old, new, &mut fields));
        fields.retain(|(path, ..)| !but_for.iter().any(|prefix| path.starts_with(prefix)));
        all.extend(
            fields
                .iter()
                .map(|(path, old, new)| format!("{name} {path}: {old} became {new}")),
        );
    }
    all
}

fn differ(path: &str, old: &Value, new: &Value, found: &mut Vec<(String, String, String)>) {
    match (old, new) {
        _ if old == new => {}
        (Value::Object(olds), Value::Object(news)) => {
            let names: BTreeSet<_> = olds.keys().chain(news.keys()).collect();
            for name in names {
                let [old, new] = [olds, news].map(|fields| fields.get(name).unwrap_or(&Value::Null));
                differ(&format!("{path}/{name}"), old, new, found);
            }
        }
        _ => found.push((path.to_owned(), old.to_string(), new.to_string())),
    }
}

/// Verdict and reason of every Release, by name.
pub fn verdicts(objects: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let releases = objects.iter().filter(|(name, _)| name.starts_with("Release "));
    let told = releases.map(|(name, object)| {
        let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
        let reason = conditions
            .filter(|one| one["type"] == "Ready")
            .map(|one| one["reason"].clone())
            .next();
        let verdict = object["status"]["verdict"].as_str().unwrap_or("none");
        (
            name.clone(),
            format!(
                "{verdict} {}",
                reason.as_ref().and_then(Value::as_str).unwrap_or("none")
            ),
        )
    });
    told.collect()
}
