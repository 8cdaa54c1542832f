//! Trust decisions on signatures made here, with the `sigstore` crate's own signers, so that every
//! field can be made wrong in turn; `cosign.rs` has what the real cosign wrote.

mod attestations;
mod authority;
mod changes;
mod cosign;
mod demands;
mod forged;
mod formats;
mod keyless;
mod keys;
mod models;
mod mutants;
mod refusals;
mod revoked;
mod roots;
mod token;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sigstore::crypto::{SigStoreSigner, SigningScheme};

use super::*;
use crate::digest::Digest;
use crate::registry::{Evidence, Pulled};
use CheckOutcome::{Failed, NotNeeded, Passed};

const V03: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const DSSE: &str = "application/vnd.in-toto+json";

/// Somebody with a private key.
struct Hand {
    signer: SigStoreSigner,
    pem: String,
}

impl Hand {
    fn new(scheme: SigningScheme) -> Self {
        let signer = scheme.create_signer().unwrap();
        let pem = signer.to_sigstore_keypair().unwrap().public_key_to_pem().unwrap();
        Self { signer, pem }
    }

    fn p256() -> Self {
        Self::new(SigningScheme::ECDSA_P256_SHA256_ASN1)
    }

    fn key(&self) -> PublicKey {
        PublicKey::from_pem(&self.pem).unwrap()
    }

    fn named(&self, name: &str) -> Signer {
        Signer::with_key(name, self.key())
    }

    fn sign(&self, payload_type: &str, payload: &[u8]) -> String {
        let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
        message.extend_from_slice(payload);
        STANDARD.encode(self.signer.sign(&message).unwrap())
    }

    /// A bundle over a payload, as JSON that a test can bend.
    fn bundle(&self, payload: &[u8]) -> Value {
        json!({
            "mediaType": V03,
            "verificationMaterial": {"publicKey": {"hint": ""}},
            "dsseEnvelope": {
                "payload": STANDARD.encode(payload),
                "payloadType": DSSE,
                "signatures": [{"sig": self.sign(DSSE, payload)}],
            },
        })
    }

    fn evidence(&self, statement: &Value) -> Evidence {
        evidence(&self.bundle(statement.to_string().as_bytes()))
    }
}

fn evidence(bundle: &Value) -> Evidence {
    raw(bundle.to_string().into_bytes())
}

fn raw(bytes: Vec<u8>) -> Evidence {
    Evidence {
        media_type: V03.to_owned(),
        digest: Digest::of(&bytes),
        bytes,
    }
}

fn subject() -> Digest {
    Digest::of(b"the manifest")
}

fn statement(subject: &Digest) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": subject.hex()}}],
        "predicateType": SIGNATURE_PREDICATE,
        "predicate": {},
    })
}

fn policy(threshold: u32, signers: Vec<Signer>) -> TrustPolicy {
    TrustPolicy::new(signers, threshold)
}

/// What a policy makes of evidence: its signers, or the reason and the message.
fn outcome(policy: &TrustPolicy, evidence: &[Evidence]) -> Result<Vec<String>, (&'static str, String)> {
    let pulled = pulled();
    let signed_for = pulled.digest();
    let verified = policy.verify(pulled, evidence);
    let verification = policy.check(&signed_for, SIGNATURE_PREDICATE, evidence);
    assert_eq!(
        verification.outcome == VerificationOutcome::Verified,
        verified.is_ok(),
        "the two faces differ"
    );
    match verified {
        Ok(verified) => match verified.provenance() {
            Provenance::Signed { signers } => Ok(signers.clone()),
            other => panic!("{other:?}"),
        },
        Err(error) => Err((error.reason(), error.to_string())),
    }
}

fn pulled() -> Pulled {
    let layer = b"layer".to_vec();
    let manifest = json!({"layers": [{
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": Digest::of(&layer), "size": layer.len(),
    }]});
    Pulled::new(manifest.to_string().into_bytes(), layer).unwrap()
}

fn about_pulled() -> Value {
    statement(&pulled().digest())
}

fn reason(policy: &TrustPolicy, evidence: &[Evidence]) -> &'static str {
    outcome(policy, evidence).map_or_else(|(reason, _)| reason, |_| "verified")
}

#[test]
fn a_signature_by_each_kind_of_key_counts() {
    for scheme in [
        SigningScheme::ECDSA_P256_SHA256_ASN1,
        SigningScheme::ECDSA_P384_SHA384_ASN1,
        SigningScheme::ECDSA_P521_SHA512_ASN1,
        SigningScheme::ED25519,
        SigningScheme::RSA_PKCS1_SHA256(2048),
    ] {
        let hand = Hand::new(scheme);
        let policy = policy(1, vec![hand.named("release")]);
        assert_eq!(
            outcome(&policy, &[hand.evidence(&about_pulled())]),
            Ok(vec!["release".to_owned()]),
            "{scheme}"
        );
        assert_eq!(
            reason(&policy, &[Hand::new(scheme).evidence(&about_pulled())]),
            "UntrustedKey",
            "{scheme}"
        );
    }
}

