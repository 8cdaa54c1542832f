//! JSON Web Keys (RFC 7517), as the module `jwx` reads them for OPA.
//!
//! One key that cannot be read spoils its set.

use num_bigint::BigUint;

use super::algorithm::Algorithm;
use super::ecdsa::Curve;
use super::json::{self, Json};
use super::key::Key;
use super::{Failure, base64, ecdsa, header, rsa, x509};
use crate::engine::builtins::crypto::armor;

/// The most keys in a set, and certificates in a chain.
const MAX_KEYS: usize = 1000;
const MAX_CHAIN: usize = 10;
/// The largest certificate of a chain, in bytes.
const MAX_CERTIFICATE: usize = 256 * 1024;

/// Names that `alg` may have besides those of tokens; an unknown one makes the key unreadable.
const OTHER_ALGORITHMS: [&str; 28] = [
    "ES256K",
    "Ed25519",
    "none",
    "A128CBC-HS256",
    "A128GCM",
    "A192CBC-HS384",
    "A192GCM",
    "A256CBC-HS512",
    "A256GCM",
    "A128GCMKW",
    "A128KW",
    "A192GCMKW",
    "A192KW",
    "A256GCMKW",
    "A256KW",
    "dir",
    "ECDH-ES",
    "ECDH-ES+A128KW",
    "ECDH-ES+A192KW",
    "ECDH-ES+A256KW",
    "PBES2-HS256+A128KW",
    "PBES2-HS384+A192KW",
    "PBES2-HS512+A256KW",
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "RSA-OAEP-384",
    "RSA-OAEP-512",
];

/// Names that `crv` may have. Not every one goes with every kind of key.
const CURVES: [&str; 7] = ["Ed25519", "Ed448", "P-256", "P-384", "P-521", "X25519", "X448"];

/// A key whose fields were checked one by one.
pub(super) struct Jwk {
    /// Empty if the key does not say.
    pub(super) algorithm: String,
    /// `kid`, or empty.
    pub(super) id: String,
    kind: Kind,
    is_private: bool,
    curve: String,
    /// The fields that hold numbers or bytes.
    fields: Vec<(String, Vec<u8>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    Ec,
    Okp,
    Secret,
}

/// A set of keys if there is a member `keys`, and else one key.
pub(super) fn read(text: &str) -> Result<Vec<Jwk>, Failure> {
    let json = json::read_first(text.as_bytes())?;
    let Json::Object(members) = json else {
        return Err(Failure::Undefined);
    };
    if !header::has(text, "keys") {
        return Ok(vec![Jwk::read(&members)?]);
    }
    let mut keys = Vec::new();
    for (name, value) in &members {
        match value {
            Json::Array(entries) if name == "keys" => {
                if entries.len() > MAX_KEYS {
                    return Err(Failure::Undefined);
                }
                for entry in entries {
                    let Json::Object(members) = entry else {
                        return Err(Failure::Undefined);
                    };
                    keys.push(Jwk::read(members)?);
                }
            }
            other if name == "keys" || !has_small_numbers(other) => return Err(Failure::Undefined),
            _ => {}
        }
    }
    Ok(keys)
}

impl Jwk {
    fn read(members: &[(String, Json)]) -> Result<Self, Failure> {
        Self::parse(members)
            .filter(|jwk| jwk.is_valid().is_some())
            .ok_or(Failure::Undefined)
    }

    fn parse(members: &[(String, Json)]) -> Option<Self> {
        let kind = kind(members)?;
        let mut jwk = Self {
            algorithm: String::new(),
            id: String::new(),
            kind,
            is_private: kind != Kind::Secret && members.iter().any(|(name, _)| name.eq_ignore_ascii_case("d")),
            curve: String::new(),
            fields: Vec::new(),
        };
        for (name, value) in members {
            match name.as_str() {
                "kty" => Kind::named(text(value)?).filter(|named| *named == kind).map(|_| ())?,
                "alg" => algorithm(text(value)?)?.clone_into(&mut jwk.algorithm),
                "kid" => text(value)?.clone_into(&mut jwk.id),
                "use" | "x5t" | "x5t#S256" | "x5u" => text(value).map(|_| ())?,
                "key_ops" => operations(value)?,
                "x5c" => certificates(value)?,
                "crv" if matches!(kind, Kind::Ec | Kind::Okp) => curve(text(value)?)?.clone_into(&mut jwk.curve),
                _ if jwk.holds_bytes(name) => {
                    let bytes = base64::decode_field(text(value)?)?;
                    jwk.fields.retain(|(other, _)| other != name);
                    jwk.fields.push((name.clone(), bytes));
                }
                _ => has_small_numbers(value).then_some(())?,
            }
        }
        Some(jwk)
    }

    fn holds_bytes(&self, name: &str) -> bool {
        let (public, private): (&[&str], &[&str]) = match self.kind {
            Kind::Rsa => (&["n", "e"], &["d", "p", "q", "dp", "dq", "qi"]),
            Kind::Ec => (&["x", "y"], &["d"]),
            Kind::Okp => (&["x"], &["d"]),
            Kind::Secret => (&["k"], &[]),
        };
        public.contains(&name) || self.is_private && private.contains(&name)
    }

    fn field(&self, name: &str) -> Option<&[u8]> {
        let field = self.fields.iter().find(|(field, _)| field == name);
        field.map(|(_, bytes)| bytes.as_slice())
    }

    fn number(&self, name: &str) -> Option<BigUint> {
        self.field(name).map(BigUint::from_bytes_be)
    }

