//! Modules that a signed but hostile bundle could carry, hand-written: each ends in the error that
//! names what it did, within its limits, every time; and the engine works on afterwards.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what prepares a test may fail it")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use interlock_bundles::archive::Bundle;
use interlock_bundles::engine::{CompileError, Engine, EvaluateError, Limits, Policy};
use interlock_bundles::outcome::Finding;
use interlock_bundles::trust::LocalFile;
use jiff::Timestamp;
use serde_json::json;

/// How often each case runs, unless `INTERLOCK_HOSTILE_ROUNDS` says otherwise; `make fuzz` says 1,000.
const ROUNDS: usize = 50;
/// What the resident set may grow by between the first tenth of the rounds and the last one.
const FLAT_BYTES: usize = 8 << 20;
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

/// Getting ready may take ten deadlines a step; a module that has to get ready before it fails needs some more of it.
fn limits(stage: Stage, reason: &str) -> Limits {
    let deadline = match (stage, reason) {
        (Compile, "DeadlineExceeded") => Duration::from_millis(1),
        (Judge, "DeadlineExceeded") => Duration::from_millis(20),
        _ => PATIENCE,
    };
    Limits {
        memory_bytes: 128 << 20,
        deadline,
        ..Limits::default()
    }
}

fn judge(policy: &Policy) -> Result<Vec<Finding>, EvaluateError> {
    policy.judge(&json!({"object": {}}), Timestamp::UNIX_EPOCH)
}

/// Runs a case some times: compiles it each time if that is what fails, else compiles it once.
fn run(engine: &Engine, file: &str, stage: Stage, reason: &str, rounds: usize) {
    let bundle = bundle(&module(file));
    let limits = limits(stage, reason);
    let compile = || engine.compile(&bundle, limits);
    let policy = (stage == Judge).then(|| compile().unwrap_or_else(|error| panic!("{file} does not compile: {error}")));
    for _ in 0..rounds {
        let started = Instant::now();
        let (got, message) = match &policy {
            None => compile().map_or_else(|error| (error.reason(), error.to_string()), |_| ("", String::new())),
            Some(policy) => {
                judge(policy).map_or_else(|error| (error.reason(), error.to_string()), |_| ("", String::new()))
            }
        };
        assert_eq!(got, reason, "{file} (wanted {reason}): {message}");
        assert!(started.elapsed() < PATIENCE, "{file} took {:?}", started.elapsed());
    }
}

/// The resident set of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

const CASES: [(&str, Stage, &str); 104] = [
    ("well_behaved", Judge, ""),
    ("defaults", Judge, ""),
    ("endless_loop", Judge, "DeadlineExceeded"),
    ("endless_start", Compile, "DeadlineExceeded"),
    ("endless_malloc", Compile, "DeadlineExceeded"),
    ("endless_tables", Compile, "DeadlineExceeded"),
    ("memory_bomb", Judge, "MemoryLimit"),
    ("memory_bomb_in_start", Compile, "MemoryLimit"),
    ("memory_wish", Compile, "MemoryLimit"),
    ("pieces_in_start", Compile, "ModuleTooComplex"),
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
    ("builtin_in_malloc", Judge, "BuiltinLimit"),
    ("no_entrypoints", Compile, "NoEntrypoint"),
    ("odd_tables", Compile, "UnsupportedAbi"),
    ("other_major", Compile, "UnsupportedAbi"),
    ("old_minor", Compile, "UnsupportedAbi"),
    ("float_version", Compile, "UnsupportedAbi"),
    ("missing_export", Compile, "UnsupportedAbi"),
    ("own_memory", Compile, "UnsupportedAbi"),
    ("many_tables", Compile, "Trap"),
    ("parse_outside", Judge, ""),
    ("context_outside", Judge, "Trap"),
    ("result_outside", Judge, "BadAddress"),
    ("builtins_null", Compile, "BadAddress"),
    ("builtins_outside", Compile, "BadAddress"),
    ("tables_outside", Compile, "BadAddress"),
    ("heap_outside", Judge, "BadAddress"),
    ("heap_set_trap", Compile, "Trap"),
    ("heap_odd_type", Judge, ""),
    ("endless_heap", Compile, "DeadlineExceeded"),
    ("malloc_text_end", Judge, ""),
    ("malloc_negative", Compile, "BadAddress"),
    ("table_grow", Compile, "InvalidModule"),
    ("table_set", Compile, "InvalidModule"),
    ("table_fill", Compile, "InvalidModule"),
    ("table_copy", Compile, "InvalidModule"),
    ("table_init", Compile, "InvalidModule"),
    ("element_drop", Compile, "InvalidModule"),
    ("data_drop", Compile, "InvalidModule"),
    ("elements_outside", Compile, "Trap"),
    ("call_outside", Judge, "Trap"),
    ("call_null", Judge, "Trap"),
    ("call_other_type", Judge, "Trap"),
    ("two_tables", Compile, "InvalidModule"),
    ("foreign_references", Compile, "InvalidModule"),
    ("grow_by_pages", Judge, "MemoryLimit"),
    ("start_grows", Judge, ""),
    ("two_memories", Compile, "InvalidModule"),
    ("two_imported_memories", Compile, "InvalidModule"),
    ("memory_elsewhere", Compile, "ForeignImport"),
    ("memory_without_import", Compile, "UnsupportedAbi"),
    ("wide_memory", Compile, "InvalidModule"),
    ("shared_memory", Compile, "InvalidModule"),
    ("memory_maximum", Judge, "Trap"),
    ("memory_below_data", Compile, "BadAddress"),
    ("data_outside", Judge, ""),
    ("data_at_the_end", Compile, "MemoryLimit"),
    ("data_far_outside", Compile, "Trap"),
    ("store_outside", Judge, "Trap"),
    ("mutable_global", Judge, ""),
    ("mutable_reference", Compile, "InvalidModule"),
    ("version_changes", Compile, "UnsupportedAbi"),
    ("reserved_export", Compile, "InvalidModule"),
    ("exported_other_memory", Compile, "UnsupportedAbi"),
    ("remembers", Judge, ""),
    ("recursion_in_start", Compile, "Trap"),
    ("recursion_indirect", Judge, "Trap"),
    ("recursion_through_host", Judge, "BuiltinLimit"),
    ("endless_builtin", Judge, "DeadlineExceeded"),
    ("endless_result", Judge, "DeadlineExceeded"),
    ("endless_dump", Compile, "DeadlineExceeded"),
    ("tail_call", Compile, "InvalidModule"),
];

