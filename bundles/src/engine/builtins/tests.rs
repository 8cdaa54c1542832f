//! Every function against OPA's recorded answers, called directly and from inside a module.
//!
//! `testdata/builtins/cases.json` was recorded by `testdata/builtins/record.sh` with OPA 1.22.0, which
//! also built `bundle.tar.gz` from `calls.rego`.

use proptest::prelude::*;
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

fn text(text: &str) -> Term {
    Term::String(text.to_owned())
}

fn texts(texts: impl IntoIterator<Item = String>) -> Term {
    Term::Array(texts.into_iter().map(Term::String).collect())
}

fn integers(values: impl IntoIterator<Item = i64>) -> Term {
    Term::Array(values.into_iter().map(|value| Term::Number(value.into())).collect())
}

fn call(name: &str, arguments: &[Term]) -> Result<Term, Failure> {
    (find(name).unwrap().call)(&context(), arguments)
}

proptest! {
    #[test]
    fn affixes_are_those_of_any_text(
        long in prop::collection::vec("[aéb]{0,4}", 0..5),
        short in prop::collection::vec("[aéb]{0,3}", 0..5),
    ) {
        let any = |matches: fn(&str, &str) -> bool| {
            let mut pairs = long.iter().flat_map(|text| short.iter().map(move |affix| (text, affix)));
            pairs.any(|(text, affix)| matches(text, affix))
        };
        let arguments = [texts(long.clone()), texts(short.clone())];
        let prefix = any(|text, affix| text.starts_with(affix));
        prop_assert_eq!(call("strings.any_prefix_match", &arguments), Ok(Term::Boolean(prefix)));
        let suffix = any(|text, affix| text.ends_with(affix));
        prop_assert_eq!(call("strings.any_suffix_match", &arguments), Ok(Term::Boolean(suffix)));
    }

    #[test]
    fn an_array_is_part_of_another_as_a_run(
        whole in prop::collection::vec(0..2_i64, 0..10),
        part in prop::collection::vec(0..2_i64, 0..5),
    ) {
        let is_run = part.is_empty() || whole.windows(part.len()).any(|window| window == part);
        let answer = call("object.subset", &[integers(whole), integers(part)]);
        prop_assert_eq!(answer, Ok(Term::Boolean(is_run)));
    }
}

/// In square time each of these takes many seconds.
#[test]
fn large_arguments_take_no_square_time() {
    let numbered = |prefix: &str, suffix: &str| texts((0..20_000).map(|index| format!("{prefix}{index}{suffix}")));
    let no = Ok(Term::Boolean(false));
    let (one, other) = (numbered("a/", "/a"), numbered("b/", "/b"));
    assert_eq!(call("strings.any_prefix_match", &[one.clone(), other.clone()]), no);
    assert_eq!(call("strings.any_suffix_match", &[one, other]), no);
    let zeros = |count| std::iter::repeat_n(0, count);
    let part = integers(zeros(20_000).chain([1]));
    assert_eq!(call("object.subset", &[integers(zeros(40_000)), part]), no);
    let count = 1_000_000;
    let answer = call("sprintf", &[text(&"%[%".repeat(count)), Term::Array(Vec::new())]);
    assert!(answer == Ok(Term::String("%".repeat(count))));
}

#[test]
fn brackets_of_a_format_may_stay_open() {
    for (format, shown) in [("%[1]d %[1", "7 %!(NOVERB)"), ("%[1]d]%[1]d", "7]7"), ("[%[1]d", "[7")] {
        assert_eq!(
            call("sprintf", &[text(format), integers([7])]),
            Ok(text(shown)),
            "{format}"
        );
    }
}

#[test]
fn a_path_longer_than_any_document_is_deep_leads_nowhere() {
    let document = (0..256).fold(Term::Number(1_i64.into()), |inner, _| Term::Array(vec![inner]));
    let patch = |op: &str, path: Term| {
        let fields = [("op", text(op)), ("path", path), ("value", Term::Number(1_i64.into()))];
        let operation = fields.into_iter().map(|(name, value)| (text(name), value)).collect();
        call(
            "json.patch",
            &[document.clone(), Term::Array(vec![Term::Object(operation)])],
        )
    };
    for (length, leads) in [(256, true), (257, false), (4_000_000, false)] {
        let answer = patch("test", text(&"/0".repeat(length)));
        let wanted = leads.then(|| document.clone()).ok_or(Failure::Undefined);
        assert!(answer == wanted, "{length}");
    }
    assert!(patch("test", integers(vec![0; 256])).is_ok());
    for op in ["add", "remove", "replace", "test"] {
        assert!(patch(op, text(&"/0".repeat(257))) == Err(Failure::Undefined));
        assert!(patch(op, integers(vec![0; 100_000])) == Err(Failure::Undefined));
    }
}
