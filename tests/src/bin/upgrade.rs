//! An upgrade from an older commit, with that commit's real operator: it judges a scene, then this version's CRDs and
//! operator take its place, and every object and verdict must still be there, unwritten.
//!
//! ```text
//! upgrade COMMIT CHECKOUT            the checkout of that commit, built (tests/upgrade does both)
//! upgrade COMMIT CHECKOUT --record   write down what it leaves, for the story that replays it
//! ```

#![expect(clippy::print_stdout, reason = "it speaks to a person at a terminal")]

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use interlock_tests::upgrade::{Old, changes, verdicts};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (commit, checkout, record) = match arguments.as_slice() {
        [commit, checkout] => (commit, PathBuf::from(checkout), false),
        [commit, checkout, flag] if flag == "--record" => (commit, PathBuf::from(checkout), true),
        _ => bail!("usage: upgrade COMMIT CHECKOUT [--record]"),
    };
    let bundle = checkout.join("bundles/dist/baseline.tar.gz");
    let crds = crds(&checkout)?;
    println!("── The operator of {commit} judges");
    let program = checkout.join("target/debug/interlock");
    let mut old = Old::run(program, &crds, &std::fs::read(&bundle)?).await?;
    let before = old.cluster.settled().await?;
    for (release, verdict) in verdicts(&before) {
        println!("  {release}: {verdict}");
    }
    if record {
        old.record(commit).await?.save(&crds, &bundle)?;
        println!("written down");
        return Ok(());
    }
    println!("── This version's CRDs and operator take its place");
    old.cluster.upgrade().await?;
    let after = old.cluster.settled().await?;
    let changes = changes(&before, &after, &[]);
    ensure!(changes.is_empty(), "the upgrade wrote:\n{}", changes.join("\n"));
    println!(
        "{} objects kept, {} verdicts equal, nothing written",
        after.len(),
        verdicts(&after).len()
    );
    Ok(())
}

fn crds(checkout: &Path) -> Result<String> {
    let folder = checkout.join("crds/generated");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .with_context(|| format!("{} is no checkout", checkout.display()))?
        .collect::<std::io::Result<Vec<_>>>()?;
    files.sort_by_key(std::fs::DirEntry::file_name);
    let texts = files
        .iter()
        .map(|file| Ok(format!("---\n{}\n", std::fs::read_to_string(file.path())?)));
    texts.collect()
}
