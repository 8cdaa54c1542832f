//! What keys' signatures must have besides: a log entry, a timestamp, a time at which the key counts. Made by a private
//! Sigstore (`testdata/keyless/README.md` says how), judged by its trust root.

use jiff::Timestamp;

use super::keyless::{LOGS, Said, TIMES, VERIFIED, made, root, said, with};
use super::*;

const SIGNED: &str = "2025-06-01T12:00:00Z";

pub(super) fn key() -> PublicKey {
    PublicKey::from_pem(made!("release.pub")).unwrap()
}

/// The key's holder, of whom this is asked.
fn asking(logged: bool, timestamped: bool, window: Window) -> TrustPolicy {
    let demands = Demands {
        root: root(),
        logged,
        timestamped,
    };
    holding(Some(demands), window)
}

fn holding(demands: Option<Demands>, window: Window) -> TrustPolicy {
    let keyed = Keyed {
        key: key(),
        demands,
        window,
    };
    policy(1, vec![Signer::new("release", Means::Key(keyed))])
}

fn window(start: &str, end: &str) -> Window {
    let moment = |text: &str| (!text.is_empty()).then(|| text.parse::<Timestamp>().unwrap());
    Window {
        start: moment(start),
        end: moment(end),
    }
}

const UNLOGGED: Said = Err(("transparency-log", "NotLogged"));
const UNDATED: Said = Err(("timestamp", "NoTrustedTime"));
const NO_ENTRY: Said = Err(("log-entry", "NotLogged"));

