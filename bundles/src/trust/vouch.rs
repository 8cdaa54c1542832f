//! Whose signatures hold, and how many different people that are.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::format::SignatureFormat;
use super::signer::Signer;
use crate::digest::Digest;

/// One signer's signature that holds: whose it is by name, and what made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vouch {
    pub(super) name: String,
    /// What made it: the key, and of a certificate also whom it names.
    pub(super) makers: Vec<Maker>,
    /// The keys it rests on, by their fingerprints: the maker's, and those that vouch for it in the signature itself.
    pub(super) keys: Vec<Digest>,
    /// The formats in which it counts.
    pub(super) formats: BTreeSet<SignatureFormat>,
    /// The format in which it came, once that is known to be one of them.
    pub(super) came_as: Option<SignatureFormat>,
    /// When a trusted clock saw it, the earliest if several did and were asked.
    pub(super) seen_at: Option<Timestamp>,
}

/// What made a signature: the same one is never two signers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Maker {
    Key(Digest),
    Identity { issuer: String, subject: String },
}

impl Vouch {
    /// By somebody with a key.
    pub(super) fn by_key(signer: &Signer, key: Digest) -> Self {
        Self {
            name: signer.name.clone(),
            makers: vec![Maker::Key(key)],
            keys: vec![key],
            formats: signer.formats.clone(),
            came_as: None,
            seen_at: None,
        }
    }

    /// For tests: a name and a key.
    #[cfg(test)]
    pub(super) fn test(name: &str, key: Digest) -> Self {
        Self {
            name: name.to_owned(),
            makers: vec![Maker::Key(key)],
            keys: vec![key],
            formats: SignatureFormat::usual(),
            came_as: None,
            seen_at: None,
        }
    }

    /// The same with whom a certificate for the key names, in all of its names; the first comes before all others.
    pub(super) fn named_by(&mut self, issuer: &str, subjects: &[String]) {
        let named = subjects.iter().map(|subject| Maker::Identity {
            issuer: issuer.to_owned(),
            subject: subject.clone(),
        });
        self.makers.splice(..0, named);
    }

    /// Whether both are the same person's, as far as that can be told.
    fn is_tied(&self, other: &Self) -> bool {
        self.name == other.name || self.makers.iter().any(|maker| other.makers.contains(maker))
    }
}

/// The names, sorted, each once.
pub(super) fn names(vouching: &[Vouch]) -> Vec<String> {
    let names: BTreeSet<&String> = vouching.iter().map(|vouch| &vouch.name).collect();
    names.into_iter().cloned().collect()
}

/// The different signers, taking for one whatever is tied by a shared name or maker.
pub(super) fn different(vouching: &[Vouch]) -> Vec<Vec<&Vouch>> {
    let mut groups: Vec<Vec<&Vouch>> = Vec::new();
    for vouch in vouching {
        let tied = |other: &&Vouch| other.is_tied(vouch);
        let (joined, mut apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.iter().any(tied));
        let mut group = joined.concat();
        group.push(vouch);
        apart.push(group);
        groups = apart;
    }
    groups
}
