//! What is revoked never counts, whoever vouches for it, and no change of an entry's own words hides it.

use x509_cert::der::{Decode as _, Encode as _};

use super::demands::key;
use super::keyless::{BOTH, ISSUER, LOGS, Said, VERIFIED, made, root, rule, said, strict, with};
use super::*;

const REVOKED: Said = Err(("revocation", "Revoked"));

fn revoking(policy: &TrustPolicy, revoked: Revoked) -> TrustPolicy {
    TrustPolicy {
        revoked: Arc::new(revoked),
        ..policy.clone()
    }
}

fn keys(digests: &[Digest]) -> Revoked {
    Revoked {
        keys: digests.iter().copied().collect(),
        ..Revoked::default()
    }
}

fn digests(digests: &[Digest]) -> Revoked {
    Revoked {
        digests: digests.iter().copied().collect(),
        ..Revoked::default()
    }
}

fn entries(entries: &[LogEntry]) -> Revoked {
    Revoked {
        entries: entries.iter().copied().collect(),
        ..Revoked::default()
    }
}

#[test]
fn a_revoked_key_does_not_count() {
    let (hand, other) = (Hand::p256(), Hand::p256());
    let both = policy(1, vec![hand.named("a"), other.named("b")]);
    let signed = [hand.evidence(&about_pulled()), other.evidence(&about_pulled())];
    let one = revoking(&both, keys(&[hand.key().fingerprint()]));
    assert_eq!(outcome(&one, &signed), Ok(vec!["b".to_owned()]));
    assert_eq!(reason(&one, &signed[..1]), "Revoked");
    let none = revoking(&both, keys(&[hand.key().fingerprint(), other.key().fingerprint()]));
    let (why, message) = outcome(&none, &signed).unwrap_err();
    assert_eq!(why, "Revoked");
    assert!(message.contains("revoked"), "{message}");
    // Of a certificate, too.
    let certificate: Value = serde_json::from_str(BOTH).unwrap();
    let der = STANDARD
        .decode(
            certificate["verificationMaterial"]["certificate"]["rawBytes"]
                .as_str()
                .unwrap(),
        )
        .unwrap();
    let info =
        sigstore_verify::crypto::parse_certificate_info(&sigstore_verify::types::DerCertificate::new(der)).unwrap();
    let leaf = Digest::of(info.public_key.as_bytes());
    assert_eq!(said(&revoking(&strict(), keys(&[leaf])), BOTH), REVOKED);
    assert_eq!(said(&revoking(&strict(), keys(&[key().fingerprint()])), BOTH), VERIFIED);
}

#[test]
fn a_revoked_authority_vouches_for_nobody() {
    let root: Value = serde_json::from_str(include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/testdata/keyless/trusted_root.json"
    )))
    .unwrap();
    let keys_of = |authority: &Value| {
        let certificates = authority["certChain"]["certificates"].as_array().unwrap().iter();
        let key = |certificate: &Value| {
            let der = STANDARD.decode(certificate["rawBytes"].as_str().unwrap()).unwrap();
            let certificate = x509_cert::Certificate::from_der(&der).unwrap();
            let key = certificate.tbs_certificate().subject_public_key_info();
            Digest::of(&key.to_der().unwrap())
        };
        certificates.map(key).collect::<Vec<_>>()
    };
    let each = |authorities: &Value| {
        let all = authorities.as_array().unwrap().iter().flat_map(keys_of);
        let under = all.map(|key| said(&revoking(&strict(), keys(&[key])), BOTH));
        under.collect::<Vec<_>>()
    };
    let above = each(&root["certificateAuthorities"]);
    // Two authorities under one root; the second one's intermediate is not above.
    assert_eq!(above, [REVOKED, REVOKED, VERIFIED, REVOKED]);
    let others = each(&root["timestampAuthorities"]);
    assert!(
        others.iter().all(|said| *said == VERIFIED),
        "the trust root is the place to take them out: {others:?}"
    );
}

