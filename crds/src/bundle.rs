//! PolicyBundle: which signed policies run, where they come from and who must have signed them.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::{CustomResource, KubeSchema, core::Duration};
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::release::GatePhase;

/// A PolicyBundle names an OPA bundle in an OCI registry and who must have signed it. The operator pulls it,
/// verifies it, compiles it and keeps it ready for the tracks that use it. A newer artifact that cannot be
/// verified, opened or compiled never replaces the one that works.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "interlock.dev",
    version = "v1alpha1",
    kind = "PolicyBundle",
    plural = "policybundles",
    category = "interlock",
    status = "PolicyBundleStatus",
    derive = "PartialEq",
    doc = "A PolicyBundle names a signed OPA bundle in an OCI registry that GovernanceTracks judge workloads with.",
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.active.revision"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Digest", type_ = "string", json_path = ".status.active.digest", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct PolicyBundleSpec {
    /// Where the bundle lives: `oci://HOST[:PORT]/PATH`, without a tag or digest. Example:
    /// `oci://registry.example.com/policies/baseline`. The host must be one the operator is allowed to contact.
    #[schemars(length(min = 7, max = 512))]
    #[x_kube(
        validation = Rule::new("self.matches('^oci://[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$')")
            .message("must be oci://HOST[:PORT]/PATH with a lower-case path and no tag or digest; put the tag, semver range or digest into spec.ref")
    )]
    pub url: String,

    /// Which artifact of that repository: exactly one of `tag`, `semver` and `digest`.
    #[serde(rename = "ref")]
    pub reference: BundleReference,

    /// The name that the bundle's signed manifest must carry (`metadata.name` in its `.manifest`), so that another
    /// bundle of the same signer cannot take its place. Defaults to the name of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub bundle: Option<String>,

    /// How often the registry is asked whether `ref` points somewhere new. A digest is not asked for again.
    /// A Go duration, at least 10s. Example: `5m`.
    #[serde(default = "poll_interval")]
    #[schemars(length(max = 32))]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('10s') && duration(self) <= duration('24h')")
            .message("must be a duration between 10s and 24h, for example 5m")
    )]
    pub poll_interval: Duration,

    /// Name of a Secret of type `kubernetes.io/dockerconfigjson` in the operator's namespace, with the
    /// credentials for the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_secret: Option<LocalReference>,

    /// Who must have signed the artifact.
    pub signed_by: SignedBy,

    /// The shape of the document that the policies get as `input`.
    #[serde(default)]
    pub input: InputShape,

    /// What one evaluation may use. A breach ends in the verdict Unknown with its reason, never in an allow.
    #[serde(default)]
    pub limits: Limits,
}

fn poll_interval() -> Duration {
    std::time::Duration::from_mins(5).into()
}

/// Which artifact of a repository.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.tag), has(self.semver), has(self.digest)].filter(x, x).size() == 1")
        .message("exactly one of tag, semver and digest must be set")
)]
pub struct BundleReference {
    /// A tag, followed as it moves. Example: `stable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$"))]
    pub tag: Option<String>,
    /// A range of semantic versions; the highest tag inside it is followed. Example: `^1.2` or `>=1.0, <2.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub semver: Option<String>,
    /// The digest of the artifact's manifest, `sha256:<64 hex digits>`. It also allows an older revision: pinning a
    /// digest is the deliberate way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^sha256:[a-f0-9]{64}$"))]
    pub digest: Option<String>,
}

/// The name of an object in a namespace that the field decides.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LocalReference {
    /// The object's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Which Signers count, and how many distinct ones are needed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.threshold <= self.signers.size()")
        .message("threshold is larger than the number of signers: add signers or lower the threshold"),
    validation = Rule::new("!has(self.duties) || self.duties.all(duty, duty.signers.all(name, name in self.signers))")
        .message("a duty names somebody who is none of the signers: add the name to signers, or correct it"),
    validation = Rule::new("!has(self.duties) || self.duties.size() <= self.signers.size()")
        .message("there are more duties than signers, and nobody can have two: add signers or leave a duty out")
)]
pub struct SignedBy {
    /// Names of Signers.
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "set"), inner(length(min = 1, max = 253)))]
    pub signers: Vec<String>,
    /// How many distinct signers, counted by key, must have signed.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 32))]
    pub threshold: u32,
    /// Separation of duties: for each of these somebody must have signed whose duty it is, and for no two of them the
    /// same person, whatever the threshold is. Who is the same is told by keys and identities, not by names alone. All
    /// sign the same digest. Example: `[{name: builder, signers: [ci]}, {name: approver, signers: [lead, deputy]}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub duties: Vec<Duty>,
}

impl SignedBy {
    /// Any one of these.
    pub fn any_of(signers: Vec<String>) -> Self {
        Self {
            signers,
            threshold: 1,
            duties: Vec::new(),
        }
    }
}

/// A part that somebody has to play who plays no other.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Duty {
    /// What it is called. Example: `approver`.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub name: String,
    /// Names of the Signers whose duty it is, each of them one of `signers`.
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "set"), inner(length(min = 1, max = 253)))]
    pub signers: Vec<String>,
}

