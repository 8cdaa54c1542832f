//! What signatures must have besides, which formats count, who has which duty, and what is revoked: each flag changes the
//! verdict, and none is taken where it would change nothing.

use serde_json::Value;

use super::{here, refused, run};

const OPS: &str = "ops@example.com";

fn keyless(name: &str) -> String {
    here(&format!("../bundles/testdata/keyless/{name}"))
}

/// `verify blob` of a bundle over `the manifest`.
fn blob(bundle: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("the-manifest");
    std::fs::write(&file, "the manifest").expect("the file can be written");
    let (bundle, file) = (keyless(bundle), file.display().to_string());
    run("verify blob", &[&["--bundle", &bundle, &file], more].concat())
}

/// Ends with `code` and says `says`.
fn told(bundle: &str, more: &[&str], code: i32, says: &str) {
    let (ended, out, said) = blob(bundle, more);
    assert_eq!(ended, Some(code), "{bundle} {more:?}: {out}{said}");
    assert!(out.contains(says), "{bundle} {more:?} should say {says:?}: {out}{said}");
}

#[test]
fn what_is_demanded_of_a_key_has_to_be_there() {
    let (key, root) = (keyless("release.pub"), keyless("trusted_root.json"));
    let by = ["--key", &key, "--trusted-root", &root];
    let with = |more: &[&'static str]| -> Vec<String> { by.iter().chain(more).map(ToString::to_string).collect() };
    for (bundle, flags, code, says) in [
        (
            "key-both.json",
            &["--require-transparency-log", "--require-timestamp"][..],
            0,
            "signed at 2025-06-01T12:00:00Z",
        ),
        (
            "key-rekor1.json",
            &["--require-transparency-log"],
            0,
            "taken by a trusted log",
        ),
        (
            "key-timestamp.json",
            &["--require-transparency-log"],
            1,
            "it has no log entry",
        ),
        ("key-timestamp.json", &["--use-signed-timestamps"], 0, "verified"),
        ("key-bare.json", &["--require-timestamp"], 1, "it has no timestamp"),
        (
            "key-both.json",
            &["--key-not-after", "2025-06-01T11:59:59Z"],
            1,
            "its key counts until",
        ),
        (
            "key-both.json",
            &["--key-not-before", "2025-06-01T12:00:00Z"],
            0,
            "the key counts from",
        ),
        (
            "key-bare.json",
            &["--key-not-before", "2025-06-01T12:00:00Z"],
            1,
            "nobody says when it was made",
        ),
        ("key-entry-other.json", &["--require-timestamp"], 1, "log-entry"),
    ] {
        let flags = with(flags);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        told(bundle, &flags, code, says);
    }
    told("key-bare.json", &["--key", &key], 0, "not required for this key");
}

#[test]
fn only_the_formats_that_are_named_count() {
    let key = keyless("release.pub");
    for (bundle, format, code) in [
        ("key-bare.json", "bundle", 0),
        ("key-bare.json", "old-bundle", 1),
        ("key-bare.json", "legacy", 1),
        ("key-v02.json", "bundle", 1),
        ("key-v02.json", "old-bundle", 0),
    ] {
        told(
            bundle,
            &["--key", &key, "--signature-format", format],
            code,
            "signature-format",
        );
    }
    told("key-v02.json", &["--key", &key], 0, "old-bundle");
}

#[test]
fn a_certificate_of_an_authority_counts_for_whom_it_names() {
    let (root, trusted) = (keyless("pki_root.pem"), keyless("trusted_root.json"));
    let by = ["--ca-roots", root.as_str(), "--identity", "dev@example.com"];
    told(
        "pki-timestamp.json",
        &[&by[..], &["--trusted-root", &trusted]].concat(),
        0,
        "made by dev@example.com",
    );
    told(
        "pki-timestamp.json",
        &[&by[..], &["--certificate-time", "2025-06-01T12:00:00Z"]].concat(),
        0,
        "verified",
    );
    told(
        "pki-timestamp.json",
        &[&by[..], &["--certificate-time", "issuance"]].concat(),
        0,
        "taken as signed",
    );
    // Without any of these it has to be valid now, which it is not.
    told("pki-timestamp.json", &by, 1, "had expired");
    let between = keyless("pki_intermediate.pem");
    let time = ["--certificate-time", "issuance"];
    told("pki-alone.json", &[&by[..], &time].concat(), 1, "vouches for it");
    told(
        "pki-alone.json",
        &[&by[..], &time, &["--ca-intermediates", &between]].concat(),
        0,
        "verified",
    );
    let another = ["--ca-roots", root.as_str(), "--identity", "lead@example.com"];
    told(
        "pki-timestamp.json",
        &[&another[..], &time].concat(),
        1,
        "it names [\"dev@example.com\"]",
    );
    let logged = ["--trusted-root", &trusted, "--require-transparency-log"];
    told(
        "pki-timestamp.json",
        &[&by[..], &logged].concat(),
        1,
        "it has no log entry",
    );
    told(
        "pki-both.json",
        &[&by[..], &logged].concat(),
        0,
        "taken by a trusted log",
    );
}

#[test]
fn a_model_signed_with_a_certificate_by_the_real_tool_is_verified() {
    let oms = |name: &str| here(&format!("../bundles/testdata/oms/{name}"));
    let fixtures = std::fs::read_to_string(oms("fixtures.json")).expect("fixtures");
    let fixtures: Value = serde_json::from_str(&fixtures).expect("JSON");
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in fixtures["files-p256"]["tree"].as_object().expect("a tree") {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(path, content.as_str().expect("text")).expect("the file can be written");
    }
    let (model, roots) = (folder.path().display().to_string(), oms("certificate-roots.pem"));
    for (signature, identity, code, says) in [
        ("certified-p256.sig", OPS, 0, "6 files, 65 bytes, all as signed"),
        ("certified-p521.sig", "model team", 0, "ECDSA P-521"),
        ("certified-client.sig", OPS, 1, "for signing code"),
        ("certified-p256.sig", "model team", 1, "it names [\"ops@example.com\"]"),
    ] {
        let signature = oms(signature);
        let flags = [
            "--signature",
            &signature,
            "--ca-roots",
            &roots,
            "--identity",
            identity,
            &model,
        ];
        let (ended, out, said) = run("verify model --certificate-time issuance", &flags);
        assert_eq!(ended, Some(code), "{signature}: {out}{said}");
        assert!(out.contains(says), "{signature}: {out}{said}");
    }
}

#[test]
fn what_is_revoked_does_not_count() {
    let key = keyless("release.pub");
    let by = ["--key", key.as_str()];
    let key_bundle = std::fs::read(keyless("key-both.json")).expect("a bundle");
    let bundle: Value = serde_json::from_slice(&key_bundle).expect("JSON");
    let json = blob("key-both.json", &[&by[..], &["-o", "json"]].concat()).1;
    let shown: Value = serde_json::from_str(&json).expect("JSON");
    let (artifact, signature) = (
        shown["digest"].as_str().expect("text"),
        shown["checks"][0]["evidence"].as_str().expect("text"),
    );
    let entry = &bundle["verificationMaterial"]["tlogEntries"][0];
    let log = interlock_bundles::digest::Digest::of(b"another");
    let entry = format!("{}:{}", log.hex(), entry["logIndex"].as_str().unwrap_or("0"));
    told(
        "key-both.json",
        &[&by[..], &["--revoked-log-entry", &entry]].concat(),
        0,
        "are revoked",
    );
    told(
        "key-both.json",
        &[&by[..], &["--revoked-digest", artifact]].concat(),
        1,
        "is revoked: use another",
    );
    told(
        "key-both.json",
        &[&by[..], &["--revoked-digest", signature]].concat(),
        1,
        "the signature is revoked",
    );
    let hint = bundle["verificationMaterial"]["publicKey"]["hint"]
        .as_str()
        .expect("a hint");
    let fingerprint = base64_to_hex(hint);
    told(
        "key-both.json",
        &[&by[..], &["--revoked-key", &fingerprint]].concat(),
        1,
        "that is revoked",
    );
}

/// cosign's hint is the fingerprint in base64.
fn base64_to_hex(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = text
        .bytes()
        .filter_map(|c| ALPHABET.iter().position(|known| *known == c));
    let (mut hex, mut left, mut held) = ("sha256:".to_owned(), 0, 0);
    for value in bits {
        held = (held << 6 | value) & 0xfff;
        left += 6;
        while left >= 4 {
            left -= 4;
            let nibble = u32::try_from(held >> left & 15).expect("four bits");
            hex.push(char::from_digit(nibble, 16).expect("a digit"));
        }
    }
    hex.chars().take("sha256:".len() + 64).collect()
}

#[test]
fn each_duty_takes_somebody_else() {
    let (key, root) = (keyless("release.pub"), keyless("pki_root.pem"));
    let both = [
        "--key",
        key.as_str(),
        "--ca-roots",
        root.as_str(),
        "--identity",
        "dev@example.com",
    ];
    let duty = |name: &str, signer: &str| format!("{name}={signer}");
    let (builder, approver) = (duty("builder", &key), duty("approver", "dev@example.com"));
    let duties = ["--duty", builder.as_str(), "--duty", approver.as_str()];
    told(
        "key-bare.json",
        &[&both[..], &duties].concat(),
        1,
        "nobody of them is left for: approver",
    );
    told(
        "key-bare.json",
        &[&both[..], &duties[..2]].concat(),
        0,
        "separation-of-duties",
    );
}

#[test]
fn flags_that_would_change_nothing_or_say_too_little_are_refused() {
    let (key, root, ca) = (
        keyless("release.pub"),
        keyless("trusted_root.json"),
        keyless("pki_root.pem"),
    );
    let who = [
        "--identity",
        "a@b",
        "--issuer",
        "https://i",
        "--trusted-root",
        root.as_str(),
    ];
    let (key, ca) = (["--key", key.as_str()], ["--ca-roots", ca.as_str()]);
    let table: [(&[&str], &[&str], &[&str]); 16] = [
        (
            &key,
            &["--require-timestamp"],
            &["--require-timestamp takes a trust root", "--trusted-root FILE"],
        ),
        (
            &key,
            &["--key-not-after", "2025-01-01T00:00:00Z"],
            &["takes a trust root"],
        ),
        (
            &key,
            &["--key-not-after", "yesterday"],
            &["yesterday", "--key-not-after"],
        ),
        (
            &who,
            &["--require-transparency-log"],
            &["is about signatures with --key or --ca-roots"],
        ),
        (&who, &["--key-not-before", "2025-01-01T00:00:00Z"], &["--key <FILE>"]),
        (&ca, &[], &["--ca-roots alone does not say whose", "--identity TEXT"]),
        (
            &ca,
            &["--identity", "a@b", "--issuer", "https://i"],
            &["--issuer is about keyless signatures"],
        ),
        (
            &ca,
            &["--identity", "a@b", "--no-certificate-log"],
            &["--no-certificate-log is about keyless"],
        ),
        (
            &ca,
            &["--identity", "a@b", "--certificate-time", "soon"],
            &["soon", "or issuance"],
        ),
        (
            &ca,
            &[
                "--identity",
                "a@b",
                "--certificate-time",
                "issuance",
                "--trusted-root",
                &root,
            ],
            &["cannot be used with"],
        ),
        (
            &["--ca-roots", &root],
            &["--identity", "a@b"],
            &["cannot be used", "there is no certificate"],
        ),
        (&key, &["--ca-intermediates", ca[1]], &["--ca-roots"]),
        (
            &key,
            &["--signature-format", "old"],
            &["no format is called \"old\"", "bundle, old-bundle, legacy"],
        ),
        (&key, &["--duty", "builder"], &["write NAME=SIGNER"]),
        (
            &key,
            &["--duty", "builder=me"],
            &["--duty builder=me names none", "release.pub"],
        ),
        (
            &key,
            &["--revoked-log-entry", "12"],
            &["\"12\" is no log entry", "logIndex"],
        ),
    ];
    let bundle = keyless("key-both.json");
    for (flags, more, says) in table {
        refused(
            "verify blob",
            &[&["--bundle", &bundle, &bundle], flags, more].concat(),
            says,
        );
    }
}

#[test]
fn a_time_in_which_no_key_counts_is_refused() {
    let (key, root, bundle) = (
        keyless("release.pub"),
        keyless("trusted_root.json"),
        keyless("key-both.json"),
    );
    let [start, end] = ["2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z"];
    let flags = ["--key", &key, "--trusted-root", &root, "--key-not-before", start];
    refused(
        "verify blob",
        &[&["--bundle", &bundle, &bundle], &flags[..], &["--key-not-after", end]].concat(),
        &[
            "would never count",
            "2026-01-01T00:00:00Z is later than --key-not-after",
        ],
    );
}
