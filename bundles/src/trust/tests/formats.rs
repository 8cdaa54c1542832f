//! Which formats count is for each signer to say; and the old one, made here as cosign made it.

use super::keyless::{Said, VERIFIED, made, said, strict, with};
use super::*;
use crate::registry::LegacySignature;

const REFUSED: Said = Err(("signature-format", "FormatNotAccepted"));

fn taking(policy: &TrustPolicy, formats: &[SignatureFormat]) -> TrustPolicy {
    let mut policy = policy.clone();
    for signer in &mut policy.signers {
        signer.formats = formats.iter().copied().collect();
    }
    policy
}

#[test]
fn a_bundle_of_another_version_than_agreed_does_not_count() {
    use SignatureFormat::{Bundle, Legacy, OldBundle};
    let key = policy(1, vec![Signer::with_key("release", super::demands::key())]);
    let old = |version: &str| {
        let media_type = format!("application/vnd.dev.sigstore.bundle+json;version={version}");
        with(made!("key-bare.json"), "/mediaType", json!(media_type))
    };
    for (policy, bundle, format) in [
        (&strict(), made!("rekor1.json").to_owned(), Bundle),
        (&strict(), made!("v01.json").to_owned(), OldBundle),
        (&strict(), made!("v02.json").to_owned(), OldBundle),
        (&key, made!("key-bare.json").to_owned(), Bundle),
        (&key, old("0.3"), Bundle),
        (&key, old("0.2"), OldBundle),
        (&key, old("0.1"), OldBundle),
    ] {
        for accepted in [
            vec![],
            vec![Bundle],
            vec![OldBundle],
            vec![Legacy],
            vec![Bundle, OldBundle],
        ] {
            let wanted = if accepted.contains(&format) { VERIFIED } else { REFUSED };
            assert_eq!(
                said(&taking(policy, &accepted), &bundle),
                wanted,
                "{format} where {accepted:?} count"
            );
        }
        assert_eq!(said(policy, &bundle), VERIFIED, "{format} counts where nothing is said");
    }
    assert!(strict().accepts(Bundle) && !strict().accepts(Legacy));
    assert!(taking(&strict(), &[Legacy]).accepts(Legacy));
}

/// As cosign signed before version 3.
fn legacy(hand: &Hand, payload: &Value) -> Evidence {
    let payload = payload.to_string();
    document(&LegacySignature {
        payload: STANDARD.encode(&payload),
        signature: STANDARD.encode(hand.signer.sign(payload.as_bytes()).unwrap()),
        receipt: None,
    })
}

fn document(signature: &LegacySignature) -> Evidence {
    Evidence {
        media_type: LegacySignature::MEDIA_TYPE.to_owned(),
        ..raw(serde_json::to_vec(signature).unwrap())
    }
}

fn simple(digest: &str) -> Value {
    json!({"critical": {
        "identity": {"docker-reference": "registry.example.com/shop/cart"},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }, "optional": null})
}

#[test]
fn the_old_format_counts_only_where_that_is_said_and_for_the_digest_it_names() {
    let hand = Hand::p256();
    let usual = policy(1, vec![hand.named("a")]);
    let old = taking(&usual, &[SignatureFormat::Legacy]);
    let digest = pulled().digest().to_string();
    let good = legacy(&hand, &simple(&digest));
    assert_eq!(reason(&usual, std::slice::from_ref(&good)), "FormatNotAccepted");
    assert_eq!(outcome(&old, std::slice::from_ref(&good)), Ok(vec!["a".to_owned()]));
    assert_eq!(reason(&old, &[hand.evidence(&about_pulled())]), "FormatNotAccepted");

    let with = |pointer: &str, value: Value| {
        let mut payload = simple(&digest);
        *payload.pointer_mut(pointer).unwrap() = value;
        legacy(&hand, &payload)
    };
    let newer = with("/critical/type", json!(SIGNATURE_PREDICATE));
    assert_eq!(reason(&old, &[newer]), "verified");
    for (evidence, wanted) in [
        (legacy(&hand, &simple(&subject().to_string())), "SubjectMismatch"),
        (legacy(&hand, &simple(&pulled().digest().hex())), "SubjectMismatch"),
        (legacy(&hand, &simple(&digest.to_uppercase())), "SubjectMismatch"),
        (
            with("/critical/type", json!("atomic container signature")),
            "MalformedSignature",
        ),
        (with("/critical/image", json!({})), "MalformedSignature"),
        (with("/critical", json!([])), "MalformedSignature"),
        (legacy(&Hand::p256(), &simple(&digest)), "UntrustedKey"),
        (legacy(&hand, &json!("x")), "MalformedSignature"),
    ] {
        assert_eq!(reason(&old, &[evidence]), wanted);
    }
    let twice = simple(&digest).to_string().replacen(
        r#"{"docker-manifest-digest":"#,
        r#"{"docker-manifest-digest":"x","docker-manifest-digest":"#,
        1,
    );
    let twice = LegacySignature {
        payload: STANDARD.encode(&twice),
        signature: STANDARD.encode(hand.signer.sign(twice.as_bytes()).unwrap()),
        receipt: None,
    };
    assert_eq!(reason(&old, &[document(&twice)]), "MalformedSignature");
    // It is a signature, and no attestation of any kind.
    let kind = old.check(&pulled().digest(), "https://slsa.dev/provenance/v1", &[good]);
    assert_eq!(kind.outcome, VerificationOutcome::Rejected);
}

