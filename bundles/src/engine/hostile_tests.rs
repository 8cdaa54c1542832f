//! What only the engine can see of hostile modules: values in memory that are none. What everybody can see is in
//! `bundles/tests/hostile.rs`.

mod leftovers;

use jiff::Timestamp;
use serde_json::Value;
use wasmtime::Module;

use super::address::ContextAddress;
use super::builtins;
use super::error::EvaluateError;
use super::host::Declared;
use super::limits::Limits;
use super::sandbox::{Image, Sandbox};
use super::snapshot::{self, PROBE};
use super::term::Term;
use super::value::Block;
use super::{Engine, examine};

/// A module that is ready, and everything that a decision of it needs.
struct Ready {
    image: Image,
    contexts: Vec<(String, ContextAddress)>,
    declared: Declared,
    limits: Limits,
    by_memory: bool,
}

impl Ready {
    fn new(engine: &Engine, parts: &snapshot::Parts<'_>) -> Self {
        let snapshot = snapshot::take(&engine.draft, parts, |tables| {
            let found = tables
                .builtins
                .iter()
                .map(|(name, id)| (*id, builtins::find(name).unwrap()));
            Ok((found.collect(), tables.entrypoints.clone()))
        });
        let snapshot = snapshot.unwrap();
        let (module, about) = (
            Module::from_binary(&engine.live.engine, &snapshot.wasm).unwrap(),
            snapshot.about,
        );
        let found = about
            .builtins
            .iter()
            .map(|(name, id)| (*id, builtins::find(name).unwrap()));
        Self {
            image: Image::new(&engine.live, &module, about.by_memory).unwrap(),
            contexts: examine::find_contexts(&about).unwrap().into_iter().collect(),
            declared: found.collect(),
            limits: parts.limits,
            by_memory: about.by_memory,
        }
    }

    fn start(&self) -> Sandbox {
        Sandbox::start(&self.image, self.limits, Timestamp::UNIX_EPOCH, &self.declared).unwrap()
    }

    /// The results of all entry points, as Rego's text.
    fn decide(&self, sandbox: &mut Sandbox, input: &[u8]) -> Result<Vec<String>, EvaluateError> {
        let input = sandbox.parse(input, "input")?;
        let contexts = self.contexts.iter();
        contexts
            .map(|(path, context)| Ok(sandbox.evaluate(*context, path, Some(input))?.to_rego()))
            .collect()
    }
}

/// Far more time than a busy machine needs, and small results: large ones take long to read without optimisation.
fn limits() -> Limits {
    Limits {
        deadline: std::time::Duration::from_secs(20),
        result_bytes: 64 << 10,
        ..Limits::default()
    }
}

const PROBE_TEXT: u32 = 2048;
const PROBE_BLOCK: u32 = 4096;
/// Where the hostile values are, in a memory of [`MEMORY`] bytes.
const HERE: u32 = 16384;
const MEMORY: u32 = 131_072;

fn data(at: u32, bytes: &[u8]) -> String {
    let escaped: Vec<String> = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let escaped = escaped.concat();
    format!("(data (i32.const {at}) \"{escaped}\")")
}

/// A module that passes for one with OPA's layout of values: it knows the probe, and has the right value for it lying
/// there. `words` are what it has at [`HERE`], `functions` its own `eval`, `opa_malloc` and result.
fn module(words: &[(u32, u32)], functions: &str) -> Vec<u8> {
    let probe = Block::of(&Term::parse(PROBE, 8).unwrap()).unwrap();
    let (block, root) = probe.at(PROBE_BLOCK).unwrap();
    assert!(PROBE_BLOCK as usize + block.len() < HERE as usize);
    let start = u32::from_le_bytes(*PROBE.as_bytes().first_chunk().unwrap());
    let words: Vec<String> = words
        .iter()
        .map(|(at, word)| data(HERE + at, &word.to_le_bytes()))
        .collect();
    let text = format!(
        r#"(module
        (import "env" "opa_builtin1" (func $call (param i32 i32 i32) (result i32)))
        (import "env" "memory" (memory 2))
        (export "memory" (memory 0))
        (global (export "opa_wasm_abi_version") i32 (i32.const 1))
        (global (export "opa_wasm_abi_minor_version") i32 (i32.const 3))
        (global $heap (mut i32) (i32.const 65536))
        (global $late (mut i32) (i32.const 0))
        (data (i32.const 1024) "{{\"units.parse\": 7}}\00")
        (data (i32.const 1152) "{{\"hostile/deny\": 0}}\00")
        {} {} {}
        (func (export "builtins") (result i32) i32.const 1024)
        (func (export "entrypoints") (result i32) i32.const 1152)
        (func (export "opa_value_parse") (param i32 i32) (result i32)
            (if (i32.eq (i32.load (local.get 0)) (i32.const {start})) (then (return (i32.const {root}))))
            (local.get 0))
        (func (export "opa_value_dump") (param i32) (result i32)
            (if (i32.eq (local.get 0) (i32.const {root})) (then (return (i32.const {PROBE_TEXT}))))
            (local.get 0))
        (func (export "opa_json_dump") (param i32) (result i32) (local.get 0))
        (func (export "opa_eval_ctx_new") (result i32) i32.const 512)
        (func (export "opa_eval_ctx_set_input") (param i32 i32))
        (func (export "opa_eval_ctx_set_data") (param i32 i32))
        (func (export "opa_eval_ctx_set_entrypoint") (param i32 i32))
        {functions})"#,
        data(PROBE_TEXT, format!("{PROBE}\0").as_bytes()),
        data(PROBE_BLOCK, &block),
        words.join("\n"),
    );
    wat::parse_str(&text).unwrap()
}

