//! Everything known, under one lock: what workloads wish for, the entries that this needs, and the registries.

use std::collections::HashMap;
use std::sync::Arc;

use interlock_bundles::digest::Digest;
use interlock_bundles::reference::{Reference, Wanted};
use interlock_bundles::trust::{AttestationPolicy, SignatureFormat, TrustPolicy};
use tokio::time::Instant;

use super::super::hosts::Hosts;
use super::super::proof::Proof;
use super::super::question::{Artifact, Question, Tag};
use super::entry::Entry;
use crate::dossier::Unavailable;
use crate::operator::registry::credentials::PullSecret;
use crate::subject::SubjectKey;

#[derive(Default)]
pub(super) struct State {
    pub(super) subjects: HashMap<SubjectKey, Subject>,
    pub(super) tags: HashMap<Tag, Entry<Digest>>,
    pub(super) artifacts: HashMap<Artifact, Entry<Arc<Proof>>>,
    pub(super) hosts: Hosts,
}

/// What one workload wishes for.
#[derive(Default)]
pub(super) struct Subject {
    /// Every Signer that its track names.
    pub(super) signers: Vec<String>,
    pub(super) wishes: Vec<Wish>,
}

/// One artifact that somebody must have signed.
#[derive(Clone)]
pub(in super::super) struct Wish {
    /// Which.
    pub(in super::super) reference: Reference,
    /// Secrets with credentials.
    pub(in super::super) secrets: Arc<[PullSecret]>,
    /// Who must have signed, or why that is not known.
    pub(in super::super) trust: Result<Arc<TrustPolicy>, Unavailable>,
    /// Whose attestations count, by type, or why that is not known.
    pub(in super::super) attestations: Arc<[AttestationWish]>,
}

/// Attestations of one type that somebody wants to see.
pub(in super::super) struct AttestationWish {
    /// The predicate type.
    pub(in super::super) predicate_type: String,
    /// Whose count, or why that is not known.
    pub(in super::super) policy: Result<AttestationPolicy, Unavailable>,
}

/// Nobody has answered yet.
pub(super) fn pending() -> Unavailable {
    Unavailable {
        reason: "EvidencePending".to_owned(),
        message: "the registry has not answered yet; it is being asked".to_owned(),
    }
}

impl State {
    /// What to say of a question that was not answered in time.
    pub(super) fn fallback(&self, host: &str) -> Unavailable {
        let trouble = self.hosts.trouble(host).cloned();
        trouble.unwrap_or_else(pending)
    }

    pub(super) fn under_way(&self) -> usize {
        let tags = self.tags.values().filter(|entry| entry.under_way).count();
        tags + self.artifacts.values().filter(|entry| entry.under_way).count()
    }

    /// Everything that is worth asking and not under way, with the time from when on it is.
    pub(super) fn open(&self) -> Vec<(Instant, Question)> {
        let mut open = HashMap::new();
        for wish in self.subjects.values().flat_map(|subject| &subject.wishes) {
            // Nothing that a registry says matters while it is not known who may sign. Another attestation may come any day.
            let Ok(trust) = &wish.trust else { continue };
            if let Some(tag) = wish.own_tag()
                && let Some(entry) = self.tags.get(&tag).filter(|entry| !entry.under_way)
            {
                open.insert(Question::Resolve(tag), entry.next);
            }
            if let Some(artifact) = wish.leads_to(&self.tags)
                && trust.not_revoked(artifact.pinned.digest).is_ok()
                && let Some(entry) = self.artifacts.get(&artifact).filter(|entry| !entry.under_way)
                && (!entry.answer.as_ref().is_some_and(|proof| proof.satisfies(trust)) || !wish.attestations.is_empty())
            {
                open.insert(Question::Signatures(artifact), entry.next);
            }
        }
        open.into_iter().map(|(question, at)| (at, question)).collect()
    }

    pub(super) fn begin(&mut self, question: &Question) {
        self.hosts.begin(question.host());
        match question {
            Question::Resolve(tag) => self.tags.get_mut(tag).into_iter().for_each(Entry::begin),
            Question::Signatures(artifact) => self.artifacts.get_mut(artifact).into_iter().for_each(Entry::begin),
        }
    }

    /// The workloads that wish for an answer to this.
    pub(super) fn wishing(&self, question: &Question) -> Vec<SubjectKey> {
        let concerns = |wish: &Wish| match question {
            Question::Resolve(tag) => wish.own_tag().as_ref() == Some(tag),
            Question::Signatures(artifact) => wish.leads_to(&self.tags).as_ref() == Some(artifact),
        };
        let subjects = self.subjects.iter();
        let concerned = subjects.filter(|(_, subject)| subject.wishes.iter().any(concerns));
        concerned.map(|(key, _)| key.clone()).collect()
    }
}

impl Wish {
    pub(super) fn tag(&self, tag: &str) -> Tag {
        Tag {
            repository: self.reference.repository.clone(),
            name: tag.to_owned(),
            secrets: Arc::clone(&self.secrets),
        }
    }

    pub(super) fn artifact(&self, digest: Digest) -> Artifact {
        let trust = self.trust.as_ref();
        self.artifact_in(digest, trust.is_ok_and(|trust| trust.accepts(SignatureFormat::Legacy)))
    }

    fn artifact_in(&self, digest: Digest, legacy: bool) -> Artifact {
        Artifact {
            pinned: self.reference.repository.pin(digest),
            secrets: Arc::clone(&self.secrets),
            legacy,
        }
    }

    /// The tag to be resolved first, if there is one.
    pub(super) fn own_tag(&self) -> Option<Tag> {
        match &self.reference.wanted {
            Wanted::Tag(tag) => Some(self.tag(tag)),
            Wanted::Digest(_) | Wanted::Semver(_) => None,
        }
    }

    /// The artifact, as far as it is known which.
    pub(super) fn leads_to(&self, tags: &HashMap<Tag, Entry<Digest>>) -> Option<Artifact> {
        Some(self.artifact(self.digest(tags)?))
    }

    /// What to keep for it: while it is not known who may sign, what there is in either format.
    pub(super) fn keeps(&self, tags: &HashMap<Tag, Entry<Digest>>) -> Vec<Artifact> {
        match (self.digest(tags), &self.trust) {
            (None, _) => Vec::new(),
            (Some(digest), Ok(_)) => vec![self.artifact(digest)],
            (Some(digest), Err(_)) => [false, true].map(|legacy| self.artifact_in(digest, legacy)).into(),
        }
    }

    fn digest(&self, tags: &HashMap<Tag, Entry<Digest>>) -> Option<Digest> {
        match &self.reference.wanted {
            Wanted::Digest(digest) => Some(*digest),
            Wanted::Tag(tag) => tags.get(&self.tag(tag))?.answer,
            Wanted::Semver(_) => None,
        }
    }
}
