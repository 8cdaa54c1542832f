//! `docs/api.md` and `docs/conditions.md` say what the types and the vocabulary say. `UPDATE=1` rewrites them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test ends where its own preparation fails, and a JSON value answers null for what it has not"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use interlock_crds::condition::Type;
use interlock_crds::condition::reasons::{On, REASONS};
use serde_json::Value;

#[test]
fn the_api_page_is_what_the_types_say() {
    current("api.md", &api());
}

#[test]
fn the_page_of_conditions_is_what_the_vocabulary_says() {
    current("conditions.md", &conditions());
}

#[test]
fn every_reason_stands_once_is_camel_case_and_is_told() {
    let mut seen = BTreeSet::new();
    for reason in REASONS {
        let name = reason.name;
        assert!(seen.insert(name), "{name} stands twice");
        assert!(
            name.starts_with(|first: char| first.is_ascii_uppercase())
                && name.chars().all(|c| c.is_ascii_alphanumeric()),
            "{name} is not CamelCase"
        );
        assert!(
            !reason.on.is_empty() && !reason.meaning.is_empty(),
            "{name} is not told"
        );
        assert!(
            !reason.meaning.ends_with('.') && !reason.action.ends_with('.'),
            "{name}: no full stop"
        );
    }
}

fn current(page: &str, want: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, want).expect("the folder can be written");
    }
    let have = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        have == want,
        "docs/{page} is out of date: run UPDATE=1 cargo test --workspace --test docs"
    );
}

fn api() -> String {
    let mut page = "# The API\n\n\
        Made from the CustomResourceDefinitions, which also answer `kubectl explain KIND.FIELD`. All kinds are of \
        `interlock.dev/v1alpha1`. *Required* fields are marked so; the API server fills in defaults and refuses what \
        breaks a rule, with a message that says how to mend it.\n"
        .to_owned();
    for crd in interlock_crds::crds() {
        let names = &crd.spec.names;
        let version = crd.spec.versions.first().expect("a version");
        let scope = if crd.spec.scope == "Cluster" {
            "cluster-scoped"
        } else {
            "namespaced"
        };
        let schema = version
            .schema
            .as_ref()
            .and_then(|schema| schema.open_api_v3_schema.as_ref());
        let schema = serde_json::to_value(schema.expect("a schema")).expect("a schema is JSON");
        let short = names
            .short_names
            .iter()
            .flatten()
            .fold(String::new(), |all, name| all + ", `" + name + "`");
        write!(
            page,
            "\n## {}\n\n{} It is {scope}; `kubectl` knows it as `{}`{short}.\n",
            names.kind,
            text(&schema, "description"),
            names.plural
        )
        .expect("text grows");
        for part in ["spec", "status"] {
            let part_schema = &schema["properties"][part];
            if part_schema.is_null() {
                continue;
            }
            write!(
                page,
                "\n### {}.{part}\n\n| field | type | what it says |\n|---|---|---|\n",
                names.kind
            )
            .expect("text grows");
            let mut path = Vec::new();
            fields(&mut page, &mut path, part_schema);
        }
    }
    page
}

fn fields(page: &mut String, path: &mut Vec<String>, schema: &Value) {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        path.push(name.clone());
        let mut says = cell(&text(field, "description"));
        if !field["default"].is_null() {
            let _ = write!(
                says,
                " *Default:* `{}`.",
                field["default"].to_string().trim_matches('"')
            );
        }
        let bounds = bounds(field);
        if !bounds.is_empty() {
            let _ = write!(says, " *Bounds:* {}.", bounds.join(", "));
        }
        for rule in field["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let _ = write!(says, " *Rule:* {}.", cell(&text(rule, "message")));
        }
        let mark = if required.contains(&name.as_str()) {
            " *(required)*"
        } else {
            ""
        };
        let _ = writeln!(page, "| `{}`{mark} | {} | {says} |", path.join("."), kind(field));
        // What a condition is, every Kubernetes user knows.
        if name != "conditions" {
            fields(page, path, field);
            let last = path.len() - 1;
            if let Some(items) = field.get("items") {
                if let Some(last) = path.get_mut(last) {
                    last.push_str("[]");
                }
                fields(page, path, items);
            }
            if let Some(values) = field.get("additionalProperties") {
                path.push("*".to_owned());
                fields(page, path, values);
                path.pop();
            }
        }
        path.pop();
    }
}

