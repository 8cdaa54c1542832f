//! What of a module's code would take the compiler minutes or gigabytes, although it is small. Nothing interrupts a
//! compilation, so such a module has to be known before.

use wasmparser::types::Types;
use wasmparser::{
    BlockType, FuncToValidate, FuncType, FuncValidatorAllocations, FunctionBody, Operator, OperatorsReader, Parser,
    Payload, ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

use super::error::CompileError;

/// Functions. The shipped bundles have 918 at most; 100,000 empty ones take half a gigabyte.
const MAX_FUNCTIONS: usize = 20_000;
/// Instructions of one function, and of all together: some of them are compiled at the same time. The shipped bundles have 1,929
/// and 147,000, and 500 rules of one name 94,000 in one function; a million take more than a gigabyte.
const MAX_OPERATORS: usize = 250_000;
const MAX_ALL_OPERATORS: usize = 500_000;
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

/// Validates a module, and refuses one that is too much work.
pub(super) fn validate(wasm: &[u8], features: WasmFeatures) -> Result<Types, CompileError> {
    let mut validator = Validator::new_with_features(features);
    let mut all = Effort::default();
    let mut valid = None;
    let mut types = Vec::new();
    let mut allocations = FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(invalid)?;
        match validator.payload(&payload).map_err(invalid)? {
            ValidPayload::Func(function, body) => {
                all.add(&check_function(function, &mut allocations, &body, &types)?);
            }
            ValidPayload::End(types) => valid = Some(types),
            _ => {}
        }
        match payload {
            Payload::TypeSection(section) => {
                for function in section.into_iter_err_on_gc_types() {
                    types.push(function.map_err(invalid)?);
                }
            }
            Payload::FunctionSection(section) => {
                within(section.count() as usize, MAX_FUNCTIONS, "functions")?;
            }
            _ => {}
        }
    }
    within(all.operators, MAX_ALL_OPERATORS, "instructions")?;
    within(
        all.locals_by_branches,
        MAX_LOCALS_BY_BRANCHES,
        "locals and values on the stack by branches of all functions",
    )?;
    within(
        all.branches_by_branches,
        MAX_BRANCHES_BY_BRANCHES,
        "branches by branches of all functions",
    )?;
    within(all.targets, MAX_BRANCHES, "targets of branch tables")?;
    valid.ok_or_else(|| CompileError::InvalidModule("it has no end".into()))
}

/// What adds up over functions.
#[derive(Default)]
struct Effort {
    /// Targets of branch tables.
    targets: usize,
    operators: usize,
    locals_by_branches: usize,
    branches_by_branches: usize,
}

impl Effort {
    fn add(&mut self, other: &Self) {
        self.targets = self.targets.saturating_add(other.targets);
        self.operators = self.operators.saturating_add(other.operators);
        self.locals_by_branches = self.locals_by_branches.saturating_add(other.locals_by_branches);
        self.branches_by_branches = self.branches_by_branches.saturating_add(other.branches_by_branches);
    }
}

/// A function has some values of its own beside its locals and its stack.
const VALUES: usize = 16;

/// Validates one function, and counts what adds up.
fn check_function(
    function: FuncToValidate<ValidatorResources>,
    allocations: &mut FuncValidatorAllocations,
    body: &FunctionBody<'_>,
    types: &[FuncType],
) -> Result<Effort, CompileError> {
    let mut validator = function.into_validator(std::mem::take(allocations));
    let mut reader = body.get_binary_reader();
    validator.read_locals(&mut reader).map_err(invalid)?;
    // Parameters among them.
    let locals = validator.len_locals() as usize;
    let mut operators = OperatorsReader::new(reader);
    let (mut targets_of_tables, mut branches) = (0_usize, 0_usize);
    let (mut blocks, mut loops, mut deepest) = (Vec::new(), 0_usize, 0_usize);
    let (mut count, mut height) = (0_usize, 0_usize);
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset().map_err(invalid)?;
        validator.op(offset, &operator).map_err(invalid)?;
        height = height.max(validator.operand_stack_height() as usize);
        count += 1;
        within(count, MAX_OPERATORS, "instructions in a function")?;
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
    operators.finish().map_err(invalid)?;
    *allocations = validator.into_allocations();
    // A value that lies on the stack lives as long as one in a local.
    let locals = locals.saturating_add(height);
    let by_loops = locals.saturating_mul(deepest);
    within(
        by_loops,
        MAX_LOCALS_BY_LOOPS,
        "locals and values on the stack by the depth of loops in a function",
    )?;
    let single = branches.saturating_sub(targets_of_tables);
    let locals_by_branches = locals.saturating_add(VALUES).saturating_mul(branches);
    Ok(Effort {
        targets: targets_of_tables,
        operators: count,
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
            (
                loops(101, 100),
                Some("10100 locals and values on the stack by the depth of loops"),
            ),
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
        let error = validate(&wasm, WasmFeatures::default())
            .err()
            .map(|error| error.to_string());
        match want {
            None => assert_eq!(error, None),
            Some(want) => assert!(
                error.as_ref().is_some_and(|error| error.contains(want)),
                "{want}: {error:?}"
            ),
        }
    }

    #[test]
    fn what_is_much_without_a_branch_is_refused_too() {
        let straight = |count: usize| {
            let step = "(global.set 0 (i32.mul (global.get 0) (i32.const 3)))";
            format!("(func {})", step.repeat(count))
        };
        let global = "(global (mut i32) (i32.const 1))";
        let functions = |count: usize| "(func)".repeat(count);
        let many = |count: usize| format!("{global} {}", straight(60_000).repeat(count));
        // Values that wait on the stack while blocks come and go.
        let stacked = |values: usize, blocks: usize| {
            let [values, blocks, drops] =
                [("i32.const 0 ", values), ("(block)", blocks), ("drop ", values)].map(|(text, n)| text.repeat(n));
            format!("(func {values} {blocks} {drops})")
        };
        for (module, want) in [
            (functions(20_000), None),
            (functions(20_001), Some("20001 functions")),
            (format!("{global} {}", straight(62_000)), None),
            (
                format!("{global} {}", straight(63_000)),
                Some("instructions in a function"),
            ),
            (many(2), None),
            (many(3), Some("instructions, of which")),
            (stacked(1000, 7500), None),
            (stacked(4000, 7500), Some("values on the stack by branches")),
        ] {
            refused(&module, want);
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
        refused(
            &loops(1000, 100),
            Some("100000 locals and values on the stack by the depth of loops"),
        );
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
