//! Models signed and verified as a publisher does it, by the real `model_signing` of OpenSSF.

use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use crate::certificates::{Authority, Identity, signing_key};
use crate::scratch::scratch;
use crate::tools::tool;

/// The person in [`Publisher`]'s certificate.
pub const EMAIL: &str = "models@example.com";

/// Somebody with a key, and a certificate of an authority of their own for another.
pub struct Publisher {
    folder: TempDir,
    authority: Authority,
    certified: Identity,
}

/// How a model is signed, and by what it is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The key.
    Key,
    /// The certificate, under its authority's.
    Certificate,
}

impl Publisher {
    /// Makes keys and certificate.
    pub fn new() -> Result<Self> {
        let folder = scratch("publisher")?;
        signing_key("model", folder.path())?;
        let authority = Authority::make(folder.path())?;
        let certified = authority.signer("certified", EMAIL)?;
        Ok(Self {
            folder,
            authority,
            certified,
        })
    }

    /// What a verifier trusts: the public key, or the authority's certificate.
    pub fn trusted(&self, by: By) -> PathBuf {
        match by {
            By::Key => self.folder.path().join("model.pub"),
            By::Certificate => self.authority.certificate(),
        }
    }

    /// Signs the folder `model` into `signature`.
    pub async fn sign(&self, by: By, model: &Path, signature: &Path) -> Result<()> {
        let root = self.authority.certificate();
        let key = self.folder.path().join("model.key");
        let flags: &[(&str, &Path)] = match by {
            By::Key => &[("--private_key", &key)],
            By::Certificate => &[
                ("--private_key", &self.certified.key),
                ("--signing_certificate", &self.certified.certificate),
                ("--certificate_chain", &root),
            ],
        };
        let output = run("sign", by, model, signature, flags).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "model_signing does not sign: {said}");
        Ok(())
    }

    /// Whether the real tool verifies the folder.
    pub async fn verifies(&self, by: By, model: &Path, signature: &Path) -> Result<bool> {
        let flag = match by {
            By::Key => "--public_key",
            By::Certificate => "--certificate_chain",
        };
        let output = run("verify", by, model, signature, &[(flag, &self.trusted(by))]).await?;
        Ok(output.status.success())
    }
}

async fn run(verb: &str, by: By, model: &Path, signature: &Path, flags: &[(&str, &Path)]) -> Result<Output> {
    let how = match by {
        By::Key => "key",
        By::Certificate => "certificate",
    };
    let mut command = Command::new(tool("model-signing")?);
    command.args([verb, how]).arg(model).arg("--signature").arg(signature);
    for (flag, file) in flags {
        command.arg(flag).arg(file);
    }
    Ok(command.kill_on_drop(true).output().await?)
}
