//! Nodes to values: aliases and merge keys as go-yaml follows them, keys as JSON can have them.

use std::collections::{BTreeMap, HashSet};

use super::super::Failure;
use super::MAX_DEPTH;
use super::composer::{Graph, Id, Kind};
use super::key::{Key, text_of};
use super::resolve::{Scalar, Tag, resolve};
use super::timestamp::Timestamp;
use crate::engine::term::{Number, Term};

/// What the scalars of one document may take, those that aliases repeat included, in bytes.
const MAX_EXPANDED_BYTES: usize = 32 * 1024 * 1024;
/// Aliases nest what is nested already. A value that contains itself is found within this.
const MAX_EXPANDED_DEPTH: usize = 2 * MAX_DEPTH + 2;

/// A decoded value; only a mapping may have keys that JSON does not.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Scalar(Scalar),
    Sequence(Vec<Value>),
    Mapping(Mapping),
}

#[derive(Debug, Clone)]
pub(super) struct Mapping {
    /// All keys of the first mapping are strings or merge keys; merged ones then count as their text.
    of_text: bool,
    pub(super) entries: BTreeMap<Key, Value>,
}

/// The value of a node. Undefined if an alias contains itself, or if too many nodes come from aliases.
pub(super) fn decode(graph: &Graph, root: Id) -> Result<Value, Failure> {
    let mut decoder = Decoder {
        graph,
        decoded: 0,
        aliased: 0,
        alias_depth: 0,
        depth: 0,
        bytes: 0,
        open: HashSet::new(),
        merged: None,
    };
    // Go counts the document, too.
    decoder.count()?;
    decoder.value(root)
}

struct Decoder<'a> {
    graph: &'a Graph,
    decoded: u32,
    aliased: u32,
    alias_depth: usize,
    depth: usize,
    bytes: usize,
    /// The aliases that are being followed.
    open: HashSet<Id>,
    /// While a merge is under way: the keys that the mapping has already.
    merged: Option<HashSet<Key>>,
}

