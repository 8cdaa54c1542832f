//! What is known, what is wished for, and what is to be asked next. No network here: questions go out by [`Store::due`]
//! and answers come in by [`Store::answered`].

mod entry;
mod state;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use interlock_bundles::cache::{CacheError, EvidenceCache};
use interlock_bundles::digest::Digest;
use interlock_bundles::reference::Wanted;
use interlock_bundles::registry::Evidence;
use interlock_bundles::trust::{AttestationPolicy, TrustPolicy};
use tokio::sync::Notify;
use tokio::time::Instant;

use self::entry::Entry;
pub(super) use self::state::{AttestationWish, Wish};
use self::state::{State, Subject, pending};
use super::proof::{self, Proof};
use super::question::{Again, Answer, Artifact, Failure, Question, Tag};
use crate::dossier::{Attestations, Attested, Signature, Source, Unavailable};
use crate::judge::chain;
use crate::operator::metrics::Metrics;
use crate::subject::SubjectKey;

/// Questions under way at the same time.
const AT_ONCE: usize = 8;

/// Evidence about every artifact that a workload wishes for. Shared by all reconciles and the task that asks.
pub struct Store {
    state: Mutex<State>,
    cache: EvidenceCache,
    interval: Duration,
    started: Instant,
    wake: Notify,
    metrics: Arc<Metrics>,
}

/// What is known of a wish.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// The answer; a provisional one while an answer may still come.
    pub(super) signature: Signature,
    /// What is attested, for each type that is wished for.
    pub(super) attestations: Vec<Attestations>,
    /// Since when an answer is awaited, if it is.
    pub(super) pending_since: Option<Instant>,
}

impl Found {
    fn known(signature: Signature) -> Self {
        Self {
            signature,
            attestations: Vec::new(),
            pending_since: None,
        }
    }

    /// It cannot be found out.
    pub(super) fn known_unavailable(reason: &str, message: &str) -> Self {
        Self::known(Signature::Unavailable(Unavailable {
            reason: reason.to_owned(),
            message: message.to_owned(),
        }))
    }
}

impl Store {
    /// An empty one, whose disk may hold evidence of earlier lives. `interval` is how often a registry is asked again.
    pub fn new(cache: EvidenceCache, interval: Duration, metrics: Arc<Metrics>) -> Self {
        Self {
            state: Mutex::default(),
            cache,
            interval,
            started: Instant::now(),
            wake: Notify::new(),
            metrics,
        }
    }

    /// How often a registry is asked again.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Whether less than this has passed since the operator began to lead.
    pub(super) fn is_young(&self, age: Duration) -> bool {
        self.started.elapsed() < age
    }

    /// Returns when there may be something to ask.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// A workload wishes for nothing.
    pub fn forget(&self, subject: &SubjectKey) {
        self.state().subjects.insert(subject.clone(), Subject::default());
    }

    /// The workloads whose track names a Signer.
    pub fn naming(&self, signer: &str) -> Vec<SubjectKey> {
        let state = self.state();
        let named = state.subjects.iter();
        let named = named.filter(|(_, subject)| subject.signers.iter().any(|name| name == signer));
        named.map(|(key, _)| key.clone()).collect()
    }

    /// What is known of a workload's wishes, one answer for each. They replace its earlier ones, and are asked for from
    /// now on. Reads files and checks signatures: not for a thread that must not block.
    pub(super) fn look(&self, subject: &SubjectKey, signers: Vec<String>, wishes: &[Wish]) -> Vec<Found> {
        let now = Instant::now();
        let own = Subject {
            signers,
            wishes: wishes.to_vec(),
        };
        self.state().subjects.insert(subject.clone(), own);
        let found = wishes.iter().map(|wish| {
            let found = self.find(wish, now);
            let (attestations, pending): (_, Vec<_>) = self.attested(wish, &found.signature, now).into_iter().unzip();
            let pending_since = pending.into_iter().flatten().chain(found.pending_since).max();
            Found {
                attestations,
                pending_since,
                ..found
            }
        });
        let found: Vec<_> = found.collect();
        if found.iter().any(|one| one.pending_since.is_some()) {
            self.wake.notify_one();
        }
        found
    }

