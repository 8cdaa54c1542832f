//! The dossier of a live workload, gathered a second time: from lists of the API server instead of the operator's
//! watches, put together by the library's own pure steps. Its digest tells whether the operator saw the same.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use interlock::dossier::related::{self, Binding};
use interlock::dossier::{Dossier, NamespaceFact, Pod, Related, Source, SubjectFact};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding, RoleRef};
use kube::api::{DynamicObject, ListParams, TypeMeta};
use kube::{Api, Client, ResourceExt as _};
use serde::de::DeserializeOwned;

use crate::apply::api_for;

/// The dossier of the workload `name` of this kind, as it is now.
pub async fn dossier(client: &Client, namespace: &str, api_version: &str, kind: &str, name: &str) -> Result<Dossier> {
    let types = TypeMeta {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
    };
    let wanted = DynamicObject {
        types: Some(types),
        metadata: kube::api::ObjectMeta::default(),
        data: serde_json::Value::Null,
    };
    let object = api_for(client, namespace, &wanted).await?.get(name).await?;
    let labels = Api::<Namespace>::all(client.clone())
        .get(namespace)
        .await?
        .labels()
        .clone();
    let cluster = Cluster::list(client, namespace).await?;
    let related = |subject: &SubjectFact, pods: &[Pod]| cluster.related(&subject.namespace, pods);
    let object = serde_json::to_value(object)?;
    Dossier::build(&object, Source::Complete(NamespaceFact { labels }), related).context("the object has a name")
}

/// What a dossier may refer to.
struct Cluster {
    policies: Vec<NetworkPolicy>,
    accounts: Vec<ServiceAccount>,
    roles: Vec<Role>,
    role_bindings: Vec<RoleBinding>,
    cluster_roles: Vec<ClusterRole>,
    cluster_role_bindings: Vec<ClusterRoleBinding>,
}

impl Cluster {
    async fn list(client: &Client, namespace: &str) -> Result<Self> {
        Ok(Self {
            policies: all(Api::namespaced(client.clone(), namespace)).await?,
            accounts: all(Api::namespaced(client.clone(), namespace)).await?,
            roles: all(Api::namespaced(client.clone(), namespace)).await?,
            role_bindings: all(Api::namespaced(client.clone(), namespace)).await?,
            cluster_roles: all(Api::all(client.clone())).await?,
            cluster_role_bindings: all(Api::all(client.clone())).await?,
        })
    }

    fn related(&self, namespace: &str, pods: &[Pod]) -> Related {
        let account = |name: &str| {
            self.accounts
                .iter()
                .find(|one| one.name_any() == name)
                .cloned()
                .map(Arc::new)
        };
        let local = self.role_bindings.iter().map(|one| Binding {
            kind: "RoleBinding",
            name: one.metadata.name.as_deref().unwrap_or_default(),
            subjects: one.subjects.as_deref().unwrap_or_default(),
            role: &one.role_ref,
        });
        let global = self.cluster_role_bindings.iter().map(|one| Binding {
            kind: "ClusterRoleBinding",
            name: one.metadata.name.as_deref().unwrap_or_default(),
            subjects: one.subjects.as_deref().unwrap_or_default(),
            role: &one.role_ref,
        });
        let rules = |role: &RoleRef| {
            let local = self
                .roles
                .iter()
                .find(|one| role.kind == "Role" && one.name_any() == role.name);
            let global = self
                .cluster_roles
                .iter()
                .find(|one| role.kind != "Role" && one.name_any() == role.name);
            let local = local.and_then(|one| one.rules.clone());
            local
                .or_else(|| global.and_then(|one| one.rules.clone()))
                .unwrap_or_default()
        };
        Related {
            network_policies: Source::Complete(related::network_policies(self.policies.iter(), pods)),
            service_accounts: Source::Complete(related::service_accounts(account, pods)),
            permissions: Source::Complete(related::permissions(namespace, pods, local.chain(global), rules)),
        }
    }
}

async fn all<K: Clone + DeserializeOwned + std::fmt::Debug>(api: Api<K>) -> Result<Vec<K>> {
    Ok(api.list(&ListParams::default()).await?.items)
}
