//! Models in real registries, in every form that tools push them, with signatures that the real `model-signing` made
//! (`bundles/testdata/oms`): the files must be those that were signed, and weights are downloaded only where a digest does
//! not say all.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use interlock_bundles::digest::Digest;
use interlock_tests::artifact::{CONFIG, MANIFEST, Repository, digest_of};
use interlock_tests::forgery::{attach, carried};
use interlock_tests::tools::repository_root;
use interlock_tests::{Flavour, Liar, Lie, Part, Registry};
use serde_json::{Value, json};

use super::{Desk, file_of};
use crate::trial::gzip;

pub(crate) const MODELPACK: &str = "application/vnd.cncf.model.config.v1+json";
const RAW: &str = "application/vnd.cncf.model.weight.v1.raw";
pub(crate) const TAR: &str = "application/vnd.cncf.model.weight.v1.tar";

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What `model-signing` signed.
pub(crate) struct Signed {
    pub(crate) files: Files,
    pub(crate) signature: Vec<u8>,
    pub(crate) key: String,
}

impl Signed {
    pub(crate) fn read(name: &str) -> Result<Self> {
        let folder = repository_root().join("bundles/testdata/oms");
        let fixtures: Value = serde_json::from_slice(&std::fs::read(folder.join("fixtures.json"))?)?;
        let tree = fixtures[name]["tree"].as_object().context("a tree")?;
        let text = |(name, content): (&String, &Value)| {
            let content = content.as_str().unwrap_or_default().as_bytes().to_vec();
            (name.clone(), content)
        };
        Ok(Self {
            files: tree.iter().map(text).collect(),
            signature: std::fs::read(folder.join(format!("{name}.sig")))?,
            key: folder.join("p256.pub").display().to_string(),
        })
    }

    /// The files, where the one of a model without a folder has this name.
    pub(super) fn named(&self, name: &str) -> Files {
        let named = |(own, content): (&String, &Vec<u8>)| {
            let own = if own == "." { name } else { own };
            (own.to_owned(), content.clone())
        };
        self.files.iter().map(named).collect()
    }
}

/// A signed list of files, at hand and not attached, and where the models go that it is compared with.
struct Scene {
    desk: Desk,
    signed: Signed,
    list: String,
    repository: Repository,
}

impl Scene {
    async fn at(host: &str, name: &str) -> Result<Self> {
        let (desk, signed) = (Desk::new().await?, Signed::read("files-p256")?);
        Ok(Self {
            list: desk.file("list.sig", &signed.signature)?,
            repository: Repository::new(host, name),
            desk,
            signed,
        })
    }

    /// Verifies by the signer's key.
    async fn verify(&self, more: &[&str], code: i32, says: &str) -> Result<super::Said> {
        self.verify_by(&self.signed.key, more, code, says).await
    }

    async fn verify_by(&self, key: &str, more: &[&str], code: i32, says: &str) -> Result<super::Said> {
        self.desk.must(VERIFY, &[&[key], more].concat(), code, says).await
    }

    /// The same, with the list.
    async fn by_list(&self, model: &str, code: i32, says: &str) -> Result<super::Said> {
        self.verify(&["--signature", &self.list, model], code, says).await
    }

    /// Pushes the files, changed or not, with the list attached.
    async fn push_listed(&self, tag: &str, files: &Files) -> Result<String> {
        let model = push_raw(&self.repository, tag, files).await?;
        attach(&self.repository, &carried(self.signed.signature.clone()), &model).await?;
        Ok(model)
    }
}

/// Pushes a layer a file, as ModelPack's tools do.
pub(crate) async fn push_raw(repository: &Repository, tag: &str, files: &Files) -> Result<String> {
    let mut layers = Vec::new();
    for (name, content) in files {
        let mut layer = repository.push_blob(RAW, content).await?;
        layer["annotations"] = json!({"org.cncf.model.filepath": name});
        layers.push(layer);
    }
    push(repository, tag, MODELPACK, layers).await
}

pub(crate) async fn push(repository: &Repository, tag: &str, config: &str, layers: Vec<Value>) -> Result<String> {
    let config = repository.push_blob(config, b"{}").await?;
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    let bytes = serde_json::to_vec(&manifest)?;
    repository.push_manifest(tag, MANIFEST, &bytes).await
}

pub(crate) fn tar(files: &Files, below: &str) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{below}{name}"), content.as_slice())?;
    }
    Ok(archive.into_inner()?)
}

pub(super) fn comparison(said: &super::Said) -> Result<Value> {
    Ok(said.json()?["comparison"].clone())
}

