//! OPA's changes to a document before it is decoded (`internal/yaml`): timestamps stay strings,
//! repeated merge keys act one after the other, and of repeated keys the last value counts.

use std::collections::{HashMap, HashSet};

use super::super::Failure;
use super::composer::{Graph, Id, Kind, Node};
use super::key::{Key, text_of};
use super::resolve::{Tag, resolve};

/// Rewrites all nodes below this one, each once.
pub(super) fn normalize(graph: &mut Graph, root: Id) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let Node { kind, tag, tagged } = graph.node(id)?.clone();
        match kind {
            Kind::Scalar(_) if tag == Tag::Timestamp && !tagged => {
                if let Some(node) = graph.nodes.get_mut(id) {
                    node.tag = Tag::Text;
                }
            }
            Kind::Scalar(_) => {}
            Kind::Alias(_, target) => open.push(target),
            Kind::Sequence(items) => open.extend(items.into_iter().rev()),
            Kind::Mapping(fields) => {
                let fields = collapse_merges(graph, fields)?;
                let fields = last_wins(graph, fields)?;
                open.extend(fields.iter().rev().flat_map(|(key, value)| [*value, *key]));
                if let Some(node) = graph.nodes.get_mut(id) {
                    node.kind = Kind::Mapping(fields);
                }
            }
        }
    }
    Ok(())
}

fn is_merge(graph: &Graph, id: Id) -> Result<bool, Failure> {
    let node = graph.node(id)?;
    Ok(matches!(node.kind, Kind::Scalar(_)) && node.tag == Tag::Merge)
}

/// Several `<<` become one with a sequence, at the place of the first.
fn collapse_merges(graph: &mut Graph, fields: Vec<(Id, Id)>) -> Result<Vec<(Id, Id)>, Failure> {
    let mut merged = Vec::new();
    for (key, value) in &fields {
        if is_merge(graph, *key)? {
            match &graph.node(*value)?.kind {
                Kind::Sequence(items) => merged.extend(items),
                _ => merged.push(*value),
            }
        }
    }
    if merged.len() < 2 {
        return Ok(fields);
    }
    let mut sequence = Some(graph.add(Node {
        tag: Tag::Other,
        tagged: false,
        kind: Kind::Sequence(merged),
    }));
    let mut kept = Vec::new();
    for (key, value) in fields {
        if !is_merge(graph, key)? {
            kept.push((key, value));
        } else if let Some(sequence) = sequence.take() {
            kept.push((key, sequence));
        }
    }
    Ok(kept)
}

/// Keys are the same if they will be in JSON. Others than scalars cannot be there at all.
fn last_wins(graph: &Graph, fields: Vec<(Id, Id)>) -> Result<Vec<(Id, Id)>, Failure> {
    let mut places = HashMap::new();
    let mut kept: Vec<(Id, Id)> = Vec::with_capacity(fields.len());
    for (key, value) in fields {
        if let Some(name) = name(graph, key)? {
            if let Some(earlier) = places.get(&name).and_then(|place: &usize| kept.get_mut(*place)) {
                earlier.1 = value;
                continue;
            }
            places.insert(name, kept.len());
        }
        kept.push((key, value));
    }
    Ok(kept)
}

/// None for what is no scalar or has no value: an error later on.
fn name(graph: &Graph, id: Id) -> Result<Option<String>, Failure> {
    let node = graph.node(id)?;
    let Kind::Scalar(text) = &node.kind else {
        return Ok(None);
    };
    if node.tag == Tag::Merge {
        return Ok(None);
    }
    let Ok((tag, scalar)) = resolve(Some(node.tag), text) else {
        return Ok(None);
    };
    Ok(text_of(tag, scalar).ok().and_then(|scalar| Key::of(scalar).name()))
}
