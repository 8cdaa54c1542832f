//! What a GovernanceTrack demands of the monitor that should see a workload drift, and what was found of it.
//!
//! ```text
//! target ──scrape──▶ series ──▶ alerting rule ──▶ alert          each is looked at in Prometheus
//! ```
//!
//! The words here are the platform's: they, and a workload's namespace and name as escaped matchers, are all that is
//! ever asked of Prometheus.

use std::collections::BTreeMap;

use kube::{KubeSchema, core::Duration};
use serde::{Deserialize, Serialize};

/// How to see that a workload's drift is watched: where Prometheus is, which series tell of drift, which alert fires.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DriftMonitor {
    /// The Prometheus that scrapes the series and evaluates the alert, or what speaks its HTTP API.
    pub prometheus: Prometheus,

    /// How often the chain is looked at. Each round asks for targets and rules once, and one or two questions a
    /// workload while nothing is broken. Between 1s and 24h. Example: `1m`.
    #[serde(default = "interval")]
    #[schemars(length(max = 32))]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('24h')")
            .message("must be a duration between 1s and 24h, for example 1m")
    )]
    pub interval: Duration,

    /// Kinds of the track whose workloads must have the monitor. Left out: all of them. Example:
    /// `[{group: serving.kserve.io, kind: InferenceService}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub kinds: Vec<MonitoredKind>,

    /// The labels by which series and alerts say whose they are.
    pub workload: WorkloadLabels,

    /// The scrape target that serves the series. Left out: targets are not looked at, for a Prometheus that does not
    /// list them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<MonitorTarget>,

    /// The series that tell of drift. Every one of them must exist for each workload, be finite and fresh.
    #[schemars(length(min = 1, max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub series: Vec<MonitorSeries>,

    /// The alert that fires when a workload drifts.
    pub alert: MonitorAlert,
}

fn interval() -> Duration {
    std::time::Duration::from_mins(1).into()
}

/// Where Prometheus is and how to speak to it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Prometheus {
    /// Its base URL, without `/api/v1`. Example: `http://prometheus-k8s.monitoring.svc:9090`.
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(
        validation = Rule::new("self.matches('^https?://[a-zA-Z0-9.-]+(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9][0-9]|6[0-4][0-9][0-9][0-9]|[1-5][0-9][0-9][0-9][0-9]|[1-9][0-9]?[0-9]?[0-9]?))?(/[a-zA-Z0-9._~/-]*)?$')")
            .message("must be http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH] with a port between 1 and 65535, without a query and without /api/v1")
    )]
    pub url: String,
    /// A token to present, from a Secret in the operator's namespace. With an `http` URL it travels in the clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<SecretKey>,
    /// Certificate authorities in PEM to trust for an `https` URL, in place of those of the system. Example:
    /// `-----BEGIN CERTIFICATE-----…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub ca_bundle: Option<String>,
    /// After this an answer that is not complete is given up. Between 100ms and 2m. Example: `10s`.
    #[serde(default = "timeout")]
    #[schemars(length(max = 32))]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('100ms') && duration(self) <= duration('2m')")
            .message("must be a duration between 100ms and 2m, for example 10s")
    )]
    pub timeout: Duration,
}

fn timeout() -> Duration {
    std::time::Duration::from_secs(10).into()
}

/// One key of a Secret in the operator's namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// The Secret's name. Example: `prometheus-token`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in its data. Example: `token`.
    #[serde(default = "token")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

fn token() -> String {
    "token".to_owned()
}

/// A kind that must have the monitor.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MonitoredKind {
    /// The API group; left out or empty for the core group. Example: `serving.kserve.io`.
    // No default in the schema, here and wherever else a list is replaced as a whole: GitOps tools that compare with
    // what was last applied would show it as a difference for ever.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub group: String,
    /// The kind. Example: `InferenceService`.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Z][A-Za-z0-9]*$"))]
    pub kind: String,
}

/// The labels that hold a workload's namespace and name. TrustyAI writes `namespace` (from its target) and `modelId`;
/// Evidently's exporters usually `dataset_name`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.namespaceLabel) ? self.namespaceLabel : 'namespace') != self.nameLabel")
        .message("namespaceLabel (namespace, if left out) and nameLabel are the same label: give each its own")
)]
pub struct WorkloadLabels {
    /// The label that holds the workload's namespace. Left out: `namespace`. Example: `exported_namespace`, where the
    /// target's own label of that name wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[a-zA-Z_][a-zA-Z0-9_]*$"))]
    pub namespace_label: Option<String>,
    /// The label that holds the workload's name. Example: `modelId`.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[a-zA-Z_][a-zA-Z0-9_]*$"))]
    pub name_label: String,
}

