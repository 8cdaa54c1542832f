//! Signatures that do not count, each by its reason.

use super::*;

/// What is signed correctly but says something else.
#[test]
fn a_trusted_signature_over_the_wrong_statement_does_not_count() {
    let hand = Hand::p256();
    let policy = policy(1, vec![hand.named("release")]);
    let good = about_pulled();
    let with = |pointer: &str, value: Value| {
        let mut statement = good.clone();
        *statement.pointer_mut(pointer).unwrap() = value;
        statement
    };
    let hex = pulled().digest().hex();
    for (statement, reason_wanted) in [
        (statement(&subject()), "SubjectMismatch"),
        (with("/subject/0/digest", json!({"sha512": hex})), "SubjectMismatch"),
        (
            with("/subject/0/digest", json!({"sha256": hex.to_uppercase()})),
            "SubjectMismatch",
        ),
        (
            with("/subject/0/digest", json!({"sha256": format!("sha256:{hex}")})),
            "SubjectMismatch",
        ),
        (
            with("/subject/0/digest", json!({"sha256": hex[..62]})),
            "SubjectMismatch",
        ),
        (
            with("/predicateType", json!("https://slsa.dev/provenance/v1")),
            "WrongPredicateType",
        ),
        (with("/predicateType", json!("")), "WrongPredicateType"),
        (
            with("/_type", json!("https://in-toto.io/Statement/v2")),
            "MalformedSignature",
        ),
        (with("/subject", json!([])), "MalformedSignature"),
        (with("/subject", json!(null)), "MalformedSignature"),
        (with("/subject/0", json!({"name": hex})), "MalformedSignature"),
        (
            with("/subject", json!(vec![json!({"digest": {}}); 1025])),
            "MalformedSignature",
        ),
        (json!([]), "MalformedSignature"),
        (json!("x"), "MalformedSignature"),
    ] {
        assert_eq!(
            reason(&policy, &[hand.evidence(&statement)]),
            reason_wanted,
            "{statement}"
        );
    }
    let twice = good.to_string().replacen('{', r#"{"predicateType":"other","#, 1);
    assert_eq!(
        reason(&policy, &[evidence(&hand.bundle(twice.as_bytes()))]),
        "MalformedSignature"
    );
    let digest_twice = good
        .to_string()
        .replacen(r#"{"sha256":"#, r#"{"sha256":"00","sha256":"#, 1);
    assert_ne!(digest_twice, good.to_string());
    assert_eq!(
        reason(&policy, &[evidence(&hand.bundle(digest_twice.as_bytes()))]),
        "MalformedSignature"
    );
}

/// What is not the kind of bundle we read.
#[test]
fn other_bundles_are_refused_by_name() {
    let hand = Hand::p256();
    let policy = policy(1, vec![hand.named("release")]);
    let good = hand.bundle(about_pulled().to_string().as_bytes());
    let with = |pointer: &str, key: &str, value: Value| {
        let mut bundle = good.clone();
        bundle.pointer_mut(pointer).unwrap()[key] = value;
        bundle
    };
    let signature = &good["dsseEnvelope"]["signatures"][0];
    for (bundle, reason_wanted, words) in [
        (
            with("", "mediaType", json!("application/vnd.dev.sigstore.bundle.v0.4+json")),
            "MalformedSignature",
            "0.4",
        ),
        (
            with("", "messageSignature", json!({"signature": ""})),
            "MalformedSignature",
            "both",
        ),
        (
            with("", "dsseEnvelope", json!(null)),
            "MalformedSignature",
            "not a DSSE signature",
        ),
        (
            json!({"mediaType": V03, "verificationMaterial": {"publicKey": {}}, "messageSignature": {"signature": ""}}),
            "MalformedSignature",
            "not a DSSE signature",
        ),
        (
            with("", "verificationMaterial", json!({"certificate": {"rawBytes": ""}})),
            "UntrustedIdentity",
            "keyless",
        ),
        (
            with("", "verificationMaterial", json!({"x509CertificateChain": {}})),
            "UntrustedIdentity",
            "keyless",
        ),
        (
            with("/verificationMaterial", "certificate", json!({})),
            "MalformedSignature",
            "more than one",
        ),
        (
            with("", "verificationMaterial", json!({})),
            "MalformedSignature",
            "neither key nor certificate",
        ),
        (
            with("/dsseEnvelope", "signatures", json!([])),
            "MalformedSignature",
            "0 signatures",
        ),
        (
            with("/dsseEnvelope", "signatures", json!([signature, signature])),
            "MalformedSignature",
            "2 signatures",
        ),
        (
            with("/dsseEnvelope", "payloadType", json!("text/plain")),
            "MalformedSignature",
            "payload type",
        ),
        (
            with("/dsseEnvelope", "payload", json!("a b")),
            "MalformedSignature",
            "base64",
        ),
        (
            with("/dsseEnvelope/signatures/0", "sig", json!("")),
            "UntrustedKey",
            "none of the trusted keys",
        ),
    ] {
        let (found, message) = outcome(&policy, &[evidence(&bundle)]).unwrap_err();
        assert_eq!(found, reason_wanted, "{bundle}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn what_is_no_bundle_at_all_is_malformed() {
    let hand = Hand::p256();
    let policy = policy(1, vec![hand.named("release")]);
    let good = hand.bundle(about_pulled().to_string().as_bytes());
    for bytes in [
        b"".to_vec(),
        b"null".to_vec(),
        vec![0xff; 100],
        "[".repeat(100_000).into_bytes(),
    ] {
        assert_eq!(reason(&policy, &[raw(bytes)]), "MalformedSignature");
    }
    let twice = good.to_string().replacen('{', r#"{"mediaType":"x","#, 1);
    assert_eq!(reason(&policy, &[raw(twice.into_bytes())]), "MalformedSignature");
}
