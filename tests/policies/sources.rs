//! OPA on the Rego sources, the engine on the built bundle and `interlock check` as a process judge the same dossiers.

use std::collections::BTreeMap;
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

/// The shipped bundles, with how many goldens and cases each has at least.
pub(crate) const BUNDLES: [(&str, usize); 2] = [("baseline", 36), ("model", 17)];

/// What OPA says of each of `inputs`.
pub(crate) async fn opa_says(bundle: &str, inputs: &[Value]) -> Result<Vec<Said>> {
    let policies = repository_root().join("policies");
    let sources = [policies.join("lib"), policies.join(bundle)];
    let sources: Vec<&Path> = sources.iter().map(PathBuf::as_path).collect();
    let query = format!("data.interlock.{bundle}.decision");
    let decisions = opa::eval_each(&sources, &query, inputs).await?;
    decisions
        .iter()
        .map(|decision| Said::by_opa(decision.as_ref().context("a decision")?))
        .collect()
}

/// The built bundle in the engine.
pub(crate) fn policy(bundle: &str) -> Result<Policy> {
    let bundle = LocalFile::read(&repository_root().join(format!("bundles/dist/{bundle}.tar.gz")))?.open()?;
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

/// The inputs of all goldens and cases of a bundle, by file name.
pub(crate) fn examples(bundle: &str) -> Result<Vec<(String, Value)>> {
    let mut found = Vec::new();
    for kind in ["golden", "cases"] {
        for entry in std::fs::read_dir(repository_root().join("policies").join(bundle).join(kind))? {
            let path = entry?.path();
            let mut example: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            found.push((
                path.file_stem().unwrap_or_default().display().to_string(),
                example["input"].take(),
            ));
        }
    }
    let at_least = BUNDLES
        .iter()
        .find(|(name, _)| *name == bundle)
        .map(|(_, count)| *count);
    ensure!(Some(found.len()) >= at_least, "only {} examples", found.len());
    Ok(found)
}

/// What one run of `interlock check` says of dossiers that have track, parameters and time in common; an error if it
/// refuses.
async fn check_says(bundle: &str, inputs: &[&Value]) -> Result<Vec<Said>> {
    let folder = scratch("check")?;
    let first = inputs.first().context("something to check")?;
    let kinds: Vec<Value> = inputs.iter().map(|input| kind_of(&input["subject"])).collect();
    let track = json!({
        "apiVersion": "interlock.dev/v1alpha1", "kind": "GovernanceTrack", "metadata": {"name": first["track"]},
        "spec": {"match": {"kinds": kinds}, "bundles": [{"name": bundle, "parameters": first["parameters"]}]},
    });
    let track = write(folder.path(), "track.json", serde_json::to_vec(&track)?)?
        .display()
        .to_string();
    let now = first["now"].as_str().unwrap_or_default();
    let mut arguments = vec!["check", "--track", &track, "--now", now, "-o", "json"];
    let mut dossiers = Vec::new();
    for (at, input) in inputs.iter().enumerate() {
        let file = write(folder.path(), &format!("dossier-{at}.json"), serde_json::to_vec(input)?)?;
        dossiers.push(file.display().to_string());
    }
    arguments.extend(dossiers.iter().flat_map(|dossier| ["-f", dossier]));
    let output = interlock(&arguments).await?;
    ensure!(
        output.status.code() != Some(2),
        "refused: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let shown: Value = serde_json::from_slice(&output.stdout)?;
    let results = shown["results"].as_array().context("a list of results")?;
    ensure!(results.len() == inputs.len(), "{} results", results.len());
    results
        .iter()
        .map(|result| {
            ensure!(result["governed"] == true, "not governed: {result}");
            Said::by_check(result)
        })
        .collect()
}

fn kind_of(subject: &Value) -> Value {
    let version = subject["apiVersion"].as_str().unwrap_or_default();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    json!({"group": group, "kind": subject["kind"]})
}

/// Documents that are no dossier: policies bear them, the command line refuses them.
const REFUSED: [&str; 1] = ["dossier-wrong"];

#[tokio::test]
async fn sources_engine_and_command_line_say_the_same_of_every_example() -> Result<()> {
    for (bundle, _) in BUNDLES {
        compare(bundle).await?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "shown with --nocapture")]
async fn compare(bundle: &str) -> Result<()> {
    let examples = examples(bundle)?;
    let inputs: Vec<Value> = examples.iter().map(|(_, input)| input.clone()).collect();
    let by_opa = opa_says(bundle, &inputs).await?;
    let policy = policy(bundle)?;
    let mut runs: BTreeMap<String, Vec<(&str, &Value, &Said)>> = BTreeMap::new();
    for ((name, input), by_opa) in examples.iter().zip(&by_opa) {
        assert_eq!(
            &engine_says(&policy, input)?,
            by_opa,
            "{bundle}/{name}: the engine and OPA differ"
        );
        if REFUSED.contains(&name.as_str()) {
            let error = check_says(bundle, &[input]).await.expect_err(name);
            assert!(error.to_string().contains("is no dossier"), "{bundle}/{name}: {error}");
        } else {
            let run = ["track", "parameters", "now"]
                .map(|key| input[key].to_string())
                .concat();
            runs.entry(run).or_default().push((name, input, by_opa));
        }
    }
    for run in runs.values() {
        let inputs: Vec<&Value> = run.iter().map(|(_, input, _)| *input).collect();
        for ((name, _, by_opa), shown) in run.iter().zip(check_says(bundle, &inputs).await?) {
            assert!(
                by_opa.shows_as(&shown),
                "{bundle}/{name}: check shows {shown:#?}, OPA says {by_opa:#?}"
            );
        }
    }
    let compared: usize = runs.values().map(Vec::len).sum();
    println!(
        "{bundle}: {compared} dossiers, in {} runs of the command line",
        runs.len()
    );
    assert!(by_opa.iter().any(|said| !said.open.is_empty()), "some need the cluster");
    Ok(())
}
