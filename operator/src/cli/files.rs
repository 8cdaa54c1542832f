//! Reads the files that a user names: regular ones, up to a size. A pipe would be waited for, a device never ends.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};

/// The content of a regular file of at most `most` bytes.
pub(super) fn read(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", path.display());
    // Asked before opening: opening a named pipe would wait for a writer.
    if !std::fs::metadata(path).with_context(cannot)?.is_file() {
        bail!("{} is no regular file", path.display());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(cannot)?;
    file.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(cannot)?;
    if bytes.len() as u64 > most {
        bail!("{} is larger than {most} bytes, the most that is read", path.display());
    }
    Ok(bytes)
}

/// The same, of text.
pub(super) fn read_text(path: &Path, most: u64) -> anyhow::Result<String> {
    String::from_utf8(read(path, most)?).with_context(|| format!("{} is no UTF-8 text", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_the_size_allowed_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("four");
        std::fs::write(&path, b"four").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"four");
        let told = |path: &Path, most| read(path, most).unwrap_err().to_string();
        assert!(told(&path, 3).ends_with("is larger than 3 bytes, the most that is read"));
        assert!(told(folder.path(), 9).ends_with("is no regular file"));
        assert_eq!(told(Path::new("/dev/zero"), 9), "/dev/zero is no regular file");
    }
}
