//! Signatures on certificates: their algorithms, and whether they hold.

use aws_lc_rs::signature::{
    self as lc, EcdsaVerificationAlgorithm, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use num_bigint::BigUint;

use super::curve::Curve;
use super::der::{INTEGER, Loose, Oid, SEQUENCE, int64};
use super::public_key::{Algorithm, PublicKey};
use crate::engine::builtins::Failure;

/// Below, Go holds no RSA signature to be one.
const MIN_RSA_BITS: u64 = 1024;
/// The longest RSA key aws-lc takes.
const MAX_RSA_BITS: u64 = 8192;

/// How something is signed; Go numbers the algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignatureAlgorithm {
    Unknown = 0,
    Md5Rsa = 2,
    Sha1Rsa = 3,
    Sha256Rsa = 4,
    Sha384Rsa = 5,
    Sha512Rsa = 6,
    DsaSha1 = 7,
    DsaSha256 = 8,
    EcdsaSha1 = 9,
    EcdsaSha256 = 10,
    EcdsaSha384 = 11,
    EcdsaSha512 = 12,
    Sha256RsaPss = 13,
    Sha384RsaPss = 14,
    Sha512RsaPss = 15,
    Ed25519 = 16,
}

impl SignatureAlgorithm {
    pub(super) fn of(algorithm: &Algorithm<'_>) -> Self {
        match algorithm.id.0.as_slice() {
            [1, 2, 840, 113_549, 1, 1, 4] => Self::Md5Rsa,
            [1, 2, 840, 113_549, 1, 1, 5] | [1, 3, 14, 3, 2, 29] => Self::Sha1Rsa,
            [1, 2, 840, 113_549, 1, 1, 10] => pss(algorithm.parameters).unwrap_or(Self::Unknown),
            [1, 2, 840, 113_549, 1, 1, 11] => Self::Sha256Rsa,
            [1, 2, 840, 113_549, 1, 1, 12] => Self::Sha384Rsa,
            [1, 2, 840, 113_549, 1, 1, 13] => Self::Sha512Rsa,
            [1, 2, 840, 10040, 4, 3] => Self::DsaSha1,
            [2, 16, 840, 1, 101, 3, 4, 3, 2] => Self::DsaSha256,
            [1, 2, 840, 10045, 4, 1] => Self::EcdsaSha1,
            [1, 2, 840, 10045, 4, 3, 2] => Self::EcdsaSha256,
            [1, 2, 840, 10045, 4, 3, 3] => Self::EcdsaSha384,
            [1, 2, 840, 10045, 4, 3, 4] => Self::EcdsaSha512,
            [1, 3, 101, 112] if algorithm.parameters.is_empty() => Self::Ed25519,
            _ => Self::Unknown,
        }
    }
}

/// Whether the signature is the key's. Never with MD5 or SHA-1, as in Go. Refuses what aws-lc has no
/// arithmetic for and Go has: P-224, RSA keys beyond 8192 bits, and such below 2048 bits with SHA-384
/// or PSS.
pub(super) fn holds(
    algorithm: SignatureAlgorithm,
    signed: &[u8],
    signature: &[u8],
    key: &PublicKey,
) -> Result<bool, Failure> {
    match key {
        PublicKey::Rsa { modulus, exponent } => rsa(algorithm, signed, signature, modulus, *exponent),
        PublicKey::Ecdsa { curve, point, .. } => {
            let Some(algorithm) = ecdsa(algorithm, curve)? else {
                return Ok(false);
            };
            Ok(UnparsedPublicKey::new(algorithm, point)
                .verify(signed, signature)
                .is_ok())
        }
        PublicKey::Ed25519(key) => {
            let key = UnparsedPublicKey::new(&lc::ED25519, key);
            Ok(algorithm == SignatureAlgorithm::Ed25519 && key.verify(signed, signature).is_ok())
        }
        PublicKey::Dsa { .. } => Ok(false),
    }
}

