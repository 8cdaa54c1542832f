//! Vector selectors, written so that nothing in them can end a string or start another part of a query.

use std::fmt::{self, Write as _};
use std::time::Duration;

use interlock_crds::drift::{MonitorSeries, WorkloadLabels};
use promql_parser::label::{self, MatchOp};
use promql_parser::parser::VectorSelector;

use super::Workload;

/// A selector of series: matchers that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    matchers: Vec<Matcher>,
}

/// One demand on a label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Matcher {
    name: String,
    operator: &'static str,
    value: String,
}

/// The time at which a selector is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// How far back data counts; none: as far as for any newest sample.
    pub range: Option<Duration>,
    /// That long before, in milliseconds; after, if negative.
    pub offset: i64,
    /// A fixed time in place of now, in milliseconds since 1970.
    pub fixed: Option<i64>,
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fixed) = self.fixed {
            let sign = if fixed < 0 { "-" } else { "" };
            let size = fixed.unsigned_abs();
            write!(f, " @ {sign}{}.{:03}", size / 1000, size % 1000)?;
        }
        if self.offset != 0 {
            let sign = if self.offset < 0 { "-" } else { "" };
            write!(f, " offset {sign}{}", in_units(self.offset.unsigned_abs()))?;
        }
        Ok(())
    }
}

/// A PromQL duration in the largest unit that divides it.
fn in_units(milliseconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let fits = UNITS.iter().find(|(size, _)| milliseconds.is_multiple_of(*size));
    let (size, unit) = fits.unwrap_or(&(1, "ms"));
    format!("{}{unit}", milliseconds / size)
}

/// The label that holds a metric's name.
const NAME: &str = "__name__";

impl Selector {
    /// All series of a metric.
    pub fn metric(metric: &str) -> Self {
        Self { matchers: Vec::new() }.with(NAME, "=", metric)
    }

    /// The series of one entry of a track, for every workload.
    pub fn of_series(series: &MonitorSeries) -> Self {
        let labels = series.match_labels.iter();
        labels.fold(Self::metric(&series.metric), |selector, (name, value)| {
            selector.with(name, "=", value)
        })
    }

    /// All series of a workload.
    pub fn of_workload(labels: &WorkloadLabels, workload: Workload<'_>) -> Self {
        Self { matchers: Vec::new() }.about(labels, workload)
    }

    /// A selector of a loaded rule. None for what only other dialects have: alternatives within one selector.
    pub fn of_rule(selector: &VectorSelector) -> Option<Self> {
        if !selector.matchers.or_matchers.is_empty() {
            return None;
        }
        let metric = selector
            .name
            .as_deref()
            .map_or(Self { matchers: Vec::new() }, Self::metric);
        let matchers = selector.matchers.matchers.iter();
        Some(matchers.fold(metric, |all, one: &label::Matcher| {
            let operator = match one.op {
                MatchOp::Equal => "=",
                MatchOp::NotEqual => "!=",
                MatchOp::Re(_) => "=~",
                MatchOp::NotRe(_) => "!~",
            };
            all.with(&one.name, operator, &one.value)
        }))
    }

    /// The same, of one workload only.
    #[must_use]
    pub fn about(self, labels: &WorkloadLabels, workload: Workload<'_>) -> Self {
        self.with(labels.namespace_label(), "=", workload.namespace)
            .with(&labels.name_label, "=", workload.name)
    }

    /// The same, of any workload: only series that carry the label.
    #[must_use]
    pub fn carrying(self, label: &str) -> Self {
        self.with(label, "!=", "")
    }

    /// The name of the metric, where the selector names one.
    pub fn metric_name(&self) -> Option<&str> {
        let named = |one: &&Matcher| one.name == NAME && one.operator == "=";
        self.matchers.iter().find(named).map(|one| one.value.as_str())
    }

    /// Read at that time; with a range, the last values within it.
    pub fn at(&self, when: When) -> String {
        match when.range {
            None => format!("{self}{when}"),
            Some(range) => format!("last_over_time({self}[{}]{when})", milliseconds(range)),
        }
    }

    /// Whether both select the same, in whatever order.
    pub fn is_as(&self, other: &Self) -> bool {
        let sorted = |selector: &Self| {
            let mut matchers = selector.matchers.clone();
            matchers.sort();
            matchers
        };
        sorted(self) == sorted(other)
    }

