//! A whole platform for a story: a control plane with Interlock's CRDs, registries, a key, and the operator as the real
//! binary under the chart's service account. Stories that share one keep to namespaces and names of their own; those
//! that break things start their own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use interlock_crds::{PolicyBundle, Release};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use tempfile::TempDir;

use crate::apply::apply;
use crate::artifact::Repository;
use crate::chart;
use crate::child::free_port;
use crate::control_plane::ControlPlane;
use crate::cosign::KeyPair;
use crate::env::{fresh_namespace, install};
use crate::eventually::object_becomes;
use crate::liar::Liar;
use crate::operator::Operator;
use crate::registry::{Flavour, Registry};
use crate::scratch::scratch;
use crate::tools::repository_root;

/// Within this the operator has reacted to anything. It usually takes a second.
pub const SOON: Duration = Duration::from_mins(1);

/// The namespace of the operator.
pub const NAMESPACE: &str = "interlock-system";

/// A running platform. Dropping it stops everything.
pub struct Platform {
    /// The operator; first, so that it ends before what it watches.
    pub operator: Operator,
    /// The control plane.
    pub control_plane: ControlPlane,
    /// A client with all rights.
    pub client: Client,
    /// A registry with the referrers API.
    pub registry: Registry,
    /// A registry that can be told to lie, in front of the other.
    pub liar: Liar,
    /// The key that the Signer `platform` names.
    pub key: KeyPair,
    kubeconfig: PathBuf,
    probes: String,
    cache: TempDir,
}

impl Platform {
    /// Starts one and waits until its operator is ready. The operator may do what the chart grants and no more.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same; the operator gets `more` arguments.
    pub async fn start_with(more: &[&str]) -> Result<Self> {
        let (control_plane, registry, key) = tokio::try_join!(
            ControlPlane::start(),
            Registry::start(Flavour::Referrers),
            KeyPair::generate()
        )?;
        let liar = Liar::before(&registry).await?;
        let client = control_plane.client().await?;
        install(&client, interlock_crds::crds()).await?;
        apply(
            &client,
            NAMESPACE,
            &format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n"),
        )
        .await?;
        apply(&client, NAMESPACE, chart::rbac(NAMESPACE).await?).await?;
        let token = chart::token(&client, NAMESPACE, chart::RELEASE).await?;
        let kubeconfig = control_plane.kubeconfig_with("operator", &token)?;
        let cache = scratch("operator-cache")?;
        let probes = format!("127.0.0.1:{}", free_port()?);
        let arguments = arguments(
            &kubeconfig,
            cache.path(),
            &probes,
            "first",
            &[registry.host(), liar.host()],
        );
        let arguments: Vec<&str> = arguments
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
            .collect();
        let mut operator = Operator::start(&arguments, &probes)?;
        operator.ready().await?;
        let platform = Self {
            operator,
            control_plane,
            client,
            registry,
            liar,
            key,
            kubeconfig,
            probes,
            cache,
        };
        platform.signer("platform", &platform.key).await?;
        Ok(platform)
    }

    /// A second operator beside the first, with a cache of its own.
    pub fn second_operator(&self) -> Result<(Operator, TempDir)> {
        let cache = scratch("second-operator-cache")?;
        let probes = format!("127.0.0.1:{}", free_port()?);
        let hosts = [self.registry.host(), self.liar.host()];
        let arguments = arguments(&self.kubeconfig, cache.path(), &probes, "second", &hosts);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Ok((Operator::start(&arguments, &probes)?, cache))
    }

    /// Where the operator answers `/metrics`.
    pub fn probes(&self) -> &str {
        &self.probes
    }

    /// The folder in which the operator keeps verified bundles.
    pub fn cache(&self) -> &Path {
        self.cache.path()
    }

    /// Applies YAML; what is namespaced and names no namespace goes to `namespace`.
    pub async fn apply(&self, namespace: &str, yaml: &str) -> Result<Vec<DynamicObject>> {
        apply(&self.client, namespace, yaml).await
    }

    /// A fresh namespace.
    pub async fn namespace(&self, story: &str) -> Result<String> {
        fresh_namespace(&self.client, story).await
    }

    /// A Signer with the public half of `key`.
    pub async fn signer(&self, name: &str, key: &KeyPair) -> Result<()> {
        let signer = serde_json::json!({
            "apiVersion": "interlock.dev/v1alpha1", "kind": "Signer", "metadata": {"name": name},
            "spec": {"publicKey": {"pem": key.public()}},
        });
        let api: Api<interlock_crds::Signer> = Api::all(self.client.clone());
        api.patch(name, &PatchParams::apply("tests").force(), &Patch::Apply(signer))
            .await?;
        Ok(())
    }

