//! The Kubernetes API of Interlock, as users write it.
//!
//! ```text
//! TrustRoot ◀── Signer ◀── PolicyBundle ◀── GovernanceTrack ──governs──▶ Release (its status is the verdict)
//! Revocation: holds for all who sign
//! ```
//!
//! One file a kind; [`condition`] holds the vocabulary of conditions and reasons that all kinds share. The doc
//! comments are the manual: `kubectl explain` prints them. This crate knows no client and nothing of how a
//! bundle is verified or run.

#![allow(
    unreachable_pub,
    reason = "kube's schema derive repeats every struct inside a private scope"
)]
#![allow(
    clippy::duplicated_attributes,
    reason = "columns of one kind share their type; kube takes each as an attribute"
)]

pub mod bundle;
pub mod condition;
pub mod drift;
pub mod release;
pub mod revocation;
pub mod signer;
pub mod track;
pub mod trust_root;

pub use bundle::{PolicyBundle, PolicyBundleSpec, PolicyBundleStatus};
pub use release::{Release, ReleaseSpec, ReleaseStatus, Verdict};
pub use revocation::{Revocation, RevocationSpec};
pub use signer::{Signer, SignerSpec, SignerStatus};
pub use track::{GovernanceTrack, GovernanceTrackSpec, GovernanceTrackStatus, Level};
pub use trust_root::{TrustRoot, TrustRootSpec, TrustRootStatus};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt as _;

/// The API group of every kind.
pub const GROUP: &str = "interlock.dev";
/// The version that is served and stored.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of every kind.
pub const API_VERSION: &str = "interlock.dev/v1alpha1";
/// Label that says who created a Release: its value is [`ORIGIN_DISCOVERED`], or it is absent on a declared one.
pub const ORIGIN_LABEL: &str = "interlock.dev/origin";
/// Value of [`ORIGIN_LABEL`] on Releases that the operator made for a workload nobody declared.
pub const ORIGIN_DISCOVERED: &str = "discovered";

/// Every CustomResourceDefinition of the group, in the order in which they may be applied.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![
        TrustRoot::crd(),
        Signer::crd(),
        Revocation::crd(),
        PolicyBundle::crd(),
        GovernanceTrack::crd(),
        Release::crd(),
    ];
    for version in crds.iter_mut().flat_map(|crd| &mut crd.spec.versions) {
        let schema = version.schema.as_mut();
        if let Some(schema) = schema.and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            tidy(schema, false);
        }
    }
    crds
}

/// What a derived schema says and an API server should not be told. Unsigned integers: it knows none, and warns everybody
/// who applies a CRD that names them. Defaults inside a list: what the API server adds there, GitOps tools that replace
/// lists as a whole show as a difference for ever; whoever reads the object fills them in.
fn tidy(schema: &mut JSONSchemaProps, inside_list: bool) {
    if schema
        .format
        .as_deref()
        .is_some_and(|format| format.starts_with("uint"))
    {
        schema.format = Some("int64".to_owned());
    }
    if inside_list {
        schema.default = None;
    }
    let fields = schema.properties.iter_mut().flat_map(|all| all.values_mut());
    fields.for_each(|field| tidy(field, inside_list));
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => tidy(items, true),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(|item| tidy(item, true)),
        None => {}
    }
}
