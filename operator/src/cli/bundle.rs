//! `interlock bundle`: the life of a bundle outside the cluster. Building is `opa build`, signing is `cosign sign`.

mod cost;
mod lint;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use interlock_bundles::catalogue::Phase;
use interlock_bundles::engine::{Engine, Limits};
use interlock_bundles::reference::{Reference, Wanted};
use interlock_bundles::trust::{LocalFile, Provenance};
use serde::Serialize;

use self::cost::Certificate;
use super::bundles::{self, Access};
use super::output::{self, Format};
use super::signers::Signers;
use super::{Ending, verify};
use crate::judge::chain;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Pull a bundle, check its signatures, and write it to a file.
    Pull(Pull),
    /// Push a bundle that `opa build -t wasm` wrote; prints the digest to sign.
    Push(Push),
    /// Check a bundle's signatures, every check by name.
    Verify(verify::BundleArguments),
    /// Show what is in a bundle, and what its decisions cost.
    Inspect(Inspect),
    /// Find what would keep a bundle from working, before it is published.
    Lint(lint::Arguments),
}

#[derive(clap::Args)]
pub(super) struct Pull {
    /// HOST[:PORT]/PATH:TAG or HOST[:PORT]/PATH@sha256:HEX.
    reference: Reference,
    /// The file to write; - is standard output.
    #[arg(short, long, value_name = "FILE", default_value = "bundle.tar.gz")]
    output: PathBuf,
    #[command(flatten)]
    signers: Signers,
    #[command(flatten)]
    access: Access,
}

#[derive(clap::Args)]
pub(super) struct Push {
    /// The bundle.
    file: PathBuf,
    /// HOST[:PORT]/PATH:TAG.
    reference: Reference,
    #[command(flatten)]
    access: Access,
}

#[derive(clap::Args)]
pub(super) struct Inspect {
    /// A file, or a reference in a registry (with --key).
    bundle: String,
    #[command(flatten)]
    signers: Signers,
    #[command(flatten)]
    access: Access,
    /// Form of the result.
    #[arg(short = 'o', long = "output", value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(command: Command) -> anyhow::Result<Ending> {
    match command {
        Command::Pull(arguments) => pull(arguments).await,
        Command::Push(arguments) => push(arguments).await,
        Command::Verify(arguments) => verify::bundle(&arguments).await,
        Command::Inspect(arguments) => inspect(&arguments).await,
        Command::Lint(arguments) => lint::run(&arguments),
    }
}

async fn pull(arguments: Pull) -> anyhow::Result<Ending> {
    let trust = arguments.signers.policy()?;
    let found = arguments.access.look_up(&arguments.reference, &trust).await?;
    if let Err(error) = trust.satisfied_by(&found.pinned.digest, &found.evidence) {
        output::error(&format!(
            "interlock: {} is not trusted: {}",
            found.pinned,
            chain(&error)
        ));
        return Ok(Ending::Bad);
    }
    let pulled = found.registry.pull(&found.pinned, &found.credentials).await?;
    let verified = trust.verify(pulled, &found.evidence)?;
    let file = &arguments.output;
    if file.as_os_str() == "-" {
        output::bytes(verified.layer())?;
        output::error(&format!("{} written to standard output", found.pinned));
        return Ok(Ending::Good);
    }
    std::fs::write(file, verified.layer()).with_context(|| format!("cannot write {}", file.display()))?;
    output::text(&format!("{} written to {}\n", found.pinned, file.display()))?;
    Ok(Ending::Good)
}