    fn find(&self, wish: &Wish, now: Instant) -> Found {
        let trust = match &wish.trust {
            Ok(trust) => trust,
            Err(why) => return Found::known(Signature::Unavailable(why.clone())),
        };
        let artifact = match &wish.reference.wanted {
            Wanted::Digest(digest) => Ok(wish.artifact(*digest)),
            Wanted::Tag(tag) => self.leads(wish.tag(tag), now).map(|digest| wish.artifact(digest)),
            Wanted::Semver(_) => Err(Box::new(Found::known_unavailable(
                "InvalidReference",
                "an image has no range of versions",
            ))),
        };
        artifact.map_or_else(
            |found| *found,
            // Of what is revoked itself no registry can say anything that helps.
            |artifact| match proof::revoked(trust, artifact.pinned.digest) {
                Some(signature) => Found::known(signature),
                None => self.signed(&artifact, trust, now),
            },
        )
    }

    /// What is attested about an artifact of whose signatures so much is known, and since when a better answer is awaited.
    fn attested(&self, wish: &Wish, signature: &Signature, now: Instant) -> Vec<(Attestations, Option<Instant>)> {
        let artifact = signature.digest().and_then(|digest| digest.parse().ok());
        let artifact = artifact.map(|digest| wish.artifact(digest));
        let proof = artifact.as_ref().and_then(|artifact| {
            let state = self.state();
            state.artifacts.get(artifact)?.answer.clone()
        });
        let found = |policy: &Result<AttestationPolicy, Unavailable>| match (policy, signature, &artifact, &proof) {
            (Err(why), ..) | (_, Signature::Unavailable(why), ..) => (Source::Unavailable(why.clone()), None),
            (Ok(policy), _, Some(artifact), Some(proof)) => self.attested_by(artifact, proof, policy, now),
            (Ok(_), ..) => {
                let pending = pending();
                let problem = signature.problem().unwrap_or((&pending.reason, &pending.message));
                let why = Unavailable {
                    reason: problem.0.to_owned(),
                    message: problem.1.to_owned(),
                };
                (Source::Unavailable(why), None)
            }
        };
        let of_type = |one: &AttestationWish| {
            let (found, pending_since) = found(&one.policy);
            let predicate_type = one.predicate_type.clone();
            (Attestations { predicate_type, found }, pending_since)
        };
        wish.attestations.iter().map(of_type).collect()
    }

    /// What counts stands, and what is revoked. That there is nothing is believed once the registry was asked after somebody
    /// first looked for it: it may be there by now.
    fn attested_by(
        &self,
        artifact: &Artifact,
        proof: &Proof,
        policy: &AttestationPolicy,
        now: Instant,
    ) -> (Source<Attested>, Option<Instant>) {
        let found = proof.attested(policy, || self.load(artifact));
        // Of an artifact that is revoked itself the registry is not asked.
        let is_known = match &found {
            Source::Complete(attested) => !attested.items.is_empty(),
            Source::Unavailable(_) => true,
        };
        if is_known || policy.trust.not_revoked(artifact.pinned.digest).is_err() {
            return (found, None);
        }
        let mut state = self.state();
        let fallback = state.fallback(artifact.pinned.repository.registry());
        let Some(entry) = state.artifacts.get_mut(artifact) else {
            return (found, None);
        };
        let since = entry.attestations.since(policy, now);
        let is_since = |at: Option<Instant>| at.is_some_and(|at| at >= since);
        if is_since(entry.answered) {
            return (found, None);
        }
        let meanwhile = match &found {
            Source::Complete(attested) if attested.refused.iter().any(|one| one.reason == "Revoked") => found,
            _ => Source::Unavailable(entry.problem.clone().unwrap_or(fallback)),
        };
        if is_since(entry.ended) {
            return (meanwhile, None);
        }
        entry.next = entry.next.min(now);
        (meanwhile, Some(since))
    }

    /// Where a tag leads. What the last attempt could not find out may have changed.
    fn leads(&self, tag: Tag, now: Instant) -> Result<Digest, Box<Found>> {
        let mut state = self.state();
        let fallback = state.fallback(tag.repository.registry());
        let entry = state.tags.entry(tag).or_insert_with(|| Entry::new(None, now));
        match (&entry.problem, entry.answer) {
            (Some(why), _) => Err(Box::new(Found::known(Signature::Unavailable(why.clone())))),
            (None, Some(digest)) => Ok(digest),
            (None, None) => Err(Box::new(entry.pending(fallback))),
        }
    }

