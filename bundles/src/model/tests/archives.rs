//! Layers that are archives: what every tool unpacks alike is read, and nothing else.

use std::io::{BufReader, Read, Write as _};
use std::process::Command;

use tar::{EntryType, Header};

use super::*;
use crate::model::artifact::{
    ArtifactFiles, Contents, ContentsError, Layer, LayerKind, Packing, Reading, Total, contents,
};

/// Blocks of an archive, made one by one.
#[derive(Default, Clone)]
struct Blocks(Vec<u8>);

impl Blocks {
    fn header(kind: EntryType, name: &str, size: u64) -> Header {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header
    }

    fn raw(mut self, mut header: Header, content: &[u8]) -> Self {
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn entry(self, kind: EntryType, name: &str, content: &[u8]) -> Self {
        self.raw(Self::header(kind, name, content.len() as u64), content)
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, name, content.as_bytes())
    }

    fn pax(self, records: &[(&str, &str)]) -> Self {
        let record = |(key, value): &(&str, &str)| {
            // The length counts its own digits.
            let rest = format!(" {key}={value}\n");
            let digits = (1..6).find(|digits| (rest.len() + digits).to_string().len() == *digits);
            format!("{}{rest}", rest.len() + digits.unwrap())
        };
        let text: String = records.iter().map(record).collect();
        self.entry(EntryType::XHeader, "pax", text.as_bytes())
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

fn layer(packing: Packing, bytes: &[u8]) -> Layer {
    Layer {
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        kind: LayerKind::Archive(packing),
    }
}

fn reading(folder: Option<&str>) -> Reading {
    Reading {
        algorithm: Algorithm::Sha256,
        method: Method::Files,
        folder: folder.map(name),
        keep: None,
    }
}

fn unpack(archive: &[u8], folder: Option<&str>) -> Result<Contents, ContentsError> {
    contents(&layer(Packing::Plain, archive), &reading(folder), archive)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

type Pack = fn(&[u8]) -> Vec<u8>;

const PACKERS: [(Packing, Pack); 2] = [(Packing::Gzip, gzip), (Packing::Zstd, zstd)];

fn names(found: &Contents) -> Vec<&str> {
    found.files.iter().map(|file| file.name.as_str()).collect()
}

fn reason<T>(found: Result<T, ContentsError>) -> &'static str {
    found.map_or_else(|error| error.reason(), |_| "ok")
}

/// Hands out one byte at a time.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        (&mut self.0).take(1).read(buffer)
    }
}

