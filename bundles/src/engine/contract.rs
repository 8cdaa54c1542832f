//! The policy contract: how result documents become findings.
//!
//! The last segment of an entry point's path says what it returns: `catalogue`; one set, for `deny`,
//! `unknown`, `pending`, `warn`, `pass`, `skip` and Gatekeeper's `violation`; anything else an object
//! of such sets. Per gate and term the strongest outcome wins, and what is odd is an error: no shape
//! of a document reads as an allow by accident.
//!
//! A bundle with a catalogue is held to it: a gate passes only when its bundle says `pass`. One
//! without is a plain deny list (conftest, Gatekeeper): its gate is the path of the entry point, and
//! an empty list passes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::{Map, Value};

use super::error::EvaluateError;
use crate::catalogue::{Catalogue, MAX_GATE_ID};
use crate::outcome::{Finding, Outcome};

const MAX_FINDINGS: usize = 1000;
const MAX_MESSAGE: usize = 1024;
const MAX_TERM: usize = 256;
const MAX_REASON: usize = 64;
const MAX_EVIDENCE: usize = 64;
const VIOLATION: &str = "violation";
const NO_DECISION: &str = "the policy came to no decision: a rule was undefined, probably for a missing field";
const SETS: &str = "deny, unknown, pending, warn, pass, skip, violation";

/// What an entry point returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Catalogue,
    Set(Outcome),
    Decision,
}

impl Role {
    pub(super) fn of(entrypoint: &str) -> Self {
        match entrypoint.rsplit('/').next().unwrap_or_default() {
            "catalogue" => Self::Catalogue,
            last => outcome_of(last).map_or(Self::Decision, Self::Set),
        }
    }
}

fn outcome_of(set: &str) -> Option<Outcome> {
    if set == VIOLATION {
        return Some(Outcome::Deny);
    }
    set.parse().ok()
}

fn malformed(path: &str, detail: impl Into<String>) -> EvaluateError {
    EvaluateError::MalformedResult {
        path: path.to_owned(),
        detail: detail.into(),
    }
}

/// The value inside OPA's result document: `[{"result": …}]`, or `[]` where it is undefined.
pub(super) fn value<'a>(entrypoint: &str, document: &'a Value) -> Result<&'a Value, EvaluateError> {
    let odd = || malformed(entrypoint, "it is not one binding named \"result\"");
    match document.as_array().map(Vec::as_slice) {
        Some([]) => Err(EvaluateError::Undefined {
            entrypoint: entrypoint.to_owned(),
        }),
        Some([Value::Object(bindings)]) if bindings.len() == 1 => bindings.get("result").ok_or_else(odd),
        _ => Err(odd()),
    }
}

/// Collects what the entry points of one bundle return for one input.
pub(super) struct Findings<'a> {
    catalogue: Option<&'a Catalogue>,
    seen: usize,
    found: BTreeMap<(String, String), Finding>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(catalogue: Option<&'a Catalogue>) -> Self {
        Self {
            catalogue,
            seen: 0,
            found: BTreeMap::new(),
        }
    }

    /// Reads the document of one decision entry point.
    pub(super) fn read(&mut self, entrypoint: &str, document: &Value) -> Result<(), EvaluateError> {
        let value = value(entrypoint, document)?;
        let sets = match Role::of(entrypoint) {
            Role::Catalogue => return Ok(()),
            Role::Set(outcome) => vec![(outcome, entrypoint.to_owned(), value)],
            Role::Decision => decision(entrypoint, value)?,
        };
        let is_list = |outcome: Outcome| matches!(outcome, Outcome::Deny | Outcome::Warn);
        let lists = sets.iter().any(|(outcome, ..)| is_list(*outcome));
        let before = self.seen;
        for (outcome, path, set) in sets {
            self.read_set(entrypoint, outcome, &path, set)?;
        }
        if self.catalogue.is_none() && self.seen == before {
            self.add(if lists {
                Finding::plain(entrypoint, Outcome::Pass, "nothing to object to")
            } else {
                Finding::undecided(entrypoint, "the policy says nothing about this input")
            });
        }
        Ok(())
    }

    /// All findings, one a gate and term, sorted; every gate of the catalogue has at least one.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        for gate in self.catalogue.into_iter().flat_map(|catalogue| &catalogue.gates) {
            if !self.found.keys().any(|(id, _)| *id == gate.id) {
                self.add(Finding::undecided(&gate.id, NO_DECISION));
            }
        }
        self.found.into_values().collect()
    }

    fn read_set(&mut self, entrypoint: &str, outcome: Outcome, path: &str, set: &Value) -> Result<(), EvaluateError> {
        let elements = set
            .as_array()
            .ok_or_else(|| malformed(path, format!("it is {}, not a set", kind(set))))?;
        self.seen = self.seen.saturating_add(elements.len());
        if self.seen > MAX_FINDINGS {
            return Err(malformed(path, format!("more than {MAX_FINDINGS} findings")));
        }
        for (index, element) in elements.iter().enumerate() {
            let finding = self.element(entrypoint, outcome, &format!("{path}[{index}]"), element)?;
            self.add(finding);
        }
        Ok(())
    }

    fn element(
        &self,
        entrypoint: &str,
        outcome: Outcome,
        path: &str,
        element: &Value,
    ) -> Result<Finding, EvaluateError> {
        match (element, self.catalogue) {
            (Value::Object(fields), Some(catalogue)) => {
                let finding = Finding::of_gate(outcome, path, fields)?;
                // A gate nobody announced may still object, but its word is no proof.
                if outcome >= Outcome::Pass && catalogue.gate(&finding.gate).is_none() {
                    return Err(malformed(
                        path,
                        format!("gate {:?} is not in the catalogue and cannot {outcome}", finding.gate),
                    ));
                }
                Ok(finding)
            }
            (Value::Object(fields), None) if fields.contains_key("gate") => Finding::of_gate(outcome, path, fields),
            (Value::Object(fields), None) => Ok(Finding::plain(entrypoint, outcome, text(path, fields, "msg")?)),
            (Value::String(message), None) => Ok(Finding::plain(entrypoint, outcome, message)),
            (other, _) => Err(malformed(
                path,
                format!("it is {}, not an object with gate and msg", kind(other)),
            )),
        }
    }

    fn add(&mut self, finding: Finding) {
        match self.found.entry((finding.gate.clone(), finding.term.clone())) {
            Entry::Vacant(entry) => {
                entry.insert(finding);
            }
            Entry::Occupied(mut entry) => entry.get_mut().combine(finding),
        }
    }
}

