//! Bundles built and policies evaluated by the real OPA: what a user does, and what Interlock is compared with.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::scratch::{scratch, write};
use crate::tools::tool;

/// `opa build -t wasm -b source -e …`: the bundle (tar, gzip) of the folder `source`.
pub async fn build(source: &Path, entrypoints: &[&str]) -> Result<Vec<u8>> {
    let folder = scratch("opa-build")?;
    let bundle = folder.path().join("bundle.tar.gz").display().to_string();
    let source = source.display().to_string();
    let mut arguments = vec!["build", "--target", "wasm", "--bundle", &source, "--output", &bundle];
    arguments.extend(entrypoints.iter().flat_map(|entrypoint| ["--entrypoint", entrypoint]));
    opa(&arguments).await?;
    Ok(std::fs::read(&bundle)?)
}

/// The bundle of `files`, each a path inside it and its content: Rego, `.manifest`, `data.json`.
pub async fn build_files(files: &[(&str, &str)], entrypoints: &[&str]) -> Result<Vec<u8>> {
    let folder = scratch("opa-source")?;
    for (path, content) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        std::fs::write(path, content)?;
    }
    build(folder.path(), entrypoints).await
}

/// `opa eval`: the value of `query` (for instance `data.baseline.decision`) over the Rego and data in `source` and
/// `input`; `None` where it is undefined.
pub async fn eval(source: &Path, query: &str, input: &Value) -> Result<Option<Value>> {
    let folder = scratch("opa-eval")?;
    let input = write(folder.path(), "input.json", serde_json::to_vec(input)?)?
        .display()
        .to_string();
    let source = source.display().to_string();
    let arguments = [
        "eval",
        "--format",
        "json",
        "--data",
        &source,
        "--input",
        &input,
        "--strict-builtin-errors",
        query,
    ];
    let answer: Value = serde_json::from_str(&opa(&arguments).await?)?;
    Ok(answer.pointer("/result/0/expressions/0/value").cloned())
}

/// Runs opa and answers its standard output.
pub async fn opa(arguments: &[&str]) -> Result<String> {
    let output = Command::new(tool("opa")?)
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "opa {} failed: {said}{complained}",
        arguments.join(" ")
    );
    Ok(said)
}
