//! Modules that a signed but hostile bundle could carry, hand-written: each ends in the error that
//! names what it did, within its limits, every time; and the engine works on afterwards.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what prepares a test may fail it")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use interlock_bundles::archive::Bundle;
use interlock_bundles::engine::{CompileError, Engine, EvaluateError, Limits, Policy};
use interlock_bundles::trust::LocalFile;
use jiff::Timestamp;
use serde_json::json;

const ROUNDS: usize = 20;
/// Far more than any case needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const WAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/wat");
const MANIFEST: &str = r#"{"revision":"1.0.0","wasm":[{"entrypoint":"hostile/deny","module":"/policy.wasm"}]}"#;

/// Where a case fails.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Compile,
    Judge,
}
use Stage::{Compile, Judge};

/// What a line defines: the tag behind `;;@`, or the name of its export.
fn name(line: &str) -> Option<&str> {
    if let Some((_, tag)) = line.split_once(";;@") {
        return Some(tag);
    }
    line.split_once("(export \"")?.1.split('"').next()
}

/// The well-behaved module with the lines of a hostile file in place of its own; imports come first.
fn module(file: &str) -> Vec<u8> {
    let read = |file: &str| std::fs::read_to_string(Path::new(WAT).join(format!("{file}.wat"))).unwrap();
    let hostile = read(file);
    let defaults = read("defaults");
    let taken: BTreeSet<_> = hostile.lines().filter_map(name).collect();
    let kept = defaults
        .lines()
        .filter(|line| name(line).is_none_or(|name| !taken.contains(name)));
    let is_import = |line: &&str| line.starts_with("(import");
    let (imports, rest): (Vec<_>, Vec<_>) = kept.chain(hostile.lines()).partition(is_import);
    let text = format!("(module\n{}\n{}\n)", imports.join("\n"), rest.join("\n"));
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn bundle(wasm: &[u8]) -> Bundle {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (name, content) in [("policy.wasm", wasm), (".manifest", MANIFEST.as_bytes())] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        tar.append_data(&mut header, name, content).unwrap();
    }
    let bytes = tar.into_inner().unwrap().finish().unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    LocalFile::read(file.path()).unwrap().open().unwrap()
}

fn limits(reason: &str) -> Limits {
    let short = reason == "DeadlineExceeded";
    Limits {
        memory_bytes: 128 << 20,
        deadline: if short { Duration::from_millis(30) } else { PATIENCE },
        ..Limits::default()
    }
}

fn judge(policy: &Policy) -> Result<usize, EvaluateError> {
    let input = json!({"object": {}});
    policy
        .judge(&input, Timestamp::UNIX_EPOCH)
        .map(|findings| findings.len())
}

/// At which stage a case failed, with which reason and words; no reason if it did not.
fn run(engine: &Engine, bundle: &Bundle, limits: Limits) -> (Stage, &'static str, String) {
    match engine.compile(bundle, limits) {
        Err(error) => (Compile, error.reason(), error.to_string()),
        Ok(policy) => match judge(&policy) {
            Err(error) => (Judge, error.reason(), error.to_string()),
            Ok(_) => (Judge, "", String::new()),
        },
    }
}

