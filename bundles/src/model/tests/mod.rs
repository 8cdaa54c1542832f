//! Models made here, so that everything about them can be made wrong in turn; `tool.rs` has what the real
//! `model-signing` made, and what it says to every change of that.

mod archives;
mod artifacts;
mod folders;
mod hub;
mod listed;
mod names;
mod refusals;
mod tool;
mod trees;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::Digest as _;

use super::*;
use crate::digest::{self, Digest};

/// Contents by name.
type Tree = BTreeMap<String, Vec<u8>>;

fn tree(files: &[(&str, &str)]) -> Tree {
    let own = |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().to_vec());
    files.iter().map(own).collect()
}

fn name(text: &str) -> FileName {
    match text {
        "." => FileName::whole(),
        text => FileName::parse(text).unwrap(),
    }
}

/// The hexadecimal SHA-256, by another way than the code under test.
fn sha256(bytes: &[u8]) -> String {
    digest::hex(&sha2::Sha256::digest(bytes))
}

/// The statement that `model-signing` writes about a tree: whole files, or shards of this many bytes.
fn statement(tree: &Tree, shard_size: Option<usize>) -> Value {
    let mut sorted: Vec<_> = tree.iter().collect();
    sorted.sort_by_key(|(name, _)| name.split('/').collect::<Vec<_>>());
    let mut resources = Vec::new();
    for (name, content) in sorted {
        match shard_size {
            None => resources.push(json!({"name": name, "algorithm": "sha256", "digest": sha256(content)})),
            Some(size) => resources.extend(content.chunks(size).enumerate().map(|(at, shard)| {
                let name = format!("{name}:{}:{}", at * size, at * size + shard.len());
                json!({"name": name, "algorithm": format!("sha256-sharded-{size}"), "digest": sha256(shard)})
            })),
        }
    }
    let mut serialization = json!({"method": "files", "hash_type": "sha256", "allow_symlinks": false});
    if let Some(size) = shard_size {
        serialization["method"] = json!("shards");
        serialization["shard_size"] = json!(size);
    }
    rooted(&json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": ""}}],
        "predicateType": MODEL_PREDICATE,
        "predicate": {"serialization": serialization, "resources": resources},
    }))
}

/// The same statement with the root that its resources have.
fn rooted(statement: &Value) -> Value {
    let hex = |resource: &Value| resource["digest"].as_str().unwrap().to_owned();
    let resources = statement["predicate"]["resources"].as_array().unwrap();
    let digests: Vec<u8> = resources
        .iter()
        .flat_map(|resource| digest::decode::<32>(&hex(resource)).unwrap())
        .collect();
    let mut statement = statement.clone();
    statement["subject"][0]["digest"]["sha256"] = json!(sha256(&digests));
    statement
}

fn read(statement: &Value) -> Result<Manifest, ManifestError> {
    Manifest::read(statement.to_string().as_bytes())
}

/// What somebody would see who has these files.
fn seen(tree: &Tree, serialization: &Serialization) -> Vec<SeenFile> {
    let part = |content: &[u8], range: std::ops::Range<u64>| {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        let mut hasher = serialization.algorithm.hasher();
        hasher.update(&content[range]);
        hasher.finish()
    };
    let see = |(text, content): (&String, &Vec<u8>)| SeenFile {
        name: name(text),
        size: content.len() as u64,
        digests: serialization
            .parts(content.len() as u64)
            .map(|range| part(content, range))
            .collect(),
    };
    tree.iter().map(see).collect()
}

fn compare(manifest: &Manifest, tree: &Tree) -> Comparison {
    manifest.compare(seen(tree, manifest.serialization()), &Allowed::default())
}

#[test]
fn a_manifest_tells_what_it_lists() {
    let files = tree(&[("b/c", "12345"), ("b-c", "1234"), ("a", "1")]);
    let manifest = read(&statement(&files, Some(4))).unwrap();
    let listed: Vec<_> = manifest
        .files()
        .iter()
        .map(|file| (file.name.as_str(), file.size, file.digests.len()))
        .collect();
    assert_eq!(listed, [("a", Some(1), 1), ("b/c", Some(5), 2), ("b-c", Some(4), 1)]);
    assert_eq!((manifest.model_name(), manifest.is_single_file()), ("model", false));
    let size = std::num::NonZeroU64::new(4).unwrap();
    assert_eq!(manifest.serialization().method, Method::Shards { size });
    let digests: Vec<u8> = [&b"1"[..], b"1234", b"5", b"1234"]
        .iter()
        .flat_map(sha2::Sha256::digest)
        .collect();
    assert_eq!(manifest.root(), Digest::of(&digests));
}

#[test]
fn files_and_shards_are_divided_as_the_tool_does() {
    let parts = |method, size| {
        let serialization = Serialization {
            method,
            algorithm: Algorithm::Sha256,
            allow_symlinks: false,
            ignore_paths: Vec::new(),
        };
        serialization
            .parts(size)
            .map(|part| (part.start, part.end))
            .collect::<Vec<_>>()
    };
    let shards = |size| Method::Shards {
        size: std::num::NonZeroU64::new(size).unwrap(),
    };
    assert_eq!(parts(Method::Files, 0), [(0, 0)]);
    assert_eq!(parts(Method::Files, u64::MAX), [(0, u64::MAX)]);
    assert_eq!(parts(shards(3), 0), []);
    assert_eq!(parts(shards(3), 3), [(0, 3)]);
    assert_eq!(parts(shards(3), 7), [(0, 3), (3, 6), (6, 7)]);
    assert_eq!(
        parts(shards(u64::MAX - 1), u64::MAX),
        [(0, u64::MAX - 1), (u64::MAX - 1, u64::MAX)]
    );
}

#[test]
fn differences_are_told_by_name_up_to_a_hundred() {
    let many: Tree = (0..150).map(|number| (format!("{number:03}"), vec![1])).collect();
    let manifest = read(&statement(&many, None)).unwrap();
    let comparison = compare(&manifest, &tree(&[("zz", "x")]));
    assert_eq!(
        (comparison.count, comparison.differences.len(), comparison.files),
        (151, 100, 1)
    );
    assert_eq!(
        comparison.differences[0].to_string(),
        r#""000" is signed and not there"#
    );

    let manifest = read(&statement(&tree(&[("a", "12345"), ("b", "1"), ("c", "1")]), Some(2))).unwrap();
    let comparison = compare(&manifest, &tree(&[("a", "1x34y"), ("c", "12"), ("d", "1"), ("e", "")]));
    let told: Vec<_> = comparison.differences.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            r#""a" has other content than was signed, in 2 of its parts, first in bytes 0 to 2"#,
            r#""b" is signed and not there"#,
            r#""c" has 2 bytes, and 1 are signed"#,
            r#""d" is there and not signed"#,
            r#""e" is there and not signed: it is empty, and a signature over shards says nothing of empty files"#,
        ]
    );
    assert_eq!((comparison.count, comparison.bytes), (5, 8));
}
