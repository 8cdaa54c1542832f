//! Signed bundles whose policy does what a policy should not: loop, eat memory, trap, answer 100 MB, ask for what is not
//! there. Met while a bundle is examined, it is refused and the last good one judges; met on a workload, that workload's
//! verdict is Unknown, never Allow, and the others are judged as before.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use interlock_tests::opa;
use interlock_tests::platform::{condition_of, release_conditions};
use interlock_tests::tools::repository_root;
use serde_json::{Value, json};

use crate::trial::{Files, PATH, Refusal, Stage, Trial, pack, refusal};

const fn building(reason: &'static str, says: &'static str) -> Refusal {
    refusal(Stage::Building, reason, says)
}

/// Modules written by hand (bundles/testdata/wat), and what must be said of them.
const MODULES: [(&str, Refusal); 13] = [
    (
        "foreign_import",
        building("ForeignImport", "imports function wasi_snapshot_preview1.fd_write"),
    ),
    (
        "missing_builtin",
        building("MissingBuiltin", "http.send (never available"),
    ),
    (
        "no_entrypoints",
        building("NoEntrypoint", "which policy.wasm does not have"),
    ),
    ("other_major", building("UnsupportedAbi", "interface version")),
    (
        "endless_start",
        building("DeadlineExceeded", "did not answer within 10s"),
    ),
    ("endless_loop", building("DeadlineExceeded", "did not answer within 1s")),
    (
        "memory_bomb_in_start",
        building("MemoryLimit", "needs more than 268435456 bytes of memory"),
    ),
    (
        "memory_bomb",
        building("MemoryLimit", "needs more than 268435456 bytes of memory"),
    ),
    ("trap_in_start", building("Trap", "the policy trapped: wasm trap: ")),
    ("trap", building("Trap", "the policy trapped: wasm trap: ")),
    (
        "recursion",
        building("Trap", "the policy trapped: wasm trap: call stack exhausted"),
    ),
    ("abort", building("Aborted", "the policy stopped: ")),
    (
        "huge_result",
        building(
            "ResultTooLarge",
            "the result of \"hostile/deny\" is larger than 1048576 bytes",
        ),
    ),
];

