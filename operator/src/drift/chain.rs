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
//! | `RuleSeesWorkload` | `RuleReferencesNoData`, `RecordingRuleBroken` |
//!
//! This is the order in which data flows, and in which the links are told. The first broken one ends the chain: what
//! comes after it cannot be told from its consequences.

use std::collections::BTreeMap;

use interlock_crds::drift::{DriftMonitor, MonitorTarget, WorkloadLabels};
use jiff::Timestamp;

use super::answers::{Alert, Group, Labels, Rule, Target, Targets, carries};
use super::expression::{Expression, Unreadable};
use super::question::{Facts, count};
use super::reason::Reason;
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

/// A rule that Prometheus has loaded.
#[derive(Debug)]
pub struct Loaded {
    /// As Prometheus shows it.
    pub rule: Rule,
    /// Its expression.
    pub expression: Result<Expression, Unreadable>,
    /// Why it does not work, in words; none if it does.
    pub trouble: Option<Trouble>,
}

/// Why a rule does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It was not evaluated yet.
    New,
    /// It fails, or its group stands still.
    Failing(String),
}

/// What the alert says of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertState {
    /// It fires.
    Firing,
    /// It fires for nobody in particular: this label is missing.
    Unattributed {
        /// The label.
        label: String,
    },
    /// It does not fire.
    Quiet,
}

/// Evaluations that a group may miss before its rules count as not working.
const MISSED_EVALUATIONS: f64 = 3.0;

/// The rules of `groups` that `is_meant` says, read and looked at. `now` is the clock of the Prometheus.
pub fn loaded(groups: Vec<Group>, now: Timestamp, is_meant: impl Fn(&Rule) -> bool) -> Vec<Loaded> {
    let mut all = Vec::new();
    for group in groups {
        for rule in group.rules {
            if is_meant(&rule) {
                all.push(Loaded {
                    expression: Expression::read(&rule.query),
                    trouble: trouble(&rule, group.interval, now),
                    rule,
                });
            }
        }
    }
    all
}

fn trouble(rule: &Rule, interval: f64, now: Timestamp) -> Option<Trouble> {
    if rule.health == "err" {
        return Some(Trouble::Failing(rule.last_error.clone()));
    }
    let last: Option<Timestamp> = rule.last_evaluation.parse().ok();
    let last = last.filter(|last| last.as_second() > 0);
    let Some(last) = last.filter(|_| rule.health == "ok") else {
        return Some(Trouble::New);
    };
    let silent = now.duration_since(last).as_secs_f64();
    // Half a minute more: a busy Prometheus, and clocks that differ.
    (silent > interval * MISSED_EVALUATIONS + 30.0)
        .then(|| Trouble::Failing("its group is not evaluated any more".to_owned()))
}

/// Whether an alerting rule is the one that the track means.
pub fn is_meant(monitor: &DriftMonitor, rule: &Rule) -> bool {
    rule.kind == "alerting" && rule.name == monitor.alert.name && carries(&rule.labels, &monitor.alert.match_labels)
}

/// `TargetUp`; none where the track names no target.
pub fn target(monitor: &DriftMonitor, shared: &Shared, workload: Workload<'_>) -> Option<Link> {
    let (wanted, targets) = (monitor.target.as_ref()?, shared.targets.as_ref()?);
    let labels = target_labels(wanted, workload);
    let of_pool = |target: &&Target| wanted.scrape_pool.as_ref().is_none_or(|pool| *pool == target.scrape_pool);
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
    } else if let Some(dropped) = targets.dropped_targets.iter().filter(of_pool).find(|one| may_be(one, wanted, workload)) {
        let message = format!(
            "relabelling drops the target {} of scrape pool {}: correct relabel_configs, or the labels that select it",
            dropped.discovered_labels.get("__address__").map_or("", String::as_str),
            dropped.scrape_pool
        );
        (Holds::False, Reason::RelabelDropped, message)
    } else {
        let near = nearest_target(&targets.active_targets, &labels);
        let message = format!("no target has {described}{near}: add a scrape configuration, or correct spec.driftMonitor.target of the track");
        (Holds::False, Reason::TargetMissing, message)
    };
    Some(link("TargetUp", holds, reason, &message))
}

