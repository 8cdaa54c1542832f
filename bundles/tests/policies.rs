//! Policies that `opa build` made (`testdata/policies/build.sh`): what they judge, and which of them
//! may not be activated.

#![expect(clippy::unwrap_used, reason = "what prepares a test may fail it")]

use std::path::Path;

use interlock_bundles::engine::{Engine, EvaluateError, Limits, Policy};
use interlock_bundles::outcome::{Finding, Outcome};
use interlock_bundles::trust::LocalFile;
use jiff::Timestamp;
use serde_json::{Value, json};

fn policy(name: &str) -> Policy {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/policies/{name}.tar.gz"));
    let bundle = LocalFile::read(&path).unwrap().open().unwrap();
    Engine::new().unwrap().compile(&bundle, Limits::default()).unwrap()
}

fn judge(policy: &Policy, input: &Value) -> Vec<String> {
    let line = |f: Finding| format!("{}/{} {}: {}", f.gate, f.term, f.outcome, f.message);
    let findings = policy.judge(input, Timestamp::UNIX_EPOCH).unwrap();
    findings.into_iter().map(line).collect()
}

fn workload(image: &str, memory: &str) -> Value {
    json!({"object": {"spec": {"containers": [{"name": "app", "image": image, "memory": memory}]}}})
}

#[test]
fn a_policy_knows_its_bundle() {
    let policy = policy("careful");
    assert_eq!((policy.name(), policy.revision()), (Some("careful"), Some("1.2.0")));
    assert_eq!(
        policy.entrypoints().collect::<Vec<_>>(),
        ["gates/catalogue", "gates/decision"]
    );
    let ids: Vec<_> = policy
        .catalogue()
        .unwrap()
        .gates
        .iter()
        .map(|gate| gate.id.as_str())
        .collect();
    assert_eq!(ids, ["C-01", "C-02"]);
}

#[test]
fn findings_are_what_the_rego_says() {
    let policy = policy("careful");
    assert_eq!(
        judge(&policy, &workload("nginx:1.27", "2Gi")),
        [
            r#"C-01/app deny: app uses "nginx:1.27" of {"a", "b"}"#,
            "C-02/app deny: 2147483648 bytes are more than 1073741824"
        ]
    );
    assert_eq!(
        judge(&policy, &workload("nginx@sha256:00", "1Gi")),
        ["C-01/app pass: pinned", "C-02/app pass: bounded"]
    );
}

#[test]
fn an_input_without_the_fields_is_undecided() {
    let policy = policy("careful");
    for input in [
        json!({}),
        json!(null),
        json!({"object": {"spec": {"containers": []}}}),
        json!("text"),
    ] {
        let findings = policy.judge(&input, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(findings.len(), 2);
        assert!(
            findings
                .iter()
                .all(|f| f.outcome == Outcome::Unknown && f.reason.as_deref() == Some("NoDecision"))
        );
    }
}

#[test]
fn raw_results_are_canonical_and_repeat() {
    let policy = policy("careful");
    let input = workload("nginx:1.27", "1Gi");
    let first = policy
        .evaluate("gates/decision", &input, Timestamp::UNIX_EPOCH)
        .unwrap();
    assert_eq!(
        first.to_string(),
        r#"[{"result":{"deny":[{"gate":"C-01","msg":"app uses \"nginx:1.27\" of {\"a\", \"b\"}","term":"app"}],"pass":[{"gate":"C-02","msg":"bounded","term":"app"}]}}]"#
    );
    for _ in 0..10 {
        assert_eq!(
            policy
                .evaluate("gates/decision", &input, Timestamp::UNIX_EPOCH)
                .unwrap(),
            first
        );
    }
    let error = policy
        .evaluate("gates/other", &input, Timestamp::UNIX_EPOCH)
        .unwrap_err();
    assert!(matches!(error, EvaluateError::NoSuchEntrypoint { .. }));
}

#[test]
fn a_plain_deny_list_runs_unchanged() {
    let policy = policy("plain");
    assert!(policy.catalogue().is_none());
    policy.self_test(Timestamp::UNIX_EPOCH).unwrap();
    let bad = json!({"kind": "Deployment", "spec": {"replicas": 1}});
    assert_eq!(
        judge(&policy, &bad),
        [
            "main/deny/ deny: containers must not run as root; replicas are 1",
            "main/warn/ warn: no owner"
        ]
    );
    let good = json!({"kind": "Service", "metadata": {"labels": {"owner": "me"}}});
    assert_eq!(
        judge(&policy, &good),
        [
            "main/deny/ pass: nothing to object to",
            "main/warn/ pass: nothing to object to"
        ]
    );
}

#[test]
fn only_a_policy_that_passes_its_own_test_may_be_activated() {
    policy("careful").self_test(Timestamp::UNIX_EPOCH).unwrap();
    for (name, reason, words) in [
        ("eager", "PassesOnEmptyInput", "gate C-01 passes on the empty input"),
        (
            "wrong",
            "GoldenMismatch",
            r#"golden input "tagged": gate "C-02" should be deny, is pass"#,
        ),
    ] {
        let error = policy(name).self_test(Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(error.reason(), reason);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn limits_hold_for_real_policies_too() {
    let policy = policy("careful");
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(
        policy.judge(&deep, Timestamp::UNIX_EPOCH).unwrap_err().reason(),
        "InputTooDeep"
    );
    let large = json!("x".repeat(5 << 20));
    assert_eq!(
        policy.judge(&large, Timestamp::UNIX_EPOCH).unwrap_err().reason(),
        "InputTooLarge"
    );
}
