//! All reads of a reconcile, from the watched objects. Only an owner that is not there yet is asked for.

use std::sync::Arc;

use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef};
use kube::api::DynamicObject;
use kube::{Api, ResourceExt as _};
use serde_json::Value;

use super::kinds::{Kind, Watched};
use super::source::{Source as Watch, State};
use super::{Context, evidence};
use crate::assign::{self, Assignment, Labels};
use crate::decide::Owner;
use crate::dossier::related::{self, Binding};
use crate::dossier::{Dossier, Items, NamespaceFact, Pod, Related, Source, SubjectFact, Unavailable};
use crate::drift::{self, Report};
use crate::subject::{GroupKind, SubjectKey};

/// What was found under a workload's name, before anything judged it.
pub enum Observation {
    /// It is governed.
    Governed {
        /// The workload.
        owner: Owner,
        /// Its track.
        track: Arc<interlock_crds::GovernanceTrack>,
        /// Everything known about it.
        dossier: Arc<Dossier>,
        /// What was found of its drift monitor, if the track asks for one.
        drift: Option<Report>,
    },
    /// Several tracks claim it.
    Conflict {
        /// The workload.
        owner: Owner,
        /// Their names.
        tracks: Vec<String>,
    },
    /// No track claims it.
    Ungoverned,
    /// Another governed workload controls it.
    Controlled {
        /// The topmost one.
        by: SubjectKey,
    },
    /// There is no such object.
    Absent,
    /// It cannot be looked at.
    Unavailable(Unavailable),
    /// Too early to tell; an event will follow.
    NotYet,
}

/// Looks at one workload.
pub async fn observe(context: &Context, key: &SubjectKey) -> Result<Observation, kube::Error> {
    let observation = look(context, key).await?;
    match &observation {
        Observation::Conflict { .. }
        | Observation::Ungoverned
        | Observation::Controlled { .. }
        | Observation::Absent => {
            context.evidence.forget(key);
            context.monitors.forget(key);
        }
        Observation::Governed { drift: None, .. } => context.monitors.forget(key),
        Observation::Governed { .. } | Observation::Unavailable(_) | Observation::NotYet => {}
    }
    Ok(observation)
}

async fn look(context: &Context, key: &SubjectKey) -> Result<Observation, kube::Error> {
    let sources = &context.sources;
    if let Some(why) = sources.blind() {
        return Ok(Observation::Unavailable(why));
    }
    let Some(kind) = sources.kinds.get(&key.kind) else {
        return Ok(Observation::Ungoverned);
    };
    if let Some(why) = kind.unavailable() {
        return Ok(Observation::Unavailable(why));
    }
    let Kind::Watched(watched) = kind.as_ref() else {
        return Ok(Observation::NotYet);
    };
    if watched.objects.state() == State::Syncing {
        return Ok(Observation::NotYet);
    }
    let Some(object) = watched.objects.get(&key.namespace, &key.name) else {
        return Ok(Observation::Absent);
    };
    let Some(namespace) = sources.namespaces.get("", &key.namespace) else {
        return Ok(Observation::NotYet);
    };
    let tracks = sources.tracks.all();
    let assign = |key: &SubjectKey, object: &DynamicObject| {
        assign::assign(
            tracks.iter().map(AsRef::as_ref),
            &key.kind,
            namespace.labels(),
            object.labels(),
        )
    };
    let owners = match owners(context, key, &object).await? {
        Ok(owners) => owners,
        Err(why) => return Ok(Observation::Unavailable(why)),
    };
    let top = owners
        .into_iter()
        .rev()
        .find(|(key, owner)| assign(key, owner) != Assignment::Ungoverned);
    if let Some((by, _)) = top {
        return Ok(Observation::Controlled { by });
    }
    let owner = Owner {
        api_version: watched.resource.api_version.clone(),
        uid: object.uid().unwrap_or_default(),
    };
    match assign(key, &object) {
        Assignment::Ungoverned => Ok(Observation::Ungoverned),
        Assignment::Conflict(tracks) => Ok(Observation::Conflict { owner, tracks }),
        Assignment::Governed(track) => {
            let track = tracks.iter().find(|one| one.name_any() == track.name_any()).cloned();
            let dossier = dossier(context, watched, &object, namespace.labels());
            let (Some(track), Some(dossier)) = (track, dossier) else {
                return Ok(Observation::NotYet);
            };
            // Both begin to be collected before either is waited for.
            let required = drift::required(&track, &key.kind);
            let drift = required.map(|monitor| context.monitors.known(key, &track, monitor, || told(context, key)));
            let dossier = evidence::attach(context, key, &track, dossier).await;
            let (Some(mut dossier), None | Some(Some(_))) = (dossier, &drift) else {
                return Ok(Observation::NotYet);
            };
            let drift = drift.flatten();
            if let Some(report) = &drift {
                dossier.drift_monitor = report.monitor.clone();
            }
            Ok(Observation::Governed {
                owner,
                track,
                dossier: Arc::new(dossier),
                drift,
            })
        }
    }
}

/// What the workload's Release says of its drift monitor: where the operator goes on after a restart.
fn told(context: &Context, key: &SubjectKey) -> Option<Report> {
    let releases = context.sources.releases_of(key);
    let mut statuses = releases.iter().filter_map(|release| release.status.as_ref());
    statuses.find_map(Report::stored)
}

/// Owners by name, the nearest first.
type Owners = Vec<(SubjectKey, Arc<DynamicObject>)>;

/// Owners above this many are not followed; nothing real nests deeper.
const LONGEST_CHAIN: usize = 10;

