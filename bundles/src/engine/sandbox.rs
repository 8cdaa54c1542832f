//! One decision's world: a store and an instance that nobody used before and nobody uses after. It starts as a
//! copy-on-write view of the bundle's snapshot, in which the module is initialised and its data parsed.
//! Limits hold from before the start function to the last byte of the last result.
//!
//! The input is parsed by the guest once; entry points are then evaluated through the context
//! calls, each of which has its context in the snapshot already.

use std::sync::Arc;

use jiff::Timestamp;
use wasmtime::{
    Instance, InstancePre, Memory, Module, ModuleExport, Store, TypedFunc, UpdateDeadline, WasmParams, WasmResults,
};

use super::address::{ContextAddress, TextAddress, ValueAddress};
use super::builtins::Context;
use super::error::EvaluateError;
use super::host::{Declared, Guest, HostState, MAX_VALUE_DEPTH};
use super::limits::Limits;
use super::module::MEMORY;
use super::room::Room;
use super::runtime::Runtime;
use super::slots::Slot;
use super::term::Term;
use super::ticker::Running;
use super::value::{self, ReadError};

/// A module from which sandboxes start, and where in it everything is that a decision calls.
pub(super) struct Image {
    runtime: Runtime,
    pre: InstancePre<HostState>,
    memory: ModuleExport,
    malloc: ModuleExport,
    value_parse: ModuleExport,
    value_dump: ModuleExport,
    set_input: ModuleExport,
    eval: ModuleExport,
    get_result: ModuleExport,
    /// Whether the module keeps OPA's layout of values in memory.
    by_memory: bool,
}

impl Image {
    /// Resolves imports and exports, which were checked before.
    pub(super) fn new(runtime: &Runtime, module: &Module, by_memory: bool) -> wasmtime::Result<Self> {
        let export = |name: &str| {
            let export = module.get_export_index(name);
            export.ok_or_else(|| wasmtime::format_err!("the module has no export {name}"))
        };
        Ok(Self {
            runtime: runtime.clone(),
            pre: runtime.linker.instantiate_pre(module)?,
            memory: export(MEMORY)?,
            malloc: export("opa_malloc")?,
            value_parse: export("opa_value_parse")?,
            value_dump: export("opa_value_dump")?,
            set_input: export("opa_eval_ctx_set_input")?,
            eval: export("eval")?,
            get_result: export("opa_eval_ctx_get_result")?,
            by_memory,
        })
    }
}

pub(super) struct Sandbox {
    pub(super) store: Store<HostState>,
    pub(super) instance: Instance,
    guest: Guest,
    set_input: TypedFunc<(i32, i32), ()>,
    eval: TypedFunc<i32, i32>,
    get_result: TypedFunc<i32, i32>,
    result_bytes: usize,
    /// Keeps the clock going.
    _running: Running,
    /// Given back after the instance is gone: fields are dropped in order.
    _slot: Slot,
}

