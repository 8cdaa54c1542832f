//! Finds the pod specs inside an object of any kind.
//!
//! There is one rule for all kinds, also those that do not exist yet: a map that has a list `containers` is a pod
//! spec. [`kserve`] is the one exception.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kserve;

/// One pod that the object would run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// Where it stands: the pod template (`spec.template`), the component (`spec.predictor`), or `pod` for a Pod.
    pub path: String,
    /// The labels that its pods will carry, as far as the object says.
    pub labels: BTreeMap<String, String>,
    /// The annotations that its pods will carry, as far as the object says.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// What adds containers and settings to the pod beside the object, for example `ServingRuntime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_by: Option<String>,
    /// The PodSpec.
    pub spec: Value,
}

impl Pod {
    /// The service account its pods run as.
    pub fn service_account(&self) -> &str {
        ["serviceAccountName", "serviceAccount"]
            .into_iter()
            .find_map(|key| {
                self.spec
                    .get(key)
                    .and_then(Value::as_str)
                    .filter(|name| !name.is_empty())
            })
            .unwrap_or("default")
    }
}

/// A pod and where its PodSpec stands inside the object.
pub(super) struct Found {
    pub(super) pod: Pod,
    pub(super) spec_path: String,
}

impl Found {
    /// Whether it is a PodSpec with more in it, rather than one inside a template.
    pub(super) fn is_component(&self) -> bool {
        self.pod.path == self.spec_path
    }
}

/// Lists of containers in a PodSpec.
pub(super) const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// A volume whose content is an image.
pub(super) struct ImageVolume<'a> {
    /// The volume's name; empty where it has none.
    pub(super) name: &'a str,
    /// The image, as far as one is named.
    pub(super) reference: Option<&'a str>,
}

/// The image volumes of a pod, each with the path of its reference.
pub(super) fn volumes(found: &Found) -> impl Iterator<Item = (String, ImageVolume<'_>)> {
    let volumes = found.pod.spec.get("volumes").and_then(Value::as_array);
    volumes.into_iter().flatten().enumerate().filter_map(|(at, volume)| {
        let source = volume.get("image").filter(|source| source.is_object())?;
        let path = format!("{}.volumes[{at}].image.reference", found.spec_path);
        let name = volume.get("name").and_then(Value::as_str).unwrap_or_default();
        let reference = source.get("reference").and_then(Value::as_str);
        Some((path, ImageVolume { name, reference }))
    })
}

/// Depth to which an object is searched. The API server's own limit for custom resources is far below.
const DEPTH: usize = 64;

/// Every pod of `object`, in the order of their paths.
pub(super) fn find(object: &Value) -> Vec<Found> {
    let mut pods = Vec::new();
    if kserve::is_inference_service(object) {
        pods = kserve::components(object);
    } else {
        for (key, value) in object.as_object().into_iter().flatten() {
            if key != "metadata" {
                search(object, value, key, DEPTH, &mut pods);
            }
        }
    }
    pods.sort_by(|a, b| a.pod.path.cmp(&b.pod.path));
    pods
}

fn search(parent: &Value, value: &Value, path: &str, depth: usize, pods: &mut Vec<Found>) {
    if depth == 0 {
        return;
    }
    match value {
        Value::Object(map) => {
            // A PodSpec may hold another one: the workers of a ServingRuntime.
            let is_pod = map.get("containers").is_some_and(Value::is_array);
            if is_pod {
                pods.push(pod(parent, value, path));
            }
            let own = |key: &str| is_pod && (key == "volumes" || LISTS.contains(&key));
            for (key, child) in map.iter().filter(|(key, _)| !own(key)) {
                search(value, child, &format!("{path}.{key}"), depth - 1, pods);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                search(value, item, &format!("{path}[{at}]"), depth - 1, pods);
            }
        }
        _ => {}
    }
}

fn pod(parent: &Value, spec: &Value, spec_path: &str) -> Found {
    let (path, metadata) = match spec_path.strip_suffix(".spec") {
        // A template: metadata stands beside the spec.
        Some(template) => (template, parent.get("metadata")),
        None if spec_path == "spec" => ("pod", parent.get("metadata")),
        None => (spec_path, None),
    };
    let of_metadata = |key| strings(metadata.and_then(|metadata| metadata.get(key)));
    Found {
        spec_path: spec_path.to_owned(),
        pod: Pod {
            path: path.to_owned(),
            labels: of_metadata("labels"),
            annotations: of_metadata("annotations"),
            completed_by: None,
            spec: spec.clone(),
        },
    }
}

/// The entries of a map whose values are strings, as labels and annotations are.
pub(super) fn strings(value: Option<&Value>) -> BTreeMap<String, String> {
    value
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(object: &Value) -> Vec<(String, String)> {
        find(object)
            .into_iter()
            .map(|found| (found.pod.path, found.spec_path))
            .collect()
    }

    #[test]
    fn pods_are_found_in_any_kind() {
        let spec = json!({"containers": [{"name": "a", "image": "x"}]});
        let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": spec});
        let table = [
            (json!({"kind": "Pod", "spec": spec}), vec![("pod", "spec")]),
            (
                json!({"kind": "Deployment", "spec": {"template": template}}),
                vec![("spec.template", "spec.template.spec")],
            ),
            (
                json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": template}}}}),
                vec![("spec.jobTemplate.spec.template", "spec.jobTemplate.spec.template.spec")],
            ),
            (
                json!({"kind": "RayCluster", "spec": {"headGroupSpec": {"template": template}, "workerGroupSpecs": [{"template": template}]}}),
                vec![
                    ("spec.headGroupSpec.template", "spec.headGroupSpec.template.spec"),
                    (
                        "spec.workerGroupSpecs[0].template",
                        "spec.workerGroupSpecs[0].template.spec",
                    ),
                ],
            ),
            (
                json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "m"},
                    "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}}}, "transformer": spec}}),
                vec![
                    ("spec.predictor", "spec.predictor"),
                    ("spec.transformer", "spec.transformer"),
                ],
            ),
            (
                json!({"kind": "LLMInferenceService", "spec": {"template": spec}}),
                vec![("spec.template", "spec.template")],
            ),
            (
                json!({"kind": "ServingRuntime", "spec": {"containers": [], "workerSpec": spec}}),
                vec![("pod", "spec"), ("spec.workerSpec", "spec.workerSpec")],
            ),
            (json!({"kind": "HTTPRoute", "spec": {"rules": []}}), vec![]),
            (json!({"kind": "Odd", "spec": {"containers": "none"}}), vec![]),
        ];
        for (object, want) in table {
            let want: Vec<_> = want.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            assert_eq!(paths(&object), want, "{object}");
        }
    }

    #[test]
    fn labels_come_from_the_template() {
        let object = json!({"kind": "Deployment", "metadata": {"labels": {"app": "outer"}}, "spec": {"template": {
            "metadata": {"labels": {"app": "inner"}}, "spec": {"containers": []}}}});
        assert_eq!(find(&object)[0].pod.labels["app"], "inner");
    }

    #[test]
    fn the_deprecated_service_account_field_counts() {
        let pod = |spec| Pod {
            path: "pod".into(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            completed_by: None,
            spec,
        };
        assert_eq!(pod(json!({"serviceAccount": "old"})).service_account(), "old");
        assert_eq!(pod(json!({"serviceAccountName": ""})).service_account(), "default");
    }
}
