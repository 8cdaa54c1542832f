//! What a module must be before anything of it runs: its imports and exports are those of OPA's
//! interface 1.2 or newer (`docs/docs/wasm.md` of OPA), no more and no less. And how it comes to own its memory.
//!
//! OPA's modules import their memory. One that defines it can be started from a snapshot, so the import is taken out
//! and a memory put in its place that has room for the module's data; no index moves, because it is the only memory there
//! is.

use std::convert::Infallible;

use wasm_encoder::reencode::{Reencode as _, RoundtripReencoder};
use wasm_encoder::{ImportSection, MemorySection, RawSection, SectionId};
use wasmparser::types::{EntityType, Types};
use wasmparser::{DataKind, FuncType, MemoryType, Operator, Parser, Payload, SubType, TypeRef, ValType, WasmFeatures};

use super::effort;
use super::error::CompileError;
use super::host;

type Error = wasm_encoder::reencode::Error<Infallible>;

/// The exports that are called, with the number of `i32` they take and return.
const EXPORTS: [(&str, usize, usize); 12] = [
    ("builtins", 0, 1),
    ("entrypoints", 0, 1),
    ("eval", 1, 1),
    ("opa_malloc", 1, 1),
    ("opa_value_parse", 2, 1),
    ("opa_value_dump", 1, 1),
    ("opa_eval_ctx_new", 0, 1),
    ("opa_eval_ctx_set_input", 2, 0),
    ("opa_eval_ctx_set_data", 2, 0),
    ("opa_eval_ctx_set_entrypoint", 2, 0),
    ("opa_eval_ctx_get_result", 1, 1),
    ("opa_json_dump", 1, 1),
];

/// The module's memory, exported under this name since interface 1.1.
pub(super) const MEMORY: &str = "memory";

/// Bytes of a page of memory, and the pages that 32 bits can tell apart.
const PAGE: u64 = 64 * 1024;
const PAGES_MAX: u64 = 64 * 1024;

/// The globals with the interface version.
pub(super) const ABI_MAJOR: &str = "opa_wasm_abi_version";
pub(super) const ABI_MINOR: &str = "opa_wasm_abi_minor_version";

/// The proposals that are off; the runtime's configuration says the same.
const OFF: WasmFeatures = WasmFeatures::RELAXED_SIMD
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::MEMORY64)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::CUSTOM_PAGE_SIZES)
    .union(WasmFeatures::THREADS)
    .union(WasmFeatures::GC)
    .union(WasmFeatures::EXCEPTIONS);

/// Checks imports and exports, and returns the module with a memory of its own.
pub(super) fn own_memory(wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
    let features = WasmFeatures::default().difference(OFF);
    let types = effort::validate(wasm, features)?;
    let memory = check_imports(&types)?;
    check_exports(&types)?;
    rewrite(wasm, memory).map_err(|error| CompileError::InvalidModule(error.to_string().into()))
}

fn check_exports(types: &Types) -> Result<(), CompileError> {
    let types = types.as_ref();
    let export = |name: &str| {
        types
            .core_exports()
            .into_iter()
            .flatten()
            .find(|(found, _)| *found == name)
    };
    for (name, parameters, results) in EXPORTS {
        let ty = export(name).map(|(_, ty)| ty);
        let fits = match ty {
            Some(EntityType::Func(id)) => is_i32(types.get(id).map(SubType::unwrap_func), parameters, results),
            _ => false,
        };
        if !fits {
            let found = if ty.is_some() {
                "exports with another type"
            } else {
                "does not export"
            };
            return Err(CompileError::UnsupportedAbi {
                detail: format!("{found} the function {name}"),
            });
        }
    }
    for name in [ABI_MAJOR, ABI_MINOR] {
        if !matches!(export(name), Some((_, EntityType::Global(_)))) {
            return Err(CompileError::UnsupportedAbi {
                detail: format!("does not export its interface version {name}"),
            });
        }
    }
    if !matches!(export(MEMORY), Some((_, EntityType::Memory(_)))) {
        return Err(CompileError::UnsupportedAbi {
            detail: format!("does not export its memory as {MEMORY}"),
        });
    }
    Ok(())
}

/// The version the module says it was built for.
pub(super) fn check_version(major: Option<i32>, minor: Option<i32>) -> Result<(), CompileError> {
    match (major, minor) {
        (Some(1), Some(2..)) => Ok(()),
        (Some(major), Some(minor)) => Err(CompileError::UnsupportedAbi {
            detail: format!("has interface version {major}.{minor}"),
        }),
        _ => Err(CompileError::UnsupportedAbi {
            detail: "has an interface version that is not an i32".to_owned(),
        }),
    }
}

