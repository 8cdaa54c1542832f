//! What the stories about Signers share: a private Sigstore that a TrustRoot pins, Signers that rest on it, and what these
//! say of themselves.

use std::fmt::Debug;

use anyhow::{Context as _, Result};
use interlock_bundles::digest::Digest;
use interlock_crds::condition::Condition;
use interlock_crds::{Signer, TrustRoot};
use interlock_tests::Platform;
use interlock_tests::eventually::object_becomes;
use interlock_tests::keyless::{Identity, Services};
use interlock_tests::platform::{SOON, condition_of};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::signed::apply;

/// Who vouches for pipelines.
pub(crate) const ISSUER: &str = "https://token.ci.example";

/// A pipeline of that URI.
pub(crate) fn pipeline(uri: &str) -> Identity {
    Identity {
        uri: uri.to_owned(),
        issuer: ISSUER.to_owned(),
        claims: json!({"sourceRepositoryRef": "refs/heads/main"}),
    }
}

/// The `trusted_root.json` of a Sigstore.
pub(crate) fn root_of(sigstore: &Services) -> Result<String> {
    Ok(std::fs::read_to_string(sigstore.trusted_root())?)
}

/// As a TrustRoot pins it.
pub(crate) fn digest(json: &str) -> String {
    Digest::of(json.as_bytes()).to_string()
}

/// The TrustRoot `private`.
pub(crate) async fn trust(platform: &Platform, spec: Value) -> Result<()> {
    let root = json!({"apiVersion": "interlock.dev/v1alpha1", "kind": "TrustRoot", "metadata": {"name": "private"}, "spec": spec});
    apply(platform, "default", root).await
}

/// The same of a `trusted_root.json`.
pub(crate) async fn trust_inline(platform: &Platform, json: &str) -> Result<()> {
    trust(platform, json!({"digest": digest(json), "inline": json})).await
}

/// The Signer `releases`.
pub(crate) async fn signer(platform: &Platform, spec: Value) -> Result<()> {
    let signer = json!({"apiVersion": "interlock.dev/v1alpha1", "kind": "Signer", "metadata": {"name": "releases"}, "spec": spec});
    apply(platform, "default", signer).await
}

/// Waits until the TrustRoot `private` gives this reason.
pub(crate) async fn root_says(platform: &Platform, reason: &str) -> Result<TrustRoot> {
    ready(platform, "private", reason, |root: &TrustRoot| {
        let status = root.status.as_ref()?;
        Some((status.observed_generation, status.conditions.as_slice()))
    })
    .await
}

/// Waits until the Signer `releases` gives this reason.
pub(crate) async fn signer_says(platform: &Platform, reason: &str) -> Result<Signer> {
    ready(platform, "releases", reason, |signer: &Signer| {
        let status = signer.status.as_ref()?;
        Some((status.observed_generation, status.conditions.as_slice()))
    })
    .await
}

async fn ready<K>(
    platform: &Platform,
    name: &str,
    reason: &str,
    status: impl Fn(&K) -> Option<(Option<i64>, &[Condition])>,
) -> Result<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + Debug,
{
    let api: Api<K> = Api::all(platform.client.clone());
    object_becomes(&api, name, &format!("Ready says {reason}"), SOON, |object| {
        status(object).is_some_and(|(generation, conditions)| {
            generation == object.meta().generation && condition_of(conditions, "Ready").0 == reason
        })
    })
    .await
    .with_context(|| format!("the operator's log ends:\n{}", platform.log_tail(25)))
}
