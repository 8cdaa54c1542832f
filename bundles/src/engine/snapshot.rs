//! How a module gets ready for its decisions: it runs once, up to the point where only the input is missing, and what
//! it has become by then is written down as a module of its own, which has nothing left to do when it starts.
//!
//! In the snapshot are: the module's own initialisation, its data, one evaluation context for each entry point, some
//! free memory, and what an evaluation of the golden inputs leaves behind for others, which is the compiled form of
//! regular expressions and globs. Nothing of a golden input can be reached from there: OPA's allocator hands out memory
//! that its callers fill, and contexts are made after the evaluations.

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Poll, Waker};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmtime::{Module, TypedFunc};
use wasmtime_wizer::{InstanceState, SnapshotVal, Wizer};

use super::address::{ContextAddress, ValueAddress};
use super::error::{CompileError, EvaluateError};
use super::host::Declared;
use super::input;
use super::limits::Limits;
use super::module::{self, ABI_MAJOR, ABI_MINOR};
use super::room::Room;
use super::runtime::Runtime;
use super::sandbox::{Image, Sandbox};
use super::self_test;
use super::term::Term;

/// Getting ready may take this many times as long as a decision, for each step.
const PATIENCE: u32 = 10;
/// Golden inputs that are evaluated before the snapshot.
const WARM_INPUTS: usize = 32;
/// Memory that decisions find allocated, so that usual ones need not ask for more; at most an eighth of the limit.
const SLACK_BYTES: usize = 4 << 20;
/// A value of every kind. A module that reads it as OPA's modules do, and lays it out as they do, gives and takes
/// values in memory.
pub(super) const PROBE: &str = r#"[null, true, false, 0, -7, 12345678901234567890, 1.5, "", "é\n", [], [1, "x"], {},
    set(), {"a": 1, "b": {"c": [2]}}, {1, "x", {1: 2}, [3]}, {"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"}]"#;

/// Pieces of memory between zeros: of each, taking the snapshot keeps a note of some fifty bytes. Three megabytes of data make two
/// millions, and the largest data that is read makes five.
const MAX_PIECES: usize = 8_000_000;

/// How many pieces of a memory are not zero. One that goes over a page's end may count twice.
fn pieces(memory: &[u8]) -> usize {
    const EMPTY: [u8; 4096] = [0; 4096];
    let pages = memory.chunks(EMPTY.len()).filter(|page| !EMPTY.starts_with(page));
    let begins = |page: &[u8]| {
        let mut before = 0;
        let bytes = page.iter();
        bytes
            .filter(|byte| std::mem::replace(&mut before, **byte) == 0 && **byte != 0)
            .count()
    };
    pages.map(begins).sum()
}

/// A module that is ready, and what was learnt of it on the way.
pub(super) struct Snapshot {
    pub(super) wasm: Vec<u8>,
    pub(super) about: About,
    /// Whether another attempt may give a better one: there was no time for the golden inputs.
    pub(super) hurried: bool,
}

/// What the host knows of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct About {
    /// The host functions it calls, with the numbers it gave them.
    pub(super) builtins: Vec<(String, i32)>,
    /// Where the contexts of its entry points are.
    pub(super) contexts: BTreeMap<String, i32>,
    /// Whether it keeps OPA's layout of values.
    pub(super) by_memory: bool,
}

/// What a module is made ready with.
pub(super) struct Parts<'a> {
    pub(super) wasm: &'a [u8],
    pub(super) data: &'a [u8],
    pub(super) golden: &'a Value,
    pub(super) limits: Limits,
    /// Whether the golden inputs are evaluated first. It changes no answer.
    pub(super) warm: bool,
}

/// The functions and entry points of a module, by name and number.
pub(super) struct Tables {
    pub(super) builtins: Vec<(String, i32)>,
    pub(super) entrypoints: BTreeMap<String, i32>,
}

