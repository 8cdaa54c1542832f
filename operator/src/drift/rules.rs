//! The rules between series and alert: which are loaded, which work, and which may be a workload's.

use interlock_crds::drift::{DriftMonitor, WorkloadLabels};
use jiff::Timestamp;

use super::answers::{Alert, Group, Rule, carries};
use super::chain::{Shared, described, good, one_line};
use super::expression::{Expression, Unreadable};
use super::reason::Reason;
use super::{Workload, link, question};
use crate::dossier::{Holds, Link};

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

/// What is known of the rules before their selectors are asked for.
pub struct Candidates<'a> {
    /// `RuleLoaded` and `RuleHealthy`, as far as the first broken one.
    pub links: Vec<Link>,
    /// Rules that work and may be this workload's; empty where the chain is broken here.
    pub rules: Vec<&'a Loaded>,
    /// What to tell if none of these sees the workload although others, that are not looked at, may.
    pub otherwise: Option<Link>,
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
        Candidates {
            links,
            rules: Vec::new(),
            otherwise: None,
        }
    };
    if shared.alerts.is_empty() {
        let message = not_loaded(monitor);
        return broken(
            vec![],
            link("RuleLoaded", Holds::False, Reason::RuleNotLoaded, &message),
        );
    }
    let labels = question::labels_of_alert(monitor);
    let may_be_own = |one: &&Loaded| {
        one.expression
            .as_ref()
            .is_ok_and(|read| !read.is_of_another(labels, workload))
    };
    let own: Vec<&Loaded> = shared
        .alerts
        .iter()
        .filter(|one| one.expression.is_err() || may_be_own(one))
        .collect();
    let mut links = vec![good("RuleLoaded")];
    let mut overwritten = None;
    let own: Vec<&Loaded> = own
        .into_iter()
        .filter(|one| {
            let found = overwrites(&one.rule, labels, workload);
            overwritten = overwritten.or(found);
            found.is_none()
        })
        .collect();
    if let Some((label, value)) = overwritten.filter(|_| own.is_empty()) {
        let message = format!(
            "rule {name} overwrites label {label} with {value:?}, so that its alerts are never this workload's: leave \
             {label} out of the rule's labels"
        );
        return broken(
            links,
            link("RuleSeesWorkload", Holds::False, Reason::RuleOverwritesLabel, &message),
        );
    }
    if own.is_empty() {
        let message = format!(
            "{} is about other workloads by its own matchers: add one for this workload, or leave the matchers out",
            if shared.alerts.len() == 1 {
                format!("rule {name}")
            } else {
                format!("every rule {name}")
            }
        );
        return broken(
            links,
            link("RuleSeesWorkload", Holds::False, Reason::RuleReferencesNoData, &message),
        );
    }
    let works: Vec<&Loaded> = own.iter().copied().filter(|one| one.trouble.is_none()).collect();
    if works.is_empty() {
        let failing = own.iter().find_map(|one| match &one.trouble {
            Some(Trouble::Failing(error)) => Some(error),
            _ => None,
        });
        let new = format!("rule {name} is new and was not evaluated yet");
        let (holds, reason, message) = failing.map_or((Holds::Unknown, Reason::RuleNotEvaluated, new), |error| {
            let message = format!("rule {name} cannot be evaluated: {}", one_line(error));
            (Holds::False, Reason::RuleErroring, message)
        });
        return broken(links, link("RuleHealthy", holds, reason, &message));
    }
    links.push(good("RuleHealthy"));
    match readable(name, &works) {
        Ok((rules, otherwise)) => Candidates {
            links,
            rules,
            otherwise,
        },
        Err(unreadable) => broken(links, unreadable),
    }
}

fn not_loaded(monitor: &DriftMonitor) -> String {
    let labels = &monitor.alert.match_labels;
    let with = if labels.is_empty() {
        String::new()
    } else {
        format!(" with {}", described(labels, None))
    };
    format!(
        "no alerting rule {}{with} is loaded: see whether Prometheus selects its file or PrometheusRule",
        monitor.alert.name
    )
}

