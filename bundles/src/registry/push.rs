//! Pushing a bundle as `oras push` with OPA's documented types does, so that OPA can pull it too.
//!
//! Pushing is done for the user of the command line and trusts what that user names, so it is left to oci-client. What
//! was pushed is then looked up as everybody else will, and that answer is the digest to sign.

use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use reqwest::header::HeaderValue;

use super::answer::detail_of;
use super::error::RegistryError;
use super::pulled::{OPA_LAYER, PulledError};
use super::resolve;
use super::session::{CONNECT_TIMEOUT, Session};
use super::settings::Credentials;
use crate::digest::Digest;
use crate::reference::{Pinned, Wanted, check_tag};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OPA ignores the config; some registries insist on a type they know.
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

pub(super) async fn push(session: Session<'_>, tag: &str, bundle: Vec<u8>) -> Result<Pinned, RegistryError> {
    check_tag(tag)?;
    let at = format!("{}:{tag}", session.repository);
    let limit = session.line.settings.caps.layer_bytes;
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
    let (registry, path) = (session.repository.registry(), session.repository.path());
    let reference = oci_client::Reference::with_tag(registry.to_owned(), path.to_owned(), tag.to_owned());
    let client = client(&session);
    client.store_auth_if_needed(registry, &login(session.credentials)).await;
    let config = b"{}".to_vec();
    let manifest = manifest(&config, &bundle);
    let want = Digest::of(&manifest);
    let failed = |error| failure(at.clone(), error);
    for blob in [config, bundle] {
        let digest = Digest::of(&blob).to_string();
        match client.push_blob(&reference, blob, &digest).await {
            // Some registries do not say where they put what they took.
            Err(OciDistributionError::RegistryNoLocationError)
                if client.blob_exists(&reference, &digest).await.unwrap_or(false) => {}
            outcome => drop(outcome.map_err(failed)?),
        }
    }
    let media_type = HeaderValue::from_static(MANIFEST);
    client
        .push_manifest_raw(&reference, manifest, media_type)
        .await
        .map_err(failed)?;
    let pinned = resolve::resolve(session, &Wanted::Tag(tag.to_owned())).await?;
    if pinned.digest == want {
        Ok(pinned)
    } else {
        // Somebody else pushed the same tag in between, or the registry lies.
        Err(RegistryError::DigestMismatch {
            at,
            want: want.to_string(),
            got: pinned.digest,
        })
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

fn client(session: &Session<'_>) -> Client {
    let registry = session.repository.registry().to_owned();
    let protocol = if session.line.settings.is_plain(&registry) {
        ClientProtocol::HttpsExcept(vec![registry])
    } else {
        ClientProtocol::Https
    };
    Client::new(ClientConfig {
        protocol,
        use_monolithic_push: true,
        connect_timeout: Some(CONNECT_TIMEOUT),
        ..ClientConfig::default()
    })
}

fn login(credentials: &Credentials) -> RegistryAuth {
    match credentials {
        Credentials::Anonymous => RegistryAuth::Anonymous,
        Credentials::Basic { username, password } => RegistryAuth::Basic(username.clone(), password.clone()),
        Credentials::Bearer(token) => RegistryAuth::Bearer(token.clone()),
    }
}

/// oci-client's error in this crate's words.
fn failure(at: String, error: OciDistributionError) -> RegistryError {
    match error {
        OciDistributionError::UnauthorizedError { .. } => refused(at, 401, ""),
        OciDistributionError::AuthenticationFailure(said) => refused(at, 401, &said),
        OciDistributionError::ServerError { code, message, .. } => refused(at, code, &message),
        OciDistributionError::RequestError(source) => RegistryError::Unavailable { at, source },
        other => RegistryError::Malformed {
            at,
            problem: other.to_string(),
        },
    }
}

fn refused(at: String, status: u16, said: &str) -> RegistryError {
    let detail = detail_of(said.as_bytes());
    match status {
        401 => RegistryError::Unauthorized { at, detail },
        403 => RegistryError::Forbidden { at, detail },
        404 => RegistryError::NotFound { at, detail },
        429 => RegistryError::Throttled { at, retry_after: None },
        500.. => RegistryError::ServerError { at, status, detail },
        status => RegistryError::Malformed {
            at,
            problem: format!("status {status}{detail}"),
        },
    }
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
