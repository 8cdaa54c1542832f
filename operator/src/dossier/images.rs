//! Lists the images that the pods of an object would run, with the place each stands at.

use interlock_bundles::digest::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pods::{Found, LISTS, volumes};
use super::{Attestations, Signature, kserve};

/// One image reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Where the reference stands, for example `spec.template.spec.containers[0].image`.
    pub path: String,
    /// The container or volume that uses it; empty where it has no name.
    pub container: String,
    /// The reference as written; absent where something else chooses the image.
    pub reference: Option<String>,
    /// The digest in the reference, `sha256:<hex>`; absent if it has none, or none of that form.
    pub digest: Option<String>,
    /// What chooses the image when the object does not, for example `ServingRuntime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_by: Option<String>,
    /// What is known of its signatures; absent if the track names nobody who would have to sign it.
    #[serde(default, skip_serializing_if = "Signature::is_not_required")]
    pub signature: Signature,
    /// What is attested about it, for each predicate type that the track names; absent if it names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<Attestations>,
}

/// Every image of `pods`, in the order of their paths.
pub(super) fn find(object: &Value, pods: &[Found]) -> Vec<Image> {
    let mut images: Vec<Image> = pods.iter().flat_map(of_pod).collect();
    if let (true, Some(reference)) = (
        pods.is_empty(),
        object.pointer("/spec/workloadRef").filter(|r| r.is_object()),
    ) {
        let text = |key| reference.get(key).and_then(Value::as_str).unwrap_or("?");
        let by = format!("{} {}", text("kind"), text("name"));
        images.push(image("spec.workloadRef".to_owned(), "", None, Some(&by)));
    }
    images.sort_by(|a, b| a.path.cmp(&b.path));
    images
}

fn of_pod(found: &Found) -> Vec<Image> {
    let Found { pod, spec_path: path } = found;
    let completed_by = pod.completed_by.as_deref();
    let mut images = Vec::new();
    for list in LISTS {
        for (at, container) in items(&pod.spec, list) {
            images.push(of_container(
                &format!("{path}.{list}[{at}]"),
                container,
                "",
                completed_by,
            ));
        }
    }
    images.extend(volumes(found).map(|(place, volume)| image(place, volume.name, volume.reference, None)));
    for (framework, chooser) in kserve::served(&pod.spec).filter(|_| found.is_component()) {
        if let Some(container) = pod.spec.get(framework) {
            images.push(of_container(
                &format!("{path}.{framework}"),
                container,
                "kserve-container",
                Some(chooser),
            ));
        }
    }
    if images.is_empty() && completed_by.is_some() {
        images.push(image(format!("{path}.containers"), "", None, completed_by));
    }
    images
}

fn items<'a>(spec: &'a Value, list: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    spec.get(list)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
}

fn of_container(path: &str, container: &Value, unnamed: &str, chosen_by: Option<&str>) -> Image {
    let name = text(container, "name").unwrap_or(unnamed);
    image(format!("{path}.image"), name, text(container, "image"), chosen_by)
}

/// A string that says something.
fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn image(path: String, container: &str, reference: Option<&str>, chosen_by: Option<&str>) -> Image {
    let digest = reference
        .and_then(|reference| reference.rsplit_once('@'))
        .and_then(|(_, digest)| digest.parse::<Digest>().ok());
    Image {
        path,
        container: container.to_owned(),
        reference: reference.map(str::to_owned),
        digest: digest.map(|digest| digest.to_string()),
        chosen_by: chosen_by.filter(|_| reference.is_none()).map(str::to_owned),
        signature: Signature::NotRequired,
        attestations: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_position_is_listed() {
        let hex = "a".repeat(64);
        let object = json!({"kind": "Pod", "spec": {
            "containers": [{"name": "app", "image": format!("r.example/app:1@sha256:{hex}")}, {"name": "side", "image": "side:1"}],
            "initContainers": [{"name": "init", "image": "init"}],
            "ephemeralContainers": [{"name": "debug", "image": "busybox@sha256:short"}],
            "volumes": [{"name": "model", "image": {"reference": "models/m:1"}}, {"name": "tmp", "emptyDir": {}}],
        }});
        let found = find(&object, &super::super::pods::find(&object));
        let got: Vec<_> = found
            .iter()
            .map(|i| (i.path.as_str(), i.container.as_str(), i.digest.is_some()))
            .collect();
        assert_eq!(
            got,
            [
                ("spec.containers[0].image", "app", true),
                ("spec.containers[1].image", "side", false),
                ("spec.ephemeralContainers[0].image", "debug", false),
                ("spec.initContainers[0].image", "init", false),
                ("spec.volumes[0].image.reference", "model", false),
            ]
        );
    }

    #[test]
    fn an_image_that_something_else_chooses_is_not_absent() {
        let service = json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}}}}});
        let rollout = json!({"kind": "Rollout", "spec": {"workloadRef": {"kind": "Deployment", "name": "cart"}}});
        for (object, by) in [(service, "ServingRuntime"), (rollout, "Deployment cart")] {
            let images = find(&object, &super::super::pods::find(&object));
            assert_eq!(
                (images.len(), images[0].chosen_by.as_deref(), &images[0].reference),
                (1, Some(by), &None)
            );
        }
    }
}
