//! Which public keys are taken.

use super::*;

fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}

#[test]
fn keys_say_what_they_are_and_have_one_fingerprint() {
    for (scheme, algorithm) in [
        (SigningScheme::ECDSA_P256_SHA256_ASN1, "ECDSA P-256 with SHA-256"),
        (SigningScheme::ECDSA_P384_SHA384_ASN1, "ECDSA P-384 with SHA-384"),
        (SigningScheme::ECDSA_P521_SHA512_ASN1, "ECDSA P-521 with SHA-512"),
        (SigningScheme::ED25519, "Ed25519"),
        (SigningScheme::RSA_PKCS1_SHA256(2048), "RSA PKCS#1 v1.5 with SHA-256"),
    ] {
        let hand = Hand::new(scheme);
        let der = pem_to_der(&hand.pem);
        let key = hand.key();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(key.fingerprint(), Digest::of(&der), "{algorithm}");
        let respelled = format!("\n  {}\r\n", pem("PUBLIC KEY", &der));
        assert_eq!(PublicKey::from_pem(&respelled).unwrap(), key);
    }
}

#[test]
fn what_is_no_usable_public_key_is_refused_by_name() {
    let hand = Hand::p256();
    let der = pem_to_der(&hand.pem);
    // 0x02 or 0x03 and the x coordinate: the same point, compressed.
    let mut compressed = der[..59].to_vec();
    compressed[1] = 0x39;
    compressed[24] = 0x22;
    compressed[26] = 0x02 + (der[90] & 1);
    let mut trailing = der.clone();
    trailing.push(0);
    let rsa_1024 = STANDARD
        .decode("MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDZ5w5vZ5dXlDdvbPIvFYmmGvN/n9i7gV8SgXRt8eXOrXW8SWiGUfAAqTAgKnKmy3MEyjKPKuU4jqHkdlmDXoO1bGRq0q2JXzUWwNLBTz1mH4lF1sRFJRaZbVqvkQWZl8KYq2bY4sPpWvwmfF9eYjUL4uM5zHiX4yWSR7UpwJMLUQIDAQAB")
        .unwrap();
    let private = hand.signer.to_sigstore_keypair().unwrap().private_key_to_pem().unwrap();
    for (text, words) in [
        (String::new(), "nothing"),
        ("hello".to_owned(), "something else"),
        (private.to_string(), "private key"),
        (pem("ENCRYPTED SIGSTORE PRIVATE KEY", b"x"), "private key"),
        (pem("CERTIFICATE", b"x"), "a certificate"),
        (pem("RSA PUBLIC KEY", b"x"), "something else"),
        (format!("{}{}", hand.pem, hand.pem), "2 PEM blocks"),
        (format!("comment\n{}", hand.pem), "something else"),
        ("x".repeat(1_000_000), "16 KiB"),
        (pem("PUBLIC KEY", b"x"), "cannot be read"),
        (pem("PUBLIC KEY", &trailing), "cannot be read"),
        (pem("PUBLIC KEY", &der[..80]), "cannot be read"),
        (pem("PUBLIC KEY", &compressed), "unusual encoding of ECDSA P-256"),
        (pem("PUBLIC KEY", &rsa_1024), "less than 2048"),
    ] {
        let error = PublicKey::from_pem(&text).unwrap_err();
        assert!(error.to_string().contains(words), "{words}: {error}");
        assert!(!error.to_string().contains(private.as_str()));
    }
}
