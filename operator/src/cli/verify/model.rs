//! `interlock verify model`: a folder or file on this machine with its signature by OpenSSF Model Signing, or an artifact
//! in a registry with the signatures of cosign.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use interlock_bundles::model::directory::{self, DirectoryError};
use interlock_bundles::model::{Allowed, FileName, Manifest};
use interlock_bundles::trust::Verified;

use super::report::Report;
use super::{artifact, blob};
use crate::cli::Ending;
use crate::cli::bundles::{Access, looks_like_reference};
use crate::cli::output::Format;
use crate::cli::signers::Signers;
use crate::judge::chain;

/// What `model_signing sign` calls the signature where nothing else is said.
const SIGNATURE: &str = "model.sig";
/// Largest signature that is read: it lists all files.
const LARGEST: u64 = 48 * 1024 * 1024;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The model: a folder, a file, or HOST[:PORT]/PATH:TAG or HOST[:PORT]/PATH@sha256:HEX in a registry.
    #[arg(value_name = "FOLDER|FILE|REFERENCE")]
    model: String,
    /// The signature, as `model_signing sign` writes it; FOLDER/model.sig by default.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    #[command(flatten)]
    may: May,
    #[command(flatten)]
    signers: Signers,
    #[command(flatten)]
    access: Access,
    /// Form of the result.
    #[arg(short = 'o', long = "output", value_enum, default_value_t)]
    format: Format,
}

/// What a folder may have besides plain files that are all listed.
#[derive(clap::Args)]
struct May {
    /// Follow symbolic links to files of the same folder, if the signer did.
    #[arg(long = "allow-symlinks", help_heading = "Files of a folder")]
    symlinks: bool,
    /// Pass over this file or folder, if the signer did. Repeatable; those of Git (.git, .gitattributes, .github,
    /// .gitignore) are passed over in any case, if the signer did.
    #[arg(long = "allow-ignored", value_name = "PATH", help_heading = "Files of a folder", value_parser = FileName::parse)]
    ignored: Vec<FileName>,
    /// Take empty files that are not listed, if shards are: shards list no empty file.
    #[arg(long = "allow-empty-files", help_heading = "Files of a folder")]
    empty_files: bool,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<Ending> {
    let name = &arguments.model;
    if std::fs::symlink_metadata(name).is_ok() {
        return local(arguments);
    }
    if !looks_like_reference(name) {
        bail!(
            "{name:?} is no folder or file, and no reference: name the model's folder, or HOST[:PORT]/PATH:TAG in a registry"
        );
    }
    if arguments.signature.is_some() || arguments.may.given() {
        bail!(
            "{name:?} is no folder or file but a reference, whose signatures are in the registry: --signature and --allow-… are for a folder"
        );
    }
    let reference = name.parse()?;
    artifact(&reference, &arguments.signers, &arguments.access, arguments.format).await
}

/// Whose list of files it is, and whether these are the files.
fn local(arguments: &Arguments) -> anyhow::Result<Ending> {
    let trust = arguments.signers.policy()?;
    let path = Path::new(&arguments.model);
    if arguments.access.plain_http {
        bail!(
            "{} is on this machine: --plain-http is for a model in a registry",
            path.display()
        );
    }
    let signature = signature(path, arguments.signature.as_deref())?;
    let evidence =
        blob::evidence(&signature, LARGEST).context("no signature to check: name it with --signature FILE")?;
    let signed = trust.verify_model(&evidence);
    let report = Report::new(arguments.model.clone(), None, signed.verification);
    let report = match &signed.manifest {
        Ok(manifest) => {
            let allowed = arguments.may.allowed(within(path, &signature));
            compare(report, path, manifest, &allowed)?
        }
        Err(_) => report,
    };
    report.show(arguments.format)
}

fn compare(
    report: Report,
    path: &Path,
    manifest: &Verified<Manifest>,
    allowed: &Allowed,
) -> Result<Report, DirectoryError> {
    use DirectoryError as No;
    match directory::read(path, manifest.get(), allowed) {
        Ok(seen) => {
            let comparison = manifest.get().compare(seen, allowed);
            Ok(report.compared(&comparison, passed_over(path, manifest.get(), allowed)))
        }
        // What no signature can be about is there all the same: the folder is not what was signed.
        Err(error @ (No::NotUtf8 { .. } | No::Name { .. } | No::Link { .. } | No::Special { .. })) => {
            Ok(report.files(false, chain(&error)))
        }
        Err(error) => Err(error),
    }
}

/// What is in the folder and was not looked at, apart from the signature.
fn passed_over(model: &Path, manifest: &Manifest, allowed: &Allowed) -> Vec<String> {
    let ignored = manifest.serialization().ignore_paths.iter();
    let is_there = |name: &&FileName| model.join(name.as_str()).symlink_metadata().is_ok();
    let may_be = |name: &&FileName| allowed.ignored.iter().any(|allowed| name.is_within(allowed));
    ignored
        .filter(may_be)
        .filter(is_there)
        .map(ToString::to_string)
        .collect()
}

fn signature(model: &Path, given: Option<&Path>) -> anyhow::Result<PathBuf> {
    match given {
        Some(file) => Ok(file.to_owned()),
        None if model.is_dir() => Ok(model.join(SIGNATURE)),
        None => bail!(
            "{} is a single file: name its signature with --signature FILE",
            model.display()
        ),
    }
}

/// The signature's name in the model's folder, if it lies there. Of its path only the folder is looked up: what lies
/// there under that name is passed over, also if it leads elsewhere.
fn within(model: &Path, signature: &Path) -> Option<FileName> {
    let folder = match signature.parent()? {
        here if here.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    let file = folder.canonicalize().ok()?.join(signature.file_name()?);
    let name = file.strip_prefix(model.canonicalize().ok()?).ok()?;
    FileName::parse(name.to_str()?).ok()
}

impl May {
    fn given(&self) -> bool {
        self.symlinks || !self.ignored.is_empty() || self.empty_files
    }

    fn allowed(&self, signature: Option<FileName>) -> Allowed {
        let mut allowed = Allowed::default();
        allowed.ignored.extend(self.ignored.iter().cloned());
        allowed.signature = signature;
        allowed.symlinks = self.symlinks;
        allowed.empty_files = self.empty_files;
        allowed
    }
}
