//! Picks the objects that concern a workload out of all that a namespace and the cluster hold.
//!
//! Only facts are picked here: which policies select a pod, which account it runs as, what that account may do.
//! Whether that is good is for the bundles to say.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Items, Pod, Source, Unavailable};

/// Objects that concern a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Related {
    /// NetworkPolicies of the namespace that select one of the pods.
    pub network_policies: Source<Items<NetworkPolicyFact>>,
    /// The service accounts that the pods run as.
    pub service_accounts: Source<Items<ServiceAccountFact>>,
    /// What those accounts may do, by binding.
    pub permissions: Source<Items<PermissionFact>>,
}

impl Related {
    /// No source could be asked.
    pub fn unavailable(why: &Unavailable) -> Self {
        Self {
            network_policies: Source::Unavailable(why.clone()),
            service_accounts: Source::Unavailable(why.clone()),
            permissions: Source::Unavailable(why.clone()),
        }
    }
}

/// A NetworkPolicy that selects one of the pods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicyFact {
    /// Its name.
    pub name: String,
    /// Paths of the pods that it selects.
    pub selects: Vec<String>,
    /// `Ingress`, `Egress`, as the API server defaults them.
    pub policy_types: Vec<String>,
    /// Its ingress rules, as written.
    pub ingress: Value,
    /// Its egress rules, as written.
    pub egress: Value,
}

/// A service account that a pod runs as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountFact {
    /// Its name.
    pub name: String,
    /// Whether it exists.
    pub exists: bool,
    /// Whether its token is mounted unless the pod says otherwise; absent if the account does not say.
    pub automount_service_account_token: Option<bool>,
    /// The Secrets that its pods pull images with unless they name some; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<String>,
}

/// One binding that gives a service account something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionFact {
    /// The account.
    pub service_account: String,
    /// The RoleBinding or ClusterRoleBinding.
    pub binding: NamedKind,
    /// The Role or ClusterRole it refers to.
    pub role: NamedKind,
    /// The rules of that role, as written; empty if the role does not exist.
    pub rules: Value,
}

/// A kind and a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct NamedKind {
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
}

/// The NetworkPolicies among `policies` that select one of `pods`.
pub fn network_policies<'a>(
    policies: impl Iterator<Item = &'a NetworkPolicy>,
    pods: &[Pod],
) -> Items<NetworkPolicyFact> {
    let mut items: Vec<_> = policies
        .filter_map(|policy| {
            let spec = policy.spec.as_ref()?;
            let selects: Vec<_> = pods
                .iter()
                .filter(|pod| {
                    spec.pod_selector
                        .as_ref()
                        .is_none_or(|selector| selects(selector, &pod.labels))
                })
                .map(|pod| pod.path.clone())
                .collect();
            (!selects.is_empty()).then(|| NetworkPolicyFact {
                name: policy.metadata.name.clone().unwrap_or_default(),
                selects,
                policy_types: policy_types(spec.policy_types.as_deref(), spec.egress.is_some()),
                ingress: serde_json::to_value(&spec.ingress).unwrap_or_default(),
                egress: serde_json::to_value(&spec.egress).unwrap_or_default(),
            })
        })
        .collect();
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Items { items }
}

/// The API server's defaults: Ingress always, Egress if there are egress rules.
fn policy_types(given: Option<&[String]>, has_egress: bool) -> Vec<String> {
    match given {
        Some(types) if !types.is_empty() => types.to_vec(),
        _ if has_egress => vec!["Ingress".to_owned(), "Egress".to_owned()],
        _ => vec!["Ingress".to_owned()],
    }
}

/// Whether `selector` holds for `labels`, by the rules of the API (an empty selector holds for all).
pub fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let equal = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    equal
        && selector
            .match_expressions
            .iter()
            .flatten()
            .all(|requirement| holds(requirement, labels))
}

