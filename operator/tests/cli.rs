//! The command line through the real binary: right and wrong input, exit codes, what goes to which stream.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its own preparation fails"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn interlock(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(arguments)
        .output()
        .expect("the binary runs")
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes a file into a folder of its own and answers its path.
fn file(name: &str, content: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("the file can be written");
    let path = path.display().to_string();
    (folder, path)
}

const GOOD: &str = include_str!("testdata/good.yaml");
const BAD: &str = include_str!("testdata/bad.yaml");

#[test]
fn a_good_manifest_is_allowed_and_open_gates_are_named() {
    let (_folder, path) = file("good.yaml", GOOD);
    let output = interlock(&["check", "-f", &path]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}{}", text(&output.stderr));
    assert!(
        shown.contains("Allow") && shown.contains("needs the cluster: C-05, C-06"),
        "{shown}"
    );
    assert_eq!(
        interlock(&["check", "-f", &path, "--require-all"]).status.code(),
        Some(3)
    );
}

#[test]
fn a_bad_manifest_is_denied_with_what_mends_it() {
    let (_folder, path) = file("bad.yaml", BAD);
    let output = interlock(&["check", "-f", &path]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("C-01") && shown.contains("named by tag") && shown.contains("to mend it:"),
        "{shown}"
    );
}

