//! Whether a workload's drift is really watched: the pure parts of following the chain from a scrape target to an alert.
//!
//! ```text
//! track's words ─▶ selector, question ──asked by crate::operator::drift──▶ answers ─▶ chain ─▶ Report ─▶ settle
//! ```
//!
//! An alert can be loaded, healthy and dead: its rule names a metric or label that nobody exports any more. So the
//! selectors *inside* the rule's expression are asked for as well ([`expression`]). What is sent to Prometheus is
//! rebuilt matcher by matcher from the track's words and from the vector selectors of loaded rules, with the
//! workload's namespace and name as escaped matchers ([`selector`]); no text of a team is ever part of a query.

pub mod answers;
pub mod chain;
pub mod expression;
pub mod near;
pub mod question;
pub mod reason;
pub mod rules;
pub mod selector;
pub mod settle;

use interlock_crds::ReleaseStatus;
use interlock_crds::drift::{DriftMonitor as Monitor, DriftMonitorStatus, LinkStatus};
use interlock_crds::{GovernanceTrack, condition::Status};

use self::reason::Reason;
use crate::conditions::shorten;
use crate::dossier::{DriftMonitor, Holds, Link, Unavailable};
use crate::subject::{GroupKind, SubjectKey};

/// Whose drift is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl<'a> From<&'a SubjectKey> for Workload<'a> {
    fn from(key: &'a SubjectKey) -> Self {
        Self {
            namespace: &key.namespace,
            name: &key.name,
        }
    }
}

/// What was found of one workload's monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The chain, as a dossier holds it.
    pub monitor: DriftMonitor,
    /// Whether the alert fires for the workload; its name is `DriftDetected`.
    pub detected: Link,
}

/// The monitor that the track asks for a workload of this kind.
pub fn required<'a>(track: &'a GovernanceTrack, kind: &GroupKind) -> Option<&'a Monitor> {
    let monitor = track.spec.drift_monitor.as_ref()?;
    let named = |one: &interlock_crds::drift::MonitoredKind| one.group == kind.group && one.kind == kind.kind;
    (monitor.kinds.is_empty() || monitor.kinds.iter().any(named)).then_some(monitor)
}

/// Longest message of a link, in characters: eight of them stand in a status.
const MESSAGE: usize = 320;

/// One link.
pub fn link(name: &str, holds: Holds, reason: Reason, message: &str) -> Link {
    Link {
        name: name.to_owned(),
        holds,
        reason: reason.as_str().to_owned(),
        message: shorten(message, MESSAGE),
    }
}

/// Name of [`Report::detected`].
const DETECTED: &str = "DriftDetected";

impl Report {
    /// From a chain that could be followed, and the alert's state as far as the answers tell.
    pub fn of(links: Vec<Link>, alert: &rules::AlertState, rule: &str) -> Self {
        let monitor = DriftMonitor::Complete { links };
        let wired = statement(&monitor).0 == Holds::True;
        let (holds, reason, message) = match alert {
            rules::AlertState::Firing => (
                Holds::True,
                Reason::AlertFiring,
                format!("alert {rule} fires for this workload"),
            ),
            _ if !wired => not_wired(),
            rules::AlertState::Unattributed { label } => (
                Holds::Unknown,
                Reason::AlertUnattributed,
                format!(
                    "alert {rule} fires without the label {label}, so that it may be this workload's or another's: keep \
                     the label in the rule's expression"
                ),
            ),
            rules::AlertState::Quiet => (
                Holds::False,
                Reason::NoAlert,
                format!("alert {rule} does not fire for this workload"),
            ),
        };
        Self {
            monitor,
            detected: link(DETECTED, holds, reason, &message),
        }
    }

    /// From a source that did not answer.
    pub fn unavailable(reason: Reason, message: &str) -> Self {
        let (holds, word, text) = not_wired();
        Self {
            monitor: DriftMonitor::Unavailable(Unavailable {
                reason: reason.as_str().to_owned(),
                message: shorten(message, MESSAGE),
            }),
            detected: link(DETECTED, holds, word, &text),
        }
    }

    /// What a Release's status says was found last.
    pub fn stored(status: &ReleaseStatus) -> Option<Self> {
        let condition = |kind: &str| status.conditions.iter().find(|condition| condition.type_ == kind);
        let (wired, detected) = (condition("DriftMonitorWired")?, condition(DETECTED)?);
        let links = status
            .drift_monitor
            .as_ref()
            .map(|monitor| monitor.links.as_slice())
            .unwrap_or_default();
        let monitor = if links.is_empty() {
            DriftMonitor::Unavailable(Unavailable {
                reason: wired.reason.clone(),
                message: wired.message.clone(),
            })
        } else {
            let links = links.iter().map(|link| Link {
                name: link.name.clone(),
                holds: holds(&link.status),
                reason: link.reason.clone(),
                message: link.message.clone(),
            });
            DriftMonitor::Complete { links: links.collect() }
        };
        Some(Self {
            monitor,
            detected: Link {
                name: DETECTED.to_owned(),
                holds: holds(&detected.status),
                reason: detected.reason.clone(),
                message: detected.message.clone(),
            },
        })
    }

    /// What to write of the chain into a status.
    pub fn status(&self) -> DriftMonitorStatus {
        let links = match &self.monitor {
            DriftMonitor::Complete { links } => links.as_slice(),
            DriftMonitor::NotRequired | DriftMonitor::Unavailable(_) => &[],
        };
        let links = links.iter().map(|link| LinkStatus {
            name: link.name.clone(),
            status: as_status(link.holds).as_str().to_owned(),
            reason: link.reason.clone(),
            message: link.message.clone(),
        });
        DriftMonitorStatus { links: links.collect() }
    }
}

fn not_wired() -> (Holds, Reason, String) {
    let message = "that no alert fires means nothing while DriftMonitorWired is not True";
    (Holds::Unknown, Reason::MonitorNotWired, message.to_owned())
}

/// Whether the chain holds as a whole, with reason and message of the link that decides: the first broken one, or else
/// the first that is not known.
pub fn statement(monitor: &DriftMonitor) -> (Holds, String, String) {
    let links = match monitor {
        DriftMonitor::NotRequired => &[],
        DriftMonitor::Unavailable(why) => return (Holds::Unknown, why.reason.clone(), why.message.clone()),
        DriftMonitor::Complete { links } => links.as_slice(),
    };
    let first = |holds| links.iter().find(|link| link.holds == holds);
    match first(Holds::False).or_else(|| first(Holds::Unknown)) {
        Some(link) => (link.holds, link.reason.clone(), link.message.clone()),
        None => (
            Holds::True,
            Reason::Wired.as_str().to_owned(),
            "every link from the scrape target to the alert holds".to_owned(),
        ),
    }
}

/// As a condition's status.
pub fn as_status(holds: Holds) -> Status {
    match holds {
        Holds::True => Status::True,
        Holds::False => Status::False,
        Holds::Unknown => Status::Unknown,
    }
}

fn holds(status: &str) -> Holds {
    match status {
        "True" => Holds::True,
        "False" => Holds::False,
        _ => Holds::Unknown,
    }
}
