//! A certificate authority of one's own: root certificates that are given, and what they vouch for. Chains are built and
//! checked by webpki; no root is taken from a signature, from the system or from the network.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectAltName};
use x509_cert::spki::ObjectIdentifier;

use super::key::PublicKey;
use super::signer::Window;
use crate::digest::Digest;

/// Some hundred certificates.
const PEM_MAX: usize = 256 * 1024;
/// The use that a signer's certificate must name: id-kp-codeSigning (RFC 5280 section 4.2.1.12).
const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
/// Extensions of RFC 5280 sections 4.2.1.6 and 4.2.1.10.
const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
/// The use as it is encoded.
const CODE_SIGNING_DER: [u8; 8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];

/// Root certificates, and intermediate ones that signatures do not bring along. Cheap to clone; equal if made of the same
/// certificates.
#[derive(Clone)]
pub struct CertificateAuthority(Arc<Inner>);

struct Inner {
    digest: Digest,
    roots: Vec<Root>,
    intermediates: Vec<CertificateDer<'static>>,
}

struct Root {
    anchor: TrustAnchor<'static>,
    window: Window,
    key: Digest,
}

/// Why a text is no usable certificate authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Larger than any.
    #[error("the certificates have {found} bytes, at most {PEM_MAX} are read: give those of the authority alone")]
    TooLarge {
        /// Their size in bytes.
        found: usize,
    },
    /// A private key among them.
    #[error("there is a private key among the certificates, which must stay with the authority")]
    PrivateKey,
    /// None at all.
    #[error("there is no certificate: want PEM blocks that begin with -----BEGIN CERTIFICATE-----")]
    None,
    /// A block that is none, or cannot be read.
    #[error("certificate {number} cannot be used: {problem}")]
    Unusable {
        /// Which, from 1 on.
        number: usize,
        /// Why.
        problem: String,
    },
}

impl AuthorityError {
    /// The stable name for conditions.
    pub fn reason(&self) -> &'static str {
        "UnusableAuthority"
    }
}

/// Whom and what a signer's certificate names. Nothing of it is believed before its chain is checked.
pub(super) struct Leaf {
    der: CertificateDer<'static>,
    pub(super) key: PublicKey,
    /// E-mail addresses, URIs and DNS names; of a certificate without, the common name.
    pub(super) names: Vec<String>,
    /// Whether that is its common name, which no authority's constraints on names reach.
    has_common_name_alone: bool,
    pub(super) window: Window,
    signs_code: bool,
}

/// A chain that holds.
pub(super) struct Chain {
    /// The key of the root that it ends in.
    pub(super) root: Digest,
    /// The keys between that and the signer's.
    pub(super) between: Vec<Digest>,
}

impl CertificateAuthority {
    /// Reads PEM blocks: the root certificates, and intermediate ones, of which there may be none. Roots count because
    /// they are given here, whoever signed them.
    pub fn from_pem(roots: &str, intermediates: &str) -> Result<Self, AuthorityError> {
        let (roots, intermediates) = (certificates(roots)?, certificates(intermediates)?);
        if roots.is_empty() {
            return Err(AuthorityError::None);
        }
        let all: Vec<&[u8]> = roots.iter().chain(&intermediates).map(AsRef::as_ref).collect();
        let mut digests = Vec::new();
        for (number, der) in all.iter().enumerate() {
            // What cannot be read would be missed only when it is needed.
            parse(der).map_err(|problem| AuthorityError::Unusable {
                number: number + 1,
                problem,
            })?;
            digests.extend_from_slice(Digest::of(der).as_bytes());
        }
        // A root given as an intermediate is another authority.
        digests.extend_from_slice(&roots.len().to_be_bytes());
        let read = |(number, der): (usize, &CertificateDer<'static>)| {
            Root::read(der).map_err(|problem| AuthorityError::Unusable {
                number: number + 1,
                problem,
            })
        };
        let roots = roots.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Inner {
            digest: Digest::of(&digests),
            roots,
            intermediates,
        })))
    }

    /// A digest of all its certificates: the same ones, in the same order, always have the same one.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// The keys of the root certificates, by their fingerprints, in the order in which they were given.
    pub fn root_keys(&self) -> impl Iterator<Item = Digest> {
        self.0.roots.iter().map(|root| root.key)
    }

    /// When the last of the root certificates ends: nothing that is signed later has a chain that holds.
    pub fn end(&self) -> Option<Timestamp> {
        self.0.roots.iter().filter_map(|root| root.window.end).max()
    }

    /// Whether a chain of certificates, all valid at that time, leads from one for signing code to one of the roots.
    /// `others` come with the signature.
    pub(super) fn vouches(&self, leaf: &Leaf, others: &[Vec<u8>], at: Timestamp) -> Result<Chain, String> {
        let valid: Vec<&Root> = self.0.roots.iter().filter(|root| root.window.holds(at)).collect();
        let anchors: Vec<TrustAnchor<'_>> = valid.iter().map(|root| root.anchor.clone()).collect();
        if anchors.is_empty() {
            return Err(format!("none of the root certificates is valid at {at}"));
        }
        let others = others.iter().map(|der| CertificateDer::from(der.as_slice()));
        let intermediates: Vec<CertificateDer<'_>> = others.chain(self.0.intermediates.iter().cloned()).collect();
        let seconds = u64::try_from(at.as_second()).map_err(|_| format!("{at} is before 1970"))?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        if !leaf.signs_code {
            return Err(NO_CODE_SIGNING.to_owned());
        }
        // Authorities may leave it open; those that name uses have to name this one.
        let usage = KeyUsage::required_if_present(&CODE_SIGNING_DER);
        let end = EndEntityCert::try_from(&leaf.der).map_err(|error| format!("it cannot be read: {error}"))?;
        let path = end
            .verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &intermediates, time, usage, None, None)
            .map_err(|error| told(&error, at))?;
        let constrains = |one: &webpki::Cert<'_>| has_name_constraints(one.der().as_ref());
        if leaf.has_common_name_alone
            && (path.anchor().name_constraints.is_some() || path.intermediate_certificates().any(constrains))
        {
            return Err("it has a common name alone, and an authority above it may not give every name".to_owned());
        }
        let root = valid.iter().find(|root| root.anchor == *path.anchor());
        let between = path
            .intermediate_certificates()
            .map(|one| Digest::of(one.subject_public_key_info().as_ref()));
        Ok(Chain {
            root: root.map(|root| root.key).ok_or("its root is none of those given")?,
            between: between.collect(),
        })
    }
}

