//! Manifests that are refused, each by its reason. Most are those of `hostile.json`, which the real `model-signing` was
//! asked about.

use proptest::prelude::*;

use super::*;

#[derive(serde::Deserialize)]
struct Hostile {
    name: String,
    payload: String,
    verifies: bool,
}

fn hostile() -> Vec<Hostile> {
    serde_json::from_str(include_str!("../../../testdata/oms/hostile.json")).unwrap()
}

/// What becomes of each: the reason, or `Read` where it is a manifest of something.
const OUTCOMES: [(&str, &str); 88] = [
    ("as written", "Read"),
    ("duplicate name", "DuplicateName"),
    ("duplicate name, other digest", "DuplicateName"),
    ("unsorted", "ManifestNotSorted"),
    ("sorted as text", "ManifestNotSorted"),
    ("dot segment", "MalformedName"),
    ("double slash", "MalformedName"),
    ("trailing slash", "MalformedName"),
    ("climbing name", "MalformedName"),
    ("climbing inside", "MalformedName"),
    ("absolute name", "MalformedName"),
    ("backslash", "MalformedName"),
    ("NUL", "MalformedName"),
    ("newline", "MalformedName"),
    ("escape sequence", "MalformedName"),
    ("direction override", "MalformedName"),
    ("leading space", "MalformedName"),
    ("trailing space", "MalformedName"),
    ("trailing no-break space", "MalformedName"),
    ("empty name", "MalformedName"),
    ("long segment", "MalformedName"),
    ("long name", "MalformedName"),
    ("single file among others", "FileAndFolder"),
    ("file is folder", "FileAndFolder"),
    ("case", "AmbiguousNames"),
    ("case of folder", "AmbiguousNames"),
    ("composition", "AmbiguousNames"),
    ("sharp s", "AmbiguousNames"),
    ("no resources", "NothingListed"),
    ("root of nothing", "RootMismatch"),
    ("upper-case root", "MalformedModelManifest"),
    ("two subjects", "SubjectCount"),
    ("no subject", "SubjectCount"),
    ("subject without sha256", "MalformedModelManifest"),
    ("statement v0.1", "WrongStatementType"),
    ("another predicate", "WrongPredicateType"),
    ("predicate of 0.2", "WrongPredicateType"),
    ("field in statement", "Read"),
    ("field in predicate", "Read"),
    ("field in serialization", "MalformedModelManifest"),
    ("field in resource", "MalformedModelManifest"),
    ("no resources field", "MalformedModelManifest"),
    ("method", "UnsupportedMethod"),
    ("hash type", "UnsupportedHash"),
    ("hash type sha512", "UnsupportedHash"),
    ("links as text", "MalformedModelManifest"),
    ("shard size for files", "MalformedShardSize"),
    ("other algorithm", "WrongAlgorithm"),
    ("upper-case digest", "MalformedDigest"),
    ("short digest", "MalformedDigest"),
    ("empty digest", "MalformedDigest"),
    ("digest is no hex", "MalformedDigest"),
    ("ignored climbing", "MalformedIgnorePath"),
    ("ignored everything", "MalformedIgnorePath"),
    ("ignored absolute", "MalformedIgnorePath"),
    ("ignored and listed", "ListedAndIgnored"),
    ("ignored folder of listed", "ListedAndIgnored"),
    ("ignored beside listed", "Read"),
    ("too many ignored", "ManifestTooLarge"),
    ("shards", "Read"),
    ("shards from later", "ShardsDoNotTile"),
    ("shards with gap", "ShardsDoNotTile"),
    ("shards overlap", "ShardsDoNotTile"),
    ("shard twice", "ShardsDoNotTile"),
    ("shards in disorder", "ShardsDoNotTile"),
    ("short shard in the middle", "ShardsDoNotTile"),
    ("shard too long", "ShardsDoNotTile"),
    ("empty shard", "ShardsDoNotTile"),
    ("backward shard", "ShardsDoNotTile"),
    ("shard with sign", "MalformedShard"),
    ("shard with zeros", "MalformedShard"),
    ("shard with space", "MalformedShard"),
    ("shard with underscore", "MalformedShard"),
    ("shard beyond 64 bits", "MalformedShard"),
    ("shard of a name with colon", "MalformedShard"),
    ("no shard", "MalformedShard"),
    ("shards of two files mixed", "ManifestNotSorted"),
    ("shards without size", "MalformedShardSize"),
    ("shard size 0", "MalformedShardSize"),
    ("shard size negative", "MalformedShardSize"),
    ("shard size of other label", "WrongAlgorithm"),
    ("shard size with fraction", "MalformedShardSize"),
    ("shard size as the tool writes", "Read"),
    ("shard size as text", "MalformedModelManifest"),
    ("blake3 in shards", "UnsupportedHash"),
    ("predicate twice", "MalformedModelManifest"),
    ("method twice", "MalformedModelManifest"),
    ("trailing text", "MalformedModelManifest"),
];

