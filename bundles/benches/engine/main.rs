//! `make bench`: this engine beside OPA in one run, on the same policies and inputs. JSON bytes in, JSON bytes out; every
//! decision of this engine in a new instance. Writes `target/bench/engine.json`, which the rest of `make bench` puts
//! into `docs/performance.md`.

#![expect(clippy::print_stdout, reason = "the figures are what one wants to see")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may fail at once")]

mod figures;
mod inputs;
mod isolation;
mod memory;
mod peers;
mod policies;
mod timing;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use interlock_bundles::archive::Bundle;
use interlock_bundles::engine::{Engine, Limits, Policy};
use jiff::Timestamp;

use figures::Figures;
use peers::{Library, OtherHost, Server};
use policies::Subject;
use timing::{in_turn, median, time_a_call};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const FRESH: &str = "this engine, fresh instance";

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    // `-- NAME` measures the decisions of one policy only, or `isolation`, and writes nothing.
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let folder = target().join("bench");
    std::fs::create_dir_all(&folder).unwrap();
    let engine = Engine::with_cache(&folder.join("modules")).unwrap();
    let mut figures = Figures::default();
    let subjects = policies::build_all(&folder);
    let mut library = Library::start();
    for subject in &subjects {
        if only.as_ref().is_some_and(|only| only != subject.name) {
            continue;
        }
        let policy = subject.compile(&engine);
        library.load(subject);
        let server = Server::start(subject, &folder);
        let other = OtherHost::find();
        for kilobytes in inputs::KILOBYTES {
            decide(
                &mut figures,
                subject,
                &policy,
                kilobytes,
                (&mut library, &server, other.as_ref()),
            );
        }
    }
    let baseline = subjects.iter().find(|subject| subject.name == "baseline").unwrap();
    let policy = baseline.compile(&engine);
    if only.as_deref().is_none_or(|only| only == "isolation") {
        isolation::measure(&mut figures, baseline, &policy);
    }
    if only.is_some() {
        return;
    }
    entrypoints(&mut figures, &engine, &folder);
    threads(&mut figures, baseline, &policy);
    lifetime(&mut figures, baseline, &policy);
    cold_start(&mut figures, baseline, &folder);
    memory::measure(&mut figures, &folder);
    figures.write(&folder.join("engine.json"));
}

/// One policy on one input, beside OPA in its forms.
fn decide(
    figures: &mut Figures,
    subject: &Subject,
    policy: &Policy,
    kilobytes: usize,
    (library, server, other): (&mut Library, &Server, Option<&OtherHost>),
) {
    let input = inputs::of_size(kilobytes);
    let measure = format!("decision, {}, {kilobytes} kB", subject.name);
    let ours = policy
        .evaluate_bytes(subject.entrypoint, Some(input.as_bytes()), NOW)
        .unwrap();
    let theirs = library.decide(subject, &input);
    assert_eq!(policies::result(&ours), theirs, "{measure}: another answer than OPA's");
    let fresh = || {
        median(|| {
            policy
                .evaluate_bytes(subject.entrypoint, Some(input.as_bytes()), NOW)
                .unwrap();
        })
    };
    let in_go = in_turn(fresh, || library.time(subject, &input));
    figures.time(
        &measure,
        FRESH,
        "OPA in Go, prepared, parsing and encoding included",
        in_go,
    );
    let as_server = in_turn(fresh, || server.time(subject, &input));
    figures.time(&measure, FRESH, "OPA as a server, one connection", as_server);
    if let Some(other) = other.filter(|other| other.time(subject, &input).is_some()) {
        let in_other = in_turn(fresh, || other.time(subject, &input).unwrap());
        figures.time(&measure, FRESH, "opa-wasm 0.3, one instance for all", in_other);
    }
}

/// What each further entry point costs on the same input, in time and in fuel.
fn entrypoints(figures: &mut Figures, engine: &Engine, folder: &Path) {
    let (one, eight) = (policies::entrypoints(1, folder), policies::entrypoints(8, folder));
    let input: serde_json::Value = serde_json::from_str(&inputs::of_size(5)).unwrap();
    let time = |bundle: &Bundle| {
        let policy = engine.compile(bundle, Limits::default()).unwrap();
        let input = input.clone();
        move || {
            median(|| {
                policy.judge(&input, NOW).unwrap();
            })
        }
    };
    let (all, single) = in_turn(time(&eight), time(&one));
    let further = all.saturating_sub(single) / 7;
    let measure = "a further entry point, 5 kB";
    figures.time(
        measure,
        "time of each of seven more",
        "the first, with instance and input",
        (further, single),
    );
    let cost = engine.cost(&eight, Limits::default()).unwrap();
    let golden = &cost.inputs["five"];
    let fuel = golden.entrypoints.values().max().unwrap();
    let ratio = as_f64(*fuel) / as_f64(golden.parse);
    figures.add(
        measure,
        "fuel of one",
        as_f64(*fuel),
        "fuel",
        "reading the input, which happens once",
        ratio,
    );
}

#[expect(clippy::cast_precision_loss, reason = "for a ratio")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

fn threads(figures: &mut Figures, subject: &Subject, policy: &Policy) {
    let input = inputs::of_size(5);
    let decide = || {
        policy
            .evaluate_bytes(subject.entrypoint, Some(input.as_bytes()), NOW)
            .unwrap();
    };
    let (one, two) = in_turn(|| time_a_call(1, decide), || time_a_call(2, decide));
    figures.add(
        "two threads, baseline, 5 kB",
        "decisions a second",
        1.0 / two.as_secs_f64(),
        "/s",
        "one thread",
        one.as_secs_f64() / two.as_secs_f64(),
    );
}

/// What an instance of its own costs a decision: its start, and that its place is made clean for the next one.
fn lifetime(figures: &mut Figures, subject: &Subject, policy: &Policy) {
    let input = inputs::of_size(5);
    let times: Vec<_> = (0..20_000)
        .map(|_| policy.lifetime(subject.entrypoint, input.as_bytes()).unwrap())
        .collect();
    let median = |part: fn(&(Duration, Duration)) -> Duration| {
        let mut times: Vec<_> = times.iter().map(part).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    let (start, end) = (median(|(start, _)| *start), median(|(_, end)| *end));
    let limit = Duration::from_micros(10);
    figures.time("instantiation", "a new instance", "10 µs", (start, limit));
    figures.time(
        "its end",
        "cleaning up after a decision, 5 kB",
        "its start",
        (end, start),
    );
}

/// Twenty bundles that were compiled before.
fn cold_start(figures: &mut Figures, subject: &Subject, folder: &Path) {
    let bundles = policies::variants(20, 0, folder);
    let modules = folder.join("cold");
    let _ = std::fs::remove_dir_all(&modules);
    let compile_all = || {
        let since = Instant::now();
        let engine = Engine::with_cache(&modules).unwrap();
        let policies: Vec<Policy> = bundles
            .iter()
            .map(|bundle| engine.compile(bundle, Limits::default()).unwrap())
            .collect();
        let input = inputs::of_size(5);
        for policy in &policies {
            policy
                .evaluate_bytes(subject.entrypoint, Some(input.as_bytes()), NOW)
                .unwrap();
        }
        since.elapsed()
    };
    let compiled = compile_all();
    let limit = Duration::from_millis(100);
    let (cached, _) = in_turn(compile_all, || limit);
    figures.time(
        "cold start, 20 bundles",
        "from the disk, with one decision each",
        "100 ms",
        (cached, limit),
    );
    figures.time(
        "cold start, 20 bundles",
        "from the disk, with one decision each",
        "compiling them",
        (cached, compiled),
    );
}

fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")))
}