const MALLOC: &str = r#"(func (export "opa_malloc") (param i32) (result i32)
    global.get $heap (global.set $heap (i32.add (global.get $heap) (local.get 0))))"#;

fn decide(engine: &Engine, wasm: &[u8]) -> Result<Vec<String>, EvaluateError> {
    let parts = snapshot::Parts {
        wasm,
        data: b"{}",
        golden: &Value::Null,
        limits: limits(),
        warm: true,
    };
    let ready = Ready::new(engine, &parts);
    assert!(ready.by_memory, "the module is taken for one of OPA's");
    ready.decide(&mut ready.start(), b"{}")
}

const LONG_TEXT: &str = "a text larger than the limit";

/// What lies at [`HERE`], the address within it that is returned, and the reason of the error that is.
type Case = (&'static str, Vec<(u32, u32)>, u32, &'static str);

/// The layout is in `value.rs`: tag, address, length.
#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    const NULL: u32 = 1;
    const NUMBER: u32 = 3;
    const STRING: u32 = 4;
    const ARRAY: u32 = 5;
    const OBJECT: u32 = 6;
    const SET: u32 = 7;
    let node = |tag, address, length| vec![(0, tag), (4, address), (8, length)];
    let string = |address, length| vec![(0, STRING), (4, length), (8, address)];
    let with = |mut words: Vec<(u32, u32)>, more: &[(u32, u32)]| {
        words.extend(more);
        words
    };
    // Sixty arrays, each of the next one twice: few bytes, and more values than there are grains of sand.
    let twice = (0..60).flat_map(|level| {
        let (at, next) = (level * 32, HERE + (level + 1) * 32);
        [
            (at, ARRAY),
            (at + 4, HERE + at + 16),
            (at + 8, 2),
            (at + 20, next),
            (at + 28, next),
        ]
    });
    vec![
        ("null", vec![(0, NULL)], 0, ""),
        (
            "an array in itself",
            with(node(ARRAY, HERE + 32, 1), &[(36, HERE)]),
            0,
            "MalformedResult",
        ),
        (
            "a set in itself",
            with(node(SET, HERE + 32, 1), &[(32, HERE + 40), (40, HERE)]),
            0,
            "MalformedResult",
        ),
        (
            "an element that is its own successor",
            with(
                node(SET, HERE + 32, 1),
                &[(32, HERE + 40), (40, HERE + 64), (44, HERE + 40), (64, NULL)],
            ),
            0,
            "ResultTooLarge",
        ),
        (
            "a field that is its own successor",
            with(
                node(OBJECT, HERE + 32, 1),
                &[
                    (32, HERE + 40),
                    (40, HERE + 64),
                    (44, HERE + 64),
                    (48, HERE + 40),
                    (64, NULL),
                ],
            ),
            0,
            "ResultTooLarge",
        ),
        (
            "values without number",
            twice.chain([(60 * 32, NULL)]).collect(),
            0,
            "ResultTooLarge",
        ),
        (
            "a length beyond all memory",
            node(ARRAY, HERE + 32, u32::MAX),
            0,
            "MalformedResult",
        ),
        ("elements outside", node(ARRAY, MEMORY, 1), 0, "BadAddress"),
        (
            "elements around the end of addresses",
            node(ARRAY, u32::MAX - 7, u32::MAX),
            0,
            "BadAddress",
        ),
        (
            "nothing but empty buckets",
            node(SET, HERE + 32, u32::MAX),
            0,
            "BadAddress",
        ),
        ("a huge text", string(HERE, u32::MAX), 0, "ResultTooLarge"),
        (LONG_TEXT, string(HERE, (64 << 10) + 1), 0, "ResultTooLarge"),
        ("a text outside", string(MEMORY - 4, 5), 0, "BadAddress"),
        (
            "a text that is not UTF-8",
            with(string(HERE + 32, 4), &[(32, u32::MAX)]),
            0,
            "MalformedResult",
        ),
        ("no type", vec![(0, 0)], 0, "MalformedResult"),
        ("an unknown type", vec![(0, 200)], 0, "MalformedResult"),
        (
            "an unknown kind of number",
            vec![(0, NUMBER | 9 << 8)],
            0,
            "MalformedResult",
        ),
        (
            "a number that is none",
            vec![
                (0, NUMBER | 2 << 8),
                (8, HERE + 32),
                (12, 4),
                (32, u32::from_le_bytes(*b"1e1x")),
            ],
            0,
            "MalformedResult",
        ),
        ("an address at the end", Vec::new(), MEMORY - HERE, "BadAddress"),
        ("an address far outside", Vec::new(), u32::MAX - HERE, "BadAddress"),
        (
            "a value across the end",
            vec![(MEMORY - HERE - 4, ARRAY)],
            MEMORY - HERE - 4,
            "BadAddress",
        ),
    ]
}

