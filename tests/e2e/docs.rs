//! The documentation is true: every command in it is run, page after page, by a reader who starts with an empty cluster,
//! and what the pages show as output is what comes.
//!
//! What differs from a reader's world is told in `docs/README.md`: host names, where the operator's process runs, and that
//! the keys have no password.

mod page;
mod reader;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use interlock_tests::tools::repository_root;

use self::page::Step;
use self::reader::Reader;

/// In the order in which they are read, each on what those before it have left.
const PAGES: [&str; 9] = [
    "install.md",
    "publisher.md",
    "cluster-admin.md",
    "model-team.md",
    "verify.md",
    "drift.md",
    "gitops.md",
    "errors.md",
    "uninstall.md",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_in_the_documentation_does_what_its_page_shows() -> Result<()> {
    let mut reader = Reader::sit_down().await?;
    let mut differences = Vec::new();
    for page in PAGES {
        let text = read(page)?;
        for step in page::steps(page, &text)? {
            match step {
                Step::Write { name, content } => reader.write(&name, &content)?,
                Step::OperatorStarts => reader.operator_starts().await.context("the operator starts")?,
                Step::Type(command) => {
                    let came = reader.types(&command.text).await;
                    let came = came.with_context(|| {
                        let before = differences.join("\n\n");
                        format!("{}: {}\nand before it:\n{before}", command.at, command.text)
                    })?;
                    let shows = !command.output.iter().all(String::is_empty);
                    if let Err(error) = page::same(&command.output, &came)
                        && shows
                    {
                        differences.push(format!(
                            "{}: {}\n{error}\n-- all that came:\n{came}",
                            command.at, command.text
                        ));
                    }
                }
            }
        }
        reader
            .checks_the_last_command()
            .with_context(|| format!("{page}\n{}", differences.join("\n\n")))?;
    }
    ensure!(differences.is_empty(), "{}", differences.join("\n\n"));
    Ok(())
}

/// What is written beside the code: links in it are checked, its commands are not run. Not all of them need to be there.
const READMES: [&str; 5] = [
    "README.md",
    "bundles/README.md",
    "charts/interlock/README.md",
    "policies/README.md",
    "tests/README.md",
];

fn read(page: &str) -> Result<String> {
    let path = repository_root().join("docs").join(page);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

#[test]
fn every_page_is_read_and_every_link_leads_somewhere() -> Result<()> {
    let root = repository_root();
    let mut problems = Vec::new();
    for entry in std::fs::read_dir(root.join("docs"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let name = path.file_name().unwrap_or_default().display().to_string();
        let text = read(&name)?;
        if !PAGES.contains(&name.as_str()) && text.contains("```console") {
            problems.push(format!("nothing runs the commands of {name}: add it to PAGES"));
        }
        problems.extend(astray(&path, &text));
    }
    for path in READMES.map(|name| root.join(name)) {
        if path.is_file() {
            problems.extend(astray(&path, &std::fs::read_to_string(&path)?));
        }
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// The links in the text of `page` that lead to no file.
fn astray(page: &Path, text: &str) -> Vec<String> {
    let leads = |target: &str| {
        let file = target.split('#').next().unwrap_or_default();
        target.contains("://") || file.is_empty() || page.with_file_name(file).exists()
    };
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|&target| !leads(target))
        .map(|target| format!("{}: {target} leads nowhere", page.display()))
        .collect()
}
