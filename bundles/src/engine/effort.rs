//! What of a module's code would take the compiler minutes or gigabytes, although it is small. Nothing interrupts a
//! compilation, so such a module has to be known before.

use wasmparser::{BlockType, FuncType, FunctionBody, Operator, Parser, Payload};

use super::error::CompileError;

/// For each function, its locals, parameters included, by the depth of its loops: at every turn of every loop each local has to be somewhere.
/// The shipped bundles have 213 at most; 48,000 take the compiler ten seconds.
const MAX_LOCALS_BY_LOOPS: usize = 10_000;
/// Targets of all branch tables together. The shipped bundles have 1,603; a million takes a gigabyte.
const MAX_BRANCHES: usize = 50_000;
/// For each function, its locals by its branches and blocks, all functions together: the compiler keeps a table of both. The
/// shipped bundles have half a million, a set of 500 rules some 33 million; a billion takes gigabytes.
const MAX_LOCALS_BY_BRANCHES: usize = 50_000_000;
/// For each function, its branches (those of tables aside) and blocks by themselves, all functions together: the compiler's time grows with their
/// square, and this is ten seconds at worst. The shipped bundles have 2 million, a set of 500 rules 680 million, in two seconds.
const MAX_BRANCHES_BY_BRANCHES: usize = 1_000_000_000;
/// Parameters and results of one block. OPA's compiler gives a block one result at most; a value that stays on the stack
/// across many blocks costs each of them memory.
const MAX_BLOCK_VALUES: usize = 16;
/// Blocks in each other. The shipped bundles have 33; 20,000 take seconds.
const MAX_NESTING: usize = 2_000;

/// Checks a module that was validated.
pub(super) fn check(wasm: &[u8]) -> Result<(), CompileError> {
    let mut all = Effort::default();
    let mut types = Vec::new();
    let mut functions = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(invalid)? {
            Payload::TypeSection(section) => {
                for function in section.into_iter_err_on_gc_types() {
                    types.push(function.map_err(invalid)?);
                }
            }
            Payload::FunctionSection(section) => {
                for function in section {
                    functions.push(function.map_err(invalid)?);
                }
                functions.reverse();
            }
            Payload::CodeSectionEntry(body) => {
                let own = functions.pop().and_then(|own| types.get(own as usize));
                all.add(&check_function(&body, own, &types)?);
            }
            _ => {}
        }
    }
    within(
        all.locals_by_branches,
        MAX_LOCALS_BY_BRANCHES,
        "locals by branches of all functions",
    )?;
    within(
        all.branches_by_branches,
        MAX_BRANCHES_BY_BRANCHES,
        "branches by branches of all functions",
    )?;
    within(all.targets, MAX_BRANCHES, "targets of branch tables")
}

/// What adds up over functions.
#[derive(Default)]
struct Effort {
    /// Targets of branch tables.
    targets: usize,
    locals_by_branches: usize,
    branches_by_branches: usize,
}

impl Effort {
    fn add(&mut self, other: &Self) {
        self.targets = self.targets.saturating_add(other.targets);
        self.locals_by_branches = self.locals_by_branches.saturating_add(other.locals_by_branches);
        self.branches_by_branches = self.branches_by_branches.saturating_add(other.branches_by_branches);
    }
}

/// A function has some values of its own beside its locals.
const VALUES: usize = 16;

/// Checks one function of type `own`.
fn check_function(body: &FunctionBody<'_>, own: Option<&FuncType>, types: &[FuncType]) -> Result<Effort, CompileError> {
    let mut locals = own.map_or(0, |own| own.params().len());
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
            Operator::Loop { blockty } => {
                check_block(blockty, types)?;
                blocks.push(true);
                loops += 1;
                deepest = deepest.max(loops);
            }
            Operator::Block { blockty } | Operator::If { blockty } => {
                check_block(blockty, types)?;
                blocks.push(false);
            }
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
    let single = branches.saturating_sub(targets_of_tables);
    let locals_by_branches = locals.saturating_add(VALUES).saturating_mul(branches);
    Ok(Effort {
        targets: targets_of_tables,
        locals_by_branches,
        branches_by_branches: single.saturating_mul(single),
    })
}

fn check_block(block: BlockType, types: &[FuncType]) -> Result<(), CompileError> {
    let values = match block {
        BlockType::FuncType(index) => types
            .get(index as usize)
            .map_or(usize::MAX, |block| block.params().len() + block.results().len()),
        BlockType::Empty | BlockType::Type(_) => 1,
    };
    within(values, MAX_BLOCK_VALUES, "parameters and results of a block")
}

fn within(found: usize, most: usize, what: &str) -> Result<(), CompileError> {
    if found <= most {
        return Ok(());
    }
    Err(CompileError::ModuleTooComplex {
        detail: format!("it has {found} {what}, of which at most {most} may be"),
    })
}

fn invalid(error: wasmparser::BinaryReaderError) -> CompileError {
    CompileError::InvalidModule(error.into())
}

#[cfg(test)]
mod tests {
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
        let branches = |count: usize| "(block)".repeat(count);
        for (body, want) in [
            (loops(100, 100), None),
            (loops(101, 100), Some("10100 locals by the depth of loops")),
            (loops(1000, 1), None),
            (table(1000).repeat(40), None),
            (table(1000).repeat(60), Some("targets of branch tables")),
            (nested(1900), None),
            (nested(2100), Some("blocks in each other")),
            (branches(15_000), None),
            (branches(16_000), Some("branches by branches of all functions")),
        ] {
            refused(&format!("(func {body})"), want);
        }
    }

    fn refused(functions: &str, want: Option<&str>) {
        let wasm = wat::parse_str(format!("(module {functions})")).unwrap();
        let error = check(&wasm).err().map(|error| error.to_string());
        match want {
            None => assert_eq!(error, None),
            Some(want) => assert!(
                error.as_ref().is_some_and(|error| error.contains(want)),
                "{want}: {error:?}"
            ),
        }
    }

    #[test]
    fn parameters_count_as_locals_do() {
        let loops = |parameters: usize, depth: usize| {
            let [parameters, open, close] =
                [("i32 ", parameters), ("(loop ", depth), (")", depth)].map(|(text, n)| text.repeat(n));
            format!("(func) (func (param {parameters}) {open} {close})")
        };
        refused(&loops(100, 100), None);
        refused(&loops(1000, 100), Some("100000 locals by the depth of loops"));
    }

    #[test]
    fn blocks_hand_on_few_values() {
        let block = |count: usize| {
            let values = "i32 ".repeat(count);
            let constants = "(i32.const 0)".repeat(count);
            let drops = "drop ".repeat(count);
            format!("(type $t (func (param {values}) (result {values}))) (func {constants} loop (type $t) end {drops})")
        };
        refused(&block(8), None);
        refused(&block(9), Some("18 parameters and results of a block"));
    }
}
