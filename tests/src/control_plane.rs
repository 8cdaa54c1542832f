//! A real Kubernetes control plane of three processes: etcd, the API server with RBAC and admission, and the
//! controller manager with those controllers a workload's life needs. No scheduler and no kubelet: Pods are created
//! by their controllers and stay Pending, which is all that governance looks at.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::certificates::{Authority, Identity, SigningKey, signing_key};
use crate::child::{Child, Recipe, free_port};
use crate::eventually::eventually_while;
use crate::scratch::{scratch, write};
use crate::tools::tool;

/// Time for the API server to be ready. It takes 3 s on an idle machine.
const READY: Duration = Duration::from_secs(90);

/// The controllers that run. Not the ones that need nodes, volumes or a cloud.
const CONTROLLERS: &str = "garbage-collector-controller,namespace-controller,serviceaccount-controller,\
    serviceaccount-token-controller,root-ca-certificate-publisher-controller,clusterrole-aggregation-controller,\
    deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller,job-controller,\
    cronjob-controller,validatingadmissionpolicy-status-controller";

/// A running control plane. Dropping it stops it and removes its data.
pub struct ControlPlane {
    // First, so that the processes end before their folder goes.
    processes: Mutex<Processes>,
    etcd: Recipe,
    api_server: Recipe,
    controller_manager: Recipe,
    authority: Authority,
    url: String,
    kubeconfig: PathBuf,
    folder: TempDir,
}

#[derive(Default)]
struct Processes {
    controller_manager: Option<Child>,
    api_server: Option<Child>,
    etcd: Option<Child>,
}

impl ControlPlane {
    /// Starts one on free ports of 127.0.0.1 and waits until it is ready.
    pub async fn start() -> Result<Self> {
        let control_plane = Self::prepare()?;
        control_plane.processes().etcd = Some(control_plane.etcd.start()?);
        control_plane.start_api_server().await?;
        control_plane.processes().controller_manager = Some(control_plane.controller_manager.start()?);
        Ok(control_plane)
    }

    /// `https://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A kubeconfig of `system:masters`, to whom RBAC allows everything.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A kubeconfig of `user`, who may do what RBAC grants that name. A service account is
    /// `system:serviceaccount:<namespace>:<name>`.
    pub fn kubeconfig_of(&self, user: &str) -> Result<PathBuf> {
        let file = format!("user-{}", user.replace([':', '/'], "-"));
        let identity = self.authority.client(&file, user, None)?;
        self.write_kubeconfig(&format!("{file}.kubeconfig"), &by_certificate(&identity))
    }

    /// A kubeconfig of whom `token` names.
    pub fn kubeconfig_with(&self, name: &str, token: &str) -> Result<PathBuf> {
        self.write_kubeconfig(&format!("token-{name}.kubeconfig"), &json!({ "token": token }))
    }

    /// A client with all rights. It belongs to the async runtime it was made in: a test makes its own.
    pub async fn client(&self) -> Result<Client> {
        client(&self.kubeconfig).await
    }

    /// Kills the API server. Objects stay in etcd.
    pub fn stop_api_server(&self) -> Result<()> {
        match self.processes().api_server.take() {
            Some(mut api_server) => api_server.kill(),
            None => Ok(()),
        }
    }

    /// Starts the API server, again on the same port, and waits until it is ready.
    pub async fn start_api_server(&self) -> Result<()> {
        self.processes().api_server = Some(self.api_server.start()?);
        let client = self.client().await?;
        let ready = async || {
            let answer = client.request_text(http_get("/readyz")?).await?;
            Ok((answer == "ok").then_some(()))
        };
        let outcome = eventually_while("the API server is ready", READY, || self.still_run(), ready).await;
        outcome.with_context(|| format!("the end of the API server's log:\n{}", self.log_tail(20)))
    }

    /// The process id of the API server.
    pub fn api_server_pid(&self) -> Result<u32> {
        let processes = self.processes();
        let api_server = processes.api_server.as_ref().context("the API server does not run")?;
        Ok(api_server.pid())
    }

    /// The last lines of the API server's log.
    pub fn log_tail(&self, lines: usize) -> String {
        self.processes()
            .api_server
            .as_ref()
            .map(|api_server| api_server.log_tail(lines))
            .unwrap_or_default()
    }

