//! The Helm chart as users get it: rendered and installed by the pinned helm. Its RBAC is what every story's operator
//! runs under.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::scratch::scratch;
use crate::tools::{repository_root, tool};

/// Name of the release in the tests, and so of the chart's objects.
pub const RELEASE: &str = "interlock";

/// An image of which only the reference matters: there is no kubelet that could pull it.
pub const IMAGE: [&str; 2] = [
    "image.repository=registry.example.com/interlock",
    "image.digest=sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
];

/// The Secrets that stories let the operator read.
const SECRETS: &str = "secretNames={puller,spare,drift-token}";

/// The folder of the chart.
pub fn folder() -> PathBuf {
    repository_root().join("charts/interlock")
}

/// Runs helm with `arguments`, on the cluster of `kubeconfig` where it needs one, and answers how it ended. It sees no
/// settings of the user who runs the tests.
pub async fn helm(kubeconfig: Option<&Path>, arguments: &[&str]) -> Result<Output> {
    let home = scratch("helm")?;
    let nowhere = home.path().join("no-kubeconfig");
    let mut command = Command::new(tool("helm")?);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command.env("KUBECONFIG", kubeconfig.unwrap_or(&nowhere));
    for kind in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(kind, home.path());
    }
    command.output().await.context("helm cannot be run")
}

/// What `helm template` makes of the chart in `namespace`; each of `values` is a `--set`.
pub async fn render(namespace: &str, values: &[&str]) -> Result<String> {
    render_with(namespace, values, &[]).await
}

/// The roles, bindings and service account that the operator of a story runs under.
pub async fn rbac(namespace: &str) -> Result<&'static str> {
    static RENDERED: OnceCell<String> = OnceCell::const_new();
    let rendered = RENDERED.get_or_try_init(async || {
        let only = [
            "--show-only=templates/rbac.yaml",
            "--show-only=templates/serviceaccount.yaml",
        ];
        render_with(namespace, &[SECRETS], &only).await
    });
    Ok(rendered.await?)
}

async fn render_with(namespace: &str, values: &[&str], more: &[&str]) -> Result<String> {
    let chart = folder().display().to_string();
    let mut arguments = vec!["template", RELEASE, &chart, "--namespace", namespace];
    for value in IMAGE.iter().chain(values) {
        arguments.extend(["--set", value]);
    }
    arguments.extend(more);
    let output = helm(None, &arguments).await?;
    ensure!(
        output.status.success(),
        "helm {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// A token of the service account `name`, as a pod of its gets one: from the TokenRequest API.
pub async fn token(client: &Client, namespace: &str, name: &str) -> Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            audiences: None,
            expiration_seconds: Some(24 * 60 * 60),
            bound_object_ref: None,
        }),
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request(name, &PostParams::default(), &request)
        .await?;
    let status = answer.status.context("a token request has an answer")?;
    status.token.context("the answer holds a token")
}
