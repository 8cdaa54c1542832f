//! Who must have signed, as the command line names them: public keys, and one who signs without a key of their own.

mod keyless;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use interlock_bundles::trust::{PublicKey, Signer, TrustPolicy};

use self::keyless::Keyless;
use super::files;

/// Largest key file that is read.
const LARGEST_KEY: u64 = 64 * 1024;

/// Who must have signed it.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Signers {
    /// Public key that must have signed it, as cosign writes it (cosign.pub). Repeatable.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    keyless: Keyless,
    /// How many different signers must have signed.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    threshold: u32,
}

impl Signers {
    /// Whether anything was said about who must have signed.
    pub(super) fn given(&self) -> bool {
        !self.keys.is_empty() || self.keyless.given()
    }

    /// The trust policy: each key file is a signer named like it, an identity one named by that.
    pub(super) fn policy(&self) -> anyhow::Result<TrustPolicy> {
        let keys = self.keys.iter().map(|file| with_key(file));
        let mut signers = keys.collect::<anyhow::Result<Vec<_>>>()?;
        signers.extend(self.keyless.signer()?);
        if signers.is_empty() {
            bail!(
                "no key given: name the public key that must have signed it with --key FILE, or who signs without one with --identity TEXT, --issuer URL and --trusted-root FILE"
            );
        }
        Ok(TrustPolicy {
            signers,
            threshold: self.threshold,
        })
    }
}

fn with_key(file: &Path) -> anyhow::Result<Signer> {
    let pem = files::read_text(file, LARGEST_KEY).context("no key to check with")?;
    let key = PublicKey::from_pem(&pem).with_context(|| format!("key {} cannot be used", file.display()))?;
    Ok(Signer::with_key(file.display().to_string(), key))
}
