//! Release: one governed workload. Its spec is what the team says of it, its status is the verdict.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::drift::DriftMonitorStatus;
use crate::track::Level;

/// A Release is one governed workload. Teams declare it beside the workload in Git; for workloads nobody declared
/// the operator makes one, named `<kind>-<name>` and labelled `interlock.dev/origin: discovered`. The status is
/// the verdict of the track that governs the workload.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "interlock.dev",
    version = "v1alpha1",
    kind = "Release",
    plural = "releases",
    namespaced,
    category = "interlock",
    status = "ReleaseStatus",
    derive = "PartialEq",
    doc = "A Release is one governed workload; its status is the verdict.",
    printcolumn(name = "Track", type_ = "string", json_path = ".status.track"),
    printcolumn(name = "Verdict", type_ = "string", json_path = ".status.verdict"),
    printcolumn(name = "Signed", type_ = "string", json_path = ".status.signed"),
    printcolumn(
        name = "Drift",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"DriftDetected\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Gate", type_ = "string", json_path = ".status.gates[0].id", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseSpec {
    /// The workload, in the Release's own namespace. It cannot be changed: another workload is another Release.
    #[x_kube(
        validation = Rule::new("self == oldSelf")
            .message("the subject cannot be changed: delete this Release and declare another for the other workload")
    )]
    pub subject: Subject,
}

/// A workload in the namespace of the Release.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// Group and version. Example: `apps/v1`. Only the group identifies the workload.
    #[schemars(length(min = 1, max = 317))]
    #[x_kube(
        validation = Rule::new("self.matches('^([a-z0-9.-]+/)?[a-z0-9]+$')")
            .message("must be GROUP/VERSION, for example apps/v1, or just VERSION for the core group")
    )]
    pub api_version: String,
    /// The kind. Example: `Deployment`.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Z][A-Za-z0-9]*$"))]
    pub kind: String,
    /// The name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// The verdict and how it came about.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseStatus {
    /// The generation of the Release that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The track that governs the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<String>,
    /// What the track's bundles say of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Whether every image and model that has to be signed is: `True`, `False` or `Unknown`. Absent where nothing has
    /// to be. `ArtifactsVerified` and `ModelVerified` say more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<String>,
    /// Digest of what was judged as the team wrote it: the workload without metadata and status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// Digest of everything the bundles were given, without times of observation. The same digest, bundles,
    /// parameters and time give the same verdict on any machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dossier_digest: Option<String>,
    /// The bundles that judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub bundles: Vec<JudgedBy>,
    /// Gates that do not plainly pass, those that decide the verdict first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub gates: Vec<GateResult>,
    /// How many further entries `gates` would have if it were not cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates_omitted: Option<u32>,
    /// Gates that pass, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub passed: Vec<String>,
    /// What the workload is made of and whether it is signed as the track demands, what is not signed first. Empty
    /// if the track demands no signatures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub artifacts: Vec<Artifact>,
    /// How many further entries `artifacts` would have if it were not cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts_omitted: Option<u32>,
    /// When time alone can change the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recheck_at: Option<Time>,
    /// What was found of the drift monitor that the track asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_monitor: Option<DriftMonitorStatus>,
    /// `Ready`, `TrackAssigned`, `Admissible`; `Reconciling` or `Stalled` while not ready; `ArtifactsVerified` and
    /// `ModelVerified` where the track demands signatures; `Operational` where a gate can be decided only while the
    /// workload runs; `DriftMonitorWired` and `DriftDetected` where the track asks for a drift monitor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// What a track's bundles say of a workload. The strongest gate decides: Deny, then Unknown, then Pending.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Every enforced gate passes.
    Allow,
    /// An enforced gate fails.
    Deny,
    /// Evidence that an enforced gate needs is not there yet.
    Pending,
    /// It could not be found out. Never to be read as Allow.
    Unknown,
}

impl Verdict {
    /// The text in `verdict`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
            Self::Pending => "Pending",
            Self::Unknown => "Unknown",
        }
    }
}

/// A bundle that judged.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct JudgedBy {
    /// Name of the PolicyBundle.
    pub name: String,
    /// Digest of the artifact, `sha256:<hex>`.
    pub digest: String,
    /// Revision of its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// An image or a model and whether it is signed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// As the workload names it; empty where something else chooses the image.
    pub reference: String,
    /// What it led to when the registry was last asked, `sha256:<hex>`; absent if the reference itself says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Whether it is signed as the track demands.
    pub result: ArtifactResult,
    /// The Signers whose signatures count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub signers: Vec<String>,
    /// The formats in which the signatures came that count: `Bundle`, `OldBundle`, `Legacy`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3), extend("x-kubernetes-list-type" = "atomic"))]
    pub formats: Vec<String>,
    /// Why it is not verified, as a stable word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it is not verified, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Which checks failed, the first eight by name: those on whatever signature there is, and those on the whole.
    /// `interlock verify image` makes the same ones, and says what each found. Example: `[signature, threshold]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub checks_failed: Vec<String>,
    /// Where it stands in the workload, the first place. Example: `spec.template.spec.containers[0].image`.
    pub path: String,
    /// In how many places it stands, if in more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub places: Option<u32>,
}

/// Whether an artifact is signed.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ArtifactResult {
    /// The registry answered completely, and it is not signed as demanded.
    Rejected,
    /// It could not be found out. Never to be read as Verified.
    Unknown,
    /// It is signed as demanded.
    Verified,
}

/// One gate that does not plainly pass.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct GateResult {
    /// The gate's id. Example: `C-04`.
    pub id: String,
    /// What the gate says.
    pub result: GateOutcome,
    /// How strictly it counts here.
    pub level: Level,
    /// When it can be decided. Left out: `Admission`. A gate of the phase `Operation` decides the condition
    /// `Operational` and neither the verdict nor `Ready`.
    #[serde(default, skip_serializing_if = "GatePhase::is_admission")]
    pub phase: GatePhase,
    /// What it complains about, for example a container's name. Empty: the workload as a whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub term: String,
    /// Why, in one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<String>,
}

/// When a gate can be decided, and with it what it decides.
#[derive(
    schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum GatePhase {
    /// Before the workload runs: it decides the verdict, `Admissible` and `Ready`.
    #[default]
    Admission,
    /// Only once the workload runs: it decides `Operational`.
    Operation,
}

impl GatePhase {
    /// Whether it is the phase that need not be said.
    pub fn is_admission(&self) -> bool {
        *self == Self::Admission
    }
}

/// What a gate says of a workload.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GateOutcome {
    /// Contrary evidence.
    Fail,
    /// It could not be found out.
    Unknown,
    /// Evidence is not there yet.
    Pending,
    /// Worth knowing, and no obstacle.
    Warn,
}
