//! Pushing a bundle as `oras push` with OPA's documented types does, so that OPA can pull it too.

use reqwest::header::LOCATION;
use reqwest::{Method, Url};

use super::error::RegistryError;
use super::pull::MANIFESTS;
use super::pulled::{OPA_LAYER, PulledError};
use super::session::{Answer, Ask, Session};
use crate::digest::Digest;
use crate::reference::{Pinned, check_tag};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OPA ignores the config; some registries insist on a type they know.
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const ANSWER_MAX: u64 = 64 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

pub(super) async fn push(mut session: Session<'_>, tag: &str, bundle: Vec<u8>) -> Result<Pinned, RegistryError> {
    check_tag(tag)?;
    let at = format!("{}:{tag}", session.repository);
    let limit = session.settings.caps.layer_bytes;
    if bundle.len() as u64 > limit {
        return Err(RegistryError::LimitExceeded {
            at,
            what: "layer bytes",
            limit,
        });
    }
    if !bundle.starts_with(&GZIP_MAGIC) {
        return Err(RegistryError::NotABundle {
            at,
            source: PulledError::NotGzip,
        });
    }
    let config = b"{}".to_vec();
    let manifest = manifest(&config, &bundle);
    let digest = Digest::of(&manifest);
    session.push_blob(config).await?;
    session.push_blob(bundle).await?;
    let url = session.url(&format!("manifests/{tag}"))?;
    session.put(url, MANIFEST, manifest).await?;
    Ok(session.repository.pin(digest))
}

impl Session<'_> {
    /// Uploads a blob in one piece, unless it is there already.
    async fn push_blob(&mut self, bytes: Vec<u8>) -> Result<(), RegistryError> {
        let digest = Digest::of(&bytes);
        let head = Ask {
            method: Method::HEAD,
            ..Ask::get(
                self.url(&format!("blobs/{digest}"))?,
                "*/*",
                ("answer bytes", ANSWER_MAX),
            )
        };
        match self.ask(&head).await {
            Err(RegistryError::NotFound { .. }) => {}
            outcome => return outcome.map(drop),
        }
        let start = Ask {
            method: Method::POST,
            ..Ask::get(self.url("blobs/uploads/")?, "*/*", ("answer bytes", ANSWER_MAX))
        };
        let answer = self.ask(&start).await?;
        let mut url = upload_location(&start, &answer)?;
        self.may_speak_to(&start.at(), &url)?;
        url.query_pairs_mut().append_pair("digest", &digest.to_string());
        self.put(url, "application/octet-stream", bytes).await
    }

    async fn put(&mut self, url: Url, media_type: &'static str, bytes: Vec<u8>) -> Result<(), RegistryError> {
        let ask = Ask {
            method: Method::PUT,
            body: Some((media_type, bytes)),
            ..Ask::get(url, MANIFESTS, ("answer bytes", ANSWER_MAX))
        };
        self.ask(&ask).await.map(drop)
    }
}

/// Written as text, so that its bytes, and so the digest, never depend on a serialiser.
fn manifest(config: &[u8], bundle: &[u8]) -> Vec<u8> {
    let descriptor = |media_type: &str, bytes: &[u8]| {
        let (digest, size) = (Digest::of(bytes), bytes.len());
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
    };
    let (config, layer) = (descriptor(CONFIG, config), descriptor(OPA_LAYER, bundle));
    format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[{layer}]}}"#).into_bytes()
}

/// Where the upload goes on; without credentials if that is another host.
fn upload_location(ask: &Ask, answer: &Answer) -> Result<Url, RegistryError> {
    let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    location
        .and_then(|location| answer.url.join(location).ok())
        .ok_or_else(|| RegistryError::Malformed {
            at: ask.at(),
            problem: "an upload without a usable Location".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::super::pulled::Pulled;
    use super::*;

    #[test]
    fn what_is_pushed_can_be_pulled() {
        let manifest = manifest(b"{}", b"\x1f\x8bbundle");
        let pulled = Pulled::new(manifest.clone(), b"\x1f\x8bbundle".to_vec());
        assert_eq!(pulled.map(|pulled| pulled.digest()), Ok(Digest::of(&manifest)));
    }
}