fn one() -> u32 {
    1
}

/// What the policies of a bundle get as `input`.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputShape {
    /// Everything known about the workload as one document: the object, its pods and images, related objects.
    #[default]
    Dossier,
    /// The bare object, as conftest hands it to a policy.
    Object,
    /// `{"review": {"object": …}, "parameters": …}`, as Gatekeeper hands it to a constraint template.
    GatekeeperReview,
}

/// What one evaluation may use.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("type(self.memory) == string && isQuantity(self.memory) && quantity(self.memory).compareTo(quantity('4Mi')) >= 0 && quantity(self.memory).compareTo(quantity('2Gi')) <= 0")
        .message("memory must be a size between 4Mi and 2Gi, for example 256Mi"),
    validation = Rule::new("type(self.resultSize) == string && isQuantity(self.resultSize) && quantity(self.resultSize).compareTo(quantity('1Ki')) >= 0 && quantity(self.resultSize).compareTo(quantity('16Mi')) <= 0")
        .message("resultSize must be a size between 1Ki and 16Mi, for example 1Mi"),
    validation = Rule::new("!has(self.inputSize) || (type(self.inputSize) == string && isQuantity(self.inputSize) && quantity(self.inputSize).compareTo(quantity('16Ki')) >= 0 && quantity(self.inputSize).compareTo(quantity('64Mi')) <= 0)")
        .message("inputSize must be a size between 16Ki and 64Mi, for example 4Mi"),
    validation = Rule::new("!has(self.regexSize) || (type(self.regexSize) == string && isQuantity(self.regexSize) && quantity(self.regexSize).compareTo(quantity('4Ki')) >= 0 && quantity(self.regexSize).compareTo(quantity('16Mi')) <= 0)")
        .message("regexSize must be a size between 4Ki and 16Mi, for example 1Mi")
)]
pub struct Limits {
    /// Linear memory of the sandbox; beyond it the reason is `MemoryLimit`. Example: `256Mi`.
    #[serde(default = "memory")]
    pub memory: Quantity,
    /// Time one workload's evaluation may take; beyond it the reason is `DeadlineExceeded`. Example: `1s`.
    #[serde(default = "deadline")]
    #[schemars(length(max = 32))]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('10ms') && duration(self) <= duration('30s')")
            .message("must be a duration between 10ms and 30s, for example 1s")
    )]
    pub deadline: Duration,
    /// Size of a result document; beyond it the reason is `ResultTooLarge`. Example: `1Mi`.
    #[serde(default = "result_size")]
    pub result_size: Quantity,
    /// Size of the input as JSON; beyond it the reason is `InputTooLarge`. The sandbox needs many times as much memory to
    /// read it. 4Mi where it is left out. Example: `16Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_size: Option<Quantity>,
    /// How deep objects and lists of the input may be nested; beyond it the reason is `InputTooDeep`. 128 where
    /// it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 8, max = 256))]
    pub input_depth: Option<u16>,
    /// Size of one compiled regular expression, where it does not run inside the sandbox: `regex.replace`, `regex.split`
    /// and the like. Beyond it the reason is `BuiltinLimit`. 1Mi where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex_size: Option<Quantity>,
    /// How many evaluations of this bundle may run at the same time. Each may take as much memory as `memory` says. A
    /// further one waits, at most as long as `deadline`; then the reason is `ConcurrencyLimit`. 8 where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub concurrency: Option<u16>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: memory(),
            deadline: deadline(),
            result_size: result_size(),
            input_size: None,
            input_depth: None,
            regex_size: None,
            concurrency: None,
        }
    }
}

fn memory() -> Quantity {
    Quantity("256Mi".to_owned())
}

fn deadline() -> Duration {
    std::time::Duration::from_secs(1).into()
}

fn result_size() -> Quantity {
    Quantity("1Mi".to_owned())
}

/// What the operator knows of a PolicyBundle.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PolicyBundleStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The digest that `spec.ref` pointed to when the registry was last asked, `sha256:<hex>`. Differs from
    /// `active.digest` while a newer artifact is refused; `Ready` then says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_digest: Option<String>,
    /// The bundle that judges: the last good one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<ActiveBundle>,
    /// The gates of the active bundle's catalogue. Empty for a bundle without a catalogue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub catalogue: Vec<CatalogueEntry>,
    /// `Ready`, `Verified`, `Compiled`; `Reconciling` or `Stalled` while not ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// The bundle that judges.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ActiveBundle {
    /// Digest of the artifact's manifest, `sha256:<hex>`.
    pub digest: String,
    /// The revision of its signed manifest; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The Signers whose signatures counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub signers: Vec<String>,
}

/// One gate of a bundle's catalogue.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueEntry {
    /// The gate's id. Example: `C-04`.
    pub id: String,
    /// What it asks for, in a few words.
    pub title: String,
    /// `critical`, `high`, `medium` or `low`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// When it can be decided. Left out: `Admission`.
    #[serde(default, skip_serializing_if = "GatePhase::is_admission")]
    pub phase: GatePhase,
}
