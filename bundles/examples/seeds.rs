//! Writes what the fuzz targets of `bundles/fuzz` start from: `seeds FOLDER` makes `FOLDER/<target>/<seed>` of what the
//! repository has anyway, which is bundles, hostile modules, golden inputs, OPA's texts of
//! values, signatures and what a registry or a hub answers.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a tool of the build, which stops where it fails"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_json::Value;

const MANIFEST: &[u8] = br#"{"revision":"1","roots":["a","b"],"wasm":[{"entrypoint":"a/x","module":"/policy.wasm"}]}"#;
const VALUES: [&str; 12] = [
    "null",
    "[true, false]",
    "-0",
    "12345678901234567890",
    "1.50e-3",
    r#""\u00e9\n\ud83d\ude00""#,
    "set()",
    r#"{1, "a", [2]}"#,
    r#"{"a": {"b": {}}, 2: []}"#,
    r#"{"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"}"#,
    r#"{{"result": {"deny": set()}}}"#,
    "[[[[[[[[]]]]]]]]",
];

const OCI: [(&str, &str); 3] = [
    (
        "bundle",
        r#"{"schemaVersion":2,"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","size":3}]}"#,
    ),
    (
        "model",
        r#"{"schemaVersion":2,"artifactType":"application/vnd.cncf.model.manifest.v1+json","config":{"mediaType":"application/vnd.cncf.model.config.v1+json","digest":"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","size":3},"layers":[{"mediaType":"application/vnd.cncf.model.weight.v1.raw","digest":"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","size":3,"annotations":{"org.cncf.model.filepath":"weights/a.bin"}}]}"#,
    ),
    (
        "index",
        r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","digest":"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","size":3}]}"#,
    ),
];

const HUB: &str = r#"[{"type":"directory","oid":"00","size":0,"path":"onnx"},{"type":"file","oid":"00","size":2,"path":"config.json"},{"type":"file","oid":"00","size":7,"lfs":{"oid":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","size":7,"pointerSize":130},"path":"onnx/model.onnx"}]"#;

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("seeds FOLDER"));
    let write = |target: &str, name: &str, content: &[u8]| {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(name), content).expect("a seed");
    };
    for bundle in ["baseline", "model"] {
        write("manifest", bundle, &manifest(bundle));
        for file in files(&repository(&format!("policies/{bundle}/golden"))) {
            let golden: Value = serde_json::from_slice(&fs::read(&file).expect("a golden")).expect("JSON");
            let (name, input) = (format!("{bundle}-{}", name(&file)), golden["input"].to_string());
            write("input", &name, input.as_bytes());
            if bundle == "baseline" {
                write("evaluate", &name, input.as_bytes());
            }
        }
    }
    write("evaluate", "empty", b"{}");
    write("input", "exponent", b"10e-121341728");
    write("manifest", "short", MANIFEST);
    for (name, members) in archives() {
        write("archive", name, &tar(&members));
    }
    for file in files(&repository("bundles/testdata/wat")) {
        write("module", &name(&file), &module(&file));
    }
    for (index, text) in VALUES.iter().enumerate() {
        // The target's first bytes: text, at address 8.
        write(
            "value",
            &format!("text-{index}"),
            &[&[1, 8, 0, 0, 0], text.as_bytes()].concat(),
        );
        write("input", &format!("text-{index}"), text.as_bytes());
    }
    write("value", "memory", &memory());
    for folder in ["trust", "keyless", "oms"] {
        for file in files(&repository(&format!("bundles/testdata/{folder}"))) {
            let name = format!("{folder}-{}", name(&file));
            let Ok(bytes) = fs::read(&file) else { continue };
            let Ok(bundle) = serde_json::from_slice::<Value>(&bytes) else {
                continue;
            };
            write("signature", &name, &bytes);
            if let Some(payload) = decoded(&bundle["dsseEnvelope"]["payload"]) {
                let target = if folder == "oms" { "model" } else { "statement" };
                write(target, &name, &payload);
            }
            let material = &bundle["verificationMaterial"];
            for certificate in [
                &material["certificate"],
                &material["x509CertificateChain"]["certificates"][0],
            ] {
                if let Some(der) = decoded(&certificate["rawBytes"]) {
                    write("certificate", &name, &der);
                }
            }
        }
    }
    for (name, document) in OCI {
        write("oci", name, document.as_bytes());
    }
    write("hub", "page", HUB.as_bytes());
    let folder = tar(&[("weights/a.bin", b"abc"), ("config.json", b"{}")]);
    write("layer", "folder", &folder);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&folder).expect("bytes");
    write("layer", "packed", &packed.finish().expect("bytes"));
    write("layer", "zstd", &zstd::encode_all(&folder[..], 1).expect("bytes"));
}

