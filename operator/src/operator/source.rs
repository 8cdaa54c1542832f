//! Watched objects: what the API server holds, as far as it lets the operator look.
//!
//! A source that has not answered yet is waited for; one that refuses says so, and what rests on it is Unknown.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use interlock_crds::{GovernanceTrack, PolicyBundle, Release, Signer};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{PartialObjectMeta, WatchParams};
use kube::core::Status;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::kinds::Kinds;
use super::queue::{Sender, Trigger};
use crate::decide::LAST_APPLIED;
use crate::dossier::Unavailable;
use crate::subject::SubjectKey;

/// Whether a source can be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not answered yet.
    Syncing,
    /// It holds everything.
    Complete,
    /// It refuses.
    Unavailable(Unavailable),
}

/// Objects of one kind.
pub struct Source<K: Resource + Clone + Debug + Send + Sync + 'static>
where
    K::DynamicType: Hash + Eq + Clone,
{
    store: Store<K>,
    dyntype: K::DynamicType,
    state: watch::Receiver<State>,
}

impl<K: Resource + Clone + Debug + Send + Sync + 'static> Source<K>
where
    K::DynamicType: Hash + Eq + Clone,
{
    /// The object with this name; `namespace` is empty for cluster-scoped kinds.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let mut reference = ObjectRef::new_with(name, self.dyntype.clone());
        if !namespace.is_empty() {
            reference = reference.within(namespace);
        }
        self.store.get(&reference)
    }

    /// Every object.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.store.state()
    }

    /// Every object of a namespace.
    pub fn within(&self, namespace: &str) -> Vec<Arc<K>> {
        self.store
            .state_filter(|object| object.meta().namespace.as_deref() == Some(namespace))
    }

    /// Whether it can be believed.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits until it has answered or refused.
    pub async fn settled(&self) {
        // The sender lives as long as its task; if that ended, so does the operator.
        let _ = self.state.clone().wait_for(|state| *state != State::Syncing).await;
    }
}

/// What happened in a source.
pub enum Change<'a, K> {
    /// One object came or changed.
    Applied(&'a K),
    /// One object went.
    Gone(&'a K),
    /// All of them were read anew.
    All,
}

/// Watches `api` and calls `notify` on every change. The store is already up to date when it is called.
pub fn watch<K>(
    api: Api<K>,
    dyntype: K::DynamicType,
    noun: String,
    tasks: &mut JoinSet<()>,
    notify: impl Fn(Change<'_, K>) + Send + Sync + 'static,
) -> (Source<K>, tokio::task::AbortHandle)
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone + Send + Sync,
{
    let mut writer = Writer::new(dyntype.clone());
    let (state, receiver) = watch::channel(State::Syncing);
    let source = Source {
        store: writer.as_reader(),
        dyntype,
        state: receiver,
    };
    let task = async move {
        loop {
            let events = watcher(api.clone(), watcher::Config::default())
                .backoff(Patience::default())
                .modify(trim);
            let why = follow(events, &mut writer, &state, &noun, &notify).await;
            let new = State::Unavailable(why);
            if state.send_if_modified(|state| std::mem::replace(state, new.clone()) != new) {
                tracing::warn!(%noun, "cannot watch, will be tried again");
                notify(Change::All);
            }
            // A watch that starts after it was refused says nothing until something changes: so everything is read
            // anew, once it can be.
            loop {
                tokio::time::sleep(REFUSED).await;
                if !refuses(&api, &noun).await {
                    break;
                }
            }
        }
    };
    let handle = tasks.spawn(task);
    (source, handle)
}

/// How long after a failure the API server is asked again: soon at first, then every five seconds. kube's own default
/// waits for half a minute at last, during which an API server that is back goes unwatched.
#[derive(Debug)]
pub(super) struct Patience {
    last: Instant,
    next: Duration,
}

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Default for Patience {
    fn default() -> Self {
        Self {
            last: Instant::now(),
            next: FIRST_PAUSE,
        }
    }
}

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.last.elapsed() > LONGEST_PAUSE * 4 {
            self.next = FIRST_PAUSE;
        }
        let pause = self.next;
        self.last = Instant::now();
        self.next = (pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }
}

impl Backoff for Patience {
    // A watcher reports that it begins to list before it has asked: that is no success.
    fn reset(&mut self) {}
}

/// How long after a refusal the API server is asked again.
const REFUSED: Duration = Duration::from_secs(5);

/// Keeps `writer` equal to what the API server says, until it refuses.
async fn follow<K>(
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>>,
    writer: &mut Writer<K>,
    state: &watch::Sender<State>,
    noun: &str,
    notify: &(impl Fn(Change<'_, K>) + Sync),
) -> Unavailable
where
    K: Resource + Clone + Debug + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone,
{
    let mut events = std::pin::pin!(events);
    loop {
        match events.next().await {
            Some(Ok(event)) => {
                writer.apply_watcher_event(&event);
                match &event {
                    watcher::Event::Apply(object) => notify(Change::Applied(object)),
                    watcher::Event::Delete(object) => notify(Change::Gone(object)),
                    watcher::Event::InitDone => {
                        state.send_if_modified(|state| std::mem::replace(state, State::Complete) != State::Complete);
                        notify(Change::All);
                    }
                    watcher::Event::Init | watcher::Event::InitApply(_) => {}
                }
            }
            Some(Err(error)) => {
                if let Some(why) = status_of(&error).and_then(|status| refusal(status, noun)) {
                    return why;
                }
                tracing::warn!(%noun, %error, "watch failed, will be tried again");
            }
            // A watcher never ends; should it, it is started again.
            None => {
                return Unavailable {
                    reason: "WatchEnded".to_owned(),
                    message: format!("the watch of {noun} ended"),
                };
            }
        }
    }
}

/// Whether watching is still refused. That listing is, shows when it is tried.
async fn refuses<K: Clone + Debug + DeserializeOwned>(api: &Api<K>, noun: &str) -> bool {
    match api.watch(&WatchParams::default().timeout(1), "0").await {
        Err(kube::Error::Api(status)) => refusal(&status, noun).is_some(),
        _ => false,
    }
}

/// Drops what the operator never reads; most of an object's size is bookkeeping. Of a Release it matters who states
/// the subject.
fn trim<K: Resource>(object: &mut K) {
    let states_subject = |entry: &ManagedFieldsEntry| {
        entry
            .fields_v1
            .as_ref()
            .is_some_and(|fields| fields.0.pointer("/f:spec/f:subject").is_some())
    };
    object.managed_fields_mut().retain(states_subject);
    if object.managed_fields().is_empty() {
        object.annotations_mut().remove(LAST_APPLIED);
    }
}

/// What the API server answered, if it did.
fn status_of(error: &watcher::Error) -> Option<&Status> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status),
        _ => None,
    }
}

