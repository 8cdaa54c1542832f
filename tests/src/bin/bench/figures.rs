//! Figures: printed as they come, then written down as JSON and as the table of `docs/performance.md`.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use interlock_tests::tools::repository_root;
use serde::{Deserialize, Serialize};

/// Between these lines of `docs/performance.md` stands the table.
const BEGIN: &str = "<!-- figures: begin -->";
const END: &str = "<!-- figures: end -->";

/// All figures of a run.
pub(crate) struct Figures(Vec<Figure>);

/// One of them, and what it is to be seen beside.
#[derive(Serialize, Deserialize)]
struct Figure {
    measure: String,
    subject: String,
    value: f64,
    unit: String,
    against: String,
    ratio: f64,
}

impl Figures {
    /// Those of the engine and of signatures, which were measured just before (`bundles/benches`).
    pub(crate) fn of_libraries() -> Result<Self> {
        let mut all = Vec::new();
        for name in ["engine", "trust"] {
            let path = repository_root().join(format!("target/bench/{name}.json"));
            let figures =
                std::fs::read(&path).with_context(|| format!("{}: start this with make bench", path.display()))?;
            all.extend(serde_json::from_slice::<Vec<Figure>>(&figures)?);
        }
        Ok(Self(all))
    }

    /// A number of `subject`, beside the number of something else.
    pub(crate) fn count(&mut self, measure: &str, subject: &str, value: f64, against: &str, other: usize) {
        let ratio = value / crate::count(other);
        self.add(measure, subject, value, "", &format!("{other} {against}"), ratio);
    }

    /// A time, beside another of the same run.
    pub(crate) fn time(&mut self, measure: &str, subject: &str, value: Duration, against: (&str, Duration)) {
        let (value, other) = (value.as_secs_f64(), against.1.as_secs_f64());
        self.add(measure, subject, value, "s", against.0, value / other);
    }

    /// A size in bytes, beside that of a peer.
    pub(crate) fn bytes(&mut self, measure: &str, subject: &str, value: f64, against: (&str, f64)) {
        self.add(measure, subject, value, "B", against.0, value / against.1);
    }

    #[expect(clippy::print_stdout, reason = "the figures are what one wants to see")]
    fn add(&mut self, measure: &str, subject: &str, value: f64, unit: &str, against: &str, ratio: f64) {
        let (value, ratio) = (value + 0.0, ratio + 0.0); // no -0.0
        println!("  {measure}: {subject}: {value:.1}{unit}, {ratio:.3} of {against}");
        self.0.push(Figure {
            measure: measure.to_owned(),
            subject: subject.to_owned(),
            value,
            unit: unit.to_owned(),
            against: against.to_owned(),
            ratio,
        });
    }

    /// Writes `target/bench/results.json` and the table of `docs/performance.md`.
    pub(crate) fn publish(&self) -> Result<()> {
        let folder = repository_root().join("target/bench");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("results.json"), serde_json::to_vec_pretty(&self.0)?)?;
        let page = repository_root().join("docs/performance.md");
        let text = std::fs::read_to_string(&page)?;
        let (before, rest) = text
            .split_once(BEGIN)
            .context("docs/performance.md has no place for the table")?;
        let (_, after) = rest
            .split_once(END)
            .context("docs/performance.md has no end of the table")?;
        let mut table = String::from("| | what | figure | beside | ratio |\n|---|---|---|---|---|\n");
        for one in &self.0 {
            writeln!(table, "{}", one.row())?;
        }
        std::fs::write(page, format!("{before}{BEGIN}\n{table}{END}{after}"))?;
        Ok(())
    }
}

impl Figure {
    /// Times and sizes depend on the machine: of them the page shows the ratio only.
    fn row(&self) -> String {
        let value = if self.unit.is_empty() {
            format!("{:.1}", self.value)
        } else {
            "–".to_owned()
        };
        format!(
            "| {} | {} | {value} | {} | {:.2} |",
            self.measure, self.subject, self.against, self.ratio
        )
    }
}
