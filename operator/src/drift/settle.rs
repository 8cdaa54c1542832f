//! From what a probe found to what is told: one bad probe is no news yet.
//!
//! Guarantees: a chain that holds is told as broken or unknown only after [`MISSES`] probes in a row found it so; one
//! that is mended is told at the first probe that finds it so, an alert that fires or ends at once; a found chain that
//! says what was told before, in other numbers or in another program's words, is not told again.

use super::reason::Reason;
use super::{Report, statement};
use crate::dossier::{DriftMonitor, Holds, Link};

/// Bad probes in a row after which what was told changes for the worse.
pub const MISSES: u32 = 2;

/// What is told of one workload.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    told: Option<Report>,
    misses: u32,
}

impl Settled {
    /// Begins with what was told before a restart, if anything.
    pub fn begin(told: Option<Report>) -> Self {
        Self { told, misses: 0 }
    }

    /// What is told.
    pub fn told(&self) -> Option<&Report> {
        self.told.as_ref()
    }

    /// Takes what a probe found; answers whether something else is told now.
    pub fn take(&mut self, found: Report) -> bool {
        let Some(told) = &self.told else {
            self.told = Some(found);
            return true;
        };
        let found = in_words_of(told, found);
        if found.monitor == told.monitor || statement(&found.monitor).0 == Holds::True {
            self.misses = 0;
        } else {
            self.misses = self.misses.saturating_add(1);
            if self.misses < MISSES {
                // The alert's state does not wait for the chain: that it fires is known whatever else is broken.
                let fires = found.detected.holds == Holds::True && told.detected.holds != Holds::True;
                if fires && let Some(told) = &mut self.told {
                    told.detected = found.detected;
                }
                return fires;
            }
            self.misses = 0;
        }
        let changed = *told != found;
        self.told = Some(found);
        changed
    }
}

/// `found` with the messages of `told` where they say the same.
fn in_words_of(told: &Report, found: Report) -> Report {
    let monitor = match (&told.monitor, found.monitor) {
        (DriftMonitor::Complete { links: old }, DriftMonitor::Complete { links }) => {
            let before = |link: &Link| old.iter().find(|one| one.name == link.name);
            let links = links.into_iter().map(|link| match before(&link) {
                Some(old) => reworded(old, link),
                None => link,
            });
            DriftMonitor::Complete { links: links.collect() }
        }
        (DriftMonitor::Unavailable(old), DriftMonitor::Unavailable(new)) if old.reason == new.reason => {
            DriftMonitor::Unavailable(if same(&new.reason, &old.message, &new.message) {
                old.clone()
            } else {
                new
            })
        }
        (_, monitor) => monitor,
    };
    Report {
        monitor,
        detected: reworded(&told.detected, found.detected),
    }
}

fn reworded(old: &Link, new: Link) -> Link {
    let alike = old.holds == new.holds && old.reason == new.reason;
    if alike && same(&new.reason, &old.message, &new.message) {
        old.clone()
    } else {
        new
    }
}

/// Whether two messages differ only in numbers, or quote another program about the same trouble.
fn same(reason: &str, old: &str, new: &str) -> bool {
    Reason::quotes(reason) || without_numbers(old) == without_numbers(new)
}

/// The words of a message, with a stroke for those that are numbers. What is quoted, the value of a label for instance,
/// stays as it is, and so do digits that are a part of a word: `psi_p50` is not `psi_p95`.
fn without_numbers(message: &str) -> Vec<&str> {
    let is_number = |word: &str| {
        let digits = word.trim_end_matches([',', ';', ':', '.']);
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
    };
    let mut inside = false;
    let words = message.split(' ').map(|word| {
        let is_number = !inside && is_number(word);
        inside ^= quotes(word) % 2 == 1;
        if is_number { "-" } else { word }
    });
    words.collect()
}