fn target_labels(target: &MonitorTarget, workload: Workload<'_>) -> Labels {
    let mut labels = target.match_labels.clone();
    let own = [(&target.namespace_label, workload.namespace), (&target.name_label, workload.name)];
    for (label, value) in own {
        labels.extend(label.clone().map(|label| (label, value.to_owned())));
    }
    labels
}

fn described(labels: &Labels, pool: Option<&str>) -> String {
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    let pool = pool.map(|pool| format!("scrape pool {pool}"));
    let both: Vec<String> = [Some(labels.join(", ")).filter(|text| !text.is_empty()), pool].into_iter().flatten().collect();
    if both.is_empty() { "any labels".to_owned() } else { both.join(" in ") }
}

/// Whether a dropped target would have been meant: it has the labels that the track names as far as it was given them
/// before relabelling, and is of the workload's namespace as far as it says.
fn may_be(dropped: &Target, wanted: &MonitorTarget, workload: Workload<'_>) -> bool {
    let labels = &dropped.discovered_labels;
    let known = |name: &String| labels.get(name).or_else(|| labels.get(&format!("__meta_kubernetes_service_label_{name}")));
    let agrees = wanted.match_labels.iter().all(|(name, value)| known(name).is_none_or(|found| found == value));
    let told = wanted.scrape_pool.is_some() || wanted.match_labels.iter().any(|(name, value)| known(name) == Some(value));
    let namespace = labels.get("__meta_kubernetes_namespace");
    agrees && told && (wanted.namespace_label.is_none() || namespace.is_none_or(|found| found == workload.namespace))
}

