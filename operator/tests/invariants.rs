//! The boundaries that the design draws, read from the sources and from cargo: who may know of whom, which modules are
//! pure, and who may trust a bundle without a signature.

#![allow(clippy::expect_used, reason = "a test ends where its own preparation fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the repository")
}

/// Every Rust file under `folder`, by its path from the root of the repository, without comments and without the
/// tests at its end.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).expect("inside").display().to_string();
                found.push((name, code(&std::fs::read_to_string(&path).expect("text"))));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds no sources");
    found.sort();
    found
}

fn code(text: &str) -> String {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]");
    lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |code, line| code + line + "\n")
}

/// The files of `folder` whose code has one of `words` and whose path starts with none of `allowed`.
fn strangers(folder: &str, words: &[&str], allowed: &[&str]) -> Vec<String> {
    let files = sources(folder).into_iter();
    let files = files.filter(|(name, _)| !allowed.iter().any(|allowed| name.starts_with(allowed)));
    files
        .filter(|(_, code)| words.iter().any(|word| code.contains(word)))
        .map(|(name, _)| name)
        .collect()
}

const NONE: Vec<String> = Vec::new();

/// Names of all crates that `package` is built from, however far down.
fn crates(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--package",
            package,
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn bundles_know_nothing_of_kubernetes() {
    let crates = crates("interlock-bundles");
    assert!(
        crates.contains("wasmtime"),
        "cargo tree lists what it should: {crates:?}"
    );
    let kubernetes = |name: &&String| name.starts_with("kube") || *name == "k8s-openapi" || *name == "interlock-crds";
    assert_eq!(crates.iter().find(kubernetes), None);
}

#[test]
fn the_api_knows_nothing_of_bundles_and_runs_nothing() {
    let crates = crates("interlock-crds");
    assert!(
        crates.contains("kube-core"),
        "cargo tree lists what it should: {crates:?}"
    );
    for stranger in [
        "interlock-bundles",
        "interlock",
        "tokio",
        "kube-client",
        "kube-runtime",
        "wasmtime",
    ] {
        assert!(!crates.contains(stranger), "interlock-crds is built from {stranger}");
    }
}

#[test]
fn only_the_operator_speaks_to_the_api_server() {
    let allowed = [
        "operator/src/operator",
        "operator/src/cli/operate.rs",
        "operator/src/cli/crds.rs",
    ];
    let words = [
        "kube::Client",
        "Client::",
        "kube::{Api",
        "Api<",
        "Api::",
        "kube::runtime",
        "kube::client",
    ];
    assert_eq!(strangers("operator/src", &words, &allowed), NONE);
    let speaking = sources("operator/src/operator")
        .iter()
        .filter(|(_, code)| code.contains("Api::"))
        .count();
    assert!(
        speaking > 3,
        "the words that are looked for occur where they may: {speaking}"
    );
}

/// Modules between observing and applying, with everything in their folders.
const PURE: [&str; 9] = [
    "artifacts",
    "assign",
    "conditions",
    "decide",
    "dossier",
    "drift",
    "judge",
    "subject",
    "verdict",
];

#[test]
fn pure_modules_have_no_client_no_clock_and_no_async() {
    let is_pure = |name: &str| {
        let own = name.strip_prefix("operator/src/").unwrap_or_default();
        PURE.iter()
            .any(|module| own == format!("{module}.rs") || own.starts_with(&format!("{module}/")))
    };
    let all = sources("operator/src");
    let pure: Vec<_> = all.iter().filter(|(name, _)| is_pure(name)).collect();
    assert!(pure.len() > PURE.len(), "folders count as well: {}", pure.len());
    let words = [
        "async ",
        ".await",
        "::now(",
        "SystemTime",
        "kube::Client",
        "Api<",
        "tokio",
        "reqwest",
        "std::fs",
        "std::env",
        "std::net",
        "tracing::",
        "rand::",
        "crate::operator",
        "crate::cli",
    ];
    for (name, code) in pure {
        for word in words {
            assert!(!code.contains(word), "{name} is pure and must not have {word:?}");
        }
    }
}

#[test]
fn only_the_command_line_trusts_what_nobody_signed() {
    assert_eq!(
        strangers("operator/src", &["LocalFile", "BuiltIn"], &["operator/src/cli"]),
        NONE
    );
    assert!(
        sources("operator/src/cli")
            .iter()
            .any(|(_, code)| code.contains("LocalFile"))
    );
}

#[test]
fn nothing_is_unsafe_but_the_mapping_of_compiled_modules() {
    let manifest = |path: &str| std::fs::read_to_string(root().join(path)).expect("a manifest");
    assert!(manifest("Cargo.toml").contains("unsafe_code = \"deny\""));
    for package in ["crds", "bundles", "operator", "tests"] {
        assert!(
            manifest(&format!("{package}/Cargo.toml")).contains("[lints]\nworkspace = true"),
            "{package}"
        );
        assert_eq!(
            strangers(
                package,
                &["unsafe {", "unsafe fn", "unsafe impl"],
                &["operator/tests/invariants.rs", "bundles/src/engine/stored.rs"]
            ),
            NONE
        );
    }
}

/// `docs/security.md` names a test for each threat, as `file.rs`, `name`, `name`.
#[test]
fn every_test_that_the_threat_table_names_is_there() {
    let page = std::fs::read_to_string(root().join("docs/security.md")).expect("the page");
    let mut named = 0;
    for row in page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains(".rs`"))
    {
        let tests = row.trim_end_matches('|').rsplit('|').next().expect("a last column");
        let mut text = String::new();
        for word in tests.split('`').skip(1).step_by(2) {
            if word.contains(".rs") {
                text = tests_called(word);
            } else if !word.ends_with("-*") && !word.starts_with("*-") && word != "intermediate-expired" {
                assert!(text.contains(&format!("fn {word}(")), "{word} is no test");
                named += 1;
            }
        }
    }
    assert!(named > 20, "only {named} tests are named");
}

/// The text of all files of this name that hold tests of verifiers.
fn tests_called(name: &str) -> String {
    let folders = [
        "bundles/src/trust",
        "bundles/src/trust/tests",
        "bundles/src/registry/tests",
        "bundles/src/model/tests",
        "tests/harness",
        "tests/e2e",
        "tests/e2e/command_line",
    ];
    let paths = folders.iter().map(|folder| root().join(folder).join(name));
    paths.filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}