fn kind(field: &Value) -> String {
    if let Some(choices) = field["enum"].as_array() {
        let choices: Vec<String> = choices
            .iter()
            .filter_map(Value::as_str)
            .map(|choice| format!("`{choice}`"))
            .collect();
        return choices.join(", ");
    }
    let of = |field: &Value| match (field["type"].as_str(), field["format"].as_str()) {
        (Some("string"), Some("date-time")) => "time".to_owned(),
        (Some(plain), _) => plain.to_owned(),
        (None, _) => "integer or string".to_owned(),
    };
    match field["type"].as_str() {
        Some("array") => format!("list of {}", of(&field["items"])),
        Some("object") if field.get("additionalProperties").is_some() => {
            format!("map of {}", of(&field["additionalProperties"]))
        }
        _ => of(field),
    }
}

fn bounds(field: &Value) -> Vec<String> {
    let words = [
        ("minimum", "at least"),
        ("maximum", "at most"),
        ("minLength", "characters: at least"),
        ("maxLength", "characters: at most"),
        ("minItems", "entries: at least"),
        ("maxItems", "entries: at most"),
    ];
    let number = |value: &Value| value.as_f64().map(|number| format!("{number}"));
    let mut bounds: Vec<String> = words
        .iter()
        .filter_map(|(key, words)| Some(format!("{words} {}", number(&field[*key])?)))
        .collect();
    if let Some(pattern) = field["pattern"].as_str() {
        bounds.push(format!("`{}`", cell(pattern)));
    }
    bounds
}

fn conditions() -> String {
    let mut page = "# Conditions and reasons\n\n\
        Every kind reports by conditions in Kubernetes' own shape, and they follow \
        [kstatus](https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus): wait for `Ready`, and look \
        whether `Stalled` is there. `status.observedGeneration` says which generation a status speaks of. A reason is \
        a stable word, made for machines; the message is made for people, and may change.\n\n\
        | condition | on | when it is True |\n|---|---|---|\n"
        .to_owned();
    for kind in Type::ALL {
        let (on, says) = kind.described();
        let _ = writeln!(page, "| `{}` | {on} | {says} |", kind.as_str());
    }
    page.push_str(
        "\n`Ready` of a Release by its verdict:\n\n\
        | verdict | `Ready` | beside it | Argo CD, Flux |\n|---|---|---|---|\n\
        | Allow | True | | Healthy, Current |\n\
        | Deny | False | `Stalled` | Degraded, Failed |\n\
        | Pending | False | `Reconciling` | Progressing, InProgress |\n\
        | Unknown | Unknown; False while no track can judge | `Reconciling`; `Stalled` while no track can judge | Progressing, InProgress; Degraded, Failed |\n",
    );
    for on in [
        On::TrustRoot,
        On::Signer,
        On::PolicyBundle,
        On::GovernanceTrack,
        On::Release,
    ] {
        write!(page, "\n## {}\n\n", on.as_str()).expect("text grows");
        table(&mut page, on);
        if on == On::Release {
            page.push_str(
                "\nWhere a gate is Unknown, its policy may give a reason of its own, which then stands here: look it up \
                 in the bundle's documentation.\n",
            );
        }
    }
    page.push_str("\n## The command line and the log\n\nThe same words, where they are met without a cluster; see also [errors](errors.md).\n\n");
    table(&mut page, On::CommandLine);
    page
}

fn table(page: &mut String, on: On) {
    page.push_str("| reason | what it means | what to do |\n|---|---|---|\n");
    for reason in REASONS.iter().filter(|reason| reason.on.contains(&on)) {
        let action = if reason.action.is_empty() {
            "nothing"
        } else {
            reason.action
        };
        let _ = writeln!(page, "| `{}` | {} | {action} |", reason.name, reason.meaning);
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

/// Fit for a table's cell.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}
