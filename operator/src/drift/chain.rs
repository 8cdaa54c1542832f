//! The links from a scrape target to an alert, each judged from what Prometheus answered.
//!
//! | link | broken by |
//! |---|---|
//! | `TargetUp` | `TargetMissing`, `RelabelDropped`, `TargetDown` |
//! | `SeriesPresent` | `NoSeries`, `RecordingRuleBroken` |
//! | `SeriesFresh` | `Stale` |
//! | `SeriesFinite` | `NaN` |
//! | `SeriesMoving` | `Frozen` |
//! | `RuleLoaded` | `RuleNotLoaded` |
//! | `RuleHealthy` | `RuleErroring` |
//! | `RuleSeesWorkload` | `RuleReferencesNoData`, `RuleOverwritesLabel`, `RuleConstant`, `RecordingRuleBroken` |
//!
//! This is the order in which data flows, and in which the links are told. The first broken one ends the chain: what
//! comes after it cannot be told from its consequences.

use std::collections::BTreeMap;

use interlock_crds::drift::{DriftMonitor, MonitorTarget};

use super::answers::{Labels, Target, Targets, carries};
use super::question::{Facts, count};
use super::reason::Reason;
use super::rules::Loaded;
use super::selector::Selector;
use super::{Workload, link, question};
use crate::dossier::{Holds, Link};

/// What all workloads of a track share, as one round found it.
#[derive(Debug, Default)]
pub struct Shared {
    /// None where the track names no target.
    pub targets: Option<Targets>,
    /// Alerting rules of the name and labels that the track gives.
    pub alerts: Vec<Loaded>,
    /// Recording rules that stand between series and alert, by the metric they record.
    pub recorded: BTreeMap<String, Vec<Loaded>>,
}

/// `TargetUp`; none where the track names no target.
pub fn target(monitor: &DriftMonitor, shared: &Shared, workload: Workload<'_>) -> Option<Link> {
    let (wanted, targets) = (monitor.target.as_ref()?, shared.targets.as_ref()?);
    let labels = target_labels(wanted, workload);
    let of_pool = |target: &&Target| {
        wanted
            .scrape_pool
            .as_ref()
            .is_none_or(|pool| *pool == target.scrape_pool)
    };
    let matching: Vec<&Target> = targets
        .active_targets
        .iter()
        .filter(of_pool)
        .filter(|target| carries(&target.labels, &labels))
        .collect();
    let with_health = |health: &str| matching.iter().find(|target| target.health == health);
    let described = described(&labels, wanted.scrape_pool.as_deref());
    let (holds, reason, message) = if with_health("up").is_some() {
        (Holds::True, Reason::Holds, String::new())
    } else if let Some(down) = with_health("down") {
        let message = format!(
            "no target with {described} is up; the last scrape said: {}",
            one_line(&down.last_error)
        );
        (Holds::False, Reason::TargetDown, message)
    } else if !matching.is_empty() {
        let message = format!("the target with {described} was not scraped yet");
        (Holds::Unknown, Reason::TargetNotScraped, message)
    } else if let Some(dropped) = targets
        .dropped_targets
        .iter()
        .filter(of_pool)
        .find(|one| may_be(one, wanted, workload))
    {
        let message = format!(
            "relabelling drops the target {} of scrape pool {}: correct relabel_configs, or the labels that select it",
            dropped.discovered_labels.get("__address__").map_or("", String::as_str),
            dropped.scrape_pool
        );
        (Holds::False, Reason::RelabelDropped, message)
    } else {
        let near = nearest_target(&targets.active_targets, wanted, workload);
        let message = format!(
            "no target has {described}{near}: add a scrape configuration, or correct spec.driftMonitor.target of the track"
        );
        (Holds::False, Reason::TargetMissing, message)
    };
    Some(link("TargetUp", holds, reason, &message))
}

fn target_labels(target: &MonitorTarget, workload: Workload<'_>) -> Labels {
    let mut labels = target.match_labels.clone();
    let own = [
        (&target.namespace_label, workload.namespace),
        (&target.name_label, workload.name),
    ];
    for (label, value) in own {
        labels.extend(label.clone().map(|label| (label, value.to_owned())));
    }
    labels
}

pub(super) fn described(labels: &Labels, pool: Option<&str>) -> String {
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    let pool = pool.map(|pool| format!("scrape pool {pool}"));
    let both: Vec<String> = [Some(labels.join(", ")).filter(|text| !text.is_empty()), pool]
        .into_iter()
        .flatten()
        .collect();
    if both.is_empty() {
        "any labels".to_owned()
    } else {
        both.join(" in ")
    }
}

/// Whether a dropped target would have been meant: it has the labels that the track names as far as it was given them
/// before relabelling, and is of the workload's namespace as far as it says.
fn may_be(dropped: &Target, wanted: &MonitorTarget, workload: Workload<'_>) -> bool {
    let labels = &dropped.discovered_labels;
    let known = |name: &String| {
        labels
            .get(name)
            .or_else(|| labels.get(&format!("__meta_kubernetes_service_label_{name}")))
    };
    let agrees = wanted
        .match_labels
        .iter()
        .all(|(name, value)| known(name).is_none_or(|found| found == value));
    let told = wanted.scrape_pool.is_some()
        || wanted
            .match_labels
            .iter()
            .any(|(name, value)| known(name) == Some(value));
    let namespace = labels.get("__meta_kubernetes_namespace");
    agrees && told && (wanted.namespace_label.is_none() || namespace.is_none_or(|found| found == workload.namespace))
}

