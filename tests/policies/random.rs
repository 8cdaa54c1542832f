//! Documents that nobody would write: random changes to the goldens, and random JSON. The engine bears them all, and says
//! what OPA says, to the byte.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use interlock_bundles::engine::Policy;
use interlock_tests::oracle::Oracle;
use interlock_tests::said::Said;
use interlock_tests::tools::repository_root;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::sources::{engine_says, examples, policy};

/// Documents compared, for both bundles together, where `INTERLOCK_PROPERTY_CASES` says nothing else.
const COUNT: u32 = 10_000;

/// Numbers that no machine word holds, or not with all of their digits. A document has them as text with this mark in
/// front, until it is written. None equals another number with other digits: for 1.0, OPA in Go may take from a cache what
/// a function said for 1.
const NUMBERS: [&str; 5] = [
    "1e400",
    "2.50",
    "0.1000000000000000000000000000000001",
    "18446744073709551616",
    "-123456789012345678901234567890",
];
const MARK: &str = "number ";

/// Text inside arrays and objects. A module that puts one of those into a message, `$"{array}"`, escapes in it what JSON
/// must escape; OPA in Go escapes more, such as characters that its Unicode tables do not call printable.
const PLAIN: &str = "[ -~éß漢😀]{0,8}";

/// A value that stands where another should. No object has two members: in a message they come in the order of a hash
/// table, whatever host the module runs in, and in Go sorted.
fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..70_000).prop_map(Value::from),
        prop::sample::select(&NUMBERS[..]).prop_map(|number| Value::from(format!("{MARK}{number}"))),
        "\\PC{0,12}".prop_map(Value::from),
        anything(),
        prop::sample::select(vec![
            "",
            "0",
            "-1",
            "1.5Gi",
            "default",
            "root",
            "true",
            "a b",
            "é\u{1f600}",
            "${X}",
            "\"\\\n",
            "<&>",
            "sk-aaaaaaaaaaaaaaaaaaaaaaaa",
            "postgres://u:p@h/d",
            "nginx",
            "nginx@sha256:00",
            "*",
            "cluster-admin",
            "Unconfined",
            "spec.template",
            "unavailable",
            "verified",
            "rejected",
            "notRequired",
            "Pinned",
            "Mutable",
            "False",
            "hf://a/b",
        ])
        .prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{}])),
        Just(json!(["ALL", 1, null])),
        Just(json!({"value": "hunter2"})),
        Just(json!({"privileged": true})),
        Just(json!({"runAsUser": 0})),
        Just(json!({"state": "rejected"})),
    ]
}

/// One change: where (a walk of choices) and what (a value, or none: the place is removed).
fn change() -> impl Strategy<Value = (Vec<prop::sample::Index>, Option<Value>)> {
    (
        prop::collection::vec(any::<prop::sample::Index>(), 1..9),
        prop::option::weighted(0.8, odd()),
    )
}

/// Follows the walk as far as it goes, and changes what is there.
fn apply(value: &mut Value, walk: &[prop::sample::Index], new: Option<&Value>) {
    let Some((step, rest)) = walk.split_first() else { return };
    match value {
        Value::Object(map) if !map.is_empty() => {
            let key = map.keys().nth(step.index(map.len())).cloned().unwrap_or_default();
            let child = map
                .get_mut(&key)
                .filter(|child| !rest.is_empty() && is_container(child));
            match (child, new) {
                (Some(child), _) => apply(child, rest, new),
                (None, Some(new)) => drop(map.insert(key, new.clone())),
                (None, None) => drop(map.remove(&key)),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = step.index(items.len());
            let child = items
                .get_mut(at)
                .filter(|child| !rest.is_empty() && is_container(child));
            match (child, new) {
                (Some(child), _) => apply(child, rest, new),
                (None, Some(new)) => items[at] = new.clone(),
                (None, None) => drop(items.remove(at)),
            }
        }
        other => *other = new.cloned().unwrap_or_default(),
    }
}

fn is_container(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// Any small JSON value, with names that policies look for among its keys, and no object with two members either.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6).prop_map(Value::from),
        prop::sample::select(&NUMBERS[..]).prop_map(|number| Value::from(format!("{MARK}{number}"))),
        PLAIN.prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "subject",
            "pods",
            "parameters",
            "name",
            "spec",
            "containers",
            "state",
            "models"
        ])
        .prop_map(str::to_owned),
        PLAIN.prop_map(String::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..2)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A golden or a case with one to five changes, or now and then something else altogether.
fn document(examples: Vec<Value>) -> impl Strategy<Value = Value> {
    let changes = prop::collection::vec(change(), 1..6);
    let mutated = (prop::sample::select(examples), changes).prop_map(|(mut input, changes)| {
        // The values come in last, so that none is changed by a later change.
        for (at, (walk, new)) in changes.iter().enumerate() {
            apply(&mut input, walk, new.as_ref().map(|_| slot(at)).as_ref());
        }
        let values: Vec<_> = changes.into_iter().map(|(_, new)| new.unwrap_or_default()).collect();
        fill(&mut input, &values);
        input
    });
    prop_oneof![9 => mutated, 1 => anything()]
}

