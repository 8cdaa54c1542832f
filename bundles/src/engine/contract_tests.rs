//! Tables for [`super`]: what documents become, and that odd ones become errors.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn catalogue() -> Catalogue {
    let gate = json!({"title": "t", "why": "w", "severity": "s", "remediation": "r"});
    Catalogue::read(&json!({"C-01": gate, "C-02": gate})).unwrap()
}

fn judge(catalogue: Option<&Catalogue>, results: &[(&str, Value)]) -> Result<Vec<Finding>, EvaluateError> {
    let mut findings = Findings::new(catalogue);
    for (entrypoint, result) in results {
        findings.read(entrypoint, &json!([{"result": result}]))?;
    }
    Ok(findings.finish())
}

/// `gate/term=outcome: message` for each finding.
fn lines(findings: &[Finding]) -> Vec<String> {
    let line = |f: &Finding| format!("{}/{}={}: {}", f.gate, f.term, f.outcome, f.message);
    findings.iter().map(line).collect()
}

fn found(gate: &str, term: &str, msg: &str) -> Value {
    json!({"gate": gate, "term": term, "msg": msg})
}

#[test]
fn the_strongest_wins_for_each_gate_and_term() {
    let decision = json!({
        "pass": [found("C-01", "", "fine"), found("C-01", "app", "fine")],
        "deny": [found("C-01", "app", "bad")],
        "warn": [found("C-02", "", "hm")],
        "unknown": [found("C-02", "", "no idea")],
        "skip": [found("C-02", "", "n/a")],
    });
    let findings = judge(Some(&catalogue()), &[("b/decision", decision)]).unwrap();
    assert_eq!(
        lines(&findings),
        ["C-01/=pass: fine", "C-01/app=deny: bad", "C-02/=unknown: no idea"]
    );
}

#[test]
fn entry_points_are_combined_and_equal_findings_keep_both_messages() {
    let results = [
        (
            "b/deny",
            json!([
                found("C-01", "", "one"),
                found("C-01", "", "two"),
                found("C-01", "", "one")
            ]),
        ),
        ("b/pass", json!([found("C-01", "", "fine"), found("C-02", "", "fine")])),
    ];
    let findings = judge(Some(&catalogue()), &results).unwrap();
    assert_eq!(lines(&findings), ["C-01/=deny: one; two", "C-02/=pass: fine"]);
}

#[test]
fn a_gate_without_a_finding_is_not_decided() {
    let findings = judge(Some(&catalogue()), &[("b/deny", json!([]))]).unwrap();
    assert_eq!(findings.len(), 2);
    for finding in findings {
        assert_eq!(finding.outcome, Outcome::Unknown);
        assert_eq!(finding.reason.as_deref(), Some("NoDecision"));
    }
}

#[test]
fn a_gate_outside_the_catalogue_may_object_but_not_pass() {
    let objecting = judge(Some(&catalogue()), &[("b/deny", json!([found("X-1", "", "bad")]))]).unwrap();
    assert!(objecting.iter().any(|f| f.gate == "X-1" && f.outcome == Outcome::Deny));
    for set in ["b/pass", "b/skip"] {
        let error = judge(Some(&catalogue()), &[(set, json!([found("X-1", "", "ok")]))]).unwrap_err();
        assert_eq!(error.reason(), "MalformedResult");
    }
}

#[test]
fn plain_deny_lists_keep_their_meaning() {
    for (entrypoint, result, want) in [
        ("main/deny", json!([]), vec!["main/deny/=pass: nothing to object to"]),
        ("main/deny", json!(["a", "b"]), vec!["main/deny/=deny: a; b"]),
        (
            "main/violation",
            json!([{"msg": "m", "details": {}}]),
            vec!["main/violation/=deny: m"],
        ),
        ("main/warn", json!(["w"]), vec!["main/warn/=warn: w"]),
        ("main/warn", json!([]), vec!["main/warn/=pass: nothing to object to"]),
        (
            "main/decision",
            json!({"deny": [], "warn": []}),
            vec!["main/decision/=pass: nothing to object to"],
        ),
        (
            "main/pass",
            json!([]),
            vec!["main/pass/=unknown: the policy says nothing about this input"],
        ),
        ("main/deny", json!([found("G", "t", "m")]), vec!["G/t=deny: m"]),
    ] {
        assert_eq!(lines(&judge(None, &[(entrypoint, result)]).unwrap()), want);
    }
}

