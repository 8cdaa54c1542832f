//! Statements that say more than that something was signed.

use super::*;
use crate::registry::LegacySignature;

const TYPE: &str = "https://example.com/evaluation/v1";

fn evaluation(subject: &Digest, kind: &str, predicate: &Value) -> Value {
    let mut statement = statement(subject);
    statement["predicateType"] = kind.into();
    statement["predicate"] = predicate.clone();
    statement
}

fn policy(signers: Vec<Signer>) -> AttestationPolicy {
    AttestationPolicy {
        predicate_type: TYPE.to_owned(),
        trust: TrustPolicy::new(signers, 1),
    }
}

fn predicates(attested: &Attested) -> Vec<String> {
    let mut all: Vec<_> = attested
        .attestations
        .iter()
        .map(|one| one.get().predicate.to_string())
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn every_statement_by_somebody_who_counts_is_given_once() {
    let (team, lab, stranger) = (Hand::p256(), Hand::p256(), Hand::p256());
    let said = |hand: &Hand, score: f64| hand.evidence(&evaluation(&subject(), TYPE, &json!({"auc": score})));
    let (first, second, third) = (said(&team, 0.9), said(&lab, 0.8), said(&stranger, 1.0));
    let policy = policy(vec![team.named("team"), lab.named("lab")]);
    let evidence = [first.clone(), second.clone(), third.clone(), first.clone()];
    let attested = policy.attested(&subject(), &evidence).unwrap();
    assert_eq!(predicates(&attested), [r#"{"auc":0.8}"#, r#"{"auc":0.9}"#]);
    let by_lab = attested
        .attestations
        .iter()
        .find(|one| one.get().evidence == second.digest)
        .unwrap();
    assert_eq!(by_lab.get().signers, ["lab"]);
    assert!(matches!(by_lab.provenance(), Provenance::Signed { signers } if *signers == ["lab"]));
    let refused: Vec<_> = attested.refusals.iter().map(|one| (one.evidence, one.reason)).collect();
    assert_eq!(refused, [(third.digest, RefusalReason::UntrustedKey)]);
    let nothing = policy.attested(&subject(), &[]).unwrap();
    assert!(nothing.attestations.is_empty() && nothing.refusals.is_empty());
}

#[test]
fn nothing_else_counts_whoever_signed_it() {
    let team = Hand::p256();
    let policy = policy(vec![team.named("team")]);
    let other = Digest::of(b"another manifest");
    let twice = evaluation(&subject(), TYPE, &json!({"auc": 0.5}))
        .to_string()
        .replace(r#""auc":0.5"#, r#""auc":0.5,"\u0061uc":0.9"#);
    let large = evaluation(&subject(), TYPE, &json!("x".repeat(1 << 20)));
    for (evidence, want) in [
        (team.evidence(&statement(&subject())), None),
        (
            team.evidence(&evaluation(&subject(), &format!("{TYPE}/"), &json!({}))),
            None,
        ),
        (
            team.evidence(&evaluation(&other, TYPE, &json!({}))),
            Some((RefusalReason::SubjectMismatch, "not for")),
        ),
        (
            super::evidence(&team.bundle(twice.as_bytes())),
            Some((RefusalReason::MalformedSignature, "for the second time")),
        ),
        (
            team.evidence(&large),
            Some((RefusalReason::MalformedSignature, "at most 1048576 are read")),
        ),
        (
            raw(b"{}".to_vec()),
            Some((RefusalReason::MalformedSignature, "not a Sigstore bundle")),
        ),
    ] {
        let attested = policy.attested(&subject(), &[evidence]).unwrap();
        assert!(attested.attestations.is_empty());
        let refused = attested.refusals.first();
        assert_eq!(
            refused.map(|one| one.reason),
            want.map(|(reason, _)| reason),
            "{refused:?}"
        );
        let (detail, words) = (
            refused.map_or("", |one| &one.detail),
            want.map_or("", |(_, words)| words),
        );
        assert!(detail.contains(words), "{detail}");
    }
}

#[test]
fn more_than_are_read_are_none() {
    let team = Hand::p256();
    let evidence: Vec<_> = (0..33)
        .map(|run| team.evidence(&evaluation(&subject(), TYPE, &json!({"run": run}))))
        .collect();
    let policy = policy(vec![team.named("team")]);
    assert_eq!(
        policy.attested(&subject(), &evidence[..32]).unwrap().attestations.len(),
        32
    );
    let error = policy.attested(&subject(), &evidence).unwrap_err();
    assert!(error.to_string().contains("at most 32 are read"), "{error}");
}

#[test]
fn a_bent_one_says_nothing() {
    let team = Hand::p256();
    let policy = policy(vec![team.named("team")]);
    let bundle = team.bundle(
        evaluation(&subject(), TYPE, &json!({"auc": 0.9}))
            .to_string()
            .as_bytes(),
    );
    for field in ["/dsseEnvelope/payload", "/dsseEnvelope/signatures/0/sig"] {
        let whole = bundle.pointer(field).unwrap().as_str().unwrap().to_owned();
        let decoded = STANDARD.decode(&whole).unwrap();
        for at in 0..decoded.len() {
            let mut bent = bundle.clone();
            let mut bytes = decoded.clone();
            bytes[at] ^= 1;
            *bent.pointer_mut(field).unwrap() = STANDARD.encode(&bytes).into();
            let attested = policy.attested(&subject(), &[evidence(&bent)]).unwrap();
            assert!(attested.attestations.is_empty(), "{field} at {at}");
        }
    }
}

#[test]
fn its_time_is_that_of_a_trusted_clock() {
    use keyless::{BOTH, dev, made, root, trusting};

    let subject = subject();
    let attested = |trust: TrustPolicy, text: &str| {
        let policy = AttestationPolicy {
            predicate_type: SIGNATURE_PREDICATE.to_owned(),
            trust,
        };
        let attested = policy.attested(&subject, &[raw(text.as_bytes().to_vec())]).unwrap();
        let [one] = attested.attestations.as_slice() else {
            panic!("not one: {:?}", attested.refusals)
        };
        one.get().signed_at.map(|time| time.to_string())
    };
    let seen = attested(trusting(dev()), BOTH).unwrap();
    assert!(seen.starts_with("2025-06-01T12:0"), "{seen}");
    // Of a key, where somebody is asked.
    let logged = |logged| {
        let demands = Demands {
            root: root(),
            logged,
            timestamped: false,
        };
        let keyed = Keyed {
            demands: Some(demands),
            ..Keyed::new(demands::key())
        };
        super::policy(1, vec![Signer::new("release", Means::Key(keyed))])
    };
    assert_eq!(attested(logged(true), made!("key-both.json")), Some(seen.clone()));
    assert_eq!(attested(logged(false), made!("key-both.json")), None);
    // The same of a certificate of an authority of one's own: what it says itself is no trusted clock's word.
    let issued = |time: SigningTime| {
        let issued = Issued {
            authority: CertificateAuthority::from_pem(made!("pki_root.pem"), "").unwrap(),
            subject: Rule::Exact("dev@example.com".to_owned()),
            time,
        };
        super::policy(1, vec![Signer::new("dev", Means::Issued(issued))])
    };
    let said = SigningTime::Said(Demands {
        root: root(),
        logged: false,
        timestamped: false,
    });
    assert_eq!(attested(issued(said), made!("pki-both.json")), Some(seen));
    assert_eq!(attested(issued(SigningTime::Issuance), made!("pki-both.json")), None);
    let team = Hand::p256();
    let mut said = statement(&subject);
    said["predicate"] = json!({});
    let bundle = team.bundle(said.to_string().as_bytes()).to_string();
    assert_eq!(attested(TrustPolicy::new(vec![team.named("team")], 1), &bundle), None);
}

#[test]
fn a_signature_in_the_old_format_is_no_attestation_that_is_refused() {
    let team = Hand::p256();
    let old = Evidence {
        media_type: LegacySignature::MEDIA_TYPE.to_owned(),
        ..raw(b"{}".to_vec())
    };
    let evidence = [old, team.evidence(&evaluation(&subject(), TYPE, &json!({"auc": 1})))];
    let attested = policy(vec![team.named("team")])
        .attested(&subject(), &evidence)
        .unwrap();
    assert_eq!((predicates(&attested).len(), attested.refusals.len()), (1, 0));
}

#[test]
fn what_is_revoked_attests_nothing() {
    let team = Hand::p256();
    let evidence = [team.evidence(&evaluation(&subject(), TYPE, &json!({"auc": 1})))];
    let mut policy = policy(vec![team.named("team")]);
    policy.trust.revoked = Arc::new(Revoked {
        digests: [subject()].into(),
        ..Revoked::default()
    });
    let attested = policy.attested(&subject(), &evidence).unwrap();
    assert!(attested.attestations.is_empty());
    let reasons: Vec<_> = attested.refusals.iter().map(|one| one.reason).collect();
    assert_eq!(reasons, [RefusalReason::Revoked]);
}
