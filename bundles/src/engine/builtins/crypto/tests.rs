//! What the recorded calls do not show: the limits, and that no bytes do harm.

use num_bigint::BigInt;
use proptest::prelude::*;

use super::certificate::Certificate;
use super::curve::P224;
use super::public_key::PublicKey;
use super::rsa_key::RsaKey;
use super::signature::{SignatureAlgorithm, holds};
use super::{Failure, armor, describe, json, private_key, request};

/// A self-signed one with most extensions, from the recorded calls.
fn certificate() -> Vec<u8> {
    let calls: Vec<Vec<String>> =
        serde_json::from_str(include_str!("../../../../testdata/builtins/crypto.calls.json")).unwrap();
    let call = calls
        .iter()
        .find(|call| call[0] == "crypto.x509.parse_certificates" && call[1].len() > 1000);
    let text: String = serde_json::from_str(&call.unwrap()[1]).unwrap();
    armor::next_block(text.as_bytes()).unwrap().0.bytes
}

fn rsa(bits: usize) -> PublicKey {
    let modulus = (num_bigint::BigUint::from(1u8) << (bits - 1)) + 1u8;
    PublicKey::Rsa { modulus, exponent: 3 }
}

fn is_limit<T>(result: &Result<T, Failure>) -> bool {
    matches!(result, Err(Failure::Limit(_)))
}

#[test]
fn refuses_what_the_host_has_no_arithmetic_for() {
    for (bits, algorithm, refused) in [
        (1023, SignatureAlgorithm::Sha256Rsa, false),
        (1024, SignatureAlgorithm::Sha256Rsa, false),
        (1024, SignatureAlgorithm::Sha384Rsa, true),
        (1024, SignatureAlgorithm::Sha256RsaPss, true),
        (2048, SignatureAlgorithm::Sha256RsaPss, false),
        (8192, SignatureAlgorithm::Sha512Rsa, false),
        (8193, SignatureAlgorithm::Sha512Rsa, true),
        (8193, SignatureAlgorithm::Sha1Rsa, false),
    ] {
        let held = holds(algorithm, b"body", b"signature", &rsa(bits));
        assert_eq!(is_limit(&held), refused, "{bits} {algorithm:?}");
    }
    assert!(is_limit(&P224.public(&[1; 28])));
}

#[test]
fn refuses_what_takes_too_long() {
    assert!(json::big(&(BigInt::from(1) << 32_767)).is_ok());
    assert!(is_limit(&json::big(&(BigInt::from(1) << 32_768))));
    assert!(is_limit(&json::dotted(&[vec![0xff; 5000], vec![0]].concat())));
    // Version 0, a modulus of 8193 bits, and 3 for everything else.
    let mut numbers = vec![2, 1, 0, 2, 0x82, 4, 1, 1];
    numbers.extend([0xff; 1024]);
    numbers.extend([2, 1, 3].repeat(4));
    let length = u16::try_from(numbers.len()).unwrap().to_be_bytes();
    let key = [vec![0x30, 0x82], length.to_vec(), numbers].concat();
    assert!(is_limit(&RsaKey::parse(&key)));
    // The one for the seed of 32 zeros.
    let key = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
        -----END PRIVATE KEY-----\n";
    assert_eq!(private_key::from_pem(&key.repeat(16)).unwrap().len(), 16);
    assert!(is_limit(&private_key::from_pem(&key.repeat(17))));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        let mut bytes = certificate();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        for certificate in Certificate::parse_all(&bytes).unwrap_or_default() {
            let _ = describe::certificate(&certificate, true);
        }
        let _ = request::to_term(&bytes);
        let _ = private_key::PrivateKey::for_tls(&bytes);
    }

    #[test]
    fn any_text_is_searched_for_blocks(text in "(-----BEGIN |-----END |A|-----|\n|\r|:| |QQ==){0,20}") {
        let _ = armor::next_block(text.as_bytes());
    }
}
