//! Those whose signatures count, and how they sign.

use std::collections::BTreeSet;

use super::identity::IdentityRule;
use super::key::PublicKey;
use super::root::TrustRoot;
use crate::digest::Digest;

/// Somebody who may sign. A signer with several keys appears once for each, under the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The name that policies, conditions and logs use.
    pub name: String,
    /// How they sign.
    pub means: Means,
}

/// How somebody signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// With a key that they hold.
    Key(PublicKey),
    /// With a key that exists for minutes, and a certificate for it: keyless.
    Keyless(Keyless),
}

/// What a keyless signature must have to be somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyless {
    /// Whom the certificate has to name.
    pub identity: IdentityRule,
    /// Whose word counts about it.
    pub root: TrustRoot,
    /// Whether the signature has to be in a transparency log of the root. An entry that is there must be about this
    /// signature all the same.
    pub logged: bool,
    /// Whether the certificate has to carry the promise of a certificate log of the root.
    pub certificate_logged: bool,
}

impl Signer {
    /// Somebody with a key.
    pub fn with_key(name: impl Into<String>, key: PublicKey) -> Self {
        Self {
            name: name.into(),
            means: Means::Key(key),
        }
    }

    pub(super) fn key(&self) -> Option<&PublicKey> {
        match &self.means {
            Means::Key(key) => Some(key),
            Means::Keyless(_) => None,
        }
    }

    pub(super) fn keyless(&self) -> Option<&Keyless> {
        match &self.means {
            Means::Keyless(keyless) => Some(keyless),
            Means::Key(_) => None,
        }
    }
}

/// One signer's signature that holds: whose it is by name, and what made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vouch {
    pub(super) name: String,
    pub(super) maker: Maker,
}

/// What made a signature: the same one is never two signers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Maker {
    Key(Digest),
    Identity { issuer: String, subject: String },
}

pub(super) fn names(vouching: &[Vouch]) -> Vec<String> {
    let names: BTreeSet<&String> = vouching.iter().map(|vouch| &vouch.name).collect();
    names.into_iter().cloned().collect()
}

/// How many different signers these are, counting as one whatever is tied by a shared name or maker.
pub(super) fn different(vouching: &[Vouch]) -> u32 {
    let mut groups: Vec<Vec<&Vouch>> = Vec::new();
    for vouch in vouching {
        let tied = |other: &&Vouch| other.name == vouch.name || other.maker == vouch.maker;
        let (joined, mut apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.iter().any(tied));
        let mut group = joined.concat();
        group.push(vouch);
        apart.push(group);
        groups = apart;
    }
    u32::try_from(groups.len()).unwrap_or(u32::MAX)
}
