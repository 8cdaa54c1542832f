//! Public keys of signers: read from PEM, told apart by fingerprint, used to check a signature.
//!
//! The algorithm follows from the key and never from what is to be checked. Parsing and checking are
//! the `sigstore` crate's (`CosignVerificationKey`, on aws-lc-rs); here is only what it leaves open:
//! one spelling for each key, so that one key cannot count as two, and no short RSA keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sigstore::crypto::{CosignVerificationKey, Signature};

use crate::digest::Digest;

const LABEL: &str = "-----BEGIN PUBLIC KEY-----";
/// A PEM file of an 8192-bit RSA key has 1.5 KiB.
const PEM_MAX: usize = 16 * 1024;
const RSA_BITS_MIN: usize = 2048;

/// A public key that may be trusted: ECDSA (P-256, P-384, P-521), Ed25519, or RSA of 2048 to 8192 bits.
#[derive(Clone)]
pub struct PublicKey {
    key: CosignVerificationKey,
    fingerprint: Digest,
    hints: [String; 2],
    algorithm: &'static str,
}

/// Why a text is not a usable public key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No `PUBLIC KEY` block; a private key or a certificate is named as such.
    #[error(
        "found {found}, want one PEM block that begins with {LABEL} (the cosign.pub that `cosign generate-key-pair` wrote)"
    )]
    NotAPublicKey {
        /// What it looks like instead.
        found: &'static str,
    },
    /// More than one PEM block: which one is meant?
    #[error("found {0} PEM blocks, want one: give each key its own entry")]
    SeveralBlocks(usize),
    /// The block cannot be parsed.
    #[error("the public key cannot be read")]
    Unreadable(#[source] Box<sigstore::errors::SigstoreError>),
    /// Another algorithm than those supported, or an unusual encoding of the key.
    #[error(
        "the key is {found}: use ECDSA P-256, P-384 or P-521 with an uncompressed point, Ed25519, or RSA of 2048 bits or more"
    )]
    Unsupported {
        /// What is there.
        found: String,
    },
}

impl KeyError {
    /// The stable name for conditions.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unsupported { .. } => "UnsupportedKey",
            Self::NotAPublicKey { .. } | Self::SeveralBlocks(_) | Self::Unreadable(_) => "MalformedKey",
        }
    }
}

impl PublicKey {
    /// Reads one PEM block `PUBLIC KEY` (a DER SubjectPublicKeyInfo), as cosign and openssl write it.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        check_label(pem)?;
        let key = CosignVerificationKey::try_from_pem(pem.trim().as_bytes())
            .map_err(|error| KeyError::Unreadable(Box::new(error)))?;
        let (algorithm, spki) = algorithm_of(&key)?;
        let fingerprint = Digest::of(spki);
        let hints = hints(spki);
        Ok(Self {
            key,
            fingerprint,
            hints,
            algorithm,
        })
    }

    /// The same of the DER alone, as certificates hold it.
    pub(super) fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        Self::from_pem(&pem(der))
    }

    /// The digest of the key's DER SubjectPublicKeyInfo: the same key always has the same one.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// Its DER SubjectPublicKeyInfo.
    pub(super) fn spki(&self) -> &[u8] {
        use CosignVerificationKey as Key;
        match &self.key {
            Key::ECDSA_P256_SHA256_ASN1(der)
            | Key::ECDSA_P384_SHA384_ASN1(der)
            | Key::ECDSA_P521_SHA512_ASN1(der)
            | Key::ED25519(der)
            | Key::RSA_PKCS1_SHA256(der)
            | Key::RSA_PSS_SHA256(der) => der,
        }
    }

    /// What the key signs with, as in `ECDSA P-256 with SHA-256`.
    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// What to tell about a signature that names this key and was not made by it.
    pub(super) fn likely_cause(&self) -> &'static str {
        match self.key {
            // Checked with cosign 3.1.3; see testdata/trust.
            CosignVerificationKey::ED25519(_) => {
                "signature or content were changed, or cosign made it, which signs Ed25519ph with such a key: use an ECDSA key with cosign"
            }
            _ => "signature or content were changed",
        }
    }

    /// Whether a bundle's hint is at this key. Untrusted, it only orders attempts.
    pub(super) fn is_hinted_by(&self, hint: &str) -> bool {
        self.hints.iter().any(|own| own == hint)
    }

    /// Whether this key made this signature over this message.
    pub(super) fn made(&self, signature: &[u8], message: &[u8]) -> bool {
        self.key.verify_signature(Signature::Raw(signature), message).is_ok()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for PublicKey {}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({}, {})", self.algorithm, self.fingerprint)
    }
}