#[test]
fn no_bent_bit_of_the_old_format_verifies_and_junk_is_refused() {
    let hand = Hand::p256();
    let old = taking(&policy(1, vec![hand.named("a")]), &[SignatureFormat::Legacy]);
    let good = legacy(&hand, &simple(&pulled().digest().to_string()));
    let read = LegacySignature::read(&good.bytes).unwrap();
    for part in ["payload", "signature"] {
        let of = |signature: &LegacySignature| match part {
            "payload" => signature.payload.clone(),
            _ => signature.signature.clone(),
        };
        let bytes = STANDARD.decode(of(&read)).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let mut signature = read.clone();
            match part {
                "payload" => signature.payload = STANDARD.encode(bent),
                _ => signature.signature = STANDARD.encode(bent),
            }
            assert_ne!(reason(&old, &[document(&signature)]), "verified", "{part} bit {bit}");
        }
    }
    for bytes in [&b""[..], b"{}", b"[]", b"{\"payload\":1}", &[0xff; 9]] {
        let junk = Evidence {
            media_type: LegacySignature::MEDIA_TYPE.to_owned(),
            ..raw(bytes.to_vec())
        };
        assert_eq!(reason(&old, &[junk]), "MalformedSignature");
    }
}

#[test]
fn a_verification_tells_the_formats_that_counted_and_the_checks_that_failed() {
    use SignatureFormat::{Bundle, Legacy};
    let (hand, stranger) = (Hand::p256(), Hand::p256());
    let all = taking(&policy(1, vec![hand.named("a")]), &SignatureFormat::ALL);
    let new = hand.evidence(&about_pulled());
    let old = legacy(&hand, &simple(&pulled().digest().to_string()));
    let strange = stranger.evidence(&about_pulled());
    let mut two = all.clone();
    two.threshold = 2;
    for (policy, evidence, is_good, formats, failed) in [
        (&all, vec![], false, vec![], vec!["threshold"]),
        (&all, vec![&new], true, vec![Bundle], vec![]),
        (&all, vec![&old, &new], true, vec![Bundle, Legacy], vec![]),
        (&all, vec![&strange], false, vec![], vec!["signature", "threshold"]),
        (&all, vec![&strange, &old], true, vec![Legacy], vec!["signature"]),
        (&two, vec![&new], false, vec![Bundle], vec!["threshold"]),
        (
            &taking(&all, &[Bundle]),
            vec![&old, &new],
            true,
            vec![Bundle],
            vec!["signature-format"],
        ),
    ] {
        let evidence: Vec<_> = evidence.into_iter().cloned().collect();
        let (found, verdict) = policy.examine(&pulled().digest(), SIGNATURE_PREDICATE, &evidence);
        assert_eq!(verdict.is_ok(), is_good, "{found:?}");
        assert!(found.formats.iter().eq(&formats), "{found:?}");
        assert!(found.failed().into_iter().eq(failed), "{found:?}");
    }
}

#[test]
fn the_old_format_never_has_what_is_demanded_of_others() {
    let hand = Hand::p256();
    let good = legacy(&hand, &simple(&pulled().digest().to_string()));
    let root = super::keyless::root();
    let start = Some(jiff::Timestamp::UNIX_EPOCH);
    for (logged, timestamped, window, wanted) in [
        (true, false, Window::default(), "NotLogged"),
        (false, true, Window::default(), "NoTrustedTime"),
        (false, false, Window { start, end: None }, "NoTrustedTime"),
        (false, false, Window::default(), "verified"),
    ] {
        let keyed = Keyed {
            key: hand.key(),
            demands: Some(Demands {
                root: root.clone(),
                logged,
                timestamped,
            }),
            window,
        };
        let policy = policy(1, vec![Signer::new("a", Means::Key(keyed))]);
        let policy = taking(&policy, &[SignatureFormat::Legacy]);
        assert_eq!(reason(&policy, std::slice::from_ref(&good)), wanted);
    }
}

#[test]
fn what_is_revoked_does_not_count_in_the_old_format_either() {
    let hand = Hand::p256();
    let old = taking(&policy(1, vec![hand.named("a")]), &[SignatureFormat::Legacy]);
    let mut signature = LegacySignature::read(&legacy(&hand, &simple(&pulled().digest().to_string())).bytes).unwrap();
    let (log, other) = (Digest::of(b"log"), Digest::of(b"other"));
    let receipt = json!({"SignedEntryTimestamp": "", "Payload": {"body": "", "integratedTime": 1, "logIndex": 7, "logID": log.hex()}});
    signature.receipt = Some(receipt.to_string());
    let good = document(&signature);
    signature.receipt = Some("{}".to_owned());
    let unreadable = document(&signature);
    let says = |revoked: Revoked, evidence: &Evidence| {
        let policy = TrustPolicy {
            revoked: Arc::new(revoked),
            ..old.clone()
        };
        reason(&policy, std::slice::from_ref(evidence))
    };
    let entry = |log: Digest| Revoked {
        entries: [LogEntry { log, index: 7 }].into(),
        ..Revoked::default()
    };
    let key = Revoked {
        keys: [hand.key().fingerprint()].into(),
        ..Revoked::default()
    };
    assert_eq!(says(Revoked::default(), &good), "verified");
    assert_eq!(says(entry(log), &good), "Revoked");
    assert_eq!(says(entry(other), &good), "verified");
    assert_eq!(says(entry(other), &unreadable), "Revoked");
    assert_eq!(says(key, &good), "Revoked");
}
