//! Every field and every bit made wrong in turn.

use proptest::prelude::*;

use super::*;

/// Changes one scalar of a document, named by its pointer.
fn bend(value: &Value, with: u8) -> Value {
    match value {
        Value::String(text) => {
            let mut bytes = text.clone().into_bytes();
            match (bytes.len(), with % 3) {
                (0, _) | (_, 0) => bytes.push(b'A' + with % 26),
                (length, 1) => drop(bytes.remove(usize::from(with) % length)),
                (length, _) => {
                    let at = usize::from(with) * 31 % length;
                    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                }
            }
            Value::String(String::from_utf8_lossy(&bytes).into_owned())
        }
        Value::Object(_) | Value::Array(_) => json!(null),
        _ => json!("x"),
    }
}

fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| pointers(value, format!("{at}/{name}"), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| pointers(value, format!("{at}/{index}"), found)),
        _ => {}
    }
    found.push(at);
}

/// Bends every field of a bundle in turn: nothing but the hint and what is passed over may change and
/// still verify. `bundle` must verify under `policy` for `subject`.
pub(super) fn no_mutant_verifies(policy: &TrustPolicy, subject: &Digest, bundle: &Value) {
    let mut all = Vec::new();
    pointers(bundle, String::new(), &mut all);
    assert!(all.len() > 8);
    let verdict = |bundle: &Value| policy.check(subject, SIGNATURE_PREDICATE, &[evidence(bundle)]).outcome;
    assert_eq!(verdict(bundle), VerificationOutcome::Verified);
    for pointer in all {
        let free = pointer.ends_with("/hint")
            || pointer.contains("tlogEntries")
            || pointer.contains("timestampVerificationData")
            || pointer.ends_with("/keyid");
        for with in 0..=255 {
            let mut mutant = bundle.clone();
            let field = mutant.pointer_mut(&pointer).unwrap();
            *field = bend(field, with);
            if mutant != *bundle && !free {
                assert_eq!(
                    verdict(&mutant),
                    VerificationOutcome::Rejected,
                    "{pointer} bent by {with}"
                );
            }
        }
    }
}

#[test]
fn no_bent_field_verifies() {
    for scheme in [SigningScheme::ECDSA_P256_SHA256_ASN1, SigningScheme::ED25519] {
        let hand = Hand::new(scheme);
        let bundle = hand.bundle(statement(&subject()).to_string().as_bytes());
        no_mutant_verifies(&policy(1, vec![hand.named("a")]), &subject(), &bundle);
    }
}

/// Every single bit of signature and payload.
#[test]
fn no_flipped_bit_verifies() {
    let hand = Hand::p256();
    let policy = policy(1, vec![hand.named("a")]);
    let bundle = hand.bundle(statement(&subject()).to_string().as_bytes());
    for pointer in ["/dsseEnvelope/payload", "/dsseEnvelope/signatures/0/sig"] {
        let bytes = STANDARD
            .decode(bundle.pointer(pointer).unwrap().as_str().unwrap())
            .unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut mutant = bundle.clone();
            *mutant.pointer_mut(pointer).unwrap() = json!(STANDARD.encode(flipped));
            let verification = policy.check(&subject(), SIGNATURE_PREDICATE, &[evidence(&mutant)]);
            assert_eq!(
                verification.outcome,
                VerificationOutcome::Rejected,
                "{pointer} bit {bit}"
            );
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_neither_panic_nor_verify(bytes: Vec<u8>, text in "\\PC*") {
        let hand = Hand::p256();
        let policy = policy(1, vec![hand.named("a")]);
        for bytes in [bytes.clone(), text.clone().into_bytes()] {
            prop_assert!(reason(&policy, &[raw(bytes.clone())]) == "MalformedSignature");
            prop_assert!(reason(&policy, &[evidence(&hand.bundle(&bytes))]) == "MalformedSignature");
            prop_assert!(PublicKey::from_pem(&String::from_utf8_lossy(&bytes)).is_err());
        }
    }
}
