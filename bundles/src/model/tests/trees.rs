//! Random trees: what is there is what was signed, and after any one change it is not.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// Trees whose names cannot be each other's folders.
fn trees() -> impl Strategy<Value = Tree> {
    let name = (
        prop::collection::vec(select(vec!["d", "d-", "é", ".x"]), 0..3),
        "[f-h]{1,2}",
    );
    let path = name.prop_map(|(folders, file)| [folders, vec![&file]].concat().join("/"));
    let content = prop::collection::vec(any::<u8>(), 1..20);
    prop::collection::btree_map(path, content, 1..8)
}

#[derive(Debug, Clone)]
enum Change {
    Flip(Index, Index, u8),
    Append(Index, u8),
    Cut(Index),
    Remove(Index),
    Rename(Index),
    Add(Vec<u8>),
    Swap(Index, Index),
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), any::<Index>(), 1_u8..).prop_map(|(file, at, with)| Change::Flip(file, at, with)),
        (any::<Index>(), any::<u8>()).prop_map(|(file, with)| Change::Append(file, with)),
        any::<Index>().prop_map(Change::Cut),
        any::<Index>().prop_map(Change::Remove),
        any::<Index>().prop_map(Change::Rename),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(Change::Add),
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Change::Swap(one, other)),
    ]
}

/// The changed tree, and the names of which a difference must be told.
fn changed(tree: &Tree, change: &Change) -> (Tree, Vec<String>) {
    let names: Vec<_> = tree.keys().cloned().collect();
    let mut tree = tree.clone();
    let touched = match change {
        Change::Flip(file, at, with) => {
            let content = tree.get_mut(file.get(&names)).unwrap();
            let at = at.index(content.len());
            content[at] ^= with;
            vec![file.get(&names).clone()]
        }
        Change::Append(file, with) => {
            tree.get_mut(file.get(&names)).unwrap().push(*with);
            vec![file.get(&names).clone()]
        }
        Change::Cut(file) => {
            tree.get_mut(file.get(&names)).unwrap().pop();
            vec![file.get(&names).clone()]
        }
        Change::Remove(file) => {
            tree.remove(file.get(&names));
            vec![file.get(&names).clone()]
        }
        Change::Rename(file) => {
            let content = tree.remove(file.get(&names)).unwrap();
            let new = format!("{}.new", file.get(&names));
            tree.insert(new.clone(), content);
            vec![file.get(&names).clone(), new]
        }
        Change::Add(content) => {
            tree.insert("added".to_owned(), content.clone());
            vec!["added".to_owned()]
        }
        Change::Swap(one, other) => {
            let (one, other) = (one.get(&names), other.get(&names));
            let (first, second) = (tree[one].clone(), tree[other].clone());
            if first == second {
                return (tree, Vec::new());
            }
            tree.insert(one.clone(), second);
            tree.insert(other.clone(), first);
            vec![one.clone(), other.clone()]
        }
    };
    (tree, touched)
}

fn told(comparison: &Comparison) -> BTreeMap<String, String> {
    let pair = |difference: &Difference| (difference.name().to_string(), difference.to_string());
    comparison.differences.iter().map(pair).collect()
}

fn write(folder: &std::path::Path, tree: &Tree) {
    for (name, content) in tree {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

proptest! {
    #[test]
    fn what_was_signed_is_the_same_and_any_change_is_told_by_name(
        tree in trees(), change in changes(), shard_size in prop::option::of(1_usize..9),
    ) {
        let manifest = read(&statement(&tree, shard_size)).unwrap();
        prop_assert!(compare(&manifest, &tree).is_same());
        let (other, touched) = changed(&tree, &change);
        let comparison = compare(&manifest, &other);
        prop_assert_eq!(told(&comparison).into_keys().collect::<Vec<_>>(), {
            let mut touched = touched;
            touched.sort();
            touched
        });
    }

    /// A list that gives a digest another name is a list of another model, whatever its root says.
    #[test]
    fn any_change_of_the_list_is_refused_or_found(
        tree in trees(), at: Index, other: Index, what in 0..4, shard_size in prop::option::of(1_usize..9),
    ) {
        let good = statement(&tree, shard_size);
        let mut bent = good.clone();
        let resources = bent["predicate"]["resources"].as_array_mut().unwrap();
        let (at, other) = (at.index(resources.len()), other.index(resources.len()));
        match what {
            0 => drop(resources.remove(at)),
            1 => {
                let (one, two) = (resources[at]["digest"].clone(), resources[other]["digest"].clone());
                resources[at]["digest"] = two;
                resources[other]["digest"] = one;
            }
            2 => resources[at]["name"] = json!(format!("x{}", resources[at]["name"].as_str().unwrap())),
            _ => resources[at]["digest"] = json!(sha256(b"something else, and longer than any part here")),
        }
        if bent != good {
            prop_assert!(read(&rooted(&bent)).map_or(true, |manifest| !compare(&manifest, &tree).is_same()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_folder_is_seen_as_its_tree(tree in trees(), shard_size in prop::option::of(1_usize..9)) {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &tree);
        let manifest = read(&statement(&tree, shard_size)).unwrap();
        let mut want = seen(&tree, manifest.serialization());
        want.sort_by(|one, other| one.name.cmp(&other.name));
        prop_assert_eq!(crate::model::directory::read(folder.path(), &manifest, &Allowed::default()).unwrap(), want);
    }
}