impl PartialEq for CertificateAuthority {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for CertificateAuthority {}

impl std::fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CertificateAuthority({})", self.digest())
    }
}

impl Root {
    fn read(der: &CertificateDer<'static>) -> Result<Self, String> {
        let anchor = anchor_from_trusted_cert(der).map_err(|error| error.to_string())?;
        let certificate = parse(der)?;
        Ok(Self {
            anchor: anchor.to_owned(),
            window: window(&certificate)?,
            key: Digest::of(&spki(&certificate)?),
        })
    }
}

impl Leaf {
    pub(super) fn read(der: &[u8]) -> Result<Self, String> {
        let certificate = parse(der)?;
        let key =
            PublicKey::from_spki(&spki(&certificate)?).map_err(|error| match std::error::Error::source(&error) {
                Some(cause) => format!("its key cannot be used: {error}: {cause}"),
                None => format!("its key cannot be used: {error}"),
            })?;
        Ok(Self {
            der: CertificateDer::from(der.to_vec()),
            key,
            has_common_name_alone: !has_extension(&certificate, SUBJECT_ALTERNATIVE_NAME),
            names: names(&certificate)?,
            window: window(&certificate)?,
            signs_code: signs_code(&certificate)?,
        })
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    if pem.len() > PEM_MAX {
        return Err(AuthorityError::TooLarge { found: pem.len() });
    }
    if pem.contains("PRIVATE KEY-----") {
        return Err(AuthorityError::PrivateKey);
    }
    let blocks = CertificateDer::pem_slice_iter(pem.as_bytes());
    let read = |(number, block): (usize, Result<_, rustls_pki_types::pem::Error>)| {
        block.map_err(|error| AuthorityError::Unusable {
            number: number + 1,
            problem: error.to_string(),
        })
    };
    blocks.enumerate().map(read).collect()
}

pub(super) fn parse(der: &[u8]) -> Result<Certificate, String> {
    Certificate::from_der(der).map_err(|error| format!("it is no certificate: {error}"))
}

pub(super) fn spki(certificate: &Certificate) -> Result<Vec<u8>, String> {
    let key = certificate.tbs_certificate().subject_public_key_info();
    key.to_der().map_err(|error| format!("its key cannot be read: {error}"))
}

fn window(certificate: &Certificate) -> Result<Window, String> {
    let moment = |time: &x509_cert::time::Time| {
        let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok();
        seconds
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .ok_or_else(|| format!("its validity has the time {time}, which no clock shows"))
    };
    let validity = certificate.tbs_certificate().validity();
    Ok(Window {
        start: Some(moment(&validity.not_before)?),
        end: Some(moment(&validity.not_after)?),
    })
}

fn signs_code(certificate: &Certificate) -> Result<bool, String> {
    let usages = certificate.tbs_certificate().get_extension::<ExtendedKeyUsage>();
    let usages = usages.map_err(|error| format!("its uses cannot be read: {error}"))?;
    Ok(usages.is_some_and(|(_, ExtendedKeyUsage(uses))| uses.contains(&CODE_SIGNING)))
}

fn has_extension(certificate: &Certificate, id: ObjectIdentifier) -> bool {
    let mut all = certificate.tbs_certificate().extensions().into_iter().flatten();
    all.any(|one| one.extn_id == id)
}

fn has_name_constraints(der: &[u8]) -> bool {
    parse(der).map_or(true, |certificate| has_extension(&certificate, NAME_CONSTRAINTS))
}

fn names(certificate: &Certificate) -> Result<Vec<String>, String> {
    let unreadable = |error: x509_cert::der::Error| format!("its names cannot be read: {error}");
    let tbs = certificate.tbs_certificate();
    let alternative = tbs.get_extension::<SubjectAltName>().map_err(unreadable)?;
    if let Some((_, SubjectAltName(names))) = alternative {
        let names = names.iter().filter_map(|name| match name {
            GeneralName::Rfc822Name(name)
            | GeneralName::DnsName(name)
            | GeneralName::UniformResourceIdentifier(name) => Some(name.to_string()),
            _ => None,
        });
        return Ok(names.collect());
    }
    let common = tbs.subject().common_name().map_err(unreadable)?;
    Ok(common.iter().map(|name| name.value().into_owned()).collect())
}

const NO_CODE_SIGNING: &str = "it does not say that it is for signing code (extended key usage)";

fn told(error: &webpki::Error, at: Timestamp) -> String {
    use webpki::Error as Why;
    match error {
        // Another one of that name may be there, with another key.
        Why::UnknownIssuer | Why::InvalidSignatureForPublicKey => {
            "none of the root certificates vouches for it".to_owned()
        }
        Why::CertExpired { .. } => format!("at {at}, it or one above it had expired"),
        Why::CertNotValidYet { .. } => format!("at {at}, it or one above it was not valid yet"),
        Why::RequiredEkuNotFoundContext(_) => "one above it is not for signing code (extended key usage)".to_owned(),
        other => format!("its chain does not hold: {other}"),
    }
}
