//! One decision's world: a store, a memory and an instance that nobody used before and nobody uses
//! after. Limits hold from before the start function to the last byte of the last result.
//!
//! The input is parsed by the guest once; entry points are then evaluated through the context
//! calls, which is many times cheaper than parsing it for each. Everything the guest's state depends
//! on comes in through [`Sandbox::start`] and [`Sandbox::parse`], so that a copy taken after the data
//! could take the place of a fresh instance later without changing the callers.

use wasmtime::{
    Extern, Instance, Memory, MemoryType, Module, Store, TypedFunc, UpdateDeadline, WasmParams, WasmResults,
};

use super::address::{ContextAddress, TextAddress, ValueAddress};
use super::builtins::Context;
use super::error::EvaluateError;
use super::host::{self, Declared, Guest, HostState, MAX_VALUE_DEPTH};
use super::limits::Limits;
use super::term::Term;
use super::ticker::{Running, Ticker};

/// The number of an entry point inside its module.
pub(super) type EntrypointId = i32;

pub(super) struct Sandbox {
    store: Store<HostState>,
    instance: Instance,
    guest: Guest,
    calls: ContextCalls,
    result_bytes: usize,
    /// Keeps the clock going.
    _running: Running,
}

/// The exports that evaluate something already parsed.
struct ContextCalls {
    new: TypedFunc<(), i32>,
    set_input: TypedFunc<(i32, i32), ()>,
    set_data: TypedFunc<(i32, i32), ()>,
    set_entrypoint: TypedFunc<(i32, i32), ()>,
    eval: TypedFunc<i32, i32>,
    get_result: TypedFunc<i32, i32>,
}

/// What a sandbox is made of.
pub(super) struct Plan<'a> {
    pub(super) ticker: &'a Ticker,
    pub(super) module: &'a Module,
    pub(super) memory: &'a MemoryType,
    pub(super) limits: Limits,
    pub(super) context: Context,
    pub(super) declared: Declared,
}

