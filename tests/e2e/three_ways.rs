//! The operator, `interlock check` and OPA on the Rego sources say the same of live workloads, word for word. The same
//! comparison over the examples that need no cluster is in `tests/policies`.

use anyhow::{Context as _, Result, ensure};
use interlock_crds::{GovernanceTrack, Release};
use interlock_tests::env::install;
use interlock_tests::examples::Project;
use interlock_tests::gather::dossier;
use interlock_tests::operator::interlock;
use interlock_tests::platform::SOON;
use interlock_tests::said::Said;
use interlock_tests::scratch::{scratch, write};
use interlock_tests::tools::repository_root;
use interlock_tests::{Platform, eventually, opa};
use jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::main_job::{bad, good};
use crate::scene::bring_baseline;

const WORKLOADS: &str = include_str!("testdata/three_ways.yaml");

/// With the good and the bad Deployment; what controllers make of them is judged with its owner.
const WORKLOADS_IN_ALL: usize = 13;

/// Kinds with their groups.
const KINDS: [(&str, &str); 10] = [
    ("apps", "ReplicaSet"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("batch", "CronJob"),
    ("batch", "Job"),
    ("", "Pod"),
    ("serving.kserve.io", "InferenceService"),
    ("argoproj.io", "Rollout"),
    ("networking.k8s.io", "Ingress"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operator_command_line_and_opa_say_the_same_of_live_workloads() -> Result<()> {
    let platform = Platform::start().await?;
    let crds = [
        Project::KServe.crd("inferenceservices.serving.kserve.io")?,
        Project::ArgoRollouts.crd("rollouts.argoproj.io")?,
    ];
    for crd in crds {
        install(&platform.client, vec![serde_json::from_value(crd)?]).await?;
    }
    let namespace = platform.namespace("three-ways").await?;
    for yaml in [&good("good"), &bad("bad"), &WORKLOADS.replace("NAMESPACE", &namespace)] {
        platform.apply(&namespace, yaml).await?;
    }
    bring_baseline(&platform).await?;
    let kinds: Vec<Value> = KINDS
        .iter()
        .map(|(group, kind)| json!({"group": group, "kind": kind}))
        .collect();
    let track = json!({
        "apiVersion": "interlock.dev/v1alpha1", "kind": "GovernanceTrack", "metadata": {"name": "three-ways"},
        "spec": {
            "match": {"kinds": kinds, "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}},
            "bundles": [{"name": "baseline", "parameters": {"requireEgress": true, "allowedNames": ["LICENCE_KEY"]}}],
        },
    });
    let track: GovernanceTrack = serde_json::from_value(track)?;
    platform.apply(&namespace, &serde_json::to_string(&track)?).await?;

    // Controllers write to what was applied; when all is quiet, the dossier of each Release is the one gathered here.
    let mut gathered: Vec<(Release, Value)> = Vec::new();
    eventually(
        "every Release rests on the dossier that is gathered here",
        SOON,
        async || {
            gathered = gather(&platform, &namespace, &track).await?;
            Ok((gathered.len() == WORKLOADS_IN_ALL).then_some(()))
        },
    )
    .await
    .with_context(|| platform.log_tail(25))?;

    let inputs: Vec<Value> = gathered.iter().map(|(_, input)| input.clone()).collect();
    let policies = repository_root().join("policies");
    let sources = [policies.join("lib"), policies.join("baseline")];
    let by_opa = opa::eval_each(&[&sources[0], &sources[1]], "data.interlock.baseline.decision", &inputs).await?;
    let by_check = check(&track, &inputs).await?;
    for (((release, _), by_opa), by_check) in gathered.iter().zip(&by_opa).zip(&by_check) {
        let name = release.name_any();
        let status = release.status.clone().unwrap_or_default();
        let by_operator = Said::by_verdict(&status.gates, &status.passed, &[]);
        let by_opa = Said::by_opa(by_opa.as_ref().context("a decision")?)?;
        println!(
            "{name}: {} objections, {} passed",
            by_operator.objections.len(),
            by_operator.passed.len()
        );
        assert!(
            by_opa.shows_as(&by_operator),
            "{name}: the operator {by_operator:#?}, OPA {by_opa:#?}"
        );
        assert_eq!(
            &by_operator, by_check,
            "{name}: the operator and the command line differ"
        );
    }
    Ok(())
}

/// Every Release with the input that its workload gives now; none while one of them rests on another dossier.
async fn gather(platform: &Platform, namespace: &str, track: &GovernanceTrack) -> Result<Vec<(Release, Value)>> {
    let now: Timestamp = "2026-11-21T14:00:00Z".parse()?;
    let parameters = track
        .spec
        .bundles
        .first()
        .and_then(|used| used.parameters.clone())
        .unwrap_or_default();
    let releases: Api<Release> = platform.releases(namespace);
    let mut gathered = Vec::new();
    for release in releases.list(&ListParams::default()).await? {
        let subject = &release.spec.subject;
        let dossier = dossier(
            &platform.client,
            namespace,
            &subject.api_version,
            &subject.kind,
            &subject.name,
        )
        .await?;
        let status = release.status.clone().unwrap_or_default();
        if status.dossier_digest != Some(dossier.digest().to_string()) {
            return Ok(Vec::new());
        }
        gathered.push((release, dossier.input(now, &track.name_any(), &parameters)));
    }
    Ok(gathered)
}

/// `interlock check` on all of `inputs`, in a process of its own.
async fn check(track: &GovernanceTrack, inputs: &[Value]) -> Result<Vec<Said>> {
    let folder = scratch("check")?;
    let track = write(folder.path(), "track.json", serde_json::to_vec(track)?)?
        .display()
        .to_string();
    // A YAML stream of JSON documents.
    let documents: Vec<String> = inputs.iter().map(Value::to_string).collect();
    let file = write(folder.path(), "dossiers.yaml", documents.join("\n---\n"))?
        .display()
        .to_string();
    let output = interlock(&["check", "-f", &file, "--track", &track, "-o", "json"]).await?;
    ensure!(
        output.status.code() != Some(2),
        "refused: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let shown: Value = serde_json::from_slice(&output.stdout)?;
    shown["results"]
        .as_array()
        .context("a list of results")?
        .iter()
        .map(Said::by_check)
        .collect()
}
