//! What comes nearest to a series that is not there: usually it was renamed, or its labels were.
//!
//! Guarantee: of series that are not the workload's or of its namespace only names of labels are told, never values: the
//! words end in a Release, which a tenant reads. And the same series are told of in the same words, whatever their
//! values and order.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use interlock_crds::drift::WorkloadLabels;

use super::Workload;
use super::answers::{Labels, Sample};
use super::selector::{Selector, quoted};

/// Most labels that a series is shown with.
const SHOWN: usize = 6;

/// The label that marks the number of a metric's series among them.
pub const COUNTED: &str = "__interlock_counted__";

/// What is looked through.
pub struct Near<'a> {
    /// What the workload is called by.
    pub labels: &'a WorkloadLabels,
    /// Whose series is missing.
    pub workload: Workload<'a>,
    /// Series of the metric, and their number.
    pub series: &'a [Sample],
    /// Names of metrics with the workload's own labels.
    pub metrics: &'a [String],
}

impl Near<'_> {
    /// What comes nearest to the selector, in words; nothing if there is none.
    pub fn miss(&self, selector: &Selector) -> Option<String> {
        let metric = selector.metric_name()?;
        let series = self.series.iter().map(|one| &one.metric);
        let series: Vec<&Labels> = series.filter(|one| !one.contains_key(COUNTED)).collect();
        let likes = self.metrics.iter().map(|name| (likeness(metric, name), name));
        let alike = likes
            .filter(|(likeness, name)| *likeness > 0 && *name != metric)
            .max_by_key(|(likeness, name)| (*likeness, Reverse(*name)));
        let own = series.iter().filter(|one| self.may_be_shown(one));
        let nearest = own.max_by_key(|one| (self.owned(one), Reverse(**one)));
        match (alike, nearest) {
            // The workload's name under another label tells more than another metric does.
            (_, Some(labels)) if self.owned(labels) >= 2 => Some(self.shown(selector, labels)),
            (Some((_, name)), _) => Some(format!("{name} with the workload's labels")),
            (None, Some(labels)) => Some(self.shown(selector, labels)),
            (None, None) => self.others(&series),
        }
    }

    /// How much of a series is the workload's: its name counts for more than its namespace.
    fn owned(&self, labels: &Labels) -> usize {
        let has = |value: &str| labels.values().any(|one| one == value);
        usize::from(has(self.workload.name)) * 2 + usize::from(has(self.workload.namespace))
    }

    /// Whether the values of a series are the workload's to see: it is of its namespace, or says none and has its name.
    fn may_be_shown(&self, labels: &Labels) -> bool {
        match labels.get(self.labels.namespace_label()) {
            Some(namespace) => namespace == self.workload.namespace,
            None => labels.values().any(|one| one == self.workload.name),
        }
    }

    /// A series with the labels that matter: those with the workload's name and namespace first, then those that were
    /// asked for.
    fn shown(&self, selector: &Selector, labels: &Labels) -> String {
        let own = |value: &str| value == self.workload.name || value == self.workload.namespace;
        let asked: BTreeSet<&str> = selector.labels().chain([self.labels.name_label.as_str()]).collect();
        let mut all: Vec<_> = labels.iter().filter(|(name, _)| *name != "__name__").collect();
        let rank = |name: &str| (!asked.contains(name), is_of_target(name));
        all.sort_by_key(|(name, value)| (!own(value)).then(|| rank(name)));
        let more = if all.len() > SHOWN { ",…" } else { "" };
        let few: Vec<String> = all
            .into_iter()
            .take(SHOWN)
            .map(|(name, value)| format!("{name}={}", quoted(value)))
            .collect();
        let metric = selector.metric_name().unwrap_or_default();
        format!("{metric}{{{}{more}}}", few.join(","))
    }

    /// Series of others: their number, and the names of the labels that all of them carry.
    fn others(&self, series: &[&Labels]) -> Option<String> {
        let counted = self.series.iter().find(|one| one.metric.contains_key(COUNTED));
        let (_, count) = counted?.value.as_ref()?;
        let mut names: Vec<&str> = match series.split_first() {
            Some((first, others)) => first
                .keys()
                .map(String::as_str)
                .filter(|name| *name != "__name__" && others.iter().all(|one| one.contains_key(*name)))
                .collect(),
            None => Vec::new(),
        };
        names.sort_by_key(|name| is_of_target(name));
        let more = if names.len() > SHOWN { ", …" } else { "" };
        names.truncate(SHOWN);
        let carry = match (names.is_empty(), count == "1") {
            (true, _) => String::new(),
            (false, true) => format!(" that carries {}{more}", names.join(", ")),
            (false, false) => format!(" that carry {}{more}", names.join(", ")),
        };
        Some(if count == "1" {
            format!("1 series{carry} without this workload's values")
        } else {
            format!("{count} series{carry}, none with this workload's values")
        })
    }
}

