//! Certificates: what a private Sigstore wrote (`testdata/keyless/README.md` says how), and whom it counts for.

use std::collections::BTreeMap;

use super::*;

macro_rules! made {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/keyless/", $name))
    };
}
pub(super) use made;

pub(super) const BOTH: &str = made!("both.json");
pub(super) const ISSUER: &str = "https://issuer.example.com";
const DEV: &str = "dev@example.com";
pub(super) const WORKFLOW: &str = "https://github.com/acme/policies/.github/workflows/release.yaml@refs/heads/main";
pub(super) const ACTIONS: &str = "https://token.actions.githubusercontent.com";

pub(super) fn root() -> TrustRoot {
    TrustRoot::from_json(made!("trusted_root.json").as_bytes()).unwrap()
}

fn exact(text: &str) -> Rule {
    Rule::Exact(text.to_owned())
}

pub(super) fn rule(issuer: &str, subject: &str) -> IdentityRule {
    IdentityRule {
        issuer: exact(issuer),
        subject: exact(subject),
        claims: BTreeMap::new(),
    }
}

/// What everybody here asks for; tests ask for less, or other things.
fn terms(identity: IdentityRule) -> Keyless {
    Keyless {
        identity,
        root: root(),
        logged: true,
        certificate_logged: true,
    }
}

pub(super) fn dev() -> Keyless {
    terms(rule(ISSUER, DEV))
}

fn named(name: &str, keyless: Keyless) -> Signer {
    Signer::new(name, Means::Keyless(keyless))
}

pub(super) fn trusting(keyless: Keyless) -> TrustPolicy {
    policy(1, vec![named("dev", keyless)])
}

/// Nothing left out.
pub(super) fn strict() -> TrustPolicy {
    trusting(dev())
}

/// Neither log is asked for.
pub(super) fn lenient() -> TrustPolicy {
    trusting(Keyless {
        logged: false,
        certificate_logged: false,
        ..dev()
    })
}

pub(super) fn statement_of(text: &str) -> Evidence {
    raw(text.as_bytes().to_vec())
}

pub(super) fn check(policy: &TrustPolicy, bundle: &str) -> Verification {
    policy.check(&subject(), SIGNATURE_PREDICATE, &[statement_of(bundle)])
}

/// Nothing where it verifies, else the check that failed and the reason.
pub(super) type Said = Result<(), (&'static str, &'static str)>;

/// What comes of a bundle, by both faces of the check.
pub(super) fn said(policy: &TrustPolicy, bundle: &str) -> Said {
    let verification = check(policy, bundle);
    let verdict = policy.vouched(&subject(), SIGNATURE_PREDICATE, &[statement_of(bundle)]);
    assert_eq!(
        verification.outcome == VerificationOutcome::Verified,
        verdict.is_ok(),
        "the two faces differ"
    );
    verdict.map(drop).map_err(|error| {
        let failed = verification.checks.iter().find(|check| check.outcome == Failed);
        (failed.unwrap().name, error.reason())
    })
}

pub(super) const VERIFIED: Said = Ok(());

/// A bundle with a part of it taken out or replaced.
pub(super) fn with(bundle: &str, pointer: &str, value: Value) -> String {
    let mut bundle: Value = serde_json::from_str(bundle).unwrap();
    *bundle.pointer_mut(pointer).unwrap() = value;
    bundle.to_string()
}

pub(super) const LOGS: &str = "/verificationMaterial/tlogEntries";
pub(super) const TIMES: &str = "/verificationMaterial/timestampVerificationData";

