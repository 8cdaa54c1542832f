//! The pods of an InferenceService. Its components are PodSpecs with more in them: the serving container may stand
//! beside the list of containers, under the name of its framework, and another object then completes the pod.
//!
//! Fields as in KServe 0.16, `serving.kserve.io/v1beta1`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::SubjectFact;
use super::pods::{Found, Pod, strings};

/// Components of an InferenceService.
pub(super) const COMPONENTS: [&str; 3] = ["predictor", "transformer", "explainer"];

/// Fields of a predictor that hold its serving container.
const FRAMEWORKS: [&str; 11] = [
    "model",
    "huggingface",
    "lightgbm",
    "onnx",
    "paddle",
    "pmml",
    "pytorch",
    "sklearn",
    "tensorflow",
    "triton",
    "xgboost",
];

/// The field of an explainer that holds its container.
const ART: &str = "art";

/// What completes a predictor, and chooses its image unless the object does.
const RUNTIME: &str = "ServingRuntime";

/// What chooses the image of an explainer.
const CONFIGURATION: &str = "ConfigMap inferenceservice-config";

/// Kinds whose objects always serve a model.
const SERVING: [&str; 3] = ["InferenceService", "LLMInferenceService", "TrainedModel"];

/// Whether `subject` is of such a kind.
pub(super) fn serves_model(subject: &SubjectFact) -> bool {
    subject.api_version.starts_with("serving.kserve.io/") && SERVING.contains(&subject.kind.as_str())
}

/// Whether `object` is an InferenceService.
pub(super) fn is_inference_service(object: &Value) -> bool {
    is_serving(object, "InferenceService")
}

/// Whether `object` is of this kind of KServe's.
pub(super) fn is_serving(object: &Value, kind: &str) -> bool {
    let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
    text("kind") == kind && text("apiVersion").starts_with("serving.kserve.io/")
}

/// The pods of the InferenceService `object`, in the order of [`COMPONENTS`], workers after their predictor.
pub(super) fn components(object: &Value) -> Vec<Found> {
    let mut found = Vec::new();
    for name in COMPONENTS {
        let path = format!("spec.{name}");
        let Some(spec) = object.pointer(&format!("/spec/{name}")).filter(|spec| spec.is_object()) else {
            continue;
        };
        let is_completed = served(spec).any(|(_, by)| by == RUNTIME);
        found.push(component(object, name, &path, spec, is_completed));
        if let Some(worker) = spec.get("workerSpec").filter(|worker| worker.is_object()) {
            found.push(component(object, name, &format!("{path}.workerSpec"), worker, true));
        }
    }
    found
}

/// KServe gives the pods the labels and annotations of the InferenceService and of the component, and two of its own.
fn component(object: &Value, name: &str, path: &str, spec: &Value, is_completed: bool) -> Found {
    let merged = |key: &str| {
        let mut all = strings(object.pointer(&format!("/metadata/{key}")));
        all.extend(strings(object.pointer(&format!("/spec/{name}/{key}"))));
        all
    };
    let mut labels: BTreeMap<_, _> = merged("labels");
    labels.insert("component".to_owned(), name.to_owned());
    if let Some(service) = object.pointer("/metadata/name").and_then(Value::as_str) {
        labels.insert("serving.kserve.io/inferenceservice".to_owned(), service.to_owned());
    }
    Found {
        spec_path: path.to_owned(),
        pod: Pod {
            path: path.to_owned(),
            labels,
            annotations: merged("annotations"),
            completed_by: is_completed.then(|| RUNTIME.to_owned()),
            spec: spec.clone(),
        },
    }
}

/// The framework fields of a component that hold a container, each with what chooses its image.
pub(super) fn served(spec: &Value) -> impl Iterator<Item = (&'static str, &'static str)> {
    let frameworks = FRAMEWORKS
        .into_iter()
        .map(|name| (name, RUNTIME))
        .chain([(ART, CONFIGURATION)]);
    frameworks.filter(|(name, _)| spec.get(name).is_some_and(Value::is_object))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::images;
    use super::*;

    fn service(spec: &Value) -> Value {
        json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": "iris", "labels": {"team": "ml"}, "annotations": {"a": "outer", "b": "outer"}}, "spec": spec})
    }

    #[test]
    fn every_framework_is_a_container_whose_image_its_runtime_chooses() {
        for framework in FRAMEWORKS {
            let object = service(&json!({"predictor": {framework: {"storageUri": "gs://m"}}}));
            let found = components(&object);
            assert_eq!(
                found[0].pod.completed_by.as_deref(),
                Some("ServingRuntime"),
                "{framework}"
            );
            let images = images::find(&object, &found);
            let path = format!("spec.predictor.{framework}.image");
            assert_eq!(
                (images[0].path.as_str(), images[0].container.as_str()),
                (path.as_str(), "kserve-container")
            );
            assert_eq!(
                (images[0].chosen_by.as_deref(), images.len()),
                (Some("ServingRuntime"), 1)
            );
        }
    }

    #[test]
    fn an_explainer_gets_its_image_from_the_configuration_and_nothing_else() {
        let object = service(&json!({"explainer": {"art": {"type": "SquareAttack"}}}));
        let found = components(&object);
        assert_eq!(found[0].pod.completed_by, None);
        assert_eq!(
            images::find(&object, &found)[0].chosen_by.as_deref(),
            Some("ConfigMap inferenceservice-config")
        );
    }

    #[test]
    fn workers_are_pods_of_their_own() {
        let object = service(&json!({"predictor": {"model": {}, "workerSpec": {"pipelineParallelSize": 2}}}));
        let found = components(&object);
        let paths: Vec<_> = found.iter().map(|one| one.pod.path.as_str()).collect();
        assert_eq!(paths, ["spec.predictor", "spec.predictor.workerSpec"]);
        let images = images::find(&object, &found);
        let named: Vec<_> = images
            .iter()
            .map(|one| (one.path.as_str(), one.chosen_by.as_deref()))
            .collect();
        let runtime = Some("ServingRuntime");
        let want = [
            ("spec.predictor.model.image", runtime),
            ("spec.predictor.workerSpec.containers", runtime),
        ];
        assert_eq!(named, want);
    }

    #[test]
    fn a_custom_predictor_is_complete() {
        let object = service(&json!({"predictor": {"containers": [{"name": "kserve-container", "image": "a:1"}]}}));
        let found = components(&object);
        assert_eq!((found.len(), found[0].pod.completed_by.as_deref()), (1, None));
    }

    #[test]
    fn labels_and_annotations_come_from_the_service_and_its_component() {
        let object =
            service(&json!({"predictor": {"labels": {"tier": "gpu"}, "annotations": {"b": "inner"}, "model": {}}}));
        let pod = &components(&object)[0].pod;
        let want = json!({"team": "ml", "tier": "gpu", "component": "predictor", "serving.kserve.io/inferenceservice": "iris"});
        assert_eq!(json!(pod.labels), want);
        assert_eq!(json!(pod.annotations), json!({"a": "outer", "b": "inner"}));
    }
}