/// Takes a snapshot. `choose` says for the module's tables which functions it may call and which entry points count.
pub(super) fn take(
    runtime: &Runtime,
    parts: &Parts<'_>,
    choose: impl FnOnce(&Tables) -> Result<(Declared, BTreeMap<String, i32>), CompileError>,
) -> Result<Snapshot, CompileError> {
    let owning = module::own_memory(parts.wasm)?;
    let wizer = Wizer::new();
    let invalid = CompileError::from_runtime;
    let (context, instrumented) = wizer.instrument(&owning).map_err(invalid)?;
    let module = Module::from_binary(&runtime.engine, &instrumented).map_err(invalid)?;
    let draft = Draft {
        image: Image::new(runtime, &module, false).map_err(invalid)?,
        limits: Limits {
            deadline: parts.limits.deadline.saturating_mul(PATIENCE),
            ..parts.limits
        },
    };
    let tables = draft.tables()?;
    let (declared, entrypoints) = choose(&tables)?;
    // A golden input that cannot be evaluated is the self-test's to tell; the snapshot is then taken without.
    let mut hurried = false;
    let (mut sandbox, contexts, by_memory) = draft
        .prepare(parts, &declared, &entrypoints, parts.warm)
        .or_else(|error| {
            hurried = matches!(
                error,
                EvaluateError::DeadlineExceeded { .. } | EvaluateError::Busy { .. }
            );
            draft.prepare(parts, &declared, &entrypoints, false)
        })
        .map_err(CompileError::Examination)?;
    let found = pieces(sandbox.memory());
    if found > MAX_PIECES {
        return Err(CompileError::ModuleTooComplex {
            detail: format!(
                "with its data read, its memory is {found} pieces between zeros, of which at most {MAX_PIECES} may be: it is to have less data"
            ),
        });
    }
    let wasm = at_once(wizer.snapshot(&context, &mut sandbox)).map_err(invalid)?;
    Ok(Snapshot {
        wasm,
        about: About {
            builtins: tables.builtins,
            contexts,
            by_memory,
        },
        hurried,
    })
}

struct Draft {
    image: Image,
    limits: Limits,
}

impl Draft {
    fn start(&self, declared: &Declared) -> Result<Sandbox, EvaluateError> {
        Sandbox::start(&self.image, self.limits, Timestamp::UNIX_EPOCH, declared)
    }

    /// Runs the module's start function and asks for its version and tables. No host function is
    /// declared yet, so calling one is an error.
    fn tables(&self) -> Result<Tables, CompileError> {
        let mut sandbox = self.start(&Declared::from([])).map_err(CompileError::Examination)?;
        module::check_version(sandbox.global(ABI_MAJOR), sandbox.global(ABI_MINOR))?;
        let mut table = |name| {
            let term = sandbox.table(name).map_err(CompileError::Examination)?;
            numbers(&term).ok_or_else(|| CompileError::UnsupportedAbi {
                detail: format!("returns from {name} what is not an object from name to number"),
            })
        };
        Ok(Tables {
            builtins: table("builtins")?,
            entrypoints: table("entrypoints")?.into_iter().collect(),
        })
    }

    /// A sandbox in which only the input is missing, the contexts of the entry points in it, and whether it keeps
    /// OPA's layout of values.
    fn prepare(
        &self,
        parts: &Parts<'_>,
        declared: &Declared,
        entrypoints: &BTreeMap<String, i32>,
        warm: bool,
    ) -> Result<(Sandbox, BTreeMap<String, i32>, bool), EvaluateError> {
        let mut sandbox = self.start(declared)?;
        let data = sandbox.parse(parts.data, "data")?;
        sandbox.slacken(self.limits.memory_bytes)?;
        let by_memory = sandbox.keeps_layout()?;
        if warm {
            let before = sandbox.memory().len();
            sandbox.warm(parts, data, entrypoints)?;
            let room = before.saturating_add(self.limits.memory_bytes / 4);
            if sandbox.memory().len() > room {
                return Err(EvaluateError::MemoryLimit {
                    limit: room,
                    asked: sandbox.memory().len(),
                });
            }
        }
        let mut contexts = BTreeMap::new();
        for (path, id) in entrypoints {
            contexts.insert(path.clone(), sandbox.context(data, *id)?.raw());
        }
        Ok((sandbox, contexts, by_memory))
    }
}

/// The calls that only getting ready needs.
impl Sandbox {
    /// A constant the module exports, such as its interface version.
    fn global(&mut self, name: &str) -> Option<i32> {
        let global = self.instance.get_global(&mut self.store, name)?;
        global.get(&mut self.store).i32()
    }

    /// The value of `builtins()` or `entrypoints()`: what the module says about itself.
    fn table(&mut self, name: &'static str) -> Result<Term, EvaluateError> {
        self.restart(Timestamp::UNIX_EPOCH);
        let function: TypedFunc<(), i32> = self.export(name)?;
        let address = self.call(&function, ())?;
        self.read(address, name, name)
    }

    /// Makes the guest's allocator own some free memory: it asks for it, and takes its mark back. Nothing is
    /// cached yet that this would throw away.
    fn slacken(&mut self, memory_bytes: usize) -> Result<(), EvaluateError> {
        let (Ok(get), Ok(set)) = (self.export("opa_heap_ptr_get"), self.export("opa_heap_ptr_set")) else {
            return Ok(());
        };
        let (get, set): (TypedFunc<(), i32>, TypedFunc<i32, ()>) = (get, set);
        let malloc: TypedFunc<i32, i32> = self.export("opa_malloc")?;
        let mark = self.call(&get, ())?;
        let slack = i32::try_from(SLACK_BYTES.min(memory_bytes / 8)).unwrap_or_default();
        self.call(&malloc, slack)?;
        self.call(&set, mark)
    }

