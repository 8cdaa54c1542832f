//! Registries that are in trouble are left alone for a while: one question finds out when they are back, not all.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::question::{Again, Failure};
use crate::dossier::Unavailable;

/// Questions to one registry at the same time; fewer than all, so that one that hangs leaves room for others.
const AT_ONCE: usize = 6;

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause that a registry is granted because it asks for it.
const LONGEST_WISH: Duration = Duration::from_hours(1);

/// What is known of the registries.
#[derive(Default)]
pub(super) struct Hosts(HashMap<String, Host>);

#[derive(Default)]
struct Host {
    asking: usize,
    failures: u32,
    rests_until: Option<Instant>,
    trouble: Option<Unavailable>,
}

impl Hosts {
    /// Whether a question may be sent now.
    pub(super) fn may_ask(&self, host: &str, now: Instant) -> bool {
        let Some(host) = self.0.get(host) else { return true };
        let most = if host.trouble.is_some() { 1 } else { AT_ONCE };
        host.asking < most && host.rests_until.is_none_or(|until| until <= now)
    }

    /// When a registry that rests may be asked again.
    pub(super) fn rests_until(&self, host: &str) -> Option<Instant> {
        self.0.get(host)?.rests_until
    }

    /// Why it rests.
    pub(super) fn trouble(&self, host: &str) -> Option<&Unavailable> {
        self.0.get(host)?.trouble.as_ref()
    }

    /// A question is sent.
    pub(super) fn begin(&mut self, host: &str) {
        self.0.entry(host.to_owned()).or_default().asking += 1;
    }

    /// It has ended.
    pub(super) fn end(&mut self, host: &str, failure: Option<&Failure>, longest: Duration, now: Instant) {
        let known = self.0.entry(host.to_owned()).or_default();
        known.asking = known.asking.saturating_sub(1);
        match failure.filter(|failure| failure.concerns_host) {
            // Questions that were under way together fail together: that is one failure.
            Some(_) if known.rests_until.is_some_and(|until| until > now) => {}
            Some(failure) => {
                let pause = pause(failure.again, known.failures, longest);
                known.failures = known.failures.saturating_add(1);
                known.rests_until = Some(now + pause);
                known.trouble = Some(failure.why.clone());
            }
            None => {
                known.failures = 0;
                known.rests_until = None;
                known.trouble = None;
            }
        }
    }

    /// No question is under way any more.
    pub(super) fn start_over(&mut self) {
        self.0.values_mut().for_each(|host| host.asking = 0);
    }
}

/// How long to wait after this many failures in a row before: what the registry wishes, within reason; else longer and
/// longer, up to `longest`.
pub(super) fn pause(again: Again, failures: u32, longest: Duration) -> Duration {
    match again {
        Again::Later => longest,
        Again::Soon(Some(wish)) => wish.clamp(FIRST_PAUSE, LONGEST_WISH),
        Again::Soon(None) => FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(longest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(again: Again, concerns_host: bool) -> Failure {
        Failure {
            why: Unavailable {
                reason: "R".to_owned(),
                message: "m".to_owned(),
            },
            again,
            concerns_host,
        }
    }

    const LONGEST: Duration = Duration::from_mins(5);

    #[test]
    fn pauses_grow_and_wishes_are_granted_within_reason() {
        let seconds = |again, failures| pause(again, failures, LONGEST).as_secs();
        let grown: Vec<_> = [0, 1, 2, 7, 8, 40]
            .map(|failures| seconds(Again::Soon(None), failures))
            .into();
        assert_eq!(grown, [2, 4, 8, 256, 300, 300]);
        let wish = |wished| seconds(Again::Soon(Some(Duration::from_secs(wished))), 0);
        assert_eq!((wish(0), wish(60), wish(1_000_000)), (2, 60, 3600));
        assert_eq!(seconds(Again::Later, 0), 300);
    }

    #[test]
    fn one_question_finds_out_when_a_registry_is_back() {
        let (mut hosts, now) = (Hosts::default(), Instant::now());
        for _ in 0..AT_ONCE {
            assert!(hosts.may_ask("r", now));
            hosts.begin("r");
        }
        assert!(!hosts.may_ask("r", now) && hosts.may_ask("other", now));
        for _ in 0..AT_ONCE {
            hosts.end("r", Some(&failure(Again::Soon(None), true)), LONGEST, now);
        }
        assert!(!hosts.may_ask("r", now));
        let later = hosts.rests_until("r").unwrap();
        assert_eq!(later - now, FIRST_PAUSE, "what fails together is one failure");
        assert!(hosts.may_ask("r", later));
        hosts.begin("r");
        assert!(!hosts.may_ask("r", later), "the first one finds out");
        hosts.end("r", Some(&failure(Again::Later, false)), LONGEST, later);
        assert!(hosts.may_ask("r", later), "an answer about one image is an answer");
        assert_eq!(hosts.trouble("r"), None);
    }
}