fn slot(at: usize) -> Value {
    Value::from(format!("slot {at}"))
}

/// Puts the values where their slots are.
fn fill(document: &mut Value, values: &[Value]) {
    match document {
        Value::Object(fields) => fields.values_mut().for_each(|field| fill(field, values)),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, values)),
        other => {
            if let Some(at) = (0..values.len()).find(|at| *other == slot(*at)) {
                *other = values[at].clone();
            }
        }
    }
}

/// The document as it is sent: with the numbers that it stands for.
fn text(document: &Value) -> String {
    NUMBERS.iter().fold(document.to_string(), |text, number| {
        text.replace(&format!("\"{MARK}{number}\""), number)
    })
}

#[test]
fn the_engine_says_what_opa_says_of_random_documents_for_the_baseline() -> Result<()> {
    compare("baseline")
}

#[test]
fn the_engine_says_what_opa_says_of_random_documents_for_models() -> Result<()> {
    compare("model")
}

fn compare(bundle: &str) -> Result<()> {
    let count = match std::env::var("INTERLOCK_PROPERTY_CASES") {
        Ok(count) => count.parse().context("INTERLOCK_PROPERTY_CASES is a number")?,
        Err(_) => COUNT,
    };
    let config = Config {
        cases: count.div_ceil(2),
        failure_persistence: None,
        ..Config::default()
    };
    let asked = Asked::new(bundle)?;
    let examples = examples(bundle)?.into_iter().map(|(_, input)| input).collect();
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let compared = runner.run(&document(examples), |document| {
        asked
            .same(&document)
            .map_err(|error| TestCaseError::fail(format!("{error:#}\n{}", text(&document))))
    });
    compared.map_err(|error| anyhow::anyhow!("{bundle}: {error}"))
}

/// A bundle, to be asked in the engine and in OPA.
struct Asked {
    bundle: String,
    policy: Policy,
    gates: usize,
    oracle: RefCell<Oracle>,
}

impl Asked {
    /// The built bundle, and its sources without their tests.
    fn new(bundle: &str) -> Result<Self> {
        let mut modules = BTreeMap::new();
        for folder in ["lib", bundle] {
            for entry in std::fs::read_dir(repository_root().join("policies").join(folder))? {
                let path = entry?.path();
                let name = path.display().to_string();
                if path.extension().is_some_and(|extension| extension == "rego") && !name.ends_with("_test.rego") {
                    modules.insert(name, std::fs::read_to_string(&path)?);
                }
            }
        }
        let mut oracle = Oracle::start()?;
        oracle.load(bundle, &modules, "{}")?;
        let policy = policy(bundle)?;
        Ok(Self {
            bundle: bundle.to_owned(),
            gates: policy.catalogue().map_or(0, |catalogue| catalogue.gates.len()),
            policy,
            oracle: RefCell::new(oracle),
        })
    }

    /// An error that shows both answers if they differ.
    fn same(&self, document: &Value) -> Result<()> {
        let now: Timestamp = document["now"]
            .as_str()
            .and_then(|now| now.parse().ok())
            .unwrap_or_default();
        let (text, query) = (text(document), format!("data.interlock.{}.decision", self.bundle));
        let by_opa = self
            .oracle
            .borrow_mut()
            .evaluate(&self.bundle, &query, Some(&text), now)?;
        let by_opa = by_opa
            .map_err(anyhow::Error::msg)?
            .context("a decision is never undefined")?;
        let entrypoint = format!("interlock/{}/decision", self.bundle);
        let by_engine = self.policy.evaluate_bytes(&entrypoint, Some(text.as_bytes()), now)?;
        let by_engine = String::from_utf8(by_engine)?;
        ensure!(
            by_engine == format!("[{{\"result\":{by_opa}}}]"),
            "OPA says\n{by_opa}\nthe engine says\n{by_engine}\nof"
        );
        self.same_when_read(document, &serde_json::from_str(&by_opa)?)
    }

    /// Read by the contract, too, it is the same, and no gate speaks that is not in the catalogue.
    fn same_when_read(&self, document: &Value, decision: &Value) -> Result<()> {
        let written = document.to_string();
        if text(document) != written {
            return Ok(()); // such numbers are for bytes only
        }
        let (by_engine, by_opa) = (engine_says(&self.policy, document)?, Said::by_opa(decision)?);
        ensure!(
            by_engine == by_opa,
            "OPA says {by_opa:?}, the engine says {by_engine:?} of"
        );
        let gates: BTreeSet<_> = by_opa
            .objections
            .keys()
            .map(|(gate, _)| gate)
            .chain(&by_opa.passed)
            .collect();
        ensure!(gates.len() <= self.gates, "{gates:?} are more gates than there are, of");
        Ok(())
    }
}
