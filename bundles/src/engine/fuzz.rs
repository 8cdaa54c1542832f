//! Ways in for the fuzz targets, which are a crate of their own (`bundles/fuzz`). Part of no other build.

use super::limits::Limits;
use super::room::Room;
use super::term::Term;
use super::value::{self, Block};
use super::{input, module};

/// Whether an input may be nested so deep and is strict JSON.
pub fn is_strict_json(bytes: &[u8], depth: usize) -> bool {
    let limits = Limits {
        input_depth: depth,
        ..Limits::default()
    };
    input::check(bytes, &limits).is_ok()
}

/// The module with a memory of its own, if it passes the checks.
pub fn own_memory(wasm: &[u8]) -> Option<Vec<u8>> {
    module::own_memory(wasm).ok()
}

/// The value at an address of a guest's memory, as Rego's text.
pub fn read_value(memory: &[u8], at: u32, bytes: usize, depth: usize) -> Option<String> {
    value::read(memory, at, bytes, depth, &mut Room::new())
        .ok()
        .map(|term| term.to_rego())
}

/// The value of a text, as Rego's text: as it was read, after a way through text, and after one through memory at an
/// address (unless only the guest can lay it out). `None` if it is no value.
pub fn round_trips(text: &str, base: u32) -> Option<Vec<String>> {
    const DEPTH: usize = 64;
    let term = Term::parse(text, DEPTH).ok()?;
    let mut seen = vec![term.to_rego()];
    let again = Term::parse(&term.to_guest(), DEPTH);
    seen.push(again.map_or_else(|error| error.to_string(), |term| term.to_rego()));
    if let Some(block) = Block::of(&term) {
        let (bytes, root) = block.at(base)?;
        let mut memory = vec![0; base as usize];
        memory.extend(bytes);
        let read = value::read(&memory, root, usize::MAX, DEPTH, &mut Room::new());
        seen.push(read.map_or_else(|error| format!("{error:?}"), |term| term.to_rego()));
    }
    Some(seen)
}
