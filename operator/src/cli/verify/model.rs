//! `interlock verify model`: a folder or file on this machine with its signature by OpenSSF Model Signing, an artifact
//! in a registry with that and the signatures of cosign, or a commit on a hub.

mod hub;
mod remote;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use interlock_bundles::model::directory::{self, DirectoryError};
use interlock_bundles::model::{Allowed, FileName, Manifest, NameError, SIGNATURE_FILE as SIGNATURE};
use interlock_bundles::trust::Verified;

use super::report::{Place, Report};
use super::{How, blob};
use crate::cli::Ending;
use crate::cli::bundles::looks_like_reference;
use crate::judge::chain;

/// Largest signature that is read: it lists all files.
const LARGEST: u64 = 48 * 1024 * 1024;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The model: a folder, a file, HOST[:PORT]/PATH:TAG or HOST[:PORT]/PATH@sha256:HEX in a registry, or
    /// hf://ORG/NAME@COMMIT on a hub.
    #[arg(value_name = "FOLDER|FILE|REFERENCE")]
    model: String,
    /// The signature, as `model_signing sign` writes it. By default FOLDER/model.sig; in a registry what is attached to the
    /// model, and its own file model.sig; on a hub the latter.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// The folder of an artifact that was signed; of an image models by default, as KServe takes it, else the whole artifact
    /// (`.`).
    #[arg(long, value_name = "PATH", value_parser = part, help_heading = "Model in a registry")]
    folder: Option<Part>,
    /// Keep in this folder what is found in layers that must be downloaded, so that none is twice. Who can write to it can
    /// say what is in a layer.
    #[arg(long, value_name = "DIR", help_heading = "Model in a registry")]
    layer_cache: Option<PathBuf>,
    /// The hub, https://huggingface.co by default. What HF_TOKEN holds is shown to it and to nobody else.
    #[arg(long, value_name = "URL", help_heading = "Model on a hub")]
    hub: Option<String>,
    #[command(flatten)]
    may: May,
    #[command(flatten)]
    how: How,
}

/// A folder of an artifact; none is the artifact itself.
#[derive(Clone, Debug)]
struct Part(Option<FileName>);

fn part(text: &str) -> Result<Part, NameError> {
    let text = text.strip_suffix('/').unwrap_or(text);
    Ok(Part(match text {
        "." => None,
        text => Some(FileName::parse(text)?),
    }))
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
        arguments.are_for("on this machine", &["--allow-symlinks"])?;
        return local(arguments);
    }
    match name.split_once("://").map(|(scheme, _)| scheme) {
        Some("hf") => {
            arguments.are_for("on a hub", &["--hub", "--plain-http"])?;
            hub::verify(arguments, &name.parse()?).await
        }
        Some(scheme) if scheme != "oci" => bail!(
            "{name:?} is in no OCI registry: what it leads to can change, and no signature is kept with it: download the model and name its folder, or push it and name HOST[:PORT]/PATH@sha256:HEX"
        ),
        _ if !looks_like_reference(name) => bail!(
            "{name:?} is no folder or file, and no reference: name the model's folder, or HOST[:PORT]/PATH:TAG in a registry"
        ),
        _ => {
            arguments.are_for("in a registry", &["--folder", "--layer-cache", "--plain-http"])?;
            remote::verify(arguments, &name.parse()?).await
        }
    }
}

impl Arguments {
    /// Refuses flags that say nothing of a model that is there.
    fn are_for(&self, place: &str, allowed: &[&str]) -> anyhow::Result<()> {
        let given = [
            ("--allow-symlinks", self.may.symlinks, "a folder"),
            ("--folder", self.folder.is_some(), "a model in a registry"),
            ("--layer-cache", self.layer_cache.is_some(), "a model in a registry"),
            (
                "--plain-http",
                self.how.access.plain_http,
                "a model in a registry or on a hub",
            ),
            ("--hub", self.hub.is_some(), "a model on a hub"),
        ];
        let wrong = given
            .into_iter()
            .find(|(flag, is_given, _)| *is_given && !allowed.contains(flag));
        match wrong {
            Some((flag, _, whose)) => bail!("{:?} is {place}: {flag} is for {whose}", self.model),
            None => Ok(()),
        }
    }
}

/// Whose list of files it is, and whether these are the files.
fn local(arguments: &Arguments) -> anyhow::Result<Ending> {
    let trust = arguments.how.signers.policy()?;
    let path = Path::new(&arguments.model);
    let signature = signature(path, arguments.signature.as_deref())?;
    let evidence =
        blob::evidence(&signature, LARGEST).context("no signature to check: name it with --signature FILE")?;
    let signed = trust.verify_model(&evidence);
    let report = Report::new(arguments.model.clone(), None, signed.verification).of_model();
    let report = match &signed.manifest {
        Ok(manifest) => {
            let allowed = arguments.may.allowed(within(path, &signature));
            compare(report, path, manifest, &allowed)?
        }
        Err(_) => report,
    };
    report.show(arguments.how.format)
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
            let passed_over = passed_over(path, manifest.get(), allowed);
            Ok(report.compared(&comparison, passed_over, Place::Folder))
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
    fn allowed(&self, signature: Option<FileName>) -> Allowed {
        let mut allowed = Allowed::default();
        allowed.ignored.extend(self.ignored.iter().cloned());
        allowed.signature = signature;
        allowed.symlinks = self.symlinks;
        allowed.empty_files = self.empty_files;
        allowed
    }
}
