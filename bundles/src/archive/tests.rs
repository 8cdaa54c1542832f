//! Bundles as `opa build` writes them, and archives nobody should open.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{EntryType, Header};

use super::*;

const MANIFEST: &str =
    r#"{"revision":"1.0.0","wasm":[{"entrypoint":"a/deny","module":"/policy.wasm"}],"metadata":{"name":"n"}}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A raw header and its padded content: names are written as they are.
fn entry(name: &[u8], kind: EntryType, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_size(content.len() as u64);
    header.set_mode(0o600);
    header.set_entry_type(kind);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str, content: &str) -> Vec<u8> {
    entry(name.as_bytes(), EntryType::Regular, content.as_bytes())
}

fn good() -> Vec<Vec<u8>> {
    vec![
        file("/policy.wasm", "wasm"),
        file("/.manifest", MANIFEST),
        file("/data.json", "{}"),
    ]
}

fn tar_of(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut tar = entries.concat();
    tar.extend([0; 1024]);
    tar
}

fn open(bytes: &[u8]) -> Result<Bundle, Malformed> {
    Bundle::read(bytes, Digest::of(bytes), &Provenance::LocalFile)
}

fn reason(entries: &[Vec<u8>]) -> &'static str {
    open(&gzip(&tar_of(entries))).map_or_else(|error| error.reason(), |_| "opened")
}

fn with(more: Vec<u8>) -> &'static str {
    let mut entries = good();
    entries.push(more);
    reason(&entries)
}

#[test]
fn opens_what_opa_build_writes() {
    let bytes = include_bytes!("../../testdata/builtins/bundle.tar.gz");
    let bundle = open(bytes).unwrap();
    assert_eq!(bundle.revision(), Some("1.0.0"));
    assert_eq!(bundle.entrypoints().collect::<Vec<_>>(), ["calls/answer"]);
    assert_eq!(bundle.roots(), [""]);
    assert!(bundle.wasm().starts_with(b"\0asm"));
    assert_eq!(bundle.digest(), Digest::of(bytes));
    assert!(!bundle.has_signatures_file());
}

