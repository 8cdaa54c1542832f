//! Those whose signatures count, how they sign, and what a signature of theirs must have besides.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::authority::CertificateAuthority;
use super::format::SignatureFormat;
use super::identity::{IdentityRule, Rule};
use super::key::PublicKey;
use super::root::TrustRoot;

/// Somebody who may sign. A signer with several keys appears once for each, under the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The name that policies, conditions and logs use.
    pub name: String,
    /// How they sign.
    pub means: Means,
    /// The formats in which their signatures count.
    pub formats: BTreeSet<SignatureFormat>,
}

/// How somebody signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// With a key that they hold.
    Key(Keyed),
    /// With a key that exists for minutes, and a certificate for it: keyless.
    Keyless(Keyless),
    /// With a key and a certificate for it from an authority of one's own.
    Issued(Issued),
}

/// What a key's signature must have to be its holder's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    /// The key.
    pub key: PublicKey,
    /// What others must say of the signature; nothing, if there is none.
    pub demands: Option<Demands>,
    /// When the key may have signed. With an end to it, a signature counts only if somebody trusted says when it was
    /// made: that takes `demands`, if only for their trust root.
    pub window: Window,
}

/// What others must say of a signature, and whose word counts for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demands {
    /// Whose word counts.
    pub root: TrustRoot,
    /// Whether the signature has to be in a transparency log of the root. An entry that is there must be about this
    /// signature all the same.
    pub logged: bool,
    /// Whether a timestamp authority of the root must have seen it (RFC 3161).
    pub timestamped: bool,
}

/// A span of time, both ends included. Without ends it is always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// Its first moment.
    pub start: Option<Timestamp>,
    /// Its last moment.
    pub end: Option<Timestamp>,
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

/// What a signature with a certificate of an authority of one's own must have to be somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Who has to have issued the certificate.
    pub authority: CertificateAuthority,
    /// Whom it has to name: one of its e-mail addresses, URIs and DNS names; or, if it has none of these, its common name.
    pub subject: Rule,
    /// When it has to be valid, and everything above it.
    pub time: SigningTime,
}

/// When a signature was made, for the certificate that has to be valid then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SigningTime {
    /// When others say it was, who are trusted: a timestamp authority, or a log.
    Said(Demands),
    /// Whenever it was, it counts as made then. Somebody who gets hold of the key later can sign as well.
    At(Timestamp),
    /// Whenever it was, it counts as made when the certificate was issued: it counts for ever, as model-signing has it.
    Issuance,
}

impl Signer {
    /// Somebody who signs so, in a [usual format](SignatureFormat::usual).
    pub fn new(name: impl Into<String>, means: Means) -> Self {
        Self {
            name: name.into(),
            means,
            formats: SignatureFormat::usual(),
        }
    }

    /// Somebody with a key, whose signature alone is enough.
    pub fn with_key(name: impl Into<String>, key: PublicKey) -> Self {
        Self::new(name, Means::Key(Keyed::new(key)))
    }

    pub(super) fn keyed(&self) -> Option<&Keyed> {
        match &self.means {
            Means::Key(keyed) => Some(keyed),
            Means::Keyless(_) | Means::Issued(_) => None,
        }
    }

    pub(super) fn keyless(&self) -> Option<&Keyless> {
        match &self.means {
            Means::Keyless(keyless) => Some(keyless),
            Means::Key(_) | Means::Issued(_) => None,
        }
    }

    pub(super) fn issued(&self) -> Option<&Issued> {
        match &self.means {
            Means::Issued(issued) => Some(issued),
            Means::Key(_) | Means::Keyless(_) => None,
        }
    }
}

impl Keyed {
    /// A key whose signature alone is enough, at any time.
    pub fn new(key: PublicKey) -> Self {
        Self {
            key,
            demands: None,
            window: Window::default(),
        }
    }
}

impl Window {
    /// Whether it has a beginning or an end.
    pub fn is_bounded(&self) -> bool {
        self.start.is_some() || self.end.is_some()
    }

    /// Whether a moment lies in it.
    pub fn holds(&self, moment: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= moment) && self.end.is_none_or(|end| moment <= end)
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.start, self.end) {
            (None, None) => f.write_str("at any time"),
            (Some(start), None) => write!(f, "from {start}"),
            (None, Some(end)) => write!(f, "until {end}"),
            (Some(start), Some(end)) => write!(f, "from {start} until {end}"),
        }
    }
}
