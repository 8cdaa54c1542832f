//! Models as KServe's own kinds name them beside `storageUri`: a storage spec, the variable of a custom container, and
//! the URI of a large language model with its adapters.
//!
//! Fields as in KServe 0.16: `serving.kserve.io/v1beta1` InferenceService, `v1alpha1` LLMInferenceService.

use serde_json::Value;

use super::{DEPTH, Location, Model, by_uri, model};
use crate::dossier::kserve::{COMPONENTS, is_inference_service, is_serving, served};
use crate::dossier::pods::{Found, LISTS};

/// The variable that names the model of a container of one's own.
const VARIABLE: &str = "STORAGE_URI";

/// Adds the models of `object`, if it is of one of KServe's kinds.
pub(super) fn find(object: &Value, pods: &[Found], models: &mut Vec<Model>) {
    if is_inference_service(object) {
        storage_specs(object, models);
        for found in pods {
            variables(found, models);
        }
    }
    if is_serving(object, "LLMInferenceService")
        && let Some(base) = object.pointer("/spec/model")
    {
        language_model(base, "spec.model", DEPTH, models);
    }
}

/// A storage spec names a path in a store that a Secret describes: `storage: {key, path}` in a framework's field.
fn storage_specs(object: &Value, models: &mut Vec<Model>) {
    for component in COMPONENTS {
        let fields = object.pointer(&format!("/spec/{component}")).and_then(Value::as_object);
        for (field, value) in fields.into_iter().flatten() {
            let Some(storage) = value.get("storage").filter(|storage| !storage.is_null()) else {
                continue;
            };
            let text = |key| storage.get(key).and_then(Value::as_str).unwrap_or_default();
            let uri = format!("storage:{}/{}", text("key"), text("path").trim_start_matches('/'));
            let path = format!("spec.{component}.{field}.storage");
            models.push(model(path, uri, Location::Mutable.into()));
        }
    }
}

/// Containers that say what to fetch in a variable, wherever its value comes from.
fn variables(found: &Found, models: &mut Vec<Model>) {
    let Found { pod, spec_path } = found;
    let mut containers = Vec::new();
    for list in LISTS {
        let listed = pod.spec.get(list).and_then(Value::as_array).into_iter().flatten();
        containers.extend(
            listed
                .enumerate()
                .map(|(at, one)| (format!("{spec_path}.{list}[{at}]"), one)),
        );
    }
    for (framework, _) in served(&pod.spec).filter(|_| found.is_component()) {
        containers.extend(
            pod.spec
                .get(framework)
                .map(|one| (format!("{spec_path}.{framework}"), one)),
        );
    }
    for (path, container) in containers {
        let all = container.get("env").and_then(Value::as_array).into_iter().flatten();
        let named = all
            .enumerate()
            .filter(|(_, one)| one.get("name").and_then(Value::as_str) == Some(VARIABLE));
        models.extend(named.map(|(at, one)| by_uri(format!("{path}.env[{at}].value"), one.get("value"))));
    }
}

/// A large language model and, as deep as they go, its adapters.
fn language_model(value: &Value, path: &str, depth: usize, models: &mut Vec<Model>) {
    if depth == 0 {
        return;
    }
    models.push(by_uri(format!("{path}.uri"), value.get("uri")));
    let adapters = value
        .pointer("/lora/adapters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    for (at, adapter) in adapters.enumerate() {
        language_model(adapter, &format!("{path}.lora.adapters[{at}]"), depth - 1, models);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::found;
    use super::*;

    #[test]
    fn an_inference_service_names_models_in_four_ways() {
        let object = json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "m"}, "spec": {
            "predictor": {"sklearn": {"storage": {"key": "minio", "path": "/iris"}}, "storageUris": [{"uri": "hf://a/b"}],
                "model": {"storageUri": "oci://r.example/m:1", "env": [{"name": "A"}, {"name": "STORAGE_URI", "value": "/mnt/x"}]}},
            "transformer": {"containers": [{"name": "t", "env": [{"name": "STORAGE_URI", "valueFrom": {}}]}]},
            "explainer": {"alibi": {"storageUri": "gs://b/e"}},
        }});
        let want = [
            ("spec.explainer.alibi.storageUri", "gs://b/e", Location::Mutable),
            ("spec.predictor.model.env[1].value", "/mnt/x", Location::Mutable),
            (
                "spec.predictor.model.storageUri",
                "oci://r.example/m:1",
                Location::Mutable,
            ),
            (
                "spec.predictor.sklearn.storage",
                "storage:minio/iris",
                Location::Mutable,
            ),
            ("spec.predictor.storageUris[0].uri", "hf://a/b", Location::Mutable),
            ("spec.transformer.containers[0].env[0].value", "", Location::Unsupported),
        ];
        assert_eq!(
            found(&object),
            want.map(|(path, uri, location)| (path.to_owned(), uri.to_owned(), location))
        );
    }

    #[test]
    fn a_language_model_brings_its_adapters() {
        let object = json!({"apiVersion": "serving.kserve.io/v1alpha1", "kind": "LLMInferenceService", "spec": {"model": {
            "uri": "hf://a/b", "lora": {"adapters": [{"name": "x", "uri": "pvc://c/x"}, {"name": "y"}]}}}});
        let paths: Vec<_> = found(&object).into_iter().map(|(path, ..)| path).collect();
        let want = [
            "spec.model.lora.adapters[0].uri",
            "spec.model.lora.adapters[1].uri",
            "spec.model.uri",
        ];
        assert_eq!(paths, want);
    }

    #[test]
    fn the_variable_means_nothing_outside_of_kserve() {
        let container = json!({"name": "a", "env": [{"name": "STORAGE_URI", "value": "gs://b/m"}]});
        let object = json!({"kind": "Pod", "spec": {"containers": [container]}});
        assert_eq!(found(&object), []);
    }
}
