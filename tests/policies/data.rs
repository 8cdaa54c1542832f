//! Numbers say in the sandbox what they say in OPA: those of a bundle's data have the digits they are written with, in
//! whichever file they stand, and those of its policies are written as Rego allows.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use interlock_bundles::engine::{Engine, Limits};
use interlock_bundles::trust::LocalFile;
use interlock_tests::opa::build_files;
use interlock_tests::oracle::Oracle;
use interlock_tests::scratch::{scratch, write};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Looks at every number: as it is printed, and how it compares with the input.
const MODULE: &str = "package p

decision := {
	\"equal\": {i | some i, x in data.n.numbers; x == input.x},
	\"less\": {i | some i, x in data.n.numbers; x < input.x},
	\"listed\": input.x in data.n.numbers,
	\"shown\": [data.n, data.z],
	\"text\": [sprintf(\"%v\", [x]) | some x in data.n.numbers],
}
";

/// Numbers that OPA in Go tells apart as its modules do: it compares with a precision of 64 bits.
const NUMBERS: [&str; 18] = [
    "0",
    "-0",
    "7",
    "-1",
    "2.50",
    "0.1000",
    "1e2",
    "1E+2",
    "100.0",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "12345678901234567890123",
    "-123456789012345678901234567890",
    "0.1000000000000000000000000000000001",
    "1.5e-300",
];

/// The numbers above, and some that nobody chose, each of another value.
fn numbers() -> Vec<String> {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let random = "-?[1-9][0-9]{0,30}(\\.[0-9]{1,12})?([eE][+-]?[1-9])?";
    let random = proptest::string::string_regex(random).expect("an expression");
    let random = (0..200).map(|_| random.new_tree(&mut runner).expect("a text").current());
    let mut values = BTreeSet::new();
    let mut all: Vec<_> = NUMBERS.iter().map(|number| (*number).to_owned()).collect();
    all.extend(random.filter(|text| {
        let value: f64 = text.parse().expect("a number");
        values.insert(value.to_bits())
    }));
    all
}

#[tokio::test]
async fn the_engine_says_what_opa_says_of_numbers_in_data() -> Result<()> {
    let folder = scratch("data")?;
    let numbers = numbers();
    let list = format!("[{}]", numbers.join(",\n"));
    let files = [
        ("policy.rego", MODULE),
        ("data.json", r#"{"n": {"one": 1.0}, "z": {"a": [1e2, {"b": -0.0}]}}"#),
        ("n/numbers/data.json", &list),
    ];
    let bundle = build_files(&files, &["p/decision"]).await?;
    let file = write(folder.path(), "bundle.tar.gz", bundle)?;
    let policy = Engine::new()?.compile(&LocalFile::read(&file)?.open()?, Limits::default())?;

    let mut oracle = Oracle::start()?;
    let modules = BTreeMap::from([("policy.rego".to_owned(), MODULE.to_owned())]);
    let data = format!(r#"{{"n": {{"one": 1.0, "numbers": {list}}}, "z": {{"a": [1e2, {{"b": -0.0}}]}}}}"#);
    oracle.load("data", &modules, &data)?;
    let now = Timestamp::UNIX_EPOCH;
    for number in &numbers {
        let input = format!("{{\"x\": {number}}}");
        let by_opa = oracle.evaluate("data", "data.p.decision", Some(&input), now)?;
        let by_opa = by_opa.map_err(anyhow::Error::msg)?.context("it is defined")?;
        let by_engine = policy.evaluate_bytes("p/decision", Some(input.as_bytes()), now)?;
        let by_engine = String::from_utf8(by_engine)?;
        ensure!(
            by_engine == format!("[{{\"result\":{by_opa}}}]"),
            "OPA says\n{by_opa}\nthe engine says\n{by_engine}\nof {input}"
        );
    }
    Ok(())
}

/// Numbers without a digit before the point, which Rego has and JSON has not.
const POINTS: &str = "package p

decision := {
	\"equal\": .5 == 0.5,
	\"sum\": .5 + input.x,
	\"count\": count({.5, 0.5, -.25}),
	\"found\": object.get({.5: \"here\"}, 0.5, \"gone\"),
	\"text\": sprintf(\"%v %.2f %f\", [.5, -.25, .0]),
	\"marshalled\": [text | text := json.marshal_with_options({\"a\": .5}, {})],
	\"yaml\": [text | text := yaml.marshal([.5])],
	\"rendered\": [text | text := strings.render_template(\"{{.x}}\", {\"x\": .5})],
	\"signed\": [text | text := io.jwt.encode_sign({\"alg\": \"HS256\", \"typ\": \"x\"}, {\"x\": .5}, {\"kty\": \"oct\", \"k\": \"a2V5\"})],
	\"matched\": [found | found := json.match_schema({\"x\": .5}, {})],
	\"verified\": [found[0] | found := json.verify_schema({\"minimum\": .5})],
}

alone := [.5]
";

#[tokio::test]
async fn a_number_needs_no_digit_before_its_point_but_in_a_result() -> Result<()> {
    let folder = scratch("points")?;
    let bundle = build_files(&[("policy.rego", POINTS)], &["p/decision", "p/alone"]).await?;
    let file = write(folder.path(), "bundle.tar.gz", bundle)?;
    let policy = Engine::new()?.compile(&LocalFile::read(&file)?.open()?, Limits::default())?;
    let mut oracle = Oracle::start()?;
    let modules = BTreeMap::from([("policy.rego".to_owned(), POINTS.to_owned())]);
    oracle.load("points", &modules, "{}")?;
    let (now, input) = (Timestamp::UNIX_EPOCH, r#"{"x": 2.5}"#);
    let by_opa = oracle.evaluate("points", "data.p.decision", Some(input), now)?;
    let by_opa = by_opa.map_err(anyhow::Error::msg)?.context("it is defined")?;
    let by_engine = policy.evaluate_bytes("p/decision", Some(input.as_bytes()), now)?;
    assert_eq!(String::from_utf8(by_engine)?, format!("[{{\"result\":{by_opa}}}]"));

    // OPA finds out only when it writes the result.
    let by_opa = oracle.evaluate("points", "data.p.alone", Some(input), now);
    let why = by_opa.and_then(|said| said.map_err(anyhow::Error::msg)).unwrap_err();
    assert!(why.to_string().contains("invalid number literal"), "{why}");
    let by_engine = policy.evaluate_bytes("p/alone", Some(input.as_bytes()), now);
    assert_eq!(by_engine.unwrap_err().reason(), "MalformedResult");
    Ok(())
}
