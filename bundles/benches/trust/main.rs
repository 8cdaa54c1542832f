//! `make bench`: checking signatures and models beside the tools that made them, in one run and on the same material. Theirs
//! are whole processes, because that is how they are used; ours is a call, as the operator makes it. Writes
//! `target/bench/trust.json`, which the rest of `make bench` puts into `docs/performance.md`.

#![expect(clippy::print_stdout, reason = "the figures are what one wants to see")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may fail at once")]

#[path = "../engine/figures.rs"]
mod figures;
mod folder;
mod registry;
mod server;
mod signatures;
#[path = "../engine/timing.rs"]
mod timing;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use figures::Figures;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // A process of its own, whose memory is measured.
    if let [role, host, digest, size] = arguments.as_slice()
        && role == registry::READER
    {
        return registry::read_and_tell(host, digest, size.parse().unwrap());
    }
    // `cargo test --benches` only wants to know that it builds.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let bench = target().join("bench");
    std::fs::create_dir_all(&bench).unwrap();
    let mut figures = Figures::default();
    signatures::measure(&mut figures);
    folder::measure(&mut figures, &bench);
    registry::measure(&mut figures);
    figures.write(&bench.join("trust.json"));
}

/// The median time of a whole process, which must end well.
fn process(program: &str, arguments: &[String]) -> Duration {
    let run = || {
        let since = Instant::now();
        let output = Command::new(program).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{program} {arguments:?}: {said}");
        since.elapsed()
    };
    let mut times: Vec<Duration> = (0..5).map(|_| run()).collect();
    times.sort_unstable();
    times.get(2).copied().unwrap()
}

/// Where `make bench` says that a tool is.
fn tool(variable: &str) -> String {
    std::env::var(variable).expect("COSIGN and MODEL_SIGNING say where the tools are: start this with `make bench`")
}

fn testdata(path: &str) -> String {
    format!("{}/testdata/{path}", env!("CARGO_MANIFEST_DIR"))
}

fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")))
}