    /// Whether an artifact is signed. A result that is not Verified is believed once the registry was asked after
    /// somebody first wished for it under these terms: the signature may be there by now.
    fn signed(&self, artifact: &Artifact, trust: &Arc<TrustPolicy>, now: Instant) -> Found {
        if !self.state().artifacts.contains_key(artifact) {
            let proof = self.restore(artifact);
            let entry = || Entry::new(proof, now);
            self.state().artifacts.entry(artifact.clone()).or_insert_with(entry);
        }
        let mut state = self.state();
        let fallback = state.fallback(artifact.pinned.repository.registry());
        let Some(entry) = state.artifacts.get_mut(artifact) else {
            return Found::known(Signature::Unavailable(fallback));
        };
        let since = entry.policies.since(trust, now);
        let is_since = |at: Option<Instant>| at.is_some_and(|at| at >= since);
        let (was_asked_since, was_answered_since) = (is_since(entry.ended), is_since(entry.answered));
        let (problem, is_restored) = (entry.problem.clone(), entry.is_restored);
        let Some(proof) = entry.answer.clone() else {
            return match &entry.problem {
                Some(why) => Found::known(Signature::Unavailable(why.clone())),
                None => entry.pending(fallback),
            };
        };
        drop(state);
        let load = || self.load(artifact);
        let signature = proof.judge(trust, load, |signature| {
            let is_verified = matches!(signature, Signature::Verified { .. });
            self.metrics.signatures_checked(is_verified);
        });
        if matches!(signature, Signature::Unavailable(_)) {
            // The disk lost it: the registry is asked as if it had never been.
            if let Some(entry) = self.state().artifacts.get_mut(artifact) {
                entry.lose(now);
            }
            return Found::known(signature);
        }
        if was_answered_since || matches!(signature, Signature::Verified { .. }) {
            return Found::known(signature);
        }
        // What an earlier life found out stands while the registry cannot be asked, and so does what is revoked: that is
        // not to wait for anybody. Otherwise an old answer says nothing under terms that are new.
        let meanwhile = if is_restored || signature.is_revoked() {
            signature
        } else {
            Signature::Unavailable(problem.unwrap_or(fallback))
        };
        if was_asked_since {
            return Found::known(meanwhile);
        }
        if let Some(entry) = self.state().artifacts.get_mut(artifact) {
            entry.next = entry.next.min(now);
        }
        Found {
            pending_since: Some(since),
            ..Found::known(meanwhile)
        }
    }

    /// What an earlier life left on disk.
    fn restore(&self, artifact: &Artifact) -> Option<Arc<Proof>> {
        let proof = Proof::new(artifact.pinned.digest, self.load(artifact)?);
        proof.is_on_disk();
        Some(Arc::new(proof))
    }

    fn load(&self, artifact: &Artifact) -> Option<Vec<Evidence>> {
        self.cache.load(&artifact.key()).unwrap_or_else(|error| {
            tracing::warn!(artifact = %artifact.pinned, error = &error as &dyn std::error::Error, "cannot read the evidence cache");
            None
        })
    }

    /// The questions to send now, and when there may be more. Each comes back through [`Self::answered`].
    pub(super) fn due(&self, now: Instant) -> (Vec<Question>, Option<Instant>) {
        let mut state = self.state();
        let mut free = AT_ONCE.saturating_sub(state.under_way());
        let mut waiting = state.open();
        waiting.sort_by_key(|(at, _)| *at);
        let (mut questions, mut next) = (Vec::new(), None::<Instant>);
        for (at, question) in waiting {
            let at = state.hosts.rests_until(question.host()).map_or(at, |rest| rest.max(at));
            if at > now {
                next = Some(next.map_or(at, |next| next.min(at)));
            } else if free > 0 && state.hosts.may_ask(question.host(), now) {
                free -= 1;
                state.begin(&question);
                questions.push(question);
            }
        }
        (questions, next)
    }

    /// Takes an answer in; returns the workloads for which it changes something. Writes a file.
    pub(super) fn answered(
        &self,
        question: &Question,
        outcome: Result<Answer, Failure>,
        now: Instant,
    ) -> Vec<SubjectKey> {
        let failure = outcome.as_ref().err();
        self.state().hosts.end(question.host(), failure, self.interval, now);
        let pauses = (question.spread(self.interval), self.interval);
        let changed = match question {
            Question::Resolve(tag) => {
                let digest = outcome.map(|answer| match answer {
                    Answer::Leads(digest) => Some(digest),
                    Answer::Signatures(_) => None,
                });
                let mut state = self.state();
                let entry = state.tags.get_mut(tag);
                entry.is_some_and(|entry| entry.end(digest, pauses, now, PartialEq::eq))
            }
            Question::Signatures(artifact) => {
                let proof = outcome.and_then(|answer| match answer {
                    Answer::Signatures(evidence) => self.keep(artifact, evidence).map(Some),
                    Answer::Leads(_) => Ok(None),
                });
                let same = |one: &Arc<Proof>, other: &Arc<Proof>| one.is_same(other);
                let known = self
                    .state()
                    .artifacts
                    .get(artifact)
                    .and_then(|entry| entry.answer.clone());
                // Not under the lock: whoever checks a signature meanwhile holds the proof's.
                let is_untimely = proof.is_ok() && known.is_some_and(|known| known.forget_untimely());
                let mut state = self.state();
                let entry = state.artifacts.get_mut(artifact);
                entry.is_some_and(|entry| entry.end(proof, (entry.pause(pauses.0), pauses.1), now, same) || is_untimely)
            }
        };
        if changed {
            self.state().wishing(question)
        } else {
            Vec::new()
        }
    }

