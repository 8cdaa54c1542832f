//! Which track governs a workload.
//!
//! The track with the highest priority whose match holds governs alone. What the platform controls (kind,
//! namespace) sets the floor; a workload's own labels can only add tracks to choose from, so with priorities that
//! order strictness they can only raise what is asked.

use std::collections::BTreeMap;

use interlock_crds::GovernanceTrack;
use interlock_crds::track::{ObjectSelector, ObjectSelectorOperator};

use crate::dossier::related::selects;
use crate::subject::GroupKind;

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// Who governs.
#[derive(Clone, Debug, PartialEq)]
pub enum Assignment<'a> {
    /// No track's match holds.
    Ungoverned,
    /// Exactly one track with the highest priority.
    Governed(&'a GovernanceTrack),
    /// Several tracks share the highest priority; their names, sorted.
    Conflict(Vec<String>),
}

/// Assigns a workload of `kind` with `labels`, in a namespace with `namespace_labels`.
pub fn assign<'a>(
    tracks: impl IntoIterator<Item = &'a GovernanceTrack>,
    kind: &GroupKind,
    namespace_labels: &Labels,
    labels: &Labels,
) -> Assignment<'a> {
    let mut best: Vec<&GovernanceTrack> = Vec::new();
    for track in tracks
        .into_iter()
        .filter(|track| matches(track, kind, namespace_labels, labels))
    {
        match best.first().map(|one| one.spec.priority.cmp(&track.spec.priority)) {
            Some(std::cmp::Ordering::Greater) => {}
            Some(std::cmp::Ordering::Equal) => best.push(track),
            _ => best = vec![track],
        }
    }
    match best.as_slice() {
        [] => Assignment::Ungoverned,
        [one] => Assignment::Governed(one),
        many => {
            let mut names: Vec<_> = many.iter().filter_map(|track| track.metadata.name.clone()).collect();
            names.sort();
            Assignment::Conflict(names)
        }
    }
}

/// Whether the track names this kind, whatever its version.
pub fn names_kind(track: &GovernanceTrack, kind: &GroupKind) -> bool {
    track
        .spec
        .matching
        .kinds
        .iter()
        .any(|one| one.group == kind.group && one.kind == kind.kind)
}

fn matches(track: &GovernanceTrack, kind: &GroupKind, namespace_labels: &Labels, labels: &Labels) -> bool {
    let matching = &track.spec.matching;
    track.metadata.deletion_timestamp.is_none()
        && names_kind(track, kind)
        && matching
            .namespace_selector
            .as_ref()
            .is_none_or(|selector| selects(selector, namespace_labels))
        && matching
            .object_selector
            .as_ref()
            .is_none_or(|selector| demands(selector, labels))
}

fn demands(selector: &ObjectSelector, labels: &Labels) -> bool {
    selector
        .match_labels
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
        && selector
            .match_expressions
            .iter()
            .all(|requirement| match requirement.operator {
                ObjectSelectorOperator::Exists => labels.contains_key(&requirement.key),
                ObjectSelectorOperator::In => labels
                    .get(&requirement.key)
                    .is_some_and(|value| requirement.values.contains(value)),
            })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn track(name: &str, priority: i32, extra: &serde_json::Value) -> GovernanceTrack {
        let mut matching = json!({"kinds": [{"group": "apps", "kind": "Deployment"}]});
        for (key, value) in extra.as_object().unwrap() {
            matching[key] = value.clone();
        }
        serde_json::from_value(json!({
            "apiVersion": "interlock.dev/v1alpha1", "kind": "GovernanceTrack", "metadata": {"name": name},
            "spec": {"priority": priority, "match": matching, "bundles": [{"name": "b"}]},
        }))
        .unwrap()
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn name(assignment: Assignment<'_>) -> String {
        match assignment {
            Assignment::Ungoverned => "-".into(),
            Assignment::Governed(track) => track.metadata.name.clone().unwrap(),
            Assignment::Conflict(names) => names.join("="),
        }
    }

    #[test]
    fn the_highest_priority_that_matches_governs() {
        let deployment = GroupKind {
            group: "apps".into(),
            kind: "Deployment".into(),
        };
        let tracks = [
            track("base", 0, &json!({})),
            track(
                "prod",
                10,
                &json!({"namespaceSelector": {"matchLabels": {"env": "prod"}}}),
            ),
            track(
                "strict",
                20,
                &json!({"objectSelector": {"matchLabels": {"risk": "high"}}}),
            ),
            track(
                "twin",
                10,
                &json!({"namespaceSelector": {"matchLabels": {"twin": "yes"}}}),
            ),
        ];
        let table = [
            (labels(&[]), labels(&[]), "base"),
            (labels(&[("env", "prod")]), labels(&[]), "prod"),
            (labels(&[("env", "prod")]), labels(&[("risk", "high")]), "strict"),
            (labels(&[("env", "prod"), ("twin", "yes")]), labels(&[]), "prod=twin"),
            (
                labels(&[("env", "prod"), ("twin", "yes")]),
                labels(&[("risk", "high")]),
                "strict",
            ),
        ];
        for (namespace, object, want) in table {
            assert_eq!(
                name(assign(&tracks, &deployment, &namespace, &object)),
                want,
                "{namespace:?} {object:?}"
            );
            let backwards: Vec<_> = tracks.iter().rev().cloned().collect();
            assert_eq!(
                name(assign(&backwards, &deployment, &namespace, &object)),
                want,
                "order must not matter"
            );
        }
        let pod = GroupKind {
            group: String::new(),
            kind: "Pod".into(),
        };
        assert_eq!(name(assign(&tracks, &pod, &labels(&[]), &labels(&[]))), "-");
    }

    #[test]
    fn own_labels_never_lower_the_priority() {
        let deployment = GroupKind {
            group: "apps".into(),
            kind: "Deployment".into(),
        };
        let tracks = [
            track(
                "floor",
                10,
                &json!({"namespaceSelector": {"matchLabels": {"env": "prod"}}}),
            ),
            track(
                "in",
                5,
                &json!({"objectSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}}),
            ),
            track(
                "exists",
                30,
                &json!({"objectSelector": {"matchExpressions": [{"key": "b", "operator": "Exists"}]}}),
            ),
        ];
        let priority = |object: &Labels| match assign(&tracks, &deployment, &labels(&[("env", "prod")]), object) {
            Assignment::Governed(track) => track.spec.priority,
            _ => -1,
        };
        let floor = priority(&labels(&[]));
        for object in [
            labels(&[("a", "1")]),
            labels(&[("b", "x")]),
            labels(&[("a", "1"), ("b", "x"), ("c", "y")]),
        ] {
            assert!(priority(&object) >= floor, "{object:?}");
        }
    }
}
