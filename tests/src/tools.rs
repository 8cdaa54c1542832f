//! Where the pinned tools are. `tests/tools/build` knows; it also builds what the cache lacks, so that a plain
//! `cargo test` works on a machine where `make tools` never ran.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};

/// Tools found so far: asking the script takes tens of milliseconds.
static FOUND: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);

/// The path of the tool called `name` (one that `tests/tools/build` names), built first where it is missing.
/// Building says so on standard error and takes minutes.
pub fn tool(name: &str) -> Result<PathBuf> {
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let found = found.get_or_insert_default();
    if let Some(path) = found.get(name) {
        return Ok(path.clone());
    }
    script(&[name])?;
    let path = PathBuf::from(script(&["--path", name])?.trim());
    ensure!(path.exists(), "tests/tools/build left nothing at {}", path.display());
    found.insert(name.to_owned(), path.clone());
    Ok(path)
}

/// The root of the repository: the parent of this crate's folder.
pub fn repository_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

fn script(arguments: &[&str]) -> Result<String> {
    let path = repository_root().join("tests/tools/build");
    let output = Command::new(&path)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("could not run {}", path.display()))?;
    ensure!(
        output.status.success(),
        "{} {} failed",
        path.display(),
        arguments.join(" ")
    );
    Ok(String::from_utf8(output.stdout)?)
}