fn check_label(pem: &str) -> Result<(), KeyError> {
    let found = match pem {
        pem if pem.trim().is_empty() => "nothing",
        pem if pem.len() > PEM_MAX => "a text of more than 16 KiB",
        pem if pem.contains("PRIVATE KEY-----") => "a private key, which must stay with its signer",
        pem if pem.contains("-----BEGIN CERTIFICATE-----") => "a certificate",
        pem if !pem.trim().starts_with(LABEL) => "something else",
        pem => match pem.matches("-----BEGIN ").count() {
            1 => return Ok(()),
            blocks => return Err(KeyError::SeveralBlocks(blocks)),
        },
    };
    Err(KeyError::NotAPublicKey { found })
}

/// What is written to hint at a key: by cosign, SHA-256 of its DER in base64; by model-signing, SHA-256 of its PEM text,
/// as OpenSSL writes it, in hexadecimal digits.
fn hints(spki: &[u8]) -> [String; 2] {
    [
        STANDARD.encode(Digest::of(spki).as_bytes()),
        Digest::of(pem(spki).as_bytes()).hex(),
    ]
}

/// As OpenSSL writes it.
fn pem(spki: &[u8]) -> String {
    let mut pem = LABEL.to_owned();
    for (at, character) in STANDARD.encode(spki).char_indices() {
        if at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str("\n-----END PUBLIC KEY-----\n");
    pem
}

/// The algorithm and the DER, if the DER is the one usual encoding of the key. The lengths are those
/// of a SubjectPublicKeyInfo with a named curve and an uncompressed point (RFC 5480), and of an
/// Ed25519 key (RFC 8410).
fn algorithm_of(key: &CosignVerificationKey) -> Result<(&'static str, &[u8]), KeyError> {
    use CosignVerificationKey as Key;
    let (algorithm, spki, usual) = match key {
        Key::ECDSA_P256_SHA256_ASN1(der) => ("ECDSA P-256 with SHA-256", der, is_point(der, 91, 64)),
        Key::ECDSA_P384_SHA384_ASN1(der) => ("ECDSA P-384 with SHA-384", der, is_point(der, 120, 96)),
        Key::ECDSA_P521_SHA512_ASN1(der) => ("ECDSA P-521 with SHA-512", der, is_point(der, 158, 132)),
        Key::ED25519(der) => ("Ed25519", der, der.len() == 44),
        Key::RSA_PKCS1_SHA256(der) => {
            let bits = rsa_bits(der).unwrap_or_default();
            if bits < RSA_BITS_MIN {
                return Err(KeyError::Unsupported {
                    found: format!("RSA of less than {RSA_BITS_MIN} bits, or unusually encoded"),
                });
            }
            ("RSA PKCS#1 v1.5 with SHA-256", der, true)
        }
        Key::RSA_PSS_SHA256(der) => ("RSA PSS", der, false),
    };
    if usual {
        Ok((algorithm, spki))
    } else {
        Err(KeyError::Unsupported {
            found: format!("an unusual encoding of {algorithm}"),
        })
    }
}

/// Whether the key ends in an uncompressed point (0x04) of this many bytes.
fn is_point(der: &[u8], length: usize, point: usize) -> bool {
    der.len() == length && der.get(length - point - 1) == Some(&0x04)
}

/// The length of an RSA modulus, read from the one DER layout that keys of 1024 bits and more have:
/// every length takes two bytes, the algorithm's parameters are NULL (RFC 3279 section 2.3.1).
fn rsa_bits(der: &[u8]) -> Option<usize> {
    const ALGORITHM: [u8; 15] = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    const INTEGER: [u8; 2] = [0x02, 0x82];
    let modulus = der.get(28..)?;
    if der.get(4..19)? != ALGORITHM || !modulus.starts_with(&INTEGER) {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([*modulus.get(2)?, *modulus.get(3)?]));
    let value = modulus.get(4..)?.get(..length)?;
    let significant = value.strip_prefix(&[0]).unwrap_or(value);
    let first = significant.first()?;
    Some(significant.len() * 8 - first.leading_zeros() as usize)
}
