//! How models are named in examples that nobody here wrote: every place in KServe's release, in YAML files and on its
//! pages, is found and classified. `docs/models.md` shows the same tables; `UPDATE=1` rewrites them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use interlock::dossier::{Dossier, Location, Model, NamespaceFact, Related, Signature, Source, Unavailable};
use interlock_bundles::outcome::{Outcome, strongest};
use interlock_tests::examples::Project;
use interlock_tests::tools::repository_root;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::sources::policy;

/// What a document that names a model has in it.
const WORDS: [&str; 6] = [
    "storageUri:",
    "STORAGE_URI",
    "storage:",
    "uri: ",
    "kind: InferenceService",
    "kind: TrainedModel",
];

/// Files with a part that looks so and is no object: settings of KServe's own chart, a program that holds a manifest,
/// parts of a manifest, and manifests whose quotes never end.
const UNREAD: [&str; 4] = [
    "charts/kserve-resources/values.yaml",
    "docs/kfp/README.md",
    "docs/samples/storage/pvc-init/README.md",
    "test/benchmark/README.md",
];

/// Scheme, class and how often: exact, for the release does not change.
const WANT: [(&str, Location, usize); 7] = [
    ("gs", Location::Mutable, 116),
    ("hdfs", Location::Mutable, 1),
    ("hf", Location::Mutable, 9),
    ("https", Location::Mutable, 6),
    ("pvc", Location::Mutable, 7),
    ("s3", Location::Mutable, 12),
    ("storage spec", Location::Mutable, 3),
];

/// The digest below, which a table has no room for.
const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// Names as users write them.
const NAMES: [&str; 21] = [
    "oci://registry.example.com/iris@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "oci://registry.example.com/iris:1@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "oci://registry.example.com/iris:1",
    "oci://registry.example.com/iris@sha256:12",
    "hf://Qwen/Qwen2.5-7B:a09a35458c702b33eeacc393d103063234e8bc28",
    "hf://Qwen/Qwen2.5-7B:main",
    "hf://Qwen/Qwen2.5-7B",
    "hf://Qwen/Qwen2.5-7B@a09a35458c702b33eeacc393d103063234e8bc28",
    "hf://gpt2",
    "s3://bucket/iris?versionId=3",
    "gs://bucket/iris",
    "hdfs://user/models/iris",
    "webhdfs://user/models/iris",
    "https://example.com/iris.joblib",
    "https://account.blob.core.windows.net/models/iris",
    "https://account.file.core.windows.net/share/iris",
    "pvc://claim/iris",
    "file:///mnt/models/iris",
    "/mnt/models/iris",
    "git://example.com/iris.git",
    "model-registry://iris/1",
];

/// What comes before `://`; a storage spec and a path have no scheme.
fn scheme(model: &Model) -> String {
    match model.uri.split_once("://") {
        Some((scheme, _)) => scheme.to_owned(),
        None if model.path.ends_with(".storage") => "storage spec".to_owned(),
        None if model.path.ends_with(".reference") => "image volume".to_owned(),
        None if model.uri.is_empty() => "nothing readable".to_owned(),
        None => "path".to_owned(),
    }
}

/// The dossier of an example; some have no name of their own.
fn dossier(object: &Value) -> Result<Dossier> {
    let mut object = object.clone();
    if object.pointer("/metadata/name").is_none_or(|name| !name.is_string()) {
        object["metadata"] = json!({"name": "unnamed"});
    }
    let related = |_: &_, _: &_| Related::unavailable(&Unavailable::needs_cluster("they"));
    Ok(Dossier::build(
        &object,
        Source::Complete(NamespaceFact::default()),
        related,
    )?)
}

#[test]
fn every_model_in_kserves_examples_is_classified() -> Result<()> {
    let (examples, unread) = Project::KServe.mentioning(&WORDS)?;
    ensure!(examples.len() > 100, "only {} examples", examples.len());
    let mut counts: BTreeMap<(String, Location), usize> = BTreeMap::new();
    let (mut workloads, mut named) = (0, 0);
    for example in &examples {
        let Ok(dossier) = dossier(&example.object) else {
            continue;
        };
        workloads += usize::from(dossier.serves_model());
        named += usize::from(dossier.serves_model() && !dossier.models.is_empty());
        for model in &dossier.models {
            *counts.entry((scheme(model), model.location)).or_default() += 1;
        }
    }
    println!("{workloads} workloads, of which {named} name a model");
    let unread: BTreeSet<_> = unread.iter().map(|file| file.display().to_string()).collect();
    let mut table = "| scheme | class | in KServe's examples |\n|---|---|---|\n".to_owned();
    for ((scheme, location), count) in &counts {
        writeln!(table, "| {scheme} | {location:?} | {count} |")?;
    }
    shown("examples", &table)?;
    let want: BTreeMap<_, _> = WANT
        .iter()
        .map(|(scheme, location, count)| (((*scheme).to_owned(), *location), *count))
        .collect();
    assert_eq!(counts, want);
    assert_eq!(unread, UNREAD.map(str::to_owned).into());
    Ok(())
}

/// What the gate M-01 says of an InferenceService that names its model so, on a track that says who signs models and
/// whose signers signed whatever is an OCI artifact.
#[test]
fn every_way_to_name_a_model_is_read_as_documented() -> Result<()> {
    let policy = policy("model")?;
    let mut table = "| name | class | M-01, signed where it can be |\n|---|---|---|\n".to_owned();
    for uri in NAMES {
        let object = json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": "iris", "namespace": "ml"},
            "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": uri}}}});
        let mut dossier = dossier(&object)?;
        let model = dossier.models.first_mut().context("a model")?;
        if let Some(digest) = model.digest.clone() {
            let signers = vec!["ml".to_owned()];
            model.signature = Signature::Verified {
                digest,
                signers,
                formats: Vec::new(),
            };
        }
        let location = model.location;
        let findings = policy.judge(
            &dossier.input(Timestamp::UNIX_EPOCH, "models", &Map::new()),
            Timestamp::UNIX_EPOCH,
        )?;
        let outcome = *strongest(&findings).get("M-01").context("M-01 says something")?;
        let is_as_classified = match location {
            Location::Pinned => matches!(outcome, Outcome::Pass | Outcome::Unknown),
            Location::Mutable => outcome == Outcome::Deny,
            Location::Unsupported => outcome == Outcome::Unknown,
        };
        assert!(is_as_classified, "{uri} is {location:?}, and M-01 says {outcome}");
        let short = uri.replace(HEX, "…");
        writeln!(table, "| `{short}` | {location:?} | {outcome} |")?;
    }
    shown("names", &table)
}

/// The table in `docs/models.md` between the marks `<!-- NAME -->` and `<!-- end -->` is this one.
fn shown(name: &str, table: &str) -> Result<()> {
    let file = repository_root().join("docs/models.md");
    let page = std::fs::read_to_string(&file)?;
    let mark = format!("<!-- {name} -->\n");
    let (before, rest) = page.split_once(&mark).context("the page has the mark")?;
    let (have, after) = rest.split_once("<!-- end -->").context("the table has an end")?;
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, format!("{before}{mark}\n{table}\n<!-- end -->{after}"))?;
    } else {
        ensure!(
            have.trim() == table.trim(),
            "docs/models.md is out of date: run UPDATE=1 cargo test --workspace --test policies models"
        );
    }
    Ok(())
}
