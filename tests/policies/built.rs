//! The committed bundles are what `policies/build` makes of the sources, byte for byte.

use std::process::Command;

use anyhow::{Result, ensure};
use interlock_tests::scratch::scratch;
use interlock_tests::tools::{repository_root, tool};

#[test]
fn the_committed_bundles_are_built_from_these_sources() -> Result<()> {
    let folder = scratch("built")?;
    let script = repository_root().join("policies/build");
    let output = Command::new(script)
        .arg("-o")
        .arg(folder.path())
        .env("OPA", tool("opa")?)
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut compared = 0;
    for entry in std::fs::read_dir(folder.path())? {
        let built = entry?.path();
        let committed = repository_root()
            .join("bundles/dist")
            .join(built.file_name().unwrap_or_default());
        let same = std::fs::read(&built)? == std::fs::read(&committed)?;
        assert!(
            same,
            "{} is not what its sources give: run make bundles",
            committed.display()
        );
        compared += 1;
    }
    assert_eq!(
        compared,
        std::fs::read_dir(repository_root().join("bundles/dist"))?.count()
    );
    Ok(())
}
