//! Pushing a bundle as `oras push` with OPA's documented types does, so that OPA can pull it too.
//!
//! Pushing is done for the user of the command line and trusts what that user names, so it is left to oci-client. What
//! was pushed is then looked up as everybody else will, and that answer is the digest to sign.

use oci_client::client::{Client, ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;

use super::error::RegistryError;
use super::pulled::{OPA_LAYER, PulledError};
use super::resolve;
use super::session::{CONNECT_TIMEOUT, Session};
use super::settings::Credentials;
use crate::reference::{Pinned, Wanted, check_tag};

/// OPA ignores the config; some registries insist on a type they know.
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

pub(super) async fn push(session: Session<'_>, tag: &str, bundle: Vec<u8>) -> Result<Pinned, RegistryError> {
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
    let (registry, path) = (session.repository.registry(), session.repository.path());
    let reference = oci_client::Reference::with_tag(registry.to_owned(), path.to_owned(), tag.to_owned());
    let layers = [ImageLayer::new(bundle, OPA_LAYER.to_owned(), None)];
    let config = Config::new("{}", CONFIG.to_owned(), None);
    client(&session)
        .push(&reference, &layers, config, &login(session.credentials), None)
        .await
        .map_err(|error| failure(at, error))?;
    resolve::resolve(session, &Wanted::Tag(tag.to_owned())).await
}

fn client(session: &Session<'_>) -> Client {
    let registry = session.repository.registry().to_owned();
    let protocol = if session.settings.is_plain(&registry) {
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
    let detail = |text: String| super::error::Detail(text);
    match error {
        OciDistributionError::UnauthorizedError { .. } => RegistryError::Unauthorized {
            at,
            detail: detail(String::new()),
        },
        OciDistributionError::AuthenticationFailure(said) => RegistryError::Unauthorized {
            at,
            detail: detail(said),
        },
        OciDistributionError::ServerError { code: 403, message, .. } => RegistryError::Forbidden {
            at,
            detail: detail(message),
        },
        OciDistributionError::ServerError { code: 404, message, .. } => RegistryError::NotFound {
            at,
            detail: detail(message),
        },
        OciDistributionError::ServerError { code: 429, .. } => RegistryError::Throttled { at, retry_after: None },
        OciDistributionError::ServerError {
            code: status, message, ..
        } => RegistryError::ServerError {
            at,
            status,
            detail: detail(message),
        },
        OciDistributionError::RequestError(source) => RegistryError::Unavailable { at, source },
        other => RegistryError::Malformed {
            at,
            problem: other.to_string(),
        },
    }
}
