//! Questions in PromQL, each of many facts in one request, and how their answers are read.

use std::collections::BTreeMap;
use std::time::Duration;

use interlock_crds::drift::{DriftMonitor, MonitorSeries, WorkloadLabels};

use super::Workload;
use super::answers::Vector;
use super::expression::{Sight, Wanted};
use super::near::COUNTED;
use super::selector::{Selector, When, milliseconds, quoted};

/// Numbers by name.
pub type Facts = BTreeMap<String, f64>;

/// Joins questions into one: each becomes a series of its own, named by the label `fact`.
fn joined(facts: impl IntoIterator<Item = (String, String)>) -> String {
    let named =
        |(name, query): (String, String)| format!("label_replace({query},\"fact\",{},\"\",\"\")", quoted(&name));
    let all: Vec<String> = facts.into_iter().map(named).collect();
    all.join(" or ")
}

/// Reads the answer to such a question. What is absent from it is zero.
pub fn facts(answer: &Vector) -> Facts {
    let one = |sample: &super::answers::Sample| {
        let value = sample.value.as_ref()?.1.parse().ok()?;
        Some((sample.metric.get("fact")?.clone(), value))
    };
    answer.result.iter().filter_map(one).collect()
}

/// A count out of the facts.
pub fn count(facts: &Facts, name: &str) -> f64 {
    facts.get(name).copied().unwrap_or_default()
}

/// The labels by which a series tells whose it is.
pub fn labels_of<'a>(monitor: &'a DriftMonitor, series: &'a MonitorSeries) -> &'a WorkloadLabels {
    series.workload.as_ref().unwrap_or(&monitor.workload)
}

/// The labels by which the alert tells whose it is.
pub fn labels_of_alert(monitor: &DriftMonitor) -> &WorkloadLabels {
    monitor.alert.workload.as_ref().unwrap_or(&monitor.workload)
}

/// Everything about the series of a workload in one question. For the series numbered `i`: `i.present`, `i.fresh`,
/// `i.finite` (of the fresh ones), `i.moving`, and `i.old` (those that existed before the time in which they must move).
///
/// To be asked with [`lookback`], so that a series with old samples is told from one that is gone.
pub fn series(monitor: &DriftMonitor, workload: Workload<'_>) -> String {
    let mut all = Vec::new();
    for (index, series) in monitor.series.iter().enumerate() {
        let s = Selector::of_series(series).about(labels_of(monitor, series), workload);
        let fresh = format!(
            "(time()-timestamp({s}))<={}",
            Duration::from(series.max_age()).as_secs_f64()
        );
        let mut ask = |name: &str, query: String| all.push((format!("{index}.{name}"), query));
        ask("present", format!("count({s})"));
        ask("fresh", format!("count({fresh})"));
        // Infinity less infinity is no number either.
        ask("finite", format!("count((({s}-{s})==0) and ({fresh}))"));
        if let Some(within) = series.changes_within {
            let within = milliseconds(within.into());
            ask("moving", format!("count(changes({s}[{within}])>0)"));
            ask("old", format!("count({s} offset {within})"));
        }
    }
    joined(all)
}

/// How far back the newest sample of a series may lie for the series to be told as stale; older ones count as gone. A
/// series that its target stopped to expose is gone at once, whatever this is.
pub fn lookback(monitor: &DriftMonitor) -> Duration {
    let oldest = monitor
        .series
        .iter()
        .map(|series| Duration::from(series.max_age()))
        .max();
    let far = oldest.unwrap_or_default().saturating_mul(4);
    far.clamp(Duration::from_hours(1), Duration::from_hours(7 * 24))
}

/// Which of the selectors have series of the workload: `0`, `1`, ….
pub fn own(wanted: &[Wanted], labels: &WorkloadLabels, workload: Workload<'_>) -> String {
    joined(wanted.iter().enumerate().map(|(index, one)| {
        let selector = one.selector.clone().about(labels, workload);
        (index.to_string(), format!("count({})", selector.at(one.when)))
    }))
}

/// Which of the selectors that have none (by number) have series at all (`0.any`), series of any workload (`0.named`),
/// and, of those that look back, series of this workload now (`0.now`).
pub fn others(wanted: &[Wanted], lacking: &[usize], labels: &WorkloadLabels, workload: Workload<'_>) -> String {
    let mut all = Vec::new();
    for (index, one) in lacking.iter().filter_map(|index| Some((index, wanted.get(*index)?))) {
        let mut ask = |name: &str, selector: &Selector, when| {
            all.push((format!("{index}.{name}"), format!("count({})", selector.at(when))));
        };
        ask("any", &one.selector, one.when);
        ask("named", &one.selector.clone().carrying(&labels.name_label), one.when);
        if one.looks_back() {
            let now = When { offset: 0, ..one.when };
            ask("now", &one.selector.clone().about(labels, workload), now);
        }
    }
    joined(all)
}

/// Selectors of which nothing was found for the workload.
pub fn lacking(wanted: &[Wanted], own: &Facts) -> Vec<usize> {
    let is_lacking = |index: &usize| count(own, &index.to_string()) <= 0.0;
    (0..wanted.len()).filter(is_lacking).collect()
}

