//! Registry credentials from a pull secret in the operator's own namespace.

use interlock_bundles::reference::Repository;
use interlock_bundles::registry::Credentials;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

use super::build::{Problem, Stage};
use crate::conditions::Standing;
use crate::docker_config::DockerConfig;
use crate::judge::chain;

/// Reads the credentials for `repository` from the Secret `name`.
pub(super) async fn read(
    client: &Client,
    namespace: &str,
    name: &str,
    repository: &Repository,
) -> Result<Credentials, Problem> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = secrets.get_opt(name).await.map_err(|error| {
        let why = match &error {
            kube::Error::Api(status) if status.code == 403 => {
                format!("{}; name it in the chart's value secretNames", status.message)
            }
            // Without the debugging text that kube adds to it.
            kube::Error::Api(status) => status.message.clone(),
            _ => chain(&error),
        };
        let message = format!("cannot read Secret {namespace}/{name}: {why}");
        problem("PullSecretUnreadable", Standing::Reconciling, message)
    })?;
    let Some(secret) = secret else {
        let message = format!("there is no Secret {namespace}/{name}: create it in the operator's namespace");
        return Err(problem("PullSecretNotFound", Standing::Reconciling, message));
    };
    credentials(&secret, repository).map_err(|why| {
        let message = format!("Secret {namespace}/{name} {why}: make it with kubectl create secret docker-registry");
        problem("PullSecretInvalid", Standing::Stalled, message)
    })
}

fn credentials(secret: &Secret, repository: &Repository) -> Result<Credentials, String> {
    let file = secret.data.as_ref().and_then(|data| data.get(".dockerconfigjson"));
    let file = file.ok_or("has no key .dockerconfigjson")?;
    let config: DockerConfig = serde_json::from_slice(&file.0).map_err(|_| "does not hold a Docker configuration")?;
    config
        .credentials(&repository.to_string())
        .map_err(|error| error.to_string())
}

fn problem(reason: &str, standing: Standing, message: String) -> Problem {
    Problem {
        stage: Stage::Asking,
        reason: reason.to_owned(),
        message,
        standing,
        retry_after: None,
    }
}
