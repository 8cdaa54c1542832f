//! Real OCI registries on 127.0.0.1, with and without the referrers API, that can be taken down and brought back with
//! their content.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::certificates::Authority;
use crate::child::{Child, Recipe, free_port};
use crate::eventually::{eventually, eventually_while};
use crate::scratch::{scratch, write};
use crate::tools::tool;

const STARTED: Duration = Duration::from_secs(30);

/// User of a [`Flavour::Private`] registry.
pub const USER: &str = "puller";
/// That user's password.
pub const PASSWORD: &str = "let-me-pull";
/// A bcrypt hash of [`PASSWORD`], the only kind that distribution accepts.
const PASSWORD_HASH: &str = "$2y$05$abcdefghijklmnopqrstuucCZeJdrAgCPNDV0D5WMVlxjAoEEY.vu";

/// Which registry to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// go-containerregistry's, with the OCI 1.1 referrers API. It lists every referrer by its config's media type.
    Referrers,
    /// distribution, which has no referrers API: it answers 404, and signatures are found by tag.
    Tags,
    /// distribution with a password: without [`USER`] and [`PASSWORD`] it answers 401.
    Private,
    /// distribution with TLS, by an authority of its own: [`Registry::authority`].
    Tls,
}

/// A running registry. Dropping it stops it and removes its content.
pub struct Registry {
    process: Mutex<Option<Child>>,
    recipe: Recipe,
    flavour: Flavour,
    host: String,
    authority: Option<PathBuf>,
    _folder: TempDir,
}

impl Registry {
    /// Starts one on a free port, empty.
    pub async fn start(flavour: Flavour) -> Result<Self> {
        let folder = scratch("registry")?;
        let host = format!("127.0.0.1:{}", free_port()?);
        let mut authority = None;
        let recipe = match flavour {
            Flavour::Referrers => go_containerregistry(folder.path(), &host)?,
            Flavour::Tags => distribution(folder.path(), &host, &json!({}), &json!({}))?,
            Flavour::Private => distribution(folder.path(), &host, &password(folder.path())?, &json!({}))?,
            Flavour::Tls => {
                let made = Authority::make(folder.path())?;
                let server = made.server("registry", &["127.0.0.1"])?;
                authority = Some(made.certificate());
                let tls = json!({"certificate": server.certificate, "key": server.key});
                distribution(folder.path(), &host, &json!({}), &tls)?
            }
        };
        let registry = Self {
            process: Mutex::new(Some(recipe.start()?)),
            recipe,
            flavour,
            host,
            authority,
            _folder: folder,
        };
        registry.listens().await?;
        Ok(registry)
    }

    /// `127.0.0.1:<port>`, the first part of its references.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The PEM file of the authority that vouches for it, if it has TLS.
    pub fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }

    /// Takes it down: connections are refused from now on. What was pushed stays.
    pub async fn stop(&self) -> Result<()> {
        match self.flavour {
            // Its manifests are in memory, so the process stays and closes its listener.
            Flavour::Referrers => self.tell("down")?,
            Flavour::Tags | Flavour::Private | Flavour::Tls => drop(self.process().take()),
        }
        let refused = async || Ok(TcpStream::connect(&self.host).await.is_err().then_some(()));
        eventually("the registry refuses connections", STARTED, refused).await
    }

    /// Brings it back on the same address, with what was pushed before.
    pub async fn start_again(&self) -> Result<()> {
        match self.flavour {
            Flavour::Referrers => self.tell("up")?,
            Flavour::Tags | Flavour::Private | Flavour::Tls => *self.process() = Some(self.recipe.start()?),
        }
        self.listens().await
    }

    /// The last lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        self.process()
            .as_ref()
            .map(|process| process.log_tail(lines))
            .unwrap_or_default()
    }

    async fn listens(&self) -> Result<()> {
        let alive = || self.process().as_mut().map_or(Ok(()), Child::still_runs);
        let accepts = async || {
            TcpStream::connect(&self.host).await?;
            Ok(Some(()))
        };
        eventually_while("the registry accepts connections", STARTED, alive, accepts).await
    }

    fn tell(&self, line: &str) -> Result<()> {
        self.process().as_mut().context("the registry was stopped")?.tell(line)
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn go_containerregistry(folder: &Path, host: &str) -> Result<Recipe> {
    Ok(Recipe::new(
        "registry",
        tool("registry")?,
        folder,
        ["--listen".to_owned(), host.to_owned()],
    ))
}

fn password(folder: &Path) -> Result<Value> {
    let users = write(folder, "users", format!("{USER}:{PASSWORD_HASH}\n"))?;
    Ok(json!({"htpasswd": {"realm": "interlock-tests", "path": users}}))
}

fn distribution(folder: &Path, host: &str, auth: &Value, tls: &Value) -> Result<Recipe> {
    let settings = json!({
        "version": "0.1",
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": folder.join("content")}, "delete": {"enabled": true}},
        "http": {"addr": host, "tls": tls},
        "auth": auth,
    });
    let file = write(folder, "distribution.yaml", serde_json::to_vec(&settings)?)?; // JSON is YAML
    let arguments = ["serve".to_owned(), file.display().to_string()];
    // It would send traces to a collector on this machine otherwise.
    Ok(Recipe::new("distribution", tool("distribution")?, folder, arguments).env("OTEL_TRACES_EXPORTER", "none"))
}
