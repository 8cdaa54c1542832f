//! The host's side of OPA's interface: what a guest may import, and the state those functions see.
//!
//! There is nothing else: no file, no network, no clock but the instant the caller gives, no
//! environment, no randomness.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use wasmtime::{AsContext, Caller, Linker, Memory, ResourceLimiter, TypedFunc};

use super::address::{TextAddress, ValueAddress};
use super::builtins::{Builtin, Context, Failure};
use super::error::EvaluateError;
use super::limits::Limits;
use super::room::Room;
use super::term::Term;
use super::value::{self, Block, ReadError};

/// An argument or a value of a built-in function as text, in bytes.
const MAX_VALUE_BYTES: usize = 8 * 1024 * 1024;
/// How deep a value that crosses the border may be nested.
pub(super) const MAX_VALUE_DEPTH: usize = 256;
/// What is kept of the guest's last words, in characters.
const MAX_MESSAGE_CHARS: usize = 1024;
/// Functions in the guest's tables; OPA's modules have some hundreds.
pub(super) const MAX_TABLE_ELEMENTS: usize = 100_000;

/// A module's built-in functions by the numbers it gave them.
pub(super) type Declared = Arc<[(i32, &'static Builtin)]>;

/// What the host functions of one sandbox see.
pub(super) struct HostState {
    limits: Limits,
    started: Instant,
    context: Context,
    declared: Declared,
    guest: Option<Guest>,
    /// While a built-in function reads its arguments and hands over its value, for which it calls the guest.
    answering: bool,
}

/// What a built-in function needs of the guest; known only after instantiation.
#[derive(Clone)]
pub(super) struct Guest {
    pub(super) memory: Memory,
    pub(super) malloc: TypedFunc<i32, i32>,
    pub(super) value_parse: TypedFunc<(i32, i32), i32>,
    /// Writes a value as text; none where values are read and written in memory, as they lie there.
    pub(super) value_dump: Option<TypedFunc<i32, i32>>,
}

impl HostState {
    pub(super) fn new(limits: Limits, context: Context, declared: Declared) -> Self {
        Self {
            limits,
            started: Instant::now(),
            context,
            declared,
            guest: None,
            answering: false,
        }
    }

    pub(super) fn connect(&mut self, guest: Guest) {
        self.guest = Some(guest);
    }

    /// Another instant of the decision, in the time that is left.
    pub(super) fn set_now(&mut self, now: Timestamp) {
        self.context.now = now;
    }

    /// Starts the time anew.
    pub(super) fn restart(&mut self, now: Timestamp) {
        self.started = Instant::now();
        self.context.now = now;
    }

    /// The error if the time is up.
    pub(super) fn check_deadline(&self) -> Result<(), EvaluateError> {
        if self.started.elapsed() < self.limits.deadline {
            return Ok(());
        }
        Err(EvaluateError::DeadlineExceeded {
            deadline: self.limits.deadline,
        })
    }
}

impl ResourceLimiter for HostState {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired <= self.limits.memory_bytes {
            return Ok(true);
        }
        // An error stops the guest at once and keeps the reason; `false` would leave it to the
        // guest's allocator to complain in its own words.
        Err(EvaluateError::MemoryLimit {
            limit: self.limits.memory_bytes,
            asked: desired,
        }
        .into())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        2
    }
}

/// How many `i32` an importable host function takes and returns; `None` if there is no such function.
pub(super) fn import_type(name: &str) -> Option<(usize, usize)> {
    match name {
        "opa_abort" | "opa_println" => Some((1, 0)),
        "opa_builtin0" => Some((2, 1)),
        "opa_builtin1" => Some((3, 1)),
        "opa_builtin2" => Some((4, 1)),
        "opa_builtin3" => Some((5, 1)),
        "opa_builtin4" => Some((6, 1)),
        _ => None,
    }
}

/// All host functions, for every module of one runtime.
pub(super) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<HostState>> {
    type Host<'a> = Caller<'a, HostState>;
    let mut linker = Linker::new(engine);
    linker.func_wrap("env", "opa_abort", abort)?;
    // What a policy prints is no part of its decision, and nobody reads it here.
    linker.func_wrap("env", "opa_println", |_: i32| {})?;
    linker.func_wrap("env", "opa_builtin0", |host: Host<'_>, id, _: i32| call(host, id, &[]))?;
    linker.func_wrap("env", "opa_builtin1", |host: Host<'_>, id, _: i32, a| {
        call(host, id, &[a])
    })?;
    linker.func_wrap("env", "opa_builtin2", |host: Host<'_>, id, _: i32, a, b| {
        call(host, id, &[a, b])
    })?;
    linker.func_wrap("env", "opa_builtin3", |host: Host<'_>, id, _: i32, a, b, c| {
        call(host, id, &[a, b, c])
    })?;
    linker.func_wrap("env", "opa_builtin4", |host: Host<'_>, id, _: i32, a, b, c, d| {
        call(host, id, &[a, b, c, d])
    })?;
    Ok(linker)
}

#[expect(clippy::needless_pass_by_value, reason = "the runtime calls it this way")]
fn abort(caller: Caller<'_, HostState>, address: i32) -> wasmtime::Result<()> {
    let message = match caller.data().guest.as_ref() {
        Some(guest) => TextAddress::new(address, "opa_abort").and_then(|at| {
            let cap = MAX_MESSAGE_CHARS * 4;
            let bytes = at.read(guest.memory.data(&caller), cap, "opa_abort")?;
            Ok(bytes.map_or_else(|| "with a message that is too long".to_owned(), printable))
        }),
        None => Ok("in its start function".to_owned()),
    };
    Err(message
        .map_or_else(|error| error, |message| EvaluateError::Aborted { message })
        .into())
}

fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_MESSAGE_CHARS)
        .collect()
}

fn call(mut caller: Caller<'_, HostState>, id: i32, addresses: &[i32]) -> wasmtime::Result<i32> {
    let value = answer(&mut caller, id, addresses)?;
    Ok(value.map_or(0, ValueAddress::raw))
}

/// One call of a built-in function. A semantic failure is undefined (`None`), as in OPA; everything
/// else ends the evaluation.
fn answer(
    caller: &mut Caller<'_, HostState>,
    id: i32,
    addresses: &[i32],
) -> Result<Option<ValueAddress>, EvaluateError> {
    caller.data().check_deadline()?;
    let undeclared = || EvaluateError::UndeclaredBuiltin {
        id,
        arguments: addresses.len(),
    };
    let state = caller.data();
    let guest = state.guest.clone().ok_or_else(undeclared)?;
    let builtin = state
        .declared
        .iter()
        .find(|(declared, builtin)| *declared == id && builtin.arity == addresses.len())
        .map(|(_, builtin)| *builtin)
        .ok_or_else(undeclared)?;
    // OPA's own modules never do; what the calls hold here would add up.
    if state.answering {
        return Err(limit(builtin, "it is called by what hands over a value".to_owned()));
    }
    caller.data_mut().answering = true;
    let value = compute(caller, &guest, builtin, addresses);
    caller.data_mut().answering = false;
    value
}

fn compute(
    caller: &mut Caller<'_, HostState>,
    guest: &Guest,
    builtin: &Builtin,
    addresses: &[i32],
) -> Result<Option<ValueAddress>, EvaluateError> {
    let mut room = Room::new();
    let arguments: Vec<Term> = addresses
        .iter()
        .map(|address| read_argument(caller, guest, builtin, *address, &mut room))
        .collect::<Result<_, _>>()?;
    let context = caller.data().context;
    match (builtin.call)(&context, &arguments) {
        Ok(term) => write_value(caller, guest, &term).map(Some),
        Err(Failure::Undefined) => Ok(None),
        Err(Failure::Limit(detail)) => Err(limit(builtin, detail)),
    }
}

fn limit(builtin: &Builtin, detail: String) -> EvaluateError {
    EvaluateError::Builtin {
        name: builtin.name,
        detail,
    }
}

fn read_argument(
    caller: &mut Caller<'_, HostState>,
    guest: &Guest,
    builtin: &Builtin,
    address: i32,
    room: &mut Room,
) -> Result<Term, EvaluateError> {
    let limit = |detail| limit(builtin, detail);
    let too_large = || {
        limit(format!(
            "its arguments are larger than {MAX_VALUE_BYTES} bytes, or take too much memory"
        ))
    };
    let Some(value_dump) = &guest.value_dump else {
        let memory = guest.memory.data(caller.as_context());
        let read = value::read(memory, address.cast_unsigned(), MAX_VALUE_BYTES, MAX_VALUE_DEPTH, room);
        return read.map_err(|error| match error {
            ReadError::Outside(_) => EvaluateError::outside("eval", address),
            ReadError::TooLarge => too_large(),
            ReadError::TooDeep => limit(format!("an argument is nested deeper than {MAX_VALUE_DEPTH} levels")),
            ReadError::Malformed(what) => limit(format!("an argument is {what}")),
        });
    };
    let text = value_dump
        .call(&mut *caller, address)
        .map_err(EvaluateError::from_runtime)?;
    let text = TextAddress::new(text, "opa_value_dump")?;
    let bytes = text.read(
        guest.memory.data(caller.as_context()),
        MAX_VALUE_BYTES,
        "opa_value_dump",
    )?;
    let bytes = bytes.ok_or_else(too_large)?;
    let text = std::str::from_utf8(bytes).map_err(|error| limit(format!("an argument is not UTF-8: {error}")))?;
    Term::parse_in(room, text, MAX_VALUE_DEPTH).map_err(|error| limit(format!("an argument cannot be read: {error}")))
}

fn write_value(caller: &mut Caller<'_, HostState>, guest: &Guest, term: &Term) -> Result<ValueAddress, EvaluateError> {
    let not_parsed = || EvaluateError::NotParsed {
        document: "built-in function's value",
    };
    if guest.value_dump.is_none()
        && let Some(block) = Block::of(term)
    {
        let room = malloc(caller, guest, block.len())?;
        let outside = || EvaluateError::outside("opa_malloc", room.raw());
        let (bytes, value) = block.at(room.raw().cast_unsigned()).ok_or_else(outside)?;
        room.write(guest.memory.data_mut(&mut *caller), &bytes)?;
        return ValueAddress::new(value.cast_signed()).ok_or_else(not_parsed);
    }
    let text = term.to_guest();
    let room = malloc(caller, guest, text.len())?;
    room.write(guest.memory.data_mut(&mut *caller), text.as_bytes())?;
    let length = i32::try_from(text.len()).map_err(|_| not_parsed())?;
    let value = guest
        .value_parse
        .call(&mut *caller, (room.raw(), length))
        .map_err(EvaluateError::from_runtime)?;
    ValueAddress::new(value).ok_or_else(not_parsed)
}

fn malloc(caller: &mut Caller<'_, HostState>, guest: &Guest, length: usize) -> Result<TextAddress, EvaluateError> {
    let length = i32::try_from(length).map_err(|_| EvaluateError::NotParsed {
        document: "built-in function's value",
    })?;
    let room = guest
        .malloc
        .call(&mut *caller, length)
        .map_err(EvaluateError::from_runtime)?;
    TextAddress::new(room, "opa_malloc")
}
