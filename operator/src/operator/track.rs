//! The status of tracks: what they govern, what no track governs, and what keeps them from working.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use interlock_crds::bundle::SignedBy;
use interlock_crds::condition::Status;
use interlock_crds::track::{Counts, Ungoverned};
use interlock_crds::{GovernanceTrack, GovernanceTrackStatus, Release, Verdict};
use jiff::Timestamp;
use kube::{Api, ResourceExt as _};

use super::kinds::Kind;
use super::registry::signers::trust_policy;
use super::{Context, apply};
use crate::conditions::{self, Standing};
use crate::judge::chain;
use crate::subject::{GroupKind, SubjectKey};

/// Changes are gathered for this long: a rollout of hundreds of workloads is one status.
const GATHER: Duration = Duration::from_secs(1);

/// Keeps every track's status true.
pub async fn run(context: Arc<Context>) {
    let mut changed = context.sources.changed.subscribe();
    changed.mark_changed();
    loop {
        if changed.changed().await.is_err() {
            return;
        }
        tokio::time::sleep(GATHER).await;
        changed.mark_unchanged();
        if let Err(error) = refresh(&context).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "track status not written, will be tried again"
            );
            tokio::time::sleep(Duration::from_secs(5)).await;
            changed.mark_changed();
        }
    }
}

async fn refresh(context: &Context) -> Result<(), apply::Error> {
    let api: Api<GovernanceTrack> = Api::all(context.client.clone());
    let seen = look(context);
    for track in context.sources.tracks.all() {
        let new = status(&track, &seen, Timestamp::now());
        let name = track.name_any();
        context.metrics.track(
            &name,
            new.counts.unwrap_or_default(),
            new.ungoverned.as_ref().map_or(0, |all| all.count),
        );
        let stored = track.status.clone().unwrap_or_default();
        let bare = |status: GovernanceTrackStatus| GovernanceTrackStatus {
            conditions: vec![],
            ..status
        };
        if !conditions::same(&stored.conditions, &new.conditions) || bare(stored) != bare(new.clone()) {
            apply::status(context, &api, &name, &new).await?;
        }
    }
    Ok(())
}

/// What the statuses of all tracks rest on.
struct Seen {
    releases: Vec<Arc<Release>>,
    subjects: Vec<SubjectKey>,
    /// Kinds that cannot be watched, with reason and message.
    unavailable: BTreeMap<GroupKind, (String, String)>,
    /// The version in which each kind is read.
    versions: BTreeMap<GroupKind, String>,
    /// Bundles that cannot judge, with reason and message.
    idle_bundles: BTreeMap<String, (String, String)>,
    /// Signers that tracks name and that cannot be used, with reason and message.
    absent_signers: BTreeMap<String, (String, String)>,
}

fn look(context: &Context) -> Seen {
    let sources = &context.sources;
    let kinds = sources.kinds.all();
    let unavailable = kinds
        .iter()
        .filter_map(|(key, kind)| kind.unavailable().map(|why| (key.clone(), (why.reason, why.message))))
        .collect();
    let versions = kinds
        .iter()
        .filter_map(|(key, kind)| match kind.as_ref() {
            Kind::Watched(watched) => Some((key.clone(), watched.resource.version.clone())),
            Kind::Missing(_) => None,
        })
        .collect();
    let controlled: BTreeSet<_> = kinds
        .iter()
        .filter_map(|(key, kind)| match kind.as_ref() {
            Kind::Watched(watched) => Some((key, watched)),
            Kind::Missing(_) => None,
        })
        .flat_map(|(key, watched)| {
            watched.objects.all().into_iter().filter_map(|object| {
                let by = object
                    .owner_references()
                    .iter()
                    .find(|owner| owner.controller == Some(true))?;
                let owner = GroupKind::of(&by.api_version, &by.kind);
                let namespace = object.namespace().unwrap_or_default();
                let is_controlled = kinds.iter().any(|(known, kind)| match kind.as_ref() {
                    Kind::Watched(watched) if *known == owner => watched
                        .objects
                        .get(&namespace, &by.name)
                        .is_some_and(|found| found.metadata.uid.as_ref() == Some(&by.uid)),
                    _ => false,
                });
                is_controlled.then(|| SubjectKey {
                    kind: key.clone(),
                    namespace: namespace.clone(),
                    name: object.name_any(),
                })
            })
        })
        .collect();
    let mut subjects = sources.kinds.subjects();
    subjects.retain(|subject| !controlled.contains(subject));
    let named: BTreeSet<_> = sources
        .tracks
        .all()
        .iter()
        .flat_map(|track| track.spec.bundles.clone())
        .map(|used| used.name)
        .collect();
    let idle_bundles = named
        .into_iter()
        .filter_map(|name| {
            let failure = context.policies.get(sources, &name).err()?;
            Some((name, (failure.reason, failure.message)))
        })
        .collect();
    Seen {
        releases: sources.releases.all(),
        subjects,
        unavailable,
        versions,
        idle_bundles,
        absent_signers: absent_signers(context),
    }
}

