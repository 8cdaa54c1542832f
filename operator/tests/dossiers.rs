//! The dossier as policy authors meet it: its published JSON Schema is what the types say, and the dossiers that the
//! policies are tested with are what the library builds. `UPDATE=1` rewrites both.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its own preparation fails"
)]

use std::path::{Path, PathBuf};

use interlock::dossier::{Dossier, Related, SCHEMA, Source, SubjectFact, Unavailable};
use interlock::dossier::{NamespaceFact, Pod};
use serde_json::{Map, Value, json};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn updating() -> bool {
    std::env::var_os("UPDATE").is_some()
}

fn pretty(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).expect("JSON"))
}

/// The schema of the dossier with what stands beside it in the input of a policy.
fn schema() -> Value {
    let mut schema = serde_json::to_value(schemars::schema_for!(Dossier)).expect("JSON");
    schema["title"] = json!("The input of Interlock's policies");
    let properties = schema["properties"].as_object_mut().expect("properties");
    properties["schema"] = json!({"const": SCHEMA, "description": "Names this schema."});
    for (name, description, kind) in [
        (
            "now",
            "The time of the judgement, RFC 3339.",
            json!({"type": "string", "format": "date-time"}),
        ),
        (
            "track",
            "The track that governs the workload; empty where none was given.",
            json!({"type": "string"}),
        ),
        (
            "parameters",
            "The track's parameters for the bundle.",
            json!({"type": "object"}),
        ),
    ] {
        let mut property = kind;
        property["description"] = json!(description);
        properties.insert(name.to_owned(), property);
    }
    let required = schema["required"].as_array_mut().expect("required fields");
    required.extend([json!("now"), json!("track"), json!("parameters")]);
    schema
}

#[test]
fn the_published_schema_is_what_the_types_say() {
    let file = repository("docs/dossier.schema.json");
    let want = pretty(&schema());
    if updating() {
        std::fs::create_dir_all(repository("docs")).expect("a folder");
        std::fs::write(&file, &want).expect("the file can be written");
    }
    let have = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        have == want,
        "docs/dossier.schema.json is out of date: run UPDATE=1 cargo test --test dossiers"
    );
}

/// Dossiers that are wrong on purpose: the policies must bear them, the library never builds them.
const WRONG: [&str; 2] = ["dossier-wrong.json", "types-wrong.json"];

/// Every file of the bundles' goldens and cases.
fn examples() -> Vec<(PathBuf, Value)> {
    let mut found = Vec::new();
    let bundles = ["policies/baseline", "policies/model"];
    for folder in bundles
        .iter()
        .flat_map(|bundle| ["golden", "cases"].map(|kind| format!("{bundle}/{kind}")))
    {
        for entry in std::fs::read_dir(repository(&folder)).expect("a folder") {
            let path = entry.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("text");
            found.push((path, serde_json::from_str(&text).expect("JSON")));
        }
    }
    assert!(found.len() > 25, "{} examples", found.len());
    found
}

/// What the library makes of the object that an example is about.
fn built(object: &Value) -> Dossier {
    let related = |_: &SubjectFact, _: &[Pod]| Related::unavailable(&Unavailable::needs_cluster("they"));
    Dossier::build(object, Source::Complete(NamespaceFact::default()), related).expect("an object")
}

/// A list of images or models without what is known of their signatures, which no object says.
fn unsigned(list: &Value) -> Value {
    let mut list = list.clone();
    for one in list.as_array_mut().into_iter().flatten() {
        one.as_object_mut().expect("an object").remove("signature");
    }
    list
}

/// The list with the signatures that an older one has at the same places.
fn signed_as(list: &Value, older: Option<&Value>) -> Value {
    let mut list = list.clone();
    for one in list.as_array_mut().into_iter().flatten() {
        let mut older = older.and_then(Value::as_array).into_iter().flatten();
        let same = older.find(|older| older["path"] == one["path"]);
        if let Some(signature) = same.and_then(|same| same.get("signature")) {
            one["signature"] = signature.clone();
        }
    }
    list
}

#[test]
fn policies_are_tested_with_dossiers_as_the_library_builds_them() {
    for (path, mut example) in examples() {
        let name = path.display().to_string();
        if WRONG.iter().any(|wrong| name.ends_with(wrong)) {
            continue;
        }
        let want = built(&example["input"]["object"]);
        let found = [
            ("pods", json!(want.pods)),
            ("images", json!(want.images)),
            ("models", json!(want.models)),
        ];
        let input = example["input"].as_object_mut().expect("an object");
        let has = |input: &Map<String, Value>, field: &str| unsigned(input.get(field).unwrap_or(&json!([])));
        if updating() && found.iter().any(|(field, list)| has(input, field) != *list) {
            for (field, list) in &found {
                let list = signed_as(list, input.get(*field));
                // What is empty is left out where the dossier leaves it out.
                if *field == "models" && list == json!([]) {
                    input.remove(*field);
                } else {
                    input.insert((*field).to_owned(), list);
                }
            }
            std::fs::write(&path, pretty(&example)).expect("the file can be written");
        }
        let input = example["input"].as_object().expect("an object");
        for (field, list) in &found {
            assert_eq!(has(input, field), *list, "{name}: {field}");
        }
        assert_eq!(
            input["object"], want.object,
            "{name}: the object holds what a dossier leaves out"
        );
        // Read and written again nothing is lost, nothing added: no field is unknown or missing.
        let beside: Map<String, Value> = ["now", "track", "parameters"]
            .into_iter()
            .map(|field| {
                (
                    field.to_owned(),
                    input
                        .get(field)
                        .unwrap_or_else(|| panic!("{name} has no {field}"))
                        .clone(),
                )
            })
            .collect();
        let mut again: Value = match serde_json::from_value::<Dossier>(Value::Object(input.clone())) {
            Ok(dossier) => json!(dossier),
            Err(error) => panic!("{name}: {error}"),
        };
        again.as_object_mut().expect("an object").extend(beside);
        assert_eq!(again, example["input"], "{name}");
    }
}
