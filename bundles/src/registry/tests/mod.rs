//! How the client bears what registries do to it.

mod answers;
mod conversation;
mod hub;
mod layers;
mod legacy;
mod liar;
mod listings;

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::digest::Digest;
use liar::{Liar, Reply, Request};

const LAYER: &[u8] = b"\x1f\x8bthe layer";

/// Settings that reach one liar, with small caps and little patience.
fn settings(liar: &Liar) -> RegistrySettings {
    RegistrySettings {
        allowed: vec![liar.host.clone()],
        plain_http: vec![liar.host.clone()],
        timeout: Duration::from_secs(10),
        caps: Caps {
            manifest_bytes: 4096,
            layer_bytes: 4096,
            bundle_bytes: 1024,
            evidence_bytes: 2048,
            referrers: 4,
            pages: 3,
            tags: 10,
        },
    }
}

fn client(liar: &Liar) -> Registry {
    Registry::new(settings(liar)).unwrap()
}

fn repository(liar: &Liar) -> Repository {
    format!("{}/policies", liar.host).parse().unwrap()
}

fn manifest() -> Vec<u8> {
    manifest_of(&json!([{
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": Digest::of(LAYER), "size": LAYER.len(),
    }]))
}

fn manifest_of(layers: &Value) -> Vec<u8> {
    json!({"schemaVersion": 2, "layers": layers}).to_string().into_bytes()
}

/// A registry with one bundle, honest unless `lie` has an answer.
async fn registry(lie: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Liar {
    Liar::start(move |request| lie(request).unwrap_or_else(|| honest(request))).await
}

fn honest(request: &Request) -> Reply {
    let manifest = manifest();
    let digest = Digest::of(&manifest);
    match request.path.strip_prefix("/v2/policies/") {
        Some("manifests/1.0.0") => Reply::ok(manifest).with("Docker-Content-Digest", digest.to_string()),
        Some(path) if path == format!("manifests/{digest}") => Reply::ok(manifest),
        Some(path) if path == format!("blobs/{}", Digest::of(LAYER)) => Reply::ok(LAYER),
        _ => Reply::status(404),
    }
}

async fn resolve(liar: &Liar) -> Result<Pinned, RegistryError> {
    let wanted = Wanted::Tag("1.0.0".to_owned());
    client(liar)
        .resolve(&repository(liar), &wanted, &Credentials::Anonymous)
        .await
}

fn pinned(liar: &Liar) -> Pinned {
    repository(liar).pin(Digest::of(&manifest()))
}

async fn pull(liar: &Liar) -> Result<Pulled, RegistryError> {
    client(liar).pull(&pinned(liar), &Credentials::Anonymous).await
}

async fn signatures(liar: &Liar) -> Result<Vec<Evidence>, RegistryError> {
    client(liar).signatures(&pinned(liar), &Credentials::Anonymous).await
}

fn reason<T>(outcome: Result<T, RegistryError>) -> &'static str {
    outcome.map_or_else(|error| error.reason(), |_| "ok")
}