/// How many quotes begin or end in a word.
fn quotes(word: &str) -> usize {
    let mut escaped = false;
    let count = word.chars().filter(|c| {
        let is_quote = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        is_quote
    });
    count.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::link;
    use crate::drift::rules::AlertState;

    fn chain(broken: Option<(Reason, &str)>, alert: &AlertState) -> Report {
        let links = match broken {
            None => vec![link("TargetUp", Holds::True, Reason::Holds, "")],
            Some((reason, message)) => vec![link("TargetUp", Holds::False, reason, message)],
        };
        Report::of(links, alert, "ModelDrift")
    }

    fn told(settled: &Settled) -> (Holds, String, Holds) {
        let report = settled.told().unwrap();
        let (holds, reason, _) = statement(&report.monitor);
        (holds, reason, report.detected.holds)
    }

    #[test]
    fn bad_news_needs_two_probes_and_good_news_one() {
        let quiet = &AlertState::Quiet;
        let mut settled = Settled::default();
        assert!(settled.take(chain(None, quiet)));
        assert!(!settled.take(chain(Some((Reason::TargetDown, "a")), quiet)));
        assert_eq!(told(&settled), (Holds::True, "Wired".into(), Holds::False));
        assert!(
            !settled.take(chain(None, quiet)),
            "and one in between starts the count again"
        );
        assert!(!settled.take(Report::unavailable(Reason::PrometheusTimeout, "t")));
        assert!(settled.take(chain(Some((Reason::TargetDown, "a")), quiet)));
        assert_eq!(told(&settled), (Holds::False, "TargetDown".into(), Holds::Unknown));
        assert!(!settled.take(Report::unavailable(Reason::PrometheusTimeout, "t")));
        assert!(settled.take(Report::unavailable(Reason::PrometheusTimeout, "t")));
        assert_eq!(
            told(&settled),
            (Holds::Unknown, "PrometheusTimeout".into(), Holds::Unknown)
        );
        assert!(settled.take(chain(None, quiet)));
        assert_eq!(told(&settled), (Holds::True, "Wired".into(), Holds::False));
    }

    #[test]
    fn the_first_probe_is_told_at_once_and_a_restart_begins_where_it_ended() {
        let broken = || chain(Some((Reason::NoSeries, "found m{a=\"1\"}")), &AlertState::Quiet);
        let mut first = Settled::default();
        assert!(first.take(broken()));
        let mut again = Settled::begin(first.told().cloned());
        assert!(!again.take(broken()));
        let mut good = Settled::begin(Some(chain(None, &AlertState::Quiet)));
        assert!(
            !good.take(broken()),
            "a restart does not make one failure count for two"
        );
    }

    #[test]
    fn an_alert_is_told_at_once() {
        let mut settled = Settled::default();
        settled.take(chain(None, &AlertState::Quiet));
        assert!(settled.take(chain(None, &AlertState::Firing)));
        assert_eq!(told(&settled).2, Holds::True);
        assert!(settled.take(chain(None, &AlertState::Quiet)));
        assert!(settled.take(chain(Some((Reason::Stale, "s")), &AlertState::Firing)));
        assert_eq!(told(&settled), (Holds::True, "Wired".into(), Holds::True));
    }

    #[test]
    fn numbers_and_foreign_words_are_no_news_but_other_findings_are() {
        let quiet = &AlertState::Quiet;
        let table: [(Reason, &str, &str, bool); 11] = [
            (Reason::NaN, "2 of 5 series", "3 of 5 series", false),
            (Reason::NaN, "2.5 of 5, 7.", "3 of 60, 8.", false),
            (Reason::NaN, "has 2 of 5", "has of 5", true),
            (Reason::NoSeries, "found a{x=\"y\"}", "found b{x=\"y\"}", true),
            (Reason::NoSeries, "psi_p50 has no series", "psi_p95 has no series", true),
            (Reason::NoSeries, "m{x=\"model 1 b\"}", "m{x=\"model 2 b\"}", true),
            (Reason::NoSeries, "m{x=\"\\\" 1 b\"}", "m{x=\"\\\" 2 b\"}", true),
            (Reason::NoSeries, "m{x=\"1\"}", "m{x=\"2\"}", true),
            (
                Reason::NoSeries,
                "found 200 series that carry a",
                "found 201 series that carry a",
                false,
            ),
            (
                Reason::NoSeries,
                "found 200 series that carry a",
                "found 200 series that carry b",
                true,
            ),
            (Reason::TargetDown, "connection refused", "i/o timeout", false),
        ];
        for (reason, old, new, news) in table {
            let mut settled = Settled::default();
            settled.take(chain(Some((reason, old)), quiet));
            settled.take(chain(Some((reason, new)), quiet));
            assert_eq!(settled.take(chain(Some((reason, new)), quiet)), news, "{reason:?}");
        }
    }
}