/// What was found of each selector.
pub fn sights(wanted: &[Wanted], own: &Facts, others: &Facts) -> Vec<Sight> {
    let sight = |index: usize| {
        if count(own, &index.to_string()) > 0.0 {
            Sight::Own
        } else if count(others, &format!("{index}.any")) > 0.0 && count(others, &format!("{index}.named")) <= 0.0 {
            Sight::Shared
        } else if count(others, &format!("{index}.now")) > 0.0 {
            Sight::Later
        } else {
            Sight::Nothing
        }
    };
    (0..wanted.len()).map(sight).collect()
}

/// Most series of a metric that are looked through for a near miss; where there are more, they are only counted. A
/// choice among them by their values would be another one each time.
const MOST: usize = 1000;

/// For a near miss: how many series the metric has (as the label [`COUNTED`]), those of the workload and its namespace,
/// and those of all, each if they are few.
pub fn of_metric(metric: &str, labels: &WorkloadLabels, workload: Workload<'_>) -> String {
    let all = Selector::metric(metric);
    let near = all.clone().of(labels.namespace_label(), workload.namespace);
    let own = all.clone().about(labels, workload);
    let few = |selector: &Selector| format!("({selector} and on () (count({selector})<={MOST}))");
    format!(
        "label_replace(count({all}),\"{COUNTED}\",\"all\",\"\",\"\") or {} or {} or {}",
        few(&own),
        few(&near),
        few(&all)
    )
}

/// Names of metrics that have series of the workload.
pub fn of_workload(labels: &WorkloadLabels, workload: Workload<'_>) -> String {
    format!("count by (__name__) ({})", Selector::of_workload(labels, workload))
}

#[cfg(test)]
mod tests {
    use promql_parser::parser::parse;
    use serde_json::json;

    use super::*;
    use crate::drift::expression::Expression;

    fn monitor() -> DriftMonitor {
        serde_json::from_value(json!({
            "prometheus": {"url": "http://prometheus:9090"},
            "workload": {"nameLabel": "modelId"},
            "series": [
                {"metric": "drift", "changesWithin": "6h"},
                {"metric": "share", "maxAge": "1m", "workload": {"namespaceLabel": "exported_namespace", "nameLabel": "dataset_name"}},
            ],
            "alert": {"name": "ModelDrift"},
        }))
        .unwrap()
    }

    const HOSTILE: Workload<'_> = Workload {
        namespace: "a\"} or vector(1) #",
        name: "b\\\n\u{fffd}",
    };

    #[test]
    fn every_question_parses_whatever_the_workload_is_called() {
        let monitor = monitor();
        let wanted = Expression::read("drift{x=\"y\"} offset 1d > 3 and rate(count[5m]) > 0")
            .unwrap()
            .wanted;
        for query in [
            series(&monitor, HOSTILE),
            own(&wanted, &monitor.workload, HOSTILE),
            others(&wanted, &[0, 1], &monitor.workload, HOSTILE),
            of_metric("drift", &monitor.workload, HOSTILE),
            of_workload(&monitor.workload, HOSTILE),
        ] {
            parse(&query).unwrap_or_else(|error| panic!("{error}: {query}"));
        }
        let query = series(&monitor, HOSTILE);
        assert!(
            query.contains("offset 21600000ms") && query.contains("\"1.finite\""),
            "{query}"
        );
        assert!(query.contains("dataset_name=\"b\\\\\\u000a\\ufffd\""), "{query}");
    }

    #[test]
    fn a_selector_without_owner_is_shared() {
        let wanted = Expression::read("drift > limit").unwrap().wanted;
        let own = Facts::from([("0".to_owned(), 2.0)]);
        assert_eq!(lacking(&wanted, &own), [1]);
        let others = Facts::from([("1.any".to_owned(), 1.0)]);
        assert_eq!(sights(&wanted, &own, &others), [Sight::Own, Sight::Shared]);
        let others = Facts::from([("1.any".to_owned(), 1.0), ("1.named".to_owned(), 1.0)]);
        assert_eq!(sights(&wanted, &own, &others), [Sight::Own, Sight::Nothing]);
        let others = Facts::from([("1.now".to_owned(), 1.0)]);
        assert_eq!(sights(&wanted, &own, &others), [Sight::Own, Sight::Later]);
    }

    #[test]
    fn only_what_looks_back_is_asked_for_now() {
        let asked = |text: &str| {
            let wanted = Expression::read(text).unwrap().wanted;
            others(&wanted, &[0], &monitor().workload, HOSTILE)
        };
        assert!(asked("drift offset 1d > 3").contains("\"0.now\""));
        for text in ["drift > 3", "drift offset -1d > 3", "drift @ 5 offset 1d > 3"] {
            assert!(!asked(text).contains("\"0.now\""), "{text}");
        }
    }

    #[test]
    fn nothing_that_changes_from_round_to_round_is_chosen_by() {
        let workload = Workload {
            namespace: "credit",
            name: "churn",
        };
        let labels = monitor().workload;
        for query in [of_metric("drift", &labels, workload), of_workload(&labels, workload)] {
            assert!(!query.contains("topk") && !query.contains("limitk"), "{query}");
        }
    }
}
