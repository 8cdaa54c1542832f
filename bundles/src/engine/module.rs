//! What a module must be before anything of it runs: its imports and exports are those of OPA's
//! interface 1.2 or newer (`docs/docs/wasm.md` of OPA), no more and no less.

use wasmtime::{ExternType, FuncType, MemoryType, Module, ValType};

use super::error::CompileError;
use super::host;

const PAGE: u64 = 64 * 1024;

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

/// The globals with the interface version.
pub(super) const ABI_MAJOR: &str = "opa_wasm_abi_version";
pub(super) const ABI_MINOR: &str = "opa_wasm_abi_minor_version";

/// Checks imports and exports; returns the type of the memory the host has to provide.
pub(super) fn check(module: &Module) -> Result<MemoryType, CompileError> {
    let memory = check_imports(module)?;
    for (name, parameters, results) in EXPORTS {
        let ty = module.get_export(name);
        let fits = matches!(&ty, Some(ExternType::Func(ty)) if is_i32(ty, parameters, results));
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
        if !matches!(module.get_export(name), Some(ExternType::Global(_))) {
            return Err(CompileError::UnsupportedAbi {
                detail: format!("does not export its interface version {name}"),
            });
        }
    }
    Ok(memory)
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

fn check_imports(module: &Module) -> Result<MemoryType, CompileError> {
    let mut memory = None;
    for import in module.imports() {
        let fits = match (import.module(), import.name(), import.ty()) {
            ("env", "memory", ExternType::Memory(ty)) => {
                let plain = !ty.is_64() && !ty.is_shared() && ty.page_size() == PAGE;
                memory = Some(ty);
                plain
            }
            ("env", name, ExternType::Func(ty)) => host::import_type(name)
                .is_some_and(|(parameters, results)| is_i32(&ty, parameters.len(), results.len())),
            _ => false,
        };
        if !fits {
            return Err(CompileError::ForeignImport {
                import: describe(import.module(), import.name(), &import.ty()),
            });
        }
    }
    memory.ok_or_else(|| CompileError::UnsupportedAbi {
        detail: "does not import env.memory".to_owned(),
    })
}

fn is_i32(ty: &FuncType, parameters: usize, results: usize) -> bool {
    let all_i32 = |mut types: Box<dyn Iterator<Item = ValType> + '_>| types.all(|ty| matches!(ty, ValType::I32));
    ty.params().len() == parameters
        && ty.results().len() == results
        && all_i32(Box::new(ty.params()))
        && all_i32(Box::new(ty.results()))
}

fn describe(module: &str, name: &str, ty: &ExternType) -> String {
    let kind = match ty {
        ExternType::Func(_) => "function",
        ExternType::Global(_) => "global",
        ExternType::Table(_) => "table",
        ExternType::Memory(_) => "memory",
        ExternType::Tag(_) => "tag",
    };
    let cut = |text: &str| text.chars().take(100).collect::<String>();
    format!("{} {}.{}", kind, cut(module), cut(name))
}
