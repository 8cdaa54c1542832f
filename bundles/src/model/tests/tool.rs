//! What the real `model-signing` signed, and every one place of it changed (`testdata/oms/make.py` says how): where the
//! tool still verifies, so does this crate, and where it does not, neither.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::*;
use crate::digest::Digest;
use crate::model::directory::DirectoryError;
use crate::registry::Evidence;
use crate::trust::CheckOutcome::{self, NotNeeded, Passed};
use crate::trust::{ModelSignature, Provenance, PublicKey, Signer, TrustPolicy, UntrustedModel, VerificationOutcome};

#[derive(serde::Deserialize)]
pub(super) struct Fixture {
    pub(super) tree: BTreeMap<String, String>,
    #[serde(default)]
    links: BTreeMap<String, String>,
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default)]
    allow_symlinks: bool,
}

#[derive(serde::Deserialize)]
struct Case {
    fixture: String,
    change: Option<Vec<Value>>,
    signature: Option<(String, usize)>,
    verifies: bool,
}

pub(super) fn data(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/oms");
    fs::read_to_string(folder.join(name)).unwrap()
}

pub(super) fn fixtures() -> BTreeMap<String, Fixture> {
    serde_json::from_str(&data("fixtures.json")).unwrap()
}

fn cases() -> Vec<Case> {
    serde_json::from_str(&data("cases.json")).unwrap()
}

fn signer(name: &str) -> Signer {
    let key = PublicKey::from_pem(&data(&format!("{name}.pub"))).unwrap();
    let name = name.to_owned();
    Signer::with_key(name, key)
}

pub(super) fn trusting(keys: &[&str], threshold: u32) -> TrustPolicy {
    let signers = keys.iter().map(|key| signer(key)).collect();
    TrustPolicy::new(signers, threshold)
}

fn verify(policy: &TrustPolicy, signature: &str) -> ModelSignature {
    let bytes = signature.as_bytes().to_vec();
    policy.verify_model(&Evidence {
        media_type: String::new(),
        digest: Digest::of(&bytes),
        bytes,
    })
}

