//! Bundles with certificates, changed in one place: nothing that somebody signed can be changed, and what can be is
//! listed here by name.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::changes::{mutants, places, replaced};
use super::keyless::{BOTH, check, made, said, statement_of, strict};
use super::token::flipped;
use super::*;

/// Whether a bundle verifies, over the statement or the file that it is about.
fn verifies(bundle: &str) -> bool {
    let verification = if bundle.contains("messageSignature") {
        strict()
            .check_blob(&Blob::Content(b"the manifest"), &statement_of(bundle))
            .unwrap()
    } else {
        check(&strict(), bundle)
    };
    verification.outcome == VerificationOutcome::Verified
}

/// Where and how a bundle can be changed and still verifies, and how many changes were tried.
fn accepted(bundle: &str, donors: &[&str]) -> (BTreeSet<(String, &'static str)>, usize) {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let bundle = parse(bundle);
    assert!(verifies(&bundle.to_string()));
    let donors: Vec<Value> = donors.iter().map(|donor| parse(donor)).collect();
    let mutants = mutants(&bundle, &donors);
    let accepted = mutants.iter().filter(|mutant| verifies(&mutant.json)).map(|mutant| {
        let at = mutant.at.strip_prefix("/verificationMaterial").unwrap_or(&mutant.at);
        if mutant.how != "bit" || !at.ends_with("signedTimestamp") {
            return (at.to_owned(), mutant.how);
        }
        let token = |bundle: &Value| {
            STANDARD
                .decode(bundle.pointer(&mutant.at).unwrap().as_str().unwrap())
                .unwrap()
        };
        (
            format!("{at} {}", flipped(&token(&bundle), &token(&parse(&mutant.json)))),
            "bit",
        )
    });
    (accepted.collect(), mutants.len())
}

/// Another part of the bundle says as much.
const SPARE: &str = "what is left is enough";
/// Rekor v2's own specification has verifiers pass over them: what counts is in the checkpoint and beside the proof.
const V2: &str = "a copy that is not looked at in entries of Rekor v2";
/// Which certificate, hash or signature algorithm counts is known from the trust root and from what is signed.
const HINT: &str = "a hint that is not looked at";
/// The same thing again changes nothing.
const AGAIN: &str = "the same once more";
/// The checkpoint's name of its signer, and lines after it: the key decides.
const NOTE: &str = "what stands around a checkpoint's signature is not signed";

/// A place in a bundle, the changes there that do no harm, and why.
type Free = (&'static str, &'static [&'static str], &'static str);

const TIMESTAMP: [Free; 7] = [
    ("/timestampVerificationData/rfc3161Timestamps/0", &["twice"], AGAIN),
    (
        "/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp status",
        &["bit"],
        "granted, or granted with changes",
    ),
    (
        "/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp digestAlgorithms",
        &["bit"],
        HINT,
    ),
    (
        "/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp signatureAlgorithm",
        &["bit"],
        HINT,
    ),
    (
        "/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp certificates",
        &["bit"],
        HINT,
    ),
    (
        "/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp version",
        &["bit"],
        HINT,
    ),
    (
        "/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp tag of the content",
        &["bit"],
        "the content is signed without its tag",
    ),
];

/// All that can be changed in a bundle with everything: entries of Rekor v1 and v2, and a timestamp.
const IN_BOTH: [Free; 17] = [
    ("/timestampVerificationData", &["dropped", "null"], SPARE),
    ("/timestampVerificationData/rfc3161Timestamps", &["dropped"], SPARE),
    ("/timestampVerificationData/rfc3161Timestamps/0", &["dropped"], SPARE),
    ("/tlogEntries", &["reordered"], "entries have no order"),
    ("/tlogEntries/0", &["dropped"], SPARE),
    ("/tlogEntries/0", &["twice"], AGAIN),
    ("/tlogEntries/0/inclusionPromise", &["dropped", "null"], SPARE),
    ("/tlogEntries/0/inclusionProof", &["dropped", "null"], SPARE),
    ("/tlogEntries/0/inclusionProof/checkpoint/envelope", &["text"], NOTE),
    ("/tlogEntries/1", &["dropped"], SPARE),
    ("/tlogEntries/1", &["twice"], AGAIN),
    ("/tlogEntries/1/inclusionProof", &["dropped", "null"], SPARE),
    ("/tlogEntries/1/inclusionProof/checkpoint/envelope", &["text"], NOTE),
    (
        "/tlogEntries/1/inclusionProof/logIndex",
        &["dropped", "number", "swapped"],
        V2,
    ),
    ("/tlogEntries/1/inclusionProof/rootHash", &["bit", "swapped"], V2),
    ("/tlogEntries/1/inclusionProof/treeSize", &["number", "swapped"], V2),
    ("/tlogEntries/1/logId/keyId", &["bit", "text"], V2),
];

/// The same where Rekor v1's entry is all there is.
const IN_REKOR1: [Free; 3] = [
    ("/mediaType", &["swapped"], "each version's demands are met"),
    ("/tlogEntries/0", &["twice"], AGAIN),
    ("/tlogEntries/0/inclusionProof/checkpoint/envelope", &["text"], NOTE),
];

/// The same where Rekor v2's entry and a timestamp are all there is.
const IN_REKOR2: [Free; 7] = [
    ("/tlogEntries/0", &["twice"], AGAIN),
    ("/tlogEntries/0/inclusionProof/checkpoint/envelope", &["text"], NOTE),
    (
        "/tlogEntries/0/inclusionProof/logIndex",
        &["dropped", "number", "swapped"],
        V2,
    ),
    ("/tlogEntries/0/inclusionProof/rootHash", &["bit", "swapped"], V2),
    ("/tlogEntries/0/inclusionProof/treeSize", &["number", "swapped"], V2),
    ("/tlogEntries/0/logId", &["swapped"], V2),
    ("/tlogEntries/0/logId/keyId", &["bit", "swapped", "text"], V2),
];

/// What a signature over a file has besides.
const IN_BLOB: [Free; 2] = [
    ("/mediaType", &["swapped"], "each version's demands are met"),
    ("/messageSignature/messageDigest", &["dropped", "null"], HINT),
];

#[test]
fn nothing_signed_can_be_changed() {
    let again = made!("both-again.json");
    for (name, bundle, donors, free) in [
        (
            "both",
            BOTH,
            [again, made!("both-elsewhere.json")],
            [&IN_BOTH[..], &TIMESTAMP, &[]],
        ),
        (
            "rekor1",
            made!("rekor1.json"),
            [again, made!("v02.json")],
            [&IN_REKOR1, &[], &[]],
        ),
        (
            "rekor2",
            made!("rekor2-timestamp.json"),
            [again, made!("timestamp.json")],
            [&IN_REKOR2, &TIMESTAMP, &[]],
        ),
        (
            "blob",
            made!("blob.json"),
            [again, made!("blob-v01.json")],
            [&IN_BOTH, &TIMESTAMP, &IN_BLOB],
        ),
    ] {
        let (accepted, tried) = accepted(bundle, &donors);
        let free = free.concat();
        let free = free
            .iter()
            .flat_map(|(at, hows, _)| hows.iter().map(|how| ((*at).to_owned(), *how)));
        let free: BTreeSet<_> = free.collect();
        assert!(tried > 600, "{name}: only {tried} changes");
        assert_eq!(accepted, free, "{name}: left is what verifies, right what may");
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let bundle: Value = serde_json::from_str(BOTH).unwrap();
    let material = &bundle["verificationMaterial"];
    let chain = json!({"certificates": [material["certificate"].clone()]});
    let blob: Value = serde_json::from_str(made!("blob.json")).unwrap();
    let key = json!({"hint": ""});
    for (at, name, value) in [
        ("/verificationMaterial", "publicKey", &key),
        ("/verificationMaterial", "x509CertificateChain", &chain),
        ("", "messageSignature", &blob["messageSignature"]),
    ] {
        let mut bundle = bundle.clone();
        bundle.pointer_mut(at).unwrap()[name] = value.clone();
        let (_, reason) = said(&strict(), &bundle.to_string()).unwrap_err();
        assert_eq!(reason, "MalformedSignature", "{name}");
    }
}

#[test]
fn more_than_one_signature_has_use_for_is_refused() {
    let bundle: Value = serde_json::from_str(BOTH).unwrap();
    let said_of_many = |at: &str, count: usize| {
        let mut bundle = bundle.clone();
        let items = bundle.pointer_mut(at).unwrap().as_array_mut().unwrap();
        *items = items.iter().cycle().take(count).cloned().collect();
        said(&strict(), &bundle.to_string())
    };
    let malformed = Err(("bundle-format", "MalformedSignature"));
    for at in [
        "/verificationMaterial/tlogEntries",
        "/verificationMaterial/timestampVerificationData/rfc3161Timestamps",
    ] {
        assert!(said_of_many(at, 8).is_ok(), "{at}");
        assert_eq!(said_of_many(at, 9), malformed, "{at}");
    }
    let mut old: Value = serde_json::from_str(made!("v02.json")).unwrap();
    let chain = &mut old["verificationMaterial"]["x509CertificateChain"]["certificates"];
    *chain = json!(vec![chain[0].clone(); 9]);
    assert_eq!(said(&strict(), &old.to_string()), malformed);

    let huge = replaced(
        &bundle,
        "/dsseEnvelope/payload",
        json!(STANDARD.encode(vec![b' '; 8 << 20])),
    );
    assert!(said(&strict(), &huge.to_string()).is_err());
    let subjects = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": vec![json!({"digest": {"sha256": subject().hex()}}); 1025],
        "predicateType": SIGNATURE_PREDICATE,
    });
    let many = replaced(
        &bundle,
        "/dsseEnvelope/payload",
        json!(STANDARD.encode(subjects.to_string())),
    );
    assert!(said(&strict(), &many.to_string()).is_err());
    for at in [
        "/verificationMaterial/certificate",
        "/verificationMaterial/tlogEntries/0",
        "/unknown",
    ] {
        let marked = match at {
            "/unknown" => {
                let mut bundle = bundle.clone();
                bundle["unknown"] = json!("deep");
                bundle
            }
            _ => replaced(&bundle, at, json!("deep")),
        };
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let text = marked.to_string().replace("\"deep\"", &deep);
        assert_eq!(said(&strict(), &text), malformed, "{at}");
    }
}

/// A value that has nothing to do with a place, or something.
fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i64>().prop_map(|number| json!(number.to_string())),
        "\\PC{0,40}".prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| json!(STANDARD.encode(bytes))),
        Just(json!([])),
        Just(json!({})),
    ]
}

const FILES: [&str; 4] = [BOTH, made!("rekor1.json"), made!("v02.json"), made!("blob.json")];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Several changes at once: none makes the library panic, and whatever still verifies is the envelope and certificate
    /// that were signed.
    #[test]
    fn random_changes_neither_panic_nor_verify(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), anything()), 1..4),
        which in 0..4usize,
    ) {
        let original: Value = serde_json::from_str(FILES[which]).unwrap();
        let mut bundle = original.clone();
        for (at, value) in edits {
            let places = places(&bundle);
            if let Some(at) = (!places.is_empty()).then(|| at.get(&places)) {
                bundle = replaced(&bundle, at, value);
            }
        }
        let text = bundle.to_string();
        let blob = strict().check_blob(&Blob::Content(b"the manifest"), &statement_of(&text));
        let accepted = [check(&strict(), &text).outcome, blob.map_or(VerificationOutcome::Rejected, |said| said.outcome)];
        if accepted.contains(&VerificationOutcome::Verified) {
            for signed in ["/dsseEnvelope/payload", "/dsseEnvelope/signatures", "/messageSignature/signature", "/verificationMaterial/certificate"] {
                prop_assert_eq!(bundle.pointer(signed), original.pointer(signed));
            }
        }
    }
}
