//! What `check` prints.

use std::fmt::Write as _;

use interlock_crds::Verdict;
use interlock_crds::release::{GatePhase, GateResult};
use serde::Serialize;

use crate::cli::output::{self, Format};
use crate::dossier::SubjectFact;
use crate::verdict::{Judgement, Ruling};

/// One manifest and its verdict.
pub(super) struct Judged {
    file: String,
    subject: SubjectFact,
    /// None if the track does not govern it.
    pub(super) judgement: Option<Judgement>,
    /// Gates that only the cluster can decide.
    pub(super) needs_cluster: Vec<String>,
    /// The track's bundles that are not at hand, as `bundle/NAME`.
    needs_bundle: Vec<String>,
}

/// One manifest, as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    file: &'a str,
    subject: &'a SubjectFact,
    governed: bool,
    verdict: Option<Verdict>,
    reason: Option<&'a str>,
    message: Option<&'a str>,
    /// Absent where no gate applies that only a running workload can be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    operational: Option<Operational<'a>>,
    gates: &'a [GateResult],
    /// How many entries were left out of `gates`.
    omitted: u32,
    passed: &'a [String],
    needs_cluster: &'a [String],
    needs_bundle: &'a [String],
}

/// What the gates say together that only a running workload can be asked.
#[derive(Serialize)]
struct Operational<'a> {
    verdict: Verdict,
    reason: &'a str,
    message: &'a str,
}

impl<'a> From<&'a Ruling> for Operational<'a> {
    fn from(ruling: &'a Ruling) -> Self {
        Self {
            verdict: ruling.verdict,
            reason: &ruling.reason,
            message: &ruling.message,
        }
    }
}

impl Judged {
    /// A manifest that was judged.
    pub(super) fn new(
        file: &str,
        subject: SubjectFact,
        mut judgement: Judgement,
        needs_cluster: Vec<String>,
        needs_bundle: Vec<String>,
    ) -> Self {
        // A gate that is partly decided by the file has not passed.
        judgement.passed.retain(|gate| !needs_cluster.contains(gate));
        Self {
            file: file.to_owned(),
            subject,
            judgement: Some(judgement),
            needs_cluster,
            needs_bundle,
        }
    }

    /// A manifest that the track does not govern.
    pub(super) fn ungoverned(file: &str, subject: SubjectFact) -> Self {
        Self {
            file: file.to_owned(),
            subject,
            judgement: None,
            needs_cluster: Vec::new(),
            needs_bundle: Vec::new(),
        }
    }

    fn entry(&self) -> Entry<'_> {
        let judgement = self.judgement.as_ref();
        Entry {
            file: &self.file,
            subject: &self.subject,
            governed: judgement.is_some(),
            verdict: judgement.map(|one| one.verdict),
            reason: judgement.map(|one| one.reason.as_str()),
            message: judgement.map(|one| one.message.as_str()),
            operational: judgement
                .and_then(|one| one.operational.as_ref())
                .map(Operational::from),
            gates: judgement.map(|one| one.gates.as_slice()).unwrap_or_default(),
            omitted: judgement.map_or(0, |one| one.omitted),
            passed: judgement.map(|one| one.passed.as_slice()).unwrap_or_default(),
            needs_cluster: &self.needs_cluster,
            needs_bundle: &self.needs_bundle,
        }
    }

    fn name(&self) -> String {
        match self.subject.namespace.as_str() {
            "" => format!("{}/{}", self.subject.kind, self.subject.name),
            namespace => format!("{}/{} in {namespace}", self.subject.kind, self.subject.name),
        }
    }

    /// Writing to a text cannot fail, so what `write!` answers is dropped.
    fn table(&self) -> String {
        let Some(judgement) = &self.judgement else {
            return format!("{}   {}   not governed by this track\n", self.name(), self.file);
        };
        let mut text = format!("{}   {}   {}\n", self.name(), self.file, judgement.verdict.as_str());
        for gate in &judgement.gates {
            let term = if gate.term.is_empty() {
                String::new()
            } else {
                format!(" ({})", gate.term)
            };
            let mut level = format!("{:?}", gate.level).to_lowercase();
            if gate.phase == GatePhase::Operation {
                level.push_str(", operation");
            }
            let result = format!("{:?}", gate.result).to_lowercase();
            let _ = writeln!(text, "  {:<8} {result} [{level}]{term}: {}", gate.id, gate.message);
        }
        let mut remedies: Vec<_> = judgement
            .gates
            .iter()
            .filter_map(|gate| Some((&gate.id, gate.remediation.as_ref()?)))
            .collect();
        remedies.dedup();
        for (id, remedy) in remedies {
            let _ = writeln!(text, "  {id:<8} to mend it: {remedy}");
        }
        if judgement.omitted > 0 {
            let _ = writeln!(text, "  … and {} more findings", judgement.omitted);
        }
        if !judgement.passed.is_empty() {
            let _ = writeln!(text, "  passed   {}", judgement.passed.join(", "));
        }
        let is_bare = judgement.gates.is_empty() && judgement.passed.is_empty() && self.needs_cluster.is_empty();
        if is_bare {
            let _ = writeln!(text, "  {}", judgement.message);
        }
        if !self.needs_cluster.is_empty() {
            let _ = writeln!(text, "  needs the cluster: {}", self.needs_cluster.join(", "));
        }
        if !self.needs_bundle.is_empty() {
            let _ = writeln!(text, "  needs its bundle: {}", self.needs_bundle.join(", "));
        }
        text
    }
}

/// Prints all of them.
pub(super) fn print(judged: &[Judged], format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => {
            let entries: Vec<_> = judged.iter().map(Judged::entry).collect();
            output::json(&serde_json::json!({"results": entries}))
        }
        Format::Table => output::text(&judged.iter().map(Judged::table).collect::<Vec<_>>().join("\n")),
    }
}
