//! The data of a bundle says in the sandbox what it says in OPA: every number has the digits it is written with, in
//! whichever file it stands.

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
