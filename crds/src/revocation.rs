//! Revocation: what counts no more, whoever signed it.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// A Revocation takes back what counted: keys that got lost, artifacts and signatures that should not have been made,
/// entries of a log that are somebody else's doing. It holds for all bundles, images, models and attestations of the
/// cluster, whoever must have signed them. All Revocations together count; what is deleted revokes nothing any more.
/// There is no status: Releases and PolicyBundles say what has come of it.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "interlock.dev",
    version = "v1alpha1",
    kind = "Revocation",
    plural = "revocations",
    category = "interlock",
    derive = "PartialEq",
    doc = "A Revocation says what counts no more, whoever signed it: keys, digests of artifacts or signatures, log entries.",
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.keys) && self.keys.size() > 0) || (has(self.digests) && self.digests.size() > 0) || (has(self.logEntries) && self.logEntries.size() > 0)")
        .message("revoke something: give at least one of keys, digests and logEntries")
)]
pub struct RevocationSpec {
    /// Why, for whoever audits it. It decides nothing. Example: `the laptop with the release key was stolen`.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
    /// Keys by their fingerprints, `sha256:<64 hex digits>` of the DER: `status.fingerprint` of a Signer. Keys of
    /// certificates too, and of the certificate authorities that vouch for them; logs and timestamp authorities are taken
    /// out of the TrustRoot instead. What such a key signed does not count, whenever that was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "set"), inner(regex(pattern = r"^sha256:[a-f0-9]{64}$")))]
    pub keys: Vec<String>,
    /// Digests of artifacts (images, models, bundles), `sha256:<64 hex digits>`; of an index, the images in it are artifacts
    /// of their own. Or of statements, such as attestations, which the check `envelope` of `interlock verify` names: they do
    /// not count then, whoever signs them. Or of signatures as they lie in the registry (column EVIDENCE): that stops those
    /// that are there, and nobody who writes one anew with a space more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "set"), inner(regex(pattern = r"^sha256:[a-f0-9]{64}$")))]
    pub digests: Vec<String>,
    /// Entries of transparency logs: the log's ID, 64 hexadecimal digits, a colon and the index, as Rekor shows them
    /// (`logID`, `logIndex`). Whoever passes a signature on can leave its entries out where no Signer demands one, or have
    /// another made; revoke the key or the artifact to be sure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "set"), inner(regex(pattern = r"^[a-f0-9]{64}:(0|[1-9][0-9]{0,18})$")))]
    pub log_entries: Vec<String>,
}
