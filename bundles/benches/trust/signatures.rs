//! One signature after the other on one core: with a key, keyless, and over a model's list of files.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use interlock_bundles::digest::Digest;
use interlock_bundles::model::{Allowed, directory};
use interlock_bundles::registry::Evidence;
use interlock_bundles::trust::{
    Blob, IdentityRule, Keyless, Means, PublicKey, Rule, SIGNATURE_PREDICATE, Signer, TrustPolicy, TrustRoot,
    VerificationOutcome,
};

use crate::figures::Figures;
use crate::timing::time_a_call;
use crate::{process, testdata, tool};

const ISSUER: &str = "https://issuer.example.com";
const WHO: &str = "dev@example.com";

pub(crate) fn measure(figures: &mut Figures) {
    with_a_key(figures);
    keyless(figures);
    of_a_model(figures);
}

fn add(figures: &mut Figures, measure: &str, verify: impl Fn() + Sync, (peer, time): (&str, Duration)) {
    let rate = 1.0 / time_a_call(1, verify).as_secs_f64();
    let ratio = rate * time.as_secs_f64();
    let against = format!("{peer}, a whole process each");
    figures.add(measure, "verifications a second, one core", rate, "/s", &against, ratio);
}

fn policy(means: Means) -> TrustPolicy {
    let name = "signer".to_owned();
    TrustPolicy::new(vec![Signer::new(name, means)], 1)
}

fn with_key(file: &str) -> TrustPolicy {
    let key = PublicKey::from_pem(&std::fs::read_to_string(testdata(file)).unwrap()).unwrap();
    TrustPolicy::new(vec![Signer::with_key("signer".to_owned(), key)], 1)
}

pub(crate) fn evidence(bytes: Vec<u8>) -> Evidence {
    Evidence {
        media_type: String::new(),
        digest: Digest::of(&bytes),
        bytes,
    }
}

fn read(file: &str) -> Evidence {
    evidence(std::fs::read(testdata(file)).unwrap())
}

/// cosign's signature on a manifest, beside cosign on what it signed likewise: a statement about a digest.
fn with_a_key(figures: &mut Figures) {
    let subject = std::fs::read_to_string(testdata("trust/subject")).unwrap();
    let subject: Digest = subject.trim().parse().unwrap();
    let (trust, signature) = (with_key("trust/release.pub"), [read("trust/signed-by-release.json")]);
    let verify = || {
        let found = trust.check(&subject, SIGNATURE_PREDICATE, &signature);
        assert_eq!(found.outcome, VerificationOutcome::Verified);
    };
    let key = testdata("trust/release.pub");
    let bundle = testdata("trust/signed-by-release.json");
    let subject = subject.hex();
    let arguments = [
        "verify-blob-attestation",
        "--key",
        &key,
        "--bundle",
        &bundle,
        "--type",
        SIGNATURE_PREDICATE,
        "--insecure-ignore-tlog",
        "--digest",
        &subject,
        "--digestAlg",
        "sha256",
    ];
    let time = process(&tool("COSIGN"), &arguments.map(str::to_owned));
    add(figures, "signature with a key", verify, ("cosign", time));
}

/// Chain, certificate log, two transparency logs, timestamp and identity.
fn keyless(figures: &mut Figures) {
    let root = TrustRoot::from_json(&std::fs::read(testdata("keyless/trusted_root.json")).unwrap()).unwrap();
    let identity = IdentityRule {
        issuer: Rule::Exact(ISSUER.to_owned()),
        subject: Rule::Exact(WHO.to_owned()),
        claims: BTreeMap::new(),
    };
    let trust = policy(Means::Keyless(Keyless {
        identity,
        root,
        logged: true,
        certificate_logged: true,
    }));
    let (content, bundle) = (b"the manifest", read("keyless/blob.json"));
    let verify = || {
        let found = trust.check_blob(&Blob::Content(content), &bundle).unwrap();
        assert_eq!(found.outcome, VerificationOutcome::Verified);
    };
    let desk = crate::target().join("bench/the-manifest");
    std::fs::write(&desk, content).unwrap();
    let (root, bundle) = (testdata("keyless/trusted_root.json"), testdata("keyless/blob.json"));
    let file = desk.display().to_string();
    let arguments = [
        "verify-blob",
        "--trusted-root",
        &root,
        "--bundle",
        &bundle,
        "--certificate-identity",
        WHO,
        "--certificate-oidc-issuer",
        ISSUER,
        &file,
    ];
    let time = process(&tool("COSIGN"), &arguments.map(str::to_owned));
    add(figures, "keyless signature", verify, ("cosign", time));
}

/// A model of six small files, each read and hashed.
fn of_a_model(figures: &mut Figures) {
    let fixtures = std::fs::read(testdata("oms/fixtures.json")).unwrap();
    let fixtures: serde_json::Value = serde_json::from_slice(&fixtures).unwrap();
    let desk = crate::target().join("bench/iris");
    let _ = std::fs::remove_dir_all(&desk);
    for (name, content) in fixtures.pointer("/files-p256/tree").unwrap().as_object().unwrap() {
        let path = desk.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content.as_str().unwrap()).unwrap();
    }
    let (trust, signature) = (with_key("oms/p256.pub"), read("oms/files-p256.sig"));
    let verify = || verify_folder(&trust, &signature, &desk);
    let (key, list) = (testdata("oms/p256.pub"), testdata("oms/files-p256.sig"));
    let folder = desk.display().to_string();
    let arguments = ["verify", "key", &folder, "--signature", &list, "--public_key", &key];
    let time = process(&tool("MODEL_SIGNING"), &arguments.map(str::to_owned));
    add(figures, "model of six files", verify, ("model_signing", time));
}

fn verify_folder(trust: &TrustPolicy, signature: &Evidence, folder: &Path) {
    let signed = trust.verify_model(signature);
    let manifest = signed.manifest.unwrap();
    let allowed = Allowed::default();
    let seen = directory::read(folder, manifest.get(), &allowed).unwrap();
    assert!(manifest.get().compare(seen, &allowed).is_same());
}
