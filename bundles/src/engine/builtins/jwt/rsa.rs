//! RSA signatures of RFC 8017, with the bounds of Go's `crypto/rsa`.
//!
//! Verification handles nothing secret and is done here, because no library takes both keys of 1,024
//! bits and salts of any length, as Go does. Signing is left to aws-lc.

use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512};
use num_bigint::BigUint;

use super::Failure;
use super::algorithm::Hash;

/// The longest modulus, in bits. Go has no such bound.
const MAX_BITS: u64 = 8192;
/// The shortest modulus Go verifies with, in bits.
const MIN_BITS: u64 = 1024;
/// The shortest modulus aws-lc signs with, in bits.
const MIN_SIGNING_BITS: u64 = 2048;

#[derive(Debug, Clone)]
pub(super) struct Public {
    modulus: BigUint,
    exponent: BigUint,
}

/// The fields of a private JSON Web Key, as written.
#[derive(Debug, Clone)]
pub(super) struct Private {
    pub(super) d: BigUint,
    pub(super) p: BigUint,
    pub(super) q: BigUint,
    /// `dp`, `dq` and `qi`; Go looks at them only if all three are there.
    pub(super) crt: Option<[BigUint; 3]>,
}

/// The lengths of salt that PSS takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Salt {
    Any,
    AsHash,
}

impl Public {
    /// From big-endian numbers, neither of them zero.
    pub(super) fn new(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let public = Self {
            modulus: BigUint::from_bytes_be(modulus),
            exponent: BigUint::from_bytes_be(exponent),
        };
        let zero = BigUint::ZERO;
        (public.modulus != zero && public.exponent != zero).then_some(public)
    }

    /// Whether the exponent is of 63 bits, which a Go `int` holds.
    pub(super) fn has_small_exponent(&self) -> bool {
        self.exponent.bits() < 64
    }

    pub(super) fn has_odd_exponent(&self) -> bool {
        self.exponent.bit(0)
    }

    /// Whether Go verifies with this key at all.
    fn is_sound(&self) -> bool {
        let exponent = &self.exponent;
        self.modulus.bits() >= MIN_BITS
            && self.modulus.bit(0)
            && exponent.bit(0)
            && *exponent > BigUint::from(2_u8)
            && exponent.bits() < 32
    }

    fn size(&self) -> usize {
        usize::try_from(self.modulus.bits().div_ceil(8)).unwrap_or(usize::MAX)
    }

    /// The encoded message of a signature: as many bytes as the modulus. None for what is no signature.
    fn open(&self, signature: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        check_length(self.modulus.bits())?;
        let number = BigUint::from_bytes_be(signature);
        if !self.is_sound() || signature.len() != self.size() || number >= self.modulus {
            return Ok(None);
        }
        let opened = number.modpow(&self.exponent, &self.modulus).to_bytes_be();
        let mut message = vec![0; self.size().saturating_sub(opened.len())];
        message.extend(opened);
        Ok(Some(message))
    }

    /// RSASSA-PKCS1-v1_5: the one right encoding is made and compared.
    pub(super) fn verify_pkcs1(&self, hash: Hash, message: &[u8], signature: &[u8]) -> Result<bool, Failure> {
        let Some(opened) = self.open(signature)? else {
            return Ok(false);
        };
        let tail = [&[0], hash.digest_info(), hash.digest(&[message]).as_slice()].concat();
        let Some(padding) = self.size().checked_sub(tail.len() + 2).filter(|padding| *padding >= 8) else {
            return Ok(false);
        };
        Ok(opened == [&[0, 1], vec![0xff; padding].as_slice(), &tail].concat())
    }

    /// RSASSA-PSS with MGF1 over the same hash.
    pub(super) fn verify_pss(&self, hash: Hash, salt: Salt, message: &[u8], signature: &[u8]) -> Result<bool, Failure> {
        let opened = self.open(signature)?;
        let bits = self.modulus.bits() - 1;
        Ok(opened.is_some_and(|opened| is_pss(hash, salt, &hash.digest(&[message]), &opened, bits) == Some(true)))
    }
}

