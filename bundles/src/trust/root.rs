//! A trust root: whose word counts about certificates, times and logs. It is a Sigstore `trusted_root.json`
//! (sigstore/protobuf-specs `sigstore_trustroot.proto`), held to its digest and read once.
//!
//! Nothing is fetched: a root that was not given does not exist, and one that was given stays as it is.

use std::sync::Arc;

use jiff::Timestamp;
use sigstore_verify::Verifier;
use sigstore_verify::trust_root::TrustedRoot;

use crate::digest::Digest;

const MEDIA_TYPES: [&str; 2] = [
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
];
/// The public instance's has 7 kB.
const BYTES_MAX: usize = 1024 * 1024;

/// A `trusted_root.json`, read and found usable. Cheap to clone; equal if made from the same bytes.
#[derive(Clone)]
pub struct TrustRoot(Arc<Inner>);

struct Inner {
    digest: Digest,
    authorities: Vec<Authority>,
    verifier: Verifier,
}

/// One of those whose word counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// For what.
    pub role: AuthorityRole,
    /// Its address, or the name in its certificate; for people.
    pub name: String,
    /// From when its word counts; always, if there is none.
    pub start: Option<Timestamp>,
    /// Until when. What it said in its time stays true.
    pub end: Option<Timestamp>,
}

/// What an authority's word is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorityRole {
    /// Issues certificates to identities (Fulcio).
    CertificateAuthority,
    /// Logs the certificates that were issued.
    CertificateLog,
    /// Logs signatures (Rekor).
    TransparencyLog,
    /// Says when something was there (RFC 3161).
    TimestampAuthority,
}

/// Why a text is no usable trust root.
#[derive(Debug, thiserror::Error)]
pub enum TrustRootError {
    /// Larger than any.
    #[error("the trust root has {found} bytes, at most {BYTES_MAX} are read: give the trusted_root.json alone")]
    TooLarge {
        /// Its size in bytes.
        found: usize,
    },
    /// Not the JSON of one.
    #[error("not a trusted_root.json, as `cosign trusted-root create` writes it: {0}")]
    Malformed(String),
    /// Well-formed, and with keys or certificates that cannot be used.
    #[error("the trust root cannot be used")]
    Unusable(#[source] Box<sigstore_verify::Error>),
    /// It is not the one that is wanted.
    #[error("the trust root has the digest {found}, wanted is {wanted}: see which of the two is right")]
    OtherDigest {
        /// What was given.
        found: Digest,
        /// What it was pinned to.
        wanted: Digest,
    },
}

impl TrustRootError {
    /// The stable name for conditions.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } | Self::Malformed(_) => "MalformedTrustRoot",
            Self::Unusable(_) => "UnusableTrustRoot",
            Self::OtherDigest { .. } => "TrustRootChanged",
        }
    }
}

impl TrustRoot {
    /// Reads a `trusted_root.json`. All keys and certificates in it are looked at.
    pub fn from_json(json: &[u8]) -> Result<Self, TrustRootError> {
        if json.len() > BYTES_MAX {
            return Err(TrustRootError::TooLarge { found: json.len() });
        }
        let malformed = |detail: String| TrustRootError::Malformed(detail);
        let text = std::str::from_utf8(json).map_err(|error| malformed(error.to_string()))?;
        let root = TrustedRoot::from_json(text).map_err(|error| malformed(error.to_string()))?;
        if !MEDIA_TYPES.contains(&root.media_type.as_str()) {
            let found = super::envelope::shown(&root.media_type);
            return Err(malformed(format!("media type {found} is not one of {MEDIA_TYPES:?}")));
        }
        let verifier = Verifier::new(&root).map_err(|error| TrustRootError::Unusable(Box::new(error)))?;
        Ok(Self(Arc::new(Inner {
            digest: Digest::of(json),
            authorities: authorities(&root),
            verifier,
        })))
    }

    /// The same, only if its bytes have this digest.
    pub fn pinned(json: &[u8], wanted: Digest) -> Result<Self, TrustRootError> {
        let found = Digest::of(json);
        if found == wanted {
            Self::from_json(json)
        } else {
            Err(TrustRootError::OtherDigest { found, wanted })
        }
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// Whose word counts, and how long.
    pub fn authorities(&self) -> &[Authority] {
        &self.0.authorities
    }

    pub(super) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }
}

impl PartialEq for TrustRoot {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for TrustRoot {}

impl std::fmt::Debug for TrustRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TrustRoot({})", self.digest())
    }
}

fn authorities(root: &TrustedRoot) -> Vec<Authority> {
    use AuthorityRole as Role;
    let one = |role, name: &str, window: Option<sigstore_verify::types::TimeRange>| Authority {
        role,
        name: name.to_owned(),
        start: window.map(|window| window.start),
        end: window.and_then(|window| window.end),
    };
    let certificates = root
        .certificate_authorities
        .iter()
        .map(|authority| one(Role::CertificateAuthority, &authority.uri, authority.valid_for));
    let issued = root
        .ctlogs
        .iter()
        .map(|log| one(Role::CertificateLog, &log.base_url, log.public_key.valid_for));
    let signatures = root
        .tlogs
        .iter()
        .map(|log| one(Role::TransparencyLog, &log.base_url, log.public_key.valid_for));
    let times = root.timestamp_authorities.iter().map(|authority| {
        let name = authority.uri.as_deref().or(authority.subject.common_name.as_deref());
        one(Role::TimestampAuthority, name.unwrap_or_default(), authority.valid_for)
    });
    certificates.chain(issued).chain(signatures).chain(times).collect()
}
