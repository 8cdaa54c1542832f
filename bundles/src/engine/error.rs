//! What can go wrong in the engine, one enum a step. `reason()` feeds conditions, events and metrics.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

/// The engine itself cannot be built on this machine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The WebAssembly runtime refuses its configuration, for instance on an unknown processor.
    #[error("the WebAssembly runtime cannot start on this machine")]
    Runtime(#[source] Box<dyn Error + Send + Sync>),
    /// The thread that counts time for deadlines cannot be started.
    #[error("the thread that watches deadlines cannot start")]
    Ticker(#[source] std::io::Error),
    /// The folder for compiled modules cannot be made or kept to this user.
    #[error("the folder for compiled modules {} cannot be used", dir.display())]
    Cache {
        /// Which one.
        dir: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Why a bundle's module cannot become a policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The bytes are not a WebAssembly module, or one that needs a proposal which is off.
    #[error("policy.wasm is not a valid WebAssembly module: build it with `opa build -t wasm`")]
    InvalidModule(#[source] Box<dyn Error + Send + Sync>),
    /// It would take too long to compile, or too much memory.
    #[error(
        "policy.wasm would take minutes or gigabytes to compile: {detail}; split its largest rules over several packages \
         or bundles"
    )]
    ModuleTooComplex {
        /// What it has too much of.
        detail: String,
    },
    /// The module asks the host for something that is not part of OPA's interface.
    #[error(
        "policy.wasm imports {import}: a policy may import only env.memory, env.opa_builtin0 to env.opa_builtin4, \
         env.opa_abort and env.opa_println, with the types of OPA's interface"
    )]
    ForeignImport {
        /// `module.name` and its type.
        import: String,
    },
    /// An export of OPA's interface is missing or has another type, or the version does not fit.
    #[error(
        "policy.wasm {detail}: interface version 1.2 or newer is needed, as `opa build -t wasm` writes it since 0.31"
    )]
    UnsupportedAbi {
        /// What was found.
        detail: String,
    },
    /// The module needs host functions that this engine does not have.
    #[error("policy.wasm of {bundle} needs built-in functions that are not available: {}", names.join(", "))]
    MissingBuiltin {
        /// The bundle, by name or digest.
        bundle: String,
        /// The functions, sorted, each with why it is refused for ever where it is.
        names: Vec<String>,
    },
    /// The manifest names an entry point that the module does not have, or none at all.
    #[error("{detail}: build with `opa build -t wasm -e <path>`")]
    NoEntrypoint {
        /// Which one is missing.
        detail: String,
    },
    /// The `catalogue` entry point does not return a catalogue.
    #[error("entry point {entrypoint:?} does not return a catalogue: {detail}")]
    MalformedCatalogue {
        /// The entry point's path.
        entrypoint: String,
        /// Which gate and field, and what is wrong with it.
        detail: String,
    },
    /// The module already fails while it is looked at: its start function, its tables or its
    /// catalogue break a limit or trap.
    #[error("policy.wasm fails while it is examined")]
    Examination(#[source] EvaluateError),
}

/// Why an evaluation has no answer. Never to be read as an allow.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The guest asked for more linear memory than the limit.
    #[error("the policy needs more than {limit} bytes of memory: it asked for {asked}")]
    MemoryLimit {
        /// The limit in bytes.
        limit: usize,
        /// What it would have had in bytes.
        asked: usize,
    },
    /// The time is up.
    #[error("the policy did not answer within {deadline:?}")]
    DeadlineExceeded {
        /// The limit.
        deadline: Duration,
    },
    /// The guest trapped: a fault of the policy module, or its call stack is exhausted.
    #[error("the policy trapped")]
    Trap(#[source] Box<dyn Error + Send + Sync>),
    /// The guest gave up by itself, for instance over two values for one variable.
    #[error("the policy stopped: {message}")]
    Aborted {
        /// What it said, at most 1,024 characters; OPA puts the position in the source first.
        message: String,
    },
    /// The result document is larger than the limit.
    #[error("the result of {entrypoint:?} is larger than {limit} bytes")]
    ResultTooLarge {
        /// The entry point, or the export, that returned it.
        entrypoint: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The input document is larger than the limit.
    #[error("the input is larger than {limit} bytes")]
    InputTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The input document is nested deeper than the limit.
    #[error("the input is nested deeper than {limit} levels")]
    InputTooDeep {
        /// The limit in levels.
        limit: usize,
    },
    /// The guest could not read a document that the host wrote. OPA's own hosts go on with an
    /// undefined input here, on which a deny list allows everything.
    #[error("the policy could not read its {document}")]
    NotParsed {
        /// `input` or `data`.
        document: &'static str,
    },
    /// An export handed out an address that lies outside its memory or a text without an end.
    #[error("{export} of policy.wasm returned address {address:#x}, which is {fault}")]
    BadAddress {
        /// The export.
        export: &'static str,
        /// What it returned.
        address: u32,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A built-in function met a limit of the host. Not the same as undefined, which would turn
    /// `not f(x)` true.
    #[error("built-in function {name} cannot answer: {detail}")]
    Builtin {
        /// The function.
        name: &'static str,
        /// Which limit.
        detail: String,
    },
    /// The guest called a host function that it had not declared, or with the wrong arguments.
    #[error("the policy called built-in number {id} with {arguments} arguments, which it did not declare")]
    UndeclaredBuiltin {
        /// The number.
        id: i32,
        /// How many arguments it gave.
        arguments: usize,
    },
    /// As many decisions are running as may, and none ended within the deadline.
    #[error("{limit} decisions were running and none ended within {deadline:?}: allow more at a time, or a longer one")]
    Busy {
        /// How many may run at the same time.
        limit: usize,
        /// How long this one waited.
        deadline: Duration,
    },
    /// The input is not one JSON document without ambiguity.
    #[error("the input is not strict JSON: {detail}")]
    MalformedInput {
        /// What is wrong, and at which byte.
        detail: String,
    },
    /// The bundle has no such entry point.
    #[error("the bundle has no entry point {entrypoint:?}: it has {}", known.join(", "))]
    NoSuchEntrypoint {
        /// What was asked for.
        entrypoint: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A decision entry point has no value. For a policy this is a hole, not an answer.
    #[error("entry point {entrypoint:?} is undefined for this input: give the rule a default, or let it be a set")]
    Undefined {
        /// The entry point.
        entrypoint: String,
    },
    /// A result document does not have the shape of the policy contract.
    #[error("the result of the policy is malformed at {path}: {detail}")]
    MalformedResult {
        /// Where: entry point and the way inside its document.
        path: String,
        /// Found and wanted.
        detail: String,
    },
}

/// Why a compiled bundle must not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelfTestError {
    /// `data.interlock.golden` is not what the contract says.
    #[error("golden input {name:?} is malformed: {detail}")]
    MalformedGolden {
        /// Its key.
        name: String,
        /// Found and wanted.
        detail: String,
    },
    /// A golden input was judged otherwise than its author wants.
    #[error("golden input {name:?}: gate {gate:?} should be {want}, is {got}")]
    GoldenMismatch {
        /// Its key.
        name: String,
        /// The gate.
        gate: String,
        /// The outcome its author wants.
        want: String,
        /// The outcome now, or `absent`.
        got: String,
    },
    /// A golden input, or the empty one, could not be judged at all.
    #[error("input {name:?} cannot be judged")]
    Evaluate {
        /// The golden input's key, or `{}`.
        name: String,
        /// Why.
        #[source]
        source: EvaluateError,
    },
    /// A gate lets an input through that says nothing: the empty one, or none at all.
    #[error(
        "gate {} passes on the empty input {{}}, or without one (pass, warn or skip): let it through only on evidence",
        gates.join(", ")
    )]
    PassesOnEmptyInput {
        /// The gates, sorted.
        gates: Vec<String>,
    },
}