const VERIFY: &str = "verify model --plain-http -o json --key";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_compared_with_its_list_without_downloading_weights() -> Result<()> {
    for flavour in [Flavour::Referrers, Flavour::Tags] {
        let registry = Registry::start(flavour).await?;
        let liar = Liar::before(&registry).await?;
        let scene = Scene::at(liar.host(), "models/iris").await?;
        let (files, key) = (&scene.signed.files, &scene.signed.key);
        let model = push_raw(&scene.repository, "1", files).await?;
        let named = ["--signature", &scene.list, &model];
        scene.verify(&[&model], 1, "has no signature").await?;
        scene.verify(&named, 0, "").await?;
        let stranger = file_of(&scene.desk.stranger);
        scene
            .verify_by(&stranger, &named, 1, "none of the trusted keys")
            .await?;

        let model = scene.push_listed("1", files).await?;
        liar.asked();
        let said = scene.verify(&[&model], 0, "all as signed").await?;
        let weights = files.values().map(|content| Digest::of(content).to_string());
        let asked = liar.asked();
        for digest in weights {
            ensure!(
                !asked.iter().any(|path| path.contains(&digest)),
                "{digest} was asked for: {asked:?}"
            );
        }
        let found = comparison(&said)?;
        assert_eq!(
            (&found["files"], &found["bytes"], &found["downloaded"], &found["count"]),
            (&json!(6), &json!(65), &json!(0), &json!(0))
        );
        assert_eq!(said.json()?["signers"], json!([key]));
        scene
            .verify_by(&stranger, &[&model], 1, "none of the trusted keys")
            .await?;

        // The list of one model, attached to each change of it.
        for (number, (change, kind, file)) in changes().into_iter().enumerate() {
            let mut files = files.clone();
            change(&mut files);
            let changed = scene.push_listed(&format!("changed-{number}"), &files).await?;
            let said = scene.verify(&[&changed], 1, file).await?;
            let found = comparison(&said)?;
            let is_told = |one: &Value| one["kind"] == kind && one["file"] == file;
            ensure!(
                found["differences"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(is_told)),
                "{kind} {file}: {found}"
            );
            assert_eq!(found["downloaded"], json!(0));
        }
    }
    Ok(())
}

pub(super) type Change = fn(&mut Files);

