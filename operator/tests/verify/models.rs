//! A model's folder: exactly what was signed is verified, and wrong input is told.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{here, refused, run};

/// A model as `bundles/testdata/oms/make.py` wrote it, with the signature of the real tool.
struct Model {
    folder: TempDir,
    key: String,
}

impl Model {
    fn new(name: &str) -> Self {
        let fixtures = std::fs::read_to_string(here("../bundles/testdata/oms/fixtures.json")).expect("fixtures");
        let fixtures: Value = serde_json::from_str(&fixtures).expect("JSON");
        let fixture = &fixtures[name];
        let model = Self {
            folder: tempfile::tempdir().expect("a folder"),
            key: here("../bundles/testdata/oms/p256.pub"),
        };
        for (name, content) in fixture["tree"].as_object().expect("a tree") {
            model.write(name, content.as_str().expect("text"));
        }
        let links = fixture["links"].as_object().cloned().unwrap_or_default();
        for (name, target) in links {
            model.link(&name, target.as_str().expect("a target"));
        }
        let signature = here(&format!("../bundles/testdata/oms/{name}.sig"));
        std::fs::copy(signature, model.path("model.sig")).expect("the signature can be copied");
        model
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("model").join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(path, content).expect("the file can be written");
    }

    fn link(&self, name: &str, target: &str) {
        std::os::unix::fs::symlink(target, self.path(name)).expect("the link can be made");
    }

    fn verify(&self, more: &[&str]) -> (Option<i32>, String, String) {
        let folder = self.path("").display().to_string();
        run(
            "verify model --key",
            &[&[self.key.as_str(), folder.trim_end_matches('/')], more].concat(),
        )
    }
}

type Change = fn(&Model);

#[test]
fn a_list_signed_without_a_key_counts_for_whom_its_certificate_names() {
    let keyless = |name: &str| here(&format!("../bundles/testdata/keyless/{name}"));
    let (right, other) = (keyless("models_root.json"), keyless("trusted_root.json"));
    let (dev, issuer) = ("dev@example.com", "https://issuer.example.com");
    let verify = |model: &Model, list: &str, who: &str, by: &str, root: &str| {
        let folder = model.path("").display().to_string();
        let list = keyless(list);
        let flags = [
            "--signature",
            &list,
            "--identity",
            who,
            "--issuer",
            by,
            "--trusted-root",
            root,
        ];
        run("verify model", &[&flags[..], &[folder.trim_end_matches('/')]].concat())
    };
    let model = Model::new("files-p256");
    std::fs::remove_file(model.path("model.sig")).expect("removed");
    for (list, who, by, root, wanted, says) in [
        ("model.json", dev, issuer, &right, 0, "all as signed"),
        ("model-rekor2.json", dev, issuer, &right, 0, "all as signed"),
        ("model.json", "ops@example.com", issuer, &right, 1, "subject is"),
        ("model.json", dev, "https://other.example.com", &right, 1, "issuer is"),
        ("model.json", dev, issuer, &other, 1, "not verified"),
        ("model-timestamp.json", dev, issuer, &right, 1, "not verified"),
        (
            "model-other-type.json",
            dev,
            issuer,
            &right,
            1,
            "model_signing/Digests/v0.1",
        ),
        (
            "model-other-list.json",
            dev,
            issuer,
            &right,
            1,
            "\"config.json\" is there and not signed",
        ),
    ] {
        let (code, out, said) = verify(&model, list, who, by, root);
        assert_eq!(code, Some(wanted), "{list} {who} {by}: {out}{said}");
        assert!(out.contains(says), "{list} {who} {by} should say {says:?}: {out}");
    }
    model.write("config.json", "{\"layers\": 3}");
    let (code, out, _) = verify(&model, "model.json", dev, issuer, &right);
    assert_eq!(code, Some(1), "{out}");
}

#[test]
fn a_model_is_verified_and_every_single_change_of_it_is_refused() {
    let model = Model::new("files-p256");
    let (code, out, said) = model.verify(&[]);
    assert_eq!(code, Some(0), "{out}{said}");
    assert!(
        out.contains("verified: signed by ") && out.contains("6 files, 65 bytes, all as signed"),
        "{out}"
    );

    let changes: [(Change, &str); 12] = [
        (
            |model| model.write("config.json", "{\"layers\": 3}"),
            "\"config.json\" has other content",
        ),
        (
            |model| model.write("weights/part/z", "z\n"),
            "\"weights/part/z\" has other content",
        ),
        (|model| model.write("empty", "x"), "\"empty\" has other content"),
        (
            |model| std::fs::remove_file(model.path("empty")).expect("removed"),
            "\"empty\" is signed and not there",
        ),
        (
            |model| std::fs::rename(model.path("config.json"), model.path("Config.json")).expect("renamed"),
            "2 differ",
        ),
        (|model| swap(model, "config.json", "weights-2.bin"), "2 differ"),
        (
            |model| model.write("more.bin", "x"),
            "\"more.bin\" is there and not signed",
        ),
        (|model| model.write("void", ""), "\"void\" is there and not signed"),
        (
            |model| model.write("weights/.git/x", "x"),
            "\"weights/.git/x\" is there and not signed",
        ),
        (
            |model| model.link("link", "config.json"),
            "is a symbolic link, and the signer followed none",
        ),
        (
            |model| model.write("\u{202e}a", "x"),
            "cannot be part of a signed model",
        ),
        (|model| bend(model, "payload"), "signature or content were changed"),
    ];
    for (change, says) in changes {
        let model = Model::new("files-p256");
        change(&model);
        let (code, out, said) = model.verify(&[]);
        assert_eq!(code, Some(1), "{says}: {out}{said}");
        assert!(
            out.contains(says) && out.contains("not verified"),
            "{says}: {out}{said}"
        );
    }
    let other = here("../bundles/testdata/oms/p384.pub");
    let folder = model.path("").display().to_string();
    let (code, out, said) = run("verify model --key", &[&other, &folder]);
    assert_eq!(code, Some(1), "{out}{said}");
    assert!(
        !out.contains("files "),
        "files are not looked at under a signature that does not count: {out}"
    );
}

