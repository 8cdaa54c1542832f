//! Lists the models that an object serves, with the place each stands at and how firmly it is named.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Signature;

/// One model as the object names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// Where the name stands, for example `spec.predictor.model.storageUri`.
    pub path: String,
    /// As written, for example `oci://registry.example.com/iris@sha256:…`.
    pub uri: String,
    /// How firmly that names it.
    pub location: Location,
    /// The OCI reference, without a scheme; absent for what is no OCI artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The digest in the reference, `sha256:<hex>`; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What is known of its signatures; absent if the track names nobody who would have to sign it.
    #[serde(default, skip_serializing_if = "Signature::is_not_required")]
    pub signature: Signature,
}

/// How firmly a model is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Location {
    /// The name leads to the same bytes for ever: a digest, a commit.
    Pinned,
    /// What it leads to can change: a tag, a branch, a path in a bucket.
    Mutable,
    /// It is not known how to read this name.
    Unsupported,
}
