//! The cluster that is measured: how its parts are made, and what can be read of the operator from outside.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use interlock_crds::{Release, Verdict};
use interlock_tests::Platform;
use interlock_tests::artifact::Repository;
use interlock_tests::cosign::KeyPair;
use interlock_tests::env::install;
use interlock_tests::eventually::eventually;
use interlock_tests::examples::Project;
use interlock_tests::operator::metric;
use interlock_tests::platform::built;
use interlock_tests::prometheus::{Exporter, Prometheus};
use kube::api::{DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::AT_REST;

/// Workloads, the models among them.
pub(crate) const WORKLOADS: usize = 1000;
/// Namespaces they are spread over.
pub(crate) const NAMESPACES: usize = 400;
/// Different images; every fiftieth workload shares one.
pub(crate) const IMAGES: usize = 50;
/// InferenceServices, each with a model of its own and a drift monitor.
pub(crate) const MODELS: usize = 20;
/// Images that some workloads name by tag.
pub(crate) const TAGS: usize = 5;
/// How often tags and drift monitors are looked at: often, so that the steady state shows within a minute.
pub(crate) const ROUND: Duration = Duration::from_secs(15);

/// Every so many workloads one is in a payment namespace, whose images another Signer signs.
const PAYMENT: usize = 25;
/// Images that this Signer signs: the last ones.
const PAYMENT_IMAGES: usize = 2;
/// Longer than anything takes on a slow machine.
const PATIENCE: Duration = Duration::from_mins(10);

/// What runs.
pub(crate) struct Cluster {
    platform: Platform,
    prometheus: Prometheus,
    exporter: Exporter,
    keys: BTreeMap<&'static str, KeyPair>,
    images: Vec<String>,
    models: Vec<String>,
}

/// What the operator has counted.
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) writes: f64,
    pub(crate) looks: f64,
    pub(crate) resolves: f64,
    pub(crate) signatures: f64,
    pub(crate) checks: f64,
    pub(crate) prometheus: f64,
}

impl Counts {
    /// What was added since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            writes: self.writes - before.writes,
            looks: self.looks - before.looks,
            resolves: self.resolves - before.resolves,
            signatures: self.signatures - before.signatures,
            checks: self.checks - before.checks,
            prometheus: self.prometheus - before.prometheus,
        }
    }
}

impl Cluster {
    /// Starts everything; nothing is governed yet.
    pub(crate) async fn start() -> Result<Self> {
        let seconds = format!("--evidence-interval={}", ROUND.as_secs());
        let platform = Platform::start_with(&[&seconds]).await?;
        for name in ["baseline", "model"] {
            let path = format!("policies/{name}");
            platform.publish(&path, "stable", &built(name)?).await?;
            platform
                .bundle(name, platform.registry.host(), &path, "stable", name)
                .await?;
            platform.bundle_says(name, "Judging").await?;
        }
        let crd = Project::KServe.crd("inferenceservices.serving.kserve.io")?;
        install(&platform.client, vec![serde_json::from_value(crd)?]).await?;
        let mut keys = BTreeMap::new();
        for name in ["applications", "payments", "models"] {
            let key = KeyPair::generate().await?;
            platform.signer(name, &key).await?;
            keys.insert(name, key);
        }
        let prometheus = Prometheus::start(&["drift"]).await?;
        let exporter = Exporter::start("").await?;
        Ok(Self {
            platform,
            prometheus,
            exporter,
            keys,
            images: Vec::new(),
            models: Vec::new(),
        })
    }

    /// Pushes and signs all images and models; answers how long the signing took.
    pub(crate) async fn publish(&mut self) -> Result<Duration> {
        let host = self.platform.registry.host().to_owned();
        let push = |path: String| {
            let repository = Repository::new(&host, &path);
            async move { repository.push("1.0", path.as_bytes()).await }
        };
        for number in 0..IMAGES {
            self.images.push(push(format!("images/image-{number}")).await?);
        }
        for number in 0..MODELS {
            self.models.push(push(format!("models/model-{number}")).await?);
        }
        let since = Instant::now();
        for (at, image) in self.images.iter().enumerate() {
            let signer = if at + PAYMENT_IMAGES < IMAGES {
                "applications"
            } else {
                "payments"
            };
            self.key(signer)?.sign(image).await?;
        }
        for model in &self.models {
            self.key("models")?.sign(model).await?;
        }
        Ok(since.elapsed())
    }

    fn key(&self, name: &str) -> Result<&KeyPair> {
        self.keys.get(name).with_context(|| format!("no key is called {name}"))
    }