impl Decoder<'_> {
    /// Go's guard against "billion laughs": the share of nodes that aliases may bring.
    fn count(&mut self) -> Result<(), Failure> {
        const LOW: f64 = 400_000.0;
        const HIGH: f64 = 4_000_000.0;
        self.decoded += 1;
        self.aliased += u32::from(self.alias_depth > 0);
        let decoded = f64::from(self.decoded);
        let allowed = match decoded {
            ..=LOW => 0.99,
            HIGH.. => 0.10,
            _ => 0.99 - 0.89 * ((decoded - LOW) / (HIGH - LOW)),
        };
        if self.aliased > 100 && self.decoded > 1000 && f64::from(self.aliased) / decoded > allowed {
            return Err(Failure::Undefined);
        }
        Ok(())
    }

    /// Enters a node: its kind with aliases followed, handed to `read`.
    fn enter<T>(&mut self, id: Id, read: impl FnOnce(&mut Self, Id) -> Result<T, Failure>) -> Result<T, Failure> {
        self.count()?;
        if self.depth > MAX_EXPANDED_DEPTH {
            return Err(too_deep());
        }
        self.depth += 1;
        let result = match self.graph.node(id)?.kind {
            Kind::Alias(_, target) => {
                if !self.open.insert(id) {
                    return Err(Failure::Undefined);
                }
                self.alias_depth += 1;
                self.count()?;
                let result = read(self, target)?;
                self.alias_depth -= 1;
                self.open.remove(&id);
                result
            }
            _ => read(self, id)?,
        };
        self.depth -= 1;
        Ok(result)
    }

    fn value(&mut self, id: Id) -> Result<Value, Failure> {
        self.enter(id, |decoder, id| match &decoder.graph.node(id)?.kind {
            Kind::Scalar(_) => decoder.scalar(id).map(|(_, scalar)| Value::Scalar(scalar)),
            Kind::Sequence(items) => {
                let items: Result<_, _> = items.iter().map(|item| decoder.value(*item)).collect();
                items.map(Value::Sequence)
            }
            Kind::Mapping(fields) => {
                let mut mapping = Mapping {
                    of_text: decoder.are_texts(fields)?,
                    entries: BTreeMap::new(),
                };
                decoder.fill(id, &mut mapping)?;
                Ok(Value::Mapping(mapping))
            }
            Kind::Alias(..) => Err(Failure::Undefined),
        })
    }

    fn scalar(&mut self, id: Id) -> Result<(Tag, Scalar), Failure> {
        let node = self.graph.node(id)?;
        let Kind::Scalar(text) = &node.kind else {
            return Err(Failure::Undefined);
        };
        self.bytes += text.len() + size_of::<Term>();
        if self.bytes > MAX_EXPANDED_BYTES {
            return Err(Failure::Limit(format!(
                "a YAML text becomes more than {MAX_EXPANDED_BYTES} bytes"
            )));
        }
        let (tag, scalar) = resolve(Some(node.tag), text)?;
        Ok((tag, text_of(tag, scalar)?))
    }

    fn are_texts(&self, fields: &[(Id, Id)]) -> Result<bool, Failure> {
        for (key, _) in fields {
            let mut node = self.graph.node(*key)?;
            if let Kind::Alias(_, target) = node.kind {
                node = self.graph.node(target)?;
            }
            if !matches!(node.tag, Tag::Text | Tag::Merge) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_merge(&self, id: Id) -> Result<bool, Failure> {
        let node = self.graph.node(id)?;
        Ok(node.tag == Tag::Merge && matches!(&node.kind, Kind::Scalar(text) if text == "<<"))
    }

    /// Collections cannot be keys.
    fn key(&mut self, id: Id) -> Result<Key, Failure> {
        self.enter(id, |decoder, id| decoder.scalar(id).map(|(_, scalar)| Key::of(scalar)))
    }

    /// A key as text, whatever it means; null is none.
    fn text_key(&mut self, id: Id) -> Result<Option<Key>, Failure> {
        self.enter(id, |decoder, id| {
            let (tag, scalar) = decoder.scalar(id)?;
            let Kind::Scalar(raw) = &decoder.graph.node(id)?.kind else {
                return Ok(None);
            };
            Ok(match scalar {
                Scalar::Null => None,
                Scalar::Text(text) if tag == Tag::Binary => Some(Key::Text(text)),
                _ => Some(Key::Text(raw.clone())),
            })
        })
    }

    /// Adds the fields of a mapping and then those it merges, which do not replace any.
    fn fill(&mut self, id: Id, into: &mut Mapping) -> Result<(), Failure> {
        let graph = self.graph;
        let Kind::Mapping(fields) = &graph.node(id)?.kind else {
            return Err(Failure::Undefined);
        };
        self.check_unique(fields)?;
        let mut merged = self.merged.take();
        let mut merge = None;
        for (key, value) in fields {
            if self.is_merge(*key)? {
                merge = Some(*value);
                continue;
            }
            let key = if into.of_text {
                self.text_key(*key)?
            } else {
                Some(self.key(*key)?)
            };
            let Some(key) = key else { continue };
            if merged.as_mut().is_some_and(|merged| !merged.insert(key.clone())) {
                continue;
            }
            let value = self.value(*value)?;
            // Also the sign of a zero is that of the last one.
            into.entries.remove(&key);
            into.entries.insert(key, value);
        }
        if let Some(merge) = merge {
            let is_outermost = merged.is_none();
            self.merged = merged;
            if is_outermost {
                let keys: Result<HashSet<Key>, Failure> = fields.iter().map(|(key, _)| self.key(*key)).collect();
                self.merged = Some(keys?);
            }
            self.merge(merge, into)?;
            merged = if is_outermost { None } else { self.merged.take() };
        }
        self.merged = merged;
        Ok(())
    }

    /// Keys spelt alike are refused; after OPA's changes these are aliases and keys without a name.
    fn check_unique(&self, fields: &[(Id, Id)]) -> Result<(), Failure> {
        let mut seen = HashSet::new();
        for (key, _) in fields {
            let spelling = match &self.graph.node(*key)?.kind {
                Kind::Scalar(text) => (0, text.as_str()),
                Kind::Alias(name, _) => (1, name.as_str()),
                Kind::Sequence(_) => (2, ""),
                Kind::Mapping(_) => (3, ""),
            };
            if !seen.insert(spelling) {
                return Err(Failure::Undefined);
            }
        }
        Ok(())
    }

    /// The value of `<<`: a mapping or a sequence of some, the first of which win.
    fn merge(&mut self, id: Id, into: &mut Mapping) -> Result<(), Failure> {
        if let Kind::Sequence(items) = &self.graph.node(id)?.kind {
            for item in items {
                self.merge_one(*item, into)?;
            }
            return Ok(());
        }
        self.merge_one(id, into)
    }

    fn merge_one(&mut self, id: Id, into: &mut Mapping) -> Result<(), Failure> {
        self.enter(id, |decoder, id| decoder.fill(id, into))
    }
}

impl Value {
    /// The value as JSON has it. Undefined for numbers that are none and keys without a name.
    pub(super) fn into_term(self, depth: usize) -> Result<Term, Failure> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(too_deep());
        };
        match self {
            Self::Scalar(scalar) => scalar_term(scalar),
            Self::Sequence(items) => {
                let items: Result<_, _> = items.into_iter().map(|item| item.into_term(depth)).collect();
                items.map(Term::Array)
            }
            Self::Mapping(mapping) => {
                let fields: Result<_, Failure> = mapping
                    .entries
                    .into_iter()
                    .map(|(key, value)| {
                        let name = key.name().ok_or(Failure::Undefined)?;
                        Ok((Term::String(name), value.into_term(depth)?))
                    })
                    .collect();
                fields.map(Term::Object)
            }
        }
    }
}

fn too_deep() -> Failure {
    Failure::Limit(format!("a YAML value is nested more than {MAX_DEPTH} deep"))
}

fn scalar_term(scalar: Scalar) -> Result<Term, Failure> {
    let number = |text: &str| Number::parse(text).map(Term::Number).ok_or(Failure::Undefined);
    match scalar {
        Scalar::Null => Ok(Term::Null),
        Scalar::Boolean(value) => Ok(Term::Boolean(value)),
        Scalar::Integer(value) => Ok(Term::Number(value.into())),
        Scalar::Unsigned(value) => number(&value.to_string()),
        Scalar::Float(value) if value.is_finite() => number(&super::json::float(value)),
        Scalar::Text(text) | Scalar::Timestamp(Timestamp::Text(text)) => Ok(Term::String(text)),
        Scalar::Float(_) | Scalar::Timestamp(Timestamp::Unwritable) => Err(Failure::Undefined),
    }
}
