//! The baseline's decision on any input is OPA's, but for values that messages show. Inputs that are JSON stay JSON
//! when they are changed.
#![no_main]

use std::cell::RefCell;
use std::sync::LazyLock;
use std::time::Duration;

use interlock_bundles::engine::{Engine, EvaluateError, Limits, Policy};
use interlock_fuzz::oracle::Oracle;
use interlock_fuzz::{json, open, repository};
use jiff::Timestamp;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use serde_json::Value;

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let layer = std::fs::read(repository("bundles/dist/baseline.tar.gz")).expect("a bundle");
    let limits = Limits {
        deadline: Duration::from_secs(10),
        ..Limits::default()
    };
    let engine = Engine::new().expect("an engine");
    engine
        .compile(&open(&layer).expect("a bundle"), limits)
        .expect("a policy")
});

thread_local! {
    static ORACLE: RefCell<Oracle> = RefCell::new(Oracle::start("baseline"));
}

fuzz_target!(|input: &[u8]| {
    let by_engine = POLICY.evaluate_bytes("interlock/baseline/decision", Some(input), Timestamp::UNIX_EPOCH);
    let by_engine = match by_engine {
        // OPA reads more than the engine takes, which is strict on purpose.
        Err(EvaluateError::MalformedInput { .. } | EvaluateError::InputTooDeep { .. }) => return,
        other => other,
    };
    let text = std::str::from_utf8(input).expect("strict JSON is UTF-8");
    let by_opa = ORACLE.with_borrow_mut(|oracle| oracle.decide(text));
    match (by_engine, by_opa) {
        (Ok(ours), Ok(opas)) => {
            let opas = opas.map_or_else(|| "[]".to_owned(), |value| format!("[{{\"result\":{value}}}]"));
            let ours = String::from_utf8_lossy(&ours);
            assert!(
                ours == opas || same_but_for_values_in_texts(&ours, &opas),
                "the engine says\n{ours}\nOPA says\n{opas}"
            );
        }
        (Err(_), Err(_)) => {}
        (ours, opas) => panic!("the engine says {ours:?}, OPA says {opas:?}"),
    }
});

/// OPA's modules write a value inside a text otherwise than OPA itself: objects in the order of their hashes, letters
/// with other escapes. So texts are compared up to where one may begin, and lists without their order.
fn same_but_for_values_in_texts(ours: &str, opas: &str) -> bool {
    let read = |text: &str| serde_json::from_str(text).ok().map(cut);
    read(ours).is_some_and(|ours| Some(ours) == read(opas))
}

fn cut(value: Value) -> Value {
    match value {
        Value::String(text) => text.split(['{', '[', '"']).next().unwrap_or_default().into(),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(cut).collect();
            items.sort_by_key(Value::to_string);
            items.into()
        }
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, cut(value))).collect(),
        other => other,
    }
}

fuzz_mutator!(|bytes: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let document = serde_json::from_slice::<Value>(&bytes[..size]);
    if let Ok(document) = document
        && seed % 8 != 0
    {
        let changed = json::change(&document, seed).into_bytes();
        if changed.len() <= max_size {
            bytes[..changed.len()].copy_from_slice(&changed);
            return changed.len();
        }
    }
    fuzzer_mutate(bytes, size, max_size)
});
