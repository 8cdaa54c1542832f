//! From what is known of a workload to what should be written: pure and total.
//!
//! Guarantees: deciding again after the plan was carried out gives an empty plan; a workload that could not be
//! looked at keeps its Release; nothing here reads a clock.

use std::sync::Arc;

use interlock_crds::condition::{Statement, Status, Type};
use interlock_crds::release::{JudgedBy, Subject};
use interlock_crds::{ORIGIN_DISCOVERED, ORIGIN_LABEL, Release, ReleaseSpec, ReleaseStatus, Verdict};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::api::ObjectMeta;

use crate::MANAGER;
use crate::artifacts::Report;
use crate::conditions::{self, Standing};
use crate::drift;
use crate::subject::SubjectKey;
use crate::verdict::Judgement;

/// Everything that a decision rests on.
pub struct Observed {
    /// The workload's name.
    pub key: SubjectKey,
    /// What was found under that name.
    pub finding: Found,
    /// Every Release that names it.
    pub releases: Vec<Arc<Release>>,
    /// Whether the plain name of the discovered Release belongs to another workload.
    pub plain_name_taken: bool,
}

/// What was found under a workload's name.
pub enum Found {
    /// It is governed, and judged.
    Governed(Box<Governed>),
    /// Several tracks claim it.
    Conflict {
        /// The workload.
        owner: Owner,
        /// Their names, sorted.
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
    /// It could not be looked at.
    Unavailable {
        /// Stable word.
        reason: String,
        /// One sentence.
        message: String,
    },
}

/// A governed workload.
pub struct Governed {
    /// The workload.
    pub owner: Owner,
    /// Its track.
    pub track: String,
    /// Digest of what the team wrote.
    pub content_hash: String,
    /// Digest of the dossier.
    pub dossier_digest: String,
    /// The bundles that judged.
    pub bundles: Vec<JudgedBy>,
    /// What is known of its images and models.
    pub artifacts: Report,
    /// What they say together.
    pub judgement: Judgement,
    /// What was found of its drift monitor, if the track asks for one.
    pub drift: Option<drift::Report>,
}

/// What a discovered Release needs to know of its workload.
pub struct Owner {
    /// The version under which it was read.
    pub api_version: String,
    /// Its UID.
    pub uid: String,
}

/// What to write, in this order.
#[derive(Debug, Default, PartialEq)]
pub struct Plan {
    /// Releases to delete: name and UID.
    pub delete: Vec<(String, Option<String>)>,
    /// Releases that somebody declared under the name of a discovered one: all that the operator still states of them.
    pub let_go: Vec<Release>,
    /// The discovered Release to create or correct.
    pub apply: Option<Release>,
    /// Whether that Release is there and differs from what the operator made.
    pub corrects: bool,
    /// Statuses to write, by name of the Release.
    pub statuses: Vec<(String, ReleaseStatus)>,
    /// Transitions worth an Event.
    pub events: Vec<Transition>,
    /// When to look again although nothing changes.
    pub recheck_at: Option<Timestamp>,
}

/// A verdict that turned.
#[derive(Debug, PartialEq)]
pub struct Transition {
    /// The Release.
    pub release: String,
    /// The verdict it turned to.
    pub verdict: Verdict,
    /// The reason of `Ready`.
    pub reason: String,
    /// The message of `Ready`.
    pub message: String,
}

/// Decides.
pub fn decide(observed: &Observed, now: Timestamp) -> Plan {
    let (discovered, declared): (Vec<_>, Vec<_>) = observed.releases.iter().partition(|release| is_discovered(release));
    let mut plan = Plan::default();
    plan.let_go.extend(
        declared
            .iter()
            .filter(|release| has_mark(release))
            .map(|release| Release::new(&name(release), release.spec.clone())),
    );
    let remove = |plan: &mut Plan, releases: &[&Arc<Release>]| {
        plan.delete.extend(
            releases
                .iter()
                .map(|release| (name(release), release.metadata.uid.clone())),
        );
    };
    match (&observed.finding, declared.as_slice()) {
        (Found::Unavailable { .. }, _) => {
            for release in &observed.releases {
                plan.status(release, status(observed, release, now));
            }
        }
        (Found::Governed(_) | Found::Conflict { .. }, []) => {
            let wanted = discovered_release(observed);
            let (kept, others): (Vec<_>, Vec<_>) = discovered.into_iter().partition(|one| name(one) == wanted.1);
            remove(&mut plan, &others);
            let stored = kept.first().copied();
            if stored.is_none_or(|stored| differs(stored, &wanted.0)) {
                plan.apply = Some(wanted.0.clone());
                plan.corrects = stored.is_some();
            }
            let release = stored.map_or(&wanted.0, |stored| stored.as_ref());
            plan.status(release, status(observed, release, now));
        }
        (_, declared) => {
            remove(&mut plan, &discovered);
            for release in declared {
                let new = if declared.len() > 1 {
                    duplicate(observed, release, declared, now)
                } else {
                    status(observed, release, now)
                };
                plan.status(release, new);
            }
        }
    }
    if let Found::Governed(governed) = &observed.finding {
        plan.recheck_at = governed.judgement.recheck_at;
    }
    plan
}

impl Plan {
    /// Adds a status if it says anything that the stored one does not, and an Event if the verdict turned.
    fn status(&mut self, release: &Release, new: ReleaseStatus) {
        let stored = release.status.clone().unwrap_or_default();
        let ready = new.conditions.iter().find(|condition| condition.type_ == "Ready");
        if let (Some(verdict), Some(ready)) = (new.verdict, ready) {
            let turned = stored.verdict != Some(verdict);
            if turned && !(stored.verdict.is_none() && verdict == Verdict::Allow) {
                self.events.push(Transition {
                    release: name(release),
                    verdict,
                    reason: ready.reason.clone(),
                    message: ready.message.clone(),
                });
            }
        }
        let bare = |status: ReleaseStatus| ReleaseStatus {
            conditions: Vec::new(),
            ..status
        };
        if !conditions::same(&stored.conditions, &new.conditions) || bare(stored) != bare(new.clone()) {
            self.statuses.push((name(release), new));
        }
    }
}

/// Whether the operator made it, and nobody has declared it since.
fn is_discovered(release: &Release) -> bool {
    has_mark(release) && !is_adopted(release)
}

fn has_mark(release: &Release) -> bool {
    release
        .metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(ORIGIN_LABEL))
        .is_some_and(|origin| origin == ORIGIN_DISCOVERED)
}

