//! `interlock operator`: from flags to a running operator.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use interlock_bundles::registry::RegistrySettings;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tracing_subscriber::EnvFilter;

use super::Ending;
use crate::operator::{self, Settings};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The cluster; by default the one this runs in, or the current context.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Namespace of the Lease and of pull secrets.
    #[arg(long, value_name = "NAME", default_value = "interlock-system", env = "POD_NAMESPACE")]
    namespace: String,
    /// This replica's name in the Lease; must differ between replicas.
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    identity: Option<String>,
    /// Folder that keeps bundles and signatures for the time when the registry cannot be reached, and compiled modules.
    #[arg(long, value_name = "DIR", default_value = "/var/cache/interlock")]
    cache_dir: PathBuf,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// A registry that bundles come from, and that is asked about images and models: HOST[:PORT], HOST[:PORT]/PATH or HOST[:PORT]/PREFIX/*. Repeatable.
    #[arg(long, value_name = "REGISTRY", value_delimiter = ',')]
    allow_registry: Vec<String>,
    /// A registry that is spoken to without TLS: HOST[:PORT]. Repeatable.
    #[arg(long, value_name = "REGISTRY", value_delimiter = ',')]
    plain_http_registry: Vec<String>,
    /// Seconds after which a registry that has not answered completely is given up.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    registry_timeout: u64,
    /// Workloads judged at the same time.
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Seconds after which a registry is asked again where the tag of an image or model leads, and for signatures that
    /// were not there.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86400))]
    evidence_interval: u64,
    /// Form of the log.
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<Ending> {
    log(arguments.log_format);
    let client = client(arguments.kubeconfig.as_deref()).await?;
    let settings = Settings {
        namespace: arguments.namespace,
        identity: arguments.identity.unwrap_or_else(own_name),
        cache: arguments.cache_dir,
        listen: arguments.listen,
        registry: RegistrySettings {
            allowed: arguments.allow_registry,
            plain_http: arguments.plain_http_registry,
            timeout: Duration::from_secs(arguments.registry_timeout),
            ..RegistrySettings::default()
        },
        concurrency: arguments.concurrency.into(),
        evidence_interval: Duration::from_secs(arguments.evidence_interval),
    };
    operator::run(client, settings, stopped()).await?;
    Ok(Ending::Good)
}

/// A name that no other replica has: every container may be process 1, and hosts may share their name.
fn own_name() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "interlock".to_owned());
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!(
        "{host}-{}-{:x}",
        std::process::id(),
        started.unwrap_or_default().as_nanos()
    )
}

/// A client for the cluster that a file, the environment or the pod's service account names.
pub(super) async fn client(kubeconfig: Option<&Path>) -> anyhow::Result<Client> {
    let config = match kubeconfig {
        Some(path) => {
            let file =
                Kubeconfig::read_from(path).with_context(|| format!("cannot read kubeconfig {}", path.display()))?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .with_context(|| format!("kubeconfig {} names no usable cluster", path.display()))?
        }
        None => Config::infer()
            .await
            .context("no cluster: give --kubeconfig, set KUBECONFIG, or run inside a pod")?,
    };
    Client::try_from(config).context("cannot set up a client for the cluster")
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,kube_lease_manager=warn"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
}

/// Resolves when the process is asked to stop.
async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(interrupt.await),
    }
}
