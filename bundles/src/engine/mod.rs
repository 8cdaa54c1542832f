//! Runs policies: OPA's WebAssembly modules, each evaluation in a sandbox of its own.
//!
//! [`Engine::compile`] turns an opened bundle into a [`Policy`] after it has looked at everything the
//! module asks for: its imports, its interface version, the built-in functions it needs, its entry
//! points, its catalogue. A policy then answers [`Policy::evaluate`] and [`Policy::judge`].
//!
//! Invariants: a policy reaches no network, file, clock, environment or randomness; every evaluation
//! has limits on memory, time and sizes; meeting one is an error, never an answer; the input is a
//! document the host parsed itself. The same policy, input and instant give the same answer.

mod address;
mod builtins;
mod contract;
mod decimal;
mod error;
mod examine;
mod host;
mod limits;
mod module;
mod policy;
mod quote;
mod sandbox;
mod self_test;
mod term;
mod ticker;

use std::sync::Arc;

pub use error::{CompileError, EngineError, EvaluateError, SelfTestError};
pub use limits::Limits;
pub use policy::Policy;

use crate::archive::Bundle;
use ticker::Ticker;

/// The stack of one evaluation, in bytes. Threads that evaluate need about twice as much.
const WASM_STACK_BYTES: usize = 512 * 1024;

/// The WebAssembly runtime and its clock; one a process is enough. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    runtime: wasmtime::Engine,
    ticker: Arc<Ticker>,
}

impl Engine {
    /// Configures the runtime and starts the thread that watches deadlines; it sleeps while nothing
    /// is evaluated and ends with the last engine and policy.
    pub fn new() -> Result<Self, EngineError> {
        let runtime =
            wasmtime::Engine::new(&config()).map_err(|error| EngineError::Runtime(error.into_boxed_dyn_error()))?;
        let ticker = Ticker::start(runtime.clone()).map_err(EngineError::Ticker)?;
        Ok(Self {
            runtime,
            ticker: Arc::new(ticker),
        })
    }

    /// Compiles a bundle and examines it. Takes some 100 ms for a usual bundle; call it where
    /// blocking is allowed.
    pub fn compile(&self, bundle: &Bundle, limits: Limits) -> Result<Policy, CompileError> {
        examine::compile(self, bundle, limits)
    }

    /// The names of the built-in functions that policies may need from the host, sorted.
    pub fn builtins() -> impl Iterator<Item = &'static str> {
        builtins::TABLE.iter().map(|builtin| builtin.name)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

/// What OPA's modules need of WebAssembly and no more, and nothing whose result may differ from one
/// machine to another.
fn config() -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false);
    config
}
