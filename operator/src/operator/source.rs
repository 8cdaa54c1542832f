//! One watched kind: what the API server holds of it, as far as it lets the operator look.
//!
//! A source that has not answered yet is waited for; one that refuses says so, and what rests on it is Unknown.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{ListParams, WatchParams};
use kube::core::Status;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::decide::LAST_APPLIED;
use crate::dossier::Unavailable;

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

    /// The objects that `wanted` picks.
    pub fn filter(&self, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        self.store.state_filter(|object| wanted(object))
    }

    /// Whether it can be believed.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits until it holds everything.
    pub async fn complete(&self) {
        let _ = self.state.clone().wait_for(|state| *state == State::Complete).await;
    }

    /// Why it cannot be believed now, if it cannot.
    pub fn unavailable(&self) -> Option<Unavailable> {
        match self.state() {
            State::Unavailable(why) => Some(why),
            State::Syncing | State::Complete => None,
        }
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
            let (why, said) = follow(events, &mut writer, &state, &noun, &notify).await;
            // The API server's own words name the verb that is missing.
            tracing::warn!(%noun, reason = %why.reason, %said, "cannot watch, will be tried again");
            if why.reason == FORBIDDEN && passes(&api, &noun).await {
                continue;
            }
            let new = State::Unavailable(why);
            if state.send_if_modified(|state| std::mem::replace(state, new.clone()) != new) {
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

/// For how long rights may be missing before that is believed.
const PASSING: Duration = Duration::from_secs(10);
/// How often they are asked for in this time.
const SHORTLY: Duration = Duration::from_secs(1);

/// The reason for missing rights.
const FORBIDDEN: &str = "Forbidden";

/// For how long a first list may fail before the kind counts as unavailable.
const LIST_PATIENCE: Duration = Duration::from_secs(45);

/// Keeps `writer` equal to what the API server says, until it refuses. Answers why, and what the API server said.
async fn follow<K>(
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>>,
    writer: &mut Writer<K>,
    state: &watch::Sender<State>,
    noun: &str,
    notify: &(impl Fn(Change<'_, K>) + Sync),
) -> (Unavailable, String)
where
    K: Resource + Clone + Debug + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone,
{
    let mut events = std::pin::pin!(events);
    let mut failing_since: Option<Instant> = None;
    loop {
        match events.next().await {
            Some(Ok(event)) => {
                failing_since = None;
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
                if let Some(status) = status_of(&error)
                    && let Some(why) = refusal(status, noun)
                {
                    return (why, status.message.clone());
                }
                tracing::warn!(%noun, %error, "watch failed, will be tried again");
                // An API server that answers, but never with the list, must not keep everything else waiting.
                let since = *failing_since.get_or_insert_with(Instant::now);
                if status_of(&error).is_some() && *state.borrow() == State::Syncing && since.elapsed() > LIST_PATIENCE {
                    let why = Unavailable {
                        reason: "ListFailed".to_owned(),
                        message: format!("the API server fails to list {noun}: see the operator's log"),
                    };
                    return (why, error.to_string());
                }
            }
            // A watcher never ends; should it, it is started again.
            None => {
                let why = Unavailable {
                    reason: "WatchEnded".to_owned(),
                    message: format!("the watch of {noun} ended"),
                };
                return (why, String::new());
            }
        }
    }
}

/// Whether missing rights are there after all. An API server that starts answers before it knows any role, and forbids
/// everything to everybody: no verdict may turn for that.
async fn passes<K: Clone + Debug + DeserializeOwned>(api: &Api<K>, noun: &str) -> bool {
    let since = Instant::now();
    while since.elapsed() < PASSING {
        tokio::time::sleep(SHORTLY).await;
        if !refuses(api, noun).await {
            return true;
        }
    }
    false
}

/// Whether listing or watching is still refused. No answer at all is no refusal: the watch that follows deals with it.
async fn refuses<K: Clone + Debug + DeserializeOwned>(api: &Api<K>, noun: &str) -> bool {
    let is_refusal = |error: &kube::Error| matches!(error, kube::Error::Api(status) if refusal(status, noun).is_some());
    if let Err(error) = api.list(&ListParams::default().limit(1)).await {
        return is_refusal(&error);
    }
    let watched = api.watch(&WatchParams::default().timeout(1), "0").await;
    watched.is_err_and(|error| is_refusal(&error))
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
            reason: FORBIDDEN.to_owned(),
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