fn rsa(
    algorithm: SignatureAlgorithm,
    signed: &[u8],
    signature: &[u8],
    modulus: &BigUint,
    exponent: i64,
) -> Result<bool, Failure> {
    let (small, large): (Option<&RsaParameters>, &RsaParameters) = match algorithm {
        SignatureAlgorithm::Sha256Rsa => (
            Some(&lc::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
            &lc::RSA_PKCS1_2048_8192_SHA256,
        ),
        SignatureAlgorithm::Sha384Rsa => (None, &lc::RSA_PKCS1_2048_8192_SHA384),
        SignatureAlgorithm::Sha512Rsa => (
            Some(&lc::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
            &lc::RSA_PKCS1_2048_8192_SHA512,
        ),
        SignatureAlgorithm::Sha256RsaPss => (None, &lc::RSA_PSS_2048_8192_SHA256),
        SignatureAlgorithm::Sha384RsaPss => (None, &lc::RSA_PSS_2048_8192_SHA384),
        SignatureAlgorithm::Sha512RsaPss => (None, &lc::RSA_PSS_2048_8192_SHA512),
        _ => return Ok(false),
    };
    let bits = modulus.bits();
    let sound = modulus.bit(0) && exponent % 2 == 1 && (3..1 << 31).contains(&exponent);
    if bits < MIN_RSA_BITS || !sound {
        return Ok(false);
    }
    let parameters = if bits < 2048 { small } else { Some(large) };
    let Some(parameters) = parameters.filter(|_| bits <= MAX_RSA_BITS) else {
        return Err(Failure::Limit(format!(
            "an RSA key of {bits} bits signs with {algorithm:?}, which is supported from 2048 to {MAX_RSA_BITS}"
        )));
    };
    let key = RsaPublicKeyComponents {
        n: modulus.to_bytes_be(),
        e: BigUint::from(exponent.unsigned_abs()).to_bytes_be(),
    };
    Ok(key.verify(parameters, signed, signature).is_ok())
}

/// How to verify over this curve; nothing if the algorithm is not ECDSA with SHA-2.
fn ecdsa(algorithm: SignatureAlgorithm, curve: &Curve) -> Result<Option<&'static EcdsaVerificationAlgorithm>, Failure> {
    let (p256, p384, p521): (_, _, &'static EcdsaVerificationAlgorithm) = match algorithm {
        SignatureAlgorithm::EcdsaSha256 => (
            &lc::ECDSA_P256_SHA256_ASN1,
            &lc::ECDSA_P384_SHA256_ASN1,
            &lc::ECDSA_P521_SHA256_ASN1,
        ),
        SignatureAlgorithm::EcdsaSha384 => (
            &lc::ECDSA_P256_SHA384_ASN1,
            &lc::ECDSA_P384_SHA384_ASN1,
            &lc::ECDSA_P521_SHA384_ASN1,
        ),
        SignatureAlgorithm::EcdsaSha512 => (
            &lc::ECDSA_P256_SHA512_ASN1,
            &lc::ECDSA_P384_SHA512_ASN1,
            &lc::ECDSA_P521_SHA512_ASN1,
        ),
        _ => return Ok(None),
    };
    match curve.size {
        32 => Ok(Some(p256)),
        48 => Ok(Some(p384)),
        66 => Ok(Some(p521)),
        _ => Err(curve.refused()),
    }
}

/// The algorithm of these parameters: the same digest everywhere, a salt as long as it.
fn pss(parameters: &[u8]) -> Option<SignatureAlgorithm> {
    let mut fields = Loose(parameters).nested(SEQUENCE)?;
    let digest = algorithm(fields.explicit(0, SEQUENCE)??)?;
    let mask = algorithm(fields.explicit(1, SEQUENCE)??)?;
    let salt = int64(fields.explicit(2, INTEGER)??)?;
    let trailer = fields.explicit(3, INTEGER)?;
    let trailer = trailer.map_or(Some(1), int64)?;
    let inner = algorithm(Loose(mask.parameters).read(SEQUENCE)?)?;
    let plain = |algorithm: &Algorithm<'_>| matches!(algorithm.parameters, [] | [5, 0]);
    let sound = plain(&digest)
        && mask.id.is(&[1, 2, 840, 113_549, 1, 1, 8])
        && inner.id == digest.id
        && plain(&inner)
        && trailer == 1;
    let Oid(id) = &digest.id;
    match (id.as_slice(), salt) {
        ([2, 16, 840, 1, 101, 3, 4, 2, 1], 32) if sound => Some(SignatureAlgorithm::Sha256RsaPss),
        ([2, 16, 840, 1, 101, 3, 4, 2, 2], 48) if sound => Some(SignatureAlgorithm::Sha384RsaPss),
        ([2, 16, 840, 1, 101, 3, 4, 2, 3], 64) if sound => Some(SignatureAlgorithm::Sha512RsaPss),
        _ => None,
    }
}

fn algorithm(content: &[u8]) -> Option<Algorithm<'_>> {
    Algorithm::loose(Loose(content))
}
