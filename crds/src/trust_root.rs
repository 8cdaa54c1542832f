//! TrustRoot: whose word counts about certificates, times and logs. Keyless Signers name one.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::condition::Condition;

/// A TrustRoot is a Sigstore `trusted_root.json`, held to its digest: whoever changes what is trusted changes this object.
/// Nothing is fetched, and none is built in.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "interlock.dev",
    version = "v1alpha1",
    kind = "TrustRoot",
    plural = "trustroots",
    category = "interlock",
    status = "TrustRootStatus",
    derive = "PartialEq",
    doc = "A TrustRoot is a Sigstore trusted_root.json, pinned by digest: whose word counts about certificates, times and logs.",
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
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.expires"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Digest", type_ = "string", json_path = ".spec.digest", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.inline) != has(self.configMap)")
        .message("exactly one of inline and configMap must be set")
)]
pub struct TrustRootSpec {
    /// SHA-256 of the bytes of the trusted_root.json, `sha256:<64 hex digits>`: what `sha256sum trusted_root.json` prints.
    /// Other bytes are not used.
    #[schemars(regex(pattern = r"^sha256:[a-f0-9]{64}$"))]
    pub digest: String,
    /// The content of the trusted_root.json. In YAML, `|` keeps the newline at its end and `|-` drops it; the digest is
    /// another one with each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 262_144))]
    pub inline: Option<String>,
    /// Where the trusted_root.json lies: a ConfigMap in the operator's namespace, as Kustomize generates one from the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapKey>,
}

/// A key of a ConfigMap in the operator's namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKey {
    /// The ConfigMap's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[serde(default = "file_name")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

fn file_name() -> String {
    "trusted_root.json".to_owned()
}

/// What the operator found in a TrustRoot.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TrustRootStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Until when new signatures can count: then the word of the last certificate authority ends. What was signed before
    /// stays good. Absent: no end is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    /// Whose word counts, at most 64 of them: certificate authorities, certificate logs, transparency logs, timestamp
    /// authorities, each in the order of the file. One that has no time left by its own certificates is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub authorities: Vec<Authority>,
    /// `Ready`, and while it is not: `Reconciling` or `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// One of those whose word counts.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Authority {
    /// For what.
    pub role: Role,
    /// Its address, or the name in its certificate.
    pub name: String,
    /// From when its word counts. Absent: always did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// Until when, by the trust root and by its own certificates. What it said in its time stays true. Absent: no end is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// What an authority's word is about.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Issues certificates to identities (Fulcio).
    CertificateAuthority,
    /// Logs the certificates that were issued.
    CertificateLog,
    /// Logs signatures (Rekor).
    TransparencyLog,
    /// Says when something was there (RFC 3161).
    TimestampAuthority,
}
