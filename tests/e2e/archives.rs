//! Signed artifacts that no bundle can be read from: not gzip, not tar, archives made to harm whoever unpacks them,
//! manifests and data that are wrong. A signature does not make them harmless; each is refused by name.

use std::collections::HashSet;

use anyhow::Result;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use serde_json::{Value, json};
use tar::{EntryType, Header};

use crate::trial::{Files, PATH, Refusal, Stage, Trial, gzip, refusal, unpack};

const BLOCK: usize = 512;
const UNSAFE: &str = "a bundle holds plain files below its root";

const fn building(reason: &'static str, says: &'static str) -> Refusal {
    refusal(Stage::Building, reason, says)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_archive_that_is_no_bundle_is_refused_by_name() -> Result<()> {
    let trial = Trial::start(&[]).await?;
    let mut cases = malformed_files(&trial)?;
    cases.extend(malformed_manifests(&trial)?);
    cases.extend(harmful_archives(&trial)?);
    let mut names = HashSet::new();
    for (number, (case, bundle, want)) in cases.into_iter().enumerate() {
        assert!(names.insert(case), "two cases {case:?}");
        let tag = format!("case-{number}");
        trial.platform.publish(PATH, &tag, &bundle).await?;
        trial.follow(&tag).await?;
        trial.refuses(case, want).await?;
    }

    // What is there besides layers does not make a bundle either.
    let repository = trial.repository();
    let layer = repository
        .push_blob("application/vnd.oci.image.layer.v1.tar", b"x")
        .await?;
    let config = repository
        .push_blob("application/vnd.oci.image.config.v1+json", b"{}")
        .await?;
    let media_type = interlock_tests::artifact::MANIFEST;
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]});
    let reference = repository
        .push_manifest("image", media_type, &serde_json::to_vec(&manifest)?)
        .await?;
    trial.platform.key.sign(&reference).await?;
    trial.follow("image").await?;
    let not_a_bundle = refusal(Stage::Asking, "NotABundle", "manifest has no bundle layer");
    trial.refuses("a container image", not_a_bundle).await?;
    Ok(())
}