fn absent_signers(context: &Context) -> BTreeMap<String, (String, String)> {
    let tracks = context.sources.tracks.all();
    let demands = tracks.iter().filter_map(|track| track.spec.signed_by.as_ref());
    let named: BTreeSet<_> = demands.flat_map(|by| by.names().cloned()).collect();
    let problem = |name: String| {
        let alone = SignedBy::any_of(vec![name.clone()]);
        let problem = trust_policy(&context.sources, &alone, "spec.signedBy").err()?;
        Some((name, (problem.reason().to_owned(), chain(&problem))))
    };
    named.into_iter().filter_map(problem).collect()
}

/// The status to have. Pure.
fn status(track: &GovernanceTrack, seen: &Seen, now: Timestamp) -> GovernanceTrackStatus {
    let statements = match obstacle(track, seen) {
        None => conditions::ready(
            Standing::Ready,
            Status::True,
            "Governing",
            "every kind is watched and every bundle judges",
        ),
        Some((reason, message)) => conditions::ready(standing(&reason), Status::False, &reason, &message),
    };
    let old = track
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    GovernanceTrackStatus {
        observed_generation: track.metadata.generation,
        counts: Some(counts(track, &seen.releases)),
        ungoverned: Some(ungoverned(track, seen)),
        conditions: conditions::merge(old, &statements, track.metadata.generation, now),
    }
}

/// Whether what is in the way may go by itself. These do not: somebody has to edit the track.
fn standing(reason: &str) -> Standing {
    match reason {
        "KindNotNamespaced" | "KindNotListable" | "VersionMismatch" => Standing::Stalled,
        _ => Standing::Reconciling,
    }
}

/// The first thing that keeps the track from working.
fn obstacle(track: &GovernanceTrack, seen: &Seen) -> Option<(String, String)> {
    let kinds = track.spec.matching.kinds.iter().filter_map(|kind| {
        let key = GroupKind {
            group: kind.group.clone(),
            kind: kind.kind.clone(),
        };
        seen.unavailable.get(&key).cloned().or_else(|| {
            let (wanted, read) = (kind.version.as_ref()?, seen.versions.get(&key)?);
            let message = format!(
                "{key} is read in version {read}, not {wanted}: the API server does not serve {wanted}, or a track of \
                 higher priority names another; leave spec.match.kinds[].version out"
            );
            (wanted != read).then(|| ("VersionMismatch".to_owned(), message))
        })
    });
    let bundles = track
        .spec
        .bundles
        .iter()
        .filter_map(|used| seen.idle_bundles.get(&used.name).cloned());
    let signers = track.spec.signed_by.iter().filter_map(|by| {
        let mut named = by.names();
        named.find_map(|name| seen.absent_signers.get(name).cloned())
    });
    let mut all: Vec<_> = kinds.chain(bundles).chain(signers).collect();
    let count = all.len();
    let (reason, message) = if all.is_empty() {
        return None;
    } else {
        all.swap_remove(0)
    };
    let more = if count > 1 {
        format!("; and {} more", count - 1)
    } else {
        String::new()
    };
    Some((reason, format!("{message}{more}")))
}

fn counts(track: &GovernanceTrack, releases: &[Arc<Release>]) -> Counts {
    let mut counts = Counts::default();
    let name = track.name_any();
    let statuses = releases.iter().filter_map(|release| release.status.as_ref());
    for status in statuses.filter(|status| status.track.as_deref() == Some(name.as_str())) {
        counts.governed += 1;
        match status.verdict {
            Some(Verdict::Allow) => counts.allowed += 1,
            Some(Verdict::Deny) => counts.denied += 1,
            Some(Verdict::Pending) => counts.pending += 1,
            Some(Verdict::Unknown) | None => counts.unknown += 1,
        }
    }
    counts
}

/// Most names that are listed.
const SAMPLE: usize = 10;

fn ungoverned(track: &GovernanceTrack, seen: &Seen) -> Ungoverned {
    // A Release that somebody declared does not govern its workload as long as no track claims it.
    let unclaimed = |release: &Release| {
        let conditions = release
            .status
            .as_ref()
            .map(|status| status.conditions.as_slice())
            .unwrap_or_default();
        conditions
            .iter()
            .any(|condition| condition.type_ == "TrackAssigned" && condition.reason == "NoTrack")
    };
    let governed: BTreeSet<SubjectKey> = seen
        .releases
        .iter()
        .filter(|release| !unclaimed(release))
        .map(|release| SubjectKey::of(release))
        .collect();
    let mut names: Vec<String> = seen
        .subjects
        .iter()
        .filter(|subject| crate::assign::names_kind(track, &subject.kind) && !governed.contains(subject))
        .map(ToString::to_string)
        .collect();
    names.sort_unstable();
    let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
    names.truncate(SAMPLE);
    Ungoverned { count, sample: names }
}
