//! Registry credentials from pull secrets: the platform's in the operator's own namespace, and a workload's in its own.

use interlock_bundles::reference::Repository;
use interlock_bundles::registry::Credentials;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

use crate::docker_config::{DockerConfig, NoCredentials};
use crate::judge::chain;

/// A Secret with credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PullSecret {
    /// Where it is.
    pub(crate) namespace: String,
    /// Its name there.
    pub(crate) name: String,
    /// Whether one that cannot be read is passed over, as a kubelet does.
    pub(crate) is_optional: bool,
}

/// Why a pull secret is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// The API server did not give it.
    #[error("cannot read Secret {secret}: {why}")]
    Unreadable {
        /// Namespace and name.
        secret: String,
        /// What the API server said.
        why: String,
    },
    /// The operator may not read it.
    #[error("cannot read Secret {secret}: {why}; name it in the chart's value secretNames")]
    Forbidden {
        /// Namespace and name.
        secret: String,
        /// What the API server said.
        why: String,
    },
    /// There is none.
    #[error("there is no Secret {secret}: create it in the operator's namespace")]
    NotFound {
        /// Namespace and name.
        secret: String,
    },
    /// It holds no Docker configuration.
    #[error("Secret {secret} {problem}: make it with kubectl create secret docker-registry")]
    Invalid {
        /// Namespace and name.
        secret: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl SecretError {
    /// Stable word for conditions.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } | Self::Forbidden { .. } => "PullSecretUnreadable",
            Self::NotFound { .. } => "PullSecretNotFound",
            Self::Invalid { .. } => "PullSecretInvalid",
        }
    }

    /// Whether it may be well the next time although nobody corrects it.
    pub(crate) fn is_transient(&self) -> bool {
        !matches!(self, Self::Invalid { .. })
    }
}

/// The credentials for `repository` from the Secret `name`, which must have some.
pub(crate) async fn read(
    client: &Client,
    namespace: &str,
    name: &str,
    repository: &Repository,
) -> Result<Credentials, SecretError> {
    let config = docker_config(client, namespace, name).await?;
    config
        .credentials(&repository.to_string())
        .map_err(|error| invalid(namespace, name, error.to_string()))
}

/// The credentials for `repository` from the first of these Secrets that has an entry for it; none if no Secret has.
/// A Secret that cannot be used counts only if none of the others helps.
pub(crate) async fn first(
    client: &Client,
    secrets: &[PullSecret],
    repository: &Repository,
) -> Result<Credentials, SecretError> {
    let mut problem = None;
    for PullSecret {
        namespace,
        name,
        is_optional,
    } in secrets
    {
        let found = docker_config(client, namespace, name).await;
        if *is_optional && matches!(found, Err(SecretError::NotFound { .. } | SecretError::Forbidden { .. })) {
            continue;
        }
        let found = found.and_then(|config| match config.credentials(&repository.to_string()) {
            Err(NoCredentials::NoEntry(_)) => Ok(None),
            Err(error @ NoCredentials::Incomplete(_)) => Err(invalid(namespace, name, error.to_string())),
            Ok(credentials) => Ok(Some(credentials)),
        });
        match found {
            Ok(Some(credentials)) => return Ok(credentials),
            Ok(None) => {}
            Err(error) => problem = problem.or(Some(error)),
        }
    }
    problem.map_or(Ok(Credentials::Anonymous), Err)
}

async fn docker_config(client: &Client, namespace: &str, name: &str) -> Result<DockerConfig, SecretError> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = || format!("{namespace}/{name}");
    let found = secrets
        .get_opt(name)
        .await
        .map_err(|error| refused(secret(), &error))?
        .ok_or_else(|| SecretError::NotFound { secret: secret() })?;
    let file = found.data.as_ref().and_then(|data| data.get(".dockerconfigjson"));
    let file = file.ok_or_else(|| invalid(namespace, name, "has no key .dockerconfigjson".to_owned()))?;
    serde_json::from_slice(&file.0)
        .map_err(|_| invalid(namespace, name, "does not hold a Docker configuration".to_owned()))
}

fn refused(secret: String, error: &kube::Error) -> SecretError {
    match error {
        kube::Error::Api(status) if status.code == 403 => SecretError::Forbidden {
            secret,
            why: status.message.clone(),
        },
        // Without the debugging text that kube adds to it.
        kube::Error::Api(status) => SecretError::Unreadable {
            secret,
            why: status.message.clone(),
        },
        _ => SecretError::Unreadable {
            secret,
            why: chain(error),
        },
    }
}

fn invalid(namespace: &str, name: &str, problem: String) -> SecretError {
    SecretError::Invalid {
        secret: format!("{namespace}/{name}"),
        problem,
    }
}
