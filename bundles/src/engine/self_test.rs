//! What a new policy must show before it may judge: its own golden inputs come out as their author
//! says, and no gate lets an input through that says nothing.
//!
//! Golden inputs are data: `interlock.golden.<name> = {"input": …, "want": {"<gate>": "<outcome>"}}`,
//! where the outcome is that of the gate's strongest finding. The instant is the input's `now`, or
//! the Unix epoch.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::{EvaluateError, SelfTestError};
use super::policy::Policy;
use crate::outcome::{Finding, Outcome, strongest};

/// The name of the input that says nothing. No golden input may have it.
pub(super) const EMPTY: &str = "{}";
/// For everything that is asked: each input may take its deadline, and there may be thousands.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    input: Value,
    want: BTreeMap<String, Outcome>,
}

/// Answers what users of the policy should know although it may be used: the entry points that are deny lists.
pub(super) fn run(policy: &Policy, golden: &Value, now: Timestamp) -> Result<Vec<String>, SelfTestError> {
    run_within(PATIENCE, policy, golden, now)
}

fn run_within(
    patience: Duration,
    policy: &Policy,
    golden: &Value,
    now: Timestamp,
) -> Result<Vec<String>, SelfTestError> {
    let clock = Clock {
        started: Instant::now(),
        patience,
    };
    let warnings = check_silence(policy, &clock, now)?;
    let empty = Map::new();
    let inputs = match golden {
        Value::Null => &empty,
        Value::Object(inputs) => inputs,
        _ => {
            return Err(malformed(
                "interlock.golden",
                "it is not an object from name to golden input",
            ));
        }
    };
    for (name, golden) in inputs {
        clock.check(name)?;
        check_golden(policy, name, golden)?;
    }
    Ok(warnings)
}

struct Clock {
    started: Instant,
    patience: Duration,
}

impl Clock {
    /// The error if there is no time left for an input.
    fn check(&self, name: &str) -> Result<(), SelfTestError> {
        if self.started.elapsed() < self.patience {
            return Ok(());
        }
        let deadline = self.patience;
        Err(failed(name, EvaluateError::DeadlineExceeded { deadline }))
    }
}

/// The golden inputs that have the form of one, with name and instant, before anything is asked of them.
pub(super) fn named_inputs(golden: &Value) -> impl Iterator<Item = (&str, &Value, Timestamp)> {
    let golden = golden.as_object().into_iter().flatten();
    golden.filter_map(|(name, golden)| {
        let input = golden.get("input")?;
        Some((name.as_str(), input, instant(input).ok()?))
    })
}

/// Asks each decision entry point about the empty input and about none, at the epoch and at present; each for itself, so that one which is undefined
/// there does not hide another. A bundle with a catalogue promises to let nothing through without evidence. One without
/// is a deny list, which has nothing to object to in an input that says nothing: its users are told.
fn check_silence(policy: &Policy, clock: &Clock, now: Timestamp) -> Result<Vec<String>, SelfTestError> {
    let mut gates = BTreeSet::new();
    let mut deny_lists = BTreeSet::new();
    for entrypoint in policy.decisions() {
        let empty = Some(b"{}".as_slice());
        for (input, at) in [
            (empty, Timestamp::UNIX_EPOCH),
            (empty, now),
            (None, Timestamp::UNIX_EPOCH),
            (None, now),
        ] {
            clock.check(EMPTY)?;
            let findings = match policy.findings_of(entrypoint, input, at) {
                Ok(findings) => findings,
                // An undefined decision is safe: it never allows.
                Err(EvaluateError::Undefined { .. }) => continue,
                Err(error) => return Err(failed(EMPTY, error)),
            };
            let allows = |finding: &Finding| matches!(finding.outcome, Outcome::Pass | Outcome::Skip);
            if findings.iter().any(allows) {
                deny_lists.insert(entrypoint);
            }
            let through = findings.into_iter().filter(|finding| finding.outcome.lets_through());
            gates.extend(through.map(|finding| finding.gate));
        }
    }
    if policy.catalogue().is_none() {
        return Ok(deny_lists.into_iter().map(describe_deny_list).collect());
    }
    if gates.is_empty() {
        return Ok(Vec::new());
    }
    Err(SelfTestError::PassesOnEmptyInput {
        gates: gates.into_iter().collect(),
    })
}

fn describe_deny_list(entrypoint: &str) -> String {
    format!(
        "entry point {entrypoint} is a deny list: it allows what it does not know, the empty input too; a bundle with a \
         catalogue passes a gate on evidence only"
    )
}

fn check_golden(policy: &Policy, name: &str, golden: &Value) -> Result<(), SelfTestError> {
    if name == EMPTY {
        return Err(malformed(name, "that is the name of the empty input: choose another"));
    }
    // As a map: serde would also read the fields of a struct from an array, in order.
    let golden = golden
        .as_object()
        .ok_or_else(|| malformed(name, "it is not an object"))?;
    let golden = Golden::deserialize(golden).map_err(|error| malformed(name, &error.to_string()))?;
    let now = instant(&golden.input).map_err(|detail| malformed(name, &detail))?;
    let findings = policy
        .judge(&golden.input, now)
        .map_err(|source| failed(name, source))?;
    let got = strongest(&findings);
    for (gate, want) in golden.want {
        let got = got.get(gate.as_str()).copied();
        if got != Some(want) {
            return Err(SelfTestError::GoldenMismatch {
                name: name.to_owned(),
                gate,
                want: want.to_string(),
                got: got.map_or_else(|| "absent".to_owned(), |outcome| outcome.to_string()),
            });
        }
    }
    Ok(())
}

fn instant(input: &Value) -> Result<Timestamp, String> {
    let Some(now) = input.get("now") else {
        return Ok(Timestamp::UNIX_EPOCH);
    };
    let parsed = now.as_str().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| "its now is not an RFC 3339 instant".to_owned())
}

fn malformed(name: &str, detail: &str) -> SelfTestError {
    SelfTestError::MalformedGolden {
        name: name.to_owned(),
        detail: detail.to_owned(),
    }
}

fn failed(name: &str, source: EvaluateError) -> SelfTestError {
    SelfTestError::Evaluate {
        name: name.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::engine::{Engine, Limits};
    use crate::trust::LocalFile;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn all_inputs_share_one_time_and_none_is_called_as_the_empty_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/policies/careful.tar.gz");
        let bundle = LocalFile::read(&path).unwrap().open().unwrap();
        let policy = Engine::new().unwrap().compile(&bundle, Limits::default()).unwrap();
        let golden = json!({"usual": {"input": {}, "want": {}}});
        assert_eq!(run_within(PATIENCE, &policy, &golden, NOW).unwrap(), [""; 0]);
        let error = run_within(Duration::ZERO, &policy, &golden, NOW).unwrap_err();
        assert_eq!(error.reason(), "DeadlineExceeded");
        assert!(error.to_string().contains(r#"input "{}""#), "{error}");
        let error = run(&policy, &json!({"{}": {"input": {}, "want": {}}}), NOW).unwrap_err();
        assert_eq!(error.reason(), "MalformedGolden");
        assert!(error.to_string().contains("choose another"), "{error}");
    }
}
