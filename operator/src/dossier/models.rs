//! Lists the models that an object serves, with the place each stands at and how firmly it is named.
//!
//! There is one rule for all kinds, also those that do not exist yet: a field `storageUri`, or a `uri` in a list
//! `storageUris`, names a model, and so does a volume that mounts an image. [`serving`] adds what KServe's kinds name in
//! ways of their own. What stands where a name should and is none is listed too: it must not read as no model.

mod location;
mod serving;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::location::Named;
use super::pods::{Found, volumes};
use super::{Attestations, Signature};

/// One model as the object names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// Where the name stands, for example `spec.predictor.model.storageUri`.
    pub path: String,
    /// As written, for example `oci://registry.example.com/iris@sha256:…`; `storage:KEY/PATH` for a storage spec; empty
    /// where nothing readable is written.
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
    /// What is attested about it, for each predicate type that the track names; absent if it names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<Attestations>,
}

/// How firmly a model is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Location {
    /// The name leads to the same bytes for ever: a digest, a commit.
    Pinned,
    /// What it leads to can change: a tag, a branch, a path in a bucket.
    Mutable,
    /// It is not known how to read this name.
    Unsupported,
}

/// Depth to which an object is searched; a parser of JSON takes no deeper ones.
const DEPTH: usize = 128;

/// Every model of `object`, in the order of their paths.
pub(super) fn find(object: &Value, pods: &[Found]) -> Vec<Model> {
    let mut models = Vec::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        if key != "metadata" {
            search(key, value, key, DEPTH, &mut models);
        }
    }
    serving::find(object, pods, &mut models);
    models.extend(pods.iter().flat_map(of_volumes));
    models.sort_by(|a, b| a.path.cmp(&b.path));
    models
}

fn search(key: &str, value: &Value, path: &str, depth: usize, models: &mut Vec<Model>) {
    if depth == 0 {
        return;
    }
    match value {
        Value::Null => {}
        _ if key == "storageUri" => models.push(by_uri(path.to_owned(), Some(value))),
        Value::Array(items) if key == "storageUris" => {
            let listed = items.iter().enumerate();
            models.extend(listed.map(|(at, item)| by_uri(format!("{path}[{at}].uri"), item.get("uri"))));
        }
        Value::Object(map) => {
            for (key, child) in map {
                search(key, child, &format!("{path}.{key}"), depth - 1, models);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                search("", item, &format!("{path}[{at}]"), depth - 1, models);
            }
        }
        _ => {}
    }
}

/// Volumes whose content is an image.
fn of_volumes(found: &Found) -> impl Iterator<Item = Model> {
    volumes(found).map(|(path, volume)| {
        let written = volume.reference.unwrap_or_default();
        let named = match volume.reference {
            Some(reference) => location::of_reference(reference),
            None => Location::Unsupported.into(),
        };
        model(path, written.to_owned(), named)
    })
}

/// The model that the text at `path` names.
fn by_uri(path: String, value: Option<&Value>) -> Model {
    let uri = value.and_then(Value::as_str).unwrap_or_default();
    model(path, uri.to_owned(), location::of_uri(uri))
}

fn model(path: String, uri: String, named: Named) -> Model {
    Model {
        path,
        uri,
        location: named.location,
        reference: named.reference,
        digest: named.digest.map(|digest| digest.to_string()),
        signature: Signature::NotRequired,
        attestations: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::pods;
    use super::*;

    pub(super) fn found(object: &Value) -> Vec<(String, String, Location)> {
        let models = find(object, &pods::find(object));
        models
            .into_iter()
            .map(|model| (model.path, model.uri, model.location))
            .collect()
    }

    #[test]
    fn a_storage_uri_is_a_model_in_any_kind() {
        let object = json!({"apiVersion": "x/v1", "kind": "Odd", "metadata": {"storageUri": "gs://no/claim"}, "spec": {
            "deep": [{"model": {"storageUri": "gs://b/a"}}], "storageUris": [{"uri": "pvc://c", "mountPath": "/a"}, {}, 3],
            "storageUri": 7, "none": {"storageUri": null},
        }});
        let want = [
            ("spec.deep[0].model.storageUri", "gs://b/a", Location::Mutable),
            ("spec.storageUri", "", Location::Unsupported),
            ("spec.storageUris[0].uri", "pvc://c", Location::Mutable),
            ("spec.storageUris[1].uri", "", Location::Unsupported),
            ("spec.storageUris[2].uri", "", Location::Unsupported),
        ];
        assert_eq!(
            found(&object),
            want.map(|(path, uri, location)| (path.to_owned(), uri.to_owned(), location))
        );
    }

    #[test]
    fn an_image_volume_is_a_model_and_keeps_its_reference() {
        let hex = "a".repeat(64);
        let object = json!({"kind": "Pod", "spec": {"containers": [{"name": "a"}], "volumes": [
            {"name": "pinned", "image": {"reference": format!("r.example/m:1@sha256:{hex}")}},
            {"name": "tag", "image": {"reference": "r.example/m:1"}},
            {"name": "later", "image": {}}, {"name": "tmp", "emptyDir": {}},
        ]}});
        let models = find(&object, &pods::find(&object));
        let got: Vec<_> = models
            .iter()
            .map(|model| (model.location, model.reference.is_some(), model.digest.is_some()))
            .collect();
        let want = [
            (Location::Pinned, true, true),
            (Location::Mutable, true, false),
            (Location::Unsupported, false, false),
        ];
        assert_eq!(got, want);
        assert_eq!(models[0].path, "spec.volumes[0].image.reference");
        assert_eq!(models[0].digest, Some(format!("sha256:{hex}")));
    }
}
