//! One question's answer, and when it is worth asking again.

use std::sync::Arc;
use std::time::Duration;

use interlock_bundles::trust::{AttestationPolicy, TrustPolicy};
use tokio::time::Instant;

use super::super::hosts::pause;
use super::super::proof::Proof;
use super::super::question::{Again, Failure};
use super::Found;
use crate::dossier::{Signature, Unavailable};

/// What is known of one question.
pub(super) struct Entry<T> {
    /// The last complete answer.
    pub(super) answer: Option<T>,
    /// Why the last attempt brought none.
    pub(super) problem: Option<Unavailable>,
    /// When the last attempt ended.
    pub(super) ended: Option<Instant>,
    /// When the last complete answer came.
    pub(super) answered: Option<Instant>,
    /// Whether the answer is that of an earlier life, which nothing has replaced yet.
    pub(super) is_restored: bool,
    /// When to ask again.
    pub(super) next: Instant,
    /// Whether it is being asked.
    pub(super) under_way: bool,
    created: Instant,
    failures: u32,
    /// Complete answers in a row that said the same.
    unchanged: u32,
    /// Under which policies the answer is looked at.
    pub(super) policies: Seen<Arc<TrustPolicy>>,
    /// Whose attestations are looked for in it.
    pub(super) attestations: Seen<AttestationPolicy>,
}

/// Terms under which an answer is looked at, and since when.
pub(super) struct Seen<P>(Vec<(P, Instant)>);

impl<P: Clone + PartialEq> Seen<P> {
    /// Since when it is looked at under these terms, which are noted.
    pub(super) fn since(&mut self, terms: &P, now: Instant) -> Instant {
        if let Some((_, since)) = self.0.iter().find(|(known, _)| known == terms) {
            return *since;
        }
        self.0.push((terms.clone(), now));
        now
    }

    /// Whether it is looked at under terms that are newer than this.
    fn has_newer(&self, than: Instant) -> bool {
        self.0.iter().any(|(_, since)| *since > than)
    }

    /// Forgets other terms than these.
    pub(super) fn keep(&mut self, wanted: &[&P]) {
        self.0.retain(|(terms, _)| wanted.contains(&terms));
    }
}

impl<T> Entry<T> {
    /// Not asked yet; `answer` is what an earlier life found out.
    pub(super) fn new(answer: Option<T>, now: Instant) -> Self {
        Self {
            is_restored: answer.is_some(),
            answer,
            problem: None,
            ended: None,
            answered: None,
            next: now,
            under_way: false,
            created: now,
            failures: 0,
            unchanged: 0,
            policies: Seen(Vec::new()),
            attestations: Seen(Vec::new()),
        }
    }

    /// An answer is awaited, since it was first wished for.
    pub(super) fn pending(&self, meanwhile: Unavailable) -> Found {
        Found {
            signature: Signature::Unavailable(meanwhile),
            attestations: Vec::new(),
            pending_since: Some(self.created),
        }
    }

    /// The answer is lost.
    pub(super) fn lose(&mut self, now: Instant) {
        self.answer = None;
        self.next = self.next.min(now);
    }

    /// It is being asked.
    pub(super) fn begin(&mut self) {
        self.under_way = true;
    }

    /// An attempt ended. `pauses` are those after an answer and the longest one after a failure. Returns whether
    /// anybody who looked before would see something else now.
    pub(super) fn end(
        &mut self,
        outcome: Result<Option<T>, Failure>,
        (after_answer, longest): (Duration, Duration),
        now: Instant,
        same: impl FnOnce(&T, &T) -> bool,
    ) -> bool {
        let before = self.ended.replace(now);
        let awaited = before.is_none_or(|ended| self.policies.has_newer(ended) || self.attestations.has_newer(ended));
        self.under_way = false;
        match outcome {
            Ok(answer) => {
                self.failures = 0;
                self.answered = Some(now);
                self.is_restored = false;
                self.next = now + after_answer;
                let was_problem = self.problem.take().is_some();
                let is_same = match (&self.answer, &answer) {
                    (Some(old), Some(new)) => same(old, new),
                    (old, new) => old.is_none() && new.is_none(),
                };
                if is_same {
                    self.unchanged = self.unchanged.saturating_add(1);
                } else {
                    self.unchanged = 0;
                    self.answer = answer;
                }
                awaited || was_problem || !is_same
            }
            Err(failure) => {
                // After an answer it is asked again soon; where there is none, less and less often.
                let again = match failure.again {
                    Again::Later => after_answer.max(pause(Again::Soon(None), self.failures, longest)),
                    soon @ Again::Soon(_) => pause(soon, self.failures, longest),
                };
                self.next = now + again;
                self.failures = self.failures.saturating_add(1);
                // The words of one failure differ from attempt to attempt; a condition should not.
                let is_same = self
                    .problem
                    .as_ref()
                    .is_some_and(|why| why.reason == failure.why.reason);
                if !is_same {
                    self.problem = Some(failure.why);
                }
                awaited || !is_same
            }
        }
    }
}

/// The pause before the first repetition of a question whose answer may soon be another one.
const FIRST_PAUSE: Duration = Duration::from_secs(15);

impl Entry<Arc<Proof>> {
    /// The pause after an answer, at most `longest`. Who has just deployed may be about to sign, so it begins small and
    /// doubles while nothing changes.
    pub(super) fn pause(&self, longest: Duration) -> Duration {
        FIRST_PAUSE.saturating_mul(1 << self.unchanged.min(16)).min(longest)
    }
}
