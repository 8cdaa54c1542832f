//! Lists of a model's files that were signed without a key, as `model_signing sign sigstore` does it
//! (`testdata/keyless/README.md` says how): what a certificate must have for a statement, it must have for a list.

use super::changes::mutants;
use super::keyless::{self, ISSUER, LOGS, Said, TIMES, VERIFIED, made, rule, trusting, with};
use super::*;

const LIST: &str = made!("model.json");
const STRANGER: Said = Err(("identity", "UntrustedIdentity"));
const UNLOGGED: Said = Err(("transparency-log", "NotLogged"));
const UNDATED: Said = Err(("timestamp", "NoTrustedTime"));
const OTHER_TYPE: Said = Err(("predicate-type", "WrongPredicateType"));

/// dev@example.com, under the root of those who sign models.
fn dev() -> Keyless {
    Keyless {
        root: TrustRoot::from_json(made!("models_root.json").as_bytes()).unwrap(),
        ..keyless::dev()
    }
}

fn strict() -> TrustPolicy {
    trusting(dev())
}

fn verify(policy: &TrustPolicy, list: &str) -> ModelSignature {
    policy.verify_model(&raw(list.as_bytes().to_vec()))
}

/// Nothing where the list counts, else the check that failed and the reason.
fn said(policy: &TrustPolicy, list: &str) -> Said {
    let ModelSignature { verification, manifest } = verify(policy, list);
    assert_eq!(
        verification.outcome == VerificationOutcome::Verified,
        manifest.is_ok(),
        "the two faces differ"
    );
    manifest.map(drop).map_err(|error| {
        let failed = verification.checks.iter().find(|check| check.outcome == Failed);
        (failed.unwrap().name, error.reason())
    })
}

#[test]
fn a_list_counts_for_whom_its_certificate_names() {
    let found = verify(&strict(), LIST);
    assert_eq!(found.verification.signers, ["dev"]);
    let manifest = found.manifest.unwrap();
    assert_eq!(manifest.get().files().len(), 6);
    assert_eq!(
        manifest.provenance(),
        &Provenance::Signed {
            signers: vec!["dev".to_owned()]
        }
    );
    let names: Vec<_> = found.verification.checks.iter().map(|check| check.name).collect();
    let wanted = [
        "bundle-format",
        "key-material",
        "envelope",
        "timestamp",
        "certificate",
        "certificate-log",
        "transparency-log",
        "signature",
        "log-entry",
        "identity",
        "signature-format",
        "statement",
        "predicate-type",
        "manifest",
        "threshold",
    ];
    assert_eq!(names, wanted);

    let workflow = trusting(Keyless {
        identity: rule(keyless::ACTIONS, keyless::WORKFLOW),
        ..dev()
    });
    assert_eq!(said(&workflow, made!("model-workflow.json")), VERIFIED);
    assert_eq!(said(&strict(), made!("model-workflow.json")), STRANGER);
    for (issuer, subject) in [
        (ISSUER, "ops@example.com"),
        ("https://issuer.example.org", "dev@example.com"),
        ("", ""),
    ] {
        let other = Keyless {
            identity: rule(issuer, subject),
            ..dev()
        };
        assert_eq!(said(&trusting(other), LIST), STRANGER, "{issuer} {subject}");
    }
    assert_eq!(said(&trusting(keyless::dev()), LIST), UNLOGGED, "under another root");
    let hand = Hand::p256();
    assert_eq!(said(&policy(1, vec![hand.named("key")]), LIST), STRANGER);
    assert_eq!(
        said(&policy(2, strict().signers), LIST),
        Err(("threshold", "ThresholdNotMet"))
    );
}

#[test]
fn a_list_needs_its_entry_and_its_time() {
    let unlogged = trusting(Keyless { logged: false, ..dev() });
    let bare = with(LIST, LOGS, json!([]));
    let undated = with(made!("model-rekor2.json"), TIMES, json!(null));
    let elsewhere = Err(("log-entry", "NotLogged"));
    for (what, list, strict_says, unlogged_says) in [
        ("Rekor v1", LIST, VERIFIED, VERIFIED),
        ("Rekor v2", made!("model-rekor2.json"), VERIFIED, VERIFIED),
        ("no entry", made!("model-timestamp.json"), UNLOGGED, VERIFIED),
        ("neither entry nor time", &bare, UNDATED, UNDATED),
        ("Rekor v2 without a time", &undated, UNDATED, UNDATED),
        ("another's entry", made!("model-entry-other.json"), elsewhere, elsewhere),
    ] {
        assert_eq!(said(&strict(), list), strict_says, "{what}");
        assert_eq!(
            said(&unlogged, list),
            unlogged_says,
            "{what}, where no entry is asked for"
        );
    }
}

#[test]
fn what_is_signed_must_be_a_list_and_is_taken_as_it_was_signed() {
    assert_eq!(said(&strict(), made!("model-other-type.json")), OTHER_TYPE);
    assert_eq!(said(&trusting(keyless::dev()), made!("rekor1.json")), OTHER_TYPE);
    // Nor does a list count as a signature on the digest that it calls the model by.
    let list = raw(LIST.as_bytes().to_vec());
    let root = verify(&strict(), LIST).manifest.unwrap().get().root();
    let error = strict().vouched(&root, SIGNATURE_PREDICATE, &[list]).unwrap_err();
    assert_eq!(error.reason(), "WrongPredicateType");

    // The root digest does not cover names, the signature does.
    let names = |list: &str| -> Vec<_> {
        let manifest = verify(&strict(), list).manifest.unwrap();
        manifest
            .get()
            .files()
            .iter()
            .map(|file| file.name.to_string())
            .collect()
    };
    assert!(names(LIST).contains(&"config.json".to_owned()));
    assert!(names(made!("model-other-list.json")).contains(&"Config.json".to_owned()));
    let other: Value = serde_json::from_str(made!("model-other-list.json")).unwrap();
    let payload = other["dsseEnvelope"]["payload"].clone();
    let swapped = with(LIST, "/dsseEnvelope/payload", payload);
    assert!(said(&strict(), &swapped).is_err());
}

/// Every place of the bundle in every way: what still counts is the same list by the same certificate.
#[test]
fn nothing_signed_can_be_changed() {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let original = parse(LIST);
    let donors = [parse(made!("model-rekor2.json")), parse(made!("model-other-list.json"))];
    let (policy, mutants) = (strict(), mutants(&original, &donors));
    assert!(mutants.len() > 600, "only {} changes", mutants.len());
    for mutant in mutants.iter().filter(|mutant| said(&policy, &mutant.json) == VERIFIED) {
        let left = parse(&mutant.json);
        for signed in ["/dsseEnvelope", "/verificationMaterial/certificate"] {
            assert_eq!(
                left.pointer(signed),
                original.pointer(signed),
                "{} {}",
                mutant.at,
                mutant.how
            );
        }
    }
}