/// The target that comes nearest. Of one of another namespace no value is told: a tenant reads the message.
fn nearest_target(targets: &[Target], wanted: &MonitorTarget, workload: Workload<'_>) -> String {
    let labels = &target_labels(wanted, workload);
    let shared = |target: &Target| {
        labels
            .iter()
            .filter(|(name, value)| target.labels.get(*name) == Some(value))
            .count()
    };
    let nearest = targets
        .iter()
        .max_by(|a, b| shared(a).cmp(&shared(b)).then_with(|| b.labels.cmp(&a.labels)));
    let Some(nearest) = nearest.filter(|target| shared(target) > 0) else {
        return String::new();
    };
    let namespace = wanted
        .namespace_label
        .as_ref()
        .and_then(|label| nearest.labels.get(label));
    let is_of_another = namespace.is_some_and(|found| found != workload.namespace);
    let differing: Vec<String> = labels
        .iter()
        .filter(|(name, value)| nearest.labels.get(*name) != Some(value))
        .map(|(name, _)| match nearest.labels.get(name) {
            Some(_) if is_of_another => format!("another {name}"),
            Some(found) => format!("{name}={found:?}"),
            None => format!("no label {name}"),
        })
        .collect();
    format!("; found one with {}", differing.join(", "))
}

/// The four links about series. The first broken one is the last; of one without series the number is told as well, so
/// that it can be searched for.
pub fn series(monitor: &DriftMonitor, facts: &Facts, workload: Workload<'_>) -> (Vec<Link>, Option<usize>) {
    let said = |index: usize| {
        let series = monitor.series.get(index);
        series.map_or_else(String::new, |series| {
            Selector::of_series(series)
                .about(question::labels_of(monitor, series), workload)
                .spoken()
        })
    };
    let fact = |index: usize, name: &str| count(facts, &format!("{index}.{name}"));
    let numbers = 0..monitor.series.len();
    let mut links = Vec::new();
    if let Some(index) = numbers.clone().find(|index| fact(*index, "present") <= 0.0) {
        return (links, Some(index));
    }
    links.push(good("SeriesPresent"));
    if let Some(index) = numbers.clone().find(|index| fact(*index, "fresh") <= 0.0) {
        let age = monitor.series.get(index).map(|series| spoken(series.max_age()));
        let message = format!(
            "{} has no sample of the last {}: what writes it has stopped, or maxAge is too short",
            said(index),
            age.unwrap_or_default()
        );
        links.push(link("SeriesFresh", Holds::False, Reason::Stale, &message));
        return (links, None);
    }
    links.push(good("SeriesFresh"));
    if let Some(index) = numbers
        .clone()
        .find(|index| fact(*index, "finite") < fact(*index, "fresh"))
    {
        let message = format!(
            "{}: {} of {} series is not a finite number, and no comparison with that can fire: see whether the detector \
             gets data",
            said(index),
            fact(index, "fresh") - fact(index, "finite"),
            fact(index, "fresh")
        );
        links.push(link("SeriesFinite", Holds::False, Reason::NaN, &message));
        return (links, None);
    }
    links.push(good("SeriesFinite"));
    let must_move = |index: &usize| {
        monitor
            .series
            .get(*index)
            .is_some_and(|series| series.changes_within.is_some())
    };
    let frozen = |index: &usize| fact(*index, "moving") <= 0.0 && fact(*index, "old") > 0.0;
    if let Some(index) = numbers.clone().filter(must_move).find(frozen) {
        let within = monitor.series.get(index).and_then(|series| series.changes_within);
        let message = format!(
            "{} has not changed for {}: see whether the detector gets data",
            said(index),
            within.map(spoken).unwrap_or_default()
        );
        links.push(link("SeriesMoving", Holds::False, Reason::Frozen, &message));
    } else if numbers.clone().any(|index| must_move(&index)) {
        links.push(good("SeriesMoving"));
    }
    (links, None)
}