fn nearest_target(targets: &[Target], labels: &Labels) -> String {
    let shared = |target: &Target| labels.iter().filter(|(name, value)| target.labels.get(*name) == Some(value)).count();
    let nearest = targets.iter().max_by(|a, b| shared(a).cmp(&shared(b)).then_with(|| b.labels.cmp(&a.labels)));
    let Some(nearest) = nearest.filter(|target| shared(target) > 0) else {
        return String::new();
    };
    let differing: Vec<String> = labels
        .iter()
        .filter(|(name, value)| nearest.labels.get(*name) != Some(value))
        .map(|(name, _)| match nearest.labels.get(name) {
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
            Selector::of_series(series).about(question::labels_of(monitor, series), workload).spoken()
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
        let age = monitor.series.get(index).map(|series| spoken(series.max_age));
        let message = format!(
            "{} has no sample of the last {}: what writes it has stopped, or maxAge is too short",
            said(index),
            age.unwrap_or_default()
        );
        links.push(link("SeriesFresh", Holds::False, Reason::Stale, &message));
        return (links, None);
    }
    links.push(good("SeriesFresh"));
    if let Some(index) = numbers.clone().find(|index| fact(*index, "finite") < fact(*index, "fresh")) {
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
    let must_move = |index: &usize| monitor.series.get(*index).is_some_and(|series| series.changes_within.is_some());
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

/// `SeriesPresent` or `RuleSeesWorkload`, broken by a series that is not there. `near` is what comes nearest.
pub fn no_series(name: &str, selector: &Selector, rule: Option<&str>, near: Option<&str>) -> Link {
    let found = near.map_or_else(String::new, |near| format!("; found {near}"));
    let said = selector.spoken();
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

/// What is known of the rules before their selectors are asked for.
pub struct Candidates<'a> {
    /// `RuleLoaded` and `RuleHealthy`, as far as the first broken one.
    pub links: Vec<Link>,
    /// Rules that work and may be this workload's; empty where the chain is broken here.
    pub rules: Vec<&'a Loaded>,
}

/// Most rules of one name whose selectors are asked for, for one workload.
pub const MOST_RULES: usize = 8;

/// Most selectors of one expression that are asked for.
pub const MOST_SELECTORS: usize = 32;

/// Looks for the workload's rules among those that the track means.
pub fn candidates<'a>(monitor: &DriftMonitor, shared: &'a Shared, workload: Workload<'_>) -> Candidates<'a> {
    let name = &monitor.alert.name;
    let broken = |mut links: Vec<Link>, last| {
        links.push(last);
        Candidates { links, rules: Vec::new() }
    };
    if shared.alerts.is_empty() {
        let labels = &monitor.alert.match_labels;
        let with = if labels.is_empty() { String::new() } else { format!(" with {}", described(labels, None)) };
        let message = format!("no alerting rule {name}{with} is loaded: see whether Prometheus selects its file or PrometheusRule");
        return broken(vec![], link("RuleLoaded", Holds::False, Reason::RuleNotLoaded, &message));
    }
    let labels = question::labels_of_alert(monitor);
    let may_be_own = |one: &&Loaded| one.expression.as_ref().is_ok_and(|read| !read.is_of_another(labels, workload));
    let own: Vec<&Loaded> = shared.alerts.iter().filter(|one| one.expression.is_err() || may_be_own(one)).collect();
    let mut links = vec![good("RuleLoaded")];
    if own.is_empty() {
        let message = format!(
            "{} is about other workloads by its own matchers: add one for this workload, or leave the matchers out",
            if shared.alerts.len() == 1 { format!("rule {name}") } else { format!("every rule {name}") }
        );
        return broken(links, link("RuleSeesWorkload", Holds::False, Reason::RuleReferencesNoData, &message));
    }
    let works: Vec<&Loaded> = own.iter().copied().filter(|one| one.trouble.is_none()).collect();
    let Some(first) = works.first() else {
        let failing = own.iter().find_map(|one| match &one.trouble {
            Some(Trouble::Failing(error)) => Some(error),
            _ => None,
        });
        return broken(links, match failing {
            Some(error) => {
                let message = format!("rule {name} cannot be evaluated: {}", one_line(error));
                link("RuleHealthy", Holds::False, Reason::RuleErroring, &message)
            }
            None => {
                let message = format!("rule {name} is new and was not evaluated yet");
                link("RuleHealthy", Holds::Unknown, Reason::RuleNotEvaluated, &message)
            }
        });
    };
    links.push(good("RuleHealthy"));
    let mut readable: Vec<&Loaded> = works.iter().copied().filter(|one| one.expression.is_ok()).collect();
    readable.truncate(MOST_RULES);
    if readable.is_empty() {
        let why = first.expression.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let message = format!("rule {name}: {why}");
        return broken(links, link("RuleSeesWorkload", Holds::Unknown, Reason::RuleUnreadable, &message));
    }
    Candidates { links, rules: readable }
}

/// The recording rule that fails among those that `metrics` rest on, however far back, with its error.
pub fn failing_record<'a>(shared: &'a Shared, metrics: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let mut todo = metrics.to_vec();
    let mut seen: Vec<&str> = Vec::new();
    while let Some(metric) = todo.pop() {
        if seen.contains(&metric) {
            continue;
        }
        seen.push(metric);
        for one in shared.recorded.get(metric).into_iter().flatten() {
            if let Some(Trouble::Failing(error)) = &one.trouble {
                return Some((metric, error));
            }
            todo.extend(inputs(one));
        }
    }
    None
}

/// Names of the metrics that a rule reads.
pub fn inputs(rule: &Loaded) -> impl Iterator<Item = &str> {
    let wanted = rule.expression.as_ref().map(|read| read.wanted.as_slice()).unwrap_or_default();
    wanted.iter().filter_map(|one| one.selector.metric_name())
}

/// A link that a recording rule breaks.
pub fn broken_record(name: &str, message: &str) -> Link {
    link(name, Holds::False, Reason::RecordingRuleBroken, message)
}

/// What the alerts of these rules say of the workload.
pub fn alert(shared: &Shared, labels: &WorkloadLabels, workload: Workload<'_>) -> AlertState {
    let firing = || shared.alerts.iter().flat_map(|one| &one.rule.alerts).filter(|alert| alert.state == "firing");
    let says = |alert: &Alert, label: &str, value: &str| alert.labels.get(label).map(|found| found == value);
    let mut unattributed = None;
    for alert in firing() {
        let own = [(&labels.namespace_label, workload.namespace), (&labels.name_label, workload.name)];
        let said = own.map(|(label, value)| (label, says(alert, label, value)));
        if said.iter().all(|(_, own)| *own == Some(true)) {
            return AlertState::Firing;
        }
        if said.iter().all(|(_, own)| *own != Some(false)) {
            unattributed = said.iter().find(|(_, own)| own.is_none()).map(|(label, _)| (*label).clone());
        }
    }
    unattributed.map_or(AlertState::Quiet, |label| AlertState::Unattributed { label })
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
        let down = json!({"labels": {"job": "trustyai", "namespace": "credit"}, "health": "down", "lastError": "refused"});
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
                assert!(link.message.contains("found one with namespace=\"shop\""), "{}", link.message);
            }
        }
    }

    #[test]
    fn series_link_by_link() {
        let table: [(&[(&str, f64)], usize, Option<(&str, &str)>); 7] = [
            (&[], 0, None),
            (&[("present", 1.0)], 2, Some(("SeriesFresh", "Stale"))),
            (&[("present", 2.0), ("fresh", 2.0), ("finite", 1.0)], 3, Some(("SeriesFinite", "NaN"))),
            (&[("present", 1.0), ("fresh", 1.0)], 3, Some(("SeriesFinite", "NaN"))),
            (&[("present", 1.0), ("fresh", 1.0), ("finite", 1.0), ("old", 1.0)], 4, Some(("SeriesMoving", "Frozen"))),
            (&[("present", 1.0), ("fresh", 1.0), ("finite", 1.0)], 4, Some(("SeriesMoving", "Holds"))),
            (&[("present", 1.0), ("fresh", 1.0), ("finite", 1.0), ("old", 1.0), ("moving", 1.0)], 4, Some(("SeriesMoving", "Holds"))),
        ];
        for (facts, length, last) in table {
            let facts: Facts = facts.iter().map(|(name, value)| (format!("0.{name}"), *value)).collect();
            let (links, missing) = series(&monitor(), &facts, CHURN);
            assert_eq!(links.len(), length, "{facts:?}: {links:?}");
            assert_eq!(missing.is_some(), last.is_none());
            let found = links.last().map(|link| (link.name.as_str(), link.reason.as_str()));
            assert_eq!(found, last, "{facts:?}");
        }
    }

    fn rules(all: &Value, now: &str) -> Shared {
        let groups = vec![serde_json::from_value(json!({"name": "g", "interval": 10, "rules": all})).unwrap()];
        Shared {
            alerts: loaded(groups, now.parse().unwrap(), |rule| is_meant(&monitor(), rule)),
            ..Shared::default()
        }
    }

    fn rule(more: &Value) -> Value {
        let mut rule = json!({
            "type": "alerting", "name": "ModelDrift", "query": "drift > 3", "labels": {"severity": "page"},
            "health": "ok", "lastEvaluation": "2026-01-01T00:00:00.1Z", "alerts": null,
        });
        for (key, value) in more.as_object().unwrap() {
            rule[key] = value.clone();
        }
        rule
    }

    #[test]
    fn rules_before_their_selectors() {
        let table = [
            (json!([]), Some(("RuleLoaded", Holds::False, "RuleNotLoaded"))),
            (json!([rule(&json!({"labels": {}}))]), Some(("RuleLoaded", Holds::False, "RuleNotLoaded"))),
            (json!([rule(&json!({"type": "recording"}))]), Some(("RuleLoaded", Holds::False, "RuleNotLoaded"))),
            (json!([rule(&json!({}))]), None),
            (json!([rule(&json!({"health": "err", "lastError": "many-to-many"}))]), Some(("RuleHealthy", Holds::False, "RuleErroring"))),
            (json!([rule(&json!({"lastEvaluation": "2025-12-31T23:58:00Z"}))]), Some(("RuleHealthy", Holds::False, "RuleErroring"))),
            (json!([rule(&json!({"health": "unknown", "lastEvaluation": "0001-01-01T00:00:00Z"}))]), Some(("RuleHealthy", Holds::Unknown, "RuleNotEvaluated"))),
            (json!([rule(&json!({"health": "err"})), rule(&json!({}))]), None),
            (json!([rule(&json!({"query": "drift{modelId=\"fraud\"} > 3"}))]), Some(("RuleSeesWorkload", Holds::False, "RuleReferencesNoData"))),
            (json!([rule(&json!({"query": "new_function(drift)"}))]), Some(("RuleSeesWorkload", Holds::Unknown, "RuleUnreadable"))),
        ];
        for (all, broken) in table {
            let shared = rules(&all, "2026-01-01T00:00:30Z");
            let found = candidates(&monitor(), &shared, CHURN);
            let last = found.links.last().map(said).filter(|(_, holds, _)| *holds != Holds::True);
            assert_eq!(last, broken, "{all}");
            assert_eq!(found.rules.is_empty(), broken.is_some());
        }
    }

    #[test]
    fn an_alert_is_whose_its_labels_say() {
        let table = [
            (json!([]), AlertState::Quiet),
            (json!([{"labels": {"namespace": "credit", "modelId": "churn"}, "state": "pending"}]), AlertState::Quiet),
            (json!([{"labels": {"namespace": "credit", "modelId": "fraud"}, "state": "firing"}]), AlertState::Quiet),
            (json!([{"labels": {"namespace": "shop", "modelId": "churn"}, "state": "firing"}]), AlertState::Quiet),
            (json!([{"labels": {"namespace": "shop"}, "state": "firing"}]), AlertState::Quiet),
            (json!([{"labels": {"modelId": "churn"}, "state": "firing"}]), AlertState::Unattributed { label: "namespace".into() }),
            (json!([{"labels": {}, "state": "firing"}, {"labels": {"namespace": "credit", "modelId": "churn"}, "state": "firing"}]), AlertState::Firing),
        ];
        for (alerts, want) in table {
            let shared = rules(&json!([rule(&json!({"alerts": alerts}))]), "2026-01-01T00:00:01Z");
            assert_eq!(alert(&shared, &monitor().workload, CHURN), want, "{alerts}");
        }
    }

    #[test]
    fn a_failing_recording_rule_is_found_behind_others() {
        let groups = |name: &str, query: &str, health: &str| {
            let rule = json!({"type": "recording", "name": name, "query": query, "health": health, "lastError": "boom", "lastEvaluation": "2026-01-01T00:00:00Z"});
            vec![serde_json::from_value(json!({"interval": 10, "rules": [rule]})).unwrap()]
        };
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut shared = Shared::default();
        shared.recorded.insert("a:b".into(), loaded(groups("a:b", "sum(c:d + a:b)", "ok"), now, |_| true));
        assert_eq!(failing_record(&shared, &["a:b", "x"]), None);
        shared.recorded.insert("c:d".into(), loaded(groups("c:d", "raw", "err"), now, |_| true));
        assert_eq!(failing_record(&shared, &["x", "a:b"]), Some(("c:d", "boom")));
    }
}
