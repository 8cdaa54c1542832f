//! `json.patch` (`v1/topdown/json.go`, `internal/edittree/edittree.go`): JSON Patch (RFC 6902) on any
//! Rego value, sets included.
//!
//! A set's element is its own key. A path is a JSON pointer, with or without slashes in front, or an
//! array of keys. Two things differ from OPA 1.22. It loses a scalar inserted into an array when another
//! one beside an inserted composite value is moved over it, and then mostly crashes; here it stays. And a key that
//! a path only passes through under another spelling (`1.0` for `1`) keeps its own.

use super::patch_tree::{self, MAX_DEPTH, Node, Work};
use super::{Builtin, Context, Failure, builtin};
use crate::engine::term::Term;

pub(super) const TABLE: &[Builtin] = &[builtin("json.patch", 2, patch)];

fn patch(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let [document, Term::Array(operations)] = arguments else {
        return Err(Failure::Undefined);
    };
    let mut patch = Patch {
        document: Some(Node::from(document.clone())),
        work: Work::default(),
    };
    for operation in operations {
        patch.apply(operation)?;
    }
    let document = patch.document.ok_or_else(|| {
        // OPA crashes.
        Failure::Limit("the patch removes the whole document".to_owned())
    })?;
    Ok(document.into_term())
}

/// The document, `None` once its root is removed.
struct Patch {
    document: Option<Node>,
    work: Work,
}

impl Patch {
    fn apply(&mut self, operation: &Term) -> Result<(), Failure> {
        let Term::Object(fields) = operation else {
            return Err(Failure::Undefined);
        };
        let field = |name: &str| fields.get(&Term::String(name.to_owned())).ok_or(Failure::Undefined);
        let path = path(field("path")?)?;
        let Term::String(name) = field("op")? else {
            return Err(Failure::Undefined);
        };
        match name.as_str() {
            "add" => self.insert(&path, field("value")?.clone()),
            "remove" => self.delete(&path),
            "replace" => {
                self.delete(&path)?;
                self.insert(&path, field("value")?.clone())
            }
            "move" => {
                let from = self::path(field("from")?)?;
                let value = self.read(&from)?;
                self.delete(&from)?;
                self.insert(&path, value)
            }
            "copy" => {
                let value = self.read(&self::path(field("from")?)?)?;
                self.insert(&path, value)
            }
            "test" if self.read(&path)? == *field("value")? => Ok(()),
            _ => Err(Failure::Undefined),
        }
    }

    fn read(&mut self, path: &[Term]) -> Result<Term, Failure> {
        let document = self.document.as_mut().ok_or(Failure::Undefined)?;
        document.visit(path, &mut self.work, &mut |node, work| node.read(work))
    }

    fn insert(&mut self, path: &[Term], value: Term) -> Result<(), Failure> {
        let Some((key, parent)) = path.split_last() else {
            self.document = Some(Node::from(value));
            return Ok(());
        };
        let depth = path.len().saturating_add(value.depth());
        let document = self.document.as_mut().ok_or(Failure::Undefined)?;
        let mut value = Some(value);
        document.visit(parent, &mut self.work, &mut |node, work| {
            let value = value.take().ok_or(Failure::Undefined)?;
            node.insert(key, value, work)
        })?;
        patch_tree::check_depth(depth)
    }

    fn delete(&mut self, path: &[Term]) -> Result<(), Failure> {
        let document = self.document.as_mut().ok_or(Failure::Undefined)?;
        let Some((key, parent)) = path.split_last() else {
            self.document = None;
            return Ok(());
        };
        document.visit(parent, &mut self.work, &mut |node, work| node.delete(key, work))
    }
}

/// The keys of a path. One with more keys than a document is deep leads nowhere.
fn path(term: &Term) -> Result<Vec<Term>, Failure> {
    let keys: Vec<Term> = match term {
        Term::String(pointer) if pointer.is_empty() => Vec::new(),
        Term::String(pointer) => {
            let keys = pointer.trim_start_matches('/').split('/').take(MAX_DEPTH + 1);
            keys.map(|key| Term::String(key.replace("~1", "/").replace("~0", "~")))
                .collect()
        }
        Term::Array(keys) => keys.iter().take(MAX_DEPTH + 1).cloned().collect(),
        _ => return Err(Failure::Undefined),
    };
    if keys.len() > MAX_DEPTH {
        return Err(Failure::Undefined);
    }
    Ok(keys)
}