    /// The labels it has matchers for, but for the metric's name.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        let names = self.matchers.iter().map(|one| one.name.as_str());
        names.filter(|name| *name != NAME)
    }

    /// The same, with this value of a label.
    #[must_use]
    pub fn of(self, label: &str, value: &str) -> Self {
        self.with(label, "=", value)
    }

    fn with(mut self, name: &str, operator: &'static str, value: &str) -> Self {
        let matcher = Matcher {
            name: name.to_owned(),
            operator,
            value: value.to_owned(),
        };
        if !self.matchers.contains(&matcher) {
            self.matchers.push(matcher);
        }
        self
    }

    /// As people write it: the metric's name in front.
    pub fn spoken(&self) -> String {
        let metric = self.metric_name().unwrap_or_default();
        let others: Vec<String> = self
            .matchers
            .iter()
            .filter(|one| one.name != NAME || one.operator != "=")
            .map(Matcher::to_string)
            .collect();
        if others.is_empty() {
            metric.to_owned()
        } else {
            format!("{metric}{{{}}}", others.join(","))
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matchers: Vec<String> = self.matchers.iter().map(Matcher::to_string).collect();
        write!(f, "{{{}}}", matchers.join(","))
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self
            .name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !self.name.starts_with(|first: char| first.is_ascii_digit())
            && !self.name.is_empty();
        if plain {
            write!(f, "{}{}{}", self.name, self.operator, quoted(&self.value))
        } else {
            write!(f, "{}{}{}", quoted(&self.name), self.operator, quoted(&self.value))
        }
    }
}

/// A PromQL string. Whatever is not a printable ASCII character is escaped: a line break would end the string, and
/// Prometheus refuses a literal U+FFFD.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            // Writing to a String cannot fail.
            _ => drop(match u32::from(c) {
                code @ 0..=0xFFFF => write!(out, "\\u{code:04x}"),
                code => write!(out, "\\U{code:08x}"),
            }),
        }
    }
    out.push('"');
    out
}

/// A PromQL duration.
pub fn milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis().max(1))
}

#[cfg(test)]
mod tests {
    use promql_parser::parser::{Expr, parse};
    use proptest::prelude::*;

    use super::*;

    fn labels() -> WorkloadLabels {
        WorkloadLabels {
            namespace_label: None,
            name_label: "modelId".into(),
        }
    }

    fn series() -> MonitorSeries {
        serde_json::from_value(serde_json::json!({
            "metric": "trustyai_comparemeans", "matchLabels": {"referenceTag": "TRAINING"},
        }))
        .unwrap()
    }

    #[test]
    fn a_selector_of_a_series_reads_as_people_write_it() {
        let workload = Workload {
            namespace: "credit",
            name: "churn",
        };
        let selector = Selector::of_series(&series()).about(&labels(), workload);
        let said = "trustyai_comparemeans{referenceTag=\"TRAINING\",namespace=\"credit\",modelId=\"churn\"}";
        assert_eq!(selector.spoken(), said);
        assert_eq!(selector.metric_name(), Some("trustyai_comparemeans"));
        assert_eq!(Selector::metric("up").spoken(), "up");
    }

    proptest! {
        /// Whatever a workload is called, the selector parses, and its matchers hold exactly these strings.
        #[test]
        fn any_name_stays_a_string(namespace in any::<String>(), name in any::<String>()) {
            let workload = Workload { namespace: &namespace, name: &name };
            let text = Selector::of_series(&series()).about(&labels(), workload).to_string();
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let Ok(Expr::VectorSelector(read)) = parse(&text) else {
                return Err(TestCaseError::fail(format!("not a selector: {text}")));
            };
            let value = |label: &str| read.matchers.find_matchers(label).first().map(|one| one.value.clone());
            prop_assert_eq!(value("namespace"), Some(namespace.clone()));
            prop_assert_eq!(value("modelId"), Some(name.clone()));
            prop_assert_eq!(value("referenceTag"), Some("TRAINING".to_owned()));
            prop_assert_eq!(read.matchers.matchers.len(), 4);
            // And what was read from a rule is written the same way again.
            prop_assert_eq!(Selector::of_rule(&read).unwrap().to_string(), text);
        }
    }
}
