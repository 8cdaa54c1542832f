//! A private Sigstore that signs for tests, well and deliberately wrongly, and says what sigstore-go makes of each:
//! `tests/tools/sigstore` tells what can be asked.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use interlock_bundles::digest::Digest;
use interlock_bundles::trust::SIGNATURE_PREDICATE;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scratch::scratch;
use crate::tools::tool;

/// The identity that [`Sigstore::dev`] signs as: its issuer and its subject.
pub const DEV: (&str, &str) = ("https://issuer.example.com", "dev@example.com");

/// The statement by which cosign signs for a digest.
pub fn signed(digest: &Digest) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": digest.hex()}}],
        "predicateType": SIGNATURE_PREDICATE,
        "predicate": {},
    })
}

/// A request, with a statement to sign.
pub fn stated(request: &Value, statement: &Value) -> Value {
    let mut stated = request.clone();
    if let Some(fields) = stated.as_object_mut() {
        let payload = BASE64_STANDARD.encode(statement.to_string());
        fields.insert("payload".to_owned(), json!(payload));
        fields.insert("payloadType".to_owned(), json!("application/vnd.in-toto+json"));
    }
    stated
}

/// A running Sigstore with keys of its own. It ends when it is dropped, and with this process: its standard input ends
/// then.
pub struct Sigstore {
    folder: TempDir,
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What it made of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The Sigstore bundle; none where the request cannot be met.
    pub bundle: Option<Value>,
    /// The key that signed it, in PEM.
    pub public_key: Option<String>,
    /// Why sigstore-go rejects it, where it does.
    pub rejected: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
}

impl Sigstore {
    /// Makes one; the program is built first where it is missing.
    pub fn start() -> Result<Self> {
        let folder = scratch("sigstore")?;
        let mut process = Command::new(tool("sigstore")?)
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // sigstore-go tells of every second attempt; errors are in the answers.
            .stderr(Stdio::null())
            .spawn()
            .context("could not start the private Sigstore")?;
        let input = process.stdin.take().context("it has a standard input")?;
        let output = process.stdout.take().context("it has a standard output")?;
        Ok(Self {
            folder,
            process,
            input,
            output: BufReader::new(output),
        })
    }

    /// A request for a signature with a certificate for [`DEV`], to which a test adds what is signed and how.
    pub fn dev() -> Value {
        json!({"keyless": {"email": DEV.1, "issuer": DEV.0}})
    }

    /// What there is to trust, as `trusted_root.json`; from the first answer on.
    pub fn trusted_root(&self) -> Result<Vec<u8>> {
        Ok(std::fs::read(self.folder.path().join("trusted_root.json"))?)
    }

    /// One of the PEM files that it writes, `pki_root.pem` or `pki_intermediate.pem`.
    pub fn pem(&self, file: &str) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join(file))?)
    }

    /// Signs as a request has it.
    pub fn ask(&mut self, request: &Value) -> Result<Answer> {
        writeln!(self.input, "{request}")?;
        self.input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the private Sigstore ended");
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Sigstore {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