const CASES: [(&str, Stage, &str); 50] = [
    ("well_behaved", Judge, ""),
    ("defaults", Judge, ""),
    ("endless_loop", Judge, "DeadlineExceeded"),
    ("endless_start", Compile, "DeadlineExceeded"),
    ("endless_malloc", Compile, "DeadlineExceeded"),
    ("endless_tables", Compile, "DeadlineExceeded"),
    ("memory_bomb", Judge, "MemoryLimit"),
    ("memory_bomb_in_start", Compile, "MemoryLimit"),
    ("memory_wish", Compile, "MemoryLimit"),
    ("trap", Judge, "Trap"),
    ("trap_in_start", Compile, "Trap"),
    ("divide_by_zero", Judge, "Trap"),
    ("recursion", Judge, "Trap"),
    ("abort", Judge, "Aborted"),
    ("abort_outside", Judge, "BadAddress"),
    ("abort_in_start", Compile, "Aborted"),
    ("malloc_null", Compile, "BadAddress"),
    ("malloc_outside", Compile, "BadAddress"),
    ("malloc_far_outside", Compile, "BadAddress"),
    ("parse_null", Compile, "NotParsed"),
    ("dump_null", Compile, "BadAddress"),
    ("dump_outside", Compile, "BadAddress"),
    ("dump_unterminated", Judge, "BadAddress"),
    ("context_null", Compile, "BadAddress"),
    ("result_null", Judge, "BadAddress"),
    ("tables_null", Compile, "BadAddress"),
    ("huge_result", Judge, "ResultTooLarge"),
    ("result_not_utf8", Judge, "MalformedResult"),
    ("result_no_value", Judge, "MalformedResult"),
    ("result_too_deep", Judge, "MalformedResult"),
    ("result_odd", Judge, "MalformedResult"),
    ("result_undefined", Judge, "Undefined"),
    ("foreign_import", Compile, "ForeignImport"),
    ("foreign_env_import", Compile, "ForeignImport"),
    ("foreign_type", Compile, "ForeignImport"),
    ("foreign_global", Compile, "ForeignImport"),
    ("missing_builtin", Compile, "MissingBuiltin"),
    ("undeclared_builtin", Judge, "UndeclaredBuiltin"),
    ("wrong_arity", Judge, "UndeclaredBuiltin"),
    ("builtin_in_start", Compile, "UndeclaredBuiltin"),
    ("builtin_argument_outside", Judge, "BadAddress"),
    ("builtin_limit", Judge, "BuiltinLimit"),
    ("no_entrypoints", Compile, "NoEntrypoint"),
    ("odd_tables", Compile, "UnsupportedAbi"),
    ("other_major", Compile, "UnsupportedAbi"),
    ("old_minor", Compile, "UnsupportedAbi"),
    ("float_version", Compile, "UnsupportedAbi"),
    ("missing_export", Compile, "UnsupportedAbi"),
    ("own_memory", Compile, "UnsupportedAbi"),
    ("many_tables", Compile, "Trap"),
];

#[test]
fn every_hostile_module_ends_in_its_own_error_every_time() {
    let engine = Engine::new().unwrap();
    for (file, stage, reason) in CASES {
        let bundle = bundle(&module(file));
        for _ in 0..ROUNDS {
            let started = Instant::now();
            let (got_stage, got, message) = run(&engine, &bundle, limits(reason));
            assert_eq!(got, reason, "{file} (wanted {reason}): {message}");
            assert!(got_stage == stage, "{file} failed at the other stage: {message}");
            assert!(started.elapsed() < PATIENCE, "{file} took {:?}", started.elapsed());
        }
    }
}

#[test]
fn every_file_is_a_case() {
    let cases: BTreeSet<_> = CASES.iter().map(|(file, ..)| format!("{file}.wat")).collect();
    let files: BTreeSet<_> = std::fs::read_dir(WAT)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(cases, files);
}

#[test]
fn a_module_that_is_none_is_refused() {
    let engine = Engine::new().unwrap();
    let error = engine.compile(&bundle(b"not wasm"), Limits::default()).unwrap_err();
    assert_eq!(error.reason(), "InvalidModule");
}

#[test]
fn missing_functions_are_named_with_why() {
    let engine = Engine::new().unwrap();
    let bundle = bundle(&module("missing_builtin"));
    let error = engine.compile(&bundle, Limits::default()).unwrap_err();
    let CompileError::MissingBuiltin { names, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(names[0], "frobnicate");
    assert!(names[1].starts_with("http.send (never available: a decision makes no network requests"));
    assert_eq!(names.len(), 2);
}

#[test]
fn many_threads_judge_at_once_beside_a_hostile_one() {
    let engine = Engine::new().unwrap();
    let compile = |file, reason| engine.compile(&bundle(&module(file)), limits(reason)).unwrap();
    let good = compile("well_behaved", "");
    let bad = compile("endless_loop", "DeadlineExceeded");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(judge(&good).unwrap(), 1)));
            scope.spawn(|| {
                (0..5).for_each(|_| {
                    assert_eq!(judge(&bad).unwrap_err().reason(), "DeadlineExceeded");
                });
            });
        }
    });
}
