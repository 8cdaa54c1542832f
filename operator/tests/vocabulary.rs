//! The table of reasons and the sources agree: a reason that is not told cannot be written, and one that nothing writes
//! cannot stay.

#![allow(clippy::expect_used, reason = "a test ends where its own preparation fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use interlock_crds::condition::Type;
use interlock_crds::condition::reasons::{REASONS, find};

/// Words of the same shape that are no reasons: kinds, links of a drift monitor, headers, operators and answers of others,
/// verdicts, formats of signatures, and what only a dossier says. A word of two parts must be in the table of reasons or
/// here.
const OTHERS: &[&str] = &[
    "ClusterRoleBinding",
    "CronJob",
    "DoesNotExist",
    "GovernanceTrack",
    "InferenceService",
    "InvalidContentType",
    "LLMInferenceService",
    "NotIn",
    "OldBundle",
    "PolicyBundle",
    "RoleBinding",
    "RuleHealthy",
    "RuleLoaded",
    "RuleSeesWorkload",
    "SeriesFinite",
    "SeriesFresh",
    "SeriesMoving",
    "SeriesPresent",
    "ServiceAccount",
    "ServingRuntime",
    "TrainedModel",
    "TargetUp",
    "TooManyAttestations",
    "TooOld",
];

/// The words of every source under `folder`, with the files that hold them.
fn sources(folder: &Path, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        // The words in OPA's functions are Go's and OPA's.
        if path.is_dir() && !["tests", "builtins"].contains(&stem) {
            sources(&path, found);
            continue;
        }
        let extension = path.extension().and_then(|name| name.to_str()).unwrap_or_default();
        let is_test = stem.ends_with("tests") || stem.ends_with("_test");
        let read = || std::fs::read_to_string(&path).expect("text");
        let text = match extension {
            "rs" if !is_test => read(),
            "rego" if !is_test => becauses(&read()),
            _ => continue,
        };
        for word in literals(&text) {
            found.entry(word).or_default().insert(path.display().to_string());
        }
        for word in literals(&reasons(&text)) {
            found
                .entry(word)
                .or_default()
                .insert(format!("{IN_REASON}{}", path.display()));
        }
    }
}

/// Marks words of a function called `reason`: there, also a word of one part is a reason.
const IN_REASON: &str = "fn reason of ";

/// The lines of a policy that give a reason: other words of a policy are kinds and fields.
fn becauses(text: &str) -> String {
    let lines = text.lines().filter(|line| line.contains("because("));
    lines.fold(String::new(), |all, line| all + line + "\n")
}

/// The bodies of the functions called `reason`.
fn reasons(text: &str) -> String {
    let mut inside = false;
    let lines = text.lines().filter(|line| {
        inside = (inside || line.contains("fn reason(")) && !(inside && line.trim_end() == "    }");
        inside
    });
    lines.fold(String::new(), |all, line| all + line + "\n")
}

/// The string literals of a file that are one CamelCase word, outside comments and its tests.
fn literals(text: &str) -> Vec<String> {
    let code = text.lines().take_while(|line| *line != "#[cfg(test)]");
    let code = code.filter(|line| !line.trim_start().starts_with("//") && !line.trim_start().starts_with('#'));
    code.flat_map(|line| {
        line.split('"')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    })
    .filter(|word| {
        word.len() > 2
            && word.starts_with(|first: char| first.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_alphanumeric())
            && word.chars().any(|c| c.is_ascii_lowercase())
    })
    .collect()
}

fn words() -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = BTreeMap::new();
    for folder in [
        "operator/src",
        "bundles/src",
        "policies/lib",
        "policies/baseline",
        "policies/model",
    ] {
        sources(&root.join(folder), &mut found);
    }
    assert!(
        found.len() > REASONS.len(),
        "the sources hold what they should: {found:?}"
    );
    found
}

#[test]
fn every_reason_that_is_written_is_told() {
    let two_parts = |word: &str| word.chars().filter(char::is_ascii_uppercase).count() > 1;
    let is_type = |word: &str| Type::ALL.iter().any(|kind| kind.as_str() == word);
    let unknown: Vec<_> = words()
        .into_iter()
        .filter(|(word, files)| {
            let in_reason = files.iter().any(|file| file.starts_with(IN_REASON));
            (two_parts(word) || in_reason) && find(word).is_none() && !OTHERS.contains(&word.as_str()) && !is_type(word)
        })
        .collect();
    assert!(
        unknown.is_empty(),
        "add a line to crds/src/condition/reasons.rs, or if it is no reason to OTHERS here: {unknown:#?}"
    );
}

#[test]
fn every_reason_that_is_told_is_written() {
    let words = words();
    let dead: Vec<_> = REASONS
        .iter()
        .map(|reason| reason.name)
        .filter(|name| !words.contains_key(*name))
        .collect();
    assert!(
        dead.is_empty(),
        "nothing writes these any more; remove them from crds/src/condition/reasons.rs: {dead:?}"
    );
}