    fn prepare() -> Result<Self> {
        let folder = scratch("control-plane")?;
        let path = folder.path();
        let authority = Authority::make(path)?;
        let service_accounts = signing_key("service-accounts", path)?;
        let names = ["127.0.0.1", "localhost", "kubernetes.default.svc", "10.0.0.1"];
        let server = authority.server("api-server", &names)?;
        let admin = authority.client("admin", "interlock-tests", Some("system:masters"))?;
        let controllers = authority.client("controller-manager", "system:kube-controller-manager", None)?;

        let etcd_url = format!("http://127.0.0.1:{}", free_port()?);
        let port = free_port()?;
        let mut control_plane = Self {
            processes: Mutex::default(),
            etcd: etcd(path, &etcd_url)?,
            api_server: api_server(path, &etcd_url, port, &server, &service_accounts)?,
            controller_manager: Recipe::new("controller-manager", tool("kube-controller-manager")?, path, []),
            authority,
            url: format!("https://127.0.0.1:{port}"),
            kubeconfig: PathBuf::new(),
            folder,
        };
        control_plane.kubeconfig = control_plane.write_kubeconfig("admin.kubeconfig", &by_certificate(&admin))?;
        let controllers = by_certificate(&controllers);
        let kubeconfig = control_plane.write_kubeconfig("controller-manager.kubeconfig", &controllers)?;
        control_plane.controller_manager.arguments =
            controller_manager_arguments(control_plane.folder.path(), &kubeconfig);
        Ok(control_plane)
    }

    fn write_kubeconfig(&self, file: &str, user: &Value) -> Result<PathBuf> {
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {
                "server": self.url, "certificate-authority": self.authority.certificate(),
            }}],
            "users": [{"name": "tests", "user": user}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        });
        write(self.folder.path(), file, serde_json::to_vec_pretty(&kubeconfig)?) // JSON is YAML
    }

    /// An error with the log of the first process that has ended.
    fn still_run(&self) -> Result<()> {
        let mut processes = self.processes();
        let Processes {
            controller_manager,
            api_server,
            etcd,
        } = &mut *processes;
        [etcd, api_server, controller_manager]
            .into_iter()
            .flatten()
            .try_for_each(Child::still_runs)
    }

    fn processes(&self) -> MutexGuard<'_, Processes> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn by_certificate(identity: &Identity) -> Value {
    json!({"client-certificate": identity.certificate, "client-key": identity.key})
}

/// A client for a kubeconfig file's current context.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

fn http_get(path: &str) -> Result<axum::http::Request<Vec<u8>>> {
    Ok(axum::http::Request::get(path).body(Vec::new())?)
}

fn etcd(folder: &Path, url: &str) -> Result<Recipe> {
    let peers = format!("http://127.0.0.1:{}", free_port()?);
    let arguments = [
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={url}"),
        format!("--advertise-client-urls={url}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=default={peers}"),
        "--unsafe-no-fsync".to_owned(), // the machine does not crash in these tests
        "--log-level=warn".to_owned(),
    ];
    Ok(Recipe::new("etcd", tool("etcd")?, folder, arguments))
}

fn api_server(folder: &Path, etcd: &str, port: u16, server: &Identity, tokens: &SigningKey) -> Result<Recipe> {
    let arguments = [
        format!("--etcd-servers={etcd}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(), // a loopback address cannot be an endpoint
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", server.certificate.display()),
        format!("--tls-private-key-file={}", server.key.display()),
        format!("--client-ca-file={}", folder.join("ca.crt").display()),
        "--authorization-mode=RBAC".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", tokens.public.display()),
        format!("--service-account-signing-key-file={}", tokens.private.display()),
        "--allow-privileged=true".to_owned(), // it is policies that judge privileged workloads here
        "--profiling=false".to_owned(),
    ];
    Ok(Recipe::new(
        "kube-apiserver",
        tool("kube-apiserver")?,
        folder,
        arguments,
    ))
}

fn controller_manager_arguments(folder: &Path, kubeconfig: &Path) -> Vec<String> {
    let kubeconfig = kubeconfig.display();
    vec![
        format!("--kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
        format!("--controllers={CONTROLLERS}"),
        format!(
            "--service-account-private-key-file={}",
            folder.join("service-accounts.key").display()
        ),
        format!("--root-ca-file={}", folder.join("ca.crt").display()),
        "--use-service-account-credentials=true".to_owned(), // each controller with its own RBAC role
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        "--kube-api-qps=500".to_owned(), // or hundreds of workloads keep it busy for minutes
        "--kube-api-burst=1000".to_owned(),
        "--profiling=false".to_owned(),
    ]
}