/// The sets inside the object of a decision entry point.
fn decision<'v>(entrypoint: &str, value: &'v Value) -> Result<Vec<(Outcome, String, &'v Value)>, EvaluateError> {
    let sets = value.as_object().filter(|sets| !sets.is_empty()).ok_or_else(|| {
        malformed(
            entrypoint,
            format!("it is {}, not an object of the sets {SETS}", kind(value)),
        )
    })?;
    sets.iter()
        .map(|(name, set)| {
            let path = format!("{entrypoint}.{}", cut(name, MAX_GATE_ID));
            match outcome_of(name) {
                Some(outcome) => Ok((outcome, path, set)),
                None => Err(malformed(&path, format!("a decision holds only the sets {SETS}"))),
            }
        })
        .collect()
}

impl Finding {
    fn plain(gate: &str, outcome: Outcome, message: &str) -> Self {
        Self {
            gate: gate.to_owned(),
            term: String::new(),
            outcome,
            message: cut(message, MAX_MESSAGE),
            reason: None,
            evidence: Vec::new(),
        }
    }

    fn undecided(gate: &str, message: &str) -> Self {
        Self {
            reason: Some("NoDecision".to_owned()),
            ..Self::plain(gate, Outcome::Unknown, message)
        }
    }

    fn of_gate(outcome: Outcome, path: &str, fields: &Map<String, Value>) -> Result<Self, EvaluateError> {
        let mut finding = Self::plain(text(path, fields, "gate")?, outcome, text(path, fields, "msg")?);
        let length = finding.gate.chars().count();
        if length == 0 || length > MAX_GATE_ID {
            return Err(malformed(
                &format!("{path}.gate"),
                format!("a gate id has 1 to {MAX_GATE_ID} characters"),
            ));
        }
        finding.term = short(path, fields, "term", MAX_TERM)?.unwrap_or_default();
        finding.reason = short(path, fields, "reason", MAX_REASON)?.filter(|reason| !reason.is_empty());
        finding.evidence = evidence(path, fields)?;
        Ok(finding)
    }

    /// Two findings about the same gate and term: the stronger outcome wins; of equal ones both
    /// messages are kept.
    fn combine(&mut self, other: Self) {
        if other.outcome < self.outcome {
            *self = other;
        } else if other.outcome == self.outcome {
            if !self.message.split("; ").any(|said| said == other.message) {
                self.message = cut(&format!("{}; {}", self.message, other.message), MAX_MESSAGE);
            }
            // Two reasons are no reason: a machine must not take one for the other.
            if self.reason != other.reason {
                self.reason = None;
            }
            self.evidence.extend(other.evidence);
            self.evidence.sort_unstable();
            self.evidence.dedup();
            self.evidence.truncate(MAX_EVIDENCE);
        }
    }
}

fn text<'v>(path: &str, fields: &'v Map<String, Value>, name: &str) -> Result<&'v str, EvaluateError> {
    let path = || format!("{path}.{name}");
    match fields.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(malformed(&path(), format!("it is {}, not a string", kind(other)))),
        None => Err(malformed(&path(), "it is missing")),
    }
}

/// An optional string that is part of a key or read by machines: too long is an error, not cut.
fn short(path: &str, fields: &Map<String, Value>, name: &str, max: usize) -> Result<Option<String>, EvaluateError> {
    if !fields.contains_key(name) {
        return Ok(None);
    }
    let value = text(path, fields, name)?;
    if value.chars().count() > max {
        return Err(malformed(
            &format!("{path}.{name}"),
            format!("it is longer than {max} characters"),
        ));
    }
    Ok(Some(value.to_owned()))
}

fn evidence(path: &str, fields: &Map<String, Value>) -> Result<Vec<String>, EvaluateError> {
    let Some(value) = fields.get("evidence") else {
        return Ok(Vec::new());
    };
    let odd = || {
        let detail = format!("it is not at most {MAX_EVIDENCE} strings of at most {MAX_TERM} characters");
        malformed(&format!("{path}.evidence"), detail)
    };
    let items = value
        .as_array()
        .filter(|items| items.len() <= MAX_EVIDENCE)
        .ok_or_else(odd)?;
    let mut items: Vec<String> = items
        .iter()
        .map(|item| {
            item.as_str()
                .filter(|text| text.chars().count() <= MAX_TERM)
                .map(str::to_owned)
        })
        .collect::<Option<_>>()
        .ok_or_else(odd)?;
    items.sort_unstable();
    items.dedup();
    Ok(items)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a set or an array",
        Value::Object(object) if object.is_empty() => "an empty object",
        Value::Object(_) => "an object",
    }
}

fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
#[path = "contract_tests.rs"]
mod tests;
