//! What a manifest tells of a model's files, and what it leaves open.

use super::*;
use crate::model::artifact::{Artifact, ArtifactFiles, Contents, LayerKind, Packing, Reading, contents};

const MODELPACK: &str = "application/vnd.cncf.model.config.v1+json";
const IMAGE: &str = "application/vnd.oci.image.config.v1+json";
const TITLE: &str = "org.opencontainers.image.title";
const FILEPATH: &str = "org.cncf.model.filepath";

fn layer(media_type: &str, annotations: &Value) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(b"content"), "size": 7, "annotations": annotations})
}

fn manifest(config: &str, layers: &[Value]) -> Vec<u8> {
    json!({"schemaVersion": 2, "config": {"mediaType": config}, "layers": layers})
        .to_string()
        .into_bytes()
}

fn kind(config: &str, media_type: &str, annotations: &Value) -> Result<LayerKind, &'static str> {
    let read = Artifact::read(&manifest(config, &[layer(media_type, annotations)]));
    read.map(|artifact| artifact.layers[0].kind.clone())
        .map_err(|error| error.reason())
}

#[test]
fn layers_are_files_or_archives_as_their_tools_mean_them() {
    let file = |text| Ok(LayerKind::File(name(text)));
    let (plain, gzip) = (
        Ok(LayerKind::Archive(Packing::Plain)),
        Ok(LayerKind::Archive(Packing::Gzip)),
    );
    let title = |name: &str| json!({TITLE: name});
    let path = |name: &str| json!({FILEPATH: name});
    for (config, media_type, annotations, want) in [
        (
            MODELPACK,
            "application/vnd.cncf.model.weight.v1.raw",
            path("w/model.bin"),
            file("w/model.bin"),
        ),
        (
            MODELPACK,
            "application/vnd.cncf.model.weight.v1.tar",
            path("w"),
            plain.clone(),
        ),
        (
            MODELPACK,
            "application/vnd.cncf.model.doc.v1.tar+gzip",
            json!({}),
            gzip.clone(),
        ),
        (
            MODELPACK,
            "application/vnd.cncf.model.weight.v1.tar+zstd",
            path("w"),
            Ok(LayerKind::Archive(Packing::Zstd)),
        ),
        (
            MODELPACK,
            "application/vnd.cncf.model.weight.v1.tar+lz4",
            path("w"),
            Err("UnsupportedLayer"),
        ),
        (
            "x",
            "application/vnd.cnai.model.weight.v1",
            json!({"org.cnai.model.filepath": "m"}),
            file("m"),
        ),
        (
            "x",
            "application/vnd.kitops.modelkit.model.v1.tar",
            json!(null),
            plain.clone(),
        ),
        (
            "x",
            "application/vnd.docker.ai.gguf.v3",
            path("model.gguf"),
            file("model.gguf"),
        ),
        // ORAS: its own type for files that have none, any type for files, gzipped tar for folders.
        (
            "x",
            "application/vnd.oci.image.layer.v1.tar",
            title("config.json"),
            file("config.json"),
        ),
        ("x", "application/json", title("config.json"), file("config.json")),
        (
            "x",
            "application/vnd.oci.image.layer.v1.tar+gzip",
            json!({TITLE: "w", "io.deis.oras.content.unpack": "true"}),
            gzip.clone(),
        ),
        (
            "x",
            "application/vnd.acme.folder",
            json!({"io.deis.oras.content.unpack": "true"}),
            gzip.clone(),
        ),
        (
            IMAGE,
            "application/vnd.oci.image.layer.v1.tar",
            title("config.json"),
            plain,
        ),
        (
            IMAGE,
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            json!(null),
            gzip,
        ),
        (
            IMAGE,
            "application/vnd.cncf.model.weight.v1.raw",
            path("a"),
            Err("UnsupportedLayer"),
        ),
    ] {
        assert_eq!(
            kind(config, media_type, &annotations),
            want,
            "{config} {media_type} {annotations}"
        );
    }
}

