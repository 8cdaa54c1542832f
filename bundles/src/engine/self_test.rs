//! What a new policy must show before it may judge: its own golden inputs come out as their author
//! says, and no gate lets an input through that says nothing.
//!
//! Golden inputs are data: `interlock.golden.<name> = {"input": …, "want": {"<gate>": "<outcome>"}}`,
//! where the outcome is that of the gate's strongest finding. The instant is the input's `now`, or
//! the Unix epoch.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::{EvaluateError, SelfTestError};
use super::policy::Policy;
use crate::outcome::{Finding, Outcome, strongest};

const EMPTY: &str = "empty";
/// For all golden inputs together: each may take its deadline, and there may be thousands.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    input: Value,
    want: BTreeMap<String, Outcome>,
}

pub(super) fn run(policy: &Policy, golden: &Value) -> Result<(), SelfTestError> {
    run_within(PATIENCE, policy, golden)
}

fn run_within(patience: Duration, policy: &Policy, golden: &Value) -> Result<(), SelfTestError> {
    let started = Instant::now();
    check_silent(policy, Some(b"{}"))?;
    check_silent(policy, None)?;
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
    inputs.iter().try_for_each(|(name, golden)| {
        if started.elapsed() >= patience {
            return Err(failed(name, EvaluateError::DeadlineExceeded { deadline: patience }));
        }
        check_golden(policy, name, golden)
    })
}

/// The golden inputs that have the form of one, with name and instant, before anything is asked of them.
pub(super) fn named_inputs(golden: &Value) -> impl Iterator<Item = (&str, &Value, Timestamp)> {
    let golden = golden.as_object().into_iter().flatten();
    golden.filter_map(|(name, golden)| {
        let input = golden.get("input")?;
        Some((name.as_str(), input, instant(input).ok()?))
    })
}

/// A bundle with a catalogue promises to pass only on evidence. One without is a deny list, which
/// has nothing to object to in an input that says nothing.
fn check_silent(policy: &Policy, input: Option<&[u8]>) -> Result<(), SelfTestError> {
    let findings = policy.silent_findings(input).map_err(|source| failed(EMPTY, source))?;
    if policy.catalogue().is_none() {
        return Ok(());
    }
    let lets_through = |finding: &Finding| finding.outcome.lets_through();
    let mut gates: Vec<String> = findings
        .into_iter()
        .filter(lets_through)
        .map(|finding| finding.gate)
        .collect();
    gates.sort_unstable();
    gates.dedup();
    if gates.is_empty() {
        return Ok(());
    }
    Err(SelfTestError::PassesOnEmptyInput { gates })
}

fn check_golden(policy: &Policy, name: &str, golden: &Value) -> Result<(), SelfTestError> {
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

    #[test]
    fn all_golden_inputs_share_one_time() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/policies/careful.tar.gz");
        let bundle = LocalFile::read(&path).unwrap().open().unwrap();
        let policy = Engine::new().unwrap().compile(&bundle, Limits::default()).unwrap();
        let golden = json!({"usual": {"input": {}, "want": {}}});
        run_within(PATIENCE, &policy, &golden).unwrap();
        let error = run_within(Duration::ZERO, &policy, &golden).unwrap_err();
        assert_eq!(error.reason(), "DeadlineExceeded");
        assert!(error.to_string().contains("\"usual\""), "{error}");
    }
}