/// The rules to look at among those that work, and what to tell if none of them sees the workload though others are not
/// looked at. An error where none can be read.
fn readable<'a>(name: &str, works: &[&'a Loaded]) -> Result<(Vec<&'a Loaded>, Option<Link>), Link> {
    let unknown = |reason, message: &str| link("RuleSeesWorkload", Holds::Unknown, reason, message);
    let mut rules: Vec<&Loaded> = works.iter().copied().filter(|one| one.expression.is_ok()).collect();
    let unreadable = works.iter().find_map(|one| one.expression.as_ref().err());
    let unreadable = unreadable.map(|why| unknown(Reason::RuleUnreadable, &format!("rule {name}: {why}")));
    if rules.is_empty()
        && let Some(unreadable) = unreadable
    {
        return Err(unreadable);
    }
    let more = rules.len().saturating_sub(MOST_RULES);
    rules.truncate(MOST_RULES);
    let too_many = (more > 0).then(|| {
        let message = format!(
            "none of the {MOST_RULES} rules {name} that were asked for sees this workload, and {more} more were not: \
             select the workload's labels in each rule's expression, or name more in alert.matchLabels of the track"
        );
        unknown(Reason::TooManyRules, &message)
    });
    Ok((rules, too_many.or(unreadable)))
}

/// The label of the workload's name or namespace that the rule sets to something else, and to what. What a template
/// makes of it is not known before an alert fires.
fn overwrites<'a>(rule: &'a Rule, labels: &WorkloadLabels, workload: Workload<'_>) -> Option<(&'a str, &'a str)> {
    let own = [
        (labels.namespace_label(), workload.namespace),
        (labels.name_label.as_str(), workload.name),
    ];
    own.iter().find_map(|(label, own)| {
        let (label, value) = rule.labels.get_key_value(*label)?;
        (value != own && !value.contains("{{")).then_some((label.as_str(), value.as_str()))
    })
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
    let wanted = rule
        .expression
        .as_ref()
        .map(|read| read.wanted.as_slice())
        .unwrap_or_default();
    wanted.iter().filter_map(|one| one.selector.metric_name())
}