    /// Writes evidence down, if it is new. What is too large for memory and finds no place on disk is no answer.
    fn keep(&self, artifact: &Artifact, evidence: Vec<Evidence>) -> Result<Arc<Proof>, Failure> {
        let proof = Proof::new(artifact.pinned.digest, evidence);
        let known = self.state().artifacts.get(artifact).map(|entry| entry.answer.clone());
        let is_new = known.is_some_and(|known| known.is_none_or(|known| !known.is_same(&proof)));
        if let (true, Some(evidence)) = (is_new, proof.evidence(|| None)) {
            match self.cache.store(&artifact.key(), &evidence) {
                Ok(()) => proof.is_on_disk(),
                Err(error) => {
                    tracing::warn!(artifact = %artifact.pinned, error = &error as &dyn std::error::Error, "signatures cannot be kept on disk");
                    if proof.is_large() {
                        return Err(not_kept(&error));
                    }
                }
            }
        }
        Ok(Arc::new(proof))
    }

    /// Every question that is under way is asked again.
    pub(super) fn start_over(&self) {
        let mut state = self.state();
        state.hosts.start_over();
        state.tags.values_mut().for_each(|entry| entry.under_way = false);
        state.artifacts.values_mut().for_each(|entry| entry.under_way = false);
    }

    /// Forgets what none of these workloads needs. The disk is tidied once all of them were looked at: before, it is
    /// not known what they need.
    pub(super) fn tidy(&self, subjects: &[SubjectKey]) -> Result<(), CacheError> {
        let mut state = self.state();
        let all: HashSet<_> = subjects.iter().collect();
        state.subjects.retain(|subject, _| all.contains(subject));
        let all_seen = subjects.iter().all(|subject| state.subjects.contains_key(subject));
        let State {
            subjects,
            tags,
            artifacts,
            ..
        } = &mut *state;
        let wishes = || subjects.values().flat_map(|subject| &subject.wishes);
        let wanted: HashSet<Tag> = wishes().filter_map(Wish::own_tag).collect();
        tags.retain(|tag, entry| entry.under_way || wanted.contains(tag));
        let mut terms: HashMap<Artifact, (Vec<&Arc<TrustPolicy>>, Vec<&AttestationWish>)> = HashMap::new();
        for wish in wishes() {
            for artifact in wish.keeps(tags) {
                let (policies, attestations) = terms.entry(artifact).or_default();
                policies.extend(wish.trust.as_ref().ok());
                attestations.extend(wish.attestations.iter());
            }
        }
        artifacts.retain(|artifact, entry| entry.under_way || terms.contains_key(artifact));
        for (artifact, entry) in artifacts.iter_mut() {
            let Some((policies, attestations)) = terms.get(artifact) else {
                continue;
            };
            // While a Signer is away nobody wishes under its terms; they may come back.
            if !policies.is_empty() {
                entry.policies.keep(policies);
                if let Some(proof) = &entry.answer {
                    proof.keep(|policy| policies.iter().any(|one| one.as_ref() == policy));
                }
            }
            let wanted: Vec<_> = attestations.iter().filter_map(|one| one.policy.as_ref().ok()).collect();
            if attestations.is_empty() || !wanted.is_empty() {
                entry.attestations.keep(&wanted);
            }
        }
        // Also what is not looked at while a Signer is away.
        let kept: BTreeSet<String> = artifacts.keys().chain(terms.keys()).map(Artifact::key).collect();
        drop(state);
        if all_seen {
            self.cache.keep(&kept)?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_kept(error: &CacheError) -> Failure {
    Failure {
        why: Unavailable {
            reason: "EvidenceNotKept".to_owned(),
            message: format!(
                "its signatures and attestations are too many to be held in memory: {}",
                chain(error)
            ),
        },
        again: Again::Soon(None),
        concerns_host: false,
    }
}

#[cfg(test)]
mod tests;
