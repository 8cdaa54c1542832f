//! What a bundle says of an input that says nothing is asked of each of its entry points: one that is undefined there
//! does not hide another that allows.

use anyhow::Result;
use interlock_bundles::engine::{Engine, Limits, Policy};
use interlock_bundles::trust::LocalFile;
use interlock_tests::opa::opa;
use interlock_tests::scratch::{scratch, write};
use jiff::Timestamp;

/// The bundle of a module with these entry points.
async fn policy(module: &str, entrypoints: [&str; 2]) -> Result<Policy> {
    let folder = scratch("silence")?;
    let source = write(folder.path(), "policy.rego", module)?.display().to_string();
    let file = folder.path().join("bundle.tar.gz");
    let bundle = file.display().to_string();
    let mut arguments = vec!["build", "--target", "wasm", "--output", &bundle];
    arguments.extend(entrypoints.iter().flat_map(|path| ["--entrypoint", path]));
    arguments.push(&source);
    opa(&arguments).await?;
    Ok(Engine::new()?.compile(&LocalFile::read(&file)?.open()?, Limits::default())?)
}

#[tokio::test]
async fn an_undefined_entry_point_does_not_hide_a_deny_list() -> Result<()> {
    let module = "package p\n\ndeny := {\"a workload\"} if input.object\n\nviolation contains \"bad\" if input.bad\n";
    let policy = policy(module, ["p/deny", "p/violation"]).await?;
    let warnings = policy.self_test(Timestamp::now())?;
    let [warning] = warnings.as_slice() else {
        panic!("not one warning: {warnings:?}")
    };
    assert!(
        warning.starts_with("entry point p/violation is a deny list"),
        "{warning}"
    );
    Ok(())
}
