//! The document that `json.patch` works on: a value, unfolded along the paths that were used.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use super::Failure;
use crate::engine::term::Term;

/// How deep the patched document may be nested: as deep as a value that enters a guest.
pub(super) const MAX_DEPTH: usize = 256;
/// What one call may read and move, in bytes; copying a document into itself doubles it.
const MAX_WORK: usize = 64 * 1024 * 1024;

/// What a call may still do.
pub(super) struct Work(usize);

impl Default for Work {
    fn default() -> Self {
        Self(MAX_WORK)
    }
}

impl Work {
    fn spend(&mut self, bytes: usize) -> Result<(), Failure> {
        self.0 = self
            .0
            .checked_sub(bytes)
            .ok_or_else(|| Failure::Limit(format!("the patch moves more than {MAX_WORK} bytes")))?;
        Ok(())
    }
}

/// Refuses to nest deeper than a value may be.
pub(super) fn check_depth(depth: usize) -> Result<(), Failure> {
    if depth > MAX_DEPTH {
        return Err(Failure::Limit(format!(
            "the patched value is nested deeper than {MAX_DEPTH}"
        )));
    }
    Ok(())
}

pub(super) enum Node {
    /// A scalar, or a value nothing was asked of yet.
    Whole(Term),
    Object(BTreeMap<Term, Node>),
    Array(Items),
    Set(BTreeSet<Term>),
}

/// An array. OPA looks an element that no path has used up in the array as it was at first, whatever
/// was inserted or removed before it since, and puts what it finds there in the place of the element.
pub(super) struct Items {
    original: Vec<Term>,
    slots: Vec<Slot>,
}

enum Slot {
    /// The element with that index.
    Original(usize),
    Used(Node),
}

impl From<Term> for Node {
    fn from(term: Term) -> Self {
        Self::Whole(term)
    }
}

impl Node {
    /// Runs an action on the node at the end of the path.
    pub(super) fn visit<T>(
        &mut self,
        path: &[Term],
        work: &mut Work,
        action: &mut dyn FnMut(&mut Node, &mut Work) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.unfold(work)?;
        let Some((key, rest)) = path.split_first() else {
            return action(self, work);
        };
        match self {
            Self::Whole(_) => Err(Failure::Undefined),
            Self::Object(fields) => fields.get_mut(key).ok_or(Failure::Undefined)?.visit(rest, work, action),
            Self::Array(items) => items.get(key, work)?.visit(rest, work, action),
            Self::Set(items) => {
                let mut item = Self::Whole(items.take(key).ok_or(Failure::Undefined)?);
                let value = item.visit(rest, work, action)?;
                items.insert(item.into_term());
                Ok(value)
            }
        }
    }

    fn unfold(&mut self, work: &mut Work) -> Result<(), Failure> {
        let Self::Whole(term) = self else {
            return Ok(());
        };
        *self = match mem::replace(term, Term::Null) {
            Term::Object(fields) => {
                work.spend(fields.len() * size_of::<Node>())?;
                let fields = fields.into_iter().map(|(key, value)| (key, Self::Whole(value)));
                Self::Object(fields.collect())
            }
            Term::Array(original) => {
                work.spend(original.len() * size_of::<Slot>())?;
                Self::Array(Items {
                    slots: (0..original.len()).map(Slot::Original).collect(),
                    original,
                })
            }
            Term::Set(items) => Self::Set(items),
            scalar => Self::Whole(scalar),
        };
        Ok(())
    }

    /// A copy of the value.
    pub(super) fn read(&self, work: &mut Work) -> Result<Term, Failure> {
        let clone = |term: &Term, work: &mut Work| {
            work.spend(term.weight())?;
            Ok(term.clone())
        };
        match self {
            Self::Whole(term) => clone(term, work),
            Self::Set(items) => items
                .iter()
                .map(|item| clone(item, work))
                .collect::<Result<_, _>>()
                .map(Term::Set),
            Self::Object(fields) => fields
                .iter()
                .map(|(key, node)| Ok((clone(key, work)?, node.read(work)?)))
                .collect::<Result<_, _>>()
                .map(Term::Object),
            Self::Array(Items { original, slots }) => slots
                .iter()
                .map(|slot| match slot {
                    Slot::Original(index) => clone(original.get(*index).ok_or(Failure::Undefined)?, work),
                    Slot::Used(node) => node.read(work),
                })
                .collect::<Result<_, _>>()
                .map(Term::Array),
        }
    }