fn reason(result: &Result<Vec<String>, EvaluateError>) -> &'static str {
    result.as_ref().err().map_or("", EvaluateError::reason)
}

#[test]
fn results_in_memory_that_are_none_are_told_apart() {
    let engine = Engine::new().unwrap();
    for (name, words, root, want) in cases() {
        let functions = format!(
            r#"{MALLOC}
            (func (export "eval") (param i32) (result i32) i32.const 0)
            (func (export "opa_eval_ctx_get_result") (param i32) (result i32) (i32.const {}))"#,
            HERE.wrapping_add(root),
        );
        let result = decide(&engine, &module(&words, &functions));
        assert_eq!(reason(&result), want, "{name}: {result:?}");
    }
}

#[test]
fn arguments_in_memory_that_are_none_are_told_apart() {
    // Where the result is null.
    const NOTHING: u32 = PROBE_BLOCK - 8;
    let engine = Engine::new().unwrap();
    // Arguments may be larger than results.
    for (name, words, root, of_result) in cases().into_iter().filter(|case| case.0 != LONG_TEXT) {
        let functions = format!(
            r#"{MALLOC} {}
            (func (export "eval") (param i32) (result i32)
                (drop (call $call (i32.const 7) (i32.const 0) (i32.const {})))
                i32.const 0)
            (func (export "opa_eval_ctx_get_result") (param i32) (result i32) (i32.const {NOTHING}))"#,
            data(NOTHING, &[1]),
            HERE.wrapping_add(root),
        );
        let result = decide(&engine, &module(&words, &functions));
        let want = match of_result {
            "MalformedResult" | "ResultTooLarge" => "BuiltinLimit",
            other => other,
        };
        assert_eq!(reason(&result), want, "{name}: {result:?}");
    }
}

#[test]
fn a_value_of_the_host_has_to_fit_where_the_guest_wants_it() {
    let engine = Engine::new().unwrap();
    for room in [0, 131_064, -8] {
        // It gives no such address before the first decision, so that it gets that far.
        let functions = format!(
            r#"(func (export "opa_malloc") (param i32) (result i32)
                (if (global.get $late) (then (return (i32.const {room}))))
                global.get $heap (global.set $heap (i32.add (global.get $heap) (local.get 0))))
            (data (i32.const 60000) "\22100000\22\00")
            (func (export "eval") (param i32) (result i32)
                (global.set $late (i32.const 1))
                (drop (call $call (i32.const 7) (i32.const 0) (i32.const {HERE})))
                i32.const 0)
            (func (export "opa_eval_ctx_get_result") (param i32) (result i32) (i32.const {HERE}))"#
        );
        let text = [(0, 4), (4, 6), (8, 60001)];
        let result = decide(&engine, &module(&text, &functions));
        assert_eq!(reason(&result), "BadAddress", "{room}: {result:?}");
    }
}