#[test]
fn data_files_are_one_tree() {
    let mut entries = good();
    entries.push(file("a/b/data.json", r#"{"c": [1]}"#));
    entries.push(file("./a/data.json", r#"{"d": 1}"#));
    entries.push(file(".signatures.json", "not read"));
    entries.push(entry(b"a/", EntryType::Directory, b""));
    let bundle = open(&gzip(&tar_of(&entries))).unwrap();
    assert_eq!(bundle.data().to_string(), r#"{"a":{"b":{"c":[1]},"d":1}}"#);
    assert!(bundle.has_signatures_file());
    assert_eq!((bundle.name(), bundle.revision()), (Some("n"), Some("1.0.0")));
}

#[test]
fn bad_members_have_a_reason_each() {
    for (member, want) in [
        (file("../x", ""), "UnsafePath"),
        (file("/../x", ""), "UnsafePath"),
        (file("//etc/passwd", ""), "UnsafePath"),
        (file("a/../../x", ""), "UnsafePath"),
        (entry(b"x", EntryType::Symlink, b""), "UnsafePath"),
        (entry(b"x", EntryType::Link, b""), "UnsafePath"),
        (entry(b"x", EntryType::Char, b""), "UnsafePath"),
        (entry(b"x", EntryType::Fifo, b""), "UnsafePath"),
        (entry(b"x", EntryType::GNUSparse, b""), "UnsafePath"),
        (entry(b"\xff\xfe", EntryType::Regular, b""), "UnsafePath"),
        (
            entry(b"././@LongLink", EntryType::GNULongName, &[b'a'; 2000]),
            "UnsafePath",
        ),
        (entry(b"x", EntryType::XHeader, b"12 size=999\n"), "NotTar"),
        (file("./policy.wasm", "again"), "DuplicatePath"),
        (file("sub/policy.wasm", "other"), "SeveralModules"),
        (file("patch.json", r#"{"data":[]}"#), "DeltaBundle"),
        (file("a/data.yaml", "a: 1"), "MalformedData"),
        (file("a/data.json", "{} {}"), "MalformedData"),
        (file("a/data.json", "{"), "MalformedData"),
        (file("a/data.json", r#"{"a":1,"a":2}"#), "MalformedData"),
        (file("sub/.manifest", "{}"), "MalformedManifest"),
        (file(".manifest.pb", ""), "MalformedManifest"),
    ] {
        assert_eq!(
            with(member.clone()),
            want,
            "{:?}",
            String::from_utf8_lossy(&member[..20])
        );
    }
    let [wasm, manifest, data] = good().try_into().unwrap();
    let unbound = file(".manifest", r#"{"revision":"1"}"#);
    let narrow = file(".manifest", &MANIFEST.replace("\"wasm\"", "\"roots\":[\"a\"],\"wasm\""));
    let outside = file("b/data.json", r#"{"x":1}"#);
    for (text, want) in [
        (r#"{"a":{"x":1}}"#, "opened"),
        // A key that reads like the way to a root, an empty one on the way, nothing at all beside it.
        (r#"{"a/x":1}"#, "MalformedData"),
        (r#"{"":{"a":{"x":1}}}"#, "MalformedData"),
        (r#"{"zz":{}}"#, "MalformedData"),
        ("{}", "opened"),
        // The entry point is a/deny.
        (r#"{"a":{"deny":[]}}"#, "MalformedData"),
        (r#"{"a":[1]}"#, "MalformedData"),
        (r#"{"a":{"denied":1}}"#, "opened"),
    ] {
        let entries = vec![wasm.clone(), narrow.clone(), file("data.json", text)];
        assert_eq!(reason(&entries), want, "{text}");
    }
    for (entries, want) in [
        (vec![manifest.clone(), data.clone()], "NoPolicyWasm"),
        (vec![], "NoPolicyWasm"),
        (vec![wasm.clone(), data.clone()], "MalformedManifest"),
        (vec![wasm.clone(), unbound], "NoEntrypoint"),
        (vec![wasm.clone(), narrow, outside], "MalformedData"),
        (
            vec![wasm.clone(), manifest.clone(), file("data.json", "[]")],
            "MalformedData",
        ),
        (vec![wasm, manifest, data], "opened"),
    ] {
        assert_eq!(reason(&entries), want);
    }
}

#[test]
fn only_a_whole_gzip_of_a_tar_is_read() {
    let whole = gzip(&tar_of(&good()));
    let truncated = &whole[..whole.len() - 9];
    let trailing = [whole.as_slice(), b"x"].concat();
    let two = [whole.as_slice(), &whole].concat();
    let mut flipped = whole.clone();
    let last = flipped.len() - 5;
    flipped[last] ^= 1;
    for bytes in [b"".as_slice(), b"hello", truncated, &trailing, &two, &flipped] {
        assert_eq!(open(bytes).unwrap_err().reason(), "NotGzip");
    }
    let hidden = [tar_of(&good()), file("hidden", "x")].concat();
    for tar in [vec![7; 2048], hidden, tar_of(&good())[..600].to_vec()] {
        assert_eq!(open(&gzip(&tar)).unwrap_err().reason(), "NotTar");
    }
}

#[test]
fn bombs_end_early() {
    // Far more entries than allowed; the walk ends at the cap whatever follows.

    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for index in 0..20_000 {
        let name = format!("f{index}");
        encoder.write_all(&file(&name, "")).unwrap();
    }

    assert_eq!(open(&encoder.finish().unwrap()).unwrap_err().reason(), "TooManyEntries");
    // A member that says it has 1 GB.
    let mut huge = Header::new_ustar();
    huge.set_path("policy.wasm").unwrap();
    huge.set_size(1 << 30);
    huge.set_entry_type(EntryType::Regular);
    huge.set_cksum();
    assert_eq!(open(&gzip(huge.as_bytes())).unwrap_err().reason(), "TooLarge");
    // Members below the cap whose sum is not: 1,000 times smaller when compressed.
    let member = entry(b"x", EntryType::Regular, &vec![0; 50 << 20]);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for name in ["a", "b", "c"] {
        let mut header = Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_size(50 << 20);
        header.set_entry_type(EntryType::Regular);
        header.set_cksum();
        encoder.write_all(header.as_bytes()).unwrap();
        encoder.write_all(&member[512..]).unwrap();
    }
    assert_eq!(open(&encoder.finish().unwrap()).unwrap_err().reason(), "TooLarge");
    // Data beyond what becomes values.
    let data = format!("[{}1]", "1,".repeat(9 << 20));
    assert_eq!(with(file("a/data.json", &data)), "TooLarge");
    let many = format!("[{}1]", "1,".repeat(3_000_000));
    assert_eq!(with(file("a/data.json", &many)), "MalformedData");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_opened_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let _ = open(&bytes);
        let _ = open(&gzip(&bytes));
    }

    #[test]
    fn a_changed_archive_is_opened_or_refused(at in 0_usize..4096, with: u8) {
        let mut tar = tar_of(&good());
        let at = at % tar.len();
        tar[at] = with;
        let _ = open(&gzip(&tar));
    }

    #[test]
    fn caps_hold_for_any_archive(sizes in prop::collection::vec(0_usize..2000, 0..20)) {
        let entries: Vec<_> = sizes.iter().enumerate().map(|(i, size)| file(&format!("{i}/data.json"), &" ".repeat(*size))).collect();
        let caps = Caps { unpacked: 8_000, entries: 10, member: 1_500, documents: 4_000 };
        let gzip = gzip(&tar_of(&entries));
        if let Ok(members) = members::read(&gzip, caps) {
            prop_assert!(sizes.len() <= caps.entries);
            let kept: usize = members.data.iter().map(|(_, bytes)| bytes.len()).sum();
            prop_assert!(kept as u64 <= caps.documents);
            prop_assert!(sizes.iter().all(|size| *size as u64 <= caps.member));
            prop_assert!(tar_of(&entries).len() as u64 <= caps.unpacked);
        }
    }
}