/// Labels that say where a series was scraped.
fn is_of_target(name: &str) -> bool {
    matches!(name, "instance" | "pod" | "job" | "endpoint" | "container")
}

/// Words that two names share; a metric keeps some of them when it is renamed. The words that nearly every metric has
/// do not count.
fn likeness(one: &str, other: &str) -> usize {
    let words = |name: &str| -> Vec<String> {
        let words = name.split(['_', ':']).filter(|word| word.len() > 1);
        let telling = words.filter(|word| !matches!(*word, "total" | "seconds" | "count" | "sum" | "info"));
        telling.map(str::to_lowercase).collect()
    };
    let theirs = words(other);
    words(one).iter().filter(|word| theirs.contains(word)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHURN: Workload<'_> = Workload {
        namespace: "credit",
        name: "churn",
    };

    fn sample(pairs: &[(&str, &str)]) -> Sample {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Sample {
            metric: pairs.iter().map(own).collect(),
            value: Some((0.0, "7".to_owned())),
        }
    }

    fn counted(number: &str) -> Sample {
        Sample {
            value: Some((0.0, number.to_owned())),
            ..sample(&[(COUNTED, "all")])
        }
    }

    fn miss(series: &[Sample], metrics: &[&str]) -> Option<String> {
        let labels = WorkloadLabels {
            namespace_label: None,
            name_label: "modelId".into(),
        };
        let metrics: Vec<String> = metrics.iter().map(|name| (*name).to_owned()).collect();
        let near = Near {
            labels: &labels,
            workload: CHURN,
            series,
            metrics: &metrics,
        };
        near.miss(&Selector::metric("trustyai_meanshift").of("feature", "age"))
    }

    #[test]
    fn the_nearest_miss_is_named() {
        let model = sample(&[
            ("__name__", "m"),
            ("instance", "i"),
            ("model", "churn"),
            ("namespace", "credit"),
        ]);
        let other = sample(&[("modelId", "fraud"), ("namespace", "credit")]);
        let unnamed = sample(&[("modelId", "churn"), ("exported_namespace", "credit")]);
        let unlike = sample(&[
            ("a", "1"),
            ("b", "2"),
            ("c", "3"),
            ("d", "4"),
            ("e", "5"),
            ("feature", "income"),
            ("modelId", "churn"),
            ("namespace", "credit"),
        ]);
        let table: [(&[Sample], &[&str], Option<&str>); 8] = [
            (&[], &[], None),
            (
                &[other.clone(), model],
                &["trustyai_kstest"],
                Some("trustyai_meanshift{model=\"churn\",namespace=\"credit\",instance=\"i\"}"),
            ),
            (
                &[],
                &["trustyai_comparemeans", "up"],
                Some("trustyai_comparemeans with the workload's labels"),
            ),
            (&[], &["up"], None),
            (
                &[],
                &["trustyai_zeta", "trustyai_alpha"],
                Some("trustyai_alpha with the workload's labels"),
            ),
            (
                &[other],
                &[],
                Some("trustyai_meanshift{namespace=\"credit\",modelId=\"fraud\"}"),
            ),
            (
                &[unnamed],
                &[],
                Some("trustyai_meanshift{exported_namespace=\"credit\",modelId=\"churn\"}"),
            ),
            (
                &[unlike],
                &[],
                Some(
                    "trustyai_meanshift{modelId=\"churn\",namespace=\"credit\",feature=\"income\",a=\"1\",b=\"2\",c=\"3\",…}",
                ),
            ),
        ];
        for (series, metrics, want) in table {
            assert_eq!(miss(series, metrics).as_deref(), want);
        }
    }

    #[test]
    fn of_other_tenants_no_value_is_told() {
        let shop = sample(&[("instance", "i"), ("modelId", "churn"), ("namespace", "shop")]);
        let bare = sample(&[("modelId", "fraud"), ("region", "eu")]);
        let table: [(&[Sample], &str); 4] = [
            (
                &[counted("2"), shop.clone(), bare.clone()],
                "2 series that carry modelId, none with this workload's values",
            ),
            (
                &[shop.clone(), counted("1")],
                "1 series that carries modelId, namespace, instance without this workload's values",
            ),
            (
                &[bare, counted("1")],
                "1 series that carries modelId, region without this workload's values",
            ),
            (&[counted("70000")], "70000 series, none with this workload's values"),
        ];
        for (series, want) in table {
            assert_eq!(miss(series, &[]).as_deref(), Some(want));
        }
    }

    #[test]
    fn the_order_of_the_answer_does_not_matter() {
        let one = |name: &str| sample(&[("modelId", name), ("namespace", "credit")]);
        let mut series = vec![one("zeta"), counted("3"), one("alpha"), one("fraud")];
        let first = miss(&series, &["trustyai_b", "trustyai_a"]);
        series.reverse();
        assert_eq!(miss(&series, &["trustyai_a", "trustyai_b"]), first);
        assert_eq!(miss(&series, &[]), {
            series.rotate_left(2);
            miss(&series, &[])
        });
    }
}
