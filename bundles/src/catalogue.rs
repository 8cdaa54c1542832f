//! The catalogue: which gates a bundle has and what people need to know about each.
//!
//! It is the value of the bundle's `catalogue` entry point: an object from gate id to
//! `{title, why, severity, controls, remediation, absent, phase?, effective_on?}`. A bundle with a catalogue
//! is held to it: a gate without a finding is not decided.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest gate id, in characters.
pub(crate) const MAX_GATE_ID: usize = 64;
const MAX_GATES: usize = 1000;
const MAX_TEXT: usize = 4096;

/// The gates of a bundle, sorted by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Catalogue {
    /// At least one.
    pub gates: Vec<Gate>,
}

/// One gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// Its id, such as `C-01`: 1 to 64 characters.
    pub id: String,
    /// A line that names what is asked for.
    pub title: String,
    /// Why it is asked for.
    pub why: String,
    /// The policy author's word, usually `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// The controls of published frameworks it serves.
    pub controls: Vec<String>,
    /// What to do when it fails.
    pub remediation: String,
    /// What absent evidence means.
    pub absent: Absent,
    /// When it can be decided.
    pub phase: Phase,
    /// From when on it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_on: Option<Timestamp>,
}

/// What it means that a source answered completely and the evidence is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Absent {
    /// It denies.
    #[default]
    Deny,
    /// It may still come.
    Pending,
}

/// When a gate can be decided, and with it what it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before the workload runs: it decides whether the workload may.
    #[default]
    Admission,
    /// Only once the workload runs: it decides whether the workload operates as it should.
    Operation,
}

/// Where a value is not a catalogue and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CatalogueError {
    #[error("it is not an object from gate id to gate")]
    NotAnObject,
    #[error("it has {0} gates: have 1 to {MAX_GATES}")]
    Size(usize),
    #[error("gate id {0:?} is not 1 to {MAX_GATE_ID} characters long")]
    Id(String),
    #[error("gate {id:?}: {detail}")]
    Gate { id: String, detail: String },
}

/// A gate as policies write it.
#[derive(Deserialize)]
struct Written {
    title: String,
    why: String,
    severity: String,
    #[serde(default)]
    controls: Vec<String>,
    remediation: String,
    #[serde(default)]
    absent: Absent,
    #[serde(default)]
    phase: Phase,
    #[serde(default)]
    effective_on: Option<String>,
}

impl Catalogue {
    /// The gate with that id.
    pub fn gate(&self, id: &str) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.id == id)
    }

    /// Reads the value of a `catalogue` entry point.
    pub(crate) fn read(value: &Value) -> Result<Self, CatalogueError> {
        let gates = value.as_object().ok_or(CatalogueError::NotAnObject)?;
        if gates.is_empty() || gates.len() > MAX_GATES {
            return Err(CatalogueError::Size(gates.len()));
        }
        let mut gates: Vec<Gate> = gates
            .iter()
            .map(|(id, gate)| Gate::read(id, gate))
            .collect::<Result<_, _>>()?;
        gates.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Self { gates })
    }
}

impl Gate {
    fn read(id: &str, value: &Value) -> Result<Self, CatalogueError> {
        let length = id.chars().count();
        if length == 0 || length > MAX_GATE_ID {
            return Err(CatalogueError::Id(id.chars().take(MAX_GATE_ID).collect()));
        }
        let wrong = |detail: String| CatalogueError::Gate {
            id: id.to_owned(),
            detail,
        };
        // As a map: serde would also read the fields of a struct from an array, in order.
        let fields = value
            .as_object()
            .ok_or_else(|| wrong("it is not an object".to_owned()))?;
        let written = Written::deserialize(fields).map_err(|error| wrong(error.to_string()))?;
        let texts = [&written.title, &written.why, &written.severity, &written.remediation];
        if texts
            .into_iter()
            .chain(&written.controls)
            .any(|text| text.chars().count() > MAX_TEXT)
        {
            return Err(wrong(format!("a text is longer than {MAX_TEXT} characters")));
        }
        if written.title.is_empty() {
            return Err(wrong("the title is empty".to_owned()));
        }
        let effective_on = written
            .effective_on
            .map(|text| {
                read_instant(&text)
                    .ok_or_else(|| wrong(format!("effective_on {text:?} is no RFC 3339 instant and no date")))
            })
            .transpose()?;
        Ok(Self {
            id: id.to_owned(),
            title: written.title,
            why: written.why,
            severity: written.severity,
            controls: written.controls,
            remediation: written.remediation,
            absent: written.absent,
            phase: written.phase,
            effective_on,
        })
    }
}

/// An instant, or a date that means its first moment in UTC.
fn read_instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let date: Date = text.parse().ok()?;
        Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn gate() -> Value {
        json!({"title": "t", "why": "w", "severity": "high", "controls": ["a"], "remediation": "r", "absent": "pending"})
    }

    #[test]
    fn reads_gates_sorted_by_id() {
        let mut second = gate();
        second["effective_on"] = "2026-12-01".into();
        second["phase"] = "operation".into();
        second.as_object_mut().unwrap().remove("absent");
        let catalogue = Catalogue::read(&json!({"C-02": second, "C-01": gate()})).unwrap();
        let ids: Vec<_> = catalogue.gates.iter().map(|gate| gate.id.as_str()).collect();
        assert_eq!(ids, ["C-01", "C-02"]);
        let first = catalogue.gate("C-01").unwrap();
        assert_eq!((first.absent, first.phase), (Absent::Pending, Phase::Admission));
        let second = catalogue.gate("C-02").unwrap();
        assert_eq!((second.absent, second.phase), (Absent::Deny, Phase::Operation));
        assert_eq!(second.effective_on.unwrap().to_string(), "2026-12-01T00:00:00Z");
    }

    #[test]
    fn names_the_gate_and_field_that_are_wrong() {
        let without_title = json!({"why": "w", "severity": "s", "remediation": "r"});
        let mut odd_date = gate();
        odd_date["effective_on"] = "soon".into();
        let mut odd_absent = gate();
        odd_absent["absent"] = "allow".into();
        let mut odd_phase = gate();
        odd_phase["phase"] = "promotion".into();
        for (value, want) in [
            (json!([]), "not an object"),
            (json!({}), "0 gates"),
            (json!({"": gate()}), "1 to 64"),
            (json!({"x".repeat(65): gate()}), "1 to 64"),
            (json!({"C-01": without_title}), "gate \"C-01\": missing field `title`"),
            (json!({"C-01": odd_date}), "effective_on \"soon\""),
            (json!({"C-01": odd_absent}), "unknown variant `allow`"),
            (json!({"C-01": odd_phase}), "unknown variant `promotion`"),
        ] {
            let error = Catalogue::read(&value).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }
}
