//! `interlock verify`: every check of a signature by name, with its outcome.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use interlock_bundles::digest::Digest;
use interlock_bundles::reference::Reference;
use interlock_bundles::registry::Evidence;
use interlock_bundles::trust::{Blob, CheckOutcome, SIGNATURE_PREDICATE, Verification, VerificationOutcome};
use serde_json::json;

use super::Ending;
use super::bundles::{Access, Keys, short};
use super::files;
use super::output::{self, Format};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Check the signatures of a bundle in a registry.
    Bundle(BundleArguments),
    /// Check a Sigstore bundle file against a file or digest, as `cosign verify-blob` does.
    Blob(BlobArguments),
}

#[derive(clap::Args)]
pub(super) struct BundleArguments {
    /// HOST[:PORT]/PATH:TAG or HOST[:PORT]/PATH@sha256:HEX.
    reference: Reference,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    access: Access,
    /// Form of the result.
    #[arg(short = 'o', long = "output", value_enum, default_value_t)]
    format: Format,
}

#[derive(clap::Args)]
pub(super) struct BlobArguments {
    /// The Sigstore bundle, as `cosign sign-blob --bundle` writes it.
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    #[command(flatten)]
    keys: Keys,
    /// The file that was signed, or sha256:HEX.
    blob: String,
    /// Form of the result.
    #[arg(short = 'o', long = "output", value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(command: Command) -> anyhow::Result<Ending> {
    match command {
        Command::Bundle(arguments) => bundle(&arguments).await,
        Command::Blob(arguments) => blob(&arguments),
    }
}

/// Also `interlock bundle verify`.
pub(super) async fn bundle(arguments: &BundleArguments) -> anyhow::Result<Ending> {
    let trust = arguments.keys.policy()?;
    let found = arguments.access.look_up(&arguments.reference).await?;
    let verification = trust.check(&found.pinned.digest, SIGNATURE_PREDICATE, &found.evidence);
    show(&found.pinned.to_string(), &verification, arguments.format)
}

/// Largest Sigstore bundle that is read.
const LARGEST: u64 = 32 * 1024 * 1024;
/// Largest signed file that is read: it is held in memory.
const LARGEST_BLOB: u64 = 1024 * 1024 * 1024;

fn blob(arguments: &BlobArguments) -> anyhow::Result<Ending> {
    let trust = arguments.keys.policy()?;
    let bytes = files::read(&arguments.bundle, LARGEST)?;
    let evidence = Evidence {
        media_type: String::new(),
        digest: Digest::of(&bytes),
        bytes,
    };
    let content;
    let (name, blob) = match arguments.blob.parse::<Digest>() {
        Ok(digest) => (digest.to_string(), Blob::Digest(digest)),
        Err(error) if arguments.blob.starts_with("sha256:") => return Err(error.into()),
        Err(_) => {
            content = files::read(Path::new(&arguments.blob), LARGEST_BLOB)
                .context("a larger file can be named by its digest if it was attested")?;
            (arguments.blob.clone(), Blob::Content(&content))
        }
    };
    show(&name, &trust.check_blob(&blob, &evidence)?, arguments.format)
}

fn show(subject: &str, verification: &Verification, format: Format) -> anyhow::Result<Ending> {
    let is_good = verification.outcome == VerificationOutcome::Verified;
    let word = |outcome: CheckOutcome| match outcome {
        CheckOutcome::Passed => "passed",
        CheckOutcome::Failed => "failed",
        CheckOutcome::NotNeeded => "not needed",
    };
    match format {
        Format::Json => {
            let checks: Vec<_> = verification
                .checks
                .iter()
                .map(|check| {
                    json!({"name": check.name, "evidence": check.evidence.map(|digest| digest.to_string()), "outcome": word(check.outcome), "detail": check.detail})
                })
                .collect();
            output::json(
                &json!({"subject": subject, "verified": is_good, "signers": verification.signers, "checks": checks}),
            )?;
        }
        Format::Table => {
            let rows: Vec<_> = verification
                .checks
                .iter()
                .map(|check| {
                    let evidence = check.evidence.map(short).unwrap_or_default();
                    vec![
                        check.name.to_owned(),
                        word(check.outcome).to_owned(),
                        evidence,
                        check.detail.clone(),
                    ]
                })
                .collect();
            let verdict = if is_good {
                format!("verified: signed by {}", verification.signers.join(", "))
            } else {
                "not verified".to_owned()
            };
            output::text(&format!(
                "{subject}\n{verdict}\n\n{}",
                output::table(&["CHECK", "OUTCOME", "EVIDENCE", "DETAIL"], &rows)
            ))?;
        }
    }
    Ok(if is_good { Ending::Good } else { Ending::Bad })
}
