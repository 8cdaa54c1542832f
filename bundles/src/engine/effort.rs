//! What of a module's code would take the compiler minutes or gigabytes, although it is small. Nothing interrupts a
//! compilation, so such a module has to be known before.

use wasmparser::{FunctionBody, Operator, Parser, Payload};

use super::error::CompileError;

/// For each function, its locals by the depth of its loops: at every turn of every loop each local has to be somewhere.
/// The shipped bundles have 213 at most; 48,000 take the compiler ten seconds.
const MAX_LOCALS_BY_LOOPS: usize = 10_000;
/// Targets of all branch tables together. The shipped bundles have 1,603; a million takes a gigabyte.
const MAX_BRANCHES: usize = 50_000;
/// For each function, its locals by its branches and blocks: the compiler keeps a table of both. The shipped bundles have
/// 18,600 at most; a billion takes gigabytes.
const MAX_LOCALS_BY_BRANCHES: usize = 2_000_000;
/// The same for all functions together. The shipped bundles have half a million.
const MAX_LOCALS_BY_BRANCHES_IN_ALL: usize = 50_000_000;
/// Blocks in each other. The shipped bundles have 33; 20,000 take seconds.
const MAX_NESTING: usize = 2_000;

/// Checks a module that was validated.
pub(super) fn check(wasm: &[u8]) -> Result<(), CompileError> {
    let (mut branches, mut tables) = (0_usize, 0_usize);
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CodeSectionEntry(body) = payload.map_err(invalid)? {
            let effort = check_function(&body)?;
            branches = branches.saturating_add(effort.targets);
            tables = tables.saturating_add(effort.locals_by_branches);
        }
    }
    within(
        tables,
        MAX_LOCALS_BY_BRANCHES_IN_ALL,
        "locals by branches of all functions",
    )?;
    within(branches, MAX_BRANCHES, "targets of branch tables")
}

/// What adds up over functions.
struct Effort {
    /// Targets of branch tables.
    targets: usize,
    locals_by_branches: usize,
}

/// Parameters are not among a body's locals; a function has some, and a value of its own for each local.
const PARAMETERS: usize = 16;

/// Checks one function.
fn check_function(body: &FunctionBody<'_>) -> Result<Effort, CompileError> {
    let mut locals = 0_usize;
    for group in body.get_locals_reader().map_err(invalid)? {
        let (count, _) = group.map_err(invalid)?;
        locals = locals.saturating_add(count as usize);
    }
    let (mut targets_of_tables, mut branches) = (0_usize, 0_usize);
    let (mut blocks, mut loops, mut deepest) = (Vec::new(), 0_usize, 0_usize);
    for operator in body.get_operators_reader().map_err(invalid)? {
        let operator = operator.map_err(invalid)?;
        branches = branches.saturating_add(match &operator {
            Operator::BrTable { targets } => targets.len() as usize,
            Operator::Loop { .. }
            | Operator::Block { .. }
            | Operator::If { .. }
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. } => 1,
            _ => 0,
        });
        match operator {
            Operator::Loop { .. } => {
                blocks.push(true);
                loops += 1;
                deepest = deepest.max(loops);
            }
            Operator::Block { .. } | Operator::If { .. } => blocks.push(false),
            Operator::End => loops -= usize::from(blocks.pop() == Some(true)),
            Operator::BrTable { targets } => {
                targets_of_tables = targets_of_tables.saturating_add(targets.len() as usize);
            }
            _ => {}
        }
        within(blocks.len(), MAX_NESTING, "blocks in each other")?;
    }
    let by_loops = locals.saturating_mul(deepest);
    within(
        by_loops,
        MAX_LOCALS_BY_LOOPS,
        "locals by the depth of loops in a function",
    )?;
    let locals_by_branches = locals.saturating_add(PARAMETERS).saturating_mul(branches);
    within(
        locals_by_branches,
        MAX_LOCALS_BY_BRANCHES,
        "locals by branches in a function",
    )?;
    Ok(Effort {
        targets: targets_of_tables,
        locals_by_branches,
    })
}

fn within(found: usize, most: usize, what: &str) -> Result<(), CompileError> {
    if found <= most {
        return Ok(());
    }
    Err(CompileError::InvalidModule(
        format!("{found} {what}, which would take too long to compile: at most {most} may be").into(),
    ))
}

fn invalid(error: wasmparser::BinaryReaderError) -> CompileError {
    CompileError::InvalidModule(error.into())
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn small_modules_that_take_long_to_compile_are_refused() {
        let loops = |locals: usize, depth: usize| {
            let [locals, open, close] =
                [("(local i32)", locals), ("(loop ", depth), (")", depth)].map(|(text, n)| text.repeat(n));
            format!("{locals} {open} {close}")
        };
        let table = |targets: usize| format!("(block (br_table {} (i32.const 0)))", "0 ".repeat(targets));
        let nested = |depth: usize| format!("{}{}", "(block ".repeat(depth), ")".repeat(depth));
        for (body, want) in [
            (loops(100, 100), None),
            (loops(101, 100), Some("10100 locals by the depth of loops")),
            (loops(1000, 1), None),
            (table(1000).repeat(40), None),
            (table(1000).repeat(60), Some("targets of branch tables")),
            (nested(1900), None),
            (nested(2100), Some("blocks in each other")),
        ] {
            let wasm = wat::parse_str(format!("(module (func {body}))")).unwrap();
            let error = check(&wasm).err().map(|error| error.source().unwrap().to_string());
            match want {
                None => assert_eq!(error, None),
                Some(want) => assert!(error.unwrap().contains(want)),
            }
        }
    }
}