async fn push(arguments: Push) -> anyhow::Result<Ending> {
    let Wanted::Tag(tag) = &arguments.reference.wanted else {
        bail!("a bundle is pushed under a tag: write HOST[:PORT]/PATH:TAG");
    };
    // What the operator could not open should not be published by mistake.
    let opened = LocalFile::read(&arguments.file)?;
    opened
        .open()
        .with_context(|| format!("{} cannot be used as a bundle", arguments.file.display()))?;
    let bytes = std::fs::read(&arguments.file).with_context(|| format!("cannot read {}", arguments.file.display()))?;
    let (registry, credentials) = arguments.access.registry(&arguments.reference)?;
    let pinned = registry
        .push(&arguments.reference.repository, tag, bytes, &credentials)
        .await?;
    output::text(&format!("{pinned}\n"))?;
    Ok(Ending::Good)
}

/// What `inspect` shows.
#[derive(Serialize)]
struct Contents {
    name: Option<String>,
    revision: Option<String>,
    digest: String,
    provenance: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signers: Vec<String>,
    roots: Vec<String>,
    entrypoints: Vec<String>,
    gates: Vec<interlock_bundles::catalogue::Gate>,
    /// None if a golden input cannot be judged.
    cost: Option<Certificate>,
}

async fn inspect(arguments: &Inspect) -> anyhow::Result<Ending> {
    if arguments.signers.given() && Path::new(&arguments.bundle).exists() {
        bail!(
            "{} is a file, of which no signatures are looked at: name the bundle in its registry, or leave out who must have signed it",
            arguments.bundle
        );
    }
    let bundle = bundles::open(&arguments.bundle, &arguments.signers, &arguments.access).await?;
    let engine = Engine::new()?;
    let policy = engine.compile(&bundle, Limits::default())?;
    let (provenance, signers) = match bundle.provenance() {
        Provenance::Signed { signers } => ("signed", signers.clone()),
        Provenance::LocalFile => ("local file", Vec::new()),
        Provenance::BuiltIn => ("built in", Vec::new()),
    };
    let cost = engine.cost(&bundle, Limits::default()).inspect_err(|error| {
        output::error(&format!(
            "interlock: what it costs cannot be measured: {}",
            chain(error)
        ));
    });
    let contents = Contents {
        name: bundle.name().map(str::to_owned),
        revision: bundle.revision().map(str::to_owned),
        digest: bundle.digest().to_string(),
        provenance,
        signers,
        roots: bundle.roots().to_vec(),
        entrypoints: policy.entrypoints().map(str::to_owned).collect(),
        gates: policy
            .catalogue()
            .map(|catalogue| catalogue.gates.clone())
            .unwrap_or_default(),
        cost: cost.ok().map(Certificate::from),
    };
    match arguments.format {
        Format::Json => output::json(&contents)?,
        Format::Table => output::text(&contents.table())?,
    }
    Ok(Ending::Good)
}

impl Contents {
    fn table(&self) -> String {
        let none = || "(none)".to_owned();
        let mut text = format!(
            "name:         {}\nrevision:     {}\ndigest:       {}\nprovenance:   {}\nroots:        {}\nentry points: {}\n",
            self.name.clone().unwrap_or_else(none),
            self.revision.clone().unwrap_or_else(none),
            self.digest,
            if self.signers.is_empty() {
                self.provenance.to_owned()
            } else {
                format!("signed by {}", self.signers.join(", "))
            },
            self.roots.join(", "),
            self.entrypoints.join(", "),
        );
        if self.gates.is_empty() {
            text.push_str("catalogue:    (none: a rule that is undefined passes)\n");
        } else {
            let rows: Vec<_> = self
                .gates
                .iter()
                .map(|gate| {
                    let phase = match gate.phase {
                        Phase::Admission => "admission",
                        Phase::Operation => "operation",
                    };
                    vec![
                        gate.id.clone(),
                        gate.severity.clone(),
                        phase.to_owned(),
                        gate.title.clone(),
                    ]
                })
                .collect();
            text.push('\n');
            text.push_str(&output::table(&["GATE", "SEVERITY", "PHASE", "TITLE"], &rows));
        }
        if let Some(cost) = &self.cost {
            text.push('\n');
            text.push_str(&cost.table());
        }
        text
    }
}
