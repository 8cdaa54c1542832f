//! What benchmarks need to see of the engine, and nobody else.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use wasmtime::TypedFunc;

use super::address::ContextAddress;
use super::builtins::Context;
use super::error::EvaluateError;
use super::input;
use super::limits::Limits;
use super::policy::Policy;
use super::sandbox::Sandbox;

/// An instance that decides again and again, as OPA's own hosts let it: the heap is set back, nothing is cleaned.
pub struct Reused {
    sandbox: Sandbox,
    limits: Limits,
    context: ContextAddress,
    set_mark: TypedFunc<i32, ()>,
    mark: i32,
}

impl Policy {
    /// An instance to be used more than once.
    pub fn reused(&self, entrypoint: &str) -> Result<Reused, EvaluateError> {
        let context = *self
            .parts()
            .entrypoints
            .get(entrypoint)
            .ok_or(EvaluateError::Undefined {
                entrypoint: entrypoint.to_owned(),
            })?;
        let mut sandbox = self.instance()?;
        let mark: TypedFunc<(), i32> = sandbox.export("opa_heap_ptr_get")?;
        Ok(Reused {
            limits: self.parts().limits,
            context,
            set_mark: sandbox.export("opa_heap_ptr_set")?,
            mark: sandbox.call(&mark, ())?,
            sandbox,
        })
    }

    /// How long an instance takes to start, and to be cleaned up after a decision: what isolation costs.
    pub fn lifetime(&self, entrypoint: &str, input: &[u8]) -> Result<(Duration, Duration), EvaluateError> {
        let context = self.parts().entrypoints.get(entrypoint).copied();
        let context = context.ok_or(EvaluateError::Undefined {
            entrypoint: entrypoint.to_owned(),
        })?;
        let since = Instant::now();
        let mut instance = self.instance()?;
        let start = since.elapsed();
        let parsed = instance.parse(input, "input")?;
        instance.evaluate(context, entrypoint, Some(parsed))?;
        let since = Instant::now();
        drop(instance);
        Ok((start, since.elapsed()))
    }

    fn instance(&self) -> Result<Sandbox, EvaluateError> {
        let parts = self.parts();
        Sandbox::start(&parts.image, parts.limits, Timestamp::UNIX_EPOCH, &parts.declared)
    }
}

impl Reused {
    /// From bytes to bytes, in the same instance.
    pub fn decide(&mut self, input: &[u8]) -> Result<Vec<u8>, EvaluateError> {
        input::check(input, &self.limits)?;
        self.sandbox.restart(Timestamp::UNIX_EPOCH);
        let set_mark = self.set_mark.clone();
        self.sandbox.call(&set_mark, self.mark)?;
        let parsed = self.sandbox.parse(input, "input")?;
        let result = self.sandbox.evaluate(self.context, "reused", Some(parsed))?;
        Ok(result.to_json_text().into_bytes())
    }
}

/// The parts of a decision, one by one.
pub mod parts {
    use super::super::builtins::{self, Builtin};
    use super::super::room::Room;
    use super::super::term::Term;
    use super::super::value::{Block, read};
    use super::{Context, EvaluateError, Limits, Timestamp, input};

    const DEPTH: usize = 64;
    const BYTES: usize = 16 << 20;

    /// Holds an input to strict JSON.
    pub fn check_input(input: &[u8]) -> Result<(), EvaluateError> {
        input::check(input, &Limits::default())
    }

    /// A value of OPA.
    pub struct Value(Term);

    impl Value {
        /// From Rego's text of it.
        pub fn parse(text: &str) -> Option<Self> {
            Term::parse(text, DEPTH).ok().map(Self)
        }

        /// Laid out as in a guest's memory, and read from there.
        pub fn through_memory(&self) -> Option<Self> {
            let (bytes, root) = Block::of(&self.0)?.at(0)?;
            read(&bytes, root, BYTES, DEPTH, &mut Room::new()).ok().map(Self)
        }

        /// Written as text, and read from there.
        pub fn through_text(&self) -> Option<Self> {
            Self::parse(&self.0.to_guest())
        }
    }

    /// A call of a host function.
    pub struct Call {
        builtin: &'static Builtin,
        arguments: Vec<Term>,
    }

    impl Call {
        /// From `name(arguments)`.
        pub fn parse(text: &str) -> Option<Self> {
            let (name, arguments) = text.strip_suffix(')')?.split_once('(')?;
            let Term::Array(arguments) = Term::parse(&format!("[{arguments}]"), DEPTH).ok()? else {
                return None;
            };
            let builtin = builtins::find(name)?;
            Some(Self { builtin, arguments })
        }

        /// Whether it has a value.
        pub fn answer(&self) -> bool {
            let context = Context {
                now: Timestamp::UNIX_EPOCH,
                regex_bytes: Limits::default().regex_bytes,
            };
            (self.builtin.call)(&context, &self.arguments).is_ok()
        }
    }
}
