//! The dossier as policy authors meet it: its published JSON Schema is what the types say, and the dossiers that the
//! policies are tested with are what the library builds. `UPDATE=1` rewrites both.

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

/// Every file of the baseline's goldens and cases.
fn examples() -> Vec<(PathBuf, Value)> {
    let mut found = Vec::new();
    for folder in ["policies/baseline/golden", "policies/baseline/cases"] {
        for entry in std::fs::read_dir(repository(folder)).expect("a folder") {
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

#[test]
fn policies_are_tested_with_dossiers_as_the_library_builds_them() {
    for (path, mut example) in examples() {
        let name = path.display().to_string();
        if WRONG.iter().any(|wrong| name.ends_with(wrong)) {
            continue;
        }
        let want = built(&example["input"]["object"]);
        let input = example["input"].as_object_mut().expect("an object");
        if updating() && (input["pods"] != json!(want.pods) || input["images"] != json!(want.images)) {
            input.insert("pods".to_owned(), json!(want.pods));
            input.insert("images".to_owned(), json!(want.images));
            std::fs::write(&path, pretty(&example)).expect("the file can be written");
        }
        let input = example["input"].as_object().expect("an object");
        assert_eq!(input["pods"], json!(want.pods), "{name}");
        assert_eq!(input["images"], json!(want.images), "{name}");
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
        let mut again: Value = serde_json::from_value::<Dossier>(Value::Object(input.clone()))
            .map(|dossier| json!(dossier))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        again.as_object_mut().expect("an object").extend(beside);
        assert_eq!(again, example["input"], "{name}");
    }
}