impl Fixture {
    fn write(&self, folder: &Path) -> PathBuf {
        fs::write(folder.join("same-config.json"), r#"{"layers": 2}"#).unwrap();
        let model = folder.join("model");
        for (name, text) in &self.tree {
            let path = place(&model, name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        for (name, target) in &self.links {
            std::os::unix::fs::symlink(target, model.join(name)).unwrap();
        }
        model
    }

    /// What the tool was told to pass over and to follow. It accepts empty files wherever shards were signed.
    fn allowed(&self) -> Allowed {
        let mut allowed = Allowed::default();
        allowed.ignored.extend(self.ignore.iter().map(|path| name(path)));
        allowed.symlinks = self.allow_symlinks;
        allowed.empty_files = true;
        allowed
    }
}

fn place(model: &Path, name: &str) -> PathBuf {
    if name == "." {
        model.to_owned()
    } else {
        model.join(name)
    }
}

/// Applies a change; `make.py` has the same.
fn change(model: &Path, what: &[Value]) {
    let text = |at: usize| what[at].as_str().unwrap();
    let path = || place(model, text(1));
    let edit = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut content = fs::read(path()).unwrap();
        edit(&mut content);
        fs::write(path(), content).unwrap();
    };
    match text(0) {
        "none" => {}
        "flip" => edit(&|content| content[usize::try_from(what[2].as_u64().unwrap()).unwrap()] ^= 1),
        "append" => edit(&|content| content.push(b'\n')),
        "cut" => edit(&|content| content.truncate(content.len() - 1)),
        "remove" => fs::remove_file(path()).unwrap(),
        "rename" => fs::rename(path(), model.join(text(2))).unwrap(),
        "swap" => {
            let other = model.join(text(2));
            let (one, two) = (fs::read(path()).unwrap(), fs::read(&other).unwrap());
            fs::write(path(), two).unwrap();
            fs::write(other, one).unwrap();
        }
        "add" => {
            fs::create_dir_all(path().parent().unwrap()).unwrap();
            fs::write(path(), text(2)).unwrap();
        }
        "folder" => fs::create_dir(path()).unwrap(),
        "link" => {
            let _ = fs::remove_file(path());
            std::os::unix::fs::symlink(text(2), path()).unwrap();
        }
        "pipe" => drop(std::os::unix::net::UnixListener::bind(path()).unwrap()),
        other => panic!("{other}"),
    }
}

/// Changes one character of a field; `make.py` has the same.
fn bend(signature: &str, pointer: &str, at: usize) -> String {
    let mut bundle: Value = serde_json::from_str(signature).unwrap();
    let field = bundle.pointer_mut(&format!("/{pointer}")).unwrap();
    let mut text = field.as_str().unwrap().to_owned();
    let at = at.min(text.len() - 1);
    let with = if &text[at..=at] == "A" { "B" } else { "A" };
    text.replace_range(at..=at, with);
    *field = json!(text);
    bundle.to_string()
}

/// Whether a signature and what is there verify, with the reason why not.
fn outcome(signature: &ModelSignature, model: &Path, allowed: &Allowed) -> Result<(), String> {
    let manifest = signature.manifest.as_ref().map_err(UntrustedModel::reason)?.get();
    let seen = crate::model::directory::read(model, manifest, allowed).map_err(|error| error.reason())?;
    match manifest.compare(seen, allowed).differences.first() {
        Some(difference) => Err(difference.to_string()),
        None => Ok(()),
    }
}

/// What the tool verifies and is refused here, and why.
const STRICTER: [(&str, &[&str], &str); 3] = [
    (
        "certificate",
        &["none"],
        "the signer is a key here; tests of `trust` have what comes of certificates",
    ),
    (
        "links",
        &["link", "config.json", "../same-config.json"],
        "a link leads out of the folder: what it leads to can change without the model",
    ),
    (
        "links",
        &["link", "link", "weights"],
        "what is below a linked folder is there for who loads the model, and not signed under that name",
    ),
];

/// Where the answer here is another on purpose: what it is.
fn on_purpose(case: &Case) -> Option<bool> {
    let change: Vec<_> = case.change.iter().flatten().filter_map(Value::as_str).collect();
    let is_hint = |(pointer, _): &(String, usize)| pointer.ends_with("hint");
    // The hint is not signed: it only says which key to try first.
    if case.signature.as_ref().is_some_and(is_hint) {
        return Some(true);
    }
    let mut stricter = STRICTER.iter();
    stricter
        .any(|(fixture, what, _)| case.fixture == *fixture && change == *what)
        .then_some(false)
}

#[test]
fn it_verifies_what_the_tool_verifies_and_nothing_else() {
    let fixtures = fixtures();
    let policy = trusting(&["p256", "p384", "p521"], 1);
    let (mut asked, mut verified) = (0, 0);
    for case in cases() {
        let fixture = &fixtures[&case.fixture];
        let folder = tempfile::tempdir().unwrap();
        let model = fixture.write(folder.path());
        let mut signature = data(&format!("{}.sig", case.fixture));
        if let Some((pointer, at)) = &case.signature {
            signature = bend(&signature, pointer, *at);
        }
        change(&model, case.change.as_deref().unwrap_or(&[json!("none")]));
        let found = outcome(&verify(&policy, &signature), &model, &fixture.allowed());
        let want = on_purpose(&case).unwrap_or(case.verifies);
        assert_eq!(
            found.is_ok(),
            want,
            "{}: {:?} {:?}: {found:?}",
            case.fixture,
            case.change,
            case.signature
        );
        assert!(
            on_purpose(&case).is_none_or(|here| here != case.verifies),
            "{}: the tool agrees",
            case.fixture
        );
        asked += 1;
        verified += usize::from(found.is_ok());
    }
    assert!(asked > 500 && verified > 90, "{verified} of {asked}");
}

#[test]
fn empty_files_beside_shards_are_refused_unless_allowed() {
    let policy = trusting(&["p256"], 1);
    let fixture = &fixtures()["shards-with-empty"];
    let folder = tempfile::tempdir().unwrap();
    let model = fixture.write(folder.path());
    let signature = verify(&policy, &data("shards-with-empty.sig"));
    let told = outcome(&signature, &model, &Allowed::default()).unwrap_err();
    assert!(told.contains("says nothing of empty files"), "{told}");
}

#[test]
fn every_check_is_told_by_name() {
    let policy = trusting(&["p521", "p384"], 1);
    let ModelSignature { verification, manifest } = verify(&policy, &data("files-p521.sig"));
    let told: Vec<_> = verification
        .checks
        .iter()
        .map(|check| (check.name, check.outcome, check.detail.as_str()))
        .collect();
    let root = manifest.as_ref().unwrap().get().root();
    let bundle: Value = serde_json::from_str(&data("files-p521.sig")).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let signed = Digest::of(&STANDARD.decode(payload).unwrap());
    assert_eq!(
        told,
        [
            ("bundle-format", Passed, "application/vnd.dev.sigstore.bundle.v0.3+json"),
            ("key-material", Passed, "signed with a key"),
            (
                "envelope",
                Passed,
                &format!("DSSE with one signature over an in-toto statement, {signed}")
            ),
            ("signature", Passed, "made by p521 with ECDSA P-521 with SHA-512"),
            (
                "transparency-log",
                NotNeeded,
                "not required for this key; 0 log entries not looked into"
            ),
            (
                "timestamp",
                NotNeeded,
                "not required for this key; 0 timestamps not looked into"
            ),
            ("signature-format", Passed, "bundle"),
            ("statement", Passed, "in-toto statement"),
            ("predicate-type", Passed, "https://model_signing/signature/v1.0"),
            ("manifest", Passed, &format!("6 files by sha256, root {root}")),
            ("threshold", Passed, "signed by p521, 1 needed"),
        ]
    );
    let signers = vec!["p521".to_owned()];
    assert_eq!(
        (verification.outcome, &verification.signers),
        (VerificationOutcome::Verified, &signers)
    );
    assert_eq!(manifest.unwrap().provenance(), &Provenance::Signed { signers });
}

#[test]
fn there_is_no_manifest_unless_every_check_holds() {
    let signature = data("files-p256.sig");
    let of_another_kind = include_str!("../../../testdata/trust/signed-by-release.json");
    let release = Signer::with_key(
        "release".to_owned(),
        PublicKey::from_pem(include_str!("../../../testdata/trust/release.pub")).unwrap(),
    );
    let release = TrustPolicy::new(vec![release], 1);
    let large = " ".repeat(48 * 1024 * 1024 + 1);
    for (policy, signature, reason, failed) in [
        (trusting(&["p384"], 1), signature.as_str(), "UntrustedKey", "signature"),
        (
            trusting(&["p256", "p384"], 2),
            &signature,
            "ThresholdNotMet",
            "threshold",
        ),
        (trusting(&["p256"], 0), &signature, "UnusableTrustPolicy", "policy"),
        (trusting(&[], 1), &signature, "UnusableTrustPolicy", "policy"),
        (
            trusting(&["p256"], 1),
            &bend(&signature, "dsseEnvelope/payload", 40),
            "BadSignature",
            "signature",
        ),
        (
            trusting(&["p256"], 1),
            &data("certificate.sig"),
            "UntrustedIdentity",
            "identity",
        ),
        (trusting(&["p256"], 1), "{}", "MalformedSignature", "bundle-format"),
        (trusting(&["p256"], 1), &large, "MalformedSignature", "bundle-format"),
        (release, of_another_kind, "WrongPredicateType", "predicate-type"),
    ] {
        let found = verify(&policy, signature);
        assert_eq!(found.manifest.unwrap_err().reason(), reason);
        assert_eq!(found.verification.outcome, VerificationOutcome::Rejected, "{reason}");
        let first = found
            .verification
            .checks
            .iter()
            .find(|check| check.outcome == CheckOutcome::Failed);
        assert_eq!(first.map(|check| check.name), Some(failed), "{reason}");
    }
}

#[test]
fn errors_of_folders_are_told_with_their_path() {
    let model = tempfile::tempdir().unwrap();
    let signature = verify(&trusting(&["p256"], 1), &data("single.sig"));
    let manifest = signature.manifest.unwrap();
    let error = crate::model::directory::read(model.path(), manifest.get(), &Allowed::default()).unwrap_err();
    assert!(
        matches!(&error, DirectoryError::WantsFile { path } if path == model.path()),
        "{error}"
    );
}