/// The owners reached through `controller: true` references of matching UID whose kinds tracks name, the nearest first.
async fn owners(
    context: &Context,
    key: &SubjectKey,
    object: &Arc<DynamicObject>,
) -> Result<Result<Owners, Unavailable>, kube::Error> {
    let mut owners = Vec::new();
    let mut object = Arc::clone(object);
    while owners.len() < LONGEST_CHAIN {
        let Some(reference) = object
            .owner_references()
            .iter()
            .find(|owner| owner.controller == Some(true))
            .cloned()
        else {
            break;
        };
        let owner = SubjectKey {
            kind: GroupKind::of(&reference.api_version, &reference.kind),
            namespace: key.namespace.clone(),
            name: reference.name.clone(),
        };
        let Some(kind) = context.sources.kinds.get(&owner.kind) else {
            break;
        };
        if let Some(why) = kind.unavailable() {
            return Ok(Err(why));
        }
        let Kind::Watched(watched) = kind.as_ref() else { break };
        let is_meant = |found: &Arc<DynamicObject>| found.metadata.uid.as_ref() == Some(&reference.uid);
        let found = match watched.objects.get(&owner.namespace, &owner.name).filter(is_meant) {
            Some(found) => Some(found),
            // Watches of two kinds are not in step: ask before believing that the reference is stale or forged.
            None => match ask(context, watched, &owner).await {
                Err(kube::Error::Api(status)) if status.code == 403 => return Ok(Err(may_not_get(watched))),
                answer => answer?,
            },
        };
        let Some(found) = found.filter(is_meant) else { break };
        owners.push((owner, Arc::clone(&found)));
        object = found;
    }
    Ok(Ok(owners))
}

fn may_not_get(watched: &Watched) -> Unavailable {
    Unavailable {
        reason: "Forbidden".to_owned(),
        message: format!(
            "the operator may not get {}: grant its service account this verb",
            watched.resource.plural
        ),
    }
}

async fn ask(
    context: &Context,
    watched: &Watched,
    owner: &SubjectKey,
) -> Result<Option<Arc<DynamicObject>>, kube::Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &owner.namespace, &watched.resource);
    Ok(api.get_opt(&owner.name).await?.map(Arc::new))
}

fn dossier(context: &Context, watched: &Watched, object: &DynamicObject, namespace: &Labels) -> Option<Dossier> {
    let mut value = serde_json::to_value(object).ok()?;
    // Objects of a list carry neither.
    let map = value.as_object_mut()?;
    map.insert(
        "apiVersion".to_owned(),
        Value::String(watched.resource.api_version.clone()),
    );
    map.insert("kind".to_owned(), Value::String(watched.resource.kind.clone()));
    let namespace = Source::Complete(NamespaceFact {
        labels: namespace.clone(),
    });
    let related = |subject: &SubjectFact, pods: &[Pod]| related_to(context, &subject.namespace, pods);
    Dossier::build(&value, namespace, related).ok()
}

/// What concerns `pods` in `namespace`.
fn related_to(context: &Context, namespace: &str, pods: &[Pod]) -> Related {
    let sources = &context.sources;
    Related {
        network_policies: known(&[sources.network_policies.state()], || {
            let policies = sources.network_policies.within(namespace);
            related::network_policies(policies.iter().map(AsRef::as_ref), pods)
        }),
        service_accounts: known(&[sources.service_accounts.state()], || {
            related::service_accounts(|name| sources.service_accounts.get(namespace, name), pods)
        }),
        permissions: known(
            &[
                sources.role_bindings.state(),
                sources.cluster_role_bindings.state(),
                sources.roles.state(),
                sources.cluster_roles.state(),
            ],
            || {
                let local = sources.role_bindings.within(namespace);
                let global = sources.cluster_role_bindings.all();
                let local = local.iter().map(|one| Binding {
                    kind: "RoleBinding",
                    name: one.metadata.name.as_deref().unwrap_or_default(),
                    subjects: one.subjects.as_deref().unwrap_or_default(),
                    role: &one.role_ref,
                });
                let global = global.iter().map(|one| Binding {
                    kind: "ClusterRoleBinding",
                    name: one.metadata.name.as_deref().unwrap_or_default(),
                    subjects: one.subjects.as_deref().unwrap_or_default(),
                    role: &one.role_ref,
                });
                let rules = |role: &RoleRef| rules(&sources.roles, &sources.cluster_roles, namespace, role);
                related::permissions(namespace, pods, local.chain(global), rules)
            },
        ),
    }
}

fn rules(
    roles: &Watch<k8s_openapi::api::rbac::v1::Role>,
    cluster_roles: &Watch<k8s_openapi::api::rbac::v1::ClusterRole>,
    namespace: &str,
    role: &RoleRef,
) -> Vec<PolicyRule> {
    let found = match role.kind.as_str() {
        "Role" => roles.get(namespace, &role.name).and_then(|role| role.rules.clone()),
        _ => cluster_roles.get("", &role.name).and_then(|role| role.rules.clone()),
    };
    found.unwrap_or_default()
}

/// The facts, if every watch they rest on is complete.
fn known<T>(states: &[State], facts: impl FnOnce() -> Items<T>) -> Source<Items<T>> {
    for state in states {
        match state {
            State::Complete => {}
            State::Unavailable(why) => return Source::Unavailable(why.clone()),
            State::Syncing => {
                return Source::Unavailable(Unavailable {
                    reason: "NotYetListed".to_owned(),
                    message: "the API server has not answered yet".to_owned(),
                });
            }
        }
    }
    Source::Complete(facts())
}