pub(super) fn changes() -> [(Change, &'static str, &'static str); 5] {
    [
        (
            |files| drop(files.insert("config.json".to_owned(), b"{\"layers\": 3}".to_vec())),
            "changed",
            "config.json",
        ),
        (|files| drop(files.remove("empty")), "missing", "empty"),
        (
            |files| drop(files.insert("payload.py".to_owned(), b"x".to_vec())),
            "extra",
            "payload.py",
        ),
        (
            |files| {
                let content = files.remove("config.json").unwrap_or_default();
                files.insert("Config.json".to_owned(), content);
            },
            "extra",
            "Config.json",
        ),
        (
            |files| {
                let one = files.insert("config.json".to_owned(), b"0123456789abcdef".to_vec());
                files.insert("weights-2.bin".to_owned(), one.unwrap_or_default());
            },
            "changed",
            "weights-2.bin",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_in_archives_is_read_once_and_compared() -> Result<()> {
    let registry = Registry::start(Flavour::Tags).await?;
    let scene = Scene::at(registry.host(), "models/packed").await?;
    let (signed, repository) = (&scene.signed, &scene.repository);
    let archive = tar(&signed.files, "")?;
    let (mut plain, mut changed) = (signed.files.clone(), signed.files.clone());
    let weights = plain.split_off("weights");
    changed.insert("empty".to_owned(), b"x".to_vec());
    let two = [tar(&plain, "")?, gzip(&tar(&weights, "./")?)?];
    let sizes = [archive.len(), two[0].len() + two[1].len()];
    let with_list = {
        let mut files = signed.files.clone();
        files.insert("model.sig".to_owned(), signed.signature.clone());
        tar(&files, "")?
    };
    let blob = async |kind: &str, bytes: &[u8]| repository.push_blob(kind, bytes).await;
    let gzipped = format!("{TAR}+gzip");
    let zstd = zstd::encode_all(&archive[..], 3)?;
    let own = format!("{}+gzip", "application/vnd.kitops.modelkit.model.v1.tar");
    let kit = "application/vnd.kitops.modelkit.config.v1+json";
    let cases = [
        ("tar", MODELPACK, vec![blob(TAR, &archive).await?], 0, json!(sizes[0])),
        (
            "two",
            MODELPACK,
            vec![blob(TAR, &two[0]).await?, blob(&gzipped, &two[1]).await?],
            0,
            json!(sizes[1]),
        ),
        (
            "zstd",
            MODELPACK,
            vec![blob(&format!("{TAR}+zstd"), &zstd).await?],
            0,
            json!(zstd.len()),
        ),
        (
            "changed",
            kit,
            vec![blob(&own, &gzip(&tar(&changed, "")?)?).await?],
            1,
            json!(null),
        ),
        ("partly", kit, vec![blob(TAR, &two[0]).await?], 1, json!(null)),
        (
            "twice",
            kit,
            vec![blob(TAR, &archive).await?, blob(TAR, &archive).await?],
            1,
            json!(sizes[0]),
        ),
    ];
    for (tag, config, layers, code, downloaded) in cases {
        let model = push(repository, tag, config, layers).await?;
        let said = scene.by_list(&model, code, "\"comparison\"").await?;
        let found = comparison(&said)?;
        ensure!(found["count"] == json!(0) || code == 1, "{tag}: {found}");
        ensure!(
            downloaded.is_null() || found["downloaded"] == downloaded,
            "{tag}: {found}"
        );
    }

    // The model's own signature, in the archive or in a layer of its own.
    let packed = push(repository, "own", kit, vec![blob(TAR, &with_list).await?]).await?;
    let said = scene.verify(&[&packed], 0, "all as signed").await?;
    assert_eq!(comparison(&said)?["downloaded"], json!(with_list.len()));
    let mut raw = signed.files.clone();
    raw.insert("model.sig".to_owned(), signed.signature.clone());
    let layered = push_raw(repository, "layered", &raw).await?;
    let said = scene.verify(&[&layered], 0, "all as signed").await?;
    assert_eq!(comparison(&said)?["downloaded"], json!(signed.signature.len()));
    raw.insert("model.sig".to_owned(), b"another".to_vec());
    let layered = push_raw(repository, "layered", &raw).await?;
    scene.by_list(&layered, 1, "model.sig").await?;
    scene.verify(&[&layered], 1, "not a Sigstore bundle").await?;

    // What could be unpacked to something else is told, and is no difference.
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    let mut linked = tar::Builder::new(Vec::new());
    linked.append_link(&mut link, "config.json", "/etc/passwd")?;
    let linked = push(repository, "link", kit, vec![blob(TAR, &linked.into_inner()?).await?]).await?;
    let said = scene.by_list(&linked, 1, "is a link, which no list is about").await?;
    assert_eq!(comparison(&said)?, Value::Null);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_found_in_a_layer_is_kept_for_the_next_time() -> Result<()> {
    let registry = Registry::start(Flavour::Referrers).await?;
    let scene = Scene::at(registry.host(), "models/kept").await?;
    let (desk, signed, repository) = (&scene.desk, &scene.signed, &scene.repository);
    let archive = tar(&signed.files, "")?;
    let layer = repository.push_blob(TAR, &archive).await?;
    let model = push(repository, "1", MODELPACK, vec![layer]).await?;
    let cache = desk.path("layers").display().to_string();
    let arguments = ["--signature", &scene.list, "--layer-cache", &cache, &model];
    for downloaded in [archive.len(), 0] {
        let said = scene.verify(&arguments, 0, "all as signed").await?;
        assert_eq!(comparison(&said)?["downloaded"], json!(downloaded));
    }
    // What is revoked stays so, whatever list fits.
    let digest = digest_of(&model);
    let revoked = [&arguments[..], &["--revoked-digest", digest]].concat();
    scene.verify(&revoked, 1, "is revoked").await?;
    for entry in std::fs::read_dir(&cache)? {
        std::fs::write(entry?.path(), "{}\n")?;
    }
    let said = scene.verify(&arguments, 0, "all as signed").await?;
    assert_eq!(comparison(&said)?["downloaded"], json!(archive.len()));
    ensure!(said.complaint.contains("is damaged and not used"), "{}", said.complaint);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_read_where_their_digests_are_of_another_kind() -> Result<()> {
    let desk = Desk::new().await?;
    let registry = Registry::start(Flavour::Referrers).await?;
    for (fixture, is_read) in [
        ("blake2b", true),
        ("blake3", true),
        ("shards", true),
        ("single", false),
        ("single-shards", true),
    ] {
        let signed = Signed::read(fixture)?;
        let files = signed.named("model.gguf");
        let repository = Repository::new(registry.host(), &format!("models/{fixture}"));
        let model = push_raw(&repository, "1", &files).await?;
        attach(&repository, &carried(signed.signature.clone()), &model).await?;
        let said = desk.must(VERIFY, &[&signed.key, &model], 0, "all as signed").await?;
        let downloaded = comparison(&said)?["downloaded"].as_u64().context("a number")?;
        assert_eq!(downloaded > 0, is_read, "{fixture}: {downloaded}");
        for name in files.keys() {
            let mut other = files.clone();
            other.entry(name.clone()).or_default().push(b'!');
            let changed = push_raw(&repository, "2", &other).await?;
            attach(&repository, &carried(signed.signature.clone()), &changed).await?;
            desk.must(VERIFY, &[&signed.key, &changed], 1, "differ").await?;
        }
        // Two files change places: the same layers, of which the cache knows the files by their other names.
        let cache = desk.path(fixture).display().to_string();
        let cached = [&signed.key, "--layer-cache", &cache];
        desk.must(VERIFY, &[&cached[..], &[&model]].concat(), 0, "all as signed")
            .await?;
        let names: Vec<_> = files.keys().cloned().collect();
        if let [one, other, ..] = &names[..] {
            let mut swapped = files.clone();
            swapped.insert(one.clone(), files[other].clone());
            swapped.insert(other.clone(), files[one].clone());
            let swapped = push_raw(&repository, "3", &swapped).await?;
            attach(&repository, &carried(signed.signature.clone()), &swapped).await?;
            desk.must(VERIFY, &[&cached[..], &[&swapped]].concat(), 1, "differ")
                .await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_image_the_models_folder_is_compared_and_the_rest_needs_a_signature() -> Result<()> {
    let registry = Registry::start(Flavour::Referrers).await?;
    let scene = Scene::at(registry.host(), "models/car").await?;
    let (desk, signed, repository) = (&scene.desk, &scene.signed, &scene.repository);
    let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
    let base = Files::from([("bin/sh".to_owned(), b"sh".to_vec())]);
    let base = repository.push_blob(layer, &gzip(&tar(&base, "")?)?).await?;
    let model = repository
        .push_blob(layer, &gzip(&tar(&signed.files, "models/")?)?)
        .await?;
    let alone = push(repository, "bare", CONFIG, vec![model.clone()]).await?;
    scene.by_list(&alone, 0, "all as signed").await?;
    let car = push(repository, "car", CONFIG, vec![base, model]).await?;
    scene.by_list(&car, 1, "all outside of models/").await?;
    let key = file_of(&desk.key);
    desk.key.sign(&car).await?;
    let listed = ["--signature", &scene.list, &car];
    let both = [&["--key", &key], &listed[..]].concat();
    let said = scene.verify(&both, 0, "all outside of models/").await?;
    assert_eq!(comparison(&said)?["count"], json!(0));
    // The whole image is another model.
    let whole = [&["--folder", "."], &both[..]].concat();
    scene.verify(&whole, 1, "bin/sh").await?;
    // A list that the user names must count, also where cosign's signature does.
    scene.verify_by(&key, &listed, 1, "none of the trusted keys").await?;
    scene.verify_by(&key, &[&car], 0, "verified").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_sends_another_layer_is_an_error_and_no_verdict() -> Result<()> {
    let registry = Registry::start(Flavour::Referrers).await?;
    let liar = Liar::before(&registry).await?;
    let scene = Scene::at(liar.host(), "models/iris").await?;
    let (desk, signed, repository) = (&scene.desk, &scene.signed, &scene.repository);
    let archive = tar(&signed.files, "")?;
    let layer = repository.push_blob(TAR, &archive).await?;
    let path = layer["digest"].as_str().context("a digest")?.to_owned();
    let model = push(repository, "1", MODELPACK, vec![layer]).await?;
    let mut longer = archive.clone();
    longer.push(0);
    for (lie, code, says) in [
        (Lie::FlipBit, 3, "got bytes with digest"),
        (
            Lie::Body(b"no archive".to_vec()),
            3,
            "the layer has 10 bytes, and its manifest says",
        ),
        (Lie::Body(longer), 3, "exceeds the limit"),
        (Lie::Truncate(700), 3, "no answer from the registry"),
        (Lie::Endless, 3, "exceeds the limit"),
        (Lie::Hang, 3, "no complete answer within 1 s"),
        (Lie::Status(404), 3, "which is not there"),
        (Lie::Status(503), 3, "failed with status 503"),
        (Lie::Redirect("http://127.0.0.1:1/x".to_owned()), 3, "refused to go on"),
    ] {
        liar.be_honest();
        liar.tell(Part::Path(path.clone()), lie);
        let verify = "verify model --plain-http --timeout 1 --key";
        let said = desk
            .must(verify, &[&signed.key, "--signature", &scene.list, &model], code, says)
            .await?;
        ensure!(!said.out.contains("verified"), "{}", said.out);
    }
    liar.be_honest();
    scene.by_list(&model, 0, "all as signed").await?;
    Ok(())
}
