//! Finds the pod specs inside an object of any kind.
//!
//! There is one rule for all kinds, also those that do not exist yet: a map that has a list `containers` is a pod
//! spec. KServe is the one exception: its components are pod specs whose serving container stands beside the list,
//! under the name of its framework.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One pod that the object would run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pod {
    /// Where it stands: the pod template (`spec.template`), the component (`spec.predictor`), or `pod` for a Pod.
    pub path: String,
    /// The labels that its pods will carry, as far as the object says.
    pub labels: BTreeMap<String, String>,
    /// The PodSpec.
    pub spec: Value,
}

impl Pod {
    /// Where the PodSpec stands inside the object.
    pub fn spec_path(&self) -> String {
        match self.path.as_str() {
            "pod" => "spec".to_owned(),
            path if is_component(path) => path.to_owned(),
            path => format!("{path}.spec"),
        }
    }

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

/// Components of an InferenceService, each of which is a PodSpec with more in it.
const COMPONENTS: [&str; 3] = ["predictor", "transformer", "explainer"];

fn is_component(path: &str) -> bool {
    COMPONENTS.iter().any(|name| path.strip_prefix("spec.") == Some(name))
}

/// Depth to which an object is searched. The API server's own limit for custom resources is far below.
const DEPTH: usize = 64;

/// Every pod of `object`, in the order of their paths.
pub(super) fn find(object: &Value) -> Vec<Pod> {
    let mut pods = Vec::new();
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let is_kserve = kind == "InferenceService"
        && object
            .get("apiVersion")
            .and_then(Value::as_str)
            .is_some_and(|version| version.starts_with("serving.kserve.io/"));
    if is_kserve {
        for name in COMPONENTS {
            if let Some(spec) = object.pointer(&format!("/spec/{name}")).filter(|spec| spec.is_object()) {
                let mut labels = labels(spec.get("labels"));
                if let Some(name) = object.pointer("/metadata/name").and_then(Value::as_str) {
                    labels.insert("serving.kserve.io/inferenceservice".to_owned(), name.to_owned());
                }
                pods.push(Pod {
                    path: format!("spec.{name}"),
                    labels,
                    spec: spec.clone(),
                });
            }
        }
    }
    for (key, value) in object.as_object().into_iter().flatten() {
        if key != "metadata" {
            search(object, value, key, DEPTH, &mut pods);
        }
    }
    pods.sort_by(|a, b| a.path.cmp(&b.path));
    pods.dedup_by(|a, b| a.path == b.path);
    pods
}

fn search(parent: &Value, value: &Value, path: &str, depth: usize, pods: &mut Vec<Pod>) {
    if depth == 0 {
        return;
    }
    match value {
        Value::Object(map) => {
            if map.get("containers").is_some_and(Value::is_array) {
                pods.push(pod(parent, value, path));
                return;
            }
            for (key, child) in map {
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

fn pod(parent: &Value, spec: &Value, path: &str) -> Pod {
    let (path, labels) = match path.strip_suffix(".spec") {
        // A template: metadata stands beside the spec.
        Some(template) => (template.to_owned(), labels(parent.pointer("/metadata/labels"))),
        None if path == "spec" => ("pod".to_owned(), labels(parent.pointer("/metadata/labels"))),
        None => (path.to_owned(), BTreeMap::new()),
    };
    Pod {
        path,
        labels,
        spec: spec.clone(),
    }
}

fn labels(value: Option<&Value>) -> BTreeMap<String, String> {
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
            .iter()
            .map(|pod| (pod.path.clone(), pod.spec_path()))
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
        assert_eq!(find(&object)[0].labels["app"], "inner");
    }

    #[test]
    fn the_deprecated_service_account_field_counts() {
        let pod = |spec| Pod {
            path: "pod".into(),
            labels: BTreeMap::new(),
            spec,
        };
        assert_eq!(pod(json!({"serviceAccount": "old"})).service_account(), "old");
        assert_eq!(pod(json!({"serviceAccountName": ""})).service_account(), "default");
    }
}
