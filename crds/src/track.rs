//! GovernanceTrack: which workloads are governed, by which bundles, and how strictly.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};
use kube::{CustomResource, KubeSchema, core::Duration};
use schemars::JsonSchema as _;
use serde::{Deserialize, Serialize};

use crate::bundle::{LocalReference, SignedBy};
use crate::condition::Condition;
use crate::drift::DriftMonitor;

/// A GovernanceTrack assigns workloads to policy bundles. Every object of its kinds, in the namespaces it selects,
/// gets a Release whose status is the verdict. Where several tracks match, the one with the highest priority
/// governs alone; two with the same priority are a conflict, and the verdict is Unknown until it is resolved.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "interlock.dev",
    version = "v1alpha1",
    kind = "GovernanceTrack",
    plural = "governancetracks",
    shortname = "track",
    shortname = "tracks",
    category = "interlock",
    status = "GovernanceTrackStatus",
    derive = "PartialEq",
    doc = "A GovernanceTrack assigns workloads to policy bundles and says how strictly each gate counts.",
    printcolumn(name = "Priority", type_ = "integer", json_path = ".spec.priority"),
    printcolumn(name = "Governed", type_ = "integer", json_path = ".status.counts.governed"),
    printcolumn(name = "Denied", type_ = "integer", json_path = ".status.counts.denied"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = 1
    ),
    printcolumn(
        name = "Ungoverned",
        type_ = "integer",
        json_path = ".status.ungoverned.count",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct GovernanceTrackSpec {
    /// The track with the highest priority whose `match` holds governs a workload. Give stricter tracks the higher
    /// priority: a workload's own labels can then only raise what is asked of it.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub priority: i32,

    /// Which workloads.
    #[serde(rename = "match")]
    pub matching: Match,

    /// Which bundles judge them. All of them must let a workload through.
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub bundles: Vec<BundleUse>,

    /// How strictly single gates count. A gate that is not listed is enforced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub gates: Vec<GateLevel>,

    /// The monitor that must see a workload drift. It is looked at from the target to the alert; the Release's condition
    /// `DriftMonitorWired` names the first broken link. Left out: no monitor is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_monitor: Option<DriftMonitor>,

    /// Who must have signed what the workloads are made of. Left out: nobody, and no registry is asked about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<ArtifactSigners>,

    /// Secrets of type `kubernetes.io/dockerconfigjson` in the operator's namespace, with the credentials for the
    /// registries of images and models. For each repository the first one that has an entry for it is used; a
    /// repository without an entry is asked without credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub pull_secrets: Vec<LocalReference>,

    /// Whether the Secrets that a workload's own pods pull with are tried after those of `pullSecrets`.
    #[serde(default, skip_serializing_if = "WorkloadPullSecrets::is_ignore")]
    pub workload_pull_secrets: WorkloadPullSecrets,
}

/// What is done with the Secrets that a workload's pods pull with.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkloadPullSecrets {
    /// They are not read.
    #[default]
    Ignore,
    /// The `imagePullSecrets` of a pod, or else of its ServiceAccount, are read in the workload's namespace, where a
    /// RoleBinding must let the operator get them. One that it may not get, or that is not there, is passed over.
    Use,
}

impl WorkloadPullSecrets {
    /// Whether they are not read.
    pub fn is_ignore(&self) -> bool {
        *self == Self::Ignore
    }
}

/// Who must have signed the artifacts of a workload: at least one part is given.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.images) || has(self.models)")
        .message("name the signers of images, of models, or of both")
)]
pub struct ArtifactSigners {
    /// Who must have signed every container image. Image volumes too, unless `models` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<SignedBy>,
    /// Who must have signed every model that is an OCI artifact, `oci://` locations and image volumes: its manifest, or a
    /// list of exactly its files that is attached to it (OpenSSF Model Signing).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<SignedBy>,
    /// Attestations that bundles get as evidence, besides the signatures: for each predicate type, whose count. They are
    /// looked for on every image and model that must be signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["predicateType"]))]
    pub attestations: Vec<AttestationSigners>,
}

impl ArtifactSigners {
    /// Every Signer that is named, as often as it is.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let signing = self.images.iter().chain(&self.models).flat_map(|by| &by.signers);
        signing.chain(self.attestations.iter().flat_map(|one| &one.signers))
    }
}

/// Whose attestations of one type count.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AttestationSigners {
    /// The predicate type, as it stands in the attestation. Example: `https://slsa.dev/provenance/v1`.
    #[schemars(length(min = 1, max = 512))]
    pub predicate_type: String,
    /// Names of Signers. An attestation by any one of them counts.
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "set"), inner(length(min = 1, max = 253)))]
    pub signers: Vec<String>,
    /// How old one may be, counted from the moment that a transparency log or timestamp authority saw its signature: one
    /// that neither saw does not count then, nor does one with a key whose Signer demands neither of them. Whoever may push
    /// can have an old one by a key dated anew, but none of a keyless signer. Left out: of any age. Between 1m and 87600h. Example: `720h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('87600h')")
            .message("must be a duration between 1m and 87600h, for example 720h")
    )]
    pub max_age: Option<Duration>,
}