#[test]
fn hostile_manifests_are_refused_by_their_reason() {
    let found: Vec<_> = hostile()
        .into_iter()
        .map(|case| {
            let outcome = Manifest::read(case.payload.as_bytes());
            (case.name, outcome.map_or_else(|error| error.reason(), |_| "Read"))
        })
        .collect();
    let wanted: Vec<_> = OUTCOMES
        .iter()
        .map(|(name, reason)| ((*name).to_owned(), *reason))
        .collect();
    assert_eq!(found, wanted);
}

/// The tool was asked with the files `a` and `b/c` in the folder.
#[test]
fn what_the_tool_refuses_is_not_verified_here() {
    let there = tree(&[("a", "a"), ("b/c", "c")]);
    for case in hostile() {
        let is_same =
            Manifest::read(case.payload.as_bytes()).is_ok_and(|manifest| compare(&manifest, &there).is_same());
        assert!(case.verifies || !is_same, "{}", case.name);
    }
}

#[test]
fn refusals_name_the_value_and_the_way_out() {
    for (case, words) in [
        (
            "climbing name",
            r#""../a" cannot name a file of a model: it has a segment `.` or `..`"#,
        ),
        ("duplicate name", r#""a" is listed twice"#),
        (
            "case",
            r#""A" and "a" differ only in case or Unicode composition: rename one and sign the model again"#,
        ),
        ("shards with gap", r#"a shard of "a" begins at 3, and must at 2"#),
        (
            "short shard in the middle",
            r#"a shard of "a" covers 0 to 1: want 2 bytes"#,
        ),
        (
            "hash type",
            r#"hash_type "md5" is not supported: sign with sha256, blake2b, or blake3"#,
        ),
        ("field in serialization", "unknown field `normalize`"),
        ("shard size with fraction", "shard_size is 2.5, want a whole number"),
    ] {
        let payload = hostile().into_iter().find(|one| one.name == case).unwrap().payload;
        let error = Manifest::read(payload.as_bytes()).unwrap_err();
        let cause = std::error::Error::source(&error)
            .map(ToString::to_string)
            .unwrap_or_default();
        let told = format!("{error}: {cause}");
        assert!(told.contains(words), "{told}");
    }
}

/// A manifest of so many empty files.
fn of_empty_files(count: usize) -> String {
    let digest = sha256(b"");
    let resource = |number| format!(r#"{{"name":"{number:06}","algorithm":"sha256","digest":"{digest}"}}"#);
    let resources: Vec<_> = (0..count).map(resource).collect();
    let root = sha256(&sha2::Sha256::digest(b"").repeat(count));
    let mut empty = statement(&Tree::new(), None);
    empty["subject"][0]["digest"]["sha256"] = json!(root);
    let list = format!(r#""resources":[{}]"#, resources.join(","));
    empty.to_string().replace(r#""resources":[]"#, &list)
}

#[test]
fn more_than_is_read_is_refused_by_its_number() {
    let most = Manifest::read(of_empty_files(100_000).as_bytes()).unwrap();
    assert_eq!(most.files().len(), 100_000);
    let error = Manifest::read(of_empty_files(100_001).as_bytes()).unwrap_err();
    assert_eq!(error.reason(), "ManifestTooLarge");
    assert!(
        error.to_string().contains("lists 100001 resources, and at most 100000"),
        "{error}"
    );
    let error = Manifest::read(&vec![b' '; 32 * 1024 * 1024 + 1]).unwrap_err();
    assert_eq!(error.reason(), "ManifestTooLarge");
}

#[test]
fn what_is_told_of_a_manifest_is_short_and_fit_for_a_terminal() {
    let mut statement = statement(&tree(&[("a", "1")]), None);
    statement["subject"][0]["name"] = json!(format!("\u{1b}[2J{}", "model".repeat(1000)));
    let name = read(&statement).unwrap().model_name().to_owned();
    assert!(name.starts_with("[2Jmodel") && name.len() == 255, "{name:?}");
    statement["predicate"]["serialization"]["\u{1b}[2J".repeat(1000)] = json!(1);
    let told = read(&statement).unwrap_err().to_string();
    assert!(
        told.contains("unknown field") && told.len() < 400 && !told.contains(char::is_control),
        "{told:?}"
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused(bytes: Vec<u8>, text in "\\PC*") {
        prop_assert!(Manifest::read(&bytes).is_err());
        prop_assert!(Manifest::read(text.as_bytes()).is_err());
    }

    /// Whatever one byte of a manifest becomes, it is refused, is about other files, or lists the same as before.
    #[test]
    fn no_byte_of_a_manifest_can_change_unseen(at: prop::sample::Index, byte in 0x20_u8..0x7f, sharded: bool) {
        let files = tree(&[("a", "123"), ("b/c", "12345"), ("b-c", "1")]);
        let statement = statement(&files, sharded.then_some(4));
        let good = read(&statement).unwrap();
        let mut text = statement.to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(manifest) = Manifest::read(&text) && compare(&manifest, &files).is_same() {
            prop_assert_eq!(manifest.files(), good.files());
            prop_assert_eq!(manifest.serialization(), good.serialization());
        }
    }
}
