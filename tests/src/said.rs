//! What was said of one workload, in one shape for all who can say it: OPA on the Rego sources, the engine on the built
//! bundle, `interlock check` and a Release. Equal dossiers must give equal words.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use interlock_bundles::outcome::{Finding, Outcome};
use interlock_crds::release::{GateOutcome, GateResult};
use serde_json::Value;

/// Entries that a verdict lists at most, and the length of their messages.
const LISTED: usize = 32;
const MESSAGE: usize = 256;

/// The reason of a finding that only a cluster can mend.
const NEEDS_CLUSTER: &str = "NeedsCluster";

/// Gates that do not plainly pass, and those that do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Outcome and message by gate and term; neither pass nor skip.
    pub objections: BTreeMap<(String, String), (Outcome, String)>,
    /// Gates that pass.
    pub passed: BTreeSet<String>,
    /// Gates that need the cluster, with their objections set aside.
    pub open: BTreeSet<String>,
}

impl Said {
    /// From the object of sets that the Rego returns, read by the contract anew: the strongest outcome wins.
    pub fn by_opa(decision: &Value) -> Result<Self> {
        let mut said = Self::default();
        for outcome in Outcome::ALL.into_iter().rev() {
            let set = decision
                .get(outcome.as_str())
                .and_then(Value::as_array)
                .context("a decision has six sets")?;
            for element in set {
                let text = |key: &str| element.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                said.add(&text("gate"), &text("term"), outcome, &text("msg"), &text("reason"));
            }
        }
        said.settle();
        Ok(said)
    }

    /// From what the engine returns.
    pub fn by_engine(findings: &[Finding]) -> Self {
        let mut said = Self::default();
        for finding in findings {
            let reason = finding.reason.as_deref().unwrap_or_default();
            said.add(&finding.gate, &finding.term, finding.outcome, &finding.message, reason);
        }
        said.settle();
        said
    }

    /// From what a verdict lists.
    pub fn by_verdict(gates: &[GateResult], passed: &[String], open: &[String]) -> Self {
        let objections = gates.iter().map(|gate| {
            let outcome = match gate.result {
                GateOutcome::Fail => Outcome::Deny,
                GateOutcome::Unknown => Outcome::Unknown,
                GateOutcome::Pending => Outcome::Pending,
                GateOutcome::Warn => Outcome::Warn,
            };
            ((gate.id.clone(), gate.term.clone()), (outcome, gate.message.clone()))
        });
        Self {
            objections: objections.collect(),
            passed: passed.iter().cloned().collect(),
            open: open.iter().cloned().collect(),
        }
    }

    /// From one entry of `interlock check -o json`.
    pub fn by_check(entry: &Value) -> Result<Self> {
        let gates: Vec<GateResult> = serde_json::from_value(entry["gates"].clone())?;
        let names = |key: &str| serde_json::from_value::<Vec<String>>(entry[key].clone());
        Ok(Self::by_verdict(&gates, &names("passed")?, &names("needsCluster")?))
    }

    /// What a verdict shows of `self`, which lists everything: messages are cut, and so is a long list, of which only
    /// the strongest stay. Answers whether `shown` is that.
    pub fn shows_as(&self, shown: &Self) -> bool {
        let mut cut = self.clone();
        for (_, message) in cut.objections.values_mut() {
            if message.chars().count() > MESSAGE {
                *message = message.chars().take(MESSAGE - 1).chain(['…']).collect();
            }
        }
        let is_part = shown
            .objections
            .iter()
            .all(|(key, words)| cut.objections.get(key) == Some(words));
        let all = cut.objections.len().min(LISTED) == shown.objections.len();
        is_part && all && cut.passed == shown.passed && cut.open == shown.open
    }

    fn add(&mut self, gate: &str, term: &str, outcome: Outcome, message: &str, reason: &str) {
        match outcome {
            Outcome::Pass => drop(self.passed.insert(gate.to_owned())),
            Outcome::Skip => {}
            _ if reason == NEEDS_CLUSTER => drop(self.open.insert(gate.to_owned())),
            _ => {
                let key = (gate.to_owned(), term.to_owned());
                let new = (outcome, message.to_owned());
                self.objections
                    .entry(key)
                    .and_modify(|known| *known = known.clone().min(new.clone()))
                    .or_insert(new);
            }
        }
    }

    fn settle(&mut self) {
        let Self {
            objections,
            passed,
            open,
        } = self;
        passed.retain(|gate| !open.contains(gate) && !objections.keys().any(|(objecting, _)| objecting == gate));
    }
}