/// The signature's certificate is of an intermediate that came along, and that the root's key made.
#[test]
fn a_revoked_authority_vouches_for_nobody_by_an_intermediate_that_came_along() {
    let root = TrustRoot::from_json(made!("chain_root.json").as_bytes()).unwrap();
    let policy = policy(
        1,
        vec![Signer::new(
            "release",
            Means::Keyless(Keyless {
                identity: rule(ISSUER, "release@example.com"),
                root,
                logged: false,
                certificate_logged: false,
            }),
        )],
    );
    let bundle = made!("chain.json");
    assert_eq!(said(&policy, bundle), VERIFIED);
    let key_of = |json: &str, at: &str| {
        let json: Value = serde_json::from_str(json).unwrap();
        let der = STANDARD.decode(json.pointer(at).unwrap().as_str().unwrap()).unwrap();
        let certificate = x509_cert::Certificate::from_der(&der).unwrap();
        Digest::of(
            &certificate
                .tbs_certificate()
                .subject_public_key_info()
                .to_der()
                .unwrap(),
        )
    };
    let came = "/verificationMaterial/x509CertificateChain/certificates";
    let listed = "/certificateAuthorities/0/certChain/certificates";
    for key in [
        key_of(bundle, &format!("{came}/0/rawBytes")),
        key_of(bundle, &format!("{came}/1/rawBytes")),
        // Of the root's chain, which may have issued it; the intermediate that is listed there is not told apart.
        key_of(made!("chain_root.json"), &format!("{listed}/0/rawBytes")),
        key_of(made!("chain_root.json"), &format!("{listed}/1/rawBytes")),
    ] {
        assert_eq!(said(&revoking(&policy, keys(&[key])), bundle), REVOKED);
    }
    assert_eq!(
        said(&revoking(&policy, keys(&[Digest::of(b"another")])), bundle),
        VERIFIED
    );
}

#[test]
fn a_revoked_artifact_or_signature_does_not_count() {
    let hand = Hand::p256();
    let policy = policy(1, vec![hand.named("a")]);
    let (first, second) = (hand.evidence(&about_pulled()), hand.evidence(&about_pulled()));
    let artifact = revoking(&policy, digests(&[pulled().digest()]));
    let (why, message) = outcome(&artifact, std::slice::from_ref(&first)).unwrap_err();
    assert_eq!(why, "Revoked");
    assert!(message.contains("is revoked: use another"), "{message}");
    let checks = artifact
        .check(&pulled().digest(), SIGNATURE_PREDICATE, std::slice::from_ref(&first))
        .checks;
    assert_eq!(
        (checks.len(), checks[0].name, checks[0].evidence),
        (1, "revocation", None)
    );
    let blob = artifact.check_blob(&Blob::Digest(pulled().digest()), &first).unwrap();
    assert_eq!(blob.outcome, VerificationOutcome::Rejected);

    let signature = revoking(&policy, digests(&[first.digest]));
    assert_eq!(reason(&signature, std::slice::from_ref(&first)), "Revoked");
    assert_eq!(reason(&signature, &[first.clone(), second.clone()]), "verified");

    // Written differently, it is another signature; what it signs stays the same.
    let rewritten = raw([&first.bytes, b" ".as_slice()].concat());
    assert_eq!(reason(&signature, std::slice::from_ref(&rewritten)), "verified");
    let checks = policy.check(&pulled().digest(), SIGNATURE_PREDICATE, std::slice::from_ref(&first));
    let envelope = checks.checks.iter().find(|check| check.name == "envelope").unwrap();
    let (_, stated) = envelope.detail.rsplit_once(", ").unwrap();
    let statement = revoking(&policy, digests(&[stated.parse().unwrap()]));
    for signature in [first, rewritten, second] {
        let (why, message) = outcome(&statement, &[signature]).unwrap_err();
        assert_eq!(why, "Revoked");
        assert!(
            message.contains(&format!("what it signs is revoked, {stated}")),
            "{message}"
        );
    }
}

