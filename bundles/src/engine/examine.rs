//! From an opened bundle to a policy: everything that can be found out before the first decision.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use wasmtime::{MemoryType, Module};

use super::Engine;
use super::builtins::{self, Builtin, Context};
use super::contract::{self, Role};
use super::error::CompileError;
use super::host::Declared;
use super::limits::Limits;
use super::module::{self, ABI_MAJOR, ABI_MINOR};
use super::policy::{Identity, Parts, Policy};
use super::sandbox::{EntrypointId, Plan, Sandbox};
use super::term::Term;
use crate::archive::Bundle;
use crate::catalogue::Catalogue;

/// What a module says about itself.
struct Tables {
    builtins: Vec<(String, i32)>,
    entrypoints: BTreeMap<String, EntrypointId>,
}

pub(super) fn compile(engine: &Engine, bundle: &Bundle, limits: Limits) -> Result<Policy, CompileError> {
    let module = Module::from_binary(&engine.runtime, bundle.wasm())
        .map_err(|error| CompileError::InvalidModule(error.into_boxed_dyn_error()))?;
    let memory = module::check(&module)?;
    let tables = read_tables(engine, &module, &memory, limits)?;
    let (data, golden) = split_golden(bundle.data());
    let parts = Parts {
        ticker: Arc::clone(&engine.ticker),
        limits,
        declared: find_builtins(bundle, &tables.builtins)?,
        entrypoints: find_entrypoints(bundle, &tables.entrypoints)?,
        data: data.to_string().into_bytes(),
        golden,
        catalogue: None,
        identity: identity(bundle),
        memory,
        module,
    };
    with_catalogue(parts)
}

/// Runs the module's start function and asks for its version and tables. No built-in function is
/// declared yet, so calling one is an error.
fn read_tables(engine: &Engine, module: &Module, memory: &MemoryType, limits: Limits) -> Result<Tables, CompileError> {
    let mut sandbox = Sandbox::start(Plan {
        ticker: &engine.ticker,
        module,
        memory,
        limits,
        context: Context {
            now: Timestamp::UNIX_EPOCH,
        },
        declared: Declared::from([]),
    })
    .map_err(CompileError::Examination)?;
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

fn find_builtins(bundle: &Bundle, needed: &[(String, i32)]) -> Result<Declared, CompileError> {
    let mut found: Vec<(i32, &'static Builtin)> = Vec::new();
    let mut missing = Vec::new();
    for (name, id) in needed {
        match builtins::find(name) {
            Some(builtin) => found.push((*id, builtin)),
            None => missing.push(describe_missing(name)),
        }
    }
    if missing.is_empty() {
        return Ok(found.into());
    }
    missing.sort_unstable();
    Err(CompileError::MissingBuiltin {
        bundle: bundle.name().map_or_else(|| bundle.digest().to_string(), str::to_owned),
        names: missing,
    })
}

fn describe_missing(name: &str) -> String {
    let name: String = name.chars().take(100).collect();
    match builtins::refusal(&name) {
        Some(why) => format!("{name} (never available: {why})"),
        None => name,
    }
}

/// The manifest says which entry points there are, the module which numbers they have. Further ones
/// of the module (dependents that `opa build` adds) are in the manifest too, or do not count.
fn find_entrypoints(
    bundle: &Bundle,
    of_module: &BTreeMap<String, EntrypointId>,
) -> Result<BTreeMap<String, EntrypointId>, CompileError> {
    let find = |path: &str| {
        let id = of_module.get(path).ok_or_else(|| CompileError::NoEntrypoint {
            detail: format!("the manifest names entry point {path:?}, which policy.wasm does not have"),
        })?;
        Ok((path.to_owned(), *id))
    };
    let found: BTreeMap<_, _> = bundle.entrypoints().map(find).collect::<Result<_, CompileError>>()?;
    if found.keys().all(|path| Role::of(path) == Role::Catalogue) {
        return Err(CompileError::NoEntrypoint {
            detail: "the bundle has no entry point that decides anything".to_owned(),
        });
    }
    Ok(found)
}

/// Takes `interlock.golden` out of the data: golden inputs are for the self-test only.
fn split_golden(data: &Value) -> (Value, Value) {
    let mut data = data.clone();
    let own = data.get_mut("interlock").and_then(Value::as_object_mut);
    let golden = own.and_then(|own| own.remove("golden"));
    (data, golden.unwrap_or_default())
}

fn identity(bundle: &Bundle) -> Identity {
    Identity {
        digest: bundle.digest(),
        name: bundle.name().map(str::to_owned),
        revision: bundle.revision().map(str::to_owned),
        provenance: bundle.provenance().clone(),
    }
}

/// A catalogue is the same for every input and instant: it is read once.
fn with_catalogue(mut parts: Parts) -> Result<Policy, CompileError> {
    let mut catalogues = parts
        .entrypoints
        .iter()
        .filter(|(path, _)| Role::of(path) == Role::Catalogue);
    let malformed = |entrypoint: &str, detail: String| CompileError::MalformedCatalogue {
        entrypoint: entrypoint.to_owned(),
        detail,
    };
    let Some((path, id)) = catalogues.next() else {
        return Ok(Policy::new(parts));
    };
    if let Some((second, _)) = catalogues.next() {
        return Err(malformed(
            second,
            format!("the bundle has another one, {path:?}: have one for all gates"),
        ));
    }
    let empty = Value::Object(serde_json::Map::new());
    let documents = parts
        .documents(&[(path, *id)], &empty, Timestamp::UNIX_EPOCH)
        .map_err(CompileError::Examination)?;
    let document = documents.first().unwrap_or(&Value::Null);
    let value = contract::value(path, document).map_err(|error| malformed(path, error.to_string()))?;
    let catalogue = Catalogue::read(value).map_err(|error| malformed(path, error.to_string()))?;
    parts.catalogue = Some(catalogue);
    Ok(Policy::new(parts))
}
