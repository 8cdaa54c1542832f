//! Everything the operator watches, and which workloads a change concerns.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use interlock_crds::{GovernanceTrack, PolicyBundle, Release, Revocation, Signer, TrustRoot};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::PartialObjectMeta;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::kinds::Kinds;
use super::queue::{Sender, Trigger};
use super::registry::revocations::Revocations;
use super::registry::roots::Roots;
use super::registry::signers::Signers;
use super::source::{Change, Source, watch};
use crate::dossier::Unavailable;
use crate::subject::SubjectKey;

/// Everything the operator watches.
pub struct Sources {
    /// Tracks.
    pub tracks: Source<GovernanceTrack>,
    /// Bundles.
    pub bundles: Source<PolicyBundle>,
    /// Signers.
    pub signers: Source<Signer>,
    /// What they were read to be.
    pub(super) known_signers: Signers,
    /// TrustRoots.
    pub trust_roots: Source<TrustRoot>,
    /// What was read from them.
    pub(super) known_roots: Roots,
    /// Revocations.
    pub revocations: Source<Revocation>,
    /// What they come to.
    pub(super) known_revocations: Revocations,
    /// The ConfigMaps of the operator's namespace, which TrustRoots may name.
    pub config_maps: Source<ConfigMap>,
    /// The operator's namespace.
    pub namespace: String,
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
    /// Counts changes of anything that says who may sign, or what of it does not count.
    pub trust: watch::Sender<u64>,
    /// Counts changes of what the API server serves.
    pub served: watch::Sender<u64>,
}

impl Sources {
    /// Starts every watch whose kind is known beforehand.
    pub fn start(client: &Client, namespace: &str, queue: &Sender, tasks: &mut JoinSet<()>) -> Self {
        let changed = watch::Sender::new(0);
        let trust = watch::Sender::new(0);
        let served = watch::Sender::new(0);
        let bump = |sender: &watch::Sender<u64>| {
            let sender = sender.clone();
            move || sender.send_modify(|count| *count = count.wrapping_add(1))
        };
        let tracks = {
            let (queue, bump, served) = (queue.clone(), bump(&changed), bump(&served));
            let generations = Generations::default();
            move |change: Change<'_, GovernanceTrack>| {
                bump();
                // A track's own counts change with every verdict: they are no reason to look at every workload again.
                if matches!(change, Change::Applied(track) if !generations.is_new(track)) {
                    return;
                }
                queue.send(Trigger::All);
                served();
            }
        };
        let signers = says_who_signs::<Signer>(queue, [&changed, &trust], Trigger::Signer);
        let trust_roots = says_who_signs::<TrustRoot>(queue, [&changed, &trust], Trigger::TrustRoot);
        let revocations = says_who_signs::<Revocation>(queue, [&changed, &trust], |_| Trigger::All);
        let config_maps = says_who_signs::<ConfigMap>(queue, [&changed, &trust], Trigger::ConfigMap);
        let bundles = {
            let (queue, bump) = (queue.clone(), bump(&changed));
            move |change: Change<'_, PolicyBundle>| {
                // One that comes to work is told of when it does; one that goes leaves its workloads unjudged.
                if !matches!(change, Change::Applied(_)) {
                    queue.send(Trigger::All);
                }
                bump();
            }
        };
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
            signers: watch(Api::all(client.clone()), (), noun::<Signer>(), tasks, signers).0,
            known_signers: Signers::default(),
            trust_roots: watch(Api::all(client.clone()), (), noun::<TrustRoot>(), tasks, trust_roots).0,
            known_roots: Roots::default(),
            revocations: watch(Api::all(client.clone()), (), noun::<Revocation>(), tasks, revocations).0,
            known_revocations: Revocations::default(),
            config_maps: {
                let api = Api::namespaced(client.clone(), namespace);
                watch(api, (), noun::<ConfigMap>(), tasks, config_maps).0
            },
            namespace: namespace.to_owned(),
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
            trust,
            served,
        }
    }

    /// Waits until the kinds of the operator's own group and namespaces are known completely: what rests on half of them
    /// would be taken for absent.
    pub async fn wait_for_own(&self) {
        tokio::join!(
            self.tracks.complete(),
            self.bundles.complete(),
            self.signers.complete(),
            self.trust_roots.complete(),
            self.revocations.complete(),
            // Without the right to look at ConfigMaps, roots that are given inline still count.
            self.config_maps.settled(),
            self.releases.complete(),
            self.namespaces.complete(),
        );
    }

    /// Why nothing can be said of any workload now, if so: tracks, Releases or namespaces cannot be listed any more.
    pub fn blind(&self) -> Option<Unavailable> {
        let own = [
            self.tracks.unavailable(),
            self.releases.unavailable(),
            self.namespaces.unavailable(),
        ];
        own.into_iter().flatten().next()
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
        self.releases.filter(|release| {
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

/// What was seen of each object that people wrote: their status is the operator's.
#[derive(Default)]
struct Generations(Mutex<HashMap<String, Generation>>);

/// UID, generation, and whether it is being deleted. What has no generation, and no status, has its version in the place.
type Generation = (Option<String>, String, bool);

impl Generations {
    /// Whether people changed it since it was last seen.
    fn is_new<K: Resource>(&self, object: &K) -> bool {
        let meta = object.meta();
        let generation = meta.generation.map(|generation| generation.to_string());
        let generation = generation.or_else(|| meta.resource_version.clone()).unwrap_or_default();
        let seen = (meta.uid.clone(), generation, meta.deletion_timestamp.is_some());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(object.name_any(), seen.clone()) != Some(seen)
    }
}

/// What a change of an object sets off that says who may sign, or what of it does not count: the workloads that rest on it
/// are looked at again.
fn says_who_signs<K: Resource<DynamicType = ()>>(
    queue: &Sender,
    counters: [&watch::Sender<u64>; 2],
    trigger: fn(String) -> Trigger,
) -> impl Fn(Change<'_, K>) + Send + Sync + 'static {
    let (queue, counters) = (queue.clone(), counters.map(watch::Sender::clone));
    let generations = Generations::default();
    move |change| {
        for counter in &counters {
            counter.send_modify(|count| *count = count.wrapping_add(1));
        }
        match change {
            Change::Applied(object) if !generations.is_new(object) => {}
            Change::Applied(object) | Change::Gone(object) => queue.send(trigger(object.name_any())),
            Change::All => queue.send(Trigger::All),
        }
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
