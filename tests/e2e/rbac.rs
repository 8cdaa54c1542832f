//! None of the rights that the chart grants is too much: each verb on each resource is taken away once, and the operator
//! says, in its log or in a status, that it misses exactly this one. What the API server refuses names user, verb,
//! resource and group, so several can be taken away at once and each is still seen by itself. The passes are by verb,
//! since an operator that may not list does not come to watch.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use interlock_crds::{PolicyBundle, Release};
use interlock_tests::Platform;
use interlock_tests::apply::{apply_value, documents};
use interlock_tests::chart;
use interlock_tests::env::install;
use interlock_tests::eventually::{eventually, object_goes};
use interlock_tests::platform::{NAMESPACE, SOON};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::discovery::Discovery;
use serde_json::{Value, json};

use crate::main_job::good;
use crate::scene::{bring_baseline, declared, idle, ready_of, track, track_becomes};

/// One verb on one resource, granted by one role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    /// `ClusterRole interlock`.
    role: String,
    group: String,
    /// With its subresource: `releases/status`.
    resource: String,
    /// The only object of the resource that is meant; empty for all.
    name: String,
    verb: String,
}

/// The roles that the operator's service account is bound to, as the chart renders them.
struct Roles(Vec<Value>);

impl Roles {
    async fn rendered() -> Result<Self> {
        let mut roles = documents(chart::rbac(NAMESPACE).await?)?;
        roles.retain(|role| {
            role["rules"].is_array()
                && ["interlock", "interlock-common-kinds"]
                    .map(Value::from)
                    .contains(&role["metadata"]["name"])
        });
        ensure!(roles.len() == 3, "two ClusterRoles and a Role: {roles:?}");
        Ok(Self(roles))
    }

    fn rights(&self) -> BTreeSet<Right> {
        self.0
            .iter()
            .flat_map(|role| rules(role).flat_map(|rule| rights(&named(role), rule)))
            .collect()
    }

