//! OPA's own cases through the engine: each compiled by OPA's library, answered here, compared by OPA's library.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use interlock_bundles::engine::{CompileError, Engine, Limits, Policy};
use interlock_bundles::trust::LocalFile;
use jiff::Timestamp;

use crate::oracle::{Case, Input, Name, Oracle};
use crate::scratch::{scratch, write};

/// What OPA's WebAssembly modules answer otherwise than its Go evaluator, in any host: the list of OPA's own tests,
/// `internal/wasm/sdk/test/e2e/exceptions.yaml`.
pub const EXCEPTIONS: [(&str, &str); 9] = [
    ("data/toplevel integer", CAST),
    ("data/nested integer", CAST),
    (
        "strings/format_int: bignum exact (>64-bit integer, all bases + negative)",
        WIDE,
    ),
    (
        "arithmetic/bignum exact (>64-bit integers through plus, minus, multiply)",
        WIDE,
    ),
    (
        "aggregates/bignum exact (>64-bit integers through sum and product)",
        WIDE,
    ),
    ("arithmetic/bignum modulo (divisor a nonzero multiple of 2^64)", WIDE),
    (
        "aggregates/sum integer fast-path overflow (elements fit int64, sum does not)",
        WIDE,
    ),
    (
        "jsonbuiltins/unmarshal number beyond the supported exponent is undefined",
        EXPONENT,
    ),
    (
        "jsonbuiltins/unmarshal number with too big an exponent is undefined",
        EXPONENT,
    ),
];

const CAST: &str = "a module does not take a number for the string key of data (OPA issue 3711)";
const WIDE: &str = "a module computes with fewer digits than such integers have";
const EXPONENT: &str = "a module reads JSON by itself, without OPA's limit on exponents";

/// The instant of all decisions. Cases say for themselves what is past.
const NOW: Timestamp = Timestamp::constant(1_795_269_600, 0);

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As OPA wants it.
    Passed,
    /// Not so, and OPA's own list of exceptions says why.
    Exception(&'static str),
    /// The engine refuses a function that the case needs, on purpose.
    Refused(String),
    /// The case needs a function that only OPA's own test program has.
    Skipped(String),
    /// Not as OPA wants it.
    Failed(String),
}

/// Runs the cases with these numbers on all cores; answers how each ended, in the same order. `hear` is told of each as
/// soon as it ends, and how many have.
pub fn run(
    names: &[Name],
    numbers: &[usize],
    hear: impl Fn(usize, &Name, &Ending) + Sync,
) -> Result<Vec<(usize, Ending)>> {
    let engine = Engine::new()?;
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || -> Result<Vec<(usize, Ending)>> {
        let folder = scratch("conformance")?;
        let mut oracle = Oracle::start()?;
        let mut ended = Vec::new();
        while let Some(number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
            let name = names.get(*number).context("a case has a name")?;
            let ending = one(&engine, &mut oracle, folder.path(), *number, name)
                .with_context(|| format!("{}: {}", name.file, name.note))?;
            hear(done.fetch_add(1, Ordering::Relaxed) + 1, name, &ending);
            ended.push((*number, ending));
        }
        Ok(ended)
    };
    let cores = thread::available_parallelism()?.get();
    let mut ended = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow!("a thread panicked"))??);
        }
        anyhow::Ok(all)
    })?;
    ended.sort_unstable_by_key(|(number, _)| *number);
    Ok(ended)
}

fn one(engine: &Engine, oracle: &mut Oracle, folder: &Path, number: usize, name: &Name) -> Result<Ending> {
    let case = oracle.case(number)?;
    let bundle = write(folder, "bundle.tar.gz", &case.bundle)?;
    let limits = Limits {
        deadline: Duration::from_mins(1), // the machine may be busy
        ..Limits::default()
    };
    let policy = match engine.compile(&LocalFile::read(&bundle)?.open()?, limits) {
        Ok(policy) => policy,
        Err(CompileError::MissingBuiltin { names, .. }) => return Ok(missing(&names)),
        Err(error) => return Ok(Ending::Failed(format!("{:#}", anyhow!(error)))),
    };
    let answer = answer(&policy, &case)?;
    let known = EXCEPTIONS.iter().find(|(note, _)| *note == name.note);
    Ok(match (oracle.judge(number, &answer)?, known) {
        (None, _) => Ending::Passed,
        (Some(_), Some((_, why))) => Ending::Exception(why),
        (Some(fault), None) => Ending::Failed(fault),
    })
}

/// The result set as JSON text, or what the engine says instead.
fn answer(policy: &Policy, case: &Case) -> Result<Result<String, String>> {
    let entrypoint = &case.entrypoint;
    let answer = match &case.input {
        None => policy.evaluate_bytes(entrypoint, None, NOW),
        Some(Input::Json(text)) => policy.evaluate_bytes(entrypoint, Some(text.as_bytes()), NOW),
        Some(Input::Term(text)) => policy.evaluate_term(entrypoint, text, NOW),
    };
    Ok(match answer {
        Ok(result) => Ok(String::from_utf8(result)?),
        Err(error) => Err(format!("{:#}", anyhow!(error))),
    })
}

fn missing(names: &[String]) -> Ending {
    let needs = format!("needs {}", names.join(", "));
    if names.iter().any(|name| name.contains("never available")) {
        Ending::Refused(needs)
    } else if names.iter().all(|name| name.starts_with("test.")) {
        Ending::Skipped(format!("{needs}, which only OPA's own test program has"))
    } else {
        Ending::Failed(needs)
    }
}

/// How `docs/conformance.md` names a case that did not pass.
pub fn row(name: &Name, ending: &Ending) -> Option<String> {
    let why = match ending {
        Ending::Passed => return None,
        Ending::Exception(why) => why,
        Ending::Refused(why) | Ending::Skipped(why) | Ending::Failed(why) => why.as_str(),
    };
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    Some(format!(
        "| {} | {} | {} |",
        cell(&name.file),
        cell(&name.note),
        cell(why)
    ))
}