impl Sandbox {
    /// Makes the world and runs the module's start function in it.
    pub(super) fn start(plan: Plan<'_>) -> Result<Self, EvaluateError> {
        let running = plan.ticker.running();
        let state = HostState::new(plan.limits, plan.context, plan.declared);
        let mut store = Store::new(plan.module.engine(), state);
        store.limiter(|state| state);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| match store.data().check_deadline() {
            Ok(()) => Ok(UpdateDeadline::Continue(1)),
            Err(error) => Err(error.into()),
        });
        let memory = Memory::new(&mut store, plan.memory.clone()).map_err(EvaluateError::from_runtime)?;
        let imports: Vec<Extern> = plan
            .module
            .imports()
            .filter_map(|import| match import.name() {
                "memory" => Some(memory.into()),
                name => host::import(&mut store, name),
            })
            .collect();
        let instance = Instance::new(&mut store, plan.module, &imports).map_err(EvaluateError::from_runtime)?;
        let guest = Guest {
            memory,
            malloc: export(&instance, &mut store, "opa_malloc")?,
            value_parse: export(&instance, &mut store, "opa_value_parse")?,
            value_dump: export(&instance, &mut store, "opa_value_dump")?,
        };
        store.data_mut().connect(guest.clone());
        Ok(Self {
            calls: ContextCalls::of(&instance, &mut store)?,
            store,
            instance,
            guest,
            result_bytes: plan.limits.result_bytes,
            _running: running,
        })
    }

    /// A constant the module exports, such as its interface version.
    pub(super) fn global(&mut self, name: &str) -> Option<i32> {
        let global = self.instance.get_global(&mut self.store, name)?;
        global.get(&mut self.store).i32()
    }

    /// The value of `builtins()` or `entrypoints()`: what the module says about itself.
    pub(super) fn table(&mut self, name: &'static str) -> Result<Term, EvaluateError> {
        let function: TypedFunc<(), i32> = export(&self.instance, &mut self.store, name)?;
        let address = self.call(&function, ())?;
        let value = ValueAddress::new(address).ok_or(EvaluateError::BadAddress {
            export: name,
            address: 0,
            fault: "null",
        })?;
        self.dump(value, name)
    }

    /// Gives the guest a JSON document that the host wrote. The guest must be able to read it: OPA's
    /// own hosts would go on with undefined.
    pub(super) fn parse(&mut self, json: &[u8], document: &'static str) -> Result<ValueAddress, EvaluateError> {
        let length = i32::try_from(json.len()).map_err(|_| EvaluateError::NotParsed { document })?;
        let malloc = self.guest.malloc.clone();
        let room = TextAddress::new(self.call(&malloc, length)?, "opa_malloc")?;
        room.write(self.guest.memory.data_mut(&mut self.store), json)?;
        let parse = self.guest.value_parse.clone();
        let value = self.call(&parse, (room.raw(), length))?;
        ValueAddress::new(value).ok_or(EvaluateError::NotParsed { document })
    }

    /// Evaluates one entry point; `name` is for errors. The result is OPA's set of bindings.
    pub(super) fn evaluate(
        &mut self,
        entrypoint: EntrypointId,
        name: &str,
        data: ValueAddress,
        input: ValueAddress,
    ) -> Result<Term, EvaluateError> {
        let store = &mut self.store;
        let calls = &self.calls;
        let context = calls.new.call(&mut *store, ()).map_err(EvaluateError::from_runtime)?;
        let context = ContextAddress::new(context)?.raw();
        let run = |store: &mut Store<HostState>| {
            calls.set_data.call(&mut *store, (context, data.raw()))?;
            calls.set_input.call(&mut *store, (context, input.raw()))?;
            calls.set_entrypoint.call(&mut *store, (context, entrypoint))?;
            calls.eval.call(&mut *store, context)?;
            calls.get_result.call(&mut *store, context)
        };
        let result = run(store).map_err(EvaluateError::from_runtime)?;
        let result = ValueAddress::new(result).ok_or(EvaluateError::BadAddress {
            export: "opa_eval_ctx_get_result",
            address: 0,
            fault: "null",
        })?;
        self.dump(result, name)
    }

    fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        function: &TypedFunc<P, R>,
        arguments: P,
    ) -> Result<R, EvaluateError> {
        function
            .call(&mut self.store, arguments)
            .map_err(EvaluateError::from_runtime)
    }

    fn dump(&mut self, value: ValueAddress, name: &str) -> Result<Term, EvaluateError> {
        let dump = self.guest.value_dump.clone();
        let text = TextAddress::new(self.call(&dump, value.raw())?, "opa_value_dump")?;
        let memory = self.guest.memory.data(&self.store);
        let bytes =
            text.read(memory, self.result_bytes, "opa_value_dump")?
                .ok_or_else(|| EvaluateError::ResultTooLarge {
                    entrypoint: name.to_owned(),
                    limit: self.result_bytes,
                })?;
        let malformed = |detail: String| EvaluateError::MalformedResult {
            path: name.to_owned(),
            detail,
        };
        let text = std::str::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
        Term::parse(text, MAX_VALUE_DEPTH).map_err(|error| malformed(format!("not a Rego value: {error}")))
    }
}

impl ContextCalls {
    fn of(instance: &Instance, store: &mut Store<HostState>) -> Result<Self, EvaluateError> {
        Ok(Self {
            new: export(instance, store, "opa_eval_ctx_new")?,
            set_input: export(instance, store, "opa_eval_ctx_set_input")?,
            set_data: export(instance, store, "opa_eval_ctx_set_data")?,
            set_entrypoint: export(instance, store, "opa_eval_ctx_set_entrypoint")?,
            eval: export(instance, store, "eval")?,
            get_result: export(instance, store, "opa_eval_ctx_get_result")?,
        })
    }
}

/// An export whose presence and type were checked at compile time.
fn export<P: WasmParams, R: WasmResults>(
    instance: &Instance,
    store: &mut Store<HostState>,
    name: &str,
) -> Result<TypedFunc<P, R>, EvaluateError> {
    instance
        .get_typed_func(store, name)
        .map_err(EvaluateError::from_runtime)
}
