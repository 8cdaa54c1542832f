//! The kinds that tracks name: found through API discovery, watched while a track names them.
//!
//! A kind that the cluster does not serve is looked for again whenever a CustomResourceDefinition changes, and once
//! a minute for aggregated APIs, whose coming nothing announces.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use interlock_crds::track::KindReference;
use kube::api::DynamicObject;
use kube::discovery::{ApiResource, Discovery, Scope, verbs};
use kube::{Api, ResourceExt as _};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::Context;
use super::queue::Trigger;
use super::source::{self, Change, Source, State};
use crate::dossier::Unavailable;
use crate::subject::{GroupKind, SubjectKey};

/// Watched kinds.
#[derive(Default)]
pub struct Kinds {
    all: RwLock<BTreeMap<GroupKind, Arc<Kind>>>,
    first_round: tokio::sync::watch::Sender<bool>,
}

/// A kind that a track names.
pub enum Kind {
    /// The API server serves it.
    Watched(Box<Watched>),
    /// It cannot be watched.
    Missing(Unavailable),
}

/// A kind that is watched.
pub struct Watched {
    /// How it is read.
    pub resource: ApiResource,
    /// Its objects.
    pub objects: Source<DynamicObject>,
    task: AbortHandle,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Kinds {
    /// The kind, if a track names it.
    pub fn get(&self, kind: &GroupKind) -> Option<Arc<Kind>> {
        self.read().get(kind).cloned()
    }

    /// Every kind that a track names.
    pub fn all(&self) -> Vec<(GroupKind, Arc<Kind>)> {
        self.read()
            .iter()
            .map(|(kind, state)| (kind.clone(), Arc::clone(state)))
            .collect()
    }

    /// Every object of every watched kind.
    pub fn subjects(&self) -> Vec<SubjectKey> {
        let mut subjects = Vec::new();
        for (kind, state) in self.all() {
            if let Kind::Watched(watched) = state.as_ref() {
                subjects.extend(watched.objects.all().iter().map(|object| SubjectKey {
                    kind: kind.clone(),
                    namespace: object.namespace().unwrap_or_default(),
                    name: object.name_any(),
                }));
            }
        }
        subjects
    }

    /// Waits until every kind that a track names has answered, refused, or turned out not to exist.
    pub async fn settled(&self) {
        let _ = self.first_round.subscribe().wait_for(|done| *done).await;
        for (_, kind) in self.all() {
            if let Kind::Watched(watched) = kind.as_ref() {
                watched.objects.settled().await;
            }
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<GroupKind, Arc<Kind>>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, kind: GroupKind, state: Option<Kind>) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        match state {
            Some(state) => all.insert(kind, Arc::new(state)),
            None => all.remove(&kind),
        };
    }
}

/// How often aggregated APIs are looked for.
const PERIOD: Duration = Duration::from_mins(1);

/// How often the API server is asked while its answer may lag behind: after a CustomResourceDefinition changed, and
/// while it does not answer.
const SHORTLY: Duration = Duration::from_secs(2);

/// For how long after a change.
const LAG: Duration = Duration::from_secs(12);

/// Keeps the watched kinds equal to those that tracks name.
pub async fn run(context: Arc<Context>) {
    let mut served = context.sources.served.subscribe();
    let mut tasks = JoinSet::new();
    let mut last_change = Instant::now();
    loop {
        served.mark_unchanged();
        let done = refresh(&context, &mut tasks).await;
        if done {
            context.sources.kinds.first_round.send_replace(true);
        }
        while tasks.try_join_next().is_some() {} // watches of kinds that no track names any more
        let pause = if done && last_change.elapsed() > LAG {
            PERIOD
        } else {
            SHORTLY
        };
        tokio::select! {
            changed = served.changed() => {
                if changed.is_err() {
                    return;
                }
                last_change = Instant::now();
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One round. False if the API server could not be asked.
async fn refresh(context: &Arc<Context>, tasks: &mut JoinSet<()>) -> bool {
    let kinds = &context.sources.kinds;
    if context.sources.tracks.unavailable().is_some() {
        return false;
    }
    // A kind is read in one version. Where tracks name several, the strictest track's is tried first, and one that is
    // not served does not take the kind away from the others.
    let mut tracks = context.sources.tracks.all();
    tracks.sort_by_key(|track| (Reverse(track.spec.priority), track.name_any()));
    let mut named: BTreeMap<GroupKind, Vec<KindReference>> = BTreeMap::new();
    for kind in tracks.iter().flat_map(|track| &track.spec.matching.kinds) {
        let key = GroupKind {
            group: kind.group.clone(),
            kind: kind.kind.clone(),
        };
        named.entry(key).or_default().push(kind.clone());
    }
    for (kind, _) in kinds.all() {
        if !named.contains_key(&kind) {
            kinds.replace(kind, None);
            // Also what its objects controlled is looked at again.
            context.queue.send(Trigger::All);
        }
    }
    if named.is_empty() {
        return true;
    }
    let discovery = match Discovery::new(context.client.clone()).run_aggregated().await {
        Ok(discovery) => discovery,
        Err(error) => {
            tracing::warn!(%error, "cannot ask the API server which kinds it serves");
            return false;
        }
    };
    for (key, references) in named {
        let mut answers = references.iter().map(|reference| find(&discovery, &key, reference));
        let answer = match answers.next() {
            Some(Err(missing)) => answers.find_map(Result::ok).ok_or(missing),
            Some(Ok(resource)) => Ok(resource),
            None => continue,
        };
        update(context, tasks, key, answer);
    }
    true
}

fn update(context: &Arc<Context>, tasks: &mut JoinSet<()>, key: GroupKind, found: Result<ApiResource, Unavailable>) {
    let kinds = &context.sources.kinds;
    let known = kinds.get(&key);
    match (known.as_deref(), found) {
        (Some(Kind::Watched(watched)), Ok(resource)) if watched.resource == resource => {}
        (Some(Kind::Missing(before)), Err(now)) if *before == now => {}
        // After a restart the API server discovers its kinds one after the other. A watch that works knows better.
        (Some(Kind::Watched(watched)), Err(now))
            if now.reason == "KindNotFound" && watched.objects.unavailable().is_none() => {}
        (_, Ok(resource)) => {
            tracing::info!(kind = %key, api_version = %resource.api_version, "watching");
            kinds.replace(
                key.clone(),
                Some(Kind::Watched(Box::new(start(context, tasks, &key, resource)))),
            );
        }
        (_, Err(missing)) => {
            tracing::warn!(kind = %key, reason = %missing.reason, "cannot watch");
            kinds.replace(key, Some(Kind::Missing(missing)));
            context.queue.send(Trigger::All);
            context
                .sources
                .changed
                .send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

fn find(discovery: &Discovery, key: &GroupKind, reference: &KindReference) -> Result<ApiResource, Unavailable> {
    let missing = |reason: &str, message: String| Unavailable {
        reason: reason.to_owned(),
        message,
    };
    let group = discovery.get(&key.group);
    let found = group.and_then(|group| match &reference.version {
        Some(version) => group
            .versioned_resources(version)
            .into_iter()
            .find(|(resource, _)| resource.kind == key.kind),
        // The group's preferred version may lack the kind: KServe serves some in v1alpha1 only.
        None => group.recommended_kind(&key.kind).or_else(|| {
            let all = group.resources_by_stability();
            all.into_iter().find(|(resource, _)| resource.kind == key.kind)
        }),
    });
    let Some((resource, capabilities)) = found else {
        let version = reference
            .version
            .as_ref()
            .map(|version| format!(" in version {version}"))
            .unwrap_or_default();
        return Err(missing(
            "KindNotFound",
            format!(
                "the API server serves no {key}{version}: install what provides it, or correct spec.match.kinds; it is looked for again by itself"
            ),
        ));
    };
    if !(capabilities.supports_operation(verbs::LIST) && capabilities.supports_operation(verbs::WATCH)) {
        return Err(missing(
            "KindNotListable",
            format!("{key} cannot be listed and watched: a track governs kinds whose objects are kept"),
        ));
    }
    if capabilities.scope == Scope::Cluster {
        return Err(missing(
            "KindNotNamespaced",
            format!("{key} is cluster-scoped: a track governs namespaced kinds only"),
        ));
    }
    Ok(resource)
}

fn start(context: &Arc<Context>, tasks: &mut JoinSet<()>, key: &GroupKind, resource: ApiResource) -> Watched {
    let api: Api<DynamicObject> = Api::all_with(context.client.clone(), &resource);
    let noun = if resource.group.is_empty() {
        resource.plural.clone()
    } else {
        format!("{}.{}", resource.plural, resource.group)
    };
    let (queue, kind) = (context.queue.clone(), key.clone());
    let (changed, served) = (context.sources.changed.clone(), context.sources.served.clone());
    let notify = move |change: Change<'_, DynamicObject>| {
        match change {
            Change::Applied(object) | Change::Gone(object) => queue.send(Trigger::Subject(SubjectKey {
                kind: kind.clone(),
                namespace: object.namespace().unwrap_or_default(),
                name: object.name_any(),
            })),
            Change::All => {
                queue.send(Trigger::All);
                // A watch that ended because its kind did is noticed by asking for the kind.
                served.send_modify(|count| *count = count.wrapping_add(1));
            }
        }
        changed.send_modify(|count| *count = count.wrapping_add(1));
    };
    let (objects, task) = source::watch(api, resource.clone(), noun, tasks, notify);
    Watched {
        resource,
        objects,
        task,
    }
}

impl Kind {
    /// Why objects of this kind cannot be looked at, if they cannot.
    pub fn unavailable(&self) -> Option<Unavailable> {
        match self {
            Self::Missing(why) => Some(why.clone()),
            Self::Watched(watched) => match watched.objects.state() {
                State::Unavailable(why) => Some(why),
                State::Syncing | State::Complete => None,
            },
        }
    }
}
