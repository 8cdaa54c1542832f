//! What Prometheus answers, as far as it is read. Source: its `docs/querying/api.md` and `web/api/v1`.
//!
//! Fields that are missing or `null` are empty: Go writes an empty list either way. Unknown fields are passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// Label names and values.
pub type Labels = BTreeMap<String, String>;

/// The envelope of every answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope<T> {
    /// `success` or `error`.
    pub status: String,
    /// There on success, and sometimes beside an error.
    pub data: Option<T>,
    /// Class of the error.
    #[serde(default)]
    pub error_type: Option<String>,
    /// The error's text.
    #[serde(default)]
    pub error: Option<String>,
    /// Success with these is an answer of which a part is missing.
    #[serde(default, deserialize_with = "nullable")]
    pub warnings: Vec<String>,
}

/// `/api/v1/targets`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Targets {
    /// Those that are scraped.
    #[serde(default, deserialize_with = "nullable")]
    pub active_targets: Vec<Target>,
    /// Those that relabelling dropped; Prometheus keeps only some.
    #[serde(default, deserialize_with = "nullable")]
    pub dropped_targets: Vec<Target>,
}

/// One target.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Before relabelling.
    #[serde(default, deserialize_with = "nullable")]
    pub discovered_labels: Labels,
    /// After relabelling; empty for a dropped one.
    #[serde(default, deserialize_with = "nullable")]
    pub labels: Labels,
    /// The scrape configuration it belongs to.
    #[serde(default)]
    pub scrape_pool: String,
    /// `up`, `down` or `unknown`.
    #[serde(default)]
    pub health: String,
    /// Why the last scrape failed; empty if it did not.
    #[serde(default)]
    pub last_error: String,
}

/// `/api/v1/rules`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// Rules are evaluated group by group.
    #[serde(default, deserialize_with = "nullable")]
    pub groups: Vec<Group>,
}

/// A group of rules.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Seconds between two evaluations.
    #[serde(default)]
    pub interval: f64,
    /// Its rules.
    #[serde(default, deserialize_with = "nullable")]
    pub rules: Vec<Rule>,
}

/// An alerting or a recording rule.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// `alerting` or `recording`.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// The alert's name, or the name of the recorded metric.
    #[serde(default)]
    pub name: String,
    /// The expression.
    #[serde(default)]
    pub query: String,
    /// Labels that the rule sets.
    #[serde(default, deserialize_with = "nullable")]
    pub labels: Labels,
    /// `ok`, `err` or `unknown`.
    #[serde(default)]
    pub health: String,
    /// Why the last evaluation failed.
    #[serde(default)]
    pub last_error: String,
    /// When it was evaluated last; the year 1 if never.
    #[serde(default)]
    pub last_evaluation: String,
    /// Alerts that are pending or firing.
    #[serde(default, deserialize_with = "nullable")]
    pub alerts: Vec<Alert>,
}

/// An alert that is pending or firing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Those of the series and those of the rule.
    #[serde(default, deserialize_with = "nullable")]
    pub labels: Labels,
    /// `pending` or `firing`.
    #[serde(default)]
    pub state: String,
}

/// `/api/v1/query` of an expression whose value is a vector.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vector {
    /// Always `vector` for what is asked here.
    #[serde(default)]
    pub result_type: String,
    /// One entry a series.
    #[serde(default, deserialize_with = "nullable")]
    pub result: Vec<Sample>,
}

/// A series and its value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Its labels; the metric's name is `__name__`.
    #[serde(default, deserialize_with = "nullable")]
    pub metric: Labels,
    /// Seconds since 1970, and the value as text. Absent for a native histogram.
    #[serde(default)]
    pub value: Option<(f64, String)>,
}

fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Whether `labels` has all of `wanted`.
pub fn carries(labels: &Labels, wanted: &Labels) -> bool {
    wanted.iter().all(|(name, value)| labels.get(name) == Some(value))
}
