//! `graph.reachable_paths` (`v1/topdown/reachable.go`).

use std::collections::{BTreeMap, BTreeSet};

use super::{Builtin, Context, Failure, builtin};
use crate::engine::term::Term;

/// The size of all paths together, in bytes: a graph of thirty nodes can have a milliard of them.
const MAX_PATHS: usize = 16 * 1024 * 1024;

pub(super) const TABLE: &[Builtin] = &[builtin("graph.reachable_paths", 2, reachable_paths)];

/// All paths from the given nodes along the edges, each up to where it ends: at a node without edges,
/// before one that is not in the graph, or before one it has already visited.
fn reachable_paths(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let [Term::Object(graph), roots] = arguments else {
        return Err(Failure::Undefined);
    };
    let roots: Vec<&Term> = match roots {
        Term::Array(items) => items.iter().collect(),
        Term::Set(items) => items.iter().collect(),
        _ => return Err(Failure::Undefined),
    };
    let mut walk = Walk {
        graph,
        path: Vec::new(),
        visited: BTreeSet::new(),
        found: BTreeSet::new(),
        room: MAX_PATHS,
    };
    for root in roots {
        walk.from(root)?;
    }
    let paths = walk.found.into_iter();
    Ok(Term::Set(
        paths
            .map(|path| Term::Array(path.into_iter().cloned().collect()))
            .collect(),
    ))
}

struct Walk<'a> {
    graph: &'a BTreeMap<Term, Term>,
    path: Vec<&'a Term>,
    visited: BTreeSet<&'a Term>,
    found: BTreeSet<Vec<&'a Term>>,
    room: usize,
}

impl<'a> Walk<'a> {
    fn from(&mut self, root: &'a Term) -> Result<(), Failure> {
        let Some(edges) = self.graph.get(root) else {
            return Ok(());
        };
        let edges = neighbours(edges);
        self.path.push(root);
        if edges.is_empty() {
            self.end()?;
        }
        for neighbour in edges {
            // OPA looks for a circle only from the second step on, so that [a, a] is a path.
            self.paths_through(neighbour)?;
        }
        self.path.clear();
        Ok(())
    }

    /// Depth first with a stack of its own: a path may be as long as the graph.
    fn paths_through(&mut self, start: &'a Term) -> Result<(), Failure> {
        self.visited = self.path.iter().copied().collect();
        let mut stack = Vec::new();
        stack.extend(self.enter(start)?);
        while let Some(edges) = stack.last_mut() {
            match edges.next() {
                Some(neighbour) if self.visited.contains(neighbour) => self.end()?,
                Some(neighbour) => stack.extend(self.enter(neighbour)?),
                None => {
                    stack.pop();
                    if let Some(node) = self.path.pop() {
                        self.visited.remove(node);
                    }
                }
            }
        }
        Ok(())
    }

    /// Goes to a node and gives the edges from there, if any.
    fn enter(&mut self, node: &'a Term) -> Result<Option<std::vec::IntoIter<&'a Term>>, Failure> {
        let Some(edges) = self.graph.get(node) else {
            self.end()?;
            return Ok(None);
        };
        self.path.push(node);
        let edges = neighbours(edges);
        if edges.is_empty() {
            self.end()?;
            self.path.pop();
            return Ok(None);
        }
        self.visited.insert(node);
        Ok(Some(edges.into_iter()))
    }

    fn end(&mut self) -> Result<(), Failure> {
        let weight = self.path.iter().map(|node| node.weight()).sum();
        self.room = self
            .room
            .checked_sub(weight)
            .ok_or_else(|| Failure::Limit(format!("the paths are larger than {MAX_PATHS} bytes")))?;
        self.found.insert(self.path.clone());
        Ok(())
    }
}

/// What is neither an array nor a set holds no edges.
fn neighbours(edges: &Term) -> Vec<&Term> {
    match edges {
        Term::Array(items) => items.iter().collect(),
        Term::Set(items) => items.iter().collect(),
        _ => Vec::new(),
    }
}