#[test]
fn every_version_of_the_format_and_both_of_the_statement_are_read() {
    let hand = Hand::p256();
    let policy = policy(1, vec![hand.named("release")]);
    for media_type in [
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle+json;version=0.2",
        "application/vnd.dev.sigstore.bundle+json;version=0.3",
        V03,
    ] {
        let mut bundle = hand.bundle(about_pulled().to_string().as_bytes());
        bundle["mediaType"] = json!(media_type);
        assert_eq!(reason(&policy, &[evidence(&bundle)]), "verified", "{media_type}");
    }
    let mut old = about_pulled();
    old["_type"] = json!("https://in-toto.io/Statement/v0.1");
    old.as_object_mut().unwrap().remove("predicate");
    assert_eq!(reason(&policy, &[hand.evidence(&old)]), "verified");
    let mut several = about_pulled();
    several["subject"] = json!([{"digest": {"sha512": "00"}}, {"name": "x", "digest": {"sha256": subject().hex()}}, several["subject"][0]]);
    assert_eq!(reason(&policy, &[hand.evidence(&several)]), "verified");
}

#[test]
fn a_hint_only_orders_the_attempts_but_names_a_broken_signature() {
    let (hand, other) = (Hand::p256(), Hand::p256());
    let policy = policy(1, vec![hand.named("a"), other.named("b")]);
    let hint = |bundle: &mut Value, hint: &str| {
        bundle["verificationMaterial"]["publicKey"]["hint"] = json!(hint);
    };
    let of = |hand: &Hand| {
        let der = pem_to_der(&hand.pem);
        STANDARD.encode(<[u8; 32]>::from(<sha2::Sha256 as sha2::Digest>::digest(der)))
    };
    let mut bundle = hand.bundle(about_pulled().to_string().as_bytes());
    for text in ["", "nonsense", &of(&hand), &of(&other)] {
        hint(&mut bundle, text);
        assert_eq!(
            outcome(&policy, &[evidence(&bundle)]),
            Ok(vec!["a".to_owned()]),
            "{text}"
        );
    }
    bundle["dsseEnvelope"]["payload"] = json!(STANDARD.encode(statement(&subject()).to_string()));
    assert_eq!(reason(&policy, &[evidence(&bundle)]), "BadSignature");
    hint(&mut bundle, "nonsense");
    assert_eq!(reason(&policy, &[evidence(&bundle)]), "UntrustedKey");
}

fn pem_to_der(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(lines).unwrap()
}

#[test]
fn the_threshold_counts_different_signers() {
    let (a, b, c) = (Hand::p256(), Hand::p256(), Hand::new(SigningScheme::ED25519));
    let sign = |hand: &Hand| hand.evidence(&about_pulled());
    let both = vec![a.named("a"), b.named("b"), c.named("c")];
    let ok = |names: &[&str]| Ok(names.iter().map(ToString::to_string).collect());

    assert_eq!(
        outcome(&policy(2, both.clone()), &[sign(&a), sign(&b)]),
        ok(&["a", "b"])
    );
    assert_eq!(
        outcome(&policy(1, both.clone()), &[sign(&c), sign(&a)]),
        ok(&["a", "c"])
    );
    // One signer signing twice.
    assert_eq!(
        reason(&policy(2, both.clone()), &[sign(&a), sign(&a)]),
        "ThresholdNotMet"
    );
    // One key under two names.
    let aliases = vec![a.named("a"), a.named("also-a")];
    assert_eq!(
        reason(&policy(2, aliases.clone()), &[sign(&a), sign(&a)]),
        "ThresholdNotMet"
    );
    assert_eq!(outcome(&policy(1, aliases), &[sign(&a)]), ok(&["a", "also-a"]));
    // One name with two keys.
    let rotated = vec![a.named("a"), b.named("a"), c.named("c")];
    assert_eq!(
        reason(&policy(2, rotated.clone()), &[sign(&a), sign(&b)]),
        "ThresholdNotMet"
    );
    assert_eq!(outcome(&policy(2, rotated), &[sign(&b), sign(&c)]), ok(&["a", "c"]));
    // A chain: a and b share a key, b has another one. Whoever holds both is one.
    let chain = vec![a.named("a"), a.named("b"), c.named("b")];
    assert_eq!(reason(&policy(2, chain), &[sign(&c), sign(&a)]), "ThresholdNotMet");
    // Junk and strangers beside good signatures neither help nor harm.
    let junk = [raw(b"junk".to_vec()), Hand::p256().evidence(&about_pulled()), sign(&a)];
    assert_eq!(outcome(&policy(1, both.clone()), &junk), ok(&["a"]));
    assert_eq!(reason(&policy(2, both.clone()), &junk), "ThresholdNotMet");
    let (_, message) = outcome(&policy(3, both), &[sign(&a), sign(&b)]).unwrap_err();
    assert!(message.contains("2 of 3") && message.contains("(a, b)"), "{message}");
}