/// Rego that `opa build` compiles without a complaint, as the rule `pass` of a bundle without a catalogue.
const POLICIES: [(&str, &str, Refusal); 5] = [
    (
        "http.send",
        "http.send({\"method\": \"get\", \"url\": \"http://example.com\"}).status_code == 200",
        building(
            "MissingBuiltin",
            "http.send (never available: a decision makes no network requests",
        ),
    ),
    (
        "a loop",
        "few := numbers.range(1, 4000)\n\tsome a in few\n\tsome b in few\n\tsome c in few\n\ta == b\n\tb == c\n\tc == -1",
        building(
            "DeadlineExceeded",
            "input \"{}\" cannot be judged: the policy did not answer within 1s",
        ),
    ),
    (
        "a memory bomb",
        "count(numbers.range(1, 100000000)) > 0",
        building(
            "MemoryLimit",
            "input \"{}\" cannot be judged: the policy needs more than 268435456 bytes of memory",
        ),
    ),
    (
        "a trap",
        "json.unmarshal(concat(\"\", [\"[\" | some _ in numbers.range(1, 100000)]))",
        building(
            "Trap",
            "input \"{}\" cannot be judged: the policy trapped: wasm trap: call stack exhausted",
        ),
    ),
    (
        "two values",
        "value := {\"a\": b | some b in [1, 2]}\n\tvalue.a == 1",
        building("Aborted", "conflict"),
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_misbehaves_while_it_is_examined_is_refused_by_name() -> Result<()> {
    let trial = Trial::start(&[]).await?;
    for (case, want) in MODULES {
        let bundle = bundle_of(&module(case)?)?;
        trial.platform.publish(PATH, case, &bundle).await?;
        trial.follow(case).await?;
        trial.refuses(case, want).await?;
    }
    for (number, (case, body, want)) in POLICIES.into_iter().enumerate() {
        let rego = format!("package trial\n\ndeny contains \"never\" if {{\n\t{body}\n}}\n");
        let manifest = r#"{"revision":"1.0.1","roots":["trial"],"metadata":{"name":"trial"}}"#;
        let files = [("trial.rego", rego.as_str()), (".manifest", manifest)];
        let bundle = opa::build_files(&files, &["trial/deny"]).await?;
        let tag = format!("rego-{number}");
        trial.platform.publish(PATH, &tag, &bundle).await?;
        trial.follow(&tag).await?;
        trial.refuses(case, want).await?;
    }
    Ok(())
}

/// A bundle of this module that calls itself like the good one.
fn bundle_of(wasm: &[u8]) -> Result<Vec<u8>> {
    let manifest = json!({
        "revision": "1.0.1", "metadata": {"name": "trial"},
        "wasm": [{"entrypoint": "hostile/deny", "module": "/policy.wasm"}],
    });
    pack(&Files::from([
        (".manifest".to_owned(), serde_json::to_vec(&manifest)?),
        ("policy.wasm".to_owned(), wasm.to_vec()),
    ]))
}

/// The well-behaved module with the lines of a hostile file in place of its own, as `defaults.wat` explains.
fn module(file: &str) -> Result<Vec<u8>> {
    let folder: PathBuf = repository_root().join("bundles/testdata/wat");
    let read = |file: &str| {
        let path = folder.join(format!("{file}.wat"));
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let (hostile, defaults) = (read(file)?, read("defaults")?);
    let taken: BTreeSet<_> = hostile.lines().filter_map(defined).collect();
    let kept = defaults
        .lines()
        .filter(|line| defined(line).is_none_or(|name| !taken.contains(name)));
    let (imports, rest): (Vec<_>, Vec<_>) = kept
        .chain(hostile.lines())
        .partition(|line| line.starts_with("(import"));
    Ok(wat::parse_str(format!(
        "(module\n{}\n{}\n)",
        imports.join("\n"),
        rest.join("\n")
    ))?)
}

/// What a line defines: the tag behind `;;@`, or the name of its export.
fn defined(line: &str) -> Option<&str> {
    match line.split_once(";;@") {
        Some((_, tag)) => Some(tag),
        None => line.split_once("(export \"")?.1.split('"').next(),
    }
}

/// Words at which the good bundle misbehaves (trial/policy.rego), with the reason of the Release and part of its message.
const WORDS: [(&str, &str, &str); 4] = [
    (
        "endless-loop",
        "DeadlineExceeded",
        "the policy did not answer within 3s",
    ),
    (
        "memory-bomb",
        "MemoryLimit",
        "the policy needs more than 536870912 bytes of memory",
    ),
    ("trap", "Trap", "the policy trapped: wasm trap: call stack exhausted"),
    (
        "large-result",
        "ResultTooLarge",
        "the result of \"trial/decision\" is larger than 1048576 bytes",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_misbehaves_on_one_workload_leaves_its_verdict_unknown_and_judges_the_others() -> Result<()> {
    let trial = Trial::start(&[]).await?;
    let limits: Value = json!({"memory": "512Mi", "deadline": "3s"});
    trial.ask(json!({"ref": {"tag": "stable"}, "limits": limits})).await?;
    trial.judging(&trial.digest).await?;
    trial.still_judges(&trial.digest).await?;

    for (word, reason, says) in WORDS {
        let context = || format!("case {word:?}");
        // Allowed at first, so that an old verdict that stays would show.
        trial.label(word, "good").await?;
        trial.says(word, "Allow", "Allowed").await.with_context(context)?;
        trial.label(word, word).await?;
        let release = trial.says(word, "Unknown", reason).await.with_context(context)?;
        let conditions = release_conditions(&release);
        let (_, ready, message) = condition_of(conditions, "Ready");
        ensure!(
            ready == "Unknown" && message.contains(says) && !message.contains('\n'),
            "{word}: {ready} {message:?}"
        );
        let admissible = condition_of(conditions, "Admissible").1;
        ensure!(admissible == "Unknown", "{word}: Admissible is {admissible}");
        trial.still_judges(&trial.digest).await.with_context(context)?;
        trial.judging(&trial.digest).await.with_context(context)?;
        trial.label(word, "good").await?;
        trial.says(word, "Allow", "Allowed").await.with_context(context)?;
    }
    Ok(())
}