#[test]
fn what_tar_packs_is_read_in_every_format_and_packing() {
    let long = format!(
        "{}/{}",
        "folder-with-a-long-name".repeat(6),
        "file-with-a-long-name".repeat(9)
    );
    let files = tree(&[
        ("config.json", "{}"),
        ("w/ü.bin", "weights"),
        ("empty", ""),
        (&long, "long"),
    ]);
    let desk = tempfile::tempdir().unwrap();
    for (name, content) in &files {
        let path = desk.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let manifest = read(&statement(&files, None)).unwrap();
    let is_same = |found: Contents| {
        let files = ArtifactFiles::of(vec![found], None).unwrap();
        let allowed = Allowed::default();
        manifest.compare(files.seen(&manifest, &allowed), &allowed).is_same()
    };
    for format in ["gnu", "posix"] {
        let packed = Command::new("tar")
            .args(["-C", desk.path().to_str().unwrap(), "-cf", "-", "--format", format, "."])
            .output()
            .unwrap();
        let archive = packed.stdout;
        assert!(is_same(unpack(&archive, None).unwrap()), "{format}");
        let drip = BufReader::with_capacity(1, Drip(&archive));
        let layer_of = |packing, bytes: &[u8]| layer(packing, bytes);
        assert!(is_same(
            contents(&layer_of(Packing::Plain, &archive), &reading(None), drip).unwrap()
        ));
        // Also in several members, as lazily pulled layers have them.
        let (one, two) = archive.split_at(700);
        for (packing, pack) in PACKERS {
            for packed in [pack(&archive), [pack(one), pack(two)].concat()] {
                let found = contents(&layer_of(packing, &packed), &reading(None), &packed[..]);
                assert!(is_same(found.unwrap()), "{format} {packing:?}");
            }
        }
    }
}

#[test]
fn parts_and_hashes_are_those_that_were_signed() {
    let files = tree(&[("a", "0123456789"), ("b", "01234")]);
    let archive = Blocks::default().file("a", "0123456789").file("b", "01234").end();
    for (algorithm, shard) in [
        (Algorithm::Sha256, None),
        (Algorithm::Sha256, Some(4)),
        (Algorithm::Blake2b, Some(5)),
        (Algorithm::Blake3, None),
    ] {
        let method = shard.map_or(Method::Files, |size| Method::Shards {
            size: std::num::NonZeroU64::new(size).unwrap(),
        });
        let serialization = Serialization {
            method,
            algorithm,
            allow_symlinks: false,
            ignore_paths: Vec::new(),
        };
        let found = contents(
            &layer(Packing::Plain, &archive),
            &Reading::of(&serialization, None, None),
            &archive[..],
        );
        assert_eq!(
            found.unwrap().files,
            seen(&files, &serialization),
            "{algorithm:?} {shard:?}"
        );
    }
}

#[test]
fn a_size_that_no_header_has_room_for_is_taken_from_pax() {
    let content = [7; 600];
    let with = |own, records: &[(&str, &str)]| {
        let header = Blocks::header(EntryType::Regular, "a", own);
        Blocks::default()
            .pax(records)
            .raw(header, &content)
            .file("b", "b")
            .end()
    };
    for own in [0, 600] {
        let found = unpack(&with(own, &[("size", "600"), ("mtime", "1.5")]), None).unwrap();
        assert_eq!((names(&found), found.files[0].size), (vec!["a", "b"], 600));
    }
    // Whoever goes by the one size sees other entries than who goes by the other.
    for (own, size) in [(512, "600"), (600, "512"), (600, "0"), (600, "-1"), (600, "x")] {
        assert_eq!(
            reason(unpack(&with(own, &[("size", size)]), None)),
            "NotTar",
            "{own} {size}"
        );
    }
}

type Case = (&'static str, Blocks, &'static str);

fn good() -> Blocks {
    Blocks::default().file("a", "content")
}

fn bad_entries() -> Vec<Case> {
    use EntryType as Kind;
    let link = |kind, to: &str| {
        let mut header = Blocks::header(kind, "link", 0);
        header.set_link_name(to).unwrap();
        Blocks::default().raw(header, &[])
    };
    let mut not_utf8 = Blocks::header(Kind::Regular, "b", 0);
    not_utf8.as_old_mut().name[0] = 0xff;
    vec![
        ("a symbolic link", link(Kind::Symlink, "a"), "UnsafeEntry"),
        ("a hard link", link(Kind::Link, "a"), "UnsafeEntry"),
        ("a device", good().entry(Kind::Char, "b", b""), "UnsafeEntry"),
        ("a pipe", good().entry(Kind::Fifo, "b", b""), "UnsafeEntry"),
        ("a sparse file", good().entry(Kind::GNUSparse, "b", b"x"), "UnsafeEntry"),
        (
            "a contiguous file",
            good().entry(Kind::Continuous, "b", b"x"),
            "UnsafeEntry",
        ),
        (
            "a kind of its own",
            good().entry(Kind::new(b'Z'), "b", b"x"),
            "UnsafeEntry",
        ),
        (
            "a folder with content",
            good().entry(Kind::Directory, "b", b"x"),
            "UnsafeEntry",
        ),
        (
            "a link with content",
            good().entry(Kind::Symlink, "b", b"x"),
            "UnsafeEntry",
        ),
        ("the root as a file", good().file("./", "x"), "UnsafeEntry"),
        ("an absolute name", good().file("/b", "x"), "UnsafeEntry"),
        ("a name that climbs", good().file("../b", "x"), "UnsafeEntry"),
        ("a name that climbs inside", good().file("c/../b", "x"), "UnsafeEntry"),
        ("a name with a dot segment", good().file("././b", "x"), "UnsafeEntry"),
        ("a name with two slashes", good().file("c//b", "x"), "UnsafeEntry"),
        ("a file named like a folder", good().file("b/", "x"), "UnsafeEntry"),
        ("a backslash", good().file("c\\b", "x"), "MalformedName"),
        ("a whiteout", good().file(".wh.b", ""), "UnsafeEntry"),
        ("an opaque whiteout", good().file("c/.wh..wh..opq", ""), "UnsafeEntry"),
        ("a name that is not UTF-8", good().raw(not_utf8, &[]), "UnsafeEntry"),
    ]
}

fn bad_headers() -> Vec<Case> {
    use EntryType as Kind;
    let long = "x".repeat(300);
    vec![
        (
            "a sparse file in pax",
            good().pax(&[("GNU.sparse.major", "1")]).file("b", "x"),
            "NotTar",
        ),
        (
            "a sparse file of star",
            good().pax(&[("SCHILY.realsize", "9")]).file("b", "x"),
            "NotTar",
        ),
        (
            "two names in pax",
            good().pax(&[("path", "c"), ("path", "d")]).file("b", "x"),
            "NotTar",
        ),
        (
            "pax twice",
            good().pax(&[("path", "c")]).pax(&[("path", "d")]).file("b", "x"),
            "NotTar",
        ),
        (
            "two kinds of long names",
            good()
                .entry(Kind::GNULongName, "l", b"c\0")
                .pax(&[("path", "d")])
                .file("b", "x"),
            "NotTar",
        ),
        ("a header about nothing", good().pax(&[("path", "c")]), "NotTar"),
        (
            "a name for all",
            good().entry(Kind::XGlobalHeader, "g", b"10 path=c\n").file("b", "x"),
            "NotTar",
        ),
        (
            "a broken pax header",
            good().entry(Kind::XHeader, "x", b"99 path=c\n").file("b", "x"),
            "NotTar",
        ),
        (
            "a name that is too long",
            good().entry(Kind::GNULongName, "l", &[b'x'; 9000]).file("b", "x"),
            "ModelTooLarge",
        ),
        (
            "a segment that is too long",
            good().pax(&[("path", &long)]).file("b", "x"),
            "MalformedName",
        ),
        (
            "a large header",
            good().entry(Kind::XHeader, "x", &[b'x'; 300 * 1024]).file("b", "x"),
            "ModelTooLarge",
        ),
    ]
}

#[test]
fn what_tools_unpack_differently_is_refused_by_name() {
    assert_eq!(reason(unpack(&good().end(), None)), "ok");
    for (case, blocks, want) in bad_entries().into_iter().chain(bad_headers()) {
        assert_eq!(reason(unpack(&blocks.end(), None)), want, "{case}");
    }

    let mut bent = good().end();
    bent[0] ^= 1;
    assert_eq!(reason(unpack(&bent, None)), "NotTar", "a wrong checksum");
    let mut more = good().end();
    more.extend_from_slice(&good().end());
    assert_eq!(reason(unpack(&more, None)), "NotTar", "another archive behind the end");
    assert_eq!(reason(unpack(b"text", None)), "NotTar");
    // The beginning of a long name, which Python reads in headers of all kinds.
    let placed = |magic: &[u8; 8], at: usize, what: &[u8]| {
        let mut header = Blocks::header(EntryType::Regular, "b", 1);
        header.as_mut_bytes()[257..265].copy_from_slice(magic);
        header.as_mut_bytes()[at..at + what.len()].copy_from_slice(what);
        reason(unpack(&good().raw(header, b"x").end(), None))
    };
    let (ustar, gnu, old) = (b"ustar\x0000", b"ustar  \0", &[0; 8]);
    for magic in [ustar, gnu, old] {
        assert_eq!(placed(magic, 345, &[0]), "ok");
        let prefixed = placed(magic, 345, b"elsewhere");
        assert_eq!(prefixed, if magic == ustar { "ok" } else { "NotTar" }, "{magic:?}");
        assert_eq!(placed(magic, 508, b"tar\0"), "NotTar", "star's mark, {magic:?}");
    }
    for ((packing, pack), want) in PACKERS.into_iter().zip(["NotGzip", "NotZstd"]) {
        let packed = pack(&good().end());
        for (what, bytes) in [
            ("cut", &packed[..packed.len() - 9]),
            ("not packed", &good().end()),
            ("something behind", &[&packed[..], b"x"].concat()),
        ] {
            let found = contents(&layer(packing, bytes), &reading(None), bytes);
            assert_eq!(reason(found), want, "{what}");
        }
    }
}

/// GNU tar reads `+`, and Python an underscore or the end of the archive, where another tool reads another number.
#[test]
fn numbers_that_tools_read_differently_are_refused() {
    let with = |at: usize, what: &[u8]| {
        let mut header = Blocks::header(EntryType::Regular, "b", 1);
        header.as_mut_bytes()[at..at + what.len()].copy_from_slice(what);
        reason(unpack(&good().raw(header, b"x").end(), None))
    };
    let size = 124;
    for good in [
        &b"00000000001\0"[..],
        b"000000000001",
        b"          1 ",
        b"1\0\0\0\0\0\0\0\0\0\0\0",
        b"\x80\0\0\0\0\0\0\0\0\0\0\x01",
    ] {
        assert_eq!(with(size, good), "ok", "{good:?}");
    }
    for bad in [
        &b"+1\0\0\0\0\0\0\0\0\0\0"[..],
        b"-1\0\0\0\0\0\0\0\0\0\0",
        b"0_1\0\0\0\0\0\0\0\0\0",
        b"0o1\0\0\0\0\0\0\0\0\0",
        b"\t1\0\0\0\0\0\0\0\0\0\0",
        b"1\x002\0\0\0\0\0\0\0\0\0",
        b"1 2\0\0\0\0\0\0\0\0\0",
        b"\0\0\0\0\0\0\0\0\0\0\0\0",
        b"            ",
        b"\x81\0\0\0\0\0\0\0\0\0\0\x01",
        b"\xff\0\0\0\0\0\0\0\0\0\0\x01",
        b"\x80\0\0\x01\0\0\0\0\0\0\0\x01",
    ] {
        assert_eq!(with(size, bad), "NotTar", "{bad:?}");
    }
    for (at, width) in [(100, 8), (108, 8), (116, 8), (136, 12), (329, 8), (337, 8)] {
        assert_eq!(with(at, &vec![0; width]), "ok", "nothing at {at}");
        assert_eq!(with(at, b"+0000000"), "NotTar", "at {at}");
        assert_eq!(with(at, b"mode\0\0\0\0"), "NotTar", "at {at}");
    }
    assert_eq!(with(136, &[0xff; 12]), "ok", "the last second before 1970");
    let pax = |content: &str| {
        let header = Blocks::header(EntryType::XHeader, "pax", content.len() as u64);
        reason(unpack(
            &good().raw(header, content.as_bytes()).file("b", "x").end(),
            None,
        ))
    };
    for good in ["", "12 path=new\n", "9 size=1\n", "15 comment=a\nb\n", "013 path=new\n"] {
        assert_eq!(pax(good), "ok", "{good:?}");
    }
    for bad in [
        "+12 path=new\n",
        "12 path=new",
        "13 path=new\n",
        "11 path=new\n",
        "12\tpath=new\n",
        "10 pathnew\n",
        "12 path=new\n\n12 path=old\n",
        "12 path=new\n\0",
        "10 size=+1\n",
        "8 size=\n",
        "99999999999999999999 path=new\n",
    ] {
        assert_eq!(pax(bad), "NotTar", "{bad:?}");
    }
}

#[test]
fn an_archive_that_is_cut_anywhere_is_refused_or_whole() {
    let archive = Blocks::default()
        .file("a", "content")
        .pax(&[("path", "b")])
        .file("x", &"y".repeat(700))
        .end();
    let whole = unpack(&archive, None).unwrap();
    assert_eq!(names(&whole), ["a", "b"]);
    for end in 0..archive.len() {
        if let Ok(found) = unpack(&archive[..end], None) {
            // Between two entries, where tools that want no end mark see nothing wrong.
            assert!(whole.files.starts_with(&found.files), "{end}");
            assert!(end % 512 == 0 || end > archive.len() - 512, "{end}");
        }
    }
}

#[test]
fn a_name_may_be_there_twice_and_is_told() {
    let archive = Blocks::default().file("a", "1").file("a", "1").end();
    let found = ArtifactFiles::of(vec![unpack(&archive, None).unwrap()], None).unwrap();
    let manifest = read(&statement(&tree(&[("a", "1")]), None)).unwrap();
    let allowed = Allowed::default();
    let comparison = manifest.compare(found.seen(&manifest, &allowed), &allowed);
    assert_eq!(comparison.differences[0].to_string(), r#""a" is there more than once"#);
}

#[test]
fn of_an_image_only_the_models_folder_counts_and_nothing_leads_into_it() {
    use EntryType as Kind;
    let link = |at: &str, to: &str| {
        let mut header = Blocks::header(Kind::Symlink, at, 0);
        header.set_link_name(to).unwrap();
        Blocks::default().raw(header, &[])
    };
    let root = || link("bin/sh", "busybox").file("bin/busybox", "x").file(".wh.tmp", "");
    let model = || {
        Blocks::default()
            .entry(Kind::Directory, "models/", b"")
            .file("models/a", "1")
    };
    let see = |layers: &[Blocks]| {
        let contents = layers.iter().map(|layer| unpack(&layer.clone().end(), Some("models")));
        let contents: Result<Vec<_>, _> = contents.collect();
        ArtifactFiles::of(contents?, Some(&name("models")))
    };
    let good = see(&[root(), model()]).unwrap();
    let seen: Vec<_> = good.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!((seen, good.has_more), (vec!["a"], true));
    assert!(!see(&[model()]).unwrap().has_more);
    for (case, layers) in [
        ("the folder is a link", vec![link("models", "tmp"), model()]),
        ("the folder is a link later", vec![model(), link("./models", "tmp")]),
        ("a link in the folder", vec![model(), link("models/b", "../bin")]),
        (
            "the folder is removed",
            vec![model(), Blocks::default().file(".wh.models", "")],
        ),
        (
            "all is removed",
            vec![model(), Blocks::default().file(".wh..wh..opq", "")],
        ),
        (
            "the folder is emptied",
            vec![model(), Blocks::default().file("models/.wh..wh..opq", "")],
        ),
        (
            "a file is removed",
            vec![model(), Blocks::default().file("models/.wh.a", "")],
        ),
        (
            "written through a link",
            vec![link("x", "models"), model(), Blocks::default().file("x/b", "1")],
        ),
        ("in the same layer", vec![model(), link("x", "models").file("x/b", "1")]),
        (
            "deeper",
            vec![link("x", "models"), Blocks::default().file("x/y/z/b", "1")],
        ),
        (
            "another spelling",
            vec![model(), Blocks::default().file("././models/b", "1")],
        ),
    ] {
        assert_eq!(
            see(&layers).map_or_else(|error| error.reason(), |_| "ok"),
            "UnsafeEntry",
            "{case}"
        );
    }
}

#[test]
fn what_unpacks_to_much_more_than_it_is_is_given_up() {
    let header = |size| {
        let mut header = Blocks::header(EntryType::Regular, "a", size);
        header.set_cksum();
        header
    };
    let size = 400 * 1024 * 1024;
    let head = header(size);
    let bomb = || head.as_bytes().chain(std::io::repeat(0).take(size));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut bomb(), &mut gzip).unwrap();
    let zstd = zstd::encode_all(bomb(), 1).unwrap();
    for (packing, packed) in [(Packing::Gzip, gzip.finish().unwrap()), (Packing::Zstd, zstd)] {
        assert!(packed.len() < 1024 * 1024);
        let honest = layer(packing, &packed);
        // The size is a manifest's word, which nothing says to be true before the end.
        let claimed = Layer {
            size: 1 << 60,
            ..honest.clone()
        };
        for layer in [honest, claimed] {
            let found = contents(&layer, &reading(None), &packed[..]);
            assert_eq!(reason(found), "ModelTooLarge", "{packing:?}");
        }
    }
}

#[test]
fn what_looks_back_over_more_than_is_kept_is_refused() {
    let archive = good().end();
    for (window, want) in [(25, "ok"), (26, "NotZstd")] {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window).unwrap();
        encoder.write_all(&archive).unwrap();
        let packed = encoder.finish().unwrap();
        let found = contents(&layer(Packing::Zstd, &packed), &reading(None), &packed[..]);
        assert_eq!(reason(found), want, "{window}");
    }
}