#[test]
fn each_kind_of_bundle_counts_by_what_it_has() {
    let no_log = Err(("transparency-log", "NotLogged"));
    let no_sct = Err(("certificate-log", "UntrustedCertificate"));
    for (name, bundle, strict_says, unlogged_says, unpromised_says) in [
        ("rekor1", made!("rekor1.json"), VERIFIED, VERIFIED, VERIFIED),
        ("rekor2", made!("rekor2-timestamp.json"), VERIFIED, VERIFIED, VERIFIED),
        ("timestamp", made!("timestamp.json"), no_log, VERIFIED, no_log),
        ("both", BOTH, VERIFIED, VERIFIED, VERIFIED),
        ("v01", made!("v01.json"), VERIFIED, VERIFIED, VERIFIED),
        ("v02", made!("v02.json"), VERIFIED, VERIFIED, VERIFIED),
        ("rsa", made!("rsa.json"), VERIFIED, VERIFIED, VERIFIED),
        (
            "p384",
            made!("p384.json"),
            Err(("transparency-log", "NotLogged")),
            VERIFIED,
            Err(("transparency-log", "NotLogged")),
        ),
        ("sct-missing", made!("sct-missing.json"), no_sct, no_sct, VERIFIED),
    ] {
        let unlogged = trusting(Keyless { logged: false, ..dev() });
        let unpromised = trusting(Keyless {
            certificate_logged: false,
            ..dev()
        });
        assert_eq!(said(&strict(), bundle), strict_says, "{name}");
        assert_eq!(said(&unlogged, bundle), unlogged_says, "{name} without a log");
        assert_eq!(said(&unpromised, bundle), unpromised_says, "{name} without a promise");
    }
}

#[test]
fn a_workflow_counts_by_each_of_its_claims() {
    let mut identity = rule(ACTIONS, WORKFLOW);
    let commit = "0123456789012345678901234567890123456789";
    identity.claims = BTreeMap::from([
        (Claim::BuildSignerUri, exact(WORKFLOW)),
        (Claim::BuildSignerDigest, exact(commit)),
        (Claim::RunnerEnvironment, exact("github-hosted")),
        (Claim::SourceRepositoryUri, exact("https://github.com/acme/policies")),
        (Claim::SourceRepositoryDigest, exact(commit)),
        (Claim::SourceRepositoryRef, exact("refs/heads/main")),
        (Claim::SourceRepositoryOwnerUri, exact("https://github.com/acme")),
        (Claim::BuildConfigUri, exact(WORKFLOW)),
        (Claim::BuildConfigDigest, exact(commit)),
        (Claim::BuildTrigger, exact("push")),
        (Claim::SourceRepositoryVisibility, exact("public")),
    ]);
    let bundle = made!("workflow.json");
    assert_eq!(said(&trusting(terms(identity.clone())), bundle), VERIFIED);
    for claim in Claim::ALL {
        let mut other = identity.clone();
        other.claims.insert(claim, exact("another"));
        assert_eq!(
            said(&trusting(terms(other)), bundle),
            Err(("identity", "UntrustedIdentity")),
            "{claim:?}"
        );
        let mut absent = rule(ISSUER, DEV);
        absent.claims.insert(claim, Rule::Pattern(Pattern::new(".+").unwrap()));
        assert_eq!(
            said(&trusting(terms(absent)), BOTH),
            Err(("identity", "UntrustedIdentity")),
            "{claim:?} is in no certificate for a person"
        );
    }
    let mut main_only = rule(ACTIONS, WORKFLOW);
    let pattern = r"https://github\.com/acme/[a-z]+/\.github/workflows/release\.yaml@refs/heads/main";
    main_only.subject = Rule::Pattern(Pattern::new(pattern).unwrap());
    assert_eq!(said(&trusting(terms(main_only)), bundle), VERIFIED);
}

#[test]
fn others_do_not_count() {
    let identity = Err(("identity", "UntrustedIdentity"));
    for (issuer, subject) in [
        ("https://issuer.example.com/", DEV),
        ("https://issuer.example.org", DEV),
        (ISSUER, "dev@example.co"),
        (ISSUER, "Dev@example.com"),
        (DEV, ISSUER),
        ("", ""),
    ] {
        assert_eq!(
            said(&trusting(terms(rule(issuer, subject))), BOTH),
            identity,
            "{issuer} {subject}"
        );
    }
    let other_root = TrustRoot::from_json(made!("other_root.json").as_bytes()).unwrap();
    let elsewhere = Keyless {
        root: other_root.clone(),
        ..dev()
    };
    assert_eq!(said(&trusting(elsewhere.clone()), made!("other.json")), VERIFIED);
    for logged in [true, false] {
        let terms = |root: TrustRoot| {
            trusting(Keyless {
                root,
                logged,
                certificate_logged: false,
                ..dev()
            })
        };
        for (policy, bundle, wanted) in [
            (
                terms(other_root.clone()),
                made!("rekor1.json"),
                ("transparency-log", "NotLogged"),
            ),
            (terms(root()), made!("other.json"), ("transparency-log", "NotLogged")),
            (terms(other_root.clone()), BOTH, ("timestamp", "NoTrustedTime")),
        ] {
            assert_eq!(said(&policy, bundle), Err(wanted));
        }
    }
    let hand = Hand::p256();
    assert_eq!(said(&policy(1, vec![hand.named("key")]), BOTH), identity);
    let keyed = hand.evidence(&statement(&subject()));
    assert_eq!(reason(&strict(), &[keyed]), "UntrustedKey");
    // The right root is told of, wherever the wrong one stands.
    let wrong_person = Keyless {
        identity: rule(ISSUER, "ops@example.com"),
        ..dev()
    };
    for signers in [
        vec![named("there", elsewhere.clone()), named("ops", wrong_person.clone())],
        vec![named("ops", wrong_person), named("there", elsewhere)],
    ] {
        assert_eq!(said(&policy(1, signers), BOTH), identity);
    }
}