#[test]
fn what_was_not_looked_at_is_told() {
    let model = Model::new("files-p256");
    model.write(".git/hooks/x", "x");
    let (code, out, said) = model.verify(&[]);
    assert_eq!(code, Some(0), "{out}{said}");
    assert!(
        out.contains("none besides, apart from .git, which the signer passed over"),
        "{out}"
    );
    let (_, out, _) = model.verify(&["-o", "json"]);
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(shown["comparison"]["passedOver"], json!([".git"]));
}

fn swap(model: &Model, one: &str, other: &str) {
    let read = |name| std::fs::read_to_string(model.path(name)).expect("text");
    let (first, second) = (read(one), read(other));
    model.write(one, &second);
    model.write(other, &first);
}

/// Changes one character of what is signed.
fn bend(model: &Model, field: &str) {
    let file = model.path("model.sig");
    let mut signature: Value = serde_json::from_slice(&std::fs::read(&file).expect("a signature")).expect("JSON");
    let signed = signature["dsseEnvelope"][field].as_str().expect("text");
    let bent = signed.replacen('I', "J", 1);
    assert_ne!(bent, signed);
    signature["dsseEnvelope"][field] = bent.into();
    std::fs::write(file, signature.to_string()).expect("the signature can be written");
}

#[test]
fn differences_are_listed_up_to_a_hundred_and_counted() {
    let model = Model::new("files-p256");
    for number in 0..150 {
        model.write(&format!("more/{number}"), "x");
    }
    std::fs::remove_file(model.path("config.json")).expect("removed");
    let (code, out, said) = model.verify(&["-o", "json"]);
    assert_eq!(code, Some(1), "{out}{said}");
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&shown["verified"], &shown["digest"]), (&json!(false), &Value::Null));
    let comparison = &shown["comparison"];
    assert_eq!((&comparison["count"], &comparison["files"]), (&json!(151), &json!(155)));
    let differences = comparison["differences"].as_array().expect("differences");
    assert_eq!(differences.len(), 100);
    assert_eq!(
        (&differences[0]["kind"], &differences[0]["file"]),
        (&json!("missing"), &json!("config.json"))
    );
    assert_eq!(differences[1]["kind"], "extra");
    let (_, out, _) = model.verify(&[]);
    assert!(out.ends_with("and 51 more\n"), "{out}");
}

#[test]
fn what_the_signer_passed_over_or_followed_is_allowed_by_flag_only() {
    for (fixture, flags, without) in [
        ("links", &["--allow-symlinks"][..], "which is not allowed here"),
        (
            "ignored",
            &["--allow-ignored", "notes", "--allow-ignored", "log.txt"],
            "the signer passed over it",
        ),
        (
            "shards-with-empty",
            &["--allow-empty-files"],
            "a signature over shards says nothing of empty files",
        ),
    ] {
        let model = Model::new(fixture);
        let (code, out, said) = model.verify(&[]);
        assert_eq!(code, Some(1), "{fixture}: {out}{said}");
        assert!(out.contains(without), "{fixture}: {out}");
        let (code, out, said) = model.verify(flags);
        assert_eq!(code, Some(0), "{fixture}: {out}{said}");
        // Only what the signer passed over: not what somebody would like to.
        let model = Model::new("files-p256");
        model.write("notes", "x");
        assert_eq!(model.verify(flags).0, Some(1));
    }
}

