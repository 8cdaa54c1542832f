//! `interlock eval`: one raw evaluation, as `opa eval` users know it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use interlock_bundles::engine::{Engine, Limits};
use interlock_bundles::trust::LocalFile;
use jiff::Timestamp;

use super::{Ending, files, output};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The bundle, as `opa build -t wasm` writes it.
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// The entry point, for example example/allow.
    #[arg(long, value_name = "PATH")]
    entrypoint: String,
    /// The input document; - for standard input. Without it the input is an empty object.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The time that the policy sees, RFC 3339; the present by default.
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Ending> {
    let bundle = LocalFile::read(&arguments.bundle)?.open()?;
    let policy = Engine::new()?.compile(&bundle, Limits::default())?;
    let entrypoint = arguments.entrypoint.trim_start_matches('/');
    if !policy.entrypoints().any(|one| one == entrypoint) {
        let all = policy.entrypoints().collect::<Vec<_>>().join(", ");
        bail!("the bundle has no entry point {entrypoint:?}: it has {all}");
    }
    let input = match &arguments.input {
        Some(file) => read(file)?,
        None => b"{}".to_vec(),
    };
    let now = arguments.now.unwrap_or_else(Timestamp::now);
    // The bytes themselves: a key that stands there twice is for the engine to refuse.
    let result = policy.evaluate_bytes(entrypoint, Some(&input), now)?;
    let result = String::from_utf8(result).context("the result is no text")?;
    output::text(&output::pretty(&result))?;
    Ok(Ending::Good)
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let most = Limits::default().input_bytes as u64;
    if file != Path::new("-") {
        return files::read(file, most);
    }
    let mut bytes = Vec::new();
    // A byte more than the engine takes, for it to refuse.
    let mut input = std::io::stdin().take(most.saturating_add(1));
    input.read_to_end(&mut bytes).context("cannot read standard input")?;
    Ok(bytes)
}