impl CompileError {
    /// A stable CamelCase word for conditions and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::InvalidModule(_) => "InvalidModule",
            Self::ModuleTooComplex { .. } => "ModuleTooComplex",
            Self::ForeignImport { .. } => "ForeignImport",
            Self::UnsupportedAbi { .. } => "UnsupportedAbi",
            Self::MissingBuiltin { .. } => "MissingBuiltin",
            Self::NoEntrypoint { .. } => "NoEntrypoint",
            Self::MalformedCatalogue { .. } => "MalformedCatalogue",
            Self::Examination(source) => source.reason(),
        }
    }
}

impl CompileError {
    /// What the runtime or the snapshot tool refuses.
    pub(super) fn from_runtime(error: wasmtime::Error) -> Self {
        Self::InvalidModule(error.into_boxed_dyn_error())
    }
}

impl EvaluateError {
    /// A stable CamelCase word for conditions and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::MemoryLimit { .. } => "MemoryLimit",
            Self::DeadlineExceeded { .. } => "DeadlineExceeded",
            Self::Trap(_) => "Trap",
            Self::Aborted { .. } => "Aborted",
            Self::ResultTooLarge { .. } => "ResultTooLarge",
            Self::InputTooLarge { .. } => "InputTooLarge",
            Self::InputTooDeep { .. } => "InputTooDeep",
            Self::NotParsed { .. } => "NotParsed",
            Self::BadAddress { .. } => "BadAddress",
            Self::Builtin { .. } => "BuiltinLimit",
            Self::UndeclaredBuiltin { .. } => "UndeclaredBuiltin",
            Self::Busy { .. } => "ConcurrencyLimit",
            Self::MalformedInput { .. } => "MalformedInput",
            Self::NoSuchEntrypoint { .. } => "NoSuchEntrypoint",
            Self::Undefined { .. } => "Undefined",
            Self::MalformedResult { .. } => "MalformedResult",
        }
    }

    pub(super) fn outside(export: &'static str, address: i32) -> Self {
        Self::BadAddress {
            export,
            address: address.cast_unsigned(),
            fault: "outside its memory",
        }
    }

    /// What the runtime reports: one of our own errors if the host raised it, else a trap. A trap comes wrapped in a
    /// backtrace of up to twenty lines of unnamed functions, which a condition has no room for and nobody could read.
    pub(super) fn from_runtime(error: wasmtime::Error) -> Self {
        let trap = |error: wasmtime::Error| match error.downcast::<wasmtime::Trap>() {
            Ok(trap) => Self::Trap(Box::new(trap)),
            Err(other) => Self::Trap(other.into_boxed_dyn_error()),
        };
        error.downcast::<Self>().unwrap_or_else(trap)
    }
}

impl SelfTestError {
    /// A stable CamelCase word for conditions and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::MalformedGolden { .. } => "MalformedGolden",
            Self::GoldenMismatch { .. } => "GoldenMismatch",
            Self::Evaluate { source, .. } => source.reason(),
            Self::PassesOnEmptyInput { .. } => "PassesOnEmptyInput",
        }
    }
}
