//! The host's side of OPA's interface: what a guest may import, and the state those functions see.
//!
//! There is nothing else: no file, no network, no clock but the instant the caller gives, no
//! environment, no randomness.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::{AsContext, Caller, Extern, Func, Memory, ResourceLimiter, Store, TypedFunc, ValType};

use super::address::{TextAddress, ValueAddress};
use super::builtins::{Builtin, Context, Failure};
use super::error::EvaluateError;
use super::limits::Limits;
use super::term::Term;

/// An argument or a value of a built-in function as text, in bytes.
const MAX_VALUE_BYTES: usize = 8 * 1024 * 1024;
/// How deep a value that crosses the border may be nested.
pub(super) const MAX_VALUE_DEPTH: usize = 256;
/// What is kept of the guest's last words, in characters.
const MAX_MESSAGE_CHARS: usize = 1024;
/// Functions in the guest's tables; OPA's modules have some hundreds.
const MAX_TABLE_ELEMENTS: usize = 100_000;

/// A module's built-in functions by the numbers it gave them.
pub(super) type Declared = Arc<[(i32, &'static Builtin)]>;

/// What the host functions of one sandbox see.
pub(super) struct HostState {
    limits: Limits,
    started: Instant,
    context: Context,
    declared: Declared,
    guest: Option<Guest>,
}

/// What a built-in function needs of the guest; known only after instantiation.
#[derive(Clone)]
pub(super) struct Guest {
    pub(super) memory: Memory,
    pub(super) malloc: TypedFunc<i32, i32>,
    pub(super) value_parse: TypedFunc<(i32, i32), i32>,
    pub(super) value_dump: TypedFunc<i32, i32>,
}

impl HostState {
    pub(super) fn new(limits: Limits, context: Context, declared: Declared) -> Self {
        Self {
            limits,
            started: Instant::now(),
            context,
            declared,
            guest: None,
        }
    }

    pub(super) fn connect(&mut self, guest: Guest) {
        self.guest = Some(guest);
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

/// The type of an importable host function, by name; `None` if there is no such function.
pub(super) fn import_type(name: &str) -> Option<(Vec<ValType>, Vec<ValType>)> {
    let arguments = match name {
        "opa_abort" | "opa_println" => return Some((vec![ValType::I32], Vec::new())),
        "opa_builtin0" => 0,
        "opa_builtin1" => 1,
        "opa_builtin2" => 2,
        "opa_builtin3" => 3,
        "opa_builtin4" => 4,
        _ => return None,
    };
    Some((vec![ValType::I32; 2 + arguments], vec![ValType::I32]))
}

/// The host function of that name, for one store. The module's imports were checked at compile time.
pub(super) fn import(store: &mut Store<HostState>, name: &str) -> Option<Extern> {
    type Host<'a> = Caller<'a, HostState>;
    let function = match name {
        "opa_abort" => Func::wrap(store, abort),
        // What a policy prints is no part of its decision, and nobody reads it here.
        "opa_println" => Func::wrap(store, |_: i32| {}),
        "opa_builtin0" => Func::wrap(store, |host: Host<'_>, id, _: i32| call(host, id, &[])),
        "opa_builtin1" => Func::wrap(store, |host: Host<'_>, id, _: i32, a| call(host, id, &[a])),
        "opa_builtin2" => Func::wrap(store, |host: Host<'_>, id, _: i32, a, b| call(host, id, &[a, b])),
        "opa_builtin3" => Func::wrap(store, |host: Host<'_>, id, _: i32, a, b, c| call(host, id, &[a, b, c])),
        "opa_builtin4" => Func::wrap(store, |host: Host<'_>, id, _: i32, a, b, c, d| {
            call(host, id, &[a, b, c, d])
        }),
        _ => return None,
    };
    Some(function.into())
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
    let context = state.context;
    let arguments: Vec<Term> = addresses
        .iter()
        .map(|address| read_argument(caller, &guest, builtin, *address))
        .collect::<Result<_, _>>()?;
    match (builtin.call)(&context, &arguments) {
        Ok(term) => write_value(caller, &guest, &term).map(Some),
        Err(Failure::Undefined) => Ok(None),
        Err(Failure::Limit(detail)) => Err(EvaluateError::Builtin {
            name: builtin.name,
            detail,
        }),
    }
}

fn read_argument(
    caller: &mut Caller<'_, HostState>,
    guest: &Guest,
    builtin: &Builtin,
    address: i32,
) -> Result<Term, EvaluateError> {
    let text = guest
        .value_dump
        .call(&mut *caller, address)
        .map_err(EvaluateError::from_runtime)?;
    let text = TextAddress::new(text, "opa_value_dump")?;
    let bytes = text.read(
        guest.memory.data(caller.as_context()),
        MAX_VALUE_BYTES,
        "opa_value_dump",
    )?;
    let limit = |detail: String| EvaluateError::Builtin {
        name: builtin.name,
        detail,
    };
    let bytes = bytes.ok_or_else(|| limit(format!("an argument is larger than {MAX_VALUE_BYTES} bytes")))?;
    let text = std::str::from_utf8(bytes).map_err(|error| limit(format!("an argument is not UTF-8: {error}")))?;
    Term::parse(text, MAX_VALUE_DEPTH).map_err(|error| limit(format!("an argument cannot be read: {error}")))
}

fn write_value(caller: &mut Caller<'_, HostState>, guest: &Guest, term: &Term) -> Result<ValueAddress, EvaluateError> {
    let text = term.to_guest();
    let length = i32::try_from(text.len()).map_err(|_| EvaluateError::NotParsed {
        document: "built-in function's value",
    })?;
    let room = guest
        .malloc
        .call(&mut *caller, length)
        .map_err(EvaluateError::from_runtime)?;
    let room = TextAddress::new(room, "opa_malloc")?;
    room.write(guest.memory.data_mut(&mut *caller), text.as_bytes())?;
    let value = guest
        .value_parse
        .call(&mut *caller, (room.raw(), length))
        .map_err(EvaluateError::from_runtime)?;
    ValueAddress::new(value).ok_or(EvaluateError::NotParsed {
        document: "built-in function's value",
    })
}