#[test]
fn only_the_signature_is_kept_and_only_up_to_a_size() {
    let keeping = Reading {
        keep: Some(name("model.sig")),
        ..reading(None)
    };
    let keep = |content: &[u8]| {
        let archive = Blocks::default()
            .entry(EntryType::Regular, "model.sig", content)
            .file("a", "1")
            .end();
        contents(&layer(Packing::Plain, &archive), &keeping, &archive[..])
            .unwrap()
            .kept
    };
    assert_eq!(keep(b"signature"), Some(b"signature".to_vec()));
    assert_eq!(keep(&vec![b'x'; 8 * 1024 * 1024 + 1]), None);
    assert_eq!(
        unpack(&Blocks::default().file("model.sig", "x").end(), None)
            .unwrap()
            .kept,
        None
    );
}

/// More files than any list has, or more of their names than are held.
#[test]
fn entries_names_and_parts_are_capped() {
    let mut many = Vec::new();
    for number in 0..100_001 {
        many.extend_from_slice(&Blocks::default().file(&format!("{number}"), "").0);
    }
    assert_eq!(reason(unpack(&many, None)), "ModelTooLarge");
    let mut long = Blocks::default();
    for number in 0..4_300 {
        let folder = "x".repeat(250);
        let path = format!("{}/{number}", vec![folder; 16].join("/"));
        long = long.entry(EntryType::GNULongName, "l", path.as_bytes()).file("x", "");
    }
    assert_eq!(reason(unpack(&long.end(), None)), "ModelTooLarge");
    let one = Reading {
        method: Method::Shards {
            size: std::num::NonZeroU64::MIN,
        },
        ..reading(None)
    };
    let archive = Blocks::default().file("a", &"x".repeat(100_001)).file("b", "").end();
    let found = contents(&layer(Packing::Plain, &archive), &one, &archive[..]).unwrap();
    let digests: Vec<_> = found.files.iter().map(|file| file.digests.len()).collect();
    assert_eq!(digests, [0, 0]);
}

#[test]
fn layers_have_no_more_together_than_a_list_may_have() {
    let file = |size: u64| SeenFile {
        name: name("a"),
        size,
        digests: Vec::new(),
    };
    let many = Contents {
        files: (0..50_000).map(file).collect(),
        ..Contents::default()
    };
    let mut folders = Contents::default();
    folders
        .outside
        .folders
        .extend((0..20_000).map(|at| format!("{at:01000}")));
    for (layer, times) in [(many, 2), (folders, 3)] {
        let mut total = Total::default();
        for _ in 0..times {
            total.add(&layer).unwrap();
        }
        assert_eq!(reason(total.add(&layer)), "ModelTooLarge");
    }
}