/// Whether somebody else states the whole subject: that is what declaring a Release is. Who changes a part of it by
/// hand is put right. `kubectl apply` without `--server-side` leaves its own trace.
fn is_adopted(release: &Release) -> bool {
    let whole = |fields: &serde_json::Value| {
        ["apiVersion", "kind", "name"]
            .iter()
            .all(|field| fields.pointer(&format!("/f:spec/f:subject/f:{field}")).is_some())
    };
    let annotations = release.metadata.annotations.as_ref();
    annotations.is_some_and(|all| all.contains_key(LAST_APPLIED))
        || release.metadata.managed_fields.iter().flatten().any(|entry| {
            entry.manager.as_deref() != Some(MANAGER) && entry.fields_v1.as_ref().is_some_and(|fields| whole(&fields.0))
        })
}

/// Annotation in which `kubectl apply` keeps what it was given.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn name(release: &Release) -> String {
    release.metadata.name.clone().unwrap_or_default()
}

/// The Release to have for a workload that nobody declared, and its name.
fn discovered_release(observed: &Observed) -> (Release, String) {
    let key = &observed.key;
    let owner = match &observed.finding {
        Found::Governed(governed) => Some(&governed.owner),
        Found::Conflict { owner, .. } => Some(owner),
        _ => None,
    };
    let api_version = owner.map(|owner| owner.api_version.clone()).unwrap_or_default();
    let name = if observed.plain_name_taken {
        key.hashed_release_name()
    } else {
        key.release_name()
    };
    let release = Release {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(key.namespace.clone()),
            labels: Some([(ORIGIN_LABEL.to_owned(), ORIGIN_DISCOVERED.to_owned())].into()),
            owner_references: owner.map(|owner| {
                vec![OwnerReference {
                    api_version: owner.api_version.clone(),
                    kind: key.kind.kind.clone(),
                    name: key.name.clone(),
                    uid: owner.uid.clone(),
                    ..OwnerReference::default()
                }]
            }),
            ..ObjectMeta::default()
        },
        spec: ReleaseSpec {
            subject: Subject {
                api_version,
                kind: key.kind.kind.clone(),
                name: key.name.clone(),
            },
        },
        status: None,
    };
    (release, name)
}

