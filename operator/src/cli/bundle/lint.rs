//! `interlock bundle lint`: what would keep a bundle from working, what its users should know, and what it costs more
//! than an older one.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use interlock_bundles::archive::Bundle;
use interlock_bundles::engine::{Cost, Engine, Limits};
use interlock_bundles::trust::LocalFile;
use jiff::Timestamp;
use serde::Serialize;

use super::cost::{self, Change};
use crate::cli::Ending;
use crate::cli::output::{self, Format};
use crate::judge::chain;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The bundle.
    file: PathBuf,
    /// An older bundle. Shows how the cost of every entry point changed, for each golden input.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// An error if any cost that both bundles have grew by more than so many percent.
    #[arg(long, value_name = "PERCENT", requires = "against")]
    max_increase: Option<u32>,
    /// Form of the result.
    #[arg(short = 'o', long = "output", value_enum, default_value_t)]
    format: Format,
}

/// What lint found.
#[derive(Serialize)]
struct Report {
    ok: bool,
    remarks: Vec<Remark>,
    /// Only with an older bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Comparison>,
}

/// One thing that lint found.
#[derive(Serialize)]
struct Remark {
    severity: &'static str,
    rule: String,
    message: String,
}

/// The costs, compared with those of an older bundle.
#[derive(Serialize)]
struct Comparison {
    /// Digest of the older bundle's file.
    against: String,
    changes: Vec<Change>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Ending> {
    let engine = Engine::new()?;
    let mut remarks = Vec::new();
    let older = arguments
        .against
        .as_deref()
        .map(|file| older(&engine, file))
        .transpose()?;
    let cost = match (examine(&engine, &arguments.file, &mut remarks)?, older) {
        (Some(bundle), Some(older)) => compare(&engine, &bundle, older, arguments.max_increase, &mut remarks),
        _ => None,
    };
    let report = Report {
        ok: remarks.iter().all(|remark| remark.severity != "error"),
        remarks,
        cost,
    };
    match arguments.format {
        Format::Json => output::json(&report)?,
        Format::Table => output::text(&report.table())?,
    }
    Ok(if report.ok { Ending::Good } else { Ending::Bad })
}

/// The bundle that is compared with, by its digest, and its cost. It need not pass its own tests any more.
fn older(engine: &Engine, file: &Path) -> anyhow::Result<(String, Cost)> {
    let context = || format!("{} cannot be compared with", file.display());
    let bundle = LocalFile::read(file)?.open().with_context(context)?;
    let cost = engine.cost(&bundle, Limits::default()).with_context(context)?;
    Ok((bundle.digest().to_string(), cost))
}

/// Answers the bundle where it can become a policy.
fn examine(engine: &Engine, file: &Path, remarks: &mut Vec<Remark>) -> anyhow::Result<Option<Bundle>> {
    let file = LocalFile::read(file)?;
    let bundle = match file.open() {
        Ok(bundle) => bundle,
        Err(error) => {
            remarks.push(Remark::error(error.reason(), chain(&error)));
            return Ok(None);
        }
    };
    remarks.extend(omissions(&bundle));
    let policy = match engine.compile(&bundle, Limits::default()) {
        Ok(policy) => policy,
        Err(error) => {
            remarks.push(Remark::error(error.reason(), chain(&error)));
            return Ok(None);
        }
    };
    if policy.catalogue().is_none() {
        let message = "no entry point catalogue: a rule that is undefined, for instance over a missing field, passes";
        remarks.push(Remark::warning("NoCatalogue", message));
    }
    match policy.self_test(Timestamp::now()) {
        Ok(warnings) => remarks.extend(warnings.iter().map(|warning| Remark::warning("DenyList", warning))),
        Err(error) => remarks.push(Remark::error(error.reason(), chain(&error))),
    }
    Ok(Some(bundle))
}

/// What a bundle may lack, and had better not.
fn omissions(bundle: &Bundle) -> impl Iterator<Item = Remark> {
    let table = [
        (
            bundle.name().is_some(),
            "NameMissing",
            "the manifest has no metadata.name: it can be used only where its digest is pinned",
        ),
        (
            bundle.revision().is_some(),
            "RevisionMissing",
            "the manifest has no revision: it can be used only where its digest is pinned",
        ),
        (
            bundle.data().pointer("/interlock/golden").is_some(),
            "NoGoldenInputs",
            "no data under interlock/golden: an update is not tested before it judges",
        ),
    ];
    let missing = table.into_iter().filter(|(is_there, ..)| !is_there);
    missing.map(|(_, rule, message)| Remark::warning(rule, message))
}

fn compare(
    engine: &Engine,
    bundle: &Bundle,
    (against, old): (String, Cost),
    max_increase: Option<u32>,
    remarks: &mut Vec<Remark>,
) -> Option<Comparison> {
    let new = match engine.cost(bundle, Limits::default()) {
        Ok(new) => new,
        Err(error) => {
            // Mostly the self-test has met it too.
            if remarks.iter().all(|remark| remark.rule != error.reason()) {
                remarks.push(Remark::error(error.reason(), chain(&error)));
            }
            return None;
        }
    };
    let changes = cost::compare(&old, &new);
    if let Some(percent) = max_increase {
        let grown = changes.iter().filter(|change| change.exceeds(percent));
        remarks.extend(grown.map(|change| {
            let message = format!("{}: {percent} % more are allowed", change.spoken());
            Remark::error("CostIncreased", message)
        }));
    }
    Some(Comparison { against, changes })
}

impl Remark {
    fn warning(rule: &str, message: impl Into<String>) -> Self {
        Self {
            severity: "warning",
            rule: rule.to_owned(),
            message: message.into(),
        }
    }

    fn error(rule: &str, message: impl Into<String>) -> Self {
        Self {
            severity: "error",
            ..Self::warning(rule, message)
        }
    }
}

impl Report {
    fn table(&self) -> String {
        let rows = self.remarks.iter();
        let rows: Vec<_> = rows
            .map(|remark| vec![remark.severity.to_owned(), remark.rule.clone(), remark.message.clone()])
            .collect();
        let mut text = if rows.is_empty() {
            "no remarks\n".to_owned()
        } else {
            output::table(&["SEVERITY", "RULE", "MESSAGE"], &rows)
        };
        if let Some(cost) = &self.cost {
            text.push('\n');
            text.push_str(&cost::table(&cost.changes));
        }
        text
    }
}
