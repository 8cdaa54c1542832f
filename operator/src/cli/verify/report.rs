//! What `interlock verify` prints: the verdict, then every check. `docs/verify.md` has the shape of the JSON.

use std::collections::BTreeSet;
use std::fmt;

use interlock_bundles::digest::Digest;
use interlock_bundles::model::{Comparison, Difference};
use interlock_bundles::trust::{CheckOutcome, SignatureFormat, Verification, VerificationOutcome};
use serde::Serialize;

use crate::cli::Ending;
use crate::cli::output::{self, Format};

/// The result of a verification.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    subject: String,
    /// None for a model's folder, which has none.
    digest: Option<String>,
    verified: bool,
    signers: Vec<String>,
    formats: BTreeSet<SignatureFormat>,
    checks: Vec<Row>,
    /// Only of a model.
    #[serde(flatten)]
    model: Option<Model>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    evidence: Option<String>,
    outcome: &'static str,
    detail: String,
}

#[derive(Debug, Serialize)]
struct Model {
    /// None if no signed list of files counts, or the files cannot be compared with it.
    comparison: Option<Compared>,
}

#[derive(Debug, Serialize)]
struct Compared {
    files: usize,
    bytes: u64,
    /// Only of a model in a registry or on a hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    downloaded: Option<u64>,
    /// Only of a model on a hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<Published>,
    #[serde(rename = "passedOver")]
    passed_over: Vec<String>,
    count: usize,
    differences: Vec<Different>,
}

/// What is the hub's word.
#[derive(Debug, Serialize)]
struct Published {
    by: String,
    files: usize,
}

/// Where a model's files are.
#[derive(Debug)]
pub(super) enum Place {
    /// On this machine.
    Folder,
    /// In a registry, of which so many bytes of layers were downloaded.
    Registry {
        /// Bytes.
        downloaded: u64,
    },
    /// On a hub.
    Hub {
        /// Its `host[:port]`.
        host: String,
        /// How many files were compared by the digests that it publishes.
        published: usize,
        /// Bytes of the others.
        downloaded: u64,
    },
}

#[derive(Debug, Serialize)]
struct Different {
    kind: &'static str,
    file: String,
    detail: String,
}

impl Report {
    /// Of something that has a digest, or of a model's folder.
    pub(super) fn new(subject: String, digest: Option<Digest>, verification: Verification) -> Self {
        let checks = verification.checks.into_iter().map(|check| Row {
            name: check.name,
            evidence: check.evidence.map(|digest| digest.to_string()),
            outcome: word(check.outcome),
            detail: check.detail,
        });
        Self {
            subject,
            digest: digest.map(|digest| digest.to_string()),
            verified: verification.outcome == VerificationOutcome::Verified,
            signers: verification.signers,
            formats: verification.formats,
            checks: checks.collect(),
            model: None,
        }
    }

    /// The same of a model, of which no files were compared so far.
    pub(super) fn of_model(mut self) -> Self {
        self.model = Some(Model { comparison: None });
        self
    }

    /// The same with how the files of the model compare with those signed, what was not looked at, and where they are.
    pub(super) fn compared(mut self, comparison: &Comparison, passed_over: Vec<String>, place: Place) -> Self {
        let what = format!("{} files, {} bytes{place}", comparison.files, comparison.bytes);
        let detail = match comparison.count {
            0 => format!("{what}, all as signed and none besides"),
            1 => format!("{what}; 1 differs from what was signed"),
            more => format!("{what}; {more} differ from what was signed"),
        };
        let detail = match passed_over.as_slice() {
            [] => detail,
            some => format!("{detail}, apart from {}, which the signer passed over", some.join(", ")),
        };
        self.model = Some(Model {
            comparison: Some(Compared::new(comparison, passed_over, place)),
        });
        self.files(comparison.is_same(), detail)
    }

    /// The same with what came of looking at the files.
    pub(super) fn files(mut self, is_good: bool, detail: String) -> Self {
        self.verified &= is_good;
        let outcome = if is_good {
            CheckOutcome::Passed
        } else {
            CheckOutcome::Failed
        };
        self.checks.push(Row {
            name: "files",
            evidence: None,
            outcome: word(outcome),
            detail,
        });
        self
    }

    /// Prints it.
    pub(super) fn show(&self, format: Format) -> anyhow::Result<Ending> {
        match format {
            Format::Json => output::json(self)?,
            Format::Table => output::text(&self.table())?,
        }
        Ok(if self.verified { Ending::Good } else { Ending::Bad })
    }

    fn table(&self) -> String {
        let rows: Vec<_> = self.checks.iter().map(Row::cells).collect();
        let verdict = if self.verified {
            format!("verified: signed by {}", self.signers.join(", "))
        } else {
            "not verified".to_owned()
        };
        let checks = output::table(&["CHECK", "OUTCOME", "EVIDENCE", "DETAIL"], &rows);
        let comparison = self.model.as_ref().and_then(|model| model.comparison.as_ref());
        let differences = comparison.map(Compared::table).unwrap_or_default();
        // A name of a file may have line breaks, and would forge a verdict.
        let subject: String = self
            .subject
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        format!("{subject}\n{verdict}\n\n{checks}{differences}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder => Ok(()),
            Self::Registry { downloaded } => write!(f, " ({downloaded} downloaded)"),
            Self::Hub {
                host,
                published,
                downloaded,
            } => write!(
                f,
                " ({downloaded} downloaded; {published} files as published by {host})"
            ),
        }
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let evidence = self.evidence.as_deref().map(short).unwrap_or_default();
        vec![
            self.name.to_owned(),
            self.outcome.to_owned(),
            evidence,
            self.detail.clone(),
        ]
    }
}

impl Compared {
    fn new(comparison: &Comparison, passed_over: Vec<String>, place: Place) -> Self {
        let (downloaded, published) = match place {
            Place::Folder => (None, None),
            Place::Registry { downloaded } => (Some(downloaded), None),
            Place::Hub {
                host: by,
                published: files,
                downloaded,
            } => (Some(downloaded), Some(Published { by, files })),
        };
        Self {
            files: comparison.files,
            bytes: comparison.bytes,
            downloaded,
            published,
            passed_over,
            count: comparison.count,
            differences: comparison.differences.iter().map(Different::from).collect(),
        }
    }

    /// The differences; nothing if there are none.
    fn table(&self) -> String {
        if self.differences.is_empty() {
            return String::new();
        }
        let rows = self
            .differences
            .iter()
            .map(|one| vec![one.kind.to_owned(), one.detail.clone()]);
        let table = output::table(&["DIFFERENCE", "FILE"], &rows.collect::<Vec<_>>());
        match self.count.saturating_sub(self.differences.len()) {
            0 => format!("\n{table}"),
            more => format!("\n{table}and {more} more\n"),
        }
    }
}

impl From<&Difference> for Different {
    fn from(difference: &Difference) -> Self {
        Self {
            kind: match difference {
                Difference::Missing { .. } => "missing",
                Difference::Extra { .. } => "extra",
                Difference::Changed { .. } => "changed",
                Difference::Resized { .. } => "resized",
                Difference::Repeated { .. } => "repeated",
            },
            file: difference.name().to_string(),
            detail: difference.to_string(),
        }
    }
}

/// `sha256:0123456789ab`.
fn short(digest: &str) -> String {
    digest.chars().take(19).collect()
}

fn word(outcome: CheckOutcome) -> &'static str {
    match outcome {
        CheckOutcome::Passed => "passed",
        CheckOutcome::Failed => "failed",
        CheckOutcome::NotNeeded => "not needed",
    }
}
