//! A fixed part of OPA's own cases: some of every subject, and all of those on errors, undefined values and sets, where
//! hosts go wrong. `make conformance` runs the others, too.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use interlock_tests::conformance::{self, Ending};
use interlock_tests::oracle::Oracle;
use interlock_tests::tools::repository_root;

/// Of every subject the first case and each one so many after it.
const STEP: usize = 32;

/// Subjects of which all cases run.
const WHOLE: [&str; 6] = [
    "functionerrors",
    "invalidkeyerror",
    "partialsetdoc",
    "sets",
    "type",
    "undos",
];

#[test]
fn the_engine_passes_opas_own_cases() -> Result<()> {
    let cases = Oracle::start()?.cases()?.cases;
    let mut of_directory: BTreeMap<&str, usize> = BTreeMap::new();
    let mut numbers = Vec::new();
    for (number, name) in cases.iter().enumerate() {
        let at = of_directory.entry(&name.directory).or_default();
        if at.is_multiple_of(STEP) || WHOLE.contains(&name.directory.as_str()) {
            numbers.push(number);
        }
        *at += 1;
    }
    let page = std::fs::read_to_string(repository_root().join("docs/conformance.md")).unwrap_or_default();
    let (mut faults, mut passed) = (Vec::new(), 0);
    for (number, ending) in conformance::run(&cases, &numbers, |_, _, _| {})? {
        let name = cases.get(number).context("a case has a name")?;
        match conformance::row(name, &ending) {
            None => passed += 1,
            Some(row) if matches!(ending, Ending::Failed(_)) => faults.push(row),
            Some(row) if page.contains(&row) => {}
            Some(row) => faults.push(format!("docs/conformance.md does not name {row}")),
        }
    }
    println!("{passed} of {} cases pass", numbers.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}
