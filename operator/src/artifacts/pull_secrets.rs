//! The Secrets that a workload's own pods pull with.

use serde_json::Value;

use crate::dossier::{Dossier, Pod, Source};

/// Secrets that are looked into for one workload.
const MOST: usize = 16;

/// The names of the Secrets, in the order of the pods: what a pod names, or else what its ServiceAccount does.
pub fn pull_secrets(dossier: &Dossier) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in dossier.pods.iter().flat_map(|pod| of_pod(dossier, pod)) {
        if names.len() < MOST && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn of_pod(dossier: &Dossier, pod: &Pod) -> Vec<String> {
    let named = pod.spec.get("imagePullSecrets").and_then(Value::as_array);
    let named = named.into_iter().flatten();
    let named: Vec<_> = named
        .filter_map(|one| Some(one.get("name")?.as_str()?.to_owned()))
        .filter(|name| !name.is_empty())
        .collect();
    match &dossier.related.service_accounts {
        Source::Complete(accounts) if named.is_empty() => accounts
            .items
            .iter()
            .filter(|account| account.name == pod.service_account())
            .flat_map(|account| account.image_pull_secrets.clone())
            .collect(),
        _ => named,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dossier::{Items, NamespaceFact, Related, ServiceAccountFact, Unavailable};

    #[test]
    fn a_pods_own_come_before_its_accounts() {
        let related = |_: &_, _: &[Pod]| Related {
            service_accounts: Source::Complete(Items {
                items: vec![ServiceAccountFact {
                    name: "builder".to_owned(),
                    exists: true,
                    automount_service_account_token: None,
                    image_pull_secrets: vec!["of-account".to_owned()],
                }],
            }),
            ..Related::unavailable(&Unavailable::needs_cluster("they"))
        };
        for (mut spec, want) in [
            (json!({"serviceAccountName": "builder"}), vec!["of-account"]),
            (json!({"serviceAccountName": "other"}), vec![]),
            (
                json!({"serviceAccountName": "builder", "imagePullSecrets": [{"name": "a"}, {}, {"name": "a"}, {"name": "b"}]}),
                vec!["a", "b"],
            ),
            (json!({"imagePullSecrets": "a"}), vec![]),
        ] {
            spec["containers"] = json!([{"name": "app", "image": "r.example/app:1"}]);
            let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
            let dossier = Dossier::build(&object, Source::Complete(NamespaceFact::default()), related).unwrap();
            assert_eq!(pull_secrets(&dossier), want, "{object}");
        }
    }
}
