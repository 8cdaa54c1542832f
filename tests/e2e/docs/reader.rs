//! The reader: a terminal with the tools that the pages name, an empty cluster, a registry with TLS, and a Prometheus.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use interlock_tests::apply::apply;
use interlock_tests::child::free_port;
use interlock_tests::examples::Project;
use interlock_tests::operator::binary;
use interlock_tests::platform::{NAMESPACE, SOON};
use interlock_tests::prometheus::{Exporter, Prometheus};
use interlock_tests::scratch::scratch;
use interlock_tests::tools::{repository_root, tool};
use interlock_tests::{ControlPlane, Flavour, Operator, Registry, chart, eventually};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tempfile::TempDir;

/// The pages' registry, for which the real one stands.
const HOST: &str = "registry.example.com";

/// The pages' Prometheus.
const PROMETHEUS: &str = "prometheus.monitoring.svc:9090";

/// What the pages' drift detector exposes, and the alerting rule that their Prometheus has loaded.
const SCORES: &str =
    "# TYPE feature_drift_score gauge\nfeature_drift_score{namespace=\"shop\",model=\"iris\"} 0.0{tick}\n";
const RULE: &str = "- alert: ModelDrift\n  expr: feature_drift_score > 0.2\n  labels: {severity: page}\n";

/// What an installation of Argo CD leaves behind, as far as a page touches it.
const ARGO_CD: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: argocd}\n---\n\
    apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\n";

/// The kind that the model team deploys, as KServe's own sources have it.
const KSERVE: &str = "config/crd/full/serving.kserve.io_inferenceservices.yaml";

/// No command on a page takes longer.
const PATIENCE: Duration = Duration::from_mins(2);

/// A person at a terminal.
pub(super) struct Reader {
    operator: Option<Operator>,
    control_plane: ControlPlane,
    client: Client,
    registry: Registry,
    prometheus: Prometheus,
    _detector: Exporter,
    /// Where the reader works; beside it `bin`, `home` and what the shell remembers.
    desk: TempDir,
    /// How the last command ended, until the page asks.
    unasked: Option<(String, i32)>,
    code: i32,
}

impl Reader {
    /// With nothing but the tools, a cluster, a registry, a Prometheus that watches one model, and a checkout of the
    /// repository.
    pub(super) async fn sit_down() -> Result<Self> {
        let (control_plane, registry, prometheus, detector) = tokio::try_join!(
            ControlPlane::start(),
            Registry::start(Flavour::Tls),
            Prometheus::start_with_tls(&["drift"]),
            Exporter::start(SCORES),
        )?;
        prometheus.scrape("drift", Some(detector.host()), &[])?;
        prometheus.rules("drift", RULE).await?;
        let desk = scratch("reader")?;
        for folder in ["bin", "home", "work"] {
            std::fs::create_dir(desk.path().join(folder))?;
        }
        for name in ["kubectl", "cosign", "opa", "helm", "crane"] {
            std::os::unix::fs::symlink(tool(name)?, desk.path().join("bin").join(name))?;
        }
        std::os::unix::fs::symlink(binary()?, desk.path().join("bin/interlock"))?;
        for folder in ["charts", "bundles", "docs"] {
            std::os::unix::fs::symlink(repository_root().join(folder), desk.path().join("work").join(folder))?;
        }
        std::fs::write(desk.path().join("work/prometheus-ca.crt"), prometheus.authority())?;
        for (made, name) in [
            ("trusted_root.json", "trusted_root.json"),
            ("pki_root.pem", "ca-root.pem"),
        ] {
            let made = repository_root().join("bundles/testdata/keyless").join(made);
            std::fs::copy(made, desk.path().join("work").join(name))?;
        }
        let client = control_plane.client().await?;
        apply(&client, "argocd", ARGO_CD).await?;
        let kserve = std::fs::read_to_string(Project::KServe.folder()?.join(KSERVE))?;
        apply(&client, "default", &kserve).await?;
        Ok(Self {
            operator: None,
            client,
            control_plane,
            registry,
            prometheus,
            _detector: detector,
            desk,
            unasked: None,
            code: 0,
        })
    }

    /// Writes a file that a page gives.
    pub(super) fn write(&self, name: &str, content: &str) -> Result<()> {
        let path = self.work().join(name);
        ensure!(!name.starts_with('/') && !name.contains(".."), "{name} lies elsewhere");
        std::fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        Ok(std::fs::write(path, self.real(content))?)
    }

