//! The JSON of a manifest: an in-toto statement (in-toto/attestation `spec/v1/statement.md`) whose predicate lists
//! resources (`Payload` in `model_signing/_signing/signing.py`).
//!
//! What says how to hash, and what was hashed, may have no field that is not known here: it would change what the
//! digests mean. Other fields of the statement and of the predicate are passed over, as the format's 1.0 says.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

/// Paths that a manifest may say it ignores. The tool's own defaults are five.
pub(in crate::model) const IGNORED_MAX: usize = 1000;

/// The statement.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatementDocument<'a> {
    #[serde(rename = "_type", borrow)]
    pub(super) kind: Cow<'a, str>,
    pub(super) subject: Bounded<SubjectDocument, 1>,
    #[serde(borrow)]
    pub(super) predicate_type: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) predicate: PredicateDocument<'a>,
}

/// What the statement is about.
#[derive(Deserialize)]
pub(super) struct SubjectDocument {
    #[serde(default)]
    pub(super) name: String,
    pub(super) digest: DigestDocument,
}

/// The digest map; other algorithms may stand beside SHA-256.
#[derive(Deserialize)]
pub(super) struct DigestDocument {
    pub(super) sha256: String,
}

/// What it says.
#[derive(Deserialize)]
pub(super) struct PredicateDocument<'a> {
    #[serde(borrow)]
    pub(super) serialization: SerializationDocument<'a>,
    #[serde(borrow)]
    pub(super) resources: Bounded<ResourceDocument<'a>, { super::RESOURCES_MAX }>,
}

/// How it was hashed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::model) struct SerializationDocument<'a> {
    #[serde(borrow)]
    pub(in crate::model) method: Cow<'a, str>,
    #[serde(borrow)]
    pub(in crate::model) hash_type: Cow<'a, str>,
    pub(in crate::model) allow_symlinks: bool,
    pub(in crate::model) shard_size: Option<serde_json::Number>,
    pub(in crate::model) ignore_paths: Option<Bounded<String, IGNORED_MAX>>,
}

/// What was hashed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceDocument<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) algorithm: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) digest: Cow<'a, str>,
}

/// A list of which no more than `MOST` items are held, whatever comes; the rest is counted.
pub(in crate::model) struct Bounded<T, const MOST: usize> {
    pub(in crate::model) items: Vec<T>,
    pub(in crate::model) count: usize,
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Bounded<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BoundedVisitor(PhantomData))
    }
}

struct BoundedVisitor<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for BoundedVisitor<T, MOST> {
    type Value = Bounded<T, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while items.len() < MOST {
            match list.next_element()? {
                Some(item) => items.push(item),
                None => break,
            }
        }
        let mut count = items.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Bounded { items, count })
    }
}
