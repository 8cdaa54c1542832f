//! The inner parts of a decision, each on its own: `cargo bench -p interlock-bundles --features measure --bench parts`.

#![expect(clippy::unwrap_used, reason = "a benchmark may fail at once")]

use divan::{Bencher, black_box};
use interlock_bundles::engine::parts;

#[path = "engine/inputs.rs"]
mod inputs;

fn main() {
    divan::main();
}

/// Holding an input to strict JSON.
#[divan::bench(args = inputs::KILOBYTES)]
fn strict_input(bencher: Bencher<'_, '_>, kilobytes: usize) {
    let input = inputs::of_size(kilobytes);
    bencher.bench(|| parts::check_input(black_box(input.as_bytes())).unwrap());
}

/// Laying a value out for the guest and reading it back, as built-in functions do.
#[divan::bench(args = inputs::KILOBYTES)]
fn value_in_memory(bencher: Bencher<'_, '_>, kilobytes: usize) {
    let value = parts::Value::parse(&inputs::of_size(kilobytes)).unwrap();
    bencher.bench(|| black_box(&value).through_memory().unwrap());
}

/// The same by way of text, as modules with another layout need it.
#[divan::bench(args = inputs::KILOBYTES)]
fn value_as_text(bencher: Bencher<'_, '_>, kilobytes: usize) {
    let value = parts::Value::parse(&inputs::of_size(kilobytes)).unwrap();
    bencher.bench(|| black_box(&value).through_text().unwrap());
}

/// Calls of host functions.
#[divan::bench(args = [
    r#"sprintf("%v: %d of %s", [{1, 2}, 3, "x"])"#,
    r#"units.parse_bytes("512Mi")"#,
    r#"regex.replace("registry.example.com/a/b", "^[a-z.]+/", "")"#,
    r#"semver.compare("1.2.3", "1.10.0")"#,
    r#"time.parse_rfc3339_ns("2026-11-21T14:00:00Z")"#,
])]
fn function(bencher: Bencher<'_, '_>, call: &str) {
    let call = parts::Call::parse(call).unwrap();
    bencher.bench(|| black_box(&call).answer());
}
