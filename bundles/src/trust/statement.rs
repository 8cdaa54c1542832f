//! The in-toto statement that is signed: about which digest, saying what kind of thing
//! (in-toto/attestation `spec/v1/statement.md`). Read only after its signature was checked.

use serde::Deserialize;

use super::envelope::shown;
use crate::digest::Digest;

/// What `cosign sign` writes: "this was signed", without further claims.
pub const SIGNATURE_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

const TYPES: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];
const SUBJECTS_MAX: usize = 1024;

/// A statement, as far as signatures need it. The predicate may be missing (cosign up to 3.0.4).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
}

#[derive(Debug, Deserialize)]
struct Subject {
    digest: SubjectDigest,
}

/// The digest map; other algorithms may stand beside SHA-256.
#[derive(Debug, Deserialize)]
struct SubjectDigest {
    sha256: Option<String>,
}

impl Statement {
    /// Reads a payload.
    pub(super) fn read(payload: &[u8]) -> Result<Self, String> {
        let statement: Self =
            serde_json::from_slice(payload).map_err(|error| format!("not an in-toto statement: {error}"))?;
        if !TYPES.contains(&statement.kind.as_str()) {
            return Err(format!(
                "statement type {} is not one of {TYPES:?}",
                shown(&statement.kind)
            ));
        }
        match statement.subject.len() {
            0 => Err("the statement has no subject".to_owned()),
            1..=SUBJECTS_MAX => Ok(statement),
            more => Err(format!(
                "the statement has {more} subjects, at most {SUBJECTS_MAX} are read"
            )),
        }
    }

    /// Whether one of the subjects is this digest.
    pub(super) fn is_about(&self, subject: &Digest) -> Result<(), String> {
        let hex = subject.hex();
        let mut named = self
            .subject
            .iter()
            .filter_map(|subject| subject.digest.sha256.as_deref());
        if named.any(|sha256| sha256 == hex) {
            return Ok(());
        }
        let first = self.subject.iter().find_map(|subject| subject.digest.sha256.as_deref());
        Err(format!(
            "signed for {}, not for {subject}",
            first.map_or_else(
                || "a digest of another kind".to_owned(),
                |hex| shown(&format!("sha256:{hex}"))
            )
        ))
    }

    /// The first subject that has a SHA-256 digest.
    pub(super) fn subject(&self) -> Result<Digest, String> {
        let mut named = self
            .subject
            .iter()
            .filter_map(|subject| subject.digest.sha256.as_deref());
        let first = named.next().ok_or("the statement names no SHA-256 digest")?;
        let digest = format!("sha256:{first}").parse::<Digest>();
        digest.map_err(|error| error.to_string())
    }

    /// Whether the statement is of this kind.
    pub(super) fn is_a(&self, predicate_type: &str) -> Result<(), String> {
        if self.predicate_type == predicate_type {
            Ok(())
        } else {
            Err(format!(
                "it is a {}, want a {predicate_type}",
                shown(&self.predicate_type)
            ))
        }
    }
}