    /// Some if every key of the set must be so, whether it is used or not.
    fn is_valid(&self) -> Option<()> {
        let private = if self.is_private { Some(self.field("d")?) } else { None };
        let valid = match self.kind {
            Kind::Rsa => {
                let public = self.rsa()?;
                public.has_odd_exponent() && public.has_small_exponent() && private.is_none_or(|d| !d.is_empty())
            }
            Kind::Ec => {
                let (curve, size) = self.curve()?;
                self.point(curve, size)?;
                private.is_none_or(|d| d.len() == size)
            }
            Kind::Okp => {
                let sized = |bytes: &[u8]| match self.curve.as_str() {
                    "Ed25519" | "X25519" => bytes.len() == 32,
                    name => !name.is_empty() && !bytes.is_empty(),
                };
                sized(self.field("x")?) && private.is_none_or(sized)
            }
            Kind::Secret => !self.field("k")?.is_empty(),
        };
        valid.then_some(())
    }

    /// The key to verify or sign with.
    pub(super) fn key(&self) -> Option<Key> {
        let private = if self.is_private { self.field("d") } else { None };
        match self.kind {
            Kind::Rsa if self.is_private => {
                let crt = [self.number("dp"), self.number("dq"), self.number("qi")];
                let private = rsa::Private {
                    d: self.number("d")?,
                    p: self.number("p")?,
                    q: self.number("q")?,
                    crt: match crt {
                        [Some(dp), Some(dq), Some(qi)] => Some([dp, dq, qi]),
                        _ => None,
                    },
                };
                Some(Key::Rsa(self.rsa()?, Some(private)))
            }
            Kind::Rsa => Some(Key::Rsa(self.rsa()?, None)),
            Kind::Ec => {
                let (curve, size) = self.curve()?;
                Some(Key::Ec(self.point(curve, size)?, private.map(<[u8]>::to_vec)))
            }
            Kind::Okp => match (self.curve.as_str(), private) {
                ("Ed25519", None) => Some(Key::Ed25519(self.field("x")?.try_into().ok()?, None)),
                ("Ed25519", Some(seed)) => Key::ed25519(self.field("x")?.try_into().ok()?, seed.try_into().ok()?),
                ("X25519", _) => Some(Key::Other),
                _ => None,
            },
            Kind::Secret => Some(Key::Secret(self.field("k")?.to_vec())),
        }
    }

    fn rsa(&self) -> Option<rsa::Public> {
        rsa::Public::new(self.field("n")?, self.field("e")?)
    }

    /// The curve and the length of its numbers in bytes.
    fn curve(&self) -> Option<(Curve, usize)> {
        match self.curve.as_str() {
            "P-256" => Some((Curve::P256, 32)),
            "P-384" => Some((Curve::P384, 48)),
            "P-521" => Some((Curve::P521, 66)),
            _ => None,
        }
    }

    fn point(&self, curve: Curve, size: usize) -> Option<ecdsa::Public> {
        let coordinate = |name| self.field(name).filter(|bytes| bytes.len() == size);
        ecdsa::Public::new(curve, &[&[4], coordinate("x")?, coordinate("y")?].concat())
    }
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        match name {
            "RSA" => Some(Self::Rsa),
            "EC" => Some(Self::Ec),
            "OKP" => Some(Self::Okp),
            "oct" => Some(Self::Secret),
            _ => None,
        }
    }
}

/// Go looks for `kty` in letters of any case; the Kelvin sign folds to k.
fn kind(members: &[(String, Json)]) -> Option<Kind> {
    let mut kind = "";
    for (name, value) in members {
        if name.replace('\u{212a}', "k").eq_ignore_ascii_case("kty") && !matches!(value, Json::Null) {
            kind = text(value)?;
        }
    }
    Kind::named(kind)
}

/// A string; null stands for the empty one.
fn text(value: &Json) -> Option<&str> {
    match value {
        Json::String(text) => Some(text),
        Json::Null => Some(""),
        _ => None,
    }
}

fn algorithm(name: &str) -> Option<&str> {
    let is_known = Algorithm::of_key(name).is_some() || OTHER_ALGORITHMS.contains(&name);
    is_known.then_some(name)
}

fn curve(name: &str) -> Option<&str> {
    CURVES.contains(&name).then_some(name)
}

/// `key_ops`: a list of any strings.
fn operations(value: &Json) -> Option<()> {
    match value {
        Json::Null => Some(()),
        Json::Array(items) => items.iter().try_for_each(|item| text(item).map(|_| ())),
        _ => None,
    }
}

/// `x5c`: a list of certificates, which must be readable though nothing is done with them.
fn certificates(value: &Json) -> Option<()> {
    let Json::Array(items) = value else {
        return None;
    };
    items.iter().try_for_each(|item| {
        let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0xb | 0xc);
        let base64: Vec<u8> = text(item)?.bytes().filter(|byte| !space(byte)).collect();
        let der = armor::decode(&base64).filter(|der| der.len() <= MAX_CERTIFICATE)?;
        x509::certificate_key(&der).map(|_| ())
    })?;
    (items.len() <= MAX_CHAIN).then_some(())
}

/// Members without a meaning are read as well: a number that no double holds is an error.
fn has_small_numbers(value: &Json) -> bool {
    match value {
        Json::Number(text) => text.parse().is_ok_and(f64::is_finite),
        Json::Array(items) => items.iter().all(has_small_numbers),
        Json::Object(members) => members.iter().all(|(_, value)| has_small_numbers(value)),
        Json::Null | Json::Boolean(_) | Json::String(_) => true,
    }
}