    /// Makes tracks, namespaces and workloads; answers how long the API server took for the workloads.
    pub(crate) async fn create(&mut self) -> Result<Duration> {
        self.watch_models().await?;
        self.platform.apply("default", &self.tracks()).await?;
        let namespaces = (0..NAMESPACES).map(|number| {
            let kind = if number % PAYMENT == 0 {
                "payments"
            } else {
                "applications"
            };
            object(
                "v1",
                "Namespace",
                None,
                &format!("bench-{number}"),
                &json!({"bench": kind}),
                &Value::Null,
            )
        });
        self.create_all(namespaces.collect()).await?;
        let since = Instant::now();
        let workloads = (0..WORKLOADS).map(|number| self.workload(number));
        self.create_all(workloads.collect()).await?;
        Ok(since.elapsed())
    }

    /// Every model has its series and the one alerting rule sees it.
    async fn watch_models(&self) -> Result<()> {
        let mut text = String::new();
        for number in 0..MODELS {
            let (namespace, name) = (place(WORKLOADS - MODELS + number), format!("model-{number}"));
            writeln!(
                text,
                "model_drift{{namespace=\"{namespace}\",model=\"{name}\"}} 0.0{{tick}}"
            )?;
        }
        self.exporter.set(&text);
        self.prometheus.scrape("drift", Some(self.exporter.host()), &[])?;
        self.prometheus
            .rules("drift", "- {alert: ModelDrift, expr: model_drift > 0.5}")
            .await
    }

    fn tracks(&self) -> String {
        let track = |name: &str, kind: &str, namespaces: &str, bundles: &str, more: &str| {
            format!(
                "apiVersion: interlock.dev/v1alpha1\nkind: GovernanceTrack\nmetadata: {{name: {name}}}\nspec:\n  \
                 match:\n    kinds: [{kind}]\n    namespaceSelector: {namespaces}\n  bundles: {bundles}\n{more}---\n"
            )
        };
        let deployments = "{group: apps, kind: Deployment}";
        let signed = |who: &str| format!("  signedBy: {{images: {{signers: [{who}]}}}}\n");
        let drift = format!(
            "  signedBy: {{models: {{signers: [models]}}}}\n  driftMonitor:\n    prometheus: {{url: \"http://{}\"}}\n    \
             interval: {}s\n    workload: {{nameLabel: model}}\n    target: {{matchLabels: {{job: drift}}}}\n    \
             series: [{{metric: model_drift}}]\n    alert: {{name: ModelDrift}}\n",
            self.prometheus.host(),
            ROUND.as_secs()
        );
        let of = |kind: &str| format!("{{matchLabels: {{bench: {kind}}}}}");
        track(
            "applications",
            deployments,
            &of("applications"),
            "[{name: baseline}]",
            &signed("applications"),
        ) + &track(
            "payments",
            deployments,
            &of("payments"),
            "[{name: baseline}]",
            &signed("payments"),
        ) + &track(
            "models",
            "{group: serving.kserve.io, kind: InferenceService}",
            "{matchExpressions: [{key: bench, operator: Exists}]}",
            "[{name: baseline}, {name: model}]",
            &drift,
        )
    }