/// EMSA-PSS-VERIFY (RFC 8017, 9.1.2) for a message of `bits` bits.
fn is_pss(hash: Hash, salt: Salt, digest: &[u8], opened: &[u8], bits: u64) -> Option<bool> {
    let length = usize::try_from(bits.div_ceil(8)).ok()?;
    let (zeros, message) = opened.split_at_checked(opened.len().checked_sub(length)?)?;
    let message = message.strip_suffix(&[0xbc])?;
    let (masked, seal) = message.split_at_checked(message.len().checked_sub(digest.len())?)?;
    let top = 0xff_u8.checked_shr(u32::try_from(8 * bits.div_ceil(8) - bits).ok()?)?;
    if zeros.iter().any(|byte| *byte != 0) || masked.first()? & !top != 0 {
        return Some(false);
    }
    let mut block: Vec<u8> = masked
        .iter()
        .zip(mask(hash, seal, masked.len()))
        .map(|(a, b)| a ^ b)
        .collect();
    *block.first_mut()? &= top;
    let start = block.iter().position(|byte| *byte != 0)?;
    let found = block.get(start + 1..)?;
    let fits = salt == Salt::Any || found.len() == digest.len();
    Some(fits && block.get(start) == Some(&1) && hash.digest(&[&[0; 8], digest, found]) == seal)
}

/// MGF1.
fn mask(hash: Hash, seed: &[u8], length: usize) -> Vec<u8> {
    let blocks = (0_u32..).map(|counter| hash.digest(&[seed, &counter.to_be_bytes()]));
    blocks
        .take(length.div_ceil(hash.length()))
        .flatten()
        .take(length)
        .collect()
}

fn check_length(bits: u64) -> Result<(), Failure> {
    if bits > MAX_BITS {
        return Err(Failure::Limit(format!(
            "an RSA key has {bits} bits; at most {MAX_BITS} are taken"
        )));
    }
    Ok(())
}

/// Signs with RSASSA-PKCS1-v1_5, which gives the same signature every time.
pub(super) fn sign_pkcs1(public: &Public, private: &Private, hash: Hash, message: &[u8]) -> Result<Vec<u8>, Failure> {
    let pair = pair(public, private)?;
    let encoding = match hash {
        Hash::Sha256 => &RSA_PKCS1_SHA256,
        Hash::Sha384 => &RSA_PKCS1_SHA384,
        Hash::Sha512 => &RSA_PKCS1_SHA512,
    };
    // The signature needs no randomness, the blinding of the private key does.
    let random = aws_lc_rs::rand::SystemRandom::new();
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &random, message, &mut signature)
        .map_err(|_| Failure::Limit("the RSA key cannot sign".to_owned()))?;
    Ok(signature)
}

/// RSASSA-PSS takes a random salt, so the signature would be another one every time.
pub(super) fn sign_pss(public: &Public, private: &Private) -> Result<Vec<u8>, Failure> {
    pair(public, private)?;
    Err(Failure::Limit(
        "PS256, PS384 and PS512 sign with randomness; the same input must always give the same verdict".to_owned(),
    ))
}

/// Undefined for a key that Go finds inconsistent.
fn pair(public: &Public, private: &Private) -> Result<KeyPair, Failure> {
    let bits = public.modulus.bits();
    check_length(bits)?;
    let crt = crt(public, private).ok_or(Failure::Undefined)?;
    if bits < MIN_SIGNING_BITS {
        return Err(Failure::Limit(format!(
            "an RSA key has {bits} bits; signing takes at least {MIN_SIGNING_BITS}"
        )));
    }
    let [dp, dq, qi] = crt.map(|number| number.to_bytes_be());
    KeyPair::from_components(&KeyPairComponents {
        public_key: PublicKeyComponents {
            n: public.modulus.to_bytes_be(),
            e: public.exponent.to_bytes_be(),
        },
        d: private.d.to_bytes_be(),
        p: private.p.to_bytes_be(),
        q: private.q.to_bytes_be(),
        dP: dp,
        dQ: dq,
        qInv: qi,
    })
    .map_err(|error| Failure::Limit(format!("the RSA key cannot sign: {error}")))
}

/// `dp`, `dq` and `qi`, if the key is one that Go signs with (`checkPrivateKey`).
fn crt(public: &Public, private: &Private) -> Option<[BigUint; 3]> {
    let one = BigUint::from(1_u8);
    let (modulus, exponent) = (&public.modulus, &public.exponent);
    let Private { d, p, q, crt } = private;
    let primes = *p > one && *q > one && p.bit(0) && q.bit(0) && p * q == *modulus;
    if !public.is_sound() || !primes || d >= modulus {
        return None;
    }
    let (p1, q1) = (p - &one, q - &one);
    let (dp, dq) = (d % &p1, d % &q1);
    let distance = if p > q { p - q } else { q - p };
    let sound = exponent * &dp % &p1 == one
        && exponent * &dq % &q1 == one
        && distance.bits() > (modulus.bits() / 2).saturating_sub(100)
        && d.bits() > modulus.bits() / 2;
    let computed = [dp, dq, q.modinv(p)?];
    (sound && crt.as_ref().is_none_or(|written| *written == computed)).then_some(computed)
}