#[test]
fn a_single_file_and_a_signature_elsewhere_are_verified() {
    let oms = |name: &str| here(&format!("../bundles/testdata/oms/{name}"));
    let (desk, key) = (tempfile::tempdir().expect("a folder"), oms("p256.pub"));
    let file = |name: &str, content: &str| {
        let path = desk.path().join(name);
        std::fs::write(&path, content).expect("the file can be written");
        path.display().to_string()
    };
    let model = file("model.bin", "0123456789abcdef!");
    let verify = |file: &str| run("verify model --key", &[&key, "--signature", &oms("single.sig"), file]);
    assert_eq!(verify(&model).0, Some(0), "{:?}", verify(&model));
    assert_eq!(verify(&file("other.bin", "0123456789abcdef?")).0, Some(1));
    let (code, _, said) = verify(&desk.path().display().to_string());
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("name that file"), "{said}");

    // Beside the folder; then a copy that was left in it is a file like any other.
    let model = Model::new("files-p256");
    let elsewhere = ["--signature", &oms("files-p256.sig")];
    let (code, out, said) = model.verify(&elsewhere);
    assert_eq!(code, Some(1), "{said}");
    assert!(out.contains("\"model.sig\" is there and not signed"), "{out}");
    std::fs::remove_file(model.path("model.sig")).expect("removed");
    assert_eq!(model.verify(&elsewhere).0, Some(0));
}

#[test]
fn a_model_on_a_hub_is_named_by_a_commit_and_by_nothing_that_moves() {
    let key = here("../bundles/testdata/oms/p256.pub");
    let with = |more: &[&'static str]| [more, &["--key", &key]].concat();
    let model = "verify model";
    refused(
        model,
        &with(&["hf://Qwen/Qwen2.5-7B"]),
        &["hf://Qwen/Qwen2.5-7B", "other files", "all 40 hexadecimal digits"],
    );
    let commit = "hf://Qwen/Qwen2.5-7B@a09a35458c702b33eeacc393d103063234e8bc28";
    for (flag, says) in [
        ("--folder=models", "is for a model in a registry"),
        ("--layer-cache=layers", "is for a model in a registry"),
        ("--allow-symlinks", "is for a folder"),
        ("--hub=http://127.0.0.1:1", "without --plain-http"),
        ("--hub=hub.example.com", "write https://HOST"),
        ("--plain-http", "--plain-http is for http"),
    ] {
        refused(model, &with(&[commit, flag]), &[says]);
    }
    refused(
        model,
        &with(&["registry.example.com/iris:1", "--hub=https://hub.example.com"]),
        &["--hub is for a model on a hub"],
    );
}

#[test]
fn what_is_no_image_and_no_model_is_told() {
    let desk = tempfile::tempdir().expect("a folder");
    let folder = desk.path().display().to_string();
    let file = desk.path().join("model.bin").display().to_string();
    std::fs::write(&file, "weights").expect("the file can be written");
    let key = here("../bundles/testdata/oms/p256.pub");
    let key = ["--key", key.as_str()];
    let with = |more: &[&'static str]| [more, key.as_slice()].concat();
    let (image, model) = ("verify image", "verify model");
    refused(image, &with(&["a b"]), &["a b", "use lower-case letters"]);
    refused(
        image,
        &with(&["registry.example.com/a@sha256:12"]),
        &["sha256:12", "64"],
    );
    refused(
        image,
        &with(&["registry.example.com/Upper:1"]),
        &["registry.example.com/Upper", "lower-case"],
    );
    refused(
        model,
        &with(&["no-such-folder"]),
        &["\"no-such-folder\" is no folder", "name the model's folder"],
    );
    refused(
        model,
        &with(&["s3://models/iris"]),
        &["s3://models/iris", "can change", "name its folder"],
    );
    refused(
        model,
        &with(&["registry.example.com/iris"]),
        &["neither tag nor digest"],
    );
    let reference = "registry.example.com/iris:1";
    refused(
        model,
        &with(&[reference, "--signature", "no-such-file.sig"]),
        &["no signature to check", "no-such-file.sig"],
    );
    refused(
        model,
        &with(&[reference, "--allow-symlinks"]),
        &[reference, "is for a folder"],
    );
    for flag in ["--folder=models", "--layer-cache=layers"] {
        refused(
            model,
            &[key.as_slice(), &[&folder, flag]].concat(),
            &["is for a model in a registry"],
        );
    }
    refused(
        model,
        &with(&[reference, "--folder", "../models"]),
        &["\"../models\"", "leads elsewhere"],
    );
    refused(
        model,
        &[key.as_slice(), &[&folder]].concat(),
        &["/model.sig", "--signature FILE"],
    );
    refused(
        model,
        &[key.as_slice(), &[&file]].concat(),
        &["is a single file", "--signature FILE"],
    );
    refused(
        model,
        &[key.as_slice(), &[&folder, "--plain-http"]].concat(),
        &["is for a model in a registry"],
    );
    let climbing = ["--allow-ignored", "../other"];
    refused(
        model,
        &[key.as_slice(), &climbing, &[&folder]].concat(),
        &["\"../other\"", "leads elsewhere"],
    );
    // Nobody answers there: not decided.
    for words in [image, model] {
        let (code, _, said) = run(
            words,
            &[key.as_slice(), &["--plain-http", "127.0.0.1:1/a/b:1"]].concat(),
        );
        assert_eq!(code, Some(3), "{said}");
    }
}