#[test]
fn a_policy_that_nobody_could_fail_trusts_nothing() {
    let hand = Hand::p256();
    let signed = [hand.evidence(&about_pulled())];
    assert_eq!(
        reason(&policy(0, vec![hand.named("a")]), &signed),
        "UnusableTrustPolicy"
    );
    assert_eq!(reason(&policy(0, vec![]), &[]), "UnusableTrustPolicy");
    assert_eq!(reason(&policy(1, vec![]), &signed), "UnusableTrustPolicy");
    assert_eq!(reason(&policy(1, vec![hand.named("a")]), &[]), "Unsigned");
}

#[test]
fn nor_does_it_trust_a_file() {
    let hand = Hand::p256();
    let file = pulled().digest();
    let (signed, unsigned) = (hand.evidence(&about_pulled()), raw(b"{}".to_vec()));
    let check = |policy: &TrustPolicy, evidence: &Evidence| policy.check_blob(&Blob::Digest(file), evidence).unwrap();
    for (threshold, signers) in [(0, vec![hand.named("a")]), (0, vec![]), (1, vec![])] {
        for evidence in [&signed, &unsigned] {
            let verification = check(&policy(threshold, signers.clone()), evidence);
            assert_eq!(verification.outcome, VerificationOutcome::Rejected, "{threshold}");
            let checks: Vec<_> = verification.checks.iter().map(|check| check.name).collect();
            assert_eq!(checks, ["policy"]);
        }
    }
    let good = check(&policy(1, vec![hand.named("a")]), &signed);
    assert_eq!(good.outcome, VerificationOutcome::Verified);
}

#[test]
fn the_most_telling_refusal_names_the_reason() {
    let hand = Hand::p256();
    let policy = policy(1, vec![hand.named("a")]);
    let stranger = Hand::p256().evidence(&about_pulled());
    let mut attestation = about_pulled();
    attestation["predicateType"] = json!("https://slsa.dev/provenance/v1");
    let (junk, attestation, elsewhere) = (
        raw(vec![]),
        hand.evidence(&attestation),
        hand.evidence(&statement(&subject())),
    );
    let mut all = Vec::new();
    for (one, wanted) in [
        (junk, "MalformedSignature"),
        (stranger, "UntrustedKey"),
        (attestation, "WrongPredicateType"),
        (elsewhere, "SubjectMismatch"),
    ] {
        all.insert(0, one);
        assert_eq!(reason(&policy, &all), wanted);
    }
}

#[test]
fn every_check_is_told_by_name() {
    let hand = Hand::p256();
    let mut bundle = hand.bundle(statement(&subject()).to_string().as_bytes());
    bundle["verificationMaterial"]["tlogEntries"] = json!([{"logIndex": "1"}]);
    let one = evidence(&bundle);
    let policy = policy(1, vec![hand.named("a")]);
    let names = |verification: &Verification| -> Vec<(&'static str, CheckOutcome)> {
        verification
            .checks
            .iter()
            .map(|check| (check.name, check.outcome))
            .collect()
    };
    let good = policy.check(&subject(), SIGNATURE_PREDICATE, std::slice::from_ref(&one));
    let mut wanted = vec![
        ("bundle-format", Passed),
        ("key-material", Passed),
        ("envelope", Passed),
        ("signature", Passed),
        ("transparency-log", NotNeeded),
        ("timestamp", NotNeeded),
        ("signature-format", Passed),
        ("statement", Passed),
        ("subject", Passed),
        ("predicate-type", Passed),
        ("threshold", Passed),
    ];
    assert_eq!(names(&good), wanted);
    assert!(good.checks[4].detail.contains("1 log entries"), "{:?}", good.checks[4]);
    let bad = policy.check(&Digest::of(b"other"), SIGNATURE_PREDICATE, &[one]);
    wanted.truncate(8);
    wanted.extend([("subject", Failed), ("threshold", Failed)]);
    assert_eq!(names(&bad), wanted);
    assert_eq!((bad.outcome, bad.signers.len()), (VerificationOutcome::Rejected, 0));
    let json = serde_json::to_value(&good).unwrap();
    assert_eq!(json["outcome"], "Verified");
    assert_eq!(
        json["checks"][0]["evidence"],
        good.checks[0].evidence.unwrap().to_string()
    );
}
