//! What the demo types at a terminal: each command is shown as a user would type it, then run.

use std::path::Path;

use anyhow::{Result, ensure};
use interlock_tests::operator::interlock;
use interlock_tests::tools::tool;
use tokio::process::Command;

/// The headline of a step.
pub(crate) fn step(what: &str) {
    println!("\n── {what}");
}

/// Runs kubectl and shows what it says.
pub(crate) async fn kubectl(kubeconfig: &Path, arguments: &[&str]) -> Result<()> {
    println!("$ kubectl {}", arguments.join(" "));
    let mut command = Command::new(tool("kubectl")?);
    let status = command
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .kill_on_drop(true)
        .status()
        .await?;
    ensure!(status.success(), "kubectl {} failed: {status}", arguments.join(" "));
    Ok(())
}

/// The same for `interlock`; answers what it printed.
pub(crate) async fn run_interlock(arguments: &[&str]) -> Result<String> {
    println!("$ interlock {}", arguments.join(" "));
    let output = interlock(arguments).await?;
    let said = String::from_utf8(output.stdout)?;
    print!("{said}");
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "interlock {} failed: {complained}",
        arguments.join(" ")
    );
    Ok(said)
}