/// A refusal that trying again does not mend. Everything else is an outage: the store keeps what it has.
fn refusal(status: &Status, noun: &str) -> Option<Unavailable> {
    match status.code {
        403 => Some(Unavailable {
            reason: "Forbidden".to_owned(),
            message: format!("the operator may not list and watch {noun}: grant its service account these verbs"),
        }),
        404 => Some(Unavailable {
            reason: "KindNotFound".to_owned(),
            message: format!(
                "the API server serves no {noun} any more: install what provides it; it is looked for again by itself"
            ),
        }),
        _ => None,
    }
}

/// Everything the operator watches.
pub struct Sources {
    /// Tracks.
    pub tracks: Source<GovernanceTrack>,
    /// Bundles.
    pub bundles: Source<PolicyBundle>,
    /// Signers.
    pub signers: Source<Signer>,
    /// Releases.
    pub releases: Source<Release>,
    /// Namespaces.
    pub namespaces: Source<PartialObjectMeta<Namespace>>,
    /// NetworkPolicies.
    pub network_policies: Source<NetworkPolicy>,
    /// ServiceAccounts.
    pub service_accounts: Source<ServiceAccount>,
    /// Roles.
    pub roles: Source<Role>,
    /// RoleBindings.
    pub role_bindings: Source<RoleBinding>,
    /// ClusterRoles.
    pub cluster_roles: Source<ClusterRole>,
    /// ClusterRoleBindings.
    pub cluster_role_bindings: Source<ClusterRoleBinding>,
    /// The kinds that tracks name.
    pub kinds: Kinds,
    /// Counts changes of anything that a track's or bundle's status may show.
    pub changed: watch::Sender<u64>,
    /// Counts changes of what the API server serves.
    pub served: watch::Sender<u64>,
}

