//! What the fuzz targets share: bundles made of any bytes, and OPA to ask.

pub mod json;
pub mod oracle;

use std::io::Write as _;
use std::path::PathBuf;

use interlock_bundles::archive::{Bundle, Malformed};
use interlock_bundles::trust::LocalFile;

/// A file or folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A tar of these members.
pub fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        tar.append_data(&mut header, name, *content)
            .expect("a member that fits");
    }
    tar.into_inner().expect("a tar")
}

/// The same bytes as gzip writes them; not made smaller, which would only take time.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gzip.write_all(bytes).expect("a vector takes all");
    gzip.finish().expect("a vector takes all")
}

/// Opens a bundle layer as a user's file.
pub fn open(layer: &[u8]) -> Result<Bundle, Malformed> {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(layer).expect("room for it");
    LocalFile::read(file.path()).expect("a file of a bundle's size").open()
}
