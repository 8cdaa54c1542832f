//! `interlock verify` through the real binary, without a registry: keyless signatures of a file, models in a folder, and
//! wrong input. The signatures are those of `bundles/testdata`, whose README files say whose they are.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its own preparation fails"
)]

use std::path::Path;
use std::process::{Command, Output};

mod keyless;
mod models;
mod terms;

fn interlock(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(arguments)
        .output()
        .expect("the binary runs")
}

fn here(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    path.display().to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit code, standard output, standard error.
fn run(words: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let arguments: Vec<&str> = words.split_whitespace().chain(more.iter().copied()).collect();
    let output = interlock(&arguments);
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Exit 2, nothing on standard output, and all of this on standard error.
fn refused(words: &str, more: &[&str], says: &[&str]) {
    let (code, out, said) = run(words, more);
    assert_eq!(code, Some(2), "{words} {more:?}: {out}{said}");
    assert!(
        out.is_empty() && !said.contains("panicked"),
        "{words} {more:?}: {out}{said}"
    );
    for what in says {
        assert!(said.contains(what), "{words} {more:?} should say {what:?}: {said}");
    }
}
