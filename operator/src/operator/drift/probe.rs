//! Follows the chain by asking Prometheus.
//!
//! Questions: for a track and round, one for targets (two where one is missing), one for alerting rules and at most
//! [`DEEP`] for recording rules. For a workload and round two while its chain holds, at most twelve where it is broken.

use std::collections::BTreeSet;

use interlock_crds::drift::{DriftMonitor, WorkloadLabels};

use super::prometheus::{Problem, Prometheus};
use crate::dossier::{Holds, Link};
use crate::drift::chain::{self, Shared, good};
use crate::drift::expression::{Expression, Seen, Wanted};
use crate::drift::near::Near;
use crate::drift::reason::Reason;
use crate::drift::rules::{self, Loaded, MOST_SELECTORS};
use crate::drift::selector::Selector;
use crate::drift::{Report, Workload, link, question};
use crate::subject::SubjectKey;

/// Recording rules on recording rules are followed this far.
const DEEP: usize = 3;

/// Most recording rules that are looked at for one track.
const MOST_RECORDED: usize = 64;

/// Asks what all workloads of a track share. `about` are those that are to be probed.
pub(super) async fn shared(
    prometheus: &Prometheus<'_>,
    monitor: &DriftMonitor,
    about: &[SubjectKey],
) -> Result<Shared, Problem> {
    let mut shared = Shared::default();
    if let Some(target) = &monitor.target {
        let pool = target.scrape_pool.as_deref();
        shared.targets = Some(prometheus.targets("active", pool).await?);
        let is_missing = |key: &SubjectKey| {
            let link = chain::target(monitor, &shared, key.into());
            link.is_some_and(|link| link.reason == Reason::TargetMissing.as_str())
        };
        if about.iter().any(is_missing) {
            let dropped = prometheus.targets("dropped", pool).await?.dropped_targets;
            shared.targets.get_or_insert_default().dropped_targets = dropped;
        }
    }
    let (groups, now) = prometheus.rules("alert", &[&monitor.alert.name]).await?;
    shared.alerts = rules::loaded(groups, now, |rule| rules::is_meant(monitor, rule));
    let mut names: BTreeSet<String> = monitor.series.iter().map(|series| series.metric.clone()).collect();
    names.extend(shared.alerts.iter().flat_map(rules::inputs).map(str::to_owned));
    let mut asked = BTreeSet::new();
    for _ in 0..DEEP {
        let new: Vec<String> = names.difference(&asked).take(MOST_RECORDED).cloned().collect();
        if new.is_empty() || shared.recorded.len() > MOST_RECORDED {
            break;
        }
        let words: Vec<&str> = new.iter().map(String::as_str).collect();
        let (groups, now) = prometheus.rules("record", &words).await?;
        let found = rules::loaded(groups, now, |rule| rule.kind == "recording" && new.contains(&rule.name));
        asked.extend(new);
        names.extend(found.iter().flat_map(rules::inputs).map(str::to_owned));
        for one in found {
            shared.recorded.entry(one.rule.name.clone()).or_default().push(one);
        }
    }
    Ok(shared)
}

/// Follows one workload's chain.
pub(super) async fn workload(
    prometheus: &Prometheus<'_>,
    monitor: &DriftMonitor,
    shared: &Shared,
    workload: Workload<'_>,
) -> Result<Report, Problem> {
    let probe = Probe {
        prometheus,
        monitor,
        shared,
        workload,
    };
    let links = probe.links().await?;
    let alert = rules::alert(shared, question::labels_of_alert(monitor), workload);
    Ok(Report::of(links, &alert, &monitor.alert.name))
}

struct Probe<'a> {
    prometheus: &'a Prometheus<'a>,
    monitor: &'a DriftMonitor,
    shared: &'a Shared,
    workload: Workload<'a>,
}

