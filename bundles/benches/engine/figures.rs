//! Figures: printed as they come, and written as the rest of `make bench` reads them.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// All figures of a run.
#[derive(Default)]
pub(crate) struct Figures(Vec<Value>);

impl Figures {
    /// A time beside that of a peer, which comes second.
    pub(crate) fn time(&mut self, measure: &str, subject: &str, against: &str, (value, peer): (Duration, Duration)) {
        let (value, peer) = (value.as_secs_f64(), peer.as_secs_f64());
        self.add(measure, subject, value, "s", against, value / peer);
    }

    pub(crate) fn add(&mut self, measure: &str, subject: &str, value: f64, unit: &str, against: &str, ratio: f64) {
        let shown = if unit == "s" {
            format!("{:.1} µs", value * 1e6)
        } else {
            format!("{value:.1} {unit}")
        };
        println!("  {measure}: {subject}: {shown}, {ratio:.3} of {against}");
        self.0.push(json!({
            "measure": measure, "subject": subject, "value": value, "unit": unit, "against": against, "ratio": ratio,
        }));
    }

    pub(crate) fn write(&self, path: &Path) {
        std::fs::write(path, serde_json::to_vec_pretty(&self.0).unwrap()).unwrap();
    }
}