type Case = (&'static str, Vec<u8>, Refusal);

/// The good bundle with a file missing, changed or added.
fn malformed_files(trial: &Trial) -> Result<Vec<Case>> {
    let with = |path: &'static str, content: &'static [u8]| {
        trial.with(|files: &mut Files| drop(files.insert(path.to_owned(), content.to_vec())))
    };
    let golden = |want: &str| {
        let golden = json!({"wrong": {"input": {}, "want": {"T-01": want}}});
        let data = json!({"interlock": {"golden": golden}}).to_string();
        trial.with(|files| drop(files.insert("data.json".to_owned(), data.into_bytes())))
    };
    let mut cut = trial.good.clone();
    cut.truncate(cut.len() / 2);
    let mut longer = trial.good.clone();
    longer.extend_from_slice(&gzip(b"more")?);
    let without = |path: &str| trial.with(|files| drop(files.remove(path)));
    Ok(vec![
        (
            "not a gzip",
            b"PK\x03\x04 a zip file".to_vec(),
            building("NotGzip", "push what `opa build` wrote"),
        ),
        (
            "a gzip that is cut off",
            cut,
            building("NotGzip", "push what `opa build` wrote"),
        ),
        (
            "something after the gzip",
            longer,
            building("NotGzip", "bytes after the end"),
        ),
        (
            "a gzip without a tar",
            gzip(&[b'x'; 2 * BLOCK])?,
            building("NotTar", "not a tar archive inside its gzip"),
        ),
        (
            "no policy.wasm",
            without("policy.wasm")?,
            building("NoPolicyWasm", "opa build -t wasm"),
        ),
        (
            "two modules",
            with("more/policy.wasm", b"x")?,
            building("SeveralModules", "more/policy.wasm"),
        ),
        (
            "no manifest",
            without(".manifest")?,
            building("MalformedManifest", "it is missing"),
        ),
        (
            "data that is no JSON",
            with("data.json", b"{\"interlock\": ")?,
            building("MalformedData", "bundle data \"data.json\" is malformed"),
        ),
        (
            "data with a key twice",
            with("data.json", b"{\"trial\": {\"a\": 1, \"a\": 2}}")?,
            building("MalformedData", "\"a\""),
        ),
        (
            "data outside the roots",
            with("data.json", b"{\"other\": 1}")?,
            building("MalformedData", "outside the manifest's roots"),
        ),
        (
            "a patch of another bundle",
            with("patch.json", b"{}")?,
            building("DeltaBundle", "push a whole bundle"),
        ),
        (
            "a golden input that fails",
            golden("pass")?,
            building(
                "GoldenMismatch",
                "golden input \"wrong\": gate \"T-01\" should be pass, is unknown",
            ),
        ),
        (
            "a golden input that is none",
            golden("perhaps")?,
            building("MalformedGolden", "golden input \"wrong\" is malformed"),
        ),
        (
            "a module that is none",
            with("policy.wasm", b"\0asm\x01\0\0\0 not so")?,
            building("InvalidModule", "not a valid WebAssembly module"),
        ),
    ])
}

/// The good bundle with another manifest.
fn malformed_manifests(trial: &Trial) -> Result<Vec<Case>> {
    let with = |field: &'static str, value: Value| trial.with_manifest(|manifest| manifest[field] = value);
    let bound = |entrypoint: &str| json!([{"entrypoint": entrypoint, "module": "/policy.wasm"}]);
    Ok(vec![
        (
            "no entry point",
            with("wasm", json!([]))?,
            building("NoEntrypoint", "opa build -t wasm -e <entrypoint>"),
        ),
        (
            "an entry point that is not there",
            with("wasm", bound("trial/nowhere"))?,
            building("NoEntrypoint", "\"trial/nowhere\", which policy.wasm does not have"),
        ),
        (
            "only a catalogue",
            with("wasm", bound("trial/catalogue"))?,
            building("NoEntrypoint", "no entry point that decides anything"),
        ),
        (
            "an unknown field",
            with("wsam", json!([]))?,
            building("MalformedManifest", "unknown field `wsam`"),
        ),
    ])
}

/// Archives made to reach outside, or to fill memory and time.
fn harmful_archives(trial: &Trial) -> Result<Vec<Case>> {
    let with = |name: &str, kind: EntryType| -> Result<Vec<u8>> {
        let mut tar = entries(&unpack(&trial.good)?);
        tar.extend(entry(name.as_bytes(), kind, b"x"));
        gzip(&end(tar))
    };
    let header = |size: u64| {
        let mut header = Header::new_ustar();
        header.set_size(size);
        header
            .as_mut_bytes()
            .get_mut(..1)
            .into_iter()
            .for_each(|name| name.fill(b'a'));
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let file = EntryType::Regular;
    let directory = entry(b"a", EntryType::Directory, b"");
    let mebibyte = vec![0; 1 << 20];
    Ok(vec![
        (
            "a name with ..",
            with("../policy.wasm", file)?,
            building("UnsafePath", "leaves the bundle with \"..\""),
        ),
        (
            "a name with .. inside",
            with("trial/../../x", file)?,
            building("UnsafePath", UNSAFE),
        ),
        (
            "an absolute path that leaves",
            with("/../etc/passwd", file)?,
            building("UnsafePath", UNSAFE),
        ),
        (
            "an absolute path of a host",
            with("//etc/passwd", file)?,
            building("UnsafePath", "has an empty segment"),
        ),
        (
            "a path of Windows",
            with("C:\\policy.wasm", file)?,
            building("UnsafePath", "backslash"),
        ),
        (
            "a symbolic link",
            with("data", EntryType::Symlink)?,
            building("UnsafePath", "\"data\" is a link"),
        ),
        (
            "a hard link",
            with("data", EntryType::Link)?,
            building("UnsafePath", "\"data\" is a link"),
        ),
        (
            "a device",
            with("data", EntryType::Char)?,
            building("UnsafePath", "is neither a file nor a directory"),
        ),
        (
            "a file twice",
            with("policy.wasm", file)?,
            building("DuplicatePath", "more than one entry \"policy.wasm\""),
        ),
        (
            "a million entries",
            repeated(&[], &directory.repeat(1000), 1000)?,
            building("TooManyEntries", "more than 10000 entries"),
        ),
        (
            "a member of 1 GB",
            repeated(&header(1 << 30), &mebibyte, 1024)?,
            building("TooLarge", "has more than 67108864 bytes"),
        ),
        (
            "a gigabyte after the end",
            repeated(&end(entries(&unpack(&trial.good)?)), &mebibyte, 1024)?,
            building("TooLarge", "the unpacked bundle has more than 134217728 bytes"),
        ),
    ])
}

/// One entry with exactly this name.
fn entry(name: &[u8], kind: EntryType, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header
        .as_mut_bytes()
        .iter_mut()
        .zip(name)
        .for_each(|(byte, of_name)| *byte = *of_name);
    header.set_size(content.len() as u64);
    header.set_mode(0o600);
    header.set_entry_type(kind);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn entries(files: &Files) -> Vec<u8> {
    let entry = |(path, content): (&String, &Vec<u8>)| entry(path.as_bytes(), EntryType::Regular, content);
    files.iter().flat_map(entry).collect()
}

/// With the two empty blocks that end a tar.
fn end(mut tar: Vec<u8>) -> Vec<u8> {
    tar.extend([0; 2 * BLOCK]);
    tar
}

/// The gzip of `first` and then `times` times `again`, without ever having it all: after a full flush compressed data
/// does not refer to what came before, so the same bytes can follow each other.
fn repeated(first: &[u8], again: &[u8], times: usize) -> Result<Vec<u8>> {
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]; // RFC 1952, section 2.3
    gzip.extend(flushed(first)?);
    gzip.extend(flushed(again)?.repeat(times));
    gzip.extend([3, 0]); // an empty last block
    let (mut crc, mut of_again) = (Crc::new(), Crc::new());
    crc.update(first);
    of_again.update(again);
    (0..times).for_each(|_| crc.combine(&of_again));
    gzip.extend(crc.sum().to_le_bytes());
    gzip.extend(crc.amount().to_le_bytes());
    Ok(gzip)
}

fn flushed(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut out = Vec::with_capacity(bytes.len() + 1024);
    let status = deflate.compress_vec(bytes, &mut out, FlushCompress::Full)?;
    anyhow::ensure!(
        status == Status::Ok && deflate.total_in() == bytes.len() as u64,
        "not all is compressed"
    );
    Ok(out)
}
