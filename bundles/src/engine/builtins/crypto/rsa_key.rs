//! RSA private keys (RFC 8017, appendix A.1.2), held to what Go holds them to (`crypto/rsa`).

use num_bigint::{BigInt, BigUint, Sign};

use super::der::{INTEGER, Loose, SEQUENCE, integer};
use super::json;
use crate::engine::builtins::Failure;
use crate::engine::term::Term;

/// Checking a longer modulus takes too long.
const MAX_BITS: u64 = 8192;
/// A product of more primes than this is no key anybody has.
const MAX_PRIMES: usize = 8;

/// A key whose numbers fit each other.
#[derive(Debug)]
pub(super) struct RsaKey {
    pub(super) modulus: BigUint,
    pub(super) exponent: i64,
    pub(super) private: BigUint,
    pub(super) primes: Vec<BigUint>,
    /// The private exponent modulo each of the first two primes less one.
    pub(super) reduced: [BigUint; 2],
    /// The second prime's inverse modulo the first.
    pub(super) coefficient: BigUint,
    further: Vec<Further>,
}

/// What belongs to a third or later prime.
#[derive(Debug)]
struct Further {
    reduced: BigUint,
    coefficient: BigUint,
    /// Of the primes before it.
    product: BigUint,
}

/// The numbers as they are written.
struct Written {
    modulus: BigUint,
    exponent: i64,
    private: BigUint,
    primes: Vec<BigUint>,
    /// Both reduced exponents and the coefficient.
    precomputed: Option<[BigUint; 3]>,
}

impl RsaKey {
    /// Refuses keys beyond 8192 bits or eight primes.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let written = Written::read(bytes).ok_or(Failure::Undefined)?;
        let numbers = written.primes.iter().chain([&written.modulus]);
        let bits = numbers.map(BigUint::bits).max().unwrap_or_default();
        let primes = written.primes.len();
        if bits > MAX_BITS || primes > MAX_PRIMES {
            return Err(Failure::Limit(format!(
                "an RSA key has {bits} bits in {primes} primes, more than {MAX_BITS} in {MAX_PRIMES}"
            )));
        }
        written.check().ok_or(Failure::Undefined)
    }

    /// The fields of `rsa.PrivateKey`.
    pub(super) fn to_term(&self) -> Result<Term, Failure> {
        let primes: Result<Vec<Term>, Failure> = self.primes.iter().map(json::unsigned).collect();
        let further = |further: &Further| {
            Ok(json::object([
                ("Exp", json::unsigned(&further.reduced)?),
                ("Coeff", json::unsigned(&further.coefficient)?),
                ("R", json::unsigned(&further.product)?),
            ]))
        };
        let further: Result<Vec<Term>, Failure> = self.further.iter().map(further).collect();
        let [first, second] = &self.reduced;
        let precomputed = json::object([
            ("Dp", json::unsigned(first)?),
            ("Dq", json::unsigned(second)?),
            ("Qinv", json::unsigned(&self.coefficient)?),
            ("CRTValues", Term::Array(further?)),
        ]);
        Ok(json::object([
            ("N", json::unsigned(&self.modulus)?),
            ("E", json::integer(self.exponent)),
            ("D", json::unsigned(&self.private)?),
            ("Primes", Term::Array(primes?)),
            ("Precomputed", precomputed),
        ]))
    }
}

impl Written {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut outer = Loose(bytes);
        let mut fields = outer.nested(SEQUENCE)?;
        let version = fields.int64()?;
        let modulus = positive(&fields.integer()?)?;
        let exponent = fields.int64()?;
        let private = positive(&fields.integer()?)?;
        let mut primes = vec![positive(&fields.integer()?)?, positive(&fields.integer()?)?];
        let mut precomputed = Vec::new();
        for _ in 0..3 {
            if let Some(content) = fields.optional(INTEGER)? {
                precomputed.push(positive(&integer(content)?)?);
            }
        }
        if let Some(list) = fields.optional(SEQUENCE)? {
            for mut further in Loose(list).each(SEQUENCE)? {
                primes.push(positive(&further.integer()?)?);
                // Go computes the other two itself.
                further.integer()?;
                further.integer()?;
            }
        }
        (version <= 1 && outer.is_empty()).then_some(Self {
            modulus,
            exponent,
            private,
            primes,
            precomputed: precomputed.try_into().ok(),
        })
    }

    fn check(self) -> Option<RsaKey> {
        let one = BigUint::from(1u8);
        let exponent = u32::try_from(self.exponent).ok()?;
        let sound_exponent = exponent % 2 == 1 && (3..1 << 31).contains(&exponent);
        if !sound_exponent || !self.modulus.bit(0) || self.modulus <= one || self.private >= self.modulus {
            return None;
        }
        let [p, q] = self.primes.as_slice() else {
            return self.check_many();
        };
        // Moduli must be greater than one, for Go those less one too.
        let two = BigUint::from(2u8);
        if *p <= two || *q <= two || *p >= self.modulus || *q >= self.modulus {
            return None;
        }
        let (p_less, q_less) = (p - &one, q - &one);
        let [first, second, coefficient] = if let Some(precomputed) = self.precomputed {
            precomputed
        } else {
            let inverse = p.bit(0).then(|| (q % p).modpow(&(p - &two), p))?;
            [&self.private % &p_less, &self.private % &q_less, inverse]
        };
        let is_inverse = |reduced: &BigUint, less: &BigUint| reduced < less && reduced * exponent % less == one;
        let fits = (p * q % &self.modulus) == BigUint::ZERO
            && is_inverse(&first, &p_less)
            && is_inverse(&second, &q_less)
            && coefficient < *p
            && q * &coefficient % p == one
            && &self.private % &p_less == first
            && &self.private % &q_less == second;
        let distance = if p > q { p - q } else { q - p };
        let half = self.modulus.bits() / 2;
        let secure = p != q && distance.bits() + 100 > half && self.private.bits() > half;
        (fits && secure).then_some(RsaKey {
            modulus: self.modulus,
            exponent: self.exponent,
            private: self.private,
            primes: self.primes,
            reduced: [first, second],
            coefficient,
            further: Vec::new(),
        })
    }

    /// Go takes more than two primes for what they are.
    fn check_many(self) -> Option<RsaKey> {
        let one = BigUint::from(1u8);
        let [p, q, others @ ..] = self.primes.as_slice() else {
            return None;
        };
        if self.primes.iter().any(|prime| *prime <= one) {
            return None;
        }
        let reduce = |prime: &BigUint| &self.private % (prime - &one);
        let mut product = p * q;
        let mut further = Vec::new();
        for prime in others {
            let coefficient = product.modinv(prime)?;
            let next = &product * prime;
            further.push(Further {
                reduced: reduce(prime),
                coefficient,
                product: std::mem::replace(&mut product, next),
            });
        }
        Some(RsaKey {
            exponent: self.exponent,
            reduced: [reduce(p), reduce(q)],
            coefficient: q.modinv(p)?,
            further,
            modulus: self.modulus,
            private: self.private,
            primes: self.primes,
        })
    }
}

fn positive(value: &BigInt) -> Option<BigUint> {
    (value.sign() == Sign::Plus).then(|| value.magnitude().clone())
}
