//! `interlock verify` through the real binary, without a registry: keyless signatures of a file, models in a folder, and
//! wrong input. The signatures are those of `bundles/testdata`, whose README files say whose they are.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its own preparation fails"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

const WHO: &str = "https://github.com/acme/policies/.github/workflows/release.yaml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";
/// Who made those that lack something.
const DEV: [&str; 4] = [
    "--identity",
    "dev@example.com",
    "--issuer",
    "https://issuer.example.com",
];

fn interlock(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(arguments)
        .output()
        .expect("the binary runs")
}

fn here(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    path.display().to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit code, standard output, standard error.
fn run(words: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let arguments: Vec<&str> = words.split_whitespace().chain(more.iter().copied()).collect();
    let output = interlock(&arguments);
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A desk with the file that was signed.
struct Desk {
    folder: TempDir,
    root: String,
    signed: String,
    blob: String,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let blob = folder.path().join("the-manifest");
        std::fs::write(&blob, "the manifest").expect("the file can be written");
        Self {
            root: here("../bundles/testdata/keyless/trusted_root.json"),
            signed: here("../bundles/testdata/keyless/workflow.json"),
            blob: blob.display().to_string(),
            folder,
        }
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("the file can be written");
        path.display().to_string()
    }

    /// `verify blob` of what was signed, by this root and these flags.
    fn blob(&self, more: &[&str]) -> (Option<i32>, String, String) {
        let all = ["--bundle", &self.signed, "--trusted-root", &self.root, &self.blob];
        run("verify blob", &[&all, more].concat())
    }
}

#[test]
fn a_keyless_signature_counts_for_whom_it_names_and_nobody_else() {
    let desk = Desk::new();
    let (identity, issuer) = (["--identity", WHO], ["--issuer", ISSUER]);
    let pattern = [
        "--identity-regexp",
        r"https://github\.com/acme/.+@refs/heads/main",
        "--issuer-regexp",
        r"https://token\.actions\.githubusercontent\.com",
    ];
    let cosign = [
        "--certificate-identity",
        WHO,
        "--certificate-oidc-issuer",
        ISSUER,
        "--insecure-ignore-tlog=false",
    ];
    let exact = [identity, issuer].concat();
    let with = |more: &[&'static str]| [exact.as_slice(), more].concat();
    let table: [(Vec<&str>, i32, &str); 10] = [
        (
            exact.clone(),
            0,
            "verified: signed by https://github.com/acme/policies/",
        ),
        (pattern.to_vec(), 0, r"verified: signed by https://github\.com/acme/.+"),
        (cosign.to_vec(), 0, "verified: signed by"),
        (with(&["--claim", "sourceRepositoryRef=refs/heads/main"]), 0, "verified"),
        (
            with(&["--claim", "sourceRepositoryRef=refs/heads/dev"]),
            1,
            "want \"refs/heads/dev\"",
        ),
        (
            with(&["--claim", "runnerEnvironment=self-hosted"]),
            1,
            "runnerEnvironment is \"github-hosted\"",
        ),
        (
            [&["--identity", "https://github.com/acme/policies"], issuer.as_slice()].concat(),
            1,
            "subject is",
        ),
        (
            [
                identity.as_slice(),
                &["--issuer", "https://token.actions.githubusercontent.com/"],
            ]
            .concat(),
            1,
            "issuer is",
        ),
        // Held against the whole text, unlike cosign.
        (
            [&["--identity-regexp", r"https://github\.com/acme/"], issuer.as_slice()].concat(),
            1,
            "want what matches",
        ),
        (with(&["--threshold", "2"]), 1, "1 of 2 needed signers"),
    ];
    for (flags, code, says) in table {
        let (got, out, said) = desk.blob(&flags);
        assert_eq!(got, Some(code), "{flags:?}: {out}{said}");
        assert!(out.contains(says), "{flags:?} should say {says:?}: {out}{said}");
    }
    let (_, out, _) = desk.blob(&with(&["-o", "json"]));
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(shown["signers"], json!([WHO]));
    let names: Vec<_> = shown["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .map(|check| &check["name"])
        .collect();
    for name in [
        "timestamp",
        "certificate",
        "certificate-log",
        "transparency-log",
        "identity",
        "threshold",
    ] {
        assert!(names.contains(&&json!(name)), "{name} in {out}");
    }
    assert!(shown.get("comparison").is_none(), "{out}");
}

#[test]
fn log_entry_and_promise_are_demanded_unless_said_otherwise() {
    let desk = Desk::new();
    let verify = |file: &str, more: &[&str]| {
        let bundle = here(&format!("../bundles/testdata/keyless/{file}.json"));
        let all = ["--bundle", &bundle, "--trusted-root", &desk.root, &desk.blob];
        run("verify blob", &[&all, &DEV[..], more].concat())
    };
    let unlogged = [
        "--no-transparency-log",
        "--insecure-ignore-tlog",
        "--insecure-ignore-tlog=true",
    ];
    let unpromised = [
        "--no-certificate-log",
        "--insecure-ignore-sct",
        "--insecure-ignore-sct=true",
    ];
    for (file, flags, others, check) in [
        ("timestamp", unlogged, unpromised, "transparency-log"),
        ("sct-missing", unpromised, unlogged, "certificate-log"),
    ] {
        for other in [&[][..], &others[..1], &[&format!("{}=false", flags[1])]] {
            let (code, out, said) = verify(file, other);
            assert_eq!(code, Some(1), "{file} {other:?}: {out}{said}");
        }
        for flag in flags {
            let (code, out, said) = verify(file, &[flag]);
            assert_eq!(code, Some(0), "{file} {flag}: {out}{said}");
            let row = out.lines().find(|line| line.starts_with(check));
            assert!(
                row.is_some_and(|row| row.contains("not needed")),
                "{file} {flag}: {out}"
            );
        }
    }
}

#[test]
fn a_changed_file_another_root_and_another_key_are_refused() {
    let desk = Desk::new();
    let who = ["--identity", WHO, "--issuer", ISSUER];
    let changed = desk.file("changed.bin", "weights!");
    let all = ["--bundle", &desk.signed, "--trusted-root", &desk.root, &changed];
    let (code, out, said) = run("verify blob", &[&all, who.as_slice()].concat());
    assert_eq!(code, Some(1), "{out}{said}");
    // A key is somebody else, and no help to a certificate.
    let key = here("../bundles/testdata/oms/p256.pub");
    let (code, out, said) = run("verify blob", &["--bundle", &desk.signed, "--key", &key, &desk.blob]);
    assert_eq!(code, Some(1), "{out}{said}");
    assert!(out.contains("all trusted signers sign with keys"), "{out}");
    // Either may have signed.
    let (code, out, said) = desk.blob(&[&["--key", &key], who.as_slice()].concat());
    assert_eq!(code, Some(0), "{out}{said}");
    let root = here("../bundles/testdata/keyless/other_root.json");
    let all = ["--bundle", &desk.signed, "--trusted-root", &root, &desk.blob];
    let (code, out, said) = run("verify blob", &[&all, who.as_slice()].concat());
    assert_eq!(code, Some(1), "{out}{said}");
}

#[test]
fn nobody_is_meant_by_what_is_left_out() {
    let desk = Desk::new();
    let bundle = desk.signed.as_str();
    let (id, by, root) = (
        ["--identity", WHO],
        ["--issuer", ISSUER],
        ["--trusted-root", desk.root.as_str()],
    );
    let not_json = desk.file("none.json", "{");
    let image = "registry.example.com/a:1";
    let table: [(Vec<&str>, &[&str]); 21] = [
        (
            vec![],
            &[
                "no key given",
                "--key FILE",
                "--identity TEXT, --issuer URL and --trusted-root FILE",
            ],
        ),
        (
            id.to_vec(),
            &[
                "--identity https://github.com",
                "add --issuer URL",
                "--trusted-root FILE",
                "cosign trusted-root create",
            ],
        ),
        ([id, by].concat(), &["add --trusted-root FILE", "none is downloaded"]),
        ([id, root].concat(), &["add --issuer URL (or --issuer-regexp PATTERN)"]),
        (
            [by, root].concat(),
            &[
                "--issuer https://token.actions.githubusercontent.com alone",
                "add --identity TEXT (or --identity-regexp PATTERN)",
            ],
        ),
        (
            root.to_vec(),
            &["--trusted-root ", "add --identity TEXT", "--issuer URL"],
        ),
        (
            vec!["--claim", "buildTrigger=push"],
            &["--claim buildTrigger=push alone", "add --identity TEXT"],
        ),
        (vec!["--no-transparency-log"], &["no key given"]),
        (
            [&["--identity", ""], by.as_slice(), &root].concat(),
            &["--identity", "value is required"],
        ),
        (
            [&["--issuer", ""], id.as_slice(), &root].concat(),
            &["--issuer", "value is required"],
        ),
        (
            [id.as_slice(), &by, &root, &["--identity-regexp", "a"]].concat(),
            &["cannot be used with"],
        ),
        (
            [id.as_slice(), &by, &root, &["--issuer-regexp", "a"]].concat(),
            &["cannot be used with"],
        ),
        (
            [by.as_slice(), &root, &["--identity-regexp", ".*"]].concat(),
            &["\".*\" matches the empty text", "`.+`"],
        ),
        (
            [by.as_slice(), &root, &["--identity-regexp", "("]].concat(),
            &["\"(\"", "unclosed group"],
        ),
        (
            [by.as_slice(), &root, &["--identity-regexp", "a)|(b"]].concat(),
            &["no regular expression that can be used"],
        ),
        (
            [id.as_slice(), &by, &["--trusted-root", "/no/root.json"]].concat(),
            &["cannot read /no/root.json"],
        ),
        (
            [id.as_slice(), &by, &["--trusted-root", &not_json]].concat(),
            &["none.json cannot be used", "trusted_root.json"],
        ),
        (
            [id.as_slice(), &by, &["--trusted-root", bundle]].concat(),
            &["workflow.json cannot be used", "trusted_root.json"],
        ),
        (
            [id.as_slice(), &by, &root, &["--claim", "ref=x"]].concat(),
            &["no claim is called \"ref\"", "sourceRepositoryRef"],
        ),
        (
            [id.as_slice(), &by, &root, &["--claim", "buildTrigger"]].concat(),
            &["'buildTrigger'", "write NAME=VALUE"],
        ),
        (
            [
                id.as_slice(),
                &by,
                &root,
                &["--claim", "buildTrigger=a", "--claim", "buildTrigger=b"],
            ]
            .concat(),
            &["--claim buildTrigger is to be both \"a\" and \"b\"", "once"],
        ),
    ];
    for (flags, says) in &table {
        for (words, subject) in [
            ("verify blob --bundle", vec![bundle, desk.blob.as_str()]),
            ("verify image", vec![image]),
            ("verify bundle", vec![image]),
            ("verify model", vec![image]),
        ] {
            refused(words, &[subject.as_slice(), flags].concat(), says);
        }
    }
}

/// Exit 2, nothing on standard output, and all of this on standard error.
fn refused(words: &str, more: &[&str], says: &[&str]) {
    let (code, out, said) = run(words, more);
    assert_eq!(code, Some(2), "{words} {more:?}: {out}{said}");
    assert!(
        out.is_empty() && !said.contains("panicked"),
        "{words} {more:?}: {out}{said}"
    );
    for what in says {
        assert!(said.contains(what), "{words} {more:?} should say {what:?}: {said}");
    }
}

#[test]
fn what_is_no_image_and_no_model_is_told() {
    let desk = Desk::new();
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
        &with(&["hf://Qwen/Qwen2.5-7B"]),
        &["hf://Qwen/Qwen2.5-7B", "registry"],
    );
    refused(
        model,
        &with(&["registry.example.com/iris"]),
        &["neither tag nor digest"],
    );
    let reference = "registry.example.com/iris:1";
    refused(
        model,
        &with(&[reference, "--signature", "model.sig"]),
        &[reference, "are for a folder"],
    );
    refused(
        model,
        &with(&[reference, "--allow-symlinks"]),
        &[reference, "are for a folder"],
    );
    let folder = desk.folder.path().display().to_string();
    refused(
        model,
        &[key.as_slice(), &[&folder]].concat(),
        &["/model.sig", "--signature FILE"],
    );
    refused(
        model,
        &[key.as_slice(), &[&desk.blob]].concat(),
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

#[test]
fn a_model_is_verified_and_every_single_change_of_it_is_refused() {
    let model = Model::new("files-p256");
    let (code, out, said) = model.verify(&[]);
    assert_eq!(code, Some(0), "{out}{said}");
    assert!(
        out.contains("verified: signed by ") && out.contains("6 files, 65 bytes, all as signed"),
        "{out}"
    );

    type Change = fn(&Model);
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
    let desk = Desk::new();
    let (file, key) = (desk.file("model.bin", "0123456789abcdef!"), oms("p256.pub"));
    let verify = |file: &str| run("verify model --key", &[&key, "--signature", &oms("single.sig"), file]);
    assert_eq!(verify(&file).0, Some(0), "{:?}", verify(&file));
    assert_eq!(verify(&desk.file("other.bin", "0123456789abcdef?")).0, Some(1));
    let (code, _, said) = verify(&desk.folder.path().display().to_string());
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
