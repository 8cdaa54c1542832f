//! The dossier: everything known about one workload, as the one document that policies judge.
//!
//! ```text
//! object ─┬─▶ pods ──▶ images, models
//!         └──────────────────────┐
//! related objects ──▶ related ───┴─▶ Dossier ──▶ input(now, parameters), digest, content hash
//! ```
//!
//! Pure: what was read from the cluster or a file comes in, a document goes out. Every source says whether it
//! answered completely; one that could not be asked is [`Source::Unavailable`], which no gate may read as absence.

mod attestation;
pub mod canonical;
mod drift;
mod images;
mod kserve;
mod models;
mod pods;
pub mod related;
mod signature;

use std::collections::BTreeMap;

use interlock_bundles::digest::Digest;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use attestation::{Attestation, Attestations, Attested, RefusedAttestation};
pub use drift::{DriftMonitor, Holds, Link};
pub use images::Image;
pub use models::{Location, Model};
pub use pods::Pod;
pub use related::{NetworkPolicyFact, PermissionFact, Related, ServiceAccountFact};
pub use signature::Signature;

/// Value of `schema` in every dossier.
pub const SCHEMA: &str = "interlock.dev/dossier/v1alpha1";

/// Reason of a source that only a cluster has.
pub const NEEDS_CLUSTER: &str = "NeedsCluster";

/// What a source said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Source<T> {
    /// The source answered, and this is all there is.
    Complete(T),
    /// The source could not be asked: its facts are unknown, not absent.
    Unavailable(Unavailable),
}

/// Why a source could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unavailable {
    /// Stable CamelCase word, for example `Forbidden` or `NeedsCluster`.
    pub reason: String,
    /// One sentence for people.
    pub message: String,
}

impl Unavailable {
    /// The source needs a cluster and there is none: the command line judges files.
    pub fn needs_cluster(what: &str) -> Self {
        Self {
            reason: NEEDS_CLUSTER.to_owned(),
            message: format!("{what} are known to the cluster only"),
        }
    }
}

/// A list of facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub struct Items<T> {
    /// The facts, sorted.
    pub items: Vec<T>,
}

/// The labels of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespaceFact {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// Which workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubjectFact {
    /// Group and version, for example `apps/v1`.
    pub api_version: String,
    /// Kind, for example `Deployment`.
    pub kind: String,
    /// Namespace; empty in a file that names none.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID; empty for a manifest that is in no cluster yet.
    #[serde(default)]
    pub uid: String,
}

/// Everything known about one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dossier {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Which workload.
    pub subject: SubjectFact,
    /// The object without its status and without metadata that only describes bookkeeping.
    pub object: Value,
    /// Its namespace.
    pub namespace: Source<NamespaceFact>,
    /// Every pod template found in the object.
    pub pods: Vec<Pod>,
    /// Every image that those pods would run.
    pub images: Vec<Image>,
    /// Every model that the object names; absent if it names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Model>,
    /// The monitor that should see the workload drift; absent if the track asks for none.
    #[serde(default, skip_serializing_if = "DriftMonitor::is_not_required")]
    pub drift_monitor: DriftMonitor,
    /// Objects that concern the workload.
    pub related: Related,
}

/// A manifest that is no Kubernetes object.
#[derive(Debug, thiserror::Error)]
pub enum NotAnObject {
    /// A field that identifies every object is missing.
    #[error("{field} is missing or not a string: every Kubernetes object has apiVersion, kind and metadata.name")]
    Missing {
        /// The field.
        field: &'static str,
    },
}

impl Dossier {
    /// Builds the dossier of `object` from what the sources said.
    ///
    /// `related` gets the pods found in the object, so that it can pick what concerns them.
    pub fn build(
        object: &Value,
        namespace: Source<NamespaceFact>,
        related: impl FnOnce(&SubjectFact, &[Pod]) -> Related,
    ) -> Result<Self, NotAnObject> {
        let subject = subject(object)?;
        let object = trim(object);
        let found = pods::find(&object);
        let images = images::find(&object, &found);
        let models = models::find(&object, &found);
        let pods: Vec<Pod> = found.into_iter().map(|found| found.pod).collect();
        let related = related(&subject, &pods);
        Ok(Self {
            schema: SCHEMA.to_owned(),
            subject,
            object,
            namespace,
            pods,
            images,
            models,
            drift_monitor: DriftMonitor::NotRequired,
            related,
        })
    }

