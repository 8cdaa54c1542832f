//! What a bundle's decisions cost, in fuel: about one unit an instruction of WebAssembly, the same on every machine and
//! every day. Counted on a twin of the module that live decisions do not run.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use wasmtime::Module;

use super::Engine;
use super::error::{CompileError, EvaluateError};
use super::examine::{self, Source};
use super::input;
use super::limits::Limits;
use super::sandbox::{Image, Sandbox};
use super::self_test::{self, EMPTY};
use crate::archive::Bundle;

/// Live code is faster than counted code, and a count has no hurry.
const PATIENCE: u32 = 10;
/// A tenth of the time for warming up.
const UNHURRIED: Duration = Duration::from_mins(1);

/// The cost of a bundle's golden inputs, and of the empty one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// By the name of the golden input; `{}` is the empty one.
    pub inputs: BTreeMap<String, InputCost>,
}

/// The cost of one input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InputCost {
    /// Its size as compact JSON.
    pub input_bytes: usize,
    /// Fuel for reading it, which is paid once.
    pub parse: u64,
    /// Fuel for each entry point, by path.
    pub entrypoints: BTreeMap<String, u64>,
}

pub(super) fn count(engine: &Engine, bundle: &Bundle, limits: Limits) -> Result<Cost, CompileError> {
    let source = Source::of(bundle);
    // A busy machine must not change what is counted: without the golden inputs, patterns would be compiled each time.
    let unhurried = Limits {
        deadline: limits.deadline.max(UNHURRIED),
        ..limits
    };
    let snapshot = examine::snapshot(engine, bundle, &source, unhurried)?;
    let runtime = engine.metering()?;
    let image = Module::from_binary(&runtime.engine, &snapshot.wasm)
        .and_then(|module| Image::new(runtime, &module, snapshot.about.by_memory))
        .map_err(CompileError::from_runtime)?;
    let declared = examine::find_builtins(bundle, &snapshot.about.builtins)?;
    let contexts = examine::find_contexts(&snapshot.about)?;
    let limits = Limits {
        deadline: limits.deadline.saturating_mul(PATIENCE),
        ..limits
    };
    let one = |input: &Value, now: Timestamp| -> Result<InputCost, EvaluateError> {
        let input = input::of_value(input, &limits)?;
        let mut sandbox = Sandbox::start(&image, limits, now, &declared)?;
        let full = sandbox.fuel()?;
        let parsed = sandbox.parse(&input, "input")?;
        let mut left = sandbox.fuel()?;
        let parse = full.saturating_sub(left);
        let mut entrypoints = BTreeMap::new();
        for (path, context) in &contexts {
            sandbox.restart(now);
            sandbox.evaluate(*context, path, Some(parsed))?;
            let now_left = sandbox.fuel()?;
            entrypoints.insert(path.clone(), left.saturating_sub(now_left));
            left = now_left;
        }
        Ok(InputCost {
            input_bytes: input.len(),
            parse,
            entrypoints,
        })
    };
    let empty = Value::Object(serde_json::Map::new());
    let golden = self_test::named_inputs(&source.golden);
    let inputs = golden.chain([(EMPTY, &empty, Timestamp::UNIX_EPOCH)]);
    let inputs: Result<_, EvaluateError> = inputs
        .map(|(name, input, now)| Ok((name.to_owned(), one(input, now)?)))
        .collect();
    Ok(Cost {
        inputs: inputs.map_err(CompileError::Examination)?,
    })
}