#[test]
fn what_has_no_time_or_is_about_something_else_is_refused() {
    let undated = Err(("timestamp", "NoTrustedTime"));
    let unlogged = Err(("transparency-log", "NotLogged"));
    let bare = with(&with(BOTH, LOGS, json!([])), TIMES, json!({}));
    let promised_only_by_v2 = with(made!("rekor2-timestamp.json"), TIMES, json!(null));
    let unpromised = with(made!("rekor1.json"), &format!("{LOGS}/0/inclusionPromise"), json!(null));
    let unproven = with(made!("rekor1.json"), &format!("{LOGS}/0/inclusionProof"), json!(null));
    for (what, bundle, strict_says, lenient_says) in [
        ("bare", bare.as_str(), undated, undated),
        ("Rekor v2 alone", &promised_only_by_v2, undated, undated),
        ("a time that nobody signed", &unpromised, undated, undated),
        ("a promise alone", &unproven, unlogged, VERIFIED),
        (
            "an entry about another signature",
            made!("entry-other.json"),
            Err(("log-entry", "NotLogged")),
            Err(("log-entry", "NotLogged")),
        ),
        (
            "another statement",
            made!("both-elsewhere.json"),
            Err(("subject", "SubjectMismatch")),
            Err(("subject", "SubjectMismatch")),
        ),
    ] {
        assert_eq!(said(&strict(), bundle), strict_says, "{what}");
        assert_eq!(said(&lenient(), bundle), lenient_says, "{what}, leniently");
    }
    let kind = |policy: &TrustPolicy| policy.check(&subject(), "https://slsa.dev/provenance/v1", &[statement_of(BOTH)]);
    let refused = kind(&strict());
    assert_eq!(
        refused
            .checks
            .iter()
            .find(|check| check.outcome == Failed)
            .unwrap()
            .name,
        "predicate-type"
    );
}

#[test]
fn a_strangers_statement_about_another_thing_is_a_strangers() {
    let ops = trusting(terms(rule(ISSUER, "ops@example.com")));
    assert_eq!(
        said(&ops, made!("both-elsewhere.json")),
        Err(("identity", "UntrustedIdentity"))
    );
}

#[test]
fn a_file_counts_by_its_bytes() {
    let says = |bundle: &str, content: &[u8]| {
        let verification = strict()
            .check_blob(&Blob::Content(content), &statement_of(bundle))
            .unwrap();
        let failed = verification.checks.iter().find(|check| check.outcome == Failed);
        failed.map_or("verified", |check| check.name)
    };
    for bundle in [made!("blob.json"), made!("blob-v01.json"), BOTH] {
        assert_eq!(says(bundle, b"the manifest"), "verified");
    }
    assert_eq!(says(made!("blob.json"), b"the Manifest"), "signature");
    assert_eq!(says(BOTH, b"the Manifest"), "subject");
    let mut unnamed: Value = serde_json::from_str(made!("blob.json")).unwrap();
    unnamed["messageSignature"]
        .as_object_mut()
        .unwrap()
        .remove("messageDigest")
        .unwrap();
    assert_eq!(says(&unnamed.to_string(), b"the manifest"), "verified");
    assert_eq!(says(&unnamed.to_string(), b"the Manifest"), "signature");
}