impl Sources {
    /// Starts every watch whose kind is known beforehand.
    pub fn start(client: &Client, queue: &Sender, tasks: &mut JoinSet<()>) -> Self {
        let changed = watch::Sender::new(0);
        let served = watch::Sender::new(0);
        let bump = |sender: &watch::Sender<u64>| {
            let sender = sender.clone();
            move || sender.send_modify(|count| *count = count.wrapping_add(1))
        };
        let tracks = {
            let (queue, bump, served) = (queue.clone(), bump(&changed), bump(&served));
            let generations = Mutex::new(HashMap::new());
            move |change: Change<'_, GovernanceTrack>| {
                bump();
                // A track's own counts change with every verdict: they are no reason to look at every workload again.
                if let Change::Applied(track) = change {
                    let seen = (
                        track.uid(),
                        track.metadata.generation,
                        track.metadata.deletion_timestamp.is_some(),
                    );
                    let mut known = generations.lock().unwrap_or_else(PoisonError::into_inner);
                    if known.insert(track.name_any(), seen.clone()) == Some(seen) {
                        return;
                    }
                }
                queue.send(Trigger::All);
                served();
            }
        };
        let bundles = {
            let (queue, bump) = (queue.clone(), bump(&changed));
            move |change: Change<'_, PolicyBundle>| {
                // One that comes to work is told of when it does; one that goes leaves its workloads unjudged.
                if matches!(change, Change::Gone(_)) {
                    queue.send(Trigger::All);
                }
                bump();
            }
        };
        let status = bump(&changed);
        let releases = {
            let (queue, bump) = (queue.clone(), bump(&changed));
            move |change: Change<'_, Release>| {
                match change {
                    Change::Applied(release) | Change::Gone(release) => {
                        queue.send(Trigger::Subject(SubjectKey::of(release)));
                    }
                    Change::All => queue.send(Trigger::All),
                }
                bump();
            }
        };
        let namespaces = {
            let queue = queue.clone();
            move |change: Change<'_, PartialObjectMeta<Namespace>>| match change {
                Change::Applied(namespace) | Change::Gone(namespace) => {
                    queue.send(Trigger::Namespace(namespace.name_any()));
                }
                Change::All => queue.send(Trigger::All),
            }
        };
        let crds = bump(&served);
        // Nothing is read from this store; the watch only says that it is worth asking the API server again.
        let crd_noun = noun::<CustomResourceDefinition>();
        watch(
            Api::<PartialObjectMeta<CustomResourceDefinition>>::all(client.clone()),
            (),
            crd_noun,
            tasks,
            move |_| crds(),
        );
        Self {
            tracks: watch(Api::all(client.clone()), (), noun::<GovernanceTrack>(), tasks, tracks).0,
            bundles: watch(Api::all(client.clone()), (), noun::<PolicyBundle>(), tasks, bundles).0,
            signers: watch(Api::all(client.clone()), (), noun::<Signer>(), tasks, move |_| status()).0,
            releases: watch(Api::all(client.clone()), (), noun::<Release>(), tasks, releases).0,
            namespaces: watch(Api::all(client.clone()), (), noun::<Namespace>(), tasks, namespaces).0,
            network_policies: related(client, queue, tasks),
            service_accounts: related(client, queue, tasks),
            roles: related(client, queue, tasks),
            role_bindings: related(client, queue, tasks),
            cluster_roles: related(client, queue, tasks),
            cluster_role_bindings: related(client, queue, tasks),
            kinds: Kinds::default(),
            changed,
            served,
        }
    }

    /// Waits for the kinds of the operator's own group and for namespaces.
    pub async fn wait_for_own(&self) {
        tokio::join!(
            self.tracks.settled(),
            self.bundles.settled(),
            self.signers.settled(),
            self.releases.settled(),
            self.namespaces.settled(),
        );
    }

    /// Waits for everything else.
    pub async fn wait_for_all(&self) {
        tokio::join!(
            self.network_policies.settled(),
            self.service_accounts.settled(),
            self.roles.settled(),
            self.role_bindings.settled(),
            self.cluster_roles.settled(),
            self.cluster_role_bindings.settled(),
            self.kinds.settled(),
        );
    }

    /// Every Release that names the workload.
    pub fn releases_of(&self, key: &SubjectKey) -> Vec<Arc<Release>> {
        self.releases.store.state_filter(|release| {
            release.metadata.namespace.as_deref() == Some(key.namespace.as_str()) && SubjectKey::of(release) == *key
        })
    }

    /// Whether the plain name of the workload's discovered Release belongs to another workload.
    pub fn release_name_taken(&self, key: &SubjectKey) -> bool {
        self.releases
            .get(&key.namespace, &key.release_name())
            .is_some_and(|other| SubjectKey::of(&other) != *key)
    }

    /// Every workload that is known, or that a Release speaks of.
    pub fn subjects(&self) -> Vec<SubjectKey> {
        let mut all = self.kinds.subjects();
        all.extend(self.releases.all().iter().map(|release| SubjectKey::of(release)));
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// `PLURAL.GROUP`, as RBAC names a kind.
fn noun<K: Resource<DynamicType = ()>>() -> String {
    match K::group(&()).as_ref() {
        "" => K::plural(&()).into_owned(),
        group => format!("{}.{group}", K::plural(&())),
    }
}

/// Watches a kind whose objects concern the workloads of their namespace, or of all namespaces.
fn related<K>(client: &Client, queue: &Sender, tasks: &mut JoinSet<()>) -> Source<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let queue = queue.clone();
    let notify = move |change: Change<'_, K>| match change {
        Change::Applied(object) | Change::Gone(object) => match object.meta().namespace.clone() {
            Some(namespace) => queue.send(Trigger::Namespace(namespace)),
            None => queue.send(Trigger::All),
        },
        Change::All => queue.send(Trigger::All),
    };
    watch(Api::all(client.clone()), (), noun::<K>(), tasks, notify).0
}
