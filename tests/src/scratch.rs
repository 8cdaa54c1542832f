//! Scratch folders. A test process may be killed, and statics are never dropped, so folders carry the process id in
//! their path and the next test process removes those whose process is gone.

use std::path::{Path, PathBuf};
use std::sync::Once;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

const PREFIX: &str = "interlock-tests-";

/// A fresh, empty folder for `purpose`, removed when dropped.
pub fn scratch(purpose: &str) -> Result<TempDir> {
    static SWEEP: Once = Once::new();
    SWEEP.call_once(sweep);
    let root = std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
    std::fs::create_dir_all(&root).with_context(|| format!("could not make {}", root.display()))?;
    tempfile::Builder::new()
        .prefix(&format!("{purpose}-"))
        .tempdir_in(&root)
        .with_context(|| format!("could not make a folder in {}", root.display()))
}

/// Writes `content` to `folder/name` and answers the path.
pub fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, content).with_context(|| format!("could not write {}", path.display()))?;
    Ok(path)
}

/// Best effort: a folder that cannot be removed is another user's, and harmless. Where there is no /proc to tell who
/// lives, nothing is removed.
fn sweep() {
    if !Path::new("/proc/self").exists() {
        return;
    }
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}
