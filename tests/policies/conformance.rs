//! A fixed part of OPA's own cases: some of every subject, and all of those on errors, undefined values and sets, where
//! hosts go wrong. `make conformance` runs the others, too.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use interlock_tests::conformance::{self, Ending};
use interlock_tests::oracle::Oracle;

/// Of every subject the first case and each one so many after it.
const STEP: usize = 32;

/// Subjects of which all cases run.
const WHOLE: [&str; 8] = [
    "baseandvirtualdocs",
    "functionerrors",
    "invalidkeyerror",
    "partialsetdoc",
    "sets",
    "sprintf",
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
    let (mut faults, mut passed) = (Vec::new(), 0);
    for (number, ending) in conformance::run(&cases, &numbers, |_, _, _| {})? {
        let name = cases.get(number).context("a case has a name")?;
        passed += usize::from(matches!(ending, Ending::Passed));
        faults.extend(conformance::row(name, &ending).filter(|_| matches!(ending, Ending::Failed(_))));
    }
    println!("{passed} of {} cases pass", numbers.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}