/// A bundle, and what comes of it where nothing is demanded, a log entry, a timestamp, and both.
type Case = (&'static str, String, [Said; 4]);

fn cases() -> Vec<Case> {
    let foreign = |bundle: &str| with(bundle, TIMES, from(made!("both.json"), TIMES));
    let other_entry = |bundle: &str| with(bundle, LOGS, from(made!("key-entry-other.json"), LOGS));
    let both = made!("key-both.json");
    let none_proven = with(both, &format!("{LOGS}/0/inclusionProof/hashes"), json!([]));
    let none_promised = with(
        both,
        &format!("{LOGS}/0/inclusionPromise"),
        json!({"signedEntryTimestamp": "AAAA"}),
    );
    let text = str::to_owned;
    let logged = [VERIFIED, VERIFIED, UNDATED, UNDATED];
    let unlogged = [VERIFIED, UNLOGGED, VERIFIED, UNLOGGED];
    vec![
        (
            "bare",
            text(made!("key-bare.json")),
            [VERIFIED, UNLOGGED, UNDATED, UNLOGGED],
        ),
        ("rekor1", text(made!("key-rekor1.json")), logged),
        ("rekor2", text(made!("key-rekor2.json")), logged),
        ("v02", text(made!("key-v02.json")), logged),
        ("timestamp", text(made!("key-timestamp.json")), unlogged),
        ("both", text(both), [VERIFIED; 4]),
        // What is there must be good, also where something else is demanded. Where nothing is, nothing is looked into.
        (
            "another's entry",
            text(made!("key-entry-other.json")),
            [VERIFIED, NO_ENTRY, NO_ENTRY, NO_ENTRY],
        ),
        (
            "another's timestamp",
            foreign(both),
            [VERIFIED, UNDATED, UNDATED, UNDATED],
        ),
        (
            "entries of another signature",
            other_entry(both),
            [VERIFIED, NO_ENTRY, NO_ENTRY, NO_ENTRY],
        ),
        ("a proof that leads nowhere", none_proven, unlogged),
        ("a promise that is none", none_promised, unlogged),
    ]
}

#[test]
fn what_is_demanded_has_to_be_there_and_good() {
    for (name, bundle, wanted) in cases() {
        let asked = [(false, false), (true, false), (false, true), (true, true)];
        for ((logged, timestamped), wanted) in asked.into_iter().zip(wanted) {
            let policy = asking(logged, timestamped, Window::default());
            assert_eq!(
                said(&policy, &bundle),
                wanted,
                "{name}: log {logged}, time {timestamped}"
            );
        }
    }
}

fn from(bundle: &str, pointer: &str) -> Value {
    let bundle: Value = serde_json::from_str(bundle).unwrap();
    bundle.pointer(pointer).unwrap().clone()
}

#[test]
fn another_root_knows_nothing_of_it() {
    let other = TrustRoot::from_json(made!("other_root.json").as_bytes()).unwrap();
    for (logged, timestamped, wanted) in [(true, false, UNLOGGED), (false, true, UNDATED)] {
        let demands = Demands {
            root: other.clone(),
            logged,
            timestamped,
        };
        let elsewhere = holding(Some(demands), Window::default());
        let bundle = if logged {
            made!("key-rekor1.json")
        } else {
            made!("key-timestamp.json")
        };
        assert_eq!(said(&elsewhere, bundle), wanted);
    }
}

#[test]
fn a_key_counts_only_in_its_time_and_only_where_the_time_is_known() {
    let outside = Err(("key-validity", "KeyNotValid"));
    let (both, bare) = (made!("key-both.json"), made!("key-bare.json"));
    for (start, end, wanted) in [
        ("2025-06-01T00:00:00Z", "2025-06-02T00:00:00Z", VERIFIED),
        (SIGNED, SIGNED, VERIFIED),
        (SIGNED, "", VERIFIED),
        ("", SIGNED, VERIFIED),
        ("2025-06-01T12:00:01Z", "", outside),
        ("", "2025-06-01T11:59:59Z", outside),
    ] {
        for bundle in [
            both,
            made!("key-rekor1.json"),
            made!("key-timestamp.json"),
            made!("key-v02.json"),
        ] {
            let policy = asking(false, false, window(start, end));
            assert_eq!(said(&policy, bundle), wanted, "{start} to {end}");
        }
        // Nobody says when: nobody knows whether the key counted. Not even the clock.
        for bundle in [bare, made!("key-rekor2.json")] {
            let policy = asking(false, false, window(start, end));
            assert_eq!(said(&policy, bundle), UNDATED, "{start} to {end}");
        }
        // A time that nobody trusted says.
        assert_eq!(
            said(&holding(None, window(start, end)), both),
            UNDATED,
            "{start} to {end}"
        );
    }
    let told = |policy: &TrustPolicy, bundle: &str| {
        let verification = super::keyless::check(policy, bundle);
        verification
            .checks
            .iter()
            .find(|check| check.outcome == Failed)
            .unwrap()
            .detail
            .clone()
    };
    let late = told(&asking(false, false, window("", "2025-06-01T11:59:59Z")), both);
    assert_eq!(
        late,
        "signed at 2025-06-01T12:00:00Z, and its key counts until 2025-06-01T11:59:59Z only"
    );
    let rootless = told(&holding(None, window(SIGNED, "")), both);
    assert!(rootless.contains("no trust root is given"), "{rootless}");
}

#[test]
fn a_file_must_have_what_is_demanded_too() {
    let says = |policy: &TrustPolicy, bundle: &str, content: &[u8]| {
        let verification = policy
            .check_blob(&Blob::Content(content), &super::keyless::statement_of(bundle))
            .unwrap();
        let failed = verification.checks.into_iter().find(|check| check.outcome == Failed);
        failed.map_or("verified", |check| check.name)
    };
    let blob = made!("key-blob.json");
    let both = asking(true, true, window(SIGNED, SIGNED));
    assert_eq!(says(&both, blob, b"the manifest"), "verified");
    assert_eq!(says(&both, blob, b"the Manifest"), "signature");
    assert_eq!(
        says(&both, &with(blob, LOGS, json!([])), b"the manifest"),
        "transparency-log"
    );
    assert_eq!(says(&both, &with(blob, TIMES, json!({})), b"the manifest"), "timestamp");
}

#[test]
fn every_check_is_told_by_name() {
    let check = super::keyless::check(&asking(true, true, window(SIGNED, "")), made!("key-both.json"));
    let names: Vec<_> = check.checks.iter().map(|check| (check.name, check.outcome)).collect();
    let passed = [
        "bundle-format",
        "key-material",
        "envelope",
        "signature",
        "transparency-log",
        "timestamp",
        "log-entry",
        "key-validity",
        "signature-format",
        "statement",
        "subject",
        "predicate-type",
        "threshold",
    ];
    assert_eq!(names, passed.map(|name| (name, Passed)));
    assert!(
        check.checks[5].detail.starts_with("signed at 2025-06-01T12:00:00Z"),
        "{:?}",
        check.checks[5]
    );
}

#[test]
fn two_of_one_key_with_different_demands_are_each_judged_by_their_own() {
    let asking = |name: &str, logged: bool| {
        let keyed = Keyed {
            key: key(),
            demands: Some(Demands {
                root: root(),
                logged,
                timestamped: !logged,
            }),
            window: Window::default(),
        };
        Signer::new(name, Means::Key(keyed))
    };
    let policy = policy(1, vec![asking("logged", true), asking("dated", false)]);
    let signers = |bundle: &str| super::keyless::check(&policy, bundle).signers;
    assert_eq!(signers(made!("key-rekor1.json")), ["logged"]);
    assert_eq!(signers(made!("key-timestamp.json")), ["dated"]);
    assert_eq!(signers(made!("key-both.json")), ["dated", "logged"]);
    assert!(signers(made!("key-bare.json")).is_empty());
}

/// The library that looks at logs and times knows no such keys: what cannot be looked at does not count.
#[test]
fn what_is_demanded_of_a_p521_key_is_never_there() {
    let hand = Hand::new(SigningScheme::ECDSA_P521_SHA512_ASN1);
    let mut bundle = hand.bundle(statement(&subject()).to_string().as_bytes());
    bundle["verificationMaterial"]["tlogEntries"] = from(made!("key-both.json"), LOGS);
    bundle["verificationMaterial"]["timestampVerificationData"] = from(made!("key-both.json"), TIMES);
    for (logged, wanted) in [(true, UNLOGGED), (false, UNDATED)] {
        let keyed = Keyed {
            key: hand.key(),
            demands: Some(Demands {
                root: root(),
                logged,
                timestamped: true,
            }),
            window: Window::default(),
        };
        let policy = policy(1, vec![Signer::new("p521", Means::Key(keyed))]);
        assert_eq!(said(&policy, &bundle.to_string()), wanted);
    }
}
