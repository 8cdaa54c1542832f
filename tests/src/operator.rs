//! The `interlock` binary: its command line, run to its end, and its operator as a child that can be killed.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::child::{Child, Recipe};
use crate::eventually::{eventually, eventually_while};
use crate::scratch::scratch;

/// Time for a started operator to be ready: it lists and compiles before it says so.
const READY: Duration = Duration::from_mins(1);

/// A running operator. Dropping it kills it.
pub struct Operator {
    process: Child,
    recipe: Recipe,
    probes: String,
    _folder: TempDir,
}

impl Operator {
    /// Starts `interlock operator` with `arguments`. `probes` is the `host:port` on which they let it serve /readyz.
    pub fn start(arguments: &[&str], probes: &str) -> Result<Self> {
        Self::start_in(arguments, probes, &[])
    }

    /// The same with further environment variables.
    pub fn start_in(arguments: &[&str], probes: &str, environment: &[(&str, &str)]) -> Result<Self> {
        Self::start_of(binary()?, arguments, probes, environment)
    }

    /// The same of another binary: another version's.
    pub fn start_of(program: PathBuf, arguments: &[&str], probes: &str, environment: &[(&str, &str)]) -> Result<Self> {
        let folder = scratch("operator")?;
        let arguments = ["operator"].iter().chain(arguments).map(ToString::to_string);
        let recipe = Recipe::new("interlock-operator", program, folder.path(), arguments);
        let recipe = environment
            .iter()
            .fold(recipe, |recipe, (name, value)| recipe.env(name, value));
        Ok(Self {
            process: recipe.start()?,
            recipe,
            probes: probes.to_owned(),
            _folder: folder,
        })
    }

    /// `host:port` of its /healthz, /readyz and /metrics.
    pub fn address(&self) -> &str {
        &self.probes
    }

    /// What its /metrics say.
    pub async fn metrics(&self) -> Result<String> {
        Ok(reqwest::get(format!("http://{}/metrics", self.probes))
            .await?
            .error_for_status()?
            .text()
            .await?)
    }

    /// Waits until /readyz answers 200.
    pub async fn ready(&mut self) -> Result<()> {
        let client = reqwest::Client::new();
        let Self { process, probes, .. } = self;
        let ready = format!("http://{probes}/readyz");
        let answers = async || {
            let answer = client.get(&ready).send().await?;
            Ok(answer.status().is_success().then_some(()))
        };
        let outcome = eventually_while("the operator is ready", READY, || process.still_runs(), answers).await;
        outcome.with_context(|| format!("the end of the operator's log:\n{}", self.process.log_tail(40)))
    }

    /// Kills it as `kill -9` does: it gets no chance to save or to release anything.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Asks it to end (SIGTERM) and waits until it has, with 0.
    pub async fn terminate(&mut self) -> Result<()> {
        self.process.terminate()?;
        let process = &mut self.process;
        let status = eventually("the operator ends", READY, async || process.exited()).await?;
        ensure!(
            status.success(),
            "the operator ended with {status}:\n{}",
            self.process.log_tail(40)
        );
        Ok(())
    }

    /// Kills it if it runs, and starts it again with the same arguments; its log is continued.
    pub fn start_again(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = self.recipe.start()?;
        Ok(())
    }

    /// Its process, for what else a test wants to know.
    pub fn process(&mut self) -> &mut Child {
        &mut self.process
    }

    /// All it has logged, in all its lives.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// The sum of the samples of the metric `name` whose labels contain `labels`, of the operator that answers at `probes`.
pub async fn metric(probes: &str, name: &str, labels: &str) -> Result<f64> {
    let text = reqwest::get(format!("http://{probes}/metrics"))
        .await?
        .error_for_status()?
        .text()
        .await?;
    let samples = text.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(labels)
    });
    Ok(samples
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum())
}

/// Runs `interlock` with `arguments` and answers how it ended and what it said.
pub async fn interlock(arguments: &[&str]) -> Result<Output> {
    let mut command = tokio::process::Command::new(binary()?);
    Ok(command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?)
}

/// The path of the `interlock` binary that was built together with this executable; `INTERLOCK_BINARY` names another.
///
/// Cargo is not asked to build it here: for a single package it chooses other features for shared dependencies and
/// would compile everything a second time. `make build` builds the whole workspace at once.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("INTERLOCK_BINARY") {
        return Ok(path.into());
    }
    // This executable is target/<profile>/deps/<test> or target/<profile>/<demo>; the binary is beside or above.
    let own = std::env::current_exe()?;
    let mut candidates = own.ancestors().skip(1).take(2).map(|folder| folder.join("interlock"));
    candidates
        .find(|path| path.is_file())
        .with_context(|| format!("no interlock binary beside {}: run make build", own.display()))
}