/// The type of the memory that the module imports.
fn check_imports(types: &Types) -> Result<MemoryType, CompileError> {
    let types = types.as_ref();
    let mut memory = None;
    for (module, name, ty) in types.core_imports().into_iter().flatten() {
        let fits = match (module, name, ty) {
            ("env", "memory", EntityType::Memory(ty)) => {
                let plain = !ty.memory64 && !ty.shared && ty.page_size_log2.is_none();
                memory = Some(ty);
                plain
            }
            ("env", name, EntityType::Func(id)) => host::import_type(name).is_some_and(|(parameters, results)| {
                is_i32(types.get(id).map(SubType::unwrap_func), parameters, results)
            }),
            _ => false,
        };
        if !fits {
            return Err(CompileError::ForeignImport {
                import: describe(module, name, ty),
            });
        }
    }
    memory.ok_or_else(|| CompileError::UnsupportedAbi {
        detail: "does not import env.memory".to_owned(),
    })
}

fn is_i32(ty: Option<&FuncType>, parameters: usize, results: usize) -> bool {
    ty.is_some_and(|ty| {
        let mut all = ty.params().iter().chain(ty.results());
        ty.params().len() == parameters && ty.results().len() == results && all.all(|ty| *ty == ValType::I32)
    })
}

fn describe(module: &str, name: &str, ty: EntityType) -> String {
    let kind = match ty {
        EntityType::Func(_) | EntityType::FuncExact(_) => "function",
        EntityType::Global(_) => "global",
        EntityType::Table(_) => "table",
        EntityType::Memory(_) => "memory",
        EntityType::Tag(_) => "tag",
    };
    let cut = |text: &str| text.chars().take(100).collect::<String>();
    format!("{} {}.{}", kind, cut(module), cut(name))
}

/// Copies the module section by section; only the imports change, and a memory section is added.
fn rewrite(wasm: &[u8], mut memory: MemoryType) -> Result<Vec<u8>, Error> {
    // What cannot be anywhere is for the runtime to refuse.
    let pages = Some(data_end(wasm)?.div_ceil(PAGE)).filter(|pages| *pages <= PAGES_MAX);
    memory.initial = memory.initial.max(pages.unwrap_or_default());
    let mut memories = MemorySection::new();
    memories.memory(RoundtripReencoder.memory_type(memory)?);
    let mut module = wasm_encoder::Module::new();
    let mut is_placed = false;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        if !is_placed && comes_after_memories(id) {
            module.section(&memories);
            is_placed = true;
        }
        if let Payload::ImportSection(imports) = payload {
            module.section(&without_memory(imports)?);
        } else {
            let data = wasm.get(range).unwrap_or_default();
            module.section(&RawSection { id, data });
        }
    }
    if !is_placed {
        module.section(&memories);
    }
    Ok(module.finish())
}

/// Where the data ends that a module begins with. OPA's compiler writes down how much memory it needs before it places the
/// last of it, so that the memory which a module asks for may be a page short; OPA's own host gives sixteen if nobody says
/// otherwise.
fn data_end(wasm: &[u8]) -> Result<u64, Error> {
    let mut end = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::DataSection(section) = payload? else {
            continue;
        };
        for data in section {
            let data = data?;
            let DataKind::Active { offset_expr, .. } = data.kind else {
                continue;
            };
            if let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? {
                end = end.max(u64::from(value.cast_unsigned()) + data.data.len() as u64);
            }
        }
    }
    Ok(end)
}

fn without_memory(section: wasmparser::ImportSectionReader<'_>) -> Result<ImportSection, Error> {
    let mut imports = ImportSection::new();
    for import in section.into_imports() {
        let import = import?;
        if !matches!(import.ty, TypeRef::Memory(_)) {
            let ty = RoundtripReencoder.entity_type(import.ty)?;
            imports.import(import.module, import.name, ty);
        }
    }
    Ok(imports)
}

fn comes_after_memories(id: u8) -> bool {
    let before = [
        SectionId::Custom,
        SectionId::Type,
        SectionId::Import,
        SectionId::Function,
        SectionId::Table,
    ];
    !before.into_iter().any(|section| u8::from(section) == id)
}
