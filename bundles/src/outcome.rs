//! What a gate says about a workload: six outcomes with an order of strength, and the finding that
//! carries one.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The outcome of a gate or of one of its terms, the strongest first: of two, the smaller wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// There is evidence against the workload, or required evidence is absent.
    Deny,
    /// It could not be found out.
    Unknown,
    /// The evidence is expected and not there yet.
    Pending,
    /// Worth a person's attention; does not block.
    Warn,
    /// There is evidence for the workload.
    Pass,
    /// The gate does not apply.
    Skip,
}

impl Outcome {
    /// All outcomes, the strongest first.
    pub const ALL: [Self; 6] = [
        Self::Deny,
        Self::Unknown,
        Self::Pending,
        Self::Warn,
        Self::Pass,
        Self::Skip,
    ];

    /// Whether a gate that ends so keeps nothing from going on.
    pub fn lets_through(self) -> bool {
        matches!(self, Self::Warn | Self::Pass | Self::Skip)
    }

    /// The word policies use: the name of the set that holds such findings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Warn => "warn",
            Self::Pass => "pass",
            Self::Skip => "skip",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is not an outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not an outcome: use deny, unknown, pending, warn, pass or skip")]
pub struct OutcomeError {
    given: String,
}

impl FromStr for Outcome {
    type Err = OutcomeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or_else(|| OutcomeError {
                given: text.chars().take(64).collect(),
            })
    }
}

/// What a policy found about one term of one gate. At most one a gate and term comes out of a
/// judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The gate's id, such as `C-01`; in a bundle without a catalogue the entry point's path.
    pub gate: String,
    /// Which part of the workload the finding is about; empty for the gate as a whole.
    pub term: String,
    /// The outcome.
    pub outcome: Outcome,
    /// What the policy says, for people. At most 1,024 characters.
    pub message: String,
    /// A CamelCase word for machines, where there is one: `NoDecision`, or what the policy gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Digests of the evidence the policy names, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

/// The outcome of each gate: its strongest finding. Sorted by gate.
pub fn strongest(findings: &[Finding]) -> BTreeMap<&str, Outcome> {
    let mut gates = BTreeMap::new();
    for finding in findings {
        let outcome = gates.entry(finding.gate.as_str()).or_insert(finding.outcome);
        *outcome = finding.outcome.min(*outcome);
    }
    gates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_is_the_strongest_and_skip_the_weakest() {
        assert!(Outcome::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn words_round_trip() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.as_str().parse(), Ok(outcome));
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
        assert!("allow".parse::<Outcome>().is_err());
        assert!("Deny".parse::<Outcome>().is_err());
    }
}
