//! `interlock verify blob`: a file and the Sigstore bundle beside it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use interlock_bundles::digest::Digest;
use interlock_bundles::registry::Evidence;
use interlock_bundles::trust::Blob;

use super::report::Report;
use crate::cli::Ending;
use crate::cli::files;
use crate::cli::output::Format;
use crate::cli::signers::Signers;

/// Largest Sigstore bundle that is read.
const LARGEST: u64 = 32 * 1024 * 1024;
/// Largest signed file that is read: it is held in memory.
const LARGEST_BLOB: u64 = 1024 * 1024 * 1024;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The Sigstore bundle, as `cosign sign-blob --bundle` writes it.
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    #[command(flatten)]
    signers: Signers,
    /// The file that was signed, or sha256:HEX.
    blob: String,
    /// Form of the result.
    #[arg(short = 'o', long = "output", value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Ending> {
    let trust = arguments.signers.policy()?;
    let evidence = evidence(&arguments.bundle, LARGEST)?;
    let content;
    let (name, digest, blob) = match arguments.blob.parse::<Digest>() {
        Ok(digest) => (digest.to_string(), digest, Blob::Digest(digest)),
        Err(error) if arguments.blob.starts_with("sha256:") => return Err(error.into()),
        Err(_) => {
            content = files::read(Path::new(&arguments.blob), LARGEST_BLOB).context(
                "no BLOB to check: name a file of at most 1 GiB, or sha256: and 64 lower-case hexadecimal digits if it was attested",
            )?;
            (arguments.blob.clone(), Digest::of(&content), Blob::Content(&content))
        }
    };
    Report::new(name, Some(digest), trust.check_blob(&blob, &evidence)?).show(arguments.format)
}

/// A signature in a file.
pub(super) fn evidence(file: &Path, most: u64) -> anyhow::Result<Evidence> {
    let bytes = files::read(file, most)?;
    Ok(Evidence {
        media_type: String::new(),
        digest: Digest::of(&bytes),
        bytes,
    })
}
