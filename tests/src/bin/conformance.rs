//! `make conformance`: OPA's own cases through the engine. Prints a table by directory and writes
//! `docs/conformance.md`; leaves with an error if a case fails. `conformance DIRECTORY…` runs those of some directories,
//! and writes nothing.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table is what one wants to see"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Result, ensure};
use interlock_tests::conformance::{self, Ending};
use interlock_tests::oracle::{Cases, Name, Oracle};
use interlock_tests::tools::repository_root;

/// How often progress is told, in cases.
const STEP: usize = 200;

fn main() -> Result<()> {
    let cases = Oracle::start()?.cases()?;
    let only: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = (0..cases.cases.len())
        .filter(|number| {
            let directory = cases.cases.get(*number).map(|name| &name.directory);
            only.is_empty() || directory.is_some_and(|directory| only.contains(directory))
        })
        .collect();
    let ended = conformance::run(&cases.cases, &numbers, |done, name, ending| {
        if let Ending::Failed(fault) = ending {
            eprintln!("FAILED {}: {}: {fault}", name.file, name.note);
        }
        if done.is_multiple_of(STEP) {
            eprintln!("conformance: {done} of {}", numbers.len());
        }
    })?;
    let ended: Vec<(&Name, Ending)> = ended
        .into_iter()
        .filter_map(|(number, ending)| Some((cases.cases.get(number)?, ending)))
        .collect();
    let table = table(&ended)?;
    println!("{table}");
    let failed = Count::of(&ended).failed;
    ensure!(failed == 0, "{failed} cases fail; docs/conformance.md stays as it was");
    if !only.is_empty() {
        return Ok(());
    }
    std::fs::write(
        repository_root().join("docs/conformance.md"),
        page(&cases, &ended, &table)?,
    )?;
    Ok(())
}

/// How many cases ended how.
#[derive(Clone, Copy, Default)]
struct Count {
    cases: usize,
    passed: usize,
    exceptions: usize,
    refused: usize,
    skipped: usize,
    failed: usize,
}

impl Count {
    fn add(&mut self, ending: &Ending) {
        self.cases += 1;
        *match ending {
            Ending::Passed => &mut self.passed,
            Ending::Exception(_) => &mut self.exceptions,
            Ending::Refused(_) => &mut self.refused,
            Ending::Skipped(_) => &mut self.skipped,
            Ending::Failed(_) => &mut self.failed,
        } += 1;
    }

    fn of<'a>(ended: impl IntoIterator<Item = &'a (&'a Name, Ending)>) -> Self {
        let mut count = Self::default();
        for (_, ending) in ended {
            count.add(ending);
        }
        count
    }
}

fn table(ended: &[(&Name, Ending)]) -> Result<String> {
    let mut directories: BTreeMap<&str, Count> = BTreeMap::new();
    for (name, ending) in ended {
        directories.entry(&name.directory).or_default().add(ending);
    }
    let mut table = "| directory | cases | passed | exceptions | refused | skipped | failed |\n".to_owned();
    table.push_str("|---|--:|--:|--:|--:|--:|--:|\n");
    for (directory, count) in directories.into_iter().chain([("**all**", Count::of(ended))]) {
        let Count {
            cases,
            passed,
            exceptions,
            refused,
            skipped,
            failed,
        } = count;
        writeln!(
            table,
            "| {directory} | {cases} | {passed} | {exceptions} | {refused} | {skipped} | {failed} |"
        )?;
    }
    Ok(table)
}

fn page(cases: &Cases, ended: &[(&Name, Ending)], table: &str) -> Result<String> {
    let count = Count::of(ended);
    let mut page = format!(
        "# Conformance

`make conformance` writes this page. It takes the cases by which OPA {version} tests itself (Rego v1, \
`v1/test/cases/testdata/v1`), lets OPA's own library compile each to WebAssembly and Interlock's engine evaluate it, \
and lets OPA's library compare the answer with what the case wants. `make test` does the same with a part of them.

Of {cases} cases {passed} pass and none fails. {exceptions} are exceptions in OPA's own list for WebAssembly, {refused} \
need a function that a decision never gets, {skipped} cannot be asked. All of these are named below.

{table}",
        version = cases.version,
        cases = count.cases,
        passed = count.passed,
        exceptions = count.exceptions,
        refused = count.refused,
        skipped = count.skipped,
    );
    for (title, kind) in [
        ("Exceptions", Ending::Exception("")),
        ("Refused", Ending::Refused(String::new())),
        ("Skipped", Ending::Skipped(String::new())),
    ] {
        write!(page, "\n## {title}\n\n")?;
        let rows: Vec<String> = ended
            .iter()
            .filter(|(_, ending)| std::mem::discriminant(ending) == std::mem::discriminant(&kind))
            .filter_map(|(name, ending)| conformance::row(name, ending))
            .collect();
        if rows.is_empty() {
            page.push_str("None.\n");
        } else {
            write!(page, "| file | case | why |\n|---|---|---|\n{}\n", rows.join("\n"))?;
        }
    }
    Ok(page)
}