fn differs(stored: &Release, wanted: &Release) -> bool {
    let owner = |release: &Release| {
        release
            .metadata
            .owner_references
            .iter()
            .flatten()
            .map(|owner| (owner.uid.clone(), owner.name.clone()))
            .next()
    };
    stored.spec != wanted.spec || owner(stored) != owner(wanted)
}

fn status(observed: &Observed, release: &Release, now: Timestamp) -> ReleaseStatus {
    match &observed.finding {
        Found::Governed(governed) => judged(governed, release, now),
        Found::Conflict { tracks, .. } => {
            let message = format!(
                "tracks {} match with the same priority: give one of them a higher spec.priority",
                tracks.join(", ")
            );
            unassigned(release, Standing::Stalled, "TrackConflict", &message, now)
        }
        Found::Ungoverned => {
            let message = format!(
                "no GovernanceTrack matches {}: extend a track's spec.match, or remove this Release",
                observed.key
            );
            unassigned(release, Standing::Stalled, "NoTrack", &message, now)
        }
        Found::Controlled { by } => {
            let message = format!(
                "{} is controlled by {by}, which is governed in its place: declare a Release for that",
                observed.key
            );
            unassigned(release, Standing::Stalled, "Controlled", &message, now)
        }
        Found::Absent => {
            let message = format!("{} does not exist in this namespace yet", observed.key);
            unassigned(release, Standing::Reconciling, "SubjectNotFound", &message, now)
        }
        Found::Unavailable { reason, message } => unavailable(release, reason, message, now),
    }
}

fn judged(governed: &Governed, release: &Release, now: Timestamp) -> ReleaseStatus {
    let judgement = &governed.judgement;
    let (standing, status) = stands(judgement.verdict);
    let mut statements = conditions::ready(standing, status, &judgement.reason, &judgement.message);
    let assigned = format!("governed by track {}", governed.track);
    statements.push(Statement::new(Type::TrackAssigned, Status::True, "Assigned", assigned));
    statements.push(Statement::new(
        Type::Admissible,
        status,
        &judgement.reason,
        &judgement.message,
    ));
    if let Some(ruling) = &judgement.operational {
        let (_, status) = stands(ruling.verdict);
        statements.push(Statement::new(
            Type::Operational,
            status,
            &ruling.reason,
            &ruling.message,
        ));
    }
    statements.extend(governed.artifacts.statements.iter().cloned());
    if let Some(report) = &governed.drift {
        statements.extend(monitored(report));
    }
    ReleaseStatus {
        track: Some(governed.track.clone()),
        verdict: Some(judgement.verdict),
        signed: governed.artifacts.signed().map(|status| status.as_str().to_owned()),
        content_hash: Some(governed.content_hash.clone()),
        dossier_digest: Some(governed.dossier_digest.clone()),
        bundles: governed.bundles.clone(),
        gates: judgement.gates.clone(),
        gates_omitted: Some(judgement.omitted).filter(|count| *count > 0),
        passed: judgement.passed.clone(),
        artifacts: governed.artifacts.artifacts.clone(),
        artifacts_omitted: Some(governed.artifacts.omitted).filter(|count| *count > 0),
        recheck_at: judgement.recheck_at.map(Time),
        drift_monitor: governed.drift.as_ref().map(drift::Report::status),
        ..with_conditions(release, &statements, now)
    }
}

