//! Whose signature counts: exactly those whom the flags name, and nobody where they name somebody by half.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{here, refused, run};

const WHO: &str = "https://github.com/acme/policies/.github/workflows/release.yaml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";
/// Who made those that lack something.
const DEV: [&str; 4] = [
    "--identity",
    "dev@example.com",
    "--issuer",
    "https://issuer.example.com",
];

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

/// These flags, with each command that takes them, are refused, and told so.
fn refused_everywhere(desk: &Desk, flags: &[&str], says: &[&str]) {
    let image = "registry.example.com/a:1";
    for (words, subject) in [
        ("verify blob --bundle", vec![desk.signed.as_str(), desk.blob.as_str()]),
        ("verify image", vec![image]),
        ("verify bundle", vec![image]),
        ("verify model", vec![image]),
    ] {
        refused(words, &[subject.as_slice(), flags].concat(), says);
    }
}

#[test]
fn nobody_is_meant_by_what_is_left_out() {
    let desk = Desk::new();
    let (id, by, root) = (
        ["--identity", WHO],
        ["--issuer", ISSUER],
        ["--trusted-root", &desk.root],
    );
    let (add_id, add_by, add_root) = (
        "--identity TEXT (or --identity-regexp PATTERN)",
        "--issuer URL (or --issuer-regexp PATTERN)",
        "--trusted-root FILE (none is built in, and none is downloaded; `cosign trusted-root create",
    );
    let table: [(&[&str], &[&str]); 10] = [
        (
            &[],
            &[
                "no key given",
                "--key FILE",
                "--identity TEXT, --issuer URL and --trusted-root FILE",
            ],
        ),
        (&id, &["--identity https://github.com", add_by, add_root]),
        (
            &by,
            &[
                "--issuer https://token.actions.githubusercontent.com alone",
                add_id,
                add_root,
            ],
        ),
        (&root, &["--trusted-root ", "trusted_root.json alone", add_id, add_by]),
        (&[id, by].concat(), &[add_root]),
        (&[id, root].concat(), &[add_by]),
        (&[by, root].concat(), &[add_id]),
        (
            &["--claim", "buildTrigger=push"],
            &["--claim buildTrigger=push alone", add_id, add_by, add_root],
        ),
        (
            &["--issuer-regexp", "https://.+"],
            &["--issuer-regexp https://.+ alone", add_id, add_root],
        ),
        (&["--no-transparency-log", "--no-certificate-log"], &["no key given"]),
    ];
    for (flags, says) in table {
        refused_everywhere(&desk, flags, says);
    }
    // A key is somebody, and makes the other by half no whole.
    let key = here("../bundles/testdata/oms/p256.pub");
    refused_everywhere(&desk, &["--key", &key, "--trusted-root", &desk.root], &[add_id, add_by]);
}

#[test]
fn what_cannot_be_read_is_told_by_value_and_rule() {
    let desk = Desk::new();
    let (id, by) = (["--identity", WHO], ["--issuer", ISSUER]);
    let not_json = desk.file("none.json", "{");
    let who = ["--identity", WHO, "--issuer", ISSUER, "--trusted-root", &desk.root];
    let table: [(&[&str], &[&str], &[&str]); 13] = [
        (&by, &["--identity", ""], &["--identity", "value is required"]),
        (&id, &["--issuer", ""], &["--issuer", "value is required"]),
        (&who, &["--identity-regexp", "a"], &["cannot be used with"]),
        (&who, &["--issuer-regexp", "a"], &["cannot be used with"]),
        (
            &by,
            &["--identity-regexp", ".*"],
            &["\".*\" matches the empty text", "`.+`"],
        ),
        (&by, &["--identity-regexp", "("], &["\"(\"", "unclosed group"]),
        (
            &by,
            &["--identity-regexp", "a)|(b"],
            &["no regular expression that can be used"],
        ),
        (
            &[id, by].concat(),
            &["--trusted-root", "/no/root.json"],
            &["cannot read /no/root.json"],
        ),
        (
            &[id, by].concat(),
            &["--trusted-root", &not_json],
            &["none.json cannot be used", "trusted_root.json"],
        ),
        (
            &[id, by].concat(),
            &["--trusted-root", &desk.signed],
            &["workflow.json cannot be used", "trusted_root.json"],
        ),
        (
            &who,
            &["--claim", "ref=x"],
            &["no claim is called \"ref\"", "sourceRepositoryRef"],
        ),
        (
            &who,
            &["--claim", "buildTrigger"],
            &["'buildTrigger'", "write NAME=VALUE"],
        ),
        (
            &who,
            &["--claim", "buildTrigger=a", "--claim", "buildTrigger=b"],
            &["--claim buildTrigger is to be both \"a\" and \"b\"", "once"],
        ),
    ];
    for (flags, more, says) in table {
        refused_everywhere(&desk, &[flags, more].concat(), says);
    }
}