#[test]
fn keys_and_identities_are_counted_apart_and_each_once() {
    let hand = Hand::p256();
    let keyed = hand.evidence(&statement(&subject()));
    let both = [keyed.clone(), statement_of(BOTH)];
    let count = |threshold: u32, signers: Vec<Signer>, evidence: &[Evidence]| {
        let verdict = policy(threshold, signers).vouched(&subject(), SIGNATURE_PREDICATE, evidence);
        verdict.map_err(|error| error.reason())
    };
    let ok = |names: &[&str]| Ok(names.iter().map(ToString::to_string).collect());
    let mut domain = dev();
    domain.identity.subject = Rule::Pattern(Pattern::new(r".+@example\.com").unwrap());

    assert_eq!(
        count(2, vec![hand.named("key"), named("dev", dev())], &both),
        ok(&["dev", "key"])
    );
    // One identity, whom two rules fit.
    let twice = vec![named("dev", dev()), named("domain", domain.clone())];
    assert_eq!(count(1, twice.clone(), &both), ok(&["dev", "domain"]));
    let again = [
        statement_of(BOTH),
        statement_of(made!("both-again.json")),
        statement_of(made!("rekor1.json")),
    ];
    assert_eq!(count(2, twice, &again), Err("ThresholdNotMet"));
    // On other terms, too.
    let laxer = Keyless {
        logged: false,
        ..domain
    };
    assert_eq!(
        count(1, vec![named("dev", dev()), named("lax", laxer.clone())], &again),
        ok(&["dev", "lax"])
    );
    assert_eq!(
        count(2, vec![named("dev", dev()), named("lax", laxer)], &again),
        Err("ThresholdNotMet")
    );
    // One signer with a key and an identity.
    let one = vec![hand.named("dev"), named("dev", dev())];
    assert_eq!(count(1, one.clone(), &both), ok(&["dev"]));
    assert_eq!(count(2, one, &both), Err("ThresholdNotMet"));
    // A rule that fits two identities is one signer still.
    let anybody = Rule::Pattern(Pattern::new(".+").unwrap());
    let anybody = named(
        "anybody",
        Keyless {
            identity: IdentityRule {
                issuer: anybody.clone(),
                subject: anybody,
                claims: BTreeMap::new(),
            },
            ..dev()
        },
    );
    let two = [statement_of(BOTH), statement_of(made!("workflow.json"))];
    assert_eq!(count(1, vec![anybody.clone()], &two), ok(&["anybody"]));
    assert_eq!(count(2, vec![anybody], &two), Err("ThresholdNotMet"));
    let apart = vec![named("dev", dev()), named("workflow", terms(rule(ACTIONS, WORKFLOW)))];
    assert_eq!(count(2, apart, &two), ok(&["dev", "workflow"]));
}

#[test]
fn every_check_is_told_by_name() {
    let names = |verification: &Verification| -> Vec<(&'static str, CheckOutcome)> {
        let checks = verification.checks.iter();
        checks.map(|check| (check.name, check.outcome)).collect()
    };
    let good = check(&lenient(), BOTH);
    let wanted = vec![
        ("bundle-format", Passed),
        ("key-material", Passed),
        ("envelope", Passed),
        ("timestamp", Passed),
        ("certificate", Passed),
        ("certificate-log", NotNeeded),
        ("transparency-log", NotNeeded),
        ("signature", Passed),
        ("log-entry", Passed),
        ("identity", Passed),
        ("signature-format", Passed),
        ("statement", Passed),
        ("subject", Passed),
        ("predicate-type", Passed),
        ("threshold", Passed),
    ];
    assert_eq!(names(&good), wanted);
    assert!(
        good.checks[3].detail.contains("2025-06-01T12:00:00Z"),
        "{:?}",
        good.checks[3]
    );
    assert_eq!(good.checks[9].detail, format!("made by dev: {DEV} of {ISSUER}"));

    // What comes before the failed one holds, and is said to hold; nothing is said of what was not looked at.
    let unlogged = check(
        &strict(),
        &with(BOTH, &format!("{LOGS}/1/inclusionProof/hashes"), json!([])),
    );
    let mut expected = wanted[..5].to_vec();
    expected.extend([
        ("certificate-log", Passed),
        ("transparency-log", Failed),
        ("threshold", Failed),
    ]);
    assert_eq!(names(&unlogged), expected);
    let set = json!({"signedEntryTimestamp": "AAAA"});
    let unpromised = check(&strict(), &with(BOTH, &format!("{LOGS}/0/inclusionPromise"), set));
    expected = wanted[..3].to_vec();
    expected.extend([("transparency-log", Failed), ("threshold", Failed)]);
    assert_eq!(names(&unpromised), expected);
}