/// Which workloads a track governs: all three parts must hold.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// Namespaced kinds. A kind that the cluster does not have yet is waited for.
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub kinds: Vec<KindReference>,
    /// Namespaces by their labels. Left out: all namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "namespace_selector")]
    #[x_kube(
        validation = Rule::new("!has(self.matchExpressions) || self.matchExpressions.all(one, one.operator in ['In', 'NotIn'] ? (has(one.values) && one.values.size() > 0) : (one.operator in ['Exists', 'DoesNotExist'] && (!has(one.values) || one.values.size() == 0)))")
            .message("operator must be In or NotIn with values, or Exists or DoesNotExist without: anything else selects nothing")
    )]
    pub namespace_selector: Option<LabelSelector>,
    /// Objects by their own labels. It can only demand labels, never their absence: otherwise adding a label would
    /// be a way out of the track. Left out: all objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_selector: Option<ObjectSelector>,
}

/// A LabelSelector of bounded size: what validates it has a budget.
fn namespace_selector(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let mut schema = LabelSelector::json_schema(generator);
    let mut bound = |pointer: &str, limit: &str, size: u32| {
        if let Some(field) = schema.pointer_mut(pointer).and_then(serde_json::Value::as_object_mut) {
            field.insert(limit.to_owned(), size.into());
        }
    };
    bound("/properties/matchExpressions", "maxItems", 32);
    schema
}

/// A kind by group and name.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!((!has(self.group) || self.group == '') && self.kind == 'Secret')")
        .message("Secrets are not judged: the operator would have to read all of them, and their content would reach policies")
)]
pub struct KindReference {
    /// The API group; left out or empty for the core group. Example: `apps`.
    // No default in the schema: what the API server adds inside a list that is replaced as a whole, GitOps tools
    // that compare with what was last applied would show as a difference for ever.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub group: String,
    /// The version to read. Left out: the version the API server prefers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub version: Option<String>,
    /// The kind. Example: `Deployment`.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Z][A-Za-z0-9]*$"))]
    pub kind: String,
}

/// Labels that an object must carry.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ObjectSelector {
    /// Labels with these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further demands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub match_expressions: Vec<ObjectSelectorRequirement>,
}

/// One demand on an object's labels.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.operator == 'In' ? (has(self.values) && self.values.size() > 0) : (!has(self.values) || self.values.size() == 0)")
        .message("operator In needs values, operator Exists takes none")
)]
pub struct ObjectSelectorRequirement {
    /// The label's key.
    #[schemars(length(min = 1, max = 316))]
    pub key: String,
    /// `In` or `Exists`.
    pub operator: ObjectSelectorOperator,
    /// The values that `In` accepts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub values: Vec<String>,
}

/// How a label is tested.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectSelectorOperator {
    /// The label has one of the values.
    In,
    /// The label is there.
    Exists,
}

/// A bundle as a track uses it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct BundleUse {
    /// Name of a PolicyBundle.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Handed to the policies as `input.parameters`. The bundle documents what it understands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub parameters: Option<serde_json::Map<String, serde_json::Value>>,
}

fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// How strictly one gate counts.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.effectiveOn) || self.level == 'Enforce'")
        .message("effectiveOn needs level Enforce: it says from when on the gate is enforced; until then it warns")
)]
pub struct GateLevel {
    /// The gate's id in its bundle's catalogue. Example: `C-06`.
    #[schemars(length(min = 1, max = 64))]
    pub id: String,
    /// What a failing gate does. Write `"Off"` in quotes: YAML 1.1, which kubectl reads, takes a bare Off for false.
    pub level: Level,
    /// From when on the level is `Enforce`; until then the gate warns. Only with `level: Enforce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_on: Option<Time>,
}

/// What a failing gate does.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Level {
    /// It decides the verdict.
    #[default]
    Enforce,
    /// It is reported, and does not decide.
    Warn,
    /// It is recorded in the status, and neither warns nor decides.
    Audit,
    /// It is not reported at all.
    Off,
}

/// What the operator knows of a GovernanceTrack.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GovernanceTrackStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many workloads the track governs, by verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Objects of the track's kinds that no track governs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ungoverned: Option<Ungoverned>,
    /// `Ready`; `Reconciling` or `Stalled` while not ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Governed workloads by verdict.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// All of them.
    pub governed: u32,
    /// Verdict Allow.
    pub allowed: u32,
    /// Verdict Deny.
    pub denied: u32,
    /// Verdict Pending.
    pub pending: u32,
    /// Verdict Unknown, or none yet.
    pub unknown: u32,
}

/// Objects that no track governs.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Ungoverned {
    /// How many.
    pub count: u32,
    /// The first ten, `KIND NAMESPACE/NAME`, in alphabetical order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub sample: Vec<String>,
}