#[test]
fn a_layer_has_one_name_that_all_go_by() {
    let title = |name: &str| json!({TITLE: name});
    for (media_type, annotations, want) in [
        ("application/json", json!({TITLE: "a", FILEPATH: "a"}), Ok("a")),
        (
            "application/json",
            json!({TITLE: "a", FILEPATH: "b"}),
            Err("MalformedName"),
        ),
        (
            "application/json",
            json!({TITLE: "a", "org.cnai.model.filepath": "b"}),
            Err("MalformedName"),
        ),
        ("application/json", json!({}), Err("MalformedName")),
        ("application/json", title("../a"), Err("MalformedName")),
        ("application/json", title("/etc/passwd"), Err("MalformedName")),
        ("application/json", title("a//b"), Err("MalformedName")),
        ("application/json", title("."), Err("MalformedName")),
        ("application/json", title(""), Err("MalformedName")),
        ("application/vnd.acme.weights+gzip", title("a"), Err("UnsupportedLayer")),
        (
            "application/vnd.oci.image.layer.v1.tar+encrypted",
            json!({}),
            Err("UnsupportedLayer"),
        ),
    ] {
        let want = want.map(|text| LayerKind::File(name(text)));
        assert_eq!(kind("x", media_type, &annotations), want, "{media_type} {annotations}");
    }
}

#[test]
fn a_manifest_that_names_no_files_is_refused() {
    let many = vec![layer("application/json", &json!({TITLE: "a"})); 10_001];
    for (manifest, reason) in [
        (json!({"manifests": []}).to_string().into_bytes(), "ModelIsIndex"),
        (json!({"layers": []}).to_string().into_bytes(), "MalformedManifest"),
        (json!({"config": {}}).to_string().into_bytes(), "MalformedManifest"),
        (b"{".to_vec(), "MalformedManifest"),
        (
            json!({"layers": [{"digest": "sha512:00", "size": 1}]})
                .to_string()
                .into_bytes(),
            "MalformedManifest",
        ),
        (manifest("x", &many), "ModelTooLarge"),
    ] {
        assert_eq!(Artifact::read(&manifest).unwrap_err().reason(), reason);
    }
}

/// To tools in Go, a field is one by its letters, and the last of the same ones counts: they would see other layers.
#[test]
fn a_field_that_some_tools_take_for_another_is_refused() {
    let good = json!({"config": {"mediaType": "x", "data": "e30="}, "artifactType": "x", "subject": null, "layers": [
        {"mediaType": "application/json", "digest": Digest::of(b"1"), "size": 1, "annotations": {"Title": "x", TITLE: "a"}, "urls": []},
    ]});
    let read = |manifest: &Value| Artifact::read(manifest.to_string().as_bytes());
    assert!(read(&good).is_ok());
    for (within, names) in [
        ("", &["Layers", "layerſ", "LAYERS", "Config", "Manifests"][..]),
        ("/config", &["mediatype", "MediaType"]),
        (
            "/layers/0",
            &["Digest", "digeſt", "Size", "Annotations", "annotationS", "MEDIATYPE"],
        ),
    ] {
        for name in names {
            let mut bent = good.clone();
            bent.pointer_mut(within).unwrap()[name] = json!(null);
            let error = read(&bent).unwrap_err();
            assert_eq!(error.reason(), "MalformedManifest", "{name}");
            assert!(error.to_string().contains("to some tools"), "{name}: {error}");
        }
    }
    // Nor are the fields of an object taken from an array.
    let bare = json!({"layers": [["application/json", Digest::of(b"1"), 1, {TITLE: "a"}]]});
    assert!(read(&bare).is_err());
}

/// A ModelPack artifact of a tree, a layer a file.
fn pack(files: &Tree) -> Artifact {
    let layers = files.iter().map(|(name, content)| {
        json!({
            "mediaType": "application/vnd.cncf.model.weight.v1.raw", "digest": Digest::of(content),
            "size": content.len(), "annotations": {FILEPATH: name},
        })
    });
    Artifact::read(&manifest(MODELPACK, &layers.collect::<Vec<_>>())).unwrap()
}

fn unread(artifact: &Artifact, reading: &Reading) -> Option<Vec<Contents>> {
    artifact.layers.iter().map(|layer| layer.unread(reading)).collect()
}

fn compared(manifest: &Manifest, artifact: &Artifact) -> Vec<String> {
    let reading = Reading::of(manifest.serialization(), None, None);
    let files = ArtifactFiles::of(unread(artifact, &reading).unwrap(), None).unwrap();
    let allowed = Allowed::default();
    let comparison = manifest.compare(files.seen(manifest, &allowed), &allowed);
    assert_eq!(comparison.is_same(), comparison.differences.is_empty());
    comparison.differences.iter().map(ToString::to_string).collect()
}

