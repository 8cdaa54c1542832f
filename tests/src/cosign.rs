//! Keys, signatures and attestations made by the real cosign, as a user with a key and no network makes them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::scratch::{scratch, write};
use crate::tools::tool;

/// What `cosign sign` is told. Without a signing config it asks no server for one; without a log entry the signature
/// is the key's alone; `-y` because nobody is there to confirm.
pub const OFFLINE: [&str; 6] = [
    "--key",
    "cosign.key",
    "--use-signing-config=false",
    "--tlog-upload=false",
    "--allow-http-registry",
    "-y",
];

/// A key pair of `cosign generate-key-pair`; the private key has an empty password.
pub struct KeyPair {
    folder: TempDir,
    public: String,
}

impl KeyPair {
    /// Makes one.
    pub async fn generate() -> Result<Self> {
        let folder = scratch("key")?;
        cosign(folder.path(), &["generate-key-pair"]).await?;
        let public = std::fs::read_to_string(folder.path().join("cosign.pub"))?;
        Ok(Self { folder, public })
    }

    /// The public key as PEM.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// Path of the public key's PEM file.
    pub fn public_file(&self) -> PathBuf {
        self.folder.path().join("cosign.pub")
    }

    /// Signs `reference` (`host/path@sha256:…`) and pushes the signature beside it.
    pub async fn sign(&self, reference: &str) -> Result<()> {
        self.run("sign", &[], reference).await
    }

    /// The same in the format that cosign had before version 3: under the tag `sha256-….sig`.
    pub async fn sign_legacy(&self, reference: &str) -> Result<()> {
        self.run("sign", &["--new-bundle-format=false"], reference).await
    }

    /// The same for an index and all that is in it.
    pub async fn sign_all(&self, reference: &str) -> Result<()> {
        self.run("sign", &["--recursive"], reference).await
    }

    /// Attests `predicate` of `predicate_type` about `reference` and pushes the attestation beside it.
    pub async fn attest(&self, reference: &str, predicate_type: &str, predicate: &Value) -> Result<()> {
        let file = write(self.folder.path(), "predicate.json", serde_json::to_vec(predicate)?)?;
        let file = file.display().to_string();
        self.run("attest", &["--predicate", &file, "--type", predicate_type], reference)
            .await
    }

    /// `cosign sign-blob --bundle`: the Sigstore bundle with a signature over the bytes of `file`.
    pub async fn sign_blob(&self, file: &Path) -> Result<Vec<u8>> {
        self.run_on_file("sign-blob", &[], file).await
    }

    /// `cosign attest-blob --bundle`: the Sigstore bundle with a statement about the digest of `file`.
    pub async fn attest_blob(&self, file: &Path, predicate_type: &str, predicate: &Value) -> Result<Vec<u8>> {
        let predicate = write(self.folder.path(), "predicate.json", serde_json::to_vec(predicate)?)?;
        let predicate = predicate.display().to_string();
        self.run_on_file(
            "attest-blob",
            &["--predicate", &predicate, "--type", predicate_type],
            file,
        )
        .await
    }

    /// The folder with the key pair, as `cosign.key` and `cosign.pub`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    async fn run_on_file(&self, verb: &str, more: &[&str], file: &Path) -> Result<Vec<u8>> {
        let file = file.display().to_string();
        let offline = OFFLINE.iter().filter(|flag| **flag != "--allow-http-registry");
        let bundle = ["--bundle", "bundle.json"];
        let arguments: Vec<&str> = [verb]
            .iter()
            .chain(offline)
            .chain(&bundle)
            .chain(more)
            .copied()
            .chain([file.as_str()])
            .collect();
        cosign(self.folder.path(), &arguments).await?;
        Ok(std::fs::read(self.folder.path().join("bundle.json"))?)
    }

    async fn run(&self, verb: &str, more: &[&str], reference: &str) -> Result<()> {
        ensure!(
            reference.contains("@sha256:"),
            "{reference} names no digest; what a tag means may change"
        );
        let arguments: Vec<&str> = [verb]
            .iter()
            .chain(&OFFLINE)
            .chain(more)
            .copied()
            .chain([reference])
            .collect();
        cosign(self.folder.path(), &arguments).await.map(drop)
    }
}

/// Runs cosign in `folder` and answers its standard output.
pub(crate) async fn cosign(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(tool("cosign")?)
        .args(arguments)
        .env("COSIGN_PASSWORD", "")
        .current_dir(folder)
        .kill_on_drop(true)
        .output()
        .await
        .context("could not run cosign")?;
    ensure!(
        output.status.success(),
        "cosign {} failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}
