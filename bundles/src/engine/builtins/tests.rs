//! Every function against OPA's recorded answers, called directly and from inside a module.
//!
//! `testdata/builtins/cases.json` was recorded by `testdata/builtins/record.sh` with OPA 1.22.0, which
//! also built `bundle.tar.gz` from `calls.rego`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::engine::{Engine, Limits};
use crate::trust::BuiltIn;

const CASES: &str = include_str!("../../../testdata/builtins/cases.json");
const BUNDLE: &[u8] = include_bytes!("../../../testdata/builtins/bundle.tar.gz");

/// A call as function and arguments in Rego, and OPA's text of the value, `None` if undefined.
#[derive(Deserialize)]
struct Case {
    call: Vec<String>,
    answer: Option<String>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(CASES).unwrap()
}

fn context() -> Context {
    Context {
        now: "2026-11-21T14:00:00.000000001Z".parse().unwrap(),
        regex_bytes: 1 << 20,
    }
}

/// The text that `sprintf("%v", [value])` gives: how the answers were recorded.
fn show(term: Term) -> String {
    let arguments = [Term::String("%v".to_owned()), Term::Array(vec![term])];
    match sprintf::sprintf(&context(), &arguments) {
        Ok(Term::String(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_functions_answer_as_opa_does() {
    let mut wrong = Vec::new();
    for case in cases() {
        let (name, arguments) = case.call.split_first().unwrap();
        let arguments: Vec<Term> = arguments
            .iter()
            .map(|text| Term::parse(text, 64).unwrap_or_else(|error| panic!("{text}: {error}")))
            .collect();
        let builtin = find(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(builtin.arity, arguments.len());
        let answer = match (builtin.call)(&context(), &arguments) {
            Ok(term) => Some(show(term)),
            Err(Failure::Undefined) => None,
            Err(Failure::Limit(detail)) => Some(format!("limit: {detail}")),
        };
        if answer != case.answer {
            wrong.push(format!("{:?}: OPA {:?}, here {answer:?}", case.call, case.answer));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// The families' cases: their answers are OPA's text of the value itself.
fn family_cases() -> Vec<Case> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/builtins");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.to_string_lossy().ends_with(".cases.json"));
    files
        .flat_map(|path| serde_json::from_slice::<Vec<Case>>(&std::fs::read(path).unwrap()).unwrap())
        .collect()
}

#[test]
fn the_families_answer_as_opa_does() {
    let mut wrong = Vec::new();
    let cases = family_cases();
    assert!(cases.len() > 500);
    for case in cases {
        let (name, arguments) = case.call.split_first().unwrap();
        let arguments: Vec<Term> = arguments
            .iter()
            .map(|text| Term::parse(text, 256).unwrap_or_else(|error| panic!("{text}: {error}")))
            .collect();
        let Some(builtin) = find(name) else {
            wrong.push(format!("{name} is missing"));
            continue;
        };
        let answer = match (builtin.call)(&context(), &arguments) {
            Ok(term) => Some(term.to_rego()),
            Err(Failure::Undefined) => None,
            Err(Failure::Limit(detail)) => Some(format!("limit: {detail}")),
        };
        if answer != case.answer {
            wrong.push(format!("{:?}: OPA {:?}, here {answer:?}", case.call, case.answer));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_function_has_recorded_cases() {
    let cases: Vec<_> = cases().into_iter().chain(family_cases()).collect();
    for builtin in all() {
        let found = cases.iter().any(|case| case.call[0] == builtin.name);
        // OPA's answer is random.
        assert!(found || builtin.name == "uuid.rfc4122", "{} has no case", builtin.name);
        assert!(refusal(builtin.name).is_none());
    }
    let names: Vec<_> = all().map(|builtin| builtin.name).collect();
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
}

/// The way in and out of the guest: the same answers from inside a module, for every function, over
/// all calls whose arguments are JSON.
#[test]
fn a_module_gets_the_same_answers() {
    let bundle = BuiltIn::include(BUNDLE).open().unwrap();
    let policy = Engine::new().unwrap().compile(&bundle, Limits::default()).unwrap();
    let mut checked = 0;
    for case in cases().into_iter().step_by(7) {
        let arguments: Option<Vec<Value>> = case.call[1..]
            .iter()
            .map(|text| serde_json::from_str(text).ok())
            .collect();
        let Some(arguments) = arguments else {
            continue;
        };
        // The JSON reader of the host keeps no spelling of numbers, nor do large integers survive.
        if case.call[1..]
            .iter()
            .any(|text| text.contains(['.', 'e', 'E']) || text.len() > 15)
            && case.call[0] == "sprintf"
        {
            continue;
        }
        let input = json!({"function": case.call[0], "arguments": arguments});
        let document = policy.evaluate("calls/answer", &input, context().now).unwrap();
        let answer = document.get(0).map(|bindings| match &bindings["result"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        let same_number = |a: &str, b: &str| a.parse::<f64>().is_ok_and(|a| b.parse() == Ok(a));
        let same = answer == case.answer || matches!((&answer, &case.answer), (Some(a), Some(b)) if same_number(a, b));
        assert!(same, "{:?}: OPA {:?}, here {answer:?}", case.call, case.answer);
        checked += 1;
    }
    assert!(checked > 200, "only {checked}");
}

#[test]
fn the_instant_is_the_one_given() {
    let bundle = BuiltIn::include(BUNDLE).open().unwrap();
    let policy = Engine::new().unwrap().compile(&bundle, Limits::default()).unwrap();
    let input = json!({"function": "time.now_ns"});
    let document = policy.evaluate("calls/answer", &input, context().now).unwrap();
    assert_eq!(document.to_string(), r#"[{"result":1795269600000000001}]"#);
}

#[test]
fn limits_are_errors_and_not_undefined() {
    let call = |name: &str, arguments: &str| {
        let Term::Array(arguments) = Term::parse(arguments, 8).unwrap() else {
            unreachable!()
        };
        (find(name).unwrap().call)(&context(), &arguments)
    };
    for (name, arguments) in [
        ("sprintf", format!("[\"{}\", []]", "%9999999d".repeat(3))),
        ("sprintf", format!("[\"{}\", [1,1,1]]", "%9999999d".repeat(3))),
        ("sprintf", format!("[\"%d\", [{}]]", "9".repeat(20_000))),
        ("units.parse", "[\"1e999999\"]".to_owned()),
        ("units.parse", format!("[\"{}Ki\"]", "7".repeat(1_000_000))),
        ("units.parse_bytes", "[\"1e-999999\"]".to_owned()),
    ] {
        let answer = call(name, &arguments);
        let is_missing = matches!(&answer, Ok(Term::String(text)) if text.contains("MISSING"));
        assert!(is_missing || matches!(answer, Err(Failure::Limit(_))), "{name}");
    }
}