#[test]
fn every_hostile_module_ends_in_its_own_error_every_time_and_memory_stays_flat() {
    let engine = Engine::new().unwrap();
    let rounds = std::env::var("INTERLOCK_HOSTILE_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let all = |rounds: usize| {
        for (file, stage, reason) in CASES {
            run(&engine, file, stage, reason, rounds);
        }
    };
    let first = rounds.div_ceil(10);
    all(first);
    let before = resident();
    all(rounds - first);
    let grown = resident().saturating_sub(before);
    assert!(grown < FLAT_BYTES, "{grown} bytes more in {rounds} rounds");
}

#[test]
fn a_decision_sees_nothing_of_those_before_it() {
    let engine = Engine::new().unwrap();
    let policy = engine
        .compile(&bundle(&module("remembers")), limits(Judge, ""))
        .unwrap();
    let first = judge(&policy).unwrap();
    assert!(
        first.iter().any(|finding| finding.message.len() == 2),
        "it counts: {first:?}"
    );
    for _ in 0..1000 {
        assert_eq!(judge(&policy).unwrap(), first);
    }
}

#[test]
fn who_waits_in_vain_for_a_turn_is_told() {
    let engine = Engine::new().unwrap();
    let limits = Limits {
        concurrency: 1,
        deadline: Duration::from_millis(200),
        ..limits(Judge, "")
    };
    let policy = engine.compile(&bundle(&module("endless_loop")), limits).unwrap();
    // When the first one's time is up, one of the others has its turn, and the rest have waited for as long.
    let start = std::sync::Barrier::new(4);
    let reasons: Vec<_> = std::thread::scope(|scope| {
        let decide = || {
            start.wait();
            judge(&policy).unwrap_err().reason()
        };
        let deciding: Vec<_> = (0..4).map(|_| scope.spawn(decide)).collect();
        deciding.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(reasons.contains(&"ConcurrencyLimit"), "{reasons:?}");
    assert!(reasons.contains(&"DeadlineExceeded"), "{reasons:?}");
}

#[test]
fn a_module_that_had_no_time_to_warm_up_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::with_cache(folder.path()).unwrap();
    let stored = |file, reason| {
        engine.compile(&bundle(&module(file)), limits(Judge, reason)).unwrap();
        std::fs::read_dir(folder.path()).unwrap().count()
    };
    assert_eq!(stored("endless_loop", "DeadlineExceeded"), 0);
    assert_eq!(stored("well_behaved", ""), 2);
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
    let compile = |file, reason| engine.compile(&bundle(&module(file)), limits(Judge, reason)).unwrap();
    let good = compile("well_behaved", "");
    let bad = compile("endless_loop", "DeadlineExceeded");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(judge(&good).unwrap().len(), 1)));
            scope.spawn(|| {
                (0..5).for_each(|_| {
                    assert_eq!(judge(&bad).unwrap_err().reason(), "DeadlineExceeded");
                });
            });
        }
    });
}