#[test]
fn odd_shapes_are_errors_that_say_where() {
    let catalogue = catalogue();
    for (entrypoint, result, path) in [
        ("b/deny", json!(true), "b/deny"),
        ("b/deny", json!({}), "b/deny"),
        ("b/allow", json!(true), "b/allow"),
        ("b/decision", json!({}), "b/decision"),
        ("b/decision", json!({"dney": []}), "b/decision.dney"),
        ("b/decision", json!({"deny": "x"}), "b/decision.deny"),
        ("b/deny", json!(["plain"]), "b/deny[0]"),
        ("b/deny", json!([{"msg": "m"}]), "b/deny[0].gate"),
        ("b/deny", json!([{"gate": "C-01"}]), "b/deny[0].msg"),
        ("b/deny", json!([{"gate": 1, "msg": "m"}]), "b/deny[0].gate"),
        ("b/deny", json!([{"gate": "C-01", "msg": ["m"]}]), "b/deny[0].msg"),
        (
            "b/deny",
            json!([{"gate": "C-01", "msg": "m", "term": null}]),
            "b/deny[0].term",
        ),
        (
            "b/deny",
            json!([{"gate": "x".repeat(65), "msg": "m"}]),
            "b/deny[0].gate",
        ),
        ("b/deny", json!([{"gate": "", "msg": "m"}]), "b/deny[0].gate"),
        (
            "b/deny",
            json!([{"gate": "C-01", "msg": "m", "evidence": [1]}]),
            "b/deny[0].evidence",
        ),
        ("b/deny", json!(vec![found("C-01", "", "m"); 1001]), "b/deny"),
    ] {
        match judge(Some(&catalogue), &[(entrypoint, result)]) {
            Err(EvaluateError::MalformedResult { path: got, .. }) => assert_eq!(got, path),
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[test]
fn documents_without_a_result_are_errors() {
    for (document, reason) in [
        (json!([]), "Undefined"),
        (json!([{}]), "MalformedResult"),
        (json!([{"x": 1}]), "MalformedResult"),
        (json!([{"result": []}, {"result": []}]), "MalformedResult"),
        (json!({"result": []}), "MalformedResult"),
    ] {
        assert_eq!(value("b/deny", &document).unwrap_err().reason(), reason, "{document}");
    }
}

#[test]
fn long_messages_are_cut() {
    let findings = judge(None, &[("m/deny", json!(["é".repeat(5000)]))]).unwrap();
    assert_eq!(findings[0].message.chars().count(), 1024);
    assert!(findings[0].message.ends_with('…'));
}

fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("gate"),
        Just("msg"),
        Just("term"),
        Just("deny"),
        Just("pass"),
        Just("C-01"),
        Just("x")
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(word.clone(), inner, 0..4).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn every_gate_of_the_catalogue_is_answered_or_the_document_refused(result in any_json(), name in "(decision|deny|pass|allow)") {
        let catalogue = catalogue();
        if let Ok(findings) = judge(Some(&catalogue), &[(&name, result.clone())]) {
            for gate in &catalogue.gates {
                prop_assert!(findings.iter().any(|finding| finding.gate == gate.id));
            }
            // Nothing passes unless the document itself has a `pass` with a gate.
            let says_pass = name == "pass" || result.get("pass").is_some();
            prop_assert!(says_pass || findings.iter().all(|finding| finding.outcome != Outcome::Pass));
        }
    }
}
