//! From an opened bundle to a policy: everything that can be found out before the first decision.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use wasmtime::Module;

use super::Engine;
use super::address::ContextAddress;
use super::builtins::{self, Builtin};
use super::contract::{self, Role};
use super::error::{CompileError, EvaluateError};
use super::host::Declared;
use super::limits::Limits;
use super::policy::{Identity, Parts, Policy};
use super::sandbox::Image;
use super::slots::Slots;
use super::snapshot::{self, About, Snapshot};
use super::stored::Key;
use crate::archive::Bundle;
use crate::catalogue::Catalogue;

pub(super) fn compile(engine: &Engine, bundle: &Bundle, limits: Limits) -> Result<Policy, CompileError> {
    let source = Source::of(bundle);
    let (module, about) = ready(engine, bundle, &source, limits)?;
    let image = Image::new(&engine.live, &module, about.by_memory).map_err(CompileError::from_runtime)?;
    with_catalogue(Parts {
        image,
        limits,
        slots: Arc::new(Slots::new(limits.concurrency)),
        declared: find_builtins(bundle, &about.builtins)?,
        entrypoints: find_contexts(&about)?,
        golden: source.golden,
        catalogue: None,
        identity: identity(bundle),
    })
}

/// The bundle's data as JSON without the golden inputs, which a decision could read otherwise, and these.
pub(super) struct Source {
    pub(super) data: Vec<u8>,
    pub(super) golden: Value,
}

impl Source {
    pub(super) fn of(bundle: &Bundle) -> Self {
        Self {
            data: bundle.data_without(&["interlock", "golden"]).into_bytes(),
            golden: bundle.data().pointer("/interlock/golden").cloned().unwrap_or_default(),
        }
    }
}

/// The module ready for decisions: mapped from the disk, or made ready now.
fn ready(engine: &Engine, bundle: &Bundle, source: &Source, limits: Limits) -> Result<(Module, About), CompileError> {
    let compile = |snapshot: &Snapshot| {
        Module::from_binary(&engine.live.engine, &snapshot.wasm).map_err(CompileError::from_runtime)
    };
    let Some(stored) = &engine.stored else {
        let snapshot = snapshot(engine, bundle, source, limits)?;
        return Ok((compile(&snapshot)?, snapshot.about));
    };
    let golden = source.golden.to_string();
    let entrypoints: Vec<&str> = bundle.entrypoints().collect();
    let entrypoints = Value::from(entrypoints).to_string();
    let inputs = [
        bundle.wasm(),
        &source.data,
        golden.as_bytes(),
        entrypoints.as_bytes(),
        &limits.of_snapshot(),
    ];
    let key = Key::of(&engine.live, inputs);
    if let Some(found) = stored.load(&engine.live, &key) {
        return Ok(found);
    }
    let snapshot = snapshot(engine, bundle, source, limits)?;
    if snapshot.hurried {
        return Ok((compile(&snapshot)?, snapshot.about));
    }
    let module = stored.store(&engine.live, &key, &snapshot).or_else(|error| {
        tracing::warn!(%error, "a compiled module cannot be stored: the next start will compile it again");
        compile(&snapshot)
    })?;
    Ok((module, snapshot.about))
}

pub(super) fn snapshot(
    engine: &Engine,
    bundle: &Bundle,
    source: &Source,
    limits: Limits,
) -> Result<Snapshot, CompileError> {
    let parts = snapshot::Parts {
        wasm: bundle.wasm(),
        data: &source.data,
        golden: &source.golden,
        limits,
        warm: true,
    };
    snapshot::take(&engine.draft, &parts, |tables| {
        Ok((
            find_builtins(bundle, &tables.builtins)?,
            find_entrypoints(bundle, &tables.entrypoints)?,
        ))
    })
}

pub(super) fn find_builtins(bundle: &Bundle, needed: &[(String, i32)]) -> Result<Declared, CompileError> {
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
fn find_entrypoints(bundle: &Bundle, of_module: &BTreeMap<String, i32>) -> Result<BTreeMap<String, i32>, CompileError> {
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

pub(super) fn find_contexts(about: &About) -> Result<BTreeMap<String, ContextAddress>, CompileError> {
    let contexts = about.contexts.iter();
    let found: Result<_, EvaluateError> = contexts
        .map(|(path, at)| Ok((path.clone(), ContextAddress::new(*at)?)))
        .collect();
    found.map_err(CompileError::Examination)
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
    let Some((path, context)) = catalogues.next() else {
        return Ok(Policy::new(parts));
    };
    if let Some((second, _)) = catalogues.next() {
        return Err(malformed(
            second,
            format!("the bundle has another one, {path:?}: have one for all gates"),
        ));
    }
    let result = parts
        .result((path, *context), Some(b"{}"), Timestamp::UNIX_EPOCH)
        .map_err(CompileError::Examination)?;
    let document = result.to_json();
    let value = contract::value(path, &document).map_err(|error| malformed(path, error.to_string()))?;
    let catalogue = Catalogue::read(value).map_err(|error| malformed(path, error.to_string()))?;
    parts.catalogue = Some(catalogue);
    Ok(Policy::new(parts))
}