impl WorkloadLabels {
    /// The label that holds the workload's namespace.
    pub fn namespace_label(&self) -> &str {
        self.namespace_label.as_deref().unwrap_or("namespace")
    }
}

/// A scrape target, by its labels after relabelling. One of those that match must be up.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.matchLabels) && self.matchLabels.size() > 0) || has(self.namespaceLabel) || has(self.nameLabel) || has(self.scrapePool)")
        .message("any target would do: give at least one of matchLabels, namespaceLabel, nameLabel and scrapePool, or leave target out"),
    validation = Rule::new("!has(self.namespaceLabel) || !has(self.nameLabel) || self.namespaceLabel != self.nameLabel")
        .message("namespaceLabel and nameLabel are the same label: give each its own")
)]
pub struct MonitorTarget {
    /// Labels the target carries. Example: `{job: trustyai-service}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels")]
    pub match_labels: BTreeMap<String, String>,
    /// The label of the target that holds the workload's namespace. Left out: one target serves all namespaces.
    /// Example: `namespace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[a-zA-Z_][a-zA-Z0-9_]*$"))]
    pub namespace_label: Option<String>,
    /// The label of the target that holds the workload's name. Left out: one target serves all workloads. Example:
    /// `service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[a-zA-Z_][a-zA-Z0-9_]*$"))]
    pub name_label: Option<String>,
    /// Only targets of this scrape pool: spares a Prometheus with thousands of targets to list them all. Example:
    /// `serviceMonitor/credit/trustyai/0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub scrape_pool: Option<String>,
}

/// A series that tells of drift. For each workload it is asked for with the workload's labels added.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MonitorSeries {
    /// The metric's name. Example: `trustyai_comparemeans`.
    #[schemars(length(min = 1, max = 256), regex(pattern = "^[a-zA-Z_:][a-zA-Z0-9_:]*$"))]
    pub metric: String,
    /// Further labels the series carries. Example: `{referenceTag: TRAINING}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels")]
    pub match_labels: BTreeMap<String, String>,
    /// The workload's labels on this metric, where they are others than in `workload`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadLabels>,
    /// A newest sample older than this is stale. Left out: `5m`. Between 1s and 168h. Example: `15m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('168h')")
            .message("must be a duration between 1s and 168h, for example 5m")
    )]
    pub max_age: Option<Duration>,
    /// The value must change within this time; one that stands still is what a detector without input shows. A series
    /// that is younger is not held against it. Left out: the value may stand still. Between 1s and 168h. Example: `6h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('168h')")
            .message("must be a duration between 1s and 168h, for example 6h")
    )]
    pub changes_within: Option<Duration>,
}

impl MonitorSeries {
    /// A newest sample older than this is stale.
    pub fn max_age(&self) -> Duration {
        self.max_age.unwrap_or(std::time::Duration::from_mins(5).into())
    }
}

/// The alert that fires when a workload drifts. Several rules may carry the name, one a workload for instance: one of
/// them must see the workload.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MonitorAlert {
    /// The rule's name, which is the alert's label `alertname`. Example: `ModelDrift`.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// Labels that the rule sets, as they stand in its file. Example: `{severity: page}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels")]
    pub match_labels: BTreeMap<String, String>,
    /// The workload's labels on what the rule's expression selects and on the alert, where they are others than in
    /// the track's `workload`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadLabels>,
}

/// Labels by name, of bounded number and size. Prometheus takes any name in quotes, and so they are sent: the grammar
/// is checked to catch mistakes.
fn labels(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 8,
        "additionalProperties": {"type": "string", "maxLength": 256},
        "x-kubernetes-validations": [{
            "rule": "self.all(name, name.matches('^[a-zA-Z_][0-9a-zA-Z_]*$'))",
            "message": "label names are letters, digits and underscores, and do not start with a digit",
        }],
    })
}

/// What was found of a workload's drift monitor.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DriftMonitorStatus {
    /// The links of the chain in the order in which data flows, as far as the first broken one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub links: Vec<LinkStatus>,
}

/// One link of the chain.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LinkStatus {
    /// Which. Example: `SeriesPresent`.
    pub name: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Stable CamelCase word. Example: `NoSeries`.
    pub reason: String,
    /// What was found, and what would mend it. Empty for a link that holds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}
