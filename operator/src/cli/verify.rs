//! `interlock verify`: every check of a signature by name, with its outcome.

mod blob;
mod model;
mod report;

use clap::Subcommand;
use interlock_bundles::reference::{Reference, ReferenceError};
use interlock_bundles::trust::SIGNATURE_PREDICATE;

use self::report::Report;
use super::Ending;
use super::bundles::Access;
use super::output::Format;
use super::signers::Signers;
use crate::artifacts;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Check the signatures of an image in a registry, as `cosign verify` does.
    Image(ImageArguments),
    /// Check the signatures of a bundle in a registry.
    Bundle(BundleArguments),
    /// Check a model: the folder's files against their signature by `model_signing`, or the signatures of a model in a
    /// registry.
    Model(model::Arguments),
    /// Check a Sigstore bundle file against a file or digest, as `cosign verify-blob` does.
    Blob(blob::Arguments),
}

#[derive(clap::Args)]
pub(super) struct ImageArguments {
    /// The image, named as a pod names it: [HOST[:PORT]/]PATH[:TAG][@sha256:HEX].
    #[arg(value_name = "REFERENCE", value_parser = image)]
    reference: Reference,
    #[command(flatten)]
    how: How,
}

#[derive(clap::Args)]
pub(super) struct BundleArguments {
    /// HOST[:PORT]/PATH:TAG or HOST[:PORT]/PATH@sha256:HEX.
    reference: Reference,
    #[command(flatten)]
    how: How,
}

/// What every artifact in a registry is checked with.
#[derive(clap::Args)]
struct How {
    #[command(flatten)]
    signers: Signers,
    #[command(flatten)]
    access: Access,
    /// Form of the result.
    #[arg(short = 'o', long = "output", value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(command: Command) -> anyhow::Result<Ending> {
    match command {
        Command::Image(arguments) => artifact(&arguments.reference, &arguments.how).await,
        Command::Bundle(arguments) => bundle(&arguments).await,
        Command::Model(arguments) => model::run(&arguments).await,
        Command::Blob(arguments) => blob::run(&arguments),
    }
}

/// Also `interlock bundle verify`.
pub(super) async fn bundle(arguments: &BundleArguments) -> anyhow::Result<Ending> {
    artifact(&arguments.reference, &arguments.how).await
}

/// The cosign signatures on a manifest, which a tag is resolved to once.
async fn artifact(reference: &Reference, how: &How) -> anyhow::Result<Ending> {
    let trust = how.signers.policy()?;
    let found = how.access.look_up(reference, &trust).await?;
    let digest = found.pinned.digest;
    let verification = trust.check(&digest, SIGNATURE_PREDICATE, &found.evidence);
    Report::new(found.pinned.to_string(), Some(digest), verification).show(how.format)
}

/// As Kubernetes reads it, also where it says that it is an OCI artifact.
fn image(name: &str) -> Result<Reference, ReferenceError> {
    artifacts::of_image(name.strip_prefix("oci://").unwrap_or(name))
}
