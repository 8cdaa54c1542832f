//! What the real cosign wrote (`testdata/trust/README.md` says how).

use super::*;

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/trust/", $name))
    };
}

const RELEASE: &str = file!("signed-by-release.json");
const AUDIT: &str = file!("signed-by-audit.json");

fn subject() -> Digest {
    file!("subject").trim().parse().unwrap()
}

fn signer(name: &str, pem: &str) -> Signer {
    Signer::with_key(name, PublicKey::from_pem(pem).unwrap())
}

fn release() -> Signer {
    signer("release", file!("release.pub"))
}

fn audit() -> Signer {
    signer("audit", file!("audit.pub"))
}

/// Signers, or the reason and the message.
fn check(threshold: u32, signers: Vec<Signer>, files: &[&str]) -> Result<Vec<String>, (&'static str, String)> {
    let evidence: Vec<Evidence> = files.iter().map(|file| raw(file.as_bytes().to_vec())).collect();
    let verdict = policy(threshold, signers).vouched(&subject(), SIGNATURE_PREDICATE, &evidence);
    verdict.map_err(|error| (error.reason(), error.to_string()))
}

#[test]
fn its_signatures_count() {
    let ok = |names: &[&str]| Ok(names.iter().map(ToString::to_string).collect());
    assert_eq!(check(1, vec![release()], &[RELEASE]), ok(&["release"]));
    assert_eq!(
        check(2, vec![release(), audit()], &[RELEASE, AUDIT]),
        ok(&["audit", "release"])
    );
    let rsa = signer("rsa", file!("rsa.pub"));
    assert_eq!(check(1, vec![rsa], &[file!("signed-by-rsa.json")]), ok(&["rsa"]));
    let p384 = signer("p384", file!("p384.pub"));
    assert_eq!(check(1, vec![p384], &[file!("signed-by-p384.json")]), ok(&["p384"]));
}

#[test]
fn what_else_it_writes_does_not() {
    let both = || vec![release(), audit()];
    for (threshold, files, reason, words) in [
        (1, vec![], "Unsigned", "cosign sign"),
        (
            1,
            vec![file!("signed-by-stranger.json")],
            "UntrustedKey",
            "audit, release",
        ),
        (
            1,
            vec![file!("attested-by-release.json")],
            "WrongPredicateType",
            "example.com/evaluation",
        ),
        (
            1,
            vec![file!("other-digest-by-release.json")],
            "SubjectMismatch",
            "not for",
        ),
        (
            1,
            vec![file!("blob-by-release.json")],
            "MalformedSignature",
            "not a DSSE signature",
        ),
        (2, vec![RELEASE], "ThresholdNotMet", "1 of 2"),
        (2, vec![RELEASE, RELEASE], "ThresholdNotMet", "1 of 2"),
        (
            2,
            vec![RELEASE, file!("attested-by-release.json")],
            "ThresholdNotMet",
            "1 of 2",
        ),
        (
            2,
            vec![RELEASE, file!("signed-by-stranger.json")],
            "ThresholdNotMet",
            "1 of 2",
        ),
    ] {
        let (found, message) = check(threshold, both(), &files).unwrap_err();
        assert_eq!(found, reason, "{message}");
        assert!(message.contains(words), "{message}");
    }
    let twice = vec![release(), signer("also-release", file!("release.pub"))];
    assert_eq!(check(2, twice, &[RELEASE]).unwrap_err().0, "ThresholdNotMet");
}

#[test]
fn its_attestations_are_checked_by_their_own_kind() {
    let evidence = [raw(file!("attested-by-release.json").as_bytes().to_vec())];
    let policy = policy(1, vec![release()]);
    let outcome = |kind| policy.check(&subject(), kind, &evidence).outcome;
    assert_eq!(
        outcome("https://example.com/evaluation/v1"),
        VerificationOutcome::Verified
    );
    assert_eq!(
        outcome("https://example.com/evaluation/v2"),
        VerificationOutcome::Rejected
    );
    assert_eq!(outcome(SIGNATURE_PREDICATE), VerificationOutcome::Rejected);
}

#[test]
fn its_ed25519_variant_is_refused_by_name() {
    let ed25519 = signer("ed", file!("ed25519.pub"));
    let (reason, message) = check(1, vec![ed25519], &[file!("signed-by-ed25519.json")]).unwrap_err();
    assert_eq!(reason, "BadSignature");
    assert!(message.contains("Ed25519ph"), "{message}");
}

#[test]
fn none_of_its_fields_can_be_bent() {
    for file in [RELEASE, file!("signed-by-p384.json"), file!("signed-by-rsa.json")] {
        let bundle: Value = serde_json::from_str(file).unwrap();
        let signers = vec![
            release(),
            signer("p384", file!("p384.pub")),
            signer("rsa", file!("rsa.pub")),
        ];
        mutants::no_mutant_verifies(&policy(1, signers), &subject(), &bundle);
    }
}