fn holds(requirement: &LabelSelectorRequirement, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(&requirement.key);
    let among = |value: &String| requirement.values.iter().flatten().any(|one| one == value);
    match requirement.operator.as_str() {
        "In" => value.is_some_and(among),
        "NotIn" => !value.is_some_and(among),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

/// The service accounts that `pods` run as.
pub fn service_accounts(
    find: impl Fn(&str) -> Option<std::sync::Arc<ServiceAccount>>,
    pods: &[Pod],
) -> Items<ServiceAccountFact> {
    let items = account_names(pods)
        .into_iter()
        .map(|name| {
            let account = find(name);
            let account = account.as_deref();
            let secrets = account.and_then(|account| account.image_pull_secrets.as_ref());
            let secrets = secrets.into_iter().flatten().map(|secret| secret.name.clone());
            ServiceAccountFact {
                name: name.to_owned(),
                exists: account.is_some(),
                automount_service_account_token: account.and_then(|account| account.automount_service_account_token),
                image_pull_secrets: secrets.collect(),
            }
        })
        .collect();
    Items { items }
}

fn account_names(pods: &[Pod]) -> BTreeSet<&str> {
    pods.iter().map(Pod::service_account).collect()
}

/// A binding of either kind, as far as permissions need it.
pub struct Binding<'a> {
    /// `RoleBinding` or `ClusterRoleBinding`.
    pub kind: &'static str,
    /// Its name.
    pub name: &'a str,
    /// Whom it binds.
    pub subjects: &'a [Subject],
    /// What it gives.
    pub role: &'a RoleRef,
}

/// What the accounts of `pods` in `namespace` may do through `bindings`.
pub fn permissions<'a>(
    namespace: &str,
    pods: &[Pod],
    bindings: impl Iterator<Item = Binding<'a>>,
    rules: impl Fn(&RoleRef) -> Vec<PolicyRule>,
) -> Items<PermissionFact> {
    let accounts = account_names(pods);
    let mut items = Vec::new();
    for binding in bindings {
        for account in accounts
            .iter()
            .filter(|account| binds(binding.subjects, namespace, account))
        {
            items.push(PermissionFact {
                service_account: (*account).to_owned(),
                binding: NamedKind {
                    kind: binding.kind.to_owned(),
                    name: binding.name.to_owned(),
                },
                role: NamedKind {
                    kind: binding.role.kind.clone(),
                    name: binding.role.name.clone(),
                },
                rules: serde_json::to_value(rules(binding.role)).unwrap_or_default(),
            });
        }
    }
    items.sort_by(|a, b| (&a.service_account, &a.binding).cmp(&(&b.service_account, &b.binding)));
    Items { items }
}

/// Whether one of `subjects` is the account, or a group that every account of the namespace is in.
fn binds(subjects: &[Subject], namespace: &str, account: &str) -> bool {
    let user = format!("system:serviceaccount:{namespace}:{account}");
    let group = format!("system:serviceaccounts:{namespace}");
    subjects.iter().any(|subject| match subject.kind.as_str() {
        "ServiceAccount" => subject.name == account && subject.namespace.as_deref() == Some(namespace),
        "User" => subject.name == user,
        "Group" => {
            subject.name == group || matches!(subject.name.as_str(), "system:serviceaccounts" | "system:authenticated")
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(labels: &[(&str, &str)], account: &str) -> Pod {
        Pod {
            path: "spec.template".into(),
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            annotations: BTreeMap::new(),
            completed_by: None,
            spec: json!({"serviceAccountName": account}),
        }
    }

    #[test]
    fn selectors_follow_the_api() {
        let labels = BTreeMap::from([("app".to_owned(), "cart".to_owned())]);
        let table = [
            (json!({}), true),
            (json!({"matchLabels": {"app": "cart"}}), true),
            (json!({"matchLabels": {"app": "x"}}), false),
            (
                json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["cart"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "app", "operator": "Like", "values": ["cart"]}]}),
                false,
            ),
        ];
        for (selector, want) in table {
            let parsed: LabelSelector = serde_json::from_value(selector.clone()).unwrap();
            assert_eq!(selects(&parsed, &labels), want, "{selector}");
        }
    }

    #[test]
    fn only_policies_that_select_a_pod_are_facts() {
        let policies: Vec<NetworkPolicy> = serde_json::from_value(json!([
            {"metadata": {"name": "b"}, "spec": {"podSelector": {}}},
            {"metadata": {"name": "a"}, "spec": {"podSelector": {"matchLabels": {"app": "cart"}}, "egress": []}},
            {"metadata": {"name": "c"}, "spec": {"podSelector": {"matchLabels": {"app": "other"}}}},
        ]))
        .unwrap();
        let facts = network_policies(policies.iter(), &[pod(&[("app", "cart")], "x")]).items;
        let names: Vec<_> = facts.iter().map(|f| (f.name.as_str(), f.policy_types.len())).collect();
        assert_eq!(names, [("a", 2), ("b", 1)]);
    }

    #[test]
    fn groups_of_service_accounts_bind_too() {
        let table = [
            (
                json!({"kind": "ServiceAccount", "name": "cart", "namespace": "shop"}),
                true,
            ),
            (
                json!({"kind": "ServiceAccount", "name": "cart", "namespace": "other"}),
                false,
            ),
            (json!({"kind": "User", "name": "system:serviceaccount:shop:cart"}), true),
            (json!({"kind": "Group", "name": "system:serviceaccounts:shop"}), true),
            (json!({"kind": "Group", "name": "system:serviceaccounts"}), true),
            (json!({"kind": "Group", "name": "developers"}), false),
        ];
        for (subject, want) in table {
            let subject: Subject = serde_json::from_value(subject).unwrap();
            assert_eq!(
                binds(std::slice::from_ref(&subject), "shop", "cart"),
                want,
                "{subject:?}"
            );
        }
    }
}