/// The entries of a bundle: log and index.
fn entries_of(bundle: &str) -> Vec<LogEntry> {
    let bundle: Value = serde_json::from_str(bundle).unwrap();
    let all = bundle.pointer(LOGS).unwrap().as_array().unwrap();
    let of = |entry: &Value| {
        let id = STANDARD.decode(entry["logId"]["keyId"].as_str().unwrap()).unwrap();
        let index = entry["logIndex"].as_str().map_or(0, |index| index.parse().unwrap());
        LogEntry {
            log: Digest::from_sha256(id.try_into().unwrap()),
            index,
        }
    };
    all.iter().map(of).collect()
}

#[test]
fn a_revoked_log_entry_does_not_count_whatever_it_calls_itself() {
    let keyed = Means::Key(Keyed {
        demands: Some(Demands {
            root: root(),
            logged: true,
            timestamped: false,
        }),
        ..Keyed::new(key())
    });
    let demanding = policy(1, vec![Signer::new("release", keyed)]);
    let plain = policy(1, vec![Signer::with_key("release", key())]);
    for (policy, bundle) in [
        (strict(), BOTH),
        (demanding, made!("key-both.json")),
        (plain.clone(), made!("key-both.json")),
    ] {
        let both = entries_of(bundle);
        assert_eq!(both.len(), 2);
        for entry in &both {
            let other = LogEntry {
                index: entry.index + 1000,
                ..*entry
            };
            let elsewhere = LogEntry {
                log: Digest::of(b"another log"),
                ..*entry
            };
            assert_eq!(said(&revoking(&policy, entries(&[*entry])), bundle), REVOKED);
            assert_eq!(said(&revoking(&policy, entries(&[other, elsewhere])), bundle), VERIFIED);
        }
    }
    // The second is Rekor v2's, whose name for itself is not looked at: the log is the one that signed the checkpoint.
    let [v1, v2] = entries_of(BOTH)[..] else { panic!() };
    let renamed = with(BOTH, &format!("{LOGS}/1/logId/keyId"), json!(STANDARD.encode([7; 32])));
    assert_eq!(said(&strict(), &renamed), VERIFIED);
    assert_eq!(said(&revoking(&strict(), entries(&[v2])), &renamed), REVOKED);
    // The first is Rekor v1's, whose index is known by its promise alone.
    let unpromised = with(BOTH, &format!("{LOGS}/0/inclusionPromise"), json!(null));
    assert_eq!(said(&strict(), &unpromised), VERIFIED);
    assert_eq!(said(&revoking(&strict(), entries(&[v1])), &unpromised), REVOKED);
    let moved = with(&unpromised, &format!("{LOGS}/0/logIndex"), json!("77"));
    assert_eq!(said(&revoking(&strict(), entries(&[v1])), &moved), REVOKED);
    // What cannot be read may be a revoked one.
    let unreadable = with(made!("key-both.json"), LOGS, json!([{"logIndex": 1}]));
    assert_eq!(said(&plain, &unreadable), VERIFIED);
    assert_eq!(said(&revoking(&plain, entries(&[v1])), &unreadable), REVOKED);
}

#[test]
fn log_entries_are_written_as_rekor_shows_them() {
    let text = format!("{}:42", "ab".repeat(32));
    assert_eq!(text.parse::<LogEntry>().unwrap().to_string(), text);
    for text in [
        "",
        "42",
        "ab:1",
        &format!("{}:", "ab".repeat(32)),
        &format!("{}:-1", "ab".repeat(32)),
        &format!("sha256:{}:1", "ab".repeat(32)),
    ] {
        let error = text.parse::<LogEntry>().unwrap_err().to_string();
        assert!(error.contains("logIndex"), "{error}");
    }
}
