//! Signer: who may sign. Policy bundles (and later images, models and attestations) name Signers.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::condition::Condition;

/// A Signer is somebody whose signatures count: here the holder of a private key, named by its public key.
/// Two Signers with the same key are one signer when a threshold is counted.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "interlock.dev",
    version = "v1alpha1",
    kind = "Signer",
    plural = "signers",
    category = "interlock",
    status = "SignerStatus",
    derive = "PartialEq",
    doc = "A Signer is somebody whose signatures count. PolicyBundles name the Signers they accept.",
    printcolumn(name = "Algorithm", type_ = "string", json_path = ".status.algorithm"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Key", type_ = "string", json_path = ".status.fingerprint", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct SignerSpec {
    /// The public key whose signatures count, as `cosign generate-key-pair` writes it.
    pub public_key: PublicKeySource,
}

/// A public key.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PublicKeySource {
    /// The key in PEM: `-----BEGIN PUBLIC KEY-----` (a SubjectPublicKeyInfo, RFC 5280). ECDSA P-256 and P-384,
    /// Ed25519, and RSA of 2048 bits or more are accepted. Example: the content of `cosign.pub`.
    #[schemars(length(min = 1, max = 16384))]
    #[x_kube(
        validation = Rule::new("self.contains('-----BEGIN PUBLIC KEY-----') && self.contains('-----END PUBLIC KEY-----')")
            .message("must be a PEM public key: paste the content of cosign.pub, from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----"),
        validation = Rule::new("!self.contains('PRIVATE KEY')")
            .message("must not hold a private key: only the public key belongs here; revoke the private key you pasted")
    )]
    pub pem: String,
}

/// What the operator knows of a Signer.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SignerStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// SHA-256 of the key's DER encoding, `sha256:<hex>`: the identity by which distinct signers are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The key's algorithm, for example `ECDSA P-256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// `Ready`, and while it is not: `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
