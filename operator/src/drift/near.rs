//! What comes nearest to a series that is not there: usually it was renamed, or its labels were.

use super::Workload;
use super::answers::Labels;
use super::selector::quoted;

/// Most labels that a series is shown with.
const SHOWN: usize = 6;

/// The series among those of the metric, and the metric among those of the workload, that come nearest, in words;
/// nothing if there is none.
///
/// `series` are the label sets of the metric's series, `metrics` the names of metrics with the workload's own labels.
pub fn miss(metric: &str, workload: Workload<'_>, series: &[Labels], metrics: &[String]) -> Option<String> {
    let alike = metrics
        .iter()
        .filter(|name| *name != metric)
        .map(|name| (likeness(metric, name), name))
        .filter(|(likeness, _)| *likeness > 0)
        .max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(a.1)));
    let owned = |labels: &Labels| {
        let has = |value: &str| labels.values().any(|one| one == value);
        usize::from(has(workload.name)) * 2 + usize::from(has(workload.namespace))
    };
    let nearest = series
        .iter()
        .max_by(|a, b| owned(a).cmp(&owned(b)).then_with(|| b.cmp(a)));
    match (alike, nearest) {
        // The workload's name under another label tells more than another metric does.
        (_, Some(labels)) if owned(labels) >= 2 => Some(shown(metric, labels, workload)),
        (Some((_, name)), _) => Some(format!("{name} with the workload's labels")),
        (None, Some(labels)) => Some(shown(metric, labels, workload)),
        (None, None) => None,
    }
}

/// A series with the labels that matter: those with the workload's name and namespace first.
fn shown(metric: &str, labels: &Labels, workload: Workload<'_>) -> String {
    let own = |value: &str| value == workload.name || value == workload.namespace;
    let mut all: Vec<_> = labels.iter().filter(|(name, _)| *name != "__name__").collect();
    all.sort_by_key(|(name, value)| (!own(value), matches!(name.as_str(), "instance" | "pod")));
    let more = if all.len() > SHOWN { ",…" } else { "" };
    let few: Vec<String> = all
        .into_iter()
        .take(SHOWN)
        .map(|(name, value)| format!("{name}={}", quoted(value)))
        .collect();
    format!("{metric}{{{}{more}}}", few.join(","))
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

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_nearest_miss_is_named() {
        let model = labels(&[
            ("__name__", "m"),
            ("instance", "i"),
            ("model", "churn"),
            ("namespace", "credit"),
        ]);
        let other = labels(&[("modelId", "fraud"), ("namespace", "credit")]);
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let table: [(&[Labels], Vec<String>, Option<&str>); 6] = [
            (&[], names(&[]), None),
            (
                &[other.clone(), model],
                names(&["trustyai_kstest"]),
                Some("trustyai_meanshift{model=\"churn\",namespace=\"credit\",instance=\"i\"}"),
            ),
            (
                &[],
                names(&["trustyai_comparemeans", "up"]),
                Some("trustyai_comparemeans with the workload's labels"),
            ),
            (&[], names(&["up"]), None),
            (
                &[],
                names(&["trustyai_zeta", "trustyai_alpha"]),
                Some("trustyai_alpha with the workload's labels"),
            ),
            (
                &[other],
                names(&[]),
                Some("trustyai_meanshift{namespace=\"credit\",modelId=\"fraud\"}"),
            ),
        ];
        for (series, metrics, want) in table {
            assert_eq!(miss("trustyai_meanshift", CHURN, series, &metrics).as_deref(), want);
        }
    }
}