impl Sandbox {
    /// Makes the world; a module that is not from a snapshot runs its start function in it.
    pub(super) fn start(
        image: &Image,
        limits: Limits,
        now: Timestamp,
        declared: &Declared,
    ) -> Result<Self, EvaluateError> {
        let slot = image.runtime.slots.take(limits.deadline).ok_or(EvaluateError::Busy {
            limit: image.runtime.slots.most(),
            deadline: limits.deadline,
        })?;
        let running = image.runtime.ticker.running();
        let context = Context {
            now,
            regex_bytes: limits.regex_bytes,
        };
        let state = HostState::new(limits, context, Arc::clone(declared));
        let mut store = Store::new(&image.runtime.engine, state);
        store.limiter(|state| state);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| match store.data().check_deadline() {
            Ok(()) => Ok(UpdateDeadline::Continue(1)),
            Err(error) => Err(error.into()),
        });
        if image.runtime.counts_fuel {
            store.set_fuel(u64::MAX).map_err(EvaluateError::from_runtime)?;
        }
        let instance = image.pre.instantiate(&mut store).map_err(EvaluateError::from_runtime)?;
        let guest = Guest {
            memory: memory(&instance, &mut store, &image.memory)?,
            malloc: function(&instance, &mut store, &image.malloc)?,
            value_parse: function(&instance, &mut store, &image.value_parse)?,
            value_dump: if image.by_memory {
                None
            } else {
                Some(function(&instance, &mut store, &image.value_dump)?)
            },
        };
        store.data_mut().connect(guest.clone());
        Ok(Self {
            set_input: function(&instance, &mut store, &image.set_input)?,
            eval: function(&instance, &mut store, &image.eval)?,
            get_result: function(&instance, &mut store, &image.get_result)?,
            store,
            instance,
            guest,
            result_bytes: limits.result_bytes,
            _running: running,
            _slot: slot,
        })
    }

    /// The next step has the whole time for itself.
    pub(super) fn restart(&mut self, now: Timestamp) {
        self.store.data_mut().restart(now);
    }

    /// The error if the time is up: reading a result takes some of it too.
    pub(super) fn check_deadline(&self) -> Result<(), EvaluateError> {
        self.store.data().check_deadline()
    }

    /// How much of the metering runtime's fuel is left.
    pub(super) fn fuel(&self) -> Result<u64, EvaluateError> {
        self.store.get_fuel().map_err(EvaluateError::from_runtime)
    }

    /// The guest's linear memory as it is now.
    pub(super) fn memory(&self) -> &[u8] {
        self.guest.memory.data(&self.store)
    }

    /// Gives the guest a document that the host wrote or checked. The guest must be able to read it: OPA's
    /// own hosts would go on with undefined.
    pub(super) fn parse(&mut self, text: &[u8], document: &'static str) -> Result<ValueAddress, EvaluateError> {
        let length = i32::try_from(text.len()).map_err(|_| EvaluateError::NotParsed { document })?;
        let malloc = self.guest.malloc.clone();
        let room = TextAddress::new(self.call(&malloc, length)?, "opa_malloc")?;
        room.write(self.guest.memory.data_mut(&mut self.store), text)?;
        let parse = self.guest.value_parse.clone();
        let value = self.call(&parse, (room.raw(), length))?;
        ValueAddress::new(value).ok_or(EvaluateError::NotParsed { document })
    }

    /// Evaluates the entry point of a context; `name` is for errors. No input is undefined input. The result is OPA's
    /// set of bindings.
    pub(super) fn evaluate(
        &mut self,
        context: ContextAddress,
        name: &str,
        input: Option<ValueAddress>,
    ) -> Result<Term, EvaluateError> {
        let input = input.map_or(0, ValueAddress::raw);
        let (store, context) = (&mut self.store, context.raw());
        let result = self
            .set_input
            .call(&mut *store, (context, input))
            .and_then(|()| self.eval.call(&mut *store, context))
            .and_then(|_| self.get_result.call(&mut *store, context))
            .map_err(EvaluateError::from_runtime)?;
        self.read(result, name, "opa_eval_ctx_get_result")
    }

    pub(super) fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        function: &TypedFunc<P, R>,
        arguments: P,
    ) -> Result<R, EvaluateError> {
        function
            .call(&mut self.store, arguments)
            .map_err(EvaluateError::from_runtime)
    }

    /// The value at an address that `export` returned, which has to be one that JSON can tell.
    pub(super) fn read(&mut self, address: i32, name: &str, export: &'static str) -> Result<Term, EvaluateError> {
        let value = self.read_any(address, name, export)?;
        if value.is_json() {
            Ok(value)
        } else {
            Err(malformed(
                name,
                "a number has no digit before its point: write 0.5 for .5".to_owned(),
            ))
        }
    }

    fn read_any(&mut self, address: i32, name: &str, export: &'static str) -> Result<Term, EvaluateError> {
        let at = ValueAddress::new(address).ok_or(EvaluateError::BadAddress {
            export,
            address: 0,
            fault: "null",
        })?;
        if let Some(dump) = self.guest.value_dump.clone() {
            return self.dump(&dump, at, name);
        }
        let address = at.raw().cast_unsigned();
        let room = &mut Room::new();
        value::read(self.memory(), address, self.result_bytes, MAX_VALUE_DEPTH, room).map_err(|error| match error {
            ReadError::Outside(address) => EvaluateError::outside(export, address.cast_signed()),
            ReadError::TooLarge => self.too_large(name),
            ReadError::TooDeep => malformed(name, format!("nested deeper than {MAX_VALUE_DEPTH} levels")),
            ReadError::Malformed(what) => malformed(name, what.to_owned()),
        })
    }

    /// The value as the text that the guest writes for it.
    pub(super) fn dump(
        &mut self,
        dump: &TypedFunc<i32, i32>,
        value: ValueAddress,
        name: &str,
    ) -> Result<Term, EvaluateError> {
        let text = TextAddress::new(self.call(dump, value.raw())?, "opa_value_dump")?;
        let bytes = text
            .read(self.memory(), self.result_bytes, "opa_value_dump")?
            .ok_or_else(|| self.too_large(name))?;
        let text = std::str::from_utf8(bytes).map_err(|error| malformed(name, error.to_string()))?;
        Term::parse(text, MAX_VALUE_DEPTH).map_err(|error| malformed(name, format!("not a Rego value: {error}")))
    }

    fn too_large(&self, name: &str) -> EvaluateError {
        EvaluateError::ResultTooLarge {
            entrypoint: name.to_owned(),
            limit: self.result_bytes,
        }
    }
}

fn malformed(name: &str, detail: String) -> EvaluateError {
    EvaluateError::MalformedResult {
        path: name.to_owned(),
        detail,
    }
}

/// An export whose presence and type were checked before.
fn function<P: WasmParams, R: WasmResults>(
    instance: &Instance,
    store: &mut Store<HostState>,
    export: &ModuleExport,
) -> Result<TypedFunc<P, R>, EvaluateError> {
    let found = instance.get_module_export(&mut *store, export);
    let function = found.and_then(wasmtime::Extern::into_func).ok_or_else(is_gone)?;
    function.typed(&*store).map_err(EvaluateError::from_runtime)
}

fn memory(instance: &Instance, store: &mut Store<HostState>, export: &ModuleExport) -> Result<Memory, EvaluateError> {
    let found = instance.get_module_export(&mut *store, export);
    found.and_then(wasmtime::Extern::into_memory).ok_or_else(is_gone)
}

fn is_gone() -> EvaluateError {
    EvaluateError::from_runtime(wasmtime::format_err!("an export is gone"))
}