fn stands(verdict: Verdict) -> (Standing, Status) {
    match verdict {
        Verdict::Allow => (Standing::Ready, Status::True),
        Verdict::Deny => (Standing::Stalled, Status::False),
        Verdict::Pending => (Standing::Reconciling, Status::False),
        Verdict::Unknown => (Standing::Reconciling, Status::Unknown),
    }
}

/// What stands beside the verdict of a workload with a drift monitor.
fn monitored(report: &drift::Report) -> [Statement; 2] {
    let (holds, reason, message) = drift::statement(&report.monitor);
    let detected = &report.detected;
    [
        Statement::new(Type::DriftMonitorWired, drift::as_status(holds), reason, message),
        Statement::new(
            Type::DriftDetected,
            drift::as_status(detected.holds),
            &detected.reason,
            &detected.message,
        ),
    ]
}

/// What to write where the API server does not take a status: that nothing is known, and why.
pub fn without_details(
    status: &ReleaseStatus,
    stored: Option<&Release>,
    refusal: &str,
    now: Timestamp,
) -> ReleaseStatus {
    let message = format!("the verdict cannot be stored, so it does not count: {refusal}");
    let statements = conditions::ready(Standing::Stalled, Status::Unknown, "StatusRefused", &message);
    let old = stored.and_then(|release| release.status.as_ref());
    let old = old.map(|status| status.conditions.as_slice()).unwrap_or_default();
    ReleaseStatus {
        observed_generation: status.observed_generation,
        track: status.track.clone(),
        verdict: Some(Verdict::Unknown),
        conditions: conditions::merge(old, &statements, status.observed_generation, now),
        ..ReleaseStatus::default()
    }
}

/// No track judges: the verdict is Unknown, never silently absent.
fn unassigned(release: &Release, standing: Standing, reason: &str, message: &str, now: Timestamp) -> ReleaseStatus {
    let ready = if standing == Standing::Stalled {
        Status::False
    } else {
        Status::Unknown
    };
    let mut statements = conditions::ready(standing, ready, reason, message);
    statements.push(Statement::new(Type::TrackAssigned, Status::False, reason, message));
    ReleaseStatus {
        verdict: Some(Verdict::Unknown),
        ..with_conditions(release, &statements, now)
    }
}

/// The workload cannot be looked at: what was found last stays readable, but it no longer counts.
fn unavailable(release: &Release, reason: &str, message: &str, now: Timestamp) -> ReleaseStatus {
    let statements = conditions::ready(Standing::Reconciling, Status::Unknown, reason, message);
    let stored = release.status.clone().unwrap_or_default();
    ReleaseStatus {
        verdict: Some(Verdict::Unknown),
        ..with_conditions_of(stored, release, &statements, now)
    }
}

fn duplicate(observed: &Observed, release: &Release, all: &[&Arc<Release>], now: Timestamp) -> ReleaseStatus {
    let mut others: Vec<_> = all
        .iter()
        .map(|one| name(one))
        .filter(|one| *one != name(release))
        .collect();
    others.sort();
    let message = format!(
        "{} is also declared by Release {}: keep one of them",
        observed.key,
        others.join(", ")
    );
    unassigned(release, Standing::Stalled, "DuplicateSubject", &message, now)
}

fn with_conditions(release: &Release, statements: &[Statement], now: Timestamp) -> ReleaseStatus {
    with_conditions_of(ReleaseStatus::default(), release, statements, now)
}