    /// Pushes `bundle` under a tag and signs it; answers `host/path@sha256:…`.
    pub async fn publish(&self, path: &str, tag: &str, bundle: &[u8]) -> Result<String> {
        let reference = Repository::new(self.registry.host(), path).push(tag, bundle).await?;
        self.key.sign(&reference).await?;
        Ok(reference)
    }

    /// A PolicyBundle that follows a tag, signed by `platform`. `host` is the registry's, or the liar's.
    pub async fn bundle(&self, name: &str, host: &str, path: &str, tag: &str, bundle: &str) -> Result<()> {
        let yaml = format!(
            "apiVersion: interlock.dev/v1alpha1\nkind: PolicyBundle\nmetadata: {{name: {name}}}\nspec:\n  \
             url: oci://{host}/{path}\n  ref: {{tag: {tag:?}}}\n  bundle: {bundle}\n  pollInterval: 10s\n  \
             signedBy: {{signers: [platform]}}\n"
        );
        self.apply("default", &yaml).await?;
        Ok(())
    }

    /// The Releases of a namespace.
    pub fn releases(&self, namespace: &str) -> Api<Release> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Waits until `Ready` of a PolicyBundle has this reason, and answers the bundle.
    pub async fn bundle_says(&self, name: &str, reason: &str) -> Result<PolicyBundle> {
        let api: Api<PolicyBundle> = Api::all(self.client.clone());
        object_becomes(&api, name, &format!("Ready says {reason}"), SOON, |bundle| {
            let current = bundle.status.as_ref().and_then(|status| status.observed_generation);
            current == bundle.metadata.generation && condition_of(bundle_conditions(bundle), "Ready").0 == reason
        })
        .await
        .with_context(|| format!("the operator's log ends:\n{}", self.log_tail(25)))
    }

    /// Waits until a Release has this verdict and reason, and answers it.
    pub async fn release_says(&self, namespace: &str, name: &str, verdict: &str, reason: &str) -> Result<Release> {
        let what = format!("verdict {verdict}, reason {reason}");
        object_becomes(&self.releases(namespace), name, &what, SOON, |release| {
            let status = release.status.as_ref();
            status
                .and_then(|status| status.verdict)
                .is_some_and(|found| found.as_str() == verdict)
                && condition_of(release_conditions(release), "Ready").0 == reason
        })
        .await
        .with_context(|| format!("the operator's log ends:\n{}", self.log_tail(25)))
    }

    /// The end of the operator's log.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.operator.log();
        let all: Vec<_> = log.lines().collect();
        all.get(all.len().saturating_sub(lines)..)
            .unwrap_or_default()
            .join("\n")
    }
}

/// The conditions of a PolicyBundle.
pub fn bundle_conditions(bundle: &PolicyBundle) -> &[interlock_crds::condition::Condition] {
    bundle
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default()
}

/// The conditions of a Release.
pub fn release_conditions(release: &Release) -> &[interlock_crds::condition::Condition] {
    release
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default()
}

/// Reason, status and message of a condition; empty if it is not there.
pub fn condition_of<'a>(
    conditions: &'a [interlock_crds::condition::Condition],
    kind: &str,
) -> (&'a str, &'a str, &'a str) {
    conditions
        .iter()
        .find(|condition| condition.type_ == kind)
        .map(|condition| {
            (
                condition.reason.as_str(),
                condition.status.as_str(),
                condition.message.as_str(),
            )
        })
        .unwrap_or_default()
}

/// The built baseline bundle.
pub fn baseline() -> Result<Vec<u8>> {
    built("baseline")
}

/// The built bundle called `name`.
pub fn built(name: &str) -> Result<Vec<u8>> {
    let file: PathBuf = repository_root().join(format!("bundles/dist/{name}.tar.gz"));
    std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// The arguments of an operator beside the cluster of `kubeconfig`, which may contact `hosts` without TLS.
pub fn arguments(kubeconfig: &Path, cache: &Path, probes: &str, identity: &str, hosts: &[&str]) -> Vec<String> {
    let mut arguments = vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--cache-dir={}", cache.display()),
        format!("--listen={probes}"),
        format!("--identity={identity}"),
        format!("--namespace={NAMESPACE}"),
        "--registry-timeout=5".to_owned(),
    ];
    for host in hosts {
        arguments.push(format!("--allow-registry={host}"));
        arguments.push(format!("--plain-http-registry={host}"));
    }
    arguments
}
