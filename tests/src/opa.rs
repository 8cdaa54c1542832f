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

/// The same for many inputs in one process: `query` (a reference, `data.…`) over the Rego in `sources`, without its
/// tests, once for each of `inputs`; `None` where it is undefined. JSON files beside the Rego are left out.
pub async fn eval_each(sources: &[&Path], query: &str, inputs: &[Value]) -> Result<Vec<Option<Value>>> {
    let folder = scratch("opa-eval-each")?;
    let each = format!(
        "package each\n\nanswers[at] := answer if {{\n\tsome at, document in input.documents\n\t\
         answer := {query} with input as document\n}}\n"
    );
    let each = write(folder.path(), "each.rego", each)?.display().to_string();
    let documents = serde_json::to_vec(&serde_json::json!({"documents": inputs}))?;
    let documents = write(folder.path(), "input.json", documents)?.display().to_string();
    let sources: Vec<String> = sources.iter().map(|source| source.display().to_string()).collect();
    let mut arguments = vec!["eval", "--format", "json", "--data", &each, "--input", &documents];
    arguments.extend(["--ignore", "*.json", "--ignore", "*_test.rego"]);
    arguments.extend(sources.iter().flat_map(|source| ["--data", source]));
    arguments.push("data.each.answers");
    let answer: Value = serde_json::from_str(&opa(&arguments).await?)?;
    let answers = answer
        .pointer("/result/0/expressions/0/value")
        .context("opa evaluated nothing")?;
    // An object whose keys are numbers becomes one whose keys are their decimal form.
    Ok((0..inputs.len())
        .map(|at| answers.get(at.to_string()).cloned())
        .collect())
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
