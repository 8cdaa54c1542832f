//! Signatures made without a key by the real cosign, as a pipeline makes them. In the place of the public Fulcio, logs
//! and timestamp authority stands a private Sigstore ([`crate::sigstore`]) that answers on this machine.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use interlock_bundles::digest::Digest;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::child::{Child, Recipe};
use crate::cosign::{KeyPair, cosign};
use crate::eventually::eventually_while;
use crate::scratch::{scratch, write};
use crate::sigstore::{signed, stated};
use crate::tools::tool;

const STARTED: Duration = Duration::from_secs(30);

/// The services of a Sigstore. Dropping them stops them; their keys go with them.
pub struct Services {
    folder: TempDir,
    _process: Child,
}

/// Which transparency log signatures go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// One like Rekor v1.
    Rekor1,
    /// One like Rekor v2.
    Rekor2,
}

/// Whom a certificate is issued to.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The URI of a workflow.
    pub uri: String,
    /// The OIDC issuer that vouches for it.
    pub issuer: String,
    /// What else Fulcio writes of it, as in `{"sourceRepositoryRef": "refs/heads/main"}`.
    pub claims: Value,
}

impl Log {
    /// What tells cosign to use it.
    fn config(self) -> &'static str {
        match self {
            Self::Rekor1 => "signing_config.json",
            Self::Rekor2 => "signing_config_rekor2.json",
        }
    }
}

impl Services {
    /// Makes them, with keys that nobody else has.
    pub async fn start() -> Result<Self> {
        let folder = scratch("sigstore")?;
        let arguments = [folder.path().display().to_string(), "serve".to_owned()];
        let recipe = Recipe::new("sigstore", tool("sigstore")?, folder.path(), arguments);
        let (mut process, log) = (recipe.start()?, recipe.log);
        let serves = async || Ok(std::fs::read_to_string(&log)?.contains("listening on").then_some(()));
        eventually_while("the Sigstore answers", STARTED, || process.still_runs(), serves).await?;
        Ok(Self {
            folder,
            _process: process,
        })
    }

    /// The `trusted_root.json` of those who trust it.
    pub fn trusted_root(&self) -> PathBuf {
        self.folder.path().join("trusted_root.json")
    }

    /// Signs `reference` (`host/path@sha256:…`) as `who` would in a pipeline, and pushes the signature beside it.
    pub async fn sign(&self, who: &Identity, log: Log, reference: &str) -> Result<()> {
        ensure!(
            reference.contains("@sha256:"),
            "{reference} names no digest; what a tag means may change"
        );
        let token = write(self.folder.path(), "token", self.token(who).await?)?;
        let config = log.config();
        let token = token.display().to_string();
        let flags = ["--signing-config", config, "--trusted-root", "trusted_root.json"];
        let more = ["--identity-token", &token, "--allow-http-registry", "-y", reference];
        let arguments: Vec<&str> = ["sign"].into_iter().chain(flags).chain(more).collect();
        cosign(self.folder.path(), &arguments).await.map(drop)
    }

    /// Signs `reference` with a key; the log and the timestamp authority see it.
    pub async fn sign_with_key(&self, key: &KeyPair, log: Log, reference: &str) -> Result<()> {
        self.with_key(key, log, "sign", &[], reference).await
    }

    /// Attests `predicate` of `predicate_type` about `reference` with a key; the log and the timestamp authority see it.
    pub async fn attest_with_key(
        &self,
        key: &KeyPair,
        log: Log,
        reference: &str,
        predicate_type: &str,
        predicate: &Value,
    ) -> Result<()> {
        let file = write(key.folder(), "predicate.json", serde_json::to_vec(predicate)?)?;
        let file = file.display().to_string();
        let more = ["--predicate", &file, "--type", predicate_type];
        self.with_key(key, log, "attest", &more, reference).await
    }

    async fn with_key(&self, key: &KeyPair, log: Log, verb: &str, more: &[&str], reference: &str) -> Result<()> {
        ensure!(
            reference.contains("@sha256:"),
            "{reference} names no digest; what a tag means may change"
        );
        let here = |file: &str| self.folder.path().join(file).display().to_string();
        let (config, root) = (here(log.config()), here("trusted_root.json"));
        let flags = [
            "--key",
            "cosign.key",
            "--signing-config",
            &config,
            "--trusted-root",
            &root,
        ];
        let last = ["--allow-http-registry", "-y", reference];
        let arguments: Vec<&str> = [&[verb], &flags[..], more, &last].concat();
        cosign(key.folder(), &arguments).await.map(drop)
    }

    /// What `who` shows to Fulcio.
    async fn token(&self, who: &Identity) -> Result<String> {
        let request = json!({"token": {"uri": who.uri, "issuer": who.issuer, "claims": who.claims}});
        let answer = self.ask(&request).await?;
        let token = answer.get("token").and_then(Value::as_str);
        Ok(token.with_context(|| format!("no token: {answer}"))?.to_owned())
    }

    /// The Sigstore bundle that says, as cosign does, that a digest is signed, by whom and how `request` has it
    /// (`tests/tools/sigstore/main.go` says what there is): also by somebody whom cosign cannot sign as.
    pub async fn signature(&self, request: &Value, digest: &Digest) -> Result<Vec<u8>> {
        let answer = self.ask(&stated(request, &signed(digest))).await?;
        let bundle = answer.get("bundle").with_context(|| format!("no bundle: {answer}"))?;
        Ok(bundle.to_string().into_bytes())
    }

    /// One of the PEM files that it writes, `pki_root.pem` or `pki_intermediate.pem`.
    pub fn pem(&self, file: &str) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join(file))?)
    }

    async fn ask(&self, request: &Value) -> Result<Value> {
        let output = Command::new(tool("sigstore")?)
            .arg(self.folder.path())
            .arg(request.to_string())
            .kill_on_drop(true)
            .output()
            .await?;
        serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