    /// Whether the module lays values out in memory as OPA's modules do.
    fn keeps_layout(&mut self) -> Result<bool, EvaluateError> {
        self.restart(Timestamp::UNIX_EPOCH);
        let probe = self.parse(PROBE.as_bytes(), "probe");
        let dump = self.export("opa_value_dump")?;
        let said = probe.and_then(|probe| Ok((probe, self.dump(&dump, probe, "probe")?)));
        let (probe, said) = match said {
            Ok(found) => found,
            // Stopped in the middle of something: no snapshot can be taken of that.
            Err(
                error @ (EvaluateError::DeadlineExceeded { .. }
                | EvaluateError::MemoryLimit { .. }
                | EvaluateError::Aborted { .. }
                | EvaluateError::Builtin { .. }
                | EvaluateError::UndeclaredBuiltin { .. }
                | EvaluateError::Trap(_)),
            ) => return Err(error),
            Err(_) => return Ok(false),
        };
        let at = probe.raw().cast_unsigned();
        let seen = super::value::read(self.memory(), at, PROBE.len() * 2, 8, &mut Room::new());
        let want = Term::parse(PROBE, 8).map(|term| term.to_rego());
        let matches = |term: Option<Term>| {
            want.as_ref()
                .is_ok_and(|want| term.is_some_and(|term| term.to_rego() == *want))
        };
        Ok(matches(Some(said)) && matches(seen.ok()))
    }

    /// Evaluates the golden inputs, and the empty one, all in the time of one step.
    fn warm(
        &mut self,
        parts: &Parts<'_>,
        data: ValueAddress,
        entrypoints: &BTreeMap<String, i32>,
    ) -> Result<(), EvaluateError> {
        let empty = Value::Object(serde_json::Map::new());
        let golden = self_test::named_inputs(parts.golden).take(WARM_INPUTS);
        self.restart(Timestamp::UNIX_EPOCH);
        for (_, input, now) in golden.chain([("", &empty, Timestamp::UNIX_EPOCH)]) {
            let input = input::of_value(input, &parts.limits)?;
            self.store.data_mut().set_now(now);
            let input = self.parse(&input, "input")?;
            for (path, id) in entrypoints {
                let context = self.context(data, *id)?;
                self.evaluate(context, path, Some(input))?;
            }
        }
        Ok(())
    }

    fn context(&mut self, data: ValueAddress, entrypoint: i32) -> Result<ContextAddress, EvaluateError> {
        let new: TypedFunc<(), i32> = self.export("opa_eval_ctx_new")?;
        let set_data: TypedFunc<(i32, i32), ()> = self.export("opa_eval_ctx_set_data")?;
        let set_entrypoint: TypedFunc<(i32, i32), ()> = self.export("opa_eval_ctx_set_entrypoint")?;
        let context = ContextAddress::new(self.call(&new, ())?)?;
        self.call(&set_data, (context.raw(), data.raw()))?;
        self.call(&set_entrypoint, (context.raw(), entrypoint))?;
        Ok(context)
    }

    /// An export that is not on the way of a decision.
    pub(super) fn export<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        name: &str,
    ) -> Result<TypedFunc<P, R>, EvaluateError> {
        let function = self.instance.get_typed_func(&mut self.store, name);
        function.map_err(EvaluateError::from_runtime)
    }
}

impl InstanceState for Sandbox {
    async fn global_get(&mut self, name: &str, _: wasmtime_wizer::ValType) -> SnapshotVal {
        use wasmtime::Val;
        let global = self.instance.get_global(&mut self.store, name);
        match global.map(|global| global.get(&mut self.store)) {
            Some(Val::I64(value)) => SnapshotVal::I64(value),
            Some(Val::F32(bits)) => SnapshotVal::F32(bits),
            Some(Val::F64(bits)) => SnapshotVal::F64(bits),
            Some(Val::V128(value)) => SnapshotVal::V128(value.as_u128()),
            Some(Val::I32(value)) => SnapshotVal::I32(value),
            // Wizer refuses globals that hold references, and asks for no others than it exported.
            _ => SnapshotVal::I32(0),
        }
    }

    async fn memory_contents(&mut self, _: &str, contents: impl FnOnce(&[u8]) + Send) {
        contents(self.memory());
    }
}

/// Wizer's interface is asynchronous for the sake of hosts whose instances are; this one's never wait.
fn at_once<T>(future: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    let mut context = std::task::Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => wasmtime::bail!("the snapshot waits for something"),
    }
}

fn numbers(term: &Term) -> Option<Vec<(String, i32)>> {
    let Term::Object(fields) = term else {
        return None;
    };
    fields
        .iter()
        .map(|(name, id)| match (name, id) {
            (Term::String(name), Term::Number(id)) => Some((name.clone(), id.text().parse().ok()?)),
            _ => None,
        })
        .collect()
}