fn spoken(duration: kube::core::Duration) -> String {
    serde_json::to_value(duration)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// A link that holds.
pub fn good(name: &str) -> Link {
    link(name, Holds::True, Reason::Holds, "")
}

/// `SeriesPresent` or `RuleSeesWorkload`, broken by a series that is not there: `said`, in words. `near` is what comes
/// nearest.
pub fn no_series(name: &str, said: &str, rule: Option<&str>, near: Option<&str>) -> Link {
    let found = near.map_or_else(String::new, |near| format!("; found {near}"));
    match rule {
        None => {
            let message = format!(
                "{said} has no series{found}: see what its target exposes, or correct spec.driftMonitor of the track"
            );
            link(name, Holds::False, Reason::NoSeries, &message)
        }
        Some(rule) => {
            let message = format!(
                "rule {rule} asks for {said}, which has no series of this workload, so that it can never fire{found}: \
                 correct its expression"
            );
            link(name, Holds::False, Reason::RuleReferencesNoData, &message)
        }
    }
}

/// A link that a recording rule breaks.
pub fn broken_record(name: &str, message: &str) -> Link {
    link(name, Holds::False, Reason::RecordingRuleBroken, message)
}

/// Another program's words on one line, short.
pub fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    crate::conditions::shorten(line.trim(), 160)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const CHURN: Workload<'_> = Workload {
        namespace: "credit",
        name: "churn",
    };

    fn monitor() -> DriftMonitor {
        serde_json::from_value(json!({
            "prometheus": {"url": "http://prometheus:9090"},
            "workload": {"nameLabel": "modelId"},
            "target": {"matchLabels": {"job": "trustyai"}, "namespaceLabel": "namespace"},
            "series": [{"metric": "drift", "maxAge": "1m", "changesWithin": "6h"}],
            "alert": {"name": "ModelDrift", "matchLabels": {"severity": "page"}},
        }))
        .unwrap()
    }

    fn said(link: &Link) -> (&str, Holds, &str) {
        (&link.name, link.holds, &link.reason)
    }

    #[test]
    fn targets() {
        let up = json!({"labels": {"job": "trustyai", "namespace": "credit"}, "health": "up"});
        let down =
            json!({"labels": {"job": "trustyai", "namespace": "credit"}, "health": "down", "lastError": "refused"});
        let new = json!({"labels": {"job": "trustyai", "namespace": "credit"}, "health": "unknown"});
        let other = json!({"labels": {"job": "trustyai", "namespace": "shop"}, "health": "up"});
        let dropped = json!({"discoveredLabels": {"job": "trustyai", "__address__": "a:1"}, "scrapePool": "trustyai"});
        let alien = json!({"discoveredLabels": {"job": "node", "__address__": "b:1"}, "scrapePool": "node"});
        let elsewhere = json!({"discoveredLabels": {"job": "trustyai", "__meta_kubernetes_namespace": "shop"}});
        let table: [(&[&Value], &[&Value], Holds, &str); 7] = [
            (&[&down, &up], &[], Holds::True, "Holds"),
            (&[&down, &new], &[], Holds::False, "TargetDown"),
            (&[&new], &[], Holds::Unknown, "TargetNotScraped"),
            (&[&other], &[], Holds::False, "TargetMissing"),
            (&[], &[&alien, &elsewhere], Holds::False, "TargetMissing"),
            (&[&other], &[&dropped], Holds::False, "RelabelDropped"),
            (&[], &[], Holds::False, "TargetMissing"),
        ];
        for (active, dropped, holds, reason) in table {
            let targets = json!({"activeTargets": active, "droppedTargets": dropped});
            let shared = Shared {
                targets: Some(serde_json::from_value(targets).unwrap()),
                ..Shared::default()
            };
            let link = target(&monitor(), &shared, CHURN).unwrap();
            assert_eq!(said(&link), ("TargetUp", holds, reason), "{}", link.message);
            if active == [&other] && dropped.is_empty() {
                assert!(
                    link.message.contains("found one with another namespace:"),
                    "{}",
                    link.message
                );
            }
        }
    }

    #[test]
    fn series_link_by_link() {
        type Case<'a> = (&'a [(&'a str, f64)], usize, Option<(&'a str, &'a str)>);
        let table: [Case<'_>; 7] = [
            (&[], 0, None),
            (&[("present", 1.0)], 2, Some(("SeriesFresh", "Stale"))),
            (
                &[("present", 2.0), ("fresh", 2.0), ("finite", 1.0)],
                3,
                Some(("SeriesFinite", "NaN")),
            ),
            (&[("present", 1.0), ("fresh", 1.0)], 3, Some(("SeriesFinite", "NaN"))),
            (
                &[("present", 1.0), ("fresh", 1.0), ("finite", 1.0), ("old", 1.0)],
                4,
                Some(("SeriesMoving", "Frozen")),
            ),
            (
                &[("present", 1.0), ("fresh", 1.0), ("finite", 1.0)],
                4,
                Some(("SeriesMoving", "Holds")),
            ),
            (
                &[
                    ("present", 1.0),
                    ("fresh", 1.0),
                    ("finite", 1.0),
                    ("old", 1.0),
                    ("moving", 1.0),
                ],
                4,
                Some(("SeriesMoving", "Holds")),
            ),
        ];
        for (facts, length, last) in table {
            let facts: Facts = facts
                .iter()
                .map(|(name, value)| (format!("0.{name}"), *value))
                .collect();
            let (links, missing) = series(&monitor(), &facts, CHURN);
            assert_eq!(links.len(), length, "{facts:?}: {links:?}");
            assert_eq!(missing.is_some(), last.is_none());
            let found = links.last().map(|link| (link.name.as_str(), link.reason.as_str()));
            assert_eq!(found, last, "{facts:?}");
        }
    }
}