fn decoded(text: &Value) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(text.as_str()?).ok()
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        tar.append_data(&mut header, name, *content)
            .expect("a member that fits");
    }
    tar.into_inner().expect("a tar")
}

/// What is in an archive, by name.
type Members = Vec<(&'static str, &'static [u8])>;

fn archives() -> [(&'static str, Members); 3] {
    let own: [(&str, &[u8]); 2] = [("policy.wasm", b"\0asm\x01\0\0\0"), (".manifest", MANIFEST)];
    let data: [(&str, &[u8]); 2] = [
        ("a/data.json", br#"{"b":{"c":[1]}}"#),
        ("a/b/data.json", br#"{"d":1.5}"#),
    ];
    let odd: [(&str, &[u8]); 3] = [
        (".signatures.json", b"{}"),
        ("./x/y.rego", b"package x"),
        ("data.yaml", b"a: 1"),
    ];
    [
        ("small", own.to_vec()),
        ("data", [&own[..], &data].concat()),
        ("odd", [&own[..], &odd].concat()),
    ]
}

/// `[{1}, "abc"]` as OPA lays values out; the target's first bytes say that it is memory, and where the array is.
fn memory() -> Vec<u8> {
    let mut memory = vec![0; 256];
    let words = [
        (16, 5),
        (20, 32),
        (24, 2),
        (36, 64),
        (44, 144), // an array of two elements
        (64, 7),
        (68, 80),
        (72, 8),
        (76, 1),
        (84, 112),
        (112, 128), // a set of one, in eight buckets
        (128, 0x103),
        (136, 1), // a number
        (144, 4),
        (148, 3),
        (152, 160),
        (160, 0x63_62_61), // a text
    ];
    for (at, word) in words {
        memory[at..at + 4].copy_from_slice(&u32::to_le_bytes(word));
    }
    [&[0, 16, 0, 0, 0], &memory[..]].concat()
}

fn manifest(bundle: &str) -> Vec<u8> {
    let layer = fs::File::open(repository(&format!("bundles/dist/{bundle}.tar.gz"))).expect("a bundle");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(layer));
    let mut entries = archive.entries().expect("a tar").map(|entry| entry.expect("a member"));
    let mut found = entries.find(|entry| entry.path().is_ok_and(|path| path.ends_with(".manifest")));
    let mut bytes = Vec::new();
    found
        .as_mut()
        .expect("a manifest")
        .read_to_end(&mut bytes)
        .expect("bytes");
    bytes
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("a file").path()).collect()
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A hostile module, put together as `bundles/tests/hostile.rs` does it.
fn module(file: &Path) -> Vec<u8> {
    let defines = |line: &str| {
        let tag = line.split_once(";;@").map(|(_, tag)| tag.to_owned());
        tag.or_else(|| Some(line.split_once("(export \"")?.1.split('"').next()?.to_owned()))
    };
    let read = |file: &Path| fs::read_to_string(file).expect("a module");
    let (hostile, defaults) = (read(file), read(&file.with_file_name("defaults.wat")));
    let taken: BTreeSet<_> = hostile.lines().filter_map(defines).collect();
    let kept = defaults
        .lines()
        .filter(|line| defines(line).is_none_or(|name| !taken.contains(&name)));
    let (imports, rest): (Vec<_>, Vec<_>) = kept
        .chain(hostile.lines())
        .partition(|line| line.starts_with("(import"));
    wat::parse_str(format!("(module\n{}\n{}\n)", imports.join("\n"), rest.join("\n"))).expect("a module")
}