    /// Types a command and answers what it shows, both streams, in the pages' names. Variables and the folder stay, as in
    /// one shell. A command fails only where the page asks by `echo $?` how it ended.
    pub(super) async fn types(&mut self, text: &str) -> Result<String> {
        if text == "echo $?" {
            self.unasked = None;
            return Ok(self.code.to_string());
        }
        self.checks_the_last_command()?;
        let memory = self.desk.path().join("memory");
        let script = format!(
            "set -a; cd {work}; [ ! -e {memory} ] || . {memory}\n{command}\ncode=$?; {{ export -p; echo cd \"'$PWD'\"; }} >{memory}; exit $code",
            work = self.work().display(),
            memory = memory.display(),
            command = self.real(text),
        );
        let output = tokio::process::Command::new("bash")
            .args(["-c", &format!("exec 2>&1\n{script}")])
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.desk.path().join("bin").display()),
            )
            .env("HOME", self.desk.path().join("home"))
            .env("KUBECONFIG", self.control_plane.kubeconfig())
            .env("SSL_CERT_FILE", self.authority()?)
            .env("COSIGN_PASSWORD", "")
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, output)
            .await
            .context("it does not end")??;
        self.code = output.status.code().unwrap_or(-1);
        let said = String::from_utf8_lossy(&output.stdout)
            .replace(self.registry.host(), HOST)
            .replace(self.prometheus.host(), PROMETHEUS);
        if self.code != 0 {
            self.unasked = Some((format!("{text}\n{said}"), self.code));
        }
        Ok(said)
    }

    /// An error if the last command failed and the page went on.
    pub(super) fn checks_the_last_command(&self) -> Result<()> {
        match &self.unasked {
            Some((what, code)) => {
                let log = self.operator.as_ref().map(Operator::log).unwrap_or_default();
                let tail: Vec<_> = log.lines().rev().take(15).collect();
                bail!(
                    "ended with {code}: {what}\nthe operator's log, last line first:\n{}",
                    tail.join("\n")
                )
            }
            None => Ok(()),
        }
    }

    /// What nodes would do: the operator runs, with the arguments that its Deployment gives it, under its service account;
    /// and its pods are said to be ready.
    pub(super) async fn operator_starts(&mut self) -> Result<()> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), NAMESPACE);
        let deployment = deployments.get(chart::RELEASE).await?;
        let template = deployment.spec.context("a spec")?.template.spec.context("a pod")?;
        let token = chart::token(
            &self.client,
            NAMESPACE,
            template.service_account_name.as_deref().unwrap_or_default(),
        )
        .await?;
        let kubeconfig = self.control_plane.kubeconfig_with("operator", &token)?;
        let listen = format!("127.0.0.1:{}", free_port()?);
        let given = template
            .containers
            .first()
            .and_then(|container| container.args.clone())
            .unwrap_or_default();
        let elsewhere = |argument: &String| !argument.starts_with("--listen=") && !argument.starts_with("--cache-dir=");
        let mut arguments: Vec<String> = given.into_iter().skip(1).filter(elsewhere).collect();
        arguments.extend([
            format!("--listen={listen}"),
            format!("--cache-dir={}", self.desk.path().join("cache").display()),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--namespace={NAMESPACE}"),
        ]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let authority = self.authority()?.display().to_string();
        let mut operator = Operator::start_in(&arguments, &listen, &[("SSL_CERT_FILE", &authority)])?;
        operator.ready().await?;
        self.operator = Some(operator);
        self.kinds_are_explained().await?;
        self.pods_are_ready().await
    }

    /// The API server publishes the documentation of new kinds some seconds after it serves them; nobody types as fast.
    async fn kinds_are_explained(&self) -> Result<()> {
        let path = format!("/openapi/v3/apis/{}", interlock_crds::API_VERSION);
        eventually("the kinds are explained", SOON, async || {
            let published = self
                .client
                .request_text(axum::http::Request::get(&path).body(Vec::new())?)
                .await?;
            let known = |crd: &CustomResourceDefinition| published.contains(&format!("/{}\"", crd.spec.names.plural));
            Ok(interlock_crds::crds().iter().all(known).then_some(()))
        })
        .await
    }

    async fn pods_are_ready(&self) -> Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        let ours = ListParams::default().labels("app.kubernetes.io/name=interlock");
        let found = eventually("the operator's pods are made", SOON, async || {
            let found = pods.list(&ours).await?;
            Ok((!found.items.is_empty()).then_some(found.items))
        });
        let ready = json!({"status": {"phase": "Running", "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"},
        ]}});
        for pod in found.await? {
            let name = pod.metadata.name.unwrap_or_default();
            pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(&ready))
                .await?;
        }
        Ok(())
    }

    /// A text of a page with the real registry and Prometheus in the place of the pages'.
    fn real(&self, text: &str) -> String {
        text.replace(HOST, self.registry.host())
            .replace(PROMETHEUS, self.prometheus.host())
    }

    fn authority(&self) -> Result<&Path> {
        self.registry.authority().context("the registry has TLS")
    }

    fn work(&self) -> PathBuf {
        self.desk.path().join("work")
    }
}