    /// Workload `number`: the last ones are models, the others Deployments, of which some name their image by tag.
    fn workload(&self, number: usize) -> Value {
        let namespace = place(number);
        if let Some(model) = (number + MODELS).checked_sub(WORKLOADS) {
            let uri = self.models.get(model).map(|reference| format!("oci://{reference}"));
            let spec = json!({"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": uri}}});
            let name = format!("model-{model}");
            return object(
                "serving.kserve.io/v1beta1",
                "InferenceService",
                Some(&namespace),
                &name,
                &json!({}),
                &spec,
            );
        }
        let is_payment = number % NAMESPACES % PAYMENT == 0;
        let image = if is_payment {
            IMAGES - 1 - number % PAYMENT_IMAGES
        } else {
            number % (IMAGES - PAYMENT_IMAGES)
        };
        let pinned = self.images.get(image).cloned().unwrap_or_default();
        let name = pinned
            .split_once('@')
            .map(|(name, _)| format!("{name}:1.0"))
            .unwrap_or_default();
        let reference = if !is_payment && image < TAGS { name } else { pinned };
        let labels = json!({"app": "app"});
        let spec = json!({
            "replicas": 0, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": reference}]}},
        });
        object(
            "apps/v1",
            "Deployment",
            Some(&namespace),
            &format!("workload-{number}"),
            &json!({}),
            &spec,
        )
    }

    async fn create_all(&self, objects: Vec<Value>) -> Result<()> {
        let create = |value: Value| {
            let client = self.platform.client.clone();
            async move {
                let object: DynamicObject = serde_json::from_value(value)?;
                let types = object.types.clone().context("it has a kind")?;
                let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types)?);
                let api: Api<DynamicObject> = match &object.metadata.namespace {
                    Some(namespace) => Api::namespaced_with(client, namespace, &resource),
                    None => Api::all_with(client, &resource),
                };
                api.create(&PostParams::default(), &object).await?;
                anyhow::Ok(())
            }
        };
        futures::stream::iter(objects.into_iter().map(create))
            .buffer_unordered(32)
            .try_collect()
            .await
    }

    /// Waits until every workload has its verdict, and answers how long that took from the first one's creation.
    pub(crate) async fn judged(&self, creating: Duration) -> Result<Duration> {
        let since = Instant::now();
        let releases = self.releases();
        eventually("every workload has its verdict", PATIENCE, async || {
            let all = releases.list(&ListParams::default()).await?.items;
            let decided = all.iter().filter(|one| is_decided(one)).count();
            Ok((decided == WORKLOADS).then_some(()))
        })
        .await
        .with_context(|| format!("the operator's log ends:\n{}", self.platform.log_tail(25)))?;
        Ok(since.elapsed() + creating)
    }

    fn releases(&self) -> Api<Release> {
        Api::all(self.platform.client.clone())
    }

    /// Waits until the operator does nothing any more.
    pub(crate) async fn quiet(&self) -> Result<()> {
        let mut last = (-1.0, Instant::now());
        eventually("the operator has nothing to do", PATIENCE, async || {
            let now = self.metric("interlock_reconciles_total", "").await?;
            if (now - last.0).abs() > 0.5 {
                last = (now, Instant::now());
            }
            Ok((last.1.elapsed() > AT_REST).then_some(()))
        })
        .await
    }

    /// What the operator has counted so far.
    pub(crate) async fn counts(&self) -> Result<Counts> {
        Ok(Counts {
            writes: self.metric("interlock_api_writes_total", "").await?,
            looks: self.metric("interlock_reconciles_total", "").await?,
            resolves: self
                .metric("interlock_registry_questions_total", "kind=\"resolve\"")
                .await?,
            signatures: self
                .metric("interlock_registry_questions_total", "kind=\"signatures\"")
                .await?,
            checks: self.metric("interlock_signature_checks_total", "").await?,
            prometheus: self.metric("interlock_drift_questions_total", "").await?,
        })
    }

    /// Every question to a registry about an image or model.
    pub(crate) async fn registry_questions(&self) -> Result<f64> {
        self.metric("interlock_registry_questions_total", "").await
    }

    async fn metric(&self, name: &str, labels: &str) -> Result<f64> {
        metric(self.platform.probes(), name, labels).await
    }

    /// Gives one Signer another key, waits until all that rested on it has turned, and answers how many workloads and
    /// how many artifacts that are.
    pub(crate) async fn change_signer(&self) -> Result<(usize, usize)> {
        self.platform.signer("payments", &KeyPair::generate().await?).await?;
        let releases = self.releases();
        let turned = eventually("what rested on the key turns", PATIENCE, async || {
            let all = releases.list(&ListParams::default()).await?.items;
            let mut paid = all
                .iter()
                .filter(|one| one.status.as_ref().and_then(|status| status.track.as_deref()) == Some("payments"));
            Ok(paid
                .all(distrusts)
                .then(|| all.iter().filter(|one| distrusts(one)).count()))
        })
        .await?;
        self.quiet().await?;
        Ok((turned, PAYMENT_IMAGES))
    }

    /// Restarts the operator, waits until it has looked at everything, and answers how much it wrote.
    pub(crate) async fn restart(&mut self) -> Result<f64> {
        self.platform.operator.start_again()?;
        self.platform.operator.ready().await?;
        eventually("the operator has looked at everything", PATIENCE, async || {
            let looks = self.metric("interlock_reconciles_total", "ok").await?;
            Ok((looks >= crate::count(WORKLOADS)).then_some(()))
        })
        .await?;
        self.quiet().await?;
        self.metric("interlock_api_writes_total", "").await
    }

    /// Resident memory of the operator, in bytes.
    pub(crate) fn operator_memory(&mut self) -> Result<f64> {
        resident(self.platform.operator.process().pid())
    }

    /// Resident memory of the API server, in bytes.
    pub(crate) fn api_server_memory(&self) -> Result<f64> {
        resident(self.platform.control_plane.api_server_pid()?)
    }
}

/// The namespace of workload `number`.
fn place(number: usize) -> String {
    format!("bench-{}", number % NAMESPACES)
}

fn is_decided(release: &Release) -> bool {
    let verdict = release.status.as_ref().and_then(|status| status.verdict);
    verdict.is_some_and(|verdict| verdict != Verdict::Unknown)
        || release.name_any().starts_with("inferenceservice-") && verdict.is_some()
}

/// Whether an image of it is signed by nobody who counts.
fn distrusts(release: &Release) -> bool {
    let conditions = release.status.as_ref().map(|status| status.conditions.as_slice());
    conditions
        .unwrap_or_default()
        .iter()
        .any(|one| one.type_ == "ArtifactsVerified" && one.reason == "UntrustedKey")
}

fn object(api_version: &str, kind: &str, namespace: Option<&str>, name: &str, labels: &Value, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace, "labels": labels},
    });
    if !spec.is_null()
        && let Some(map) = object.as_object_mut()
    {
        map.insert("spec".to_owned(), spec.clone());
    }
    object
}

/// Resident memory of a process, from the kernel.
fn resident(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024.0)
}