#[test]
fn json_holds_the_same_in_a_stable_shape() {
    let (_folder, path) = file("both.yaml", &format!("{GOOD}\n---\n{BAD}"));
    let output = interlock(&["check", "-f", &path, "-o", "json"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let results = value["results"].as_array().expect("results");
    let verdicts: Vec<_> = results
        .iter()
        .map(|one| one["verdict"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(verdicts, ["Allow", "Deny"]);
    assert_eq!(results[0]["needsCluster"], serde_json::json!(["C-05", "C-06"]));
    assert_eq!(results[1]["subject"]["kind"], "Deployment");
    assert_eq!(results[0]["omitted"], 0);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_track_brings_levels_parameters_and_kinds() {
    let (_folder, path) = file("bad.yaml", BAD);
    let (_track_folder, track) = file(
        "track.yaml",
        "apiVersion: interlock.dev/v1alpha1\nkind: GovernanceTrack\nmetadata: {name: t}\nspec:\n  match: {kinds: [{group: apps, kind: Deployment}]}\n  bundles: [{name: baseline, parameters: {podSecurity: privileged}}]\n  gates:\n  - {id: C-01, level: Warn}\n  - {id: C-04, level: 'Off'}\n  - {id: C-05, level: 'Off'}\n  - {id: C-07, level: 'Off'}\n",
    );
    let output = interlock(&["check", "-f", &path, "--track", &track]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let (_other_folder, other) = file(
        "route.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: []}\n",
    );
    let output = interlock(&["check", "-f", &other, "--track", &track]);
    assert!(text(&output.stdout).contains("not governed by this track"));
}

/// An InferenceService whose model is named so.
fn serving(uri: &str) -> String {
    format!(
        "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {{name: iris, namespace: ml}}\nspec:\n  predictor:\n    model: {{modelFormat: {{name: sklearn}}, storageUri: \"{uri}\"}}\n"
    )
}

const PINNED: &str =
    "oci://registry.example.com/iris@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// What is said of the first object, as JSON.
fn judged(arguments: &[&str]) -> serde_json::Value {
    let output = interlock(&[&["check", "-o", "json"], arguments].concat());
    let value: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    value["results"][0].clone()
}

/// What a gate says of it: its result and its message.
fn gate(judged: &serde_json::Value, id: &str) -> Option<(String, String)> {
    let gates = judged["gates"].as_array().expect("gates");
    let found = gates.iter().find(|gate| gate["id"] == id)?;
    let field = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    Some((field("result"), field("message")))
}

#[test]
fn without_a_track_models_are_judged_where_one_is_served_and_nowhere_else() {
    let (_bucket_folder, bucket) = file("bucket.yaml", &serving("gs://bucket/iris"));
    let (result, message) = gate(&judged(&["-f", &bucket]), "M-01").expect("M-01");
    assert_eq!(result, "Fail");
    assert!(
        message.ends_with("push it as an OCI artifact and write oci://NAME@sha256:<digest>"),
        "{message}"
    );
    let (_pinned_folder, pinned) = file("pinned.yaml", &serving(PINNED));
    let said = judged(&["-f", &pinned]);
    assert_eq!(gate(&said, "M-01"), None);
    assert!(
        said["needsCluster"].as_array().expect("gates").contains(&"M-01".into()),
        "{said}"
    );
    // A volume may hold a model too, but an application is no model's service: the baseline alone judges it.
    let application = GOOD.replace(
        "containers:",
        "volumes: [{name: m, image: {reference: \"r.example/m:1\"}}]\n      containers:",
    );
    assert_ne!(application, GOOD);
    let (_folder, application) = file("application.yaml", &format!("{application}\n---\n{}", serving(PINNED)));
    let said = judged(&["-f", &application]);
    assert_eq!(gate(&said, "M-01"), None);
    assert!(
        !said["needsCluster"].as_array().expect("gates").contains(&"M-01".into()),
        "{said}"
    );
    assert!(gate(&said, "C-01").is_some(), "a tag in a volume is a tag: {said}");
}

#[test]
fn signatures_that_a_track_demands_need_the_cluster() {
    let (_folder, pinned) = file("pinned.yaml", &serving(PINNED));
    let head = "apiVersion: interlock.dev/v1alpha1\nkind: GovernanceTrack\nmetadata: {name: models}\nspec:\n  match: {kinds: [{group: serving.kserve.io, kind: InferenceService}]}\n  bundles: [{name: model}]\n";
    let (_bare_folder, bare) = file("bare.yaml", head);
    let (result, message) = gate(&judged(&["-f", &pinned, "--track", &bare]), "M-01").expect("M-01");
    assert_eq!(
        (result.as_str(), message.as_str()),
        (
            "Unknown",
            "the track names nobody who may sign models: set spec.signedBy.models"
        )
    );
    let (_signed_folder, signed) = file(
        "signed.yaml",
        &format!("{head}  signedBy: {{models: {{signers: [ml]}}}}\n"),
    );
    let said = judged(&["-f", &pinned, "--track", &signed]);
    assert_eq!(said["needsCluster"], serde_json::json!(["M-01"]));
    assert_eq!(
        (gate(&said, "M-01"), &said["verdict"]),
        (None, &serde_json::json!("Allow"))
    );
    // The file alone shows that a tag is none of the names that a signature can hold.
    let (_tag_folder, tag) = file("tag.yaml", &serving("oci://registry.example.com/iris:1"));
    let said = judged(&["-f", &tag, "--track", &signed]);
    assert_eq!(
        (gate(&said, "M-01").expect("M-01").0.as_str(), &said["verdict"]),
        ("Fail", &serde_json::json!("Deny"))
    );
}

#[test]
fn a_gate_of_operation_is_shown_apart_from_the_verdict() {
    let folder = repository("policies/model/golden");
    let mut example: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("inferenceservice-signed.json")).expect("a golden"))
            .expect("JSON");
    let links = example["input"]["driftMonitor"]["links"].as_array_mut().expect("links");
    links[1] =
        serde_json::json!({"name": "SeriesPresent", "holds": "False", "reason": "NoSeries", "message": "no series"});
    let (_folder, dossier) = file("dossier.json", &example["input"].to_string());
    let bundle = repository("bundles/dist/model.tar.gz").display().to_string();
    let said = judged(&["-f", &dossier, "--bundle", &bundle]);
    assert_eq!(said["verdict"], "Allow");
    assert_eq!(said["operational"]["verdict"], "Deny");
    assert_eq!(
        said["operational"]["message"],
        "M-14 (SeriesPresent): no series (NoSeries)"
    );
    assert_eq!(said["gates"][0]["phase"], "Operation");
    let output = interlock(&["check", "-f", &dossier, "--bundle", &bundle]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("M-14     fail [enforce, operation] (SeriesPresent): no series (NoSeries)"));
}

/// A track over Deployments that judges with these bundles.
fn track_with(bundles: &str) -> (tempfile::TempDir, String) {
    let spec = format!("match: {{kinds: [{{group: apps, kind: Deployment}}]}}, bundles: [{bundles}]");
    let head = "apiVersion: interlock.dev/v1alpha1\nkind: GovernanceTrack\nmetadata: {name: t}";
    file("track.yaml", &format!("{head}\nspec: {{{spec}}}\n"))
}

#[test]
fn no_bundle_of_a_track_is_left_out_unsaid() {
    let (_good_folder, good) = file("good.yaml", GOOD);
    let (_bad_folder, bad) = file("bad.yaml", BAD);
    let careful = repository("bundles/testdata/policies/careful.tar.gz")
        .display()
        .to_string();
    let plain = repository("bundles/testdata/policies/plain.tar.gz")
        .display()
        .to_string();
    let (both, own, foreign) = (
        "{name: baseline}, {name: careful}",
        "{name: baseline}",
        "{name: acme}, {name: corp}",
    );
    let none: &[&str] = &[];
    let table: [(&str, &str, &[&str], i32, &str); 9] = [
        (&good, own, none, 0, ""),
        (&good, both, none, 3, "needs its bundle: bundle/careful"),
        (&bad, both, none, 1, "needs its bundle: bundle/careful"),
        (&good, "{name: acme}", none, 2, "\"acme\", of which none is at hand"),
        (&good, foreign, none, 2, "\"acme\", \"corp\", of which none is at hand"),
        (
            &good,
            "{name: careful}, {name: acme}",
            &["--bundle", &careful],
            3,
            "needs its bundle: bundle/acme",
        ),
        (&good, both, &["--bundle", &plain], 2, "a bundle without a name"),
        (&good, foreign, &["--bundle", &careful], 2, "and not \"careful\""),
        (
            &good,
            "{name: acme}",
            &["--bundle", &plain, "--input", "object"],
            0,
            "Allow",
        ),
    ];
    for (manifest, bundles, more, code, says) in table {
        let (_track_folder, track) = track_with(bundles);
        let mut arguments = vec!["check", "-f", manifest, "--track", &track];
        arguments.extend(more);
        let output = interlock(&arguments);
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{bundles} {more:?}: {said}");
        assert!(
            said.contains(says),
            "{bundles} {more:?} should say {says:?}, said: {said}"
        );
    }
    let (_track_folder, track) = track_with(both);
    let output = interlock(&["check", "-f", &good, "--track", &track, "-o", "json"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let result = &value["results"][0];
    assert_eq!(result["needsBundle"], serde_json::json!(["bundle/careful"]));
    assert_eq!(result["verdict"], "Unknown");
}

#[test]
fn a_track_that_governs_none_of_the_files_is_told() {
    let (_folder, pod) = file(
        "pod.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: []}\n",
    );
    let (_track_folder, track) = track_with("{name: baseline}");
    let table: [(&[&str], i32); 2] = [(&[], 0), (&["--require-all"], 3)];
    for (more, code) in table {
        let mut arguments = vec!["check", "-f", &pod, "--track", &track];
        arguments.extend(more);
        let output = interlock(&arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{more:?}: {said}");
        assert!(said.contains("the track governs none of the objects"), "{said}");
    }
}

/// Runs a table of wrong input: exit 2, nothing on standard output, and what standard error must say.
fn refused(table: &[(&[&str], &str)]) {
    for (arguments, want) in table {
        let output = interlock(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(want), "{arguments:?} should say {want:?}, said: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {}", text(&output.stdout));
    }
}

#[test]
fn a_track_file_is_taken_as_the_api_server_would_take_it() {
    let (_folder, good) = file("good.yaml", GOOD);
    let with = |version: &str, more: &str| {
        let spec = format!("match: {{kinds: [{{kind: Pod, {more}}}]}}, bundles: [{{name: baseline}}], {more}");
        let head = format!("apiVersion: {version}\nkind: GovernanceTrack\nmetadata: {{name: t}}");
        file("track.yaml", &format!("{head}\nspec: {{{spec}}}\n"))
    };
    let (_f1, old) = with("interlock.dev/v1", "");
    let (_f2, unknown) = with("interlock.dev/v1alpha1", "gatez: []");
    let (_f3, selector) = with("interlock.dev/v1alpha1", "objectSelector: {matchLabel: {a: b}}");
    refused(&[
        (
            &["check", "-f", &good, "--track", &old],
            "its apiVersion is \"interlock.dev/v1\": write interlock.dev/v1alpha1",
        ),
        (
            &["check", "-f", &good, "--track", &unknown],
            "there is no field spec.gatez, spec.match.kinds.0.gatez",
        ),
        (&["check", "-f", &good, "--track", &selector], "spec.objectSelector"),
    ]);
    let (_f4, nested) = file(
        "track.yaml",
        "apiVersion: interlock.dev/v1alpha1\nkind: GovernanceTrack\nmetadata: {name: t, creationTimestamp: null, managedFields: [{manager: m, fieldsV1: {\"f:spec\": {}}}]}\nspec: {gates: [], match: {kinds: [{group: apps, kind: Deployment}], objectSelector: {matchLabel: {a: b}}}, bundles: [{name: baseline, parameters: {any: {thing: 1}}}]}\n",
    );
    let output = interlock(&["check", "-f", &good, "--track", &nested]);
    let said = text(&output.stderr);
    assert!(
        said.contains("there is no field spec.match.objectSelector.matchLabel: remove"),
        "{said}"
    );
}

#[test]
fn what_is_no_regular_file_or_too_large_is_refused_and_not_waited_for() {
    let (folder, good) = file("good.yaml", GOOD);
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    let pipe = pipe.display().to_string();
    let sparse = |name: &str, size: u64| {
        let path = folder.path().join(name);
        let file = std::fs::File::create(&path).expect("a file");
        file.set_len(size).expect("a sparse file");
        path.display().to_string()
    };
    let (huge, key) = (sparse("huge", (1 << 30) + 1), sparse("key", (64 << 10) + 1));
    let trust = repository("bundles/testdata/trust");
    let of_trust = |name: &str| trust.join(name).display().to_string();
    let (public, signed) = (of_trust("release.pub"), of_trust("blob-by-release.json"));
    refused(&[
        (&["check", "-f", &pipe], "is no regular file"),
        (&["check", "-f", "/dev/zero"], "/dev/zero is no regular file"),
        (&["check", "-f", &good, "--track", &pipe], "is no regular file"),
        (
            &["verify", "blob", "--key", &public, "--bundle", &pipe, &good],
            "is no regular file",
        ),
        (
            &["verify", "blob", "--key", &public, "--bundle", &signed, &pipe],
            "is no regular file",
        ),
        (
            &["verify", "blob", "--key", &public, "--bundle", &signed, &huge],
            "is larger than 1073741824 bytes",
        ),
        (
            &["verify", "blob", "--key", &pipe, "--bundle", &signed, &good],
            "is no regular file",
        ),
        (
            &["verify", "blob", "--key", &key, "--bundle", &signed, &good],
            "is larger than 65536 bytes",
        ),
    ]);
}

#[test]
fn options_that_would_mean_nothing_are_refused() {
    let (_folder, good) = file("good.yaml", GOOD);
    let needs_bundle = "--bundle <FILE|REF>";
    refused(&[
        (&["check", "-f", &good, "--threshold", "1"], needs_bundle),
        (&["check", "-f", &good, "--plain-http"], needs_bundle),
        (&["check", "-f", &good, "--timeout", "30"], needs_bundle),
        (&["crds", "--kubeconfig", "/no/such"], "--apply"),
    ]);
    let baseline = repository("bundles/dist/baseline.tar.gz").display().to_string();
    let output = interlock(&["check", "-f", &good, "--bundle", &baseline, "--timeout", "30"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn a_reference_that_is_incomplete_is_told_with_the_cause() {
    let (_folder, good) = file("good.yaml", GOOD);
    let baseline = repository("bundles/dist/baseline.tar.gz").display().to_string();
    refused(&[
        (
            &["check", "-f", &good, "--bundle", "ghcr.io/foo/bar"],
            "\"ghcr.io/foo/bar\" has neither tag nor digest: add :tag or @sha256:",
        ),
        (
            &["bundle", "push", &baseline, "ghcr.io/foo/bar@sha256:aa"],
            "\"sha256:aa\" is not a digest: write sha256: and 64",
        ),
    ]);
}

#[test]
fn a_fault_in_yaml_is_told_on_one_line() {
    for (content, want) in [
        ("a: [1", "is no YAML or JSON: unclosed bracket '[' at line 1, column 4"),
        ("a: 1\na: 2\n", "duplicate mapping key"),
    ] {
        let (_folder, path) = file("a.yaml", content);
        let said = text(&interlock(&["check", "-f", &path]).stderr);
        assert!(said.contains(want), "{said}");
        assert!(said.lines().count() == 1 && !said.contains("Options"), "{said}");
    }
}

#[test]
fn wrong_input_is_told_by_value_and_rule_on_standard_error() {
    let (_f1, not_yaml) = file("a.yaml", "a: [1");
    let (_f2, no_name) = file("b.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {}\n");
    let (_f3, empty) = file("c.yaml", "---\n");
    let (_f4, good) = file("d.yaml", GOOD);
    let (_f5, no_bundle) = file("e.tar.gz", "this is no archive");
    let (_f7, bare_off) = file(
        "t.yaml",
        "apiVersion: interlock.dev/v1alpha1\nkind: GovernanceTrack\nmetadata: {name: t}\nspec: {gates: [{id: C-01, level: Off}]}\n",
    );
    let (_f6, private) = file(
        "k.pem",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    let empty_folder = tempfile::tempdir().expect("a folder");
    let empty_folder = empty_folder.path().display().to_string();
    let baseline = repository("bundles/dist/baseline.tar.gz").display().to_string();
    let table: [(&[&str], &str); 16] = [
        (&["check", "-f", "/no/such/file.yaml"], "cannot read /no/such/file.yaml"),
        (&["check", "-f", &not_yaml], "is no YAML or JSON"),
        (&["check", "-f", &no_name], "metadata.name is missing"),
        (&["check", "-f", &empty], "the files hold no object"),
        (&["check", "-f", &empty_folder], "holds no .yaml, .yml or .json file"),
        (
            &["check", "-f", &good, "--track", &bare_off],
            "a gate's level is false, as YAML reads Off without quotes: write \"Off\"",
        ),
        (&["check", "-f", &good, "--track", &good], "holds no GovernanceTrack"),
        (
            &["check", "-f", &good, "--bundle", &no_bundle],
            "cannot be used as a bundle",
        ),
        (
            &["check", "-f", &good, "--bundle", "/no/such/bundle.tar.gz"],
            "/no/such/bundle.tar.gz",
        ),
        (&["check", "-f", &good, "--bundle", "127.0.0.1:1/a/b:1"], "no key given"),
        (
            &["check", "-f", &good, "--key", &private],
            "the built-in bundles need no key",
        ),
        (
            &["bundle", "verify", "127.0.0.1:1/a/b:1", "--key", &private],
            "private key",
        ),
        (
            &["bundle", "inspect", &baseline, "--key", &private],
            "is a file, of which no signatures are looked at",
        ),
        (&["bundle", "verify", "a b"], "a b"),
        (
            &["eval", "--bundle", &baseline, "--entrypoint", "no/such"],
            "has no entry point \"no/such\"",
        ),
        (
            &["operator", "--kubeconfig", "/no/such/kubeconfig"],
            "cannot read kubeconfig /no/such/kubeconfig",
        ),
    ];
    for (arguments, want) in table {
        let output = interlock(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(want), "{arguments:?} should say {want:?}, said: {said}");
        assert!(!said.contains("panicked"), "{said}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {}", text(&output.stdout));
    }
}

#[test]
fn what_no_gate_judges_is_said_and_what_no_registry_answers_is_left_open() {
    let (_folder, path) = file("map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n");
    let output = interlock(&["check", "-f", &path]);
    assert!(
        text(&output.stdout).contains("no gate applies to it"),
        "{}",
        text(&output.stdout)
    );
    let baseline = repository("bundles/dist/baseline.tar.gz").display().to_string();
    let down = interlock(&["bundle", "push", "--plain-http", &baseline, "127.0.0.1:1/a/b:1"]);
    assert_eq!(down.status.code(), Some(3), "{}", text(&down.stderr));
}

#[test]
fn eval_prints_the_result_document_of_opa() {
    let bundle = repository("bundles/dist/baseline.tar.gz").display().to_string();
    let output = interlock(&[
        "eval",
        "--bundle",
        &bundle,
        "--entrypoint",
        "interlock/baseline/catalogue",
    ]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(value[0]["result"]["C-01"]["title"].is_string(), "{value}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn lint_and_inspect_know_the_built_in_bundle() {
    let bundle = repository("bundles/dist/baseline.tar.gz").display().to_string();
    let lint = interlock(&["bundle", "lint", &bundle]);
    assert_eq!(
        (lint.status.code(), text(&lint.stdout).as_str()),
        (Some(0), "no remarks\n")
    );
    let inspect = interlock(&["bundle", "inspect", &bundle, "-o", "json"]);
    let value: serde_json::Value = serde_json::from_slice(&inspect.stdout).expect("JSON");
    assert_eq!(
        (value["name"].as_str(), value["gates"].as_array().map(Vec::len)),
        (Some("baseline"), Some(5))
    );
}

/// What a bundle of `bundles/testdata/policies` or `bundles/dist` is called on the command line.
fn bundle(name: &str) -> String {
    let tested = repository(&format!("bundles/testdata/policies/{name}.tar.gz"));
    let built = repository(&format!("bundles/dist/{name}.tar.gz"));
    let path = if tested.exists() { tested } else { built };
    path.display().to_string()
}

#[test]
fn inspect_shows_what_every_entry_point_costs_and_always_the_same() {
    let baseline = bundle("baseline");
    let inspect = || interlock(&["bundle", "inspect", &baseline, "-o", "json"]).stdout;
    let shown = inspect();
    assert_eq!(text(&shown), text(&inspect()));
    let value: serde_json::Value = serde_json::from_slice(&shown).expect("JSON");
    let inputs = value["cost"]["inputs"].as_object().expect("inputs");
    let goldens = std::fs::read_dir(repository("policies/baseline/golden")).expect("goldens");
    assert_eq!(inputs.len(), goldens.count() + 1, "{value}");
    let decision = "interlock/baseline/decision";
    let fuel = |input: &str| inputs[input]["entrypoints"][decision].as_u64().expect("fuel");
    let dearest = inputs.keys().map(|input| fuel(input)).max().expect("an input");
    let largest = &value["cost"]["largest"][decision];
    assert_eq!(
        (
            largest["fuel"].as_u64(),
            fuel(largest["input"].as_str().expect("an input"))
        ),
        (Some(dearest), dearest)
    );
    let of = |input: &str, field: &str| inputs[input][field].as_u64().expect("a number");
    for field in ["parse", "inputBytes"] {
        assert!(of("deployment-good", field) > of("{}", field), "{value}");
    }
    assert!(of("{}", "parse") > 0 && fuel("deployment-good") > fuel("{}"), "{value}");
    let table = text(&interlock(&["bundle", "inspect", &baseline]).stdout);
    assert!(
        table
            .lines()
            .any(|line| line.starts_with("deployment-good ") && line.contains(&fuel("deployment-good").to_string())),
        "{table}"
    );
}

/// `careful` as it may have been before: one golden input was smaller, one is gone, one was not there.
fn older_careful() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        let done = Command::new("tar")
            .arg("-C")
            .arg(folder.path())
            .args(arguments)
            .status();
        assert!(done.expect("tar runs").success(), "{arguments:?}");
    };
    run(&["-xzf", &bundle("careful")]);
    let golden = serde_json::json!({
        "tagged": {"input": {}, "want": {}},
        "retired": {"input": {}, "want": {}},
    });
    let data = serde_json::json!({"limits": {"memory": 1 << 30}, "interlock": {"golden": golden}});
    std::fs::write(folder.path().join("data.json"), data.to_string()).expect("the data can be written");
    let older = folder.path().join("older.tar.gz").display().to_string();
    run(&["-czf", &older, ".manifest", "data.json", "policy.wasm"]);
    (folder, older)
}

#[test]
fn lint_compares_costs_with_those_of_an_older_bundle() {
    let careful = bundle("careful");
    let lint = |against: &str, more: &[&str]| {
        let output = interlock(&[&["bundle", "lint", &careful, "--against", against], more].concat());
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, same, said) = lint(&careful, &["--max-increase", "0", "-o", "json"]);
    assert_eq!(code, Some(0), "{same}{said}");
    let value: serde_json::Value = serde_json::from_str(&same).expect("JSON");
    let changes = value["cost"]["changes"].as_array().expect("changes");
    assert!(
        !changes.is_empty() && changes.iter().all(|change| change["increase"] == 0),
        "{same}"
    );

    let (_folder, older) = older_careful();
    let (code, shown, said) = lint(&older, &["-o", "json"]);
    assert_eq!(code, Some(0), "{shown}{said}");
    let value: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert!(
        value["cost"]["against"]
            .as_str()
            .expect("a digest")
            .starts_with("sha256:")
    );
    let changes = value["cost"]["changes"].as_array().expect("changes");
    let change = |input: &str, entrypoint: Option<&str>| {
        let found = changes
            .iter()
            .find(|one| one["input"] == input && one["entrypoint"].as_str() == entrypoint);
        found
            .unwrap_or_else(|| panic!("{input} {entrypoint:?} in {shown}"))
            .clone()
    };
    for entrypoint in [None, Some("gates/decision")] {
        let grown = change("tagged", entrypoint);
        let [old, new, increase] = ["old", "new", "increase"].map(|field| grown[field].as_i64().expect("a number"));
        assert!(old > 0 && new > old && increase == new - old, "{grown}");
        assert!(grown["percent"].as_f64().expect("percent") > 0.0, "{grown}");
        let (came, gone) = (change("incomplete", entrypoint), change("retired", entrypoint));
        assert!(came["old"].is_null() && came["new"].is_u64(), "{came}");
        assert!(gone["old"].is_u64() && gone["new"].is_null(), "{gone}");
    }
    let table = lint(&older, &[]).1;
    let row = |starts: &str, has: &str| table.lines().any(|line| line.starts_with(starts) && line.contains(has));
    assert!(
        table.starts_with("no remarks\n")
            && row("tagged ", " +")
            && row("incomplete ", "new")
            && row("retired ", "gone"),
        "{table}"
    );

    let (code, refused, _) = lint(&older, &["--max-increase", "0"]);
    assert_eq!(code, Some(1), "{refused}");
    assert!(
        refused.contains("CostIncreased")
            && refused.contains("entry point \"gates/decision\" on input \"tagged\" costs"),
        "{refused}"
    );
    assert_eq!(lint(&older, &["--max-increase", "4000000"]).0, Some(0));
}

#[test]
fn lint_compares_only_with_what_is_a_bundle() {
    let careful = bundle("careful");
    let (_folder, none) = file("none.tar.gz", "this is no archive");
    refused(&[
        (
            &["bundle", "lint", &careful, "--max-increase", "10"],
            "--against <FILE>",
        ),
        (
            &["bundle", "lint", &careful, "--against", &none],
            "none.tar.gz cannot be compared with",
        ),
        (
            &["bundle", "lint", &careful, "--against", "/no/such/bundle.tar.gz"],
            "/no/such/bundle.tar.gz",
        ),
    ]);
}

#[test]
fn lint_tells_of_entry_points_that_allow_what_they_do_not_know() {
    let output = interlock(&["bundle", "lint", &bundle("plain")]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let row = |rule: &str, has: [&str; 2]| {
        let mut lines = shown
            .lines()
            .filter(|line| line.starts_with("warning") && line.contains(rule));
        lines.any(|line| has.iter().all(|words| line.contains(words)))
    };
    assert!(
        row("NoCatalogue", ["no entry point catalogue", "passes"]) && row("DenyList", ["main/deny", "is a deny list"]),
        "{shown}"
    );
}

#[test]
fn crds_are_printed_as_they_are_committed() {
    let output = interlock(&["crds"]);
    let printed = text(&output.stdout);
    for name in [
        "trustroots",
        "signers",
        "revocations",
        "policybundles",
        "governancetracks",
        "releases",
    ] {
        let committed = std::fs::read_to_string(repository(&format!("crds/generated/{name}.yaml"))).expect("generated");
        assert!(printed.contains(&committed), "{name} differs");
    }
}