fn with_conditions_of(
    base: ReleaseStatus,
    release: &Release,
    statements: &[Statement],
    now: Timestamp,
) -> ReleaseStatus {
    // A Release that is about to be created will have generation 1.
    let generation = release.metadata.generation.or(Some(1));
    let old = release
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    ReleaseStatus {
        observed_generation: generation,
        conditions: conditions::merge(old, statements, generation, now),
        ..base
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::GroupKind;
    use crate::verdict::Ruling;

    fn key() -> SubjectKey {
        SubjectKey {
            kind: GroupKind {
                group: "apps".into(),
                kind: "Deployment".into(),
            },
            namespace: "shop".into(),
            name: "cart".into(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn owner() -> Owner {
        Owner {
            api_version: "apps/v1".into(),
            uid: "u-1".into(),
        }
    }

    fn governed(verdict: Verdict) -> Found {
        Found::Governed(Box::new(Governed {
            owner: owner(),
            track: "applications".into(),
            content_hash: "sha256:c".into(),
            dossier_digest: "sha256:d".into(),
            bundles: vec![],
            artifacts: Report::default(),
            judgement: Judgement {
                verdict,
                reason: "R".into(),
                message: "m".into(),
                operational: None,
                gates: vec![],
                omitted: 0,
                passed: vec!["C-01".into()],
                recheck_at: None,
            },
            drift: None,
        }))
    }

    fn declared(name: &str) -> Arc<Release> {
        let mut release = Release::new(
            name,
            ReleaseSpec {
                subject: Subject {
                    api_version: "apps/v1".into(),
                    kind: "Deployment".into(),
                    name: "cart".into(),
                },
            },
        );
        release.metadata.generation = Some(1);
        Arc::new(release)
    }

    fn observed(finding: Found, releases: Vec<Arc<Release>>) -> Observed {
        Observed {
            key: key(),
            finding,
            releases,
            plain_name_taken: false,
        }
    }

    /// Carries a plan out on a list of Releases, as the API server would.
    fn carry_out(releases: &[Arc<Release>], plan: &Plan) -> Vec<Arc<Release>> {
        let mut kept: Vec<Release> = releases
            .iter()
            .filter(|release| !plan.delete.iter().any(|(gone, _)| *gone == name(release)))
            .map(|release| release.as_ref().clone())
            .collect();
        if let Some(apply) = &plan.apply {
            let status = kept
                .iter()
                .find(|one| one.metadata.name == apply.metadata.name)
                .and_then(|one| one.status.clone());
            kept.retain(|one| one.metadata.name != apply.metadata.name);
            kept.push(Release {
                status,
                ..apply.clone()
            });
        }
        for (target, status) in &plan.statuses {
            kept.iter_mut()
                .filter(|one| name(one) == *target)
                .for_each(|one| one.status = Some(status.clone()));
        }
        kept.into_iter().map(Arc::new).collect()
    }

    #[test]
    fn deciding_again_writes_nothing() {
        let findings: [fn() -> Found; 6] = [
            || governed(Verdict::Allow),
            || governed(Verdict::Deny),
            || Found::Conflict {
                owner: owner(),
                tracks: vec!["a".into(), "b".into()],
            },
            || Found::Ungoverned,
            || Found::Absent,
            || Found::Unavailable {
                reason: "Forbidden".into(),
                message: "may not list".into(),
            },
        ];
        for finding in findings {
            for releases in [vec![], vec![declared("cart")], vec![declared("cart"), declared("twin")]] {
                let first = decide(&observed(finding(), releases.clone()), at(10));
                let stored = carry_out(&releases, &first);
                let second = decide(&observed(finding(), stored), at(99));
                assert_eq!(second, Plan::default());
            }
        }
    }

    #[test]
    fn what_does_not_operate_is_told_beside_ready() {
        let statuses = |verdict| {
            let Found::Governed(mut governed) = governed(Verdict::Allow) else {
                panic!("governed")
            };
            governed.judgement.operational = Some(Ruling {
                verdict,
                reason: "R".into(),
                message: "M-14: no series".into(),
            });
            let plan = decide(&observed(Found::Governed(governed), vec![declared("cart")]), at(10));
            let conditions = &plan.statuses[0].1.conditions;
            let find = |kind: &str| conditions.iter().find(|one| one.type_ == kind).unwrap().status.clone();
            (find("Ready"), find("Admissible"), find("Operational"))
        };
        for (verdict, want) in [
            (Verdict::Allow, "True"),
            (Verdict::Deny, "False"),
            (Verdict::Pending, "False"),
            (Verdict::Unknown, "Unknown"),
        ] {
            assert_eq!(statuses(verdict), ("True".into(), "True".into(), want.into()));
        }
        let plan = decide(&observed(governed(Verdict::Allow), vec![declared("cart")]), at(10));
        let none = plan.statuses[0]
            .1
            .conditions
            .iter()
            .all(|one| one.type_ != "Operational");
        assert!(none, "without such a gate there is no such condition");
    }

    #[test]
    fn an_undeclared_workload_gets_a_release_that_it_owns() {
        let plan = decide(&observed(governed(Verdict::Deny), vec![]), at(10));
        let release = plan.apply.unwrap();
        assert_eq!(release.metadata.name.as_deref(), Some("deployment-cart"));
        assert_eq!(release.metadata.owner_references.unwrap()[0].uid, "u-1");
        assert_eq!(release.metadata.labels.unwrap()[ORIGIN_LABEL], ORIGIN_DISCOVERED);
        assert_eq!(plan.events.len(), 1, "a first denial is worth an event");
    }

    #[test]
    fn a_workload_created_anew_owns_the_release_anew() {
        let first = decide(&observed(governed(Verdict::Allow), vec![]), at(10));
        let stored = carry_out(&[], &first);
        let Found::Governed(mut again) = governed(Verdict::Allow) else {
            panic!("governed")
        };
        again.owner.uid = "u-2".into();
        let plan = decide(&observed(Found::Governed(again), stored), at(20));
        assert_eq!(plan.apply.unwrap().metadata.owner_references.unwrap()[0].uid, "u-2");
    }

    #[test]
    fn a_declared_release_supersedes_the_discovered_one() {
        let first = decide(&observed(governed(Verdict::Allow), vec![]), at(10));
        let mut releases = carry_out(&[], &first);
        releases.push(declared("cart"));
        let plan = decide(&observed(governed(Verdict::Allow), releases), at(20));
        assert_eq!(plan.delete.len(), 1);
        assert_eq!((plan.apply, plan.statuses[0].0.as_str()), (None, "cart"));
    }

    #[test]
    fn two_declared_releases_are_told_of_each_other() {
        let plan = decide(
            &observed(governed(Verdict::Allow), vec![declared("a"), declared("b")]),
            at(10),
        );
        let ready = &plan.statuses[0].1.conditions[0];
        assert_eq!(
            (ready.reason.as_str(), ready.status.as_str()),
            ("DuplicateSubject", "False")
        );
        assert!(ready.message.contains("Release b"), "{}", ready.message);
        assert_eq!(plan.statuses[0].1.verdict, Some(Verdict::Unknown));
    }

    #[test]
    fn a_workload_that_cannot_be_seen_keeps_its_release_and_is_unknown() {
        let first = decide(&observed(governed(Verdict::Allow), vec![]), at(10));
        let stored = carry_out(&[], &first);
        let plan = decide(
            &observed(
                Found::Unavailable {
                    reason: "Forbidden".into(),
                    message: "m".into(),
                },
                stored,
            ),
            at(20),
        );
        assert!(plan.delete.is_empty());
        assert_eq!(plan.statuses[0].1.verdict, Some(Verdict::Unknown));
        assert_eq!(
            plan.statuses[0].1.passed,
            ["C-01"],
            "what was found last stays readable"
        );
    }

    #[test]
    fn discovered_releases_go_with_their_reason() {
        for finding in [
            || Found::Ungoverned,
            || Found::Absent,
            || Found::Controlled { by: key() },
        ] {
            let first = decide(&observed(governed(Verdict::Allow), vec![]), at(10));
            let stored = carry_out(&[], &first);
            let plan = decide(&observed(finding(), stored), at(20));
            assert_eq!((plan.delete.len(), plan.statuses.len()), (1, 0));
        }
    }

    #[test]
    fn a_verdict_that_turns_is_an_event_and_one_that_stays_is_not() {
        let first = decide(&observed(governed(Verdict::Deny), vec![declared("cart")]), at(10));
        let stored = carry_out(&[declared("cart")], &first);
        let turned = decide(&observed(governed(Verdict::Allow), stored.clone()), at(20));
        assert_eq!(turned.events[0].verdict, Verdict::Allow);
        let stays = decide(&observed(governed(Verdict::Deny), stored), at(30));
        assert!(stays.events.is_empty());
    }
}
