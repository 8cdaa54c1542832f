//! A real Prometheus on 127.0.0.1 that scrapes and evaluates every second, and an exporter for it to scrape.
//!
//! Stories that share one keep to jobs and rule files of their own: a job is a file of targets, a file of rules is
//! loaded as soon as it is written.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::extract::State;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::certificates::Authority;
use crate::child::{Child, Recipe, free_port};
use crate::eventually::{eventually, eventually_while};
use crate::scratch::{scratch, write};
use crate::tools::tool;

const STARTED: Duration = Duration::from_mins(1);

/// A running Prometheus. Dropping it stops it and removes its data.
pub struct Prometheus {
    process: Mutex<Option<Child>>,
    recipe: Recipe,
    host: String,
    scheme: &'static str,
    client: reqwest::Client,
    folder: TempDir,
}

impl Prometheus {
    /// Starts one on a free port that knows these jobs, without targets and rules as yet.
    pub async fn start(jobs: &[&str]) -> Result<Self> {
        Self::start_as("http", jobs).await
    }

    /// The same with TLS, and a certificate of an authority of its own.
    pub async fn start_with_tls(jobs: &[&str]) -> Result<Self> {
        Self::start_as("https", jobs).await
    }

    async fn start_as(scheme: &'static str, jobs: &[&str]) -> Result<Self> {
        let folder = scratch("prometheus")?;
        let host = format!("127.0.0.1:{}", free_port()?);
        std::fs::create_dir(folder.path().join("targets"))?;
        std::fs::create_dir(folder.path().join("rules"))?;
        write(folder.path(), "prometheus.yml", configuration(jobs)?)?;
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut client = reqwest::Client::builder();
        let mut web = "{}".to_owned();
        if scheme == "https" {
            let authority = Authority::make(folder.path())?;
            let server = authority.server("prometheus", &["127.0.0.1"])?;
            web = serde_json::json!({"tls_server_config": {"cert_file": server.certificate, "key_file": server.key}})
                .to_string();
            let pem = std::fs::read(authority.certificate())?;
            client = client.tls_certs_only([reqwest::Certificate::from_pem(&pem)?]);
        }
        write(folder.path(), "web.yml", web)?;
        let arguments = [
            format!("--web.config.file={}", at("web.yml")),
            format!("--config.file={}", at("prometheus.yml")),
            format!("--storage.tsdb.path={}", at("data")),
            format!("--web.listen-address={host}"),
            "--web.enable-lifecycle".to_owned(),
            "--log.level=warn".to_owned(),
        ];
        let recipe = Recipe::new("prometheus", tool("prometheus")?, folder.path(), arguments);
        let prometheus = Self {
            process: Mutex::new(Some(recipe.start()?)),
            recipe,
            host,
            scheme,
            client: client.build()?,
            folder,
        };
        prometheus.answers().await?;
        Ok(prometheus)
    }