    pub(super) fn into_term(self) -> Term {
        match self {
            Self::Whole(term) => term,
            Self::Set(items) => Term::Set(items),
            Self::Object(fields) => {
                let fields = fields.into_iter().map(|(key, node)| (key, node.into_term()));
                Term::Object(fields.collect())
            }
            Self::Array(Items { mut original, slots }) => {
                let items = slots.into_iter().filter_map(|slot| match slot {
                    Slot::Original(index) => original.get_mut(index).map(|item| mem::replace(item, Term::Null)),
                    Slot::Used(node) => Some(node.into_term()),
                });
                Term::Array(items.collect())
            }
        }
    }

    /// Puts a value under the key: beside the others in an array, into a set only under itself.
    pub(super) fn insert(&mut self, key: &Term, value: Term, work: &mut Work) -> Result<(), Failure> {
        match self {
            Self::Whole(_) => return Err(Failure::Undefined),
            Self::Object(fields) => {
                // The key takes its new spelling.
                fields.remove(key);
                fields.insert(key.clone(), Self::Whole(value));
            }
            Self::Set(items) => {
                if *key != value {
                    return Err(Failure::Undefined);
                }
                items.replace(value);
            }
            Self::Array(Items { slots, .. }) => {
                let index = index(key, slots.len())
                    .filter(|index| *index <= slots.len())
                    .ok_or(Failure::Undefined)?;
                work.spend((slots.len() - index) * size_of::<Slot>())?;
                slots.insert(index, Slot::Used(Self::Whole(value)));
            }
        }
        Ok(())
    }

    /// Removes what is under the key, which must be there.
    pub(super) fn delete(&mut self, key: &Term, work: &mut Work) -> Result<(), Failure> {
        let found = match self {
            Self::Whole(_) => false,
            Self::Object(fields) => fields.remove(key).is_some(),
            Self::Set(items) => items.remove(key),
            Self::Array(Items { slots, .. }) => {
                let index = index(key, slots.len()).filter(|index| *index < slots.len());
                let index = index.ok_or(Failure::Undefined)?;
                work.spend((slots.len() - index) * size_of::<Slot>())?;
                slots.remove(index);
                true
            }
        };
        found.then_some(()).ok_or(Failure::Undefined)
    }
}

impl Items {
    fn get(&mut self, key: &Term, work: &mut Work) -> Result<&mut Node, Failure> {
        let index = index(key, self.slots.len()).ok_or(Failure::Undefined)?;
        let slot = self.slots.get_mut(index).ok_or(Failure::Undefined)?;
        if let Slot::Original(_) = slot {
            let item = self.original.get(index).ok_or(Failure::Undefined)?;
            work.spend(item.weight())?;
            *slot = Slot::Used(Node::Whole(item.clone()));
        }
        match slot {
            Slot::Used(node) => Ok(node),
            Slot::Original(_) => Err(Failure::Undefined),
        }
    }
}

/// An index into an array of that length: a number or a string that is a whole number in OPA's eyes
/// (`util.Atoi64`, which takes `+1` and `1.0`), or `-` for the end.
fn index(key: &Term, length: usize) -> Option<usize> {
    let text = match key {
        Term::String(text) if text == "-" => return Some(length),
        Term::String(text) if text != "0" && text.starts_with('0') => return None,
        Term::String(text) => text,
        Term::Number(number) => number.text(),
        _ => return None,
    };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if digits.is_empty() || digits.len() > 19 || fraction.bytes().any(|byte| byte != b'0') {
        return None;
    }
    if !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: usize = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    (number == 0 || !text.starts_with('-')).then_some(number)
}
