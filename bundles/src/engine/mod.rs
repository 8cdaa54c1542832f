//! Runs policies: OPA's WebAssembly modules, each decision in a sandbox of its own that starts from a snapshot.
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
mod cost;
mod decimal;
mod effort;
mod error;
mod examine;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod host;
#[cfg(test)]
mod hostile_tests;
mod input;
mod limits;
#[cfg(feature = "measure")]
mod measure;
mod module;
mod policy;
mod quote;
mod room;
mod runtime;
mod sandbox;
mod self_test;
mod slots;
mod snapshot;
mod stored;
mod term;
mod ticker;
mod value;

use std::path::Path;
use std::sync::{Arc, OnceLock};

pub use cost::{Cost, InputCost};
pub use error::{CompileError, EngineError, EvaluateError, SelfTestError};
pub use limits::Limits;
#[cfg(feature = "measure")]
pub use measure::{Reused, parts};
pub use policy::Policy;

use crate::archive::Bundle;
use runtime::Runtime;
use stored::Stored;

/// The WebAssembly runtime and its clock; one a process is enough. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    live: Runtime,
    draft: Runtime,
    metering: Arc<OnceLock<Runtime>>,
    stored: Option<Arc<Stored>>,
}

impl Engine {
    /// Configures the runtime and starts the threads that watch deadlines; they sleep while nothing
    /// is evaluated and end with the last engine and policy.
    pub fn new() -> Result<Self, EngineError> {
        Ok(Self {
            live: Runtime::live()?,
            draft: Runtime::draft()?,
            metering: Arc::default(),
            stored: None,
        })
    }

    /// The same with a folder for compiled modules, which is made if needed and belongs to this engine alone: a bundle
    /// that was compiled before, by this version on such a processor, is mapped from there in a millisecond.
    pub fn with_cache(dir: &Path) -> Result<Self, EngineError> {
        let stored = Stored::open(dir).map_err(|source| EngineError::Cache {
            dir: dir.to_owned(),
            source,
        })?;
        Ok(Self {
            stored: Some(Arc::new(stored)),
            ..Self::new()?
        })
    }

    /// Compiles a bundle and examines it. Takes some 200 ms for a usual bundle; call it where
    /// blocking is allowed.
    pub fn compile(&self, bundle: &Bundle, limits: Limits) -> Result<Policy, CompileError> {
        examine::compile(self, bundle, limits)
    }

    /// Counts what the bundle's golden inputs cost. Takes longer than compiling it.
    pub fn cost(&self, bundle: &Bundle, limits: Limits) -> Result<Cost, CompileError> {
        cost::count(self, bundle, limits)
    }

    /// The names of the built-in functions that policies may need from the host, sorted.
    pub fn builtins() -> impl Iterator<Item = &'static str> {
        builtins::all().map(|builtin| builtin.name)
    }

    /// The runtime that counts fuel, which only the command line needs.
    fn metering(&self) -> Result<&Runtime, CompileError> {
        if let Some(runtime) = self.metering.get() {
            return Ok(runtime);
        }
        let runtime = Runtime::metering().map_err(|error| CompileError::InvalidModule(error.into()))?;
        Ok(self.metering.get_or_init(|| runtime))
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}
