//! What a decision leaves behind for the next one, and what getting ready does: nothing that can be seen.

use serde_json::json;

use super::{Ready, limits, reason};
use crate::archive::Bundle;
use crate::engine::examine::Source;
use crate::engine::{Engine, snapshot};
use crate::trust::BuiltIn;

impl Ready {
    fn of_bundle(engine: &Engine, bundle: &Bundle, warm: bool) -> Self {
        let source = Source::of(bundle);
        let parts = snapshot::Parts {
            wasm: bundle.wasm(),
            data: &source.data,
            golden: &source.golden,
            limits: limits(),
            warm,
        };
        Self::new(engine, &parts)
    }
}

fn bundles() -> Vec<Bundle> {
    [
        include_bytes!("../../../dist/baseline.tar.gz").as_slice(),
        include_bytes!("../../../dist/model.tar.gz"),
        include_bytes!("../../../testdata/policies/plain.tar.gz"),
        include_bytes!("../../../testdata/policies/careful.tar.gz"),
        include_bytes!("../../../testdata/policies/eager.tar.gz"),
    ]
    .into_iter()
    .map(|layer| BuiltIn::include(layer).open().unwrap())
    .collect()
}

#[test]
fn nothing_of_an_input_is_left_for_the_next_decision() {
    // Its first byte is rare, which makes it fast to look for.
    const SECRET: &str = "\u{10ffff}correct horse battery staple";
    let holds = |memory: &[u8]| {
        let starts = memory
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == SECRET.as_bytes()[0]);
        starts
            .into_iter()
            .any(|(at, _)| memory[at..].starts_with(SECRET.as_bytes()))
    };
    let engine = Engine::new().unwrap();
    for bundle in bundles() {
        let ready = Ready::of_bundle(&engine, &bundle, true);
        let container =
            json!({"name": SECRET, "image": SECRET, "env": vec![json!({"name": SECRET, "value": SECRET}); 500]});
        let pod = json!({"spec": {"containers": vec![container; 20]}});
        let input = json!({"object": {}, "subject": {"kind": SECRET, SECRET: SECRET}, "pods": [pod]}).to_string();
        let mut size = 0;
        // Several at a time, so that the next ones find all of their places used.
        let mut deciding: Vec<_> = (0..4).map(|_| ready.start()).collect();
        for sandbox in &mut deciding {
            let _ = ready.decide(sandbox, input.as_bytes());
            assert!(holds(sandbox.memory()));
            size = size.max(sandbox.memory().len());
        }
        drop(deciding);
        let mut after: Vec<_> = (0..6).map(|_| ready.start()).collect();
        for sandbox in &mut after {
            assert!(!holds(sandbox.memory()), "{:?}", bundle.name());
            // What it asks for, it gets empty.
            let memory = sandbox.instance.get_memory(&mut sandbox.store, "memory").unwrap();
            let had = sandbox.memory().len();
            memory.grow(&mut sandbox.store, (size / 65536) as u64).unwrap();
            assert!(
                sandbox.memory()[had..].iter().all(|byte| *byte == 0),
                "{:?}",
                bundle.name()
            );
        }
    }
}

#[test]
fn what_was_evaluated_before_the_snapshot_changes_no_answer() {
    let engine = Engine::new().unwrap();
    for bundle in bundles() {
        let [warm, cold] = [true, false].map(|warm| Ready::of_bundle(&engine, &bundle, warm));
        let golden = Source::of(&bundle).golden;
        let goldens = golden
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, golden)| golden["input"].to_string());
        let others = [
            "{}",
            "[]",
            "null",
            r#"{"object": {"kind": "Deployment"}, "subject": {"spec": []}}"#,
        ];
        for input in goldens.chain(others.map(str::to_owned)) {
            let [warm, cold] = [&warm, &cold].map(|ready| ready.decide(&mut ready.start(), input.as_bytes()));
            match (warm, cold) {
                (Ok(warm), Ok(cold)) => assert_eq!(warm, cold, "{input}"),
                (warm, cold) => assert_eq!(reason(&warm), reason(&cold), "{input}"),
            }
        }
    }
}
