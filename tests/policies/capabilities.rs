//! `docs/capabilities.json` is what `opa build --capabilities` takes to refuse, before anything is signed, functions that
//! the engine would refuse. `UPDATE=1` writes it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use interlock_bundles::engine::{CompileError, Engine, Limits};
use interlock_bundles::trust::LocalFile;
use interlock_tests::opa::opa;
use interlock_tests::oracle::Oracle;
use interlock_tests::scratch::{scratch, write};
use interlock_tests::tools::repository_root;
use serde_json::Value;

fn page() -> PathBuf {
    repository_root().join("docs/capabilities.json")
}

/// What OPA can, without the functions that a module would ask the host for in vain: the engine names them when it is
/// given a module that calls all there are.
fn capabilities() -> Result<Value> {
    let folder = scratch("capabilities")?;
    let functions = Oracle::start()?.functions()?;
    let bundle = write(folder.path(), "bundle.tar.gz", &functions.bundle)?;
    let missing: BTreeSet<String> = match Engine::new()?.compile(&LocalFile::read(&bundle)?.open()?, Limits::default())
    {
        Ok(_) => BTreeSet::new(),
        Err(CompileError::MissingBuiltin { names, .. }) => names.iter().map(|name| name_only(name)).collect(),
        Err(error) => return Err(error.into()),
    };
    let mut capabilities = functions.capabilities;
    let all = capabilities["builtins"].as_array_mut().context("OPA has functions")?;
    all.retain(|function| function["name"].as_str().is_some_and(|name| !missing.contains(name)));
    Ok(capabilities)
}

/// The engine says behind a name why it is refused.
fn name_only(named: &str) -> String {
    named.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn the_capabilities_are_those_of_opa_and_engine() -> Result<()> {
    let capabilities = capabilities()?;
    let text = format!("{}\n", serde_json::to_string_pretty(&capabilities)?);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(page(), text)?;
        return Ok(());
    }
    let names: BTreeSet<&str> = capabilities["builtins"]
        .as_array()
        .context("functions")?
        .iter()
        .filter_map(|function| function["name"].as_str())
        .collect();
    for supplied in Engine::builtins() {
        assert!(names.contains(supplied), "{supplied} is supplied and not listed");
    }
    for inside in ["eq", "assign", "count", "regex.match", "walk"] {
        assert!(names.contains(inside), "{inside} is not listed");
    }
    let have = std::fs::read_to_string(page())?;
    ensure!(
        have == text,
        "docs/capabilities.json is out of date: run UPDATE=1 cargo test --workspace --test policies capabilities"
    );
    Ok(())
}

#[tokio::test]
async fn opa_refuses_to_build_what_the_engine_would_refuse_to_load() -> Result<()> {
    let folder = scratch("refused")?;
    let good = write(
        folder.path(),
        "good.rego",
        "package a\n\ndeny contains sprintf(\"%d\", [1]) if input.x\n",
    )?;
    let bad =
        "package a\n\ndeny contains answer.body if answer := http.send({\"method\": \"get\", \"url\": input.x})\n";
    let bad = write(folder.path(), "bad.rego", bad)?;
    build(folder.path(), &good).await?;
    let error = build(folder.path(), &bad).await.expect_err("http.send is refused");
    assert!(error.to_string().contains("undefined function http.send"), "{error:#}");
    Ok(())
}

async fn build(folder: &Path, source: &Path) -> Result<()> {
    let [capabilities, source, bundle] =
        [page(), source.to_owned(), folder.join("bundle.tar.gz")].map(|path| path.display().to_string());
    let arguments = [
        "build",
        "--target",
        "wasm",
        "--entrypoint",
        "a/deny",
        "--capabilities",
        &capabilities,
    ];
    opa(&[&arguments[..], &["--output", &bundle, &source]].concat()).await?;
    Ok(())
}