impl Probe<'_> {
    /// Every link, as far as the first broken one.
    async fn links(&self) -> Result<Vec<Link>, Problem> {
        let is_broken = |links: &[Link]| links.last().is_some_and(|link| link.holds == Holds::False);
        let mut links: Vec<Link> = chain::target(self.monitor, self.shared, self.workload)
            .into_iter()
            .collect();
        if is_broken(&links) {
            return Ok(links);
        }
        links.extend(self.series().await?);
        if is_broken(&links) {
            return Ok(links);
        }
        let candidates = rules::candidates(self.monitor, self.shared, self.workload);
        links.extend(candidates.links);
        if !candidates.rules.is_empty() {
            links.push(self.rules(&candidates.rules, candidates.otherwise).await?);
        }
        Ok(links)
    }

    async fn series(&self) -> Result<Vec<Link>, Problem> {
        const NAME: &str = "SeriesPresent";
        let metrics: Vec<&str> = self
            .monitor
            .series
            .iter()
            .map(|series| series.metric.as_str())
            .collect();
        if let Some(failing) = self.failing(NAME, &metrics) {
            return Ok(vec![failing]);
        }
        let query = question::series(self.monitor, self.workload);
        let answer = self
            .prometheus
            .query(query, Some(question::lookback(self.monitor)))
            .await?;
        let (mut links, missing) = chain::series(self.monitor, &question::facts(&answer), self.workload);
        if let Some(series) = missing.and_then(|index| self.monitor.series.get(index)) {
            let labels = question::labels_of(self.monitor, series);
            let wanted = Wanted::now(Selector::of_series(series).about(labels, self.workload));
            links.push(self.missing(NAME, &wanted, labels, None).await?);
        }
        Ok(links)
    }

    /// A recording rule that fails, among those that these metrics rest on.
    fn failing(&self, name: &str, metrics: &[&str]) -> Option<Link> {
        let (metric, error) = rules::failing_record(self.shared, metrics)?;
        let message = format!(
            "recording rule {metric} cannot be evaluated: {}",
            chain::one_line(error)
        );
        Some(chain::broken_record(name, &message))
    }

    /// `RuleSeesWorkload`: one of the rules must. If none does, what is not known of one of them is told, or `otherwise`,
    /// or the first one's trouble.
    async fn rules(&self, rules: &[&Loaded], otherwise: Option<Link>) -> Result<Link, Problem> {
        let (mut broken, mut unknown) = (None, None);
        for rule in rules {
            let link = self.rule(rule).await?;
            match link.holds {
                Holds::True => return Ok(link),
                Holds::False => broken.get_or_insert(link),
                Holds::Unknown => unknown.get_or_insert(link),
            };
        }
        Ok(unknown.or(otherwise).or(broken).unwrap_or_else(|| good(SEES)))
    }

    async fn rule(&self, rule: &Loaded) -> Result<Link, Problem> {
        let Ok(expression) = &rule.expression else {
            return Ok(good(SEES));
        };
        let name = &rule.rule.name;
        if expression.wanted.len() > MOST_SELECTORS {
            let message =
                format!("rule {name} has more than {MOST_SELECTORS} selectors, which is more than is looked at");
            return Ok(link(SEES, Holds::Unknown, Reason::RuleUnreadable, &message));
        }
        let metrics: Vec<&str> = rules::inputs(rule).collect();
        if let Some(failing) = self.failing(SEES, &metrics) {
            return Ok(failing);
        }
        let labels = question::labels_of_alert(self.monitor);
        let seen = expression.seen(&self.sights(&expression.wanted, labels).await?);
        match seen {
            Seen::Workload => Ok(good(SEES)),
            Seen::Lacks(index) => match expression.wanted.get(index) {
                Some(wanted) => self.missing(SEES, wanted, labels, Some(name)).await,
                None => Ok(good(SEES)),
            },
            Seen::NotYet(_) | Seen::Never | Seen::Fixed(_) => Ok(off(name, expression, seen)),
            Seen::NotThisWorkload => {
                let message = format!(
                    "nothing in the expression of rule {name} is about this workload: it must select series with the \
                     labels {} and {}",
                    labels.namespace_label(),
                    labels.name_label
                );
                Ok(link(SEES, Holds::False, Reason::RuleReferencesNoData, &message))
            }
        }
    }

    /// What is found of each selector: one question while all have series of the workload, two otherwise.
    async fn sights(
        &self,
        wanted: &[Wanted],
        labels: &WorkloadLabels,
    ) -> Result<Vec<crate::drift::expression::Sight>, Problem> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let own = self
            .prometheus
            .query(question::own(wanted, labels, self.workload), None)
            .await?;
        let own = question::facts(&own);
        let lacking = question::lacking(wanted, &own);
        let others = if lacking.is_empty() {
            question::Facts::new()
        } else {
            question::facts(
                &self
                    .prometheus
                    .query(question::others(wanted, &lacking, labels, self.workload), None)
                    .await?,
            )
        };
        Ok(question::sights(wanted, &own, &others))
    }

    /// Why a series is not there: a recording rule before it, or a name that nobody exports.
    async fn missing(
        &self,
        name: &str,
        wanted: &Wanted,
        labels: &WorkloadLabels,
        rule: Option<&str>,
    ) -> Result<Link, Problem> {
        let mut metric = wanted.selector.metric_name().unwrap_or_default().to_owned();
        if self.shared.recorded.contains_key(&metric) {
            for _ in 0..DEEP {
                let Some((by, input)) = self.lacking_input(&metric, labels).await? else {
                    break;
                };
                let next = input.selector.metric_name().unwrap_or_default().to_owned();
                if next != metric && self.shared.recorded.contains_key(&next) {
                    metric = next;
                    continue;
                }
                let found = self.near(&input.selector, labels).await?;
                let found = found.map_or_else(String::new, |near| format!("; found {near}"));
                let message = format!(
                    "recording rule {by} asks for {}, which has no series of this workload{found}: correct its expression",
                    input.spoken()
                );
                return Ok(chain::broken_record(name, &message));
            }
            let message = format!(
                "recording rule {metric} records nothing with the labels {} and {} of this workload: keep them in its \
                 expression",
                labels.namespace_label(),
                labels.name_label
            );
            return Ok(chain::broken_record(name, &message));
        }
        let near = self.near(&wanted.selector, labels).await?;
        Ok(chain::no_series(name, &wanted.spoken(), rule, near.as_deref()))
    }

    /// The first selector of the rules that record `metric` which finds nothing for the workload.
    async fn lacking_input(&self, metric: &str, labels: &WorkloadLabels) -> Result<Option<(String, Wanted)>, Problem> {
        for one in self.shared.recorded.get(metric).into_iter().flatten() {
            let Ok(expression) = &one.expression else { continue };
            if expression.wanted.len() > MOST_SELECTORS {
                continue;
            }
            if let Seen::Lacks(index) = expression.seen(&self.sights(&expression.wanted, labels).await?) {
                let wanted = expression.wanted.get(index);
                return Ok(wanted.map(|wanted| (one.rule.name.clone(), wanted.clone())));
            }
        }
        Ok(None)
    }

    /// What comes nearest to a series that is not there.
    async fn near(&self, selector: &Selector, labels: &WorkloadLabels) -> Result<Option<String>, Problem> {
        let Some(metric) = selector.metric_name() else {
            return Ok(None);
        };
        let query = question::of_metric(metric, labels, self.workload);
        let series = self.prometheus.query(query, None).await?.result;
        let metrics = self
            .prometheus
            .query(question::of_workload(labels, self.workload), None)
            .await?;
        let metrics: Vec<String> = metrics
            .result
            .into_iter()
            .filter_map(|mut one| one.metric.remove("__name__"))
            .collect();
        let near = Near {
            labels,
            workload: self.workload,
            series: &series,
            metrics: &metrics,
        };
        Ok(near.miss(selector))
    }
}

const SEES: &str = "RuleSeesWorkload";

/// A rule whose selectors have series, but not such that it could follow them.
fn off(rule: &str, expression: &Expression, seen: Seen) -> Link {
    let said = |index: usize| expression.wanted.get(index).map(Wanted::spoken).unwrap_or_default();
    let (holds, reason, message) = match seen {
        Seen::NotYet(index) => {
            let message = format!(
                "rule {rule} asks for {}, at which time this workload had no series yet: wait, or shorten the offset",
                said(index)
            );
            (Holds::Unknown, Reason::RuleLooksBack, message)
        }
        Seen::Fixed(index) => {
            let message = format!(
                "rule {rule} reads {} at a time that never moves, so that it says nothing of this workload now: leave \
                 out the @",
                said(index)
            );
            (Holds::False, Reason::RuleConstant, message)
        }
        _ => {
            let message = format!(
                "rule {rule} takes away (unless) the very series that it selects, so that it can never fire: correct \
                 the right side of unless"
            );
            (Holds::False, Reason::RuleConstant, message)
        }
    };
    link(SEES, holds, reason, &message)
}