    /// The roles with every right taken away that `lost` names; those without a loss are left out.
    fn without(&self, lost: &BTreeSet<Right>) -> Vec<Value> {
        let mut changed = Vec::new();
        for role in &self.0 {
            let name = named(role);
            let mut kept = Vec::new();
            for right in rules(role)
                .flat_map(|rule| rights(&name, rule))
                .filter(|right| !lost.contains(right))
            {
                let mut rule =
                    json!({"apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb]});
                if !right.name.is_empty() {
                    rule["resourceNames"] = json!([right.name]);
                }
                kept.push(rule);
            }
            if lost.iter().any(|right| right.role == name) {
                let mut role = role.clone();
                role["rules"] = Value::Array(kept);
                changed.push(role);
            }
        }
        changed
    }
}

fn named(role: &Value) -> String {
    format!("{} {}", text(&role["kind"]), text(&role["metadata"]["name"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn rules(role: &Value) -> impl Iterator<Item = &Value> {
    role["rules"].as_array().into_iter().flatten()
}

fn rights(of: &str, rule: &Value) -> Vec<Right> {
    let list = |field: &str| -> Vec<String> {
        let values = rule[field].as_array().into_iter().flatten();
        values.map(|value| text(value).to_owned()).collect()
    };
    let names = match list("resourceNames") {
        names if names.is_empty() => vec![String::new()],
        names => names,
    };
    let mut all = Vec::new();
    for group in list("apiGroups") {
        for resource in list("resources") {
            for name in &names {
                all.extend(list("verbs").into_iter().map(|verb| Right {
                    role: of.to_owned(),
                    group: group.clone(),
                    resource: resource.clone(),
                    name: name.clone(),
                    verb,
                }));
            }
        }
    }
    all
}

/// A platform whose operator loses rights.
struct Trial {
    platform: Platform,
    roles: Roles,
    namespace: String,
    /// What was missed so far.
    missed: BTreeSet<Right>,
}

impl Trial {
    /// Takes away the rights that `picked` picks, does `provoke`, and waits until each is missed by name; then gives
    /// them back.
    async fn take(
        &mut self,
        picked: impl Fn(&Right) -> bool,
        provoke: impl AsyncFnOnce(&mut Platform, &str) -> Result<()>,
    ) -> Result<()> {
        let lost: BTreeSet<Right> = self.roles.rights().into_iter().filter(picked).collect();
        ensure!(!lost.is_empty(), "nothing to take away");
        for role in self.roles.without(&lost) {
            apply_value(&self.platform.client, NAMESPACE, role).await?;
        }
        self.allowed(&lost, false).await?;
        let before = self.platform.operator.log().len();
        provoke(&mut self.platform, &self.namespace).await?;
        let mut silent: Vec<&Right> = Vec::new();
        let waited = eventually("each right is missed by name", SOON, async || {
            let said = self.said(before).await?;
            silent = lost.iter().filter(|right| !is_missed(right, &said)).collect();
            Ok(silent.is_empty().then_some(()))
        })
        .await;
        if let Err(error) = waited {
            bail!(
                "{error}: nothing was said about {silent:#?}\n{}",
                self.platform.log_tail(40)
            );
        }
        for role in &self.roles.0 {
            apply_value(&self.platform.client, NAMESPACE, role.clone()).await?;
        }
        self.allowed(&lost, true).await?;
        self.missed.extend(lost);
        Ok(())
    }

    /// All that the operator says: its log from a point on, and every status.
    async fn said(&self, from: usize) -> Result<String> {
        let client = &self.platform.client;
        let mut said = self.platform.operator.log().get(from..).unwrap_or_default().to_owned();
        let params = ListParams::default();
        said.push_str(&serde_json::to_string(
            &Api::<Release>::all(client.clone()).list(&params).await?,
        )?);
        said.push_str(&serde_json::to_string(
            &Api::<PolicyBundle>::all(client.clone()).list(&params).await?,
        )?);
        Ok(said.replace('\\', ""))
    }

    /// Waits until the API server decides as the roles now say.
    async fn allowed(&self, rights: &BTreeSet<Right>, wanted: bool) -> Result<()> {
        let reviews: Api<SubjectAccessReview> = Api::all(self.platform.client.clone());
        for right in rights {
            let (resource, subresource) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
            let some = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
            let review = SubjectAccessReview {
                spec: SubjectAccessReviewSpec {
                    user: Some(format!("system:serviceaccount:{NAMESPACE}:{}", chart::RELEASE)),
                    resource_attributes: Some(ResourceAttributes {
                        group: some(&right.group),
                        resource: some(resource),
                        subresource: some(subresource),
                        name: some(&right.name),
                        verb: some(&right.verb),
                        namespace: Some(NAMESPACE.to_owned()).filter(|_| right.role.starts_with("Role ")),
                        ..ResourceAttributes::default()
                    }),
                    ..SubjectAccessReviewSpec::default()
                },
                ..SubjectAccessReview::default()
            };
            eventually(&format!("{right:?} is granted: {wanted}"), SOON, async || {
                let answer = reviews.create(&PostParams::default(), &review).await?;
                Ok(answer
                    .status
                    .is_some_and(|status| status.allowed == wanted)
                    .then_some(()))
            })
            .await?;
        }
        Ok(())
    }
}

/// The API server's words, or the operator's where it says it better.
fn is_missed(right: &Right, said: &str) -> bool {
    let Right {
        group,
        resource,
        name,
        verb,
        ..
    } = right;
    let refusal = format!("cannot {verb} resource \"{resource}\" in API group \"{group}\"");
    if !name.is_empty() {
        // Of several objects, the one that is meant: `secrets "puller" is forbidden: User "…" cannot get …`.
        let qualified = format!("{resource}.{group}");
        let object = format!("{} \"{name}\"", qualified.trim_end_matches('.'));
        let user = format!("system:serviceaccount:{NAMESPACE}:{}", chart::RELEASE);
        return said.contains(&format!("{object} is forbidden: User \"{user}\" {refusal}"));
    }
    said.contains(&refusal) || said.contains(&format!("the operator may not {verb} {resource}:"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_right_is_missed_by_name_when_it_is_taken_away() -> Result<()> {
    let platform = Platform::start().await?;
    let roles = Roles::rendered().await?;
    let namespace = platform.namespace("rights").await?;
    bring_baseline(&platform).await?;
    let kinds = kinds(&platform, &roles).await?;
    let main = track("rights", &namespace, 10, &json!(kinds).to_string(), "");
    platform.apply(&namespace, &main).await?;
    track_becomes(&platform, "rights", "Governing", |track| {
        ready_of(track).0 == "Governing"
    })
    .await?;
    let mut trial = Trial {
        platform,
        roles,
        namespace,
        missed: BTreeSet::new(),
    };
    writes(&mut trial).await?;
    own_namespace(&mut trial).await?;
    owners(&mut trial, &kinds).await?;
    for verb in ["list", "watch"] {
        for role in [
            "ClusterRole interlock-common-kinds",
            "ClusterRole interlock",
            "Role interlock",
        ] {
            trial
                .take(|right| right.verb == verb && right.role == role, restart)
                .await?;
        }
    }
    let never: Vec<_> = trial.roles.rights().difference(&trial.missed).cloned().collect();
    ensure!(never.is_empty(), "rights that nothing here has missed: {never:#?}");
    println!("all {} rights of the operator are needed", trial.missed.len());
    a_right_that_is_missing_for_a_moment_turns_no_verdict(&mut trial).await
}

/// So it is after the API server started: it answers before it knows any role.
async fn a_right_that_is_missing_for_a_moment_turns_no_verdict(trial: &mut Trial) -> Result<()> {
    restart(&mut trial.platform, "").await?;
    let settled = async |trial: &mut Trial, name: &str| {
        trial.platform.operator.ready().await?;
        trial.platform.apply(&trial.namespace, &idle(name)).await?;
        let release = format!("deployment-{name}");
        trial
            .platform
            .release_says(&trial.namespace, &release, "Deny", "GateDenied")
            .await?;
        trial
            .platform
            .releases(&trial.namespace)
            .get("deployment-turning")
            .await
            .map(|release| release.metadata.resource_version)
            .context("the Release of a workload that was judged before")
    };
    let before = settled(trial, "before").await?;
    // Watches end with the API server. The right comes back as soon as the operator has said that it is missing.
    let starts_again = async |platform: &mut Platform, _: &str| {
        platform.control_plane.stop_api_server()?;
        platform.control_plane.start_api_server().await
    };
    let watches = |right: &Right| right.resource == "networkpolicies" && right.verb == "watch";
    trial.take(watches, starts_again).await?;
    let after = settled(trial, "after").await?;
    ensure!(before == after, "the verdict was written again: {before:?}, {after:?}");
    ensure!(
        trial
            .platform
            .operator
            .log()
            .contains("cannot watch, will be tried again")
    );
    Ok(())
}

/// Kills the operator and starts it again: a watch that runs is not ended by a right taken away.
async fn restart(platform: &mut Platform, _: &str) -> Result<()> {
    platform.operator.start_again()
}

/// Every kind that the chart lets the operator see, as tracks name them. Those that this cluster lacks are invented.
async fn kinds(platform: &Platform, roles: &Roles) -> Result<Vec<Value>> {
    let all: BTreeSet<(String, String)> = roles
        .rights()
        .into_iter()
        .filter(|right| right.role == "ClusterRole interlock-common-kinds")
        .map(|right| (right.group, right.resource))
        .collect();
    let found = Discovery::new(platform.client.clone()).run_aggregated().await?;
    let kind_of = |group: &str, plural: &str| {
        let mut resources = found.get(group)?.recommended_resources().into_iter();
        resources.find(|(one, _)| one.plural == plural).map(|(one, _)| one.kind)
    };
    let mut kinds = Vec::new();
    let mut invented = Vec::new();
    for (group, plural) in all {
        let kind = kind_of(&group, &plural).unwrap_or_else(|| {
            let kind = format!("Story{plural}");
            invented.push(json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": format!("{plural}.{group}"), "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
                "spec": {
                    "group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
                    "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}],
                },
            }));
            kind
        });
        kinds.push(json!({"group": group, "kind": kind}));
    }
    install(&platform.client, serde_json::from_value(Value::Array(invented))?).await?;
    Ok(kinds)
}

/// What the operator writes, right by right.
async fn writes(trial: &mut Trial) -> Result<()> {
    let on = |resource: &'static str, verb: &'static str| {
        move |right: &Right| right.resource == resource && right.verb == verb
    };
    for verb in ["create", "patch"] {
        let appears = async |platform: &mut Platform, namespace: &str| {
            platform.apply(namespace, &idle(&format!("new-{verb}"))).await?;
            Ok(())
        };
        trial.take(on("releases", verb), appears).await?;
    }
    let superseded = async |platform: &mut Platform, namespace: &str| {
        platform.apply(namespace, &idle("superseded")).await?;
        platform
            .release_says(namespace, "deployment-superseded", "Deny", "GateDenied")
            .await?;
        platform.apply(namespace, &declared("declared", "superseded")).await?;
        Ok(())
    };
    trial.take(on("releases", "delete"), superseded).await?;
    let everything = async |platform: &mut Platform, namespace: &str| {
        platform.apply(namespace, &idle("status")).await?;
        platform.signer("status", &platform.key).await?;
        let root = "apiVersion: interlock.dev/v1alpha1\nkind: TrustRoot\nmetadata: {name: status}\nspec:\n  digest: \
            sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n  inline: \"{}\"\n";
        platform.apply(namespace, root).await?;
        let host = platform.registry.host().to_owned();
        platform
            .bundle("status", &host, "policies/baseline", "stable", "baseline")
            .await?;
        platform
            .apply(namespace, &track("status", "nowhere", 1, crate::scene::DEPLOYMENTS, ""))
            .await?;
        Ok(())
    };
    trial
        .take(|right| right.resource.ends_with("/status"), everything)
        .await?;
    trial.take(on("events", "create"), turns_to_denied).await?;
    // The event of the first denial is there now; the same again is counted on it.
    turns_to_denied(&mut trial.platform, &trial.namespace.clone()).await?;
    trial.take(on("events", "patch"), turns_to_denied).await
}

/// A workload that was allowed is denied.
async fn turns_to_denied(platform: &mut Platform, namespace: &str) -> Result<()> {
    platform.apply(namespace, &good("turning")).await?;
    platform
        .release_says(namespace, "deployment-turning", "Allow", "Allowed")
        .await?;
    let pinned = format!("@sha256:{}", "a".repeat(64));
    platform
        .apply(namespace, &good("turning").replace(&pinned, ":latest"))
        .await?;
    platform
        .release_says(namespace, "deployment-turning", "Deny", "GateDenied")
        .await?;
    Ok(())
}

/// The Lease, and the Secrets as pull secrets.
async fn own_namespace(trial: &mut Trial) -> Result<()> {
    let host = trial.platform.registry.host().to_owned();
    // Each of the Secrets that the chart was told is asked for, and so missed, by itself.
    let secrets: Vec<String> = trial
        .roles
        .rights()
        .into_iter()
        .filter(|right| right.resource == "secrets")
        .map(|right| right.name)
        .collect();
    let asks = async |platform: &mut Platform, _: &str| {
        for secret in secrets {
            let name = format!("behind-{secret}");
            let bundle = format!(
                "apiVersion: interlock.dev/v1alpha1\nkind: PolicyBundle\nmetadata: {{name: {name}}}\nspec:\n  \
                 url: oci://{host}/policies/baseline\n  ref: {{tag: stable}}\n  bundle: baseline\n  pullSecret: {{name: {secret}}}\n  \
                 signedBy: {{signers: [platform]}}\n"
            );
            platform.apply(NAMESPACE, &bundle).await?;
            let bundle = platform.bundle_says(&name, "PullSecretUnreadable").await?;
            let said = serde_json::to_string(&bundle.status)?;
            ensure!(said.contains("name it in the chart's value secretNames"), "{said}");
        }
        Ok(())
    };
    trial.take(|right| right.resource == "secrets", asks).await?;
    for verb in ["get", "patch", "create"] {
        let claims = async |platform: &mut Platform, _: &str| {
            if verb == "create" {
                platform.operator.kill()?;
                let leases: Api<Lease> = Api::namespaced(platform.client.clone(), NAMESPACE);
                leases.delete("interlock", &DeleteParams::default()).await?;
                object_goes(&leases, "interlock", SOON).await?;
            }
            platform.operator.start_again()
        };
        trial
            .take(|right| right.resource == "leases" && right.verb == verb, claims)
            .await?;
    }
    trial.platform.operator.ready().await
}

/// An owner that is not seen yet is asked for. Here it never comes; finalizers keep what it is said to own from the
/// garbage collector.
async fn owners(trial: &mut Trial, kinds: &[Value]) -> Result<()> {
    let found = Discovery::new(trial.platform.client.clone()).run_aggregated().await?;
    let mut owned = Vec::new();
    for (number, kind) in kinds.iter().enumerate() {
        let group = found.get(text(&kind["group"])).context("a group of a kind")?;
        let (resource, _) = group.recommended_kind(text(&kind["kind"])).context("a kind")?;
        owned.push(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": format!("owned-{number}"), "finalizers": ["story.dev/kept"],
                "ownerReferences": [{
                    "apiVersion": resource.api_version, "kind": resource.kind, "name": "ghost", "controller": true,
                    "uid": format!("00000000-0000-0000-0000-{number:012}"),
                }],
            },
            "spec": {
                "replicas": 0, "selector": {"matchLabels": {"app": "owned"}},
                "template": {"metadata": {"labels": {"app": "owned"}}, "spec": {"containers": [{"name": "app", "image": "app"}]}},
            },
        }));
    }
    let appear = async |platform: &mut Platform, namespace: &str| {
        for deployment in owned {
            let name = text(&deployment["metadata"]["name"]).to_owned();
            // Stated by hand: one that the operator makes would be collected with its workload.
            platform.apply(namespace, &declared(&name, &name)).await?;
            apply_value(&platform.client, namespace, deployment).await?;
        }
        Ok(())
    };
    let gets = |right: &Right| right.verb == "get" && right.role == "ClusterRole interlock-common-kinds";
    trial.take(gets, appear).await
}
