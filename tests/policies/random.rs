//! Dossiers that nobody would write: random changes to the goldens. The engine bears them all, and says what OPA says.

use anyhow::Result;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::sources::{BUNDLES, engine_says, examples, opa_says, policy};

/// Dossiers compared, by bundle.
const COUNT: usize = 300;

/// A value that stands where another should.
fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..70_000).prop_map(Value::from),
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
        Just(json!({"name": "x", "value": "hunter2"})),
        Just(json!({"privileged": true, "runAsUser": 0})),
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

/// A golden or a case with one to five changes.
fn dossier(examples: Vec<Value>) -> impl Strategy<Value = Value> {
    (prop::sample::select(examples), prop::collection::vec(change(), 1..6)).prop_map(|(mut input, changes)| {
        for (walk, new) in changes {
            apply(&mut input, &walk, new.as_ref());
        }
        input
    })
}

#[tokio::test]
async fn the_engine_says_what_opa_says_of_random_dossiers() -> Result<()> {
    for (bundle, _) in BUNDLES {
        compare(bundle).await?;
    }
    Ok(())
}

async fn compare(bundle: &str) -> Result<()> {
    let examples: Vec<Value> = examples(bundle)?.into_iter().map(|(_, input)| input).collect();
    // One OPA process judges them all, so they are drawn beforehand; a failure prints its dossier.
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let strategy = dossier(examples.clone());
    let mut inputs = Vec::new();
    while inputs.len() < COUNT {
        let input = strategy.new_tree(&mut runner).map_err(anyhow::Error::msg)?.current();
        if !examples.contains(&input) && !inputs.contains(&input) {
            inputs.push(input);
        }
    }
    let by_opa = opa_says(bundle, &inputs).await?;
    let policy = policy(bundle)?;
    let gates = policy.catalogue().map_or(0, |catalogue| catalogue.gates.len());
    for (input, by_opa) in inputs.iter().zip(by_opa) {
        let by_engine = engine_says(&policy, input).unwrap_or_else(|error| panic!("{error:#} on {input}"));
        assert_eq!(by_engine, by_opa, "{bundle} on {input}");
        let said: std::collections::BTreeSet<_> = by_opa
            .objections
            .keys()
            .map(|(gate, _)| gate)
            .chain(&by_opa.passed)
            .collect();
        assert!(said.len() <= gates, "{said:?}");
    }
    Ok(())
}
