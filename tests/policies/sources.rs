//! OPA on the Rego sources, the engine on the built bundle and `interlock check` as a process judge the same dossiers.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use interlock_bundles::engine::{Engine, Limits, Policy};
use interlock_bundles::trust::LocalFile;
use interlock_tests::opa;
use interlock_tests::operator::interlock;
use interlock_tests::said::Said;
use interlock_tests::scratch::{scratch, write};
use interlock_tests::tools::repository_root;
use jiff::Timestamp;
use serde_json::{Value, json};

/// What OPA says of each of `inputs`.
pub(crate) async fn opa_says(inputs: &[Value]) -> Result<Vec<Said>> {
    let policies = repository_root().join("policies");
    let sources = [policies.join("lib"), policies.join("baseline")];
    let sources: Vec<&Path> = sources.iter().map(PathBuf::as_path).collect();
    let decisions = opa::eval_each(&sources, "data.interlock.baseline.decision", inputs).await?;
    decisions
        .iter()
        .map(|decision| Said::by_opa(decision.as_ref().context("a decision")?))
        .collect()
}

/// The built bundle in the engine.
pub(crate) fn policy() -> Result<Policy> {
    let bundle = LocalFile::read(&repository_root().join("bundles/dist/baseline.tar.gz"))?.open()?;
    Ok(Engine::new()?.compile(&bundle, Limits::default())?)
}

/// What the engine says of `input`.
pub(crate) fn engine_says(policy: &Policy, input: &Value) -> Result<Said> {
    let now = input["now"]
        .as_str()
        .unwrap_or_default()
        .parse()
        .unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(Said::by_engine(&policy.judge(input, now)?))
}

/// The inputs of all goldens and cases, by file name.
pub(crate) fn examples() -> Result<Vec<(String, Value)>> {
    let mut found = Vec::new();
    for folder in ["policies/baseline/golden", "policies/baseline/cases"] {
        for entry in std::fs::read_dir(repository_root().join(folder))? {
            let path = entry?.path();
            let mut example: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            found.push((
                path.file_stem().unwrap_or_default().display().to_string(),
                example["input"].take(),
            ));
        }
    }
    ensure!(found.len() >= 31, "only {} examples", found.len());
    Ok(found)
}

/// What `interlock check` says of a dossier, with its track's name, parameters and time; an error if it refuses.
async fn check_says(input: &Value) -> Result<Said> {
    let folder = scratch("check")?;
    let subject = &input["subject"];
    let group = subject["apiVersion"]
        .as_str()
        .unwrap_or_default()
        .split_once('/')
        .map_or("", |(group, _)| group);
    let track = json!({
        "apiVersion": "interlock.dev/v1alpha1", "kind": "GovernanceTrack", "metadata": {"name": input["track"]},
        "spec": {
            "match": {"kinds": [{"group": group, "kind": subject["kind"]}]},
            "bundles": [{"name": "baseline", "parameters": input["parameters"]}],
        },
    });
    let dossier = write(folder.path(), "dossier.json", serde_json::to_vec(input)?)?
        .display()
        .to_string();
    let track = write(folder.path(), "track.json", serde_json::to_vec(&track)?)?
        .display()
        .to_string();
    let now = input["now"].as_str().unwrap_or_default();
    let output = interlock(&["check", "-f", &dossier, "--track", &track, "--now", now, "-o", "json"]).await?;
    ensure!(
        output.status.code() != Some(2),
        "refused: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let shown: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(shown["results"][0]["governed"] == true, "not governed: {shown}");
    Said::by_check(&shown["results"][0])
}

/// Documents that are no dossier: policies bear them, the command line refuses them.
const REFUSED: [&str; 2] = ["dossier-wrong", "types-wrong"];

#[tokio::test]
async fn sources_engine_and_command_line_say_the_same_of_every_example() -> Result<()> {
    let examples = examples()?;
    let inputs: Vec<Value> = examples.iter().map(|(_, input)| input.clone()).collect();
    let by_opa = opa_says(&inputs).await?;
    let policy = policy()?;
    let mut refused = Vec::new();
    for ((name, input), by_opa) in examples.iter().zip(&by_opa) {
        assert_eq!(
            &engine_says(&policy, input)?,
            by_opa,
            "{name}: the engine and OPA differ"
        );
        match check_says(input).await {
            Ok(shown) => assert!(
                by_opa.shows_as(&shown),
                "{name}: check shows {shown:#?}, OPA says {by_opa:#?}"
            ),
            Err(error) if REFUSED.contains(&name.as_str()) => {
                assert!(error.to_string().contains("is no dossier"), "{name}: {error}");
                refused.push(name);
            }
            Err(error) => return Err(error.context(name.clone())),
        }
    }
    println!(
        "{} examples, {} of them refused by the command line",
        examples.len(),
        refused.len()
    );
    assert!(by_opa.iter().any(|said| !said.open.is_empty()) && by_opa.iter().any(|said| said.objections.len() > 32));
    Ok(())
}
