//! A trust root: whose word counts about certificates, times and logs. It is a Sigstore `trusted_root.json`
//! (sigstore/protobuf-specs `sigstore_trustroot.proto`), held to its digest and read once.
//!
//! Nothing is fetched: a root that was not given does not exist, and one that was given stays as it is.

use std::sync::Arc;

use jiff::Timestamp;
use sigstore_verify::Verifier;
use sigstore_verify::crypto::{VerificationKey, parse_certificate_info};
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{DerCertificate, TimeRange};
use x509_cert::der::Encode as _;

use super::authority::{parse, spki};
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
    /// The transparency logs' IDs and keys.
    log_keys: Vec<(Digest, VerificationKey)>,
    /// The certificates of each certificate authority, as far as they tell who issued what.
    issuers: Vec<Vec<Issuer>>,
    verifier: Verifier,
}

/// An authority's certificate.
struct Issuer {
    /// Its subject, in DER.
    name: Vec<u8>,
    /// Its key's fingerprint.
    key: Digest,
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
    /// Until when, by the root and by its own certificates. What it said in its time stays true.
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
            Self::OtherDigest { .. } => "DigestMismatch",
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
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(malformed("it is no JSON object".to_owned()));
        }
        let text = std::str::from_utf8(json).map_err(|error| malformed(error.to_string()))?;
        let mut root = TrustedRoot::from_json(text).map_err(|error| malformed(error.to_string()))?;
        if !MEDIA_TYPES.contains(&root.media_type.as_str()) {
            let found = super::envelope::shown(&root.media_type);
            return Err(malformed(format!("media type {found} is not one of {MEDIA_TYPES:?}")));
        }
        let unusable = |error| TrustRootError::Unusable(Box::new(error));
        lapse(&mut root).map_err(unusable)?;
        let authorities = authorities(&root);
        let log_keys = log_keys(&root);
        let issuers = issuers(&root);
        let verifier = Verifier::new(&root).map_err(unusable)?;
        Ok(Self(Arc::new(Inner {
            digest: Digest::of(json),
            authorities,
            log_keys,
            issuers,
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

    /// Whose word counts, and how long. One that has no time left by its own certificates is not among them.
    pub fn authorities(&self) -> &[Authority] {
        &self.0.authorities
    }

    pub(super) fn log_keys(&self) -> &[(Digest, VerificationKey)] {
        &self.0.log_keys
    }

    /// The keys above the first of these certificates: those of the others, which came along with it, and of this root's
    /// authorities that may have issued any of them, by name; of all authorities, if none has such a name.
    pub(super) fn keys_above(&self, certificates: &[Vec<u8>]) -> Result<Vec<Digest>, String> {
        let (mut keys, mut names) = (Vec::new(), Vec::new());
        for (at, der) in certificates.iter().enumerate() {
            let certificate = parse(der)?;
            let name = certificate.tbs_certificate().issuer().to_der();
            names.push(name.map_err(|error| format!("its issuer cannot be read: {error}"))?);
            if at > 0 {
                keys.push(Digest::of(&spki(&certificate)?));
            }
        }
        let may_have = |chain: &&Vec<Issuer>| chain.iter().any(|one| names.contains(&one.name));
        let is_named = self.0.issuers.iter().any(|chain| may_have(&chain));
        let chains = self.0.issuers.iter().filter(|chain| !is_named || may_have(chain));
        keys.extend(chains.flatten().map(|one| one.key));
        Ok(keys)
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

/// Ends an authority's word with its certificates, which the library takes for good as long as the root says so
/// (CVE-2026-24122 is the same elsewhere). One that has no time left is left out.
fn lapse(root: &mut TrustedRoot) -> Result<(), sigstore_verify::Error> {
    for authority in &mut root.certificate_authorities {
        let chain = authority.cert_chain.certificates.iter().map(|one| &one.raw_bytes);
        authority.valid_for = Some(while_certified(authority.valid_for, chain)?);
    }
    for authority in &mut root.timestamp_authorities {
        let chain = authority.cert_chain.certificates.iter().map(|one| &one.raw_bytes);
        authority.valid_for = Some(while_certified(authority.valid_for, chain)?);
    }
    let lasts =
        |window: Option<TimeRange>| window.is_some_and(|window| window.end.is_none_or(|end| window.start <= end));
    root.certificate_authorities
        .retain(|authority| lasts(authority.valid_for));
    root.timestamp_authorities
        .retain(|authority| lasts(authority.valid_for));
    Ok(())
}

/// The part of a window in which every certificate of a chain is valid.
fn while_certified<'a>(
    window: Option<TimeRange>,
    chain: impl Iterator<Item = &'a DerCertificate>,
) -> Result<TimeRange, sigstore_verify::Error> {
    let mut window = window.unwrap_or(TimeRange::new(Timestamp::MIN, None));
    for certificate in chain {
        let certificate = parse_certificate_info(certificate)?;
        window.start = window.start.max(certificate.not_before);
        window.end = Some(
            window
                .end
                .map_or(certificate.not_after, |end| end.min(certificate.not_after)),
        );
    }
    Ok(window)
}

/// Those that can be used; the verifier refuses a root with others.
fn log_keys(root: &TrustedRoot) -> Vec<(Digest, VerificationKey)> {
    let logs = root.tlogs.iter().filter_map(|log| {
        let id = <[u8; 32]>::try_from(log.log_id.key_id.as_bytes()).ok()?;
        let key = VerificationKey::from_spki(&log.public_key.raw_bytes).ok()?;
        Some((Digest::from_sha256(id), key))
    });
    logs.collect()
}

fn issuers(root: &TrustedRoot) -> Vec<Vec<Issuer>> {
    let issuer = |certificate: &DerCertificate| {
        let certificate = parse(certificate.as_bytes()).ok()?;
        Some(Issuer {
            name: certificate.tbs_certificate().subject().to_der().ok()?,
            key: Digest::of(&spki(&certificate).ok()?),
        })
    };
    let authorities = root.certificate_authorities.iter();
    let chains = authorities.map(|authority| &authority.cert_chain.certificates);
    chains
        .map(|chain| chain.iter().filter_map(|one| issuer(&one.raw_bytes)).collect())
        .collect()
}

fn authorities(root: &TrustedRoot) -> Vec<Authority> {
    use AuthorityRole as Role;
    let one = |role, name: &str, window: Option<TimeRange>| Authority {
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