    /// `127.0.0.1:<port>`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// `http://127.0.0.1:<port>`, or with `https`.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.host)
    }

    /// The certificate of its authority in PEM; empty without TLS.
    pub fn authority(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("ca.crt")).unwrap_or_default()
    }

    /// Takes it down. What it has stored stays.
    pub fn stop(&self) {
        drop(self.process().take());
    }

    /// Brings it back on the same address.
    pub async fn start_again(&self) -> Result<()> {
        *self.process() = Some(self.recipe.start()?);
        self.answers().await
    }

    /// From now on `job` scrapes this address (nothing if there is none), with these labels. The label `__drop` has the
    /// target dropped by relabelling.
    pub fn scrape(&self, job: &str, address: Option<&str>, labels: &[(&str, &str)]) -> Result<()> {
        let labels: serde_json::Map<String, serde_json::Value> = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect();
        let targets = match address {
            Some(address) => serde_json::json!([{"targets": [address], "labels": labels}]),
            None => serde_json::json!([]),
        };
        self.replace(&format!("targets/{job}.json"), &targets.to_string())
    }

    /// Loads these rules (a list in YAML) in place of those of the same file. Waits until Prometheus took them.
    pub async fn rules(&self, file: &str, rules: &str) -> Result<()> {
        let mut text = format!("groups:\n- name: {file}\n  interval: 1s\n  rules:\n");
        for line in rules.lines() {
            writeln!(text, "  {line}")?;
        }
        if rules.trim().is_empty() {
            "groups: []\n".clone_into(&mut text);
        }
        self.replace(&format!("rules/{file}.yml"), &text)?;
        let answer = self.client.post(format!("{}/-/reload", self.url())).send().await?;
        let (status, said) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "Prometheus does not take {file}: {said}\n{text}");
        Ok(())
    }

    /// The end of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        self.process()
            .as_ref()
            .map(|one| one.log_tail(lines))
            .unwrap_or_default()
    }

    /// Writes a file in one step: Prometheus looks at it at any time.
    fn replace(&self, name: &str, content: &str) -> Result<()> {
        let path = self.folder.path().join(name);
        let new = self.folder.path().join("new");
        std::fs::write(&new, content)?;
        std::fs::rename(&new, &path).with_context(|| format!("could not write {}", path.display()))
    }

    async fn answers(&self) -> Result<()> {
        let alive = || self.process().as_mut().map_or(Ok(()), Child::still_runs);
        let ready = format!("{}/-/ready", self.url());
        let answers = async || {
            Ok(self
                .client
                .get(&ready)
                .send()
                .await?
                .status()
                .is_success()
                .then_some(()))
        };
        eventually_while("Prometheus is ready", STARTED, alive, answers).await
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn configuration(jobs: &[&str]) -> Result<String> {
    let mut text = "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n\
                    rule_files: [rules/*.yml]\nscrape_configs:\n"
        .to_owned();
    for job in jobs {
        writeln!(
            text,
            "- job_name: {job}\n  honor_labels: true\n  file_sd_configs: [{{files: [targets/{job}.json]}}]\n  \
             relabel_configs: [{{source_labels: [__drop], regex: .+, action: drop}}]"
        )?;
    }
    Ok(text)
}

/// What a detector would expose, set by a story. In its text `{now}` becomes the time in milliseconds and `{tick}` 1 and
/// 2 in turn, so that values move. Dropping it closes its port.
pub struct Exporter {
    host: String,
    state: Arc<Exposed>,
    server: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Exposed {
    text: Mutex<String>,
    scrapes: Mutex<u64>,
}

impl Exporter {
    /// Starts one on a free port.
    pub async fn start(text: &str) -> Result<Self> {
        let exporter = Self {
            host: format!("127.0.0.1:{}", free_port()?),
            state: Arc::default(),
            server: Mutex::default(),
        };
        exporter.set(text);
        exporter.open().await?;
        Ok(exporter)
    }

    /// `127.0.0.1:<port>`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Exposes this from now on.
    pub fn set(&self, text: &str) {
        text.clone_into(&mut lock(&self.state.text));
    }

    /// Refuses connections from now on.
    pub async fn close(&self) -> Result<()> {
        if let Some(server) = lock(&self.server).take() {
            server.abort();
        }
        let refused = async || Ok(tokio::net::TcpStream::connect(&self.host).await.is_err().then_some(()));
        eventually("the exporter refuses connections", STARTED, refused).await
    }

    /// Answers again.
    pub async fn open(&self) -> Result<()> {
        let listener = tokio::net::TcpListener::bind(&self.host).await?;
        let router = Router::new().fallback(expose).with_state(Arc::clone(&self.state));
        *lock(&self.server) = Some(tokio::spawn(async move { drop(axum::serve(listener, router).await) }));
        Ok(())
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        if let Some(server) = lock(&self.server).take() {
            server.abort();
        }
    }
}

async fn expose(State(state): State<Arc<Exposed>>) -> ([(&'static str, &'static str); 2], String) {
    let tick = {
        let mut scrapes = lock(&state.scrapes);
        *scrapes += 1;
        1 + *scrapes % 2
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let text = lock(&state.text)
        .replace("{now}", &now.to_string())
        .replace("{tick}", &tick.to_string());
    // A connection that is kept would outlive the listener.
    (
        [("content-type", "text/plain; version=0.0.4"), ("connection", "close")],
        text,
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
