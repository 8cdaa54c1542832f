//! Applying YAML as `kubectl apply --server-side` does: any kind the API server knows, found by discovery.

use anyhow::{Context as _, Result};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, ApiResource, Scope, pinned_kind};
use kube::{Api, Client};

/// The field manager of what the harness applies.
pub const FIELD_MANAGER: &str = "interlock-tests";

/// The documents of a YAML stream that hold an object, as JSON values.
pub fn documents(yaml: &str) -> Result<Vec<serde_json::Value>> {
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(yaml)?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Applies every document of `yaml`; namespaced ones without a namespace go to `namespace`. Answers the objects as the
/// API server now holds them.
pub async fn apply(client: &Client, namespace: &str, yaml: &str) -> Result<Vec<DynamicObject>> {
    let mut applied = Vec::new();
    for document in documents(yaml)? {
        applied.push(apply_value(client, namespace, document).await?);
    }
    Ok(applied)
}

/// Applies one object.
pub async fn apply_value(client: &Client, namespace: &str, document: serde_json::Value) -> Result<DynamicObject> {
    let object: DynamicObject = serde_json::from_value(document).context("this document is no object")?;
    let name = object
        .metadata
        .name
        .clone()
        .context("an object without a name cannot be applied")?;
    let kind = object
        .types
        .as_ref()
        .map(|types| types.kind.clone())
        .unwrap_or_default();
    let api = api_for(client, namespace, &object).await?;
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&name, &params, &Patch::Apply(&object))
        .await
        .with_context(|| format!("{kind} {name} was refused"))
}

/// The API in which `object` lives: its own namespace, else `namespace`, else none if its kind is cluster-wide.
pub async fn api_for(client: &Client, namespace: &str, object: &DynamicObject) -> Result<Api<DynamicObject>> {
    let types = object.types.as_ref().context("an object without apiVersion and kind")?;
    let kind = GroupVersionKind::try_from(types)?;
    let (resource, capabilities): (ApiResource, ApiCapabilities) = pinned_kind(client, &kind)
        .await
        .with_context(|| format!("the API server does not know {} {}", types.api_version, types.kind))?;
    Ok(match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or(namespace);
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
    })
}