#[test]
fn every_single_change_of_an_artifact_is_told() {
    let files = tree(&[("a", "1"), ("b/c", "22"), ("b/d", "22")]);
    let manifest = read(&statement(&files, None)).unwrap();
    let good = pack(&files);
    assert_eq!(compared(&manifest, &good), Vec::<String>::new());
    let changed = |change: &dyn Fn(&mut Artifact)| {
        let mut artifact = good.clone();
        change(&mut artifact);
        compared(&manifest, &artifact)
    };
    assert_eq!(
        changed(&|artifact| artifact.layers[1].digest = Digest::of(b"23")),
        [r#""b/c" has other content than was signed"#]
    );
    assert_eq!(
        changed(&|artifact| artifact.layers[0].kind = LayerKind::File(name("A"))),
        [r#""A" is there and not signed"#, r#""a" is signed and not there"#]
    );
    assert_eq!(
        changed(&|artifact| drop(artifact.layers.pop())),
        [r#""b/d" is signed and not there"#]
    );
    assert_eq!(
        changed(&|artifact| artifact.layers.push(pack(&tree(&[("e", "1")])).layers.remove(0))),
        [r#""e" is there and not signed"#]
    );
    // The same layer twice, and another of the same name, before or after the one that was signed.
    for (at, other) in [(0, "1"), (0, "x"), (3, "1"), (3, "x")] {
        let twice = changed(&|artifact| {
            let layer = pack(&tree(&[("a", other)])).layers.remove(0);
            artifact.layers.insert(at, layer);
        });
        assert_eq!(twice, [r#""a" is there more than once"#], "{at} {other}");
    }
    let swapped = changed(&|artifact| {
        let kind = artifact.layers[0].kind.clone();
        artifact.layers[0].kind = std::mem::replace(&mut artifact.layers[1].kind, kind);
    });
    assert_eq!(swapped.len(), 2);
}

#[test]
fn a_model_without_a_folder_may_have_any_name() {
    let manifest = read(&statement(&tree(&[(".", "weights")]), None)).unwrap();
    assert_eq!(
        compared(&manifest, &pack(&tree(&[("model.gguf", "weights")]))),
        Vec::<String>::new()
    );
    assert_eq!(
        compared(&manifest, &pack(&tree(&[("model.gguf", "other")]))),
        [r#""." has other content than was signed"#]
    );
    let two = tree(&[("LICENSE", "x"), ("model.gguf", "weights")]);
    assert_eq!(compared(&manifest, &pack(&two)).len(), 3);
}

/// What is told of a layer unread is what reading it would have told.
#[test]
fn a_layer_is_left_unread_only_where_that_makes_no_difference() {
    let content = b"0123456789";
    let artifact = pack(&tree(&[("a", "0123456789")]));
    let shards = |size| Method::Shards {
        size: std::num::NonZeroU64::new(size).unwrap(),
    };
    for (algorithm, method, is_left) in [
        (Algorithm::Sha256, Method::Files, true),
        (Algorithm::Sha256, shards(10), true),
        (Algorithm::Sha256, shards(1_000), true),
        (Algorithm::Sha256, shards(9), false),
        (Algorithm::Blake2b, Method::Files, false),
        (Algorithm::Blake3, Method::Files, false),
    ] {
        for folder in [None, Some(name("a")), Some(name("b"))] {
            let reading = Reading {
                algorithm,
                method,
                folder,
                keep: None,
            };
            let told = artifact.layers[0].unread(&reading);
            let found = contents(&artifact.layers[0], &reading, &content[..]).unwrap();
            assert_eq!(told.is_some(), is_left, "{reading:?}");
            assert!(told.is_none_or(|told| told == found), "{reading:?}: {found:?}");
        }
    }
    // An empty file has no shard, and so no digest.
    let empty = pack(&tree(&[("a", "")]));
    let reading = Reading {
        algorithm: Algorithm::Sha256,
        method: shards(4),
        folder: None,
        keep: None,
    };
    assert_eq!(empty.layers[0].unread(&reading).unwrap().files[0].digests, []);
    // That it is empty is the manifest's word, and the digest has to bear it out.
    let mut other = empty.layers[0].clone();
    other.digest = Digest::of(b"content");
    assert!(other.unread(&reading).is_none());
}

#[test]
fn a_folder_of_an_artifact_can_be_the_model() {
    let manifest = read(&statement(&tree(&[("a", "1")]), None)).unwrap();
    let artifact = pack(&tree(&[("iris/a", "1"), ("iris-2/a", "2")]));
    let reading = Reading::of(manifest.serialization(), Some(name("iris")), None);
    let files = ArtifactFiles::of(unread(&artifact, &reading).unwrap(), reading.folder.as_ref()).unwrap();
    assert!(files.has_more);
    let allowed = Allowed::default();
    assert!(manifest.compare(files.seen(&manifest, &allowed), &allowed).is_same());
}