    /// Whether it is of a kind whose objects always serve a model.
    pub fn serves_model(&self) -> bool {
        kserve::serves_model(&self.subject)
    }

    /// The document that policies get: the dossier with the time, the track and its parameters beside it.
    pub fn input(&self, now: Timestamp, track: &str, parameters: &Map<String, Value>) -> Value {
        let mut input = match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            // A dossier consists of strings, maps and JSON values; it always serialises to an object.
            _ => Map::new(),
        };
        input.insert("now".to_owned(), Value::String(now.to_string()));
        input.insert("track".to_owned(), Value::String(track.to_owned()));
        input.insert("parameters".to_owned(), Value::Object(parameters.clone()));
        Value::Object(input)
    }

    /// Digest of the whole document in canonical form. It holds no time, so equal knowledge has equal digests.
    pub fn digest(&self) -> Digest {
        let value = serde_json::to_value(self).unwrap_or(Value::Null);
        Digest::of(&canonical::bytes(&value))
    }

    /// Digest of what the team wrote: the object without metadata, in canonical form.
    pub fn content_hash(&self) -> Digest {
        let mut content = self.object.clone();
        if let Some(map) = content.as_object_mut() {
            map.remove("metadata");
        }
        Digest::of(&canonical::bytes(&content))
    }
}

fn subject(object: &Value) -> Result<SubjectFact, NotAnObject> {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .filter(|s| !s.is_empty())
    };
    let need = |pointer, field| text(pointer).map(str::to_owned).ok_or(NotAnObject::Missing { field });
    Ok(SubjectFact {
        api_version: need("/apiVersion", "apiVersion")?,
        kind: need("/kind", "kind")?,
        name: need("/metadata/name", "metadata.name")?,
        namespace: text("/metadata/namespace").unwrap_or_default().to_owned(),
        uid: text("/metadata/uid").unwrap_or_default().to_owned(),
    })
}

/// Drops what changes without anybody changing the workload: status, managed fields, versions, and the copy of the
/// object that `kubectl apply` leaves in an annotation.
fn trim(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| matches!(key.as_str(), "name" | "namespace" | "labels" | "annotations"));
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
                annotations.remove("deployment.kubernetes.io/revision");
                if annotations.is_empty() {
                    metadata.remove("annotations");
                }
            }
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn build(object: &Value) -> Dossier {
        let related = |_: &SubjectFact, _: &[Pod]| Related::unavailable(&Unavailable::needs_cluster("they"));
        Dossier::build(object, Source::Complete(NamespaceFact::default()), related).unwrap()
    }

    fn deployment(annotations: &Value, status: &Value) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "cart", "namespace": "shop", "uid": "u", "resourceVersion": "7", "annotations": annotations},
            "spec": {"template": {"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": [{"name": "app", "image": "nginx"}]}}},
            "status": status,
        })
    }

    #[test]
    fn bookkeeping_does_not_change_the_digest() {
        let plain = build(&deployment(&json!({}), &json!({})));
        let busy = build(&deployment(
            &json!({"kubectl.kubernetes.io/last-applied-configuration": "{}", "deployment.kubernetes.io/revision": "3"}),
            &json!({"replicas": 3}),
        ));
        assert_eq!(plain.digest(), busy.digest());
        let other = build(&deployment(&json!({"team": "a"}), &json!({})));
        assert_ne!(plain.digest(), other.digest());
        assert_eq!(
            plain.content_hash(),
            other.content_hash(),
            "an annotation is no content"
        );
    }

    #[test]
    fn a_manifest_without_a_name_is_refused_by_field() {
        let error = subject(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}})).unwrap_err();
        assert!(error.to_string().starts_with("metadata.name is missing"));
    }

    #[test]
    fn the_input_carries_time_track_and_parameters() {
        let input = build(&deployment(&json!({}), &json!({}))).input(
            Timestamp::UNIX_EPOCH,
            "applications",
            &Map::from_iter([("podSecurity".to_owned(), json!("baseline"))]),
        );
        assert_eq!(input["now"], "1970-01-01T00:00:00Z");
        assert_eq!(input["track"], "applications");
        assert_eq!(input["parameters"]["podSecurity"], "baseline");
        assert_eq!(input["schema"], SCHEMA);
        assert_eq!(input["namespace"], json!({"state": "complete", "labels": {}}));
        assert_eq!(input["related"]["networkPolicies"]["state"], "unavailable");
        assert_eq!(input["images"][0]["path"], "spec.template.spec.containers[0].image");
    }
}