/// What the alerts of these rules say of the workload.
pub fn alert(shared: &Shared, labels: &WorkloadLabels, workload: Workload<'_>) -> AlertState {
    let firing = || {
        shared
            .alerts
            .iter()
            .flat_map(|one| &one.rule.alerts)
            .filter(|alert| alert.state == "firing")
    };
    let says = |alert: &Alert, label: &str, value: &str| alert.labels.get(label).map(|found| found == value);
    let mut unattributed = None;
    for alert in firing() {
        let own = [
            (labels.namespace_label(), workload.namespace),
            (labels.name_label.as_str(), workload.name),
        ];
        let said = own.map(|(label, value)| (label, says(alert, label, value)));
        if said.iter().all(|(_, own)| *own == Some(true)) {
            return AlertState::Firing;
        }
        if said.iter().all(|(_, own)| *own != Some(false)) {
            unattributed = said
                .iter()
                .find(|(_, own)| own.is_none())
                .map(|(label, _)| (*label).to_owned());
        }
    }
    unattributed.map_or(AlertState::Quiet, |label| AlertState::Unattributed { label })
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
            "series": [{"metric": "drift"}],
            "alert": {"name": "ModelDrift", "matchLabels": {"severity": "page"}},
        }))
        .unwrap()
    }

    fn said(link: &Link) -> (&str, Holds, &str) {
        (&link.name, link.holds, &link.reason)
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

    fn labelled(label: &str, value: &str) -> Value {
        rule(&json!({"labels": {"severity": "page", label: value}}))
    }

    #[test]
    fn a_rule_that_overwrites_a_label_is_told_with_the_label() {
        let shared = rules(&json!([labelled("modelId", "fraud")]), "2026-01-01T00:00:30Z");
        let found = candidates(&monitor(), &shared, CHURN);
        let message = &found.links.last().unwrap().message;
        assert!(
            message.contains("rule ModelDrift overwrites label modelId with \"fraud\""),
            "{message}"
        );
    }

    #[test]
    fn rules_that_are_not_looked_at_leave_it_unknown() {
        let told = |rules_: &[Value]| {
            let shared = rules(&json!(rules_), "2026-01-01T00:00:30Z");
            let found = candidates(&monitor(), &shared, CHURN);
            let otherwise = found.otherwise.map(|link| (link.holds, link.reason));
            (found.rules.len(), otherwise)
        };
        let unknown = |reason: &str| Some((Holds::Unknown, reason.to_owned()));
        let mut all = vec![rule(&json!({})); MOST_RULES];
        assert_eq!(told(&all), (MOST_RULES, None));
        all.push(rule(&json!({"query": "drift{modelId=\"fraud\"} > 3"})));
        assert_eq!(told(&all), (MOST_RULES, None), "one of another workload is not missed");
        all.push(rule(&json!({})));
        assert_eq!(told(&all), (MOST_RULES, unknown("TooManyRules")));
        let all = [rule(&json!({})), rule(&json!({"query": "new_function(drift)"}))];
        assert_eq!(told(&all), (1, unknown("RuleUnreadable")));
    }

    #[test]
    fn rules_before_their_selectors() {
        let table = [
            (json!([]), Some(("RuleLoaded", Holds::False, "RuleNotLoaded"))),
            (
                json!([rule(&json!({"labels": {}}))]),
                Some(("RuleLoaded", Holds::False, "RuleNotLoaded")),
            ),
            (
                json!([rule(&json!({"type": "recording"}))]),
                Some(("RuleLoaded", Holds::False, "RuleNotLoaded")),
            ),
            (json!([rule(&json!({}))]), None),
            (
                json!([rule(&json!({"health": "err", "lastError": "many-to-many"}))]),
                Some(("RuleHealthy", Holds::False, "RuleErroring")),
            ),
            (
                json!([rule(&json!({"lastEvaluation": "2025-12-31T23:58:00Z"}))]),
                Some(("RuleHealthy", Holds::False, "RuleErroring")),
            ),
            (
                json!([rule(
                    &json!({"health": "unknown", "lastEvaluation": "0001-01-01T00:00:00Z"})
                )]),
                Some(("RuleHealthy", Holds::Unknown, "RuleNotEvaluated")),
            ),
            (json!([rule(&json!({"health": "err"})), rule(&json!({}))]), None),
            (
                json!([rule(&json!({"query": "drift{modelId=\"fraud\"} > 3"}))]),
                Some(("RuleSeesWorkload", Holds::False, "RuleReferencesNoData")),
            ),
            (
                json!([rule(&json!({"query": "new_function(drift)"}))]),
                Some(("RuleSeesWorkload", Holds::Unknown, "RuleUnreadable")),
            ),
            (
                json!([labelled("modelId", "fraud")]),
                Some(("RuleSeesWorkload", Holds::False, "RuleOverwritesLabel")),
            ),
            (
                json!([labelled("namespace", "monitoring")]),
                Some(("RuleSeesWorkload", Holds::False, "RuleOverwritesLabel")),
            ),
            (
                json!([labelled("modelId", "")]),
                Some(("RuleSeesWorkload", Holds::False, "RuleOverwritesLabel")),
            ),
            (json!([labelled("modelId", "churn")]), None),
            (json!([labelled("modelId", "{{ $labels.model }}")]), None),
            (json!([labelled("model", "fraud")]), None),
            (
                json!([labelled("modelId", "fraud"), labelled("modelId", "churn")]),
                None,
            ),
        ];
        for (all, broken) in table {
            let shared = rules(&all, "2026-01-01T00:00:30Z");
            let found = candidates(&monitor(), &shared, CHURN);
            let last = found
                .links
                .last()
                .map(said)
                .filter(|(_, holds, _)| *holds != Holds::True);
            assert_eq!(last, broken, "{all}");
            assert_eq!(found.rules.is_empty(), broken.is_some());
        }
    }

    #[test]
    fn an_alert_is_whose_its_labels_say() {
        let table = [
            (json!([]), AlertState::Quiet),
            (
                json!([{"labels": {"namespace": "credit", "modelId": "churn"}, "state": "pending"}]),
                AlertState::Quiet,
            ),
            (
                json!([{"labels": {"namespace": "credit", "modelId": "fraud"}, "state": "firing"}]),
                AlertState::Quiet,
            ),
            (
                json!([{"labels": {"namespace": "shop", "modelId": "churn"}, "state": "firing"}]),
                AlertState::Quiet,
            ),
            (
                json!([{"labels": {"namespace": "shop"}, "state": "firing"}]),
                AlertState::Quiet,
            ),
            (
                json!([{"labels": {"modelId": "churn"}, "state": "firing"}]),
                AlertState::Unattributed {
                    label: "namespace".into(),
                },
            ),
            (
                json!([{"labels": {}, "state": "firing"}, {"labels": {"namespace": "credit", "modelId": "churn"}, "state": "firing"}]),
                AlertState::Firing,
            ),
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
        shared.recorded.insert(
            "a:b".into(),
            loaded(groups("a:b", "sum(c:d + a:b)", "ok"), now, |_| true),
        );
        assert_eq!(failing_record(&shared, &["a:b", "x"]), None);
        shared
            .recorded
            .insert("c:d".into(), loaded(groups("c:d", "raw", "err"), now, |_| true));
        assert_eq!(failing_record(&shared, &["x", "a:b"]), Some(("c:d", "boom")));
    }
}
