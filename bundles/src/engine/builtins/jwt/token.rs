//! The three sections of a token and its header.

use std::collections::{BTreeMap, BTreeSet};

use super::base64::decode_section;
use super::{Failure, json};
use crate::engine::term::Term;

/// A token in the compact form of RFC 7515. Nothing of it is verified.
pub(super) struct Token<'a> {
    header: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
}

/// A JSON object as a term.
pub(super) type Fields = BTreeMap<Term, Term>;

/// The fields of a header that OPA knows (`tokenHeader`). What is missing is empty.
#[derive(Default)]
pub(super) struct Header {
    pub(super) algorithm: String,
    /// `kid`.
    pub(super) id: String,
    /// `cty`.
    pub(super) content_type: String,
    critical: BTreeSet<String>,
    unknown: Vec<String>,
}

impl<'a> Token<'a> {
    pub(super) fn split(text: &'a [u8]) -> Result<Self, Failure> {
        let mut sections = text.split(|byte| *byte == b'.');
        match (sections.next(), sections.next(), sections.next(), sections.next()) {
            (Some(header), Some(payload), Some(signature), None) => Ok(Self {
                header,
                payload,
                signature,
            }),
            _ => Err(Failure::Undefined),
        }
    }

    /// The header, which must not be that of an encrypted token (RFC 7516, section 9).
    pub(super) fn header(&self) -> Result<Fields, Failure> {
        let header = object(&section(self.header)?)?;
        if header.contains_key(&key("enc")) {
            return Err(Failure::Undefined);
        }
        Ok(header)
    }

    pub(super) fn payload(&self) -> Result<Vec<u8>, Failure> {
        section(self.payload)
    }

    pub(super) fn signature(&self) -> Result<Vec<u8>, Failure> {
        section(self.signature)
    }

    /// What is signed.
    pub(super) fn message(&self) -> Vec<u8> {
        [self.header, b".", self.payload].concat()
    }
}

impl Header {
    pub(super) fn read(fields: &Fields) -> Result<Self, Failure> {
        let mut header = Self::default();
        for (name, value) in fields {
            let Term::String(name) = name else {
                return Err(Failure::Undefined);
            };
            match (name.as_str(), value) {
                ("alg", Term::String(text)) => header.algorithm.clone_from(text),
                ("kid", Term::String(text)) => header.id.clone_from(text),
                ("cty", Term::String(text)) => header.content_type.clone_from(text),
                ("typ", Term::String(_)) => {}
                ("crit", Term::Array(names)) => header.critical = critical(names)?,
                ("alg" | "kid" | "cty" | "typ" | "crit", _) => return Err(Failure::Undefined),
                _ => header.unknown.push(name.clone()),
            }
        }
        Ok(header)
    }

    /// Whether the token names its algorithm and none of the parameters it calls critical is unknown
    /// (RFC 7515, 4.1.1 and 4.1.11).
    pub(super) fn is_valid(&self) -> bool {
        !self.algorithm.is_empty() && !self.unknown.iter().any(|name| self.critical.contains(name))
    }
}

/// The names up to the first item that is none, as OPA collects them; none at all is an error.
fn critical(names: &[Term]) -> Result<BTreeSet<String>, Failure> {
    let text = |name: &Term| match name {
        Term::String(text) => Some(text.clone()),
        _ => None,
    };
    let names: BTreeSet<_> = names.iter().map_while(text).collect();
    if names.is_empty() {
        Err(Failure::Undefined)
    } else {
        Ok(names)
    }
}

/// Reads a JSON object.
pub(super) fn object(text: &[u8]) -> Result<Fields, Failure> {
    match json::read_document(text)?.into_term()? {
        Term::Object(fields) => Ok(fields),
        _ => Err(Failure::Undefined),
    }
}

pub(super) fn key(name: &str) -> Term {
    Term::String(name.to_owned())
}

fn section(text: &[u8]) -> Result<Vec<u8>, Failure> {
    decode_section(text).ok_or(Failure::Undefined)
}
