//! Trust roots: held to their digest, read strictly, and believed for as long as their authorities last.

use super::keyless::{BOTH, dev, made, root, said, trusting, with};
use super::*;

#[test]
fn a_trust_root_is_held_to_its_digest_and_read_strictly() {
    use AuthorityRole::{CertificateAuthority, CertificateLog, TimestampAuthority, TransparencyLog};

    let text = made!("trusted_root.json");
    let digest = Digest::of(text.as_bytes());
    assert_eq!(TrustRoot::pinned(text.as_bytes(), digest).unwrap(), root());
    let reason = |outcome: Result<TrustRoot, TrustRootError>| outcome.unwrap_err().reason();
    assert_eq!(reason(TrustRoot::pinned(text.as_bytes(), subject())), "DigestMismatch");
    let bent = |pointer: &str, value: Value| TrustRoot::from_json(with(text, pointer, value).as_bytes());
    assert_eq!(
        reason(bent("/mediaType", json!("application/json"))),
        "MalformedTrustRoot"
    );
    assert_eq!(reason(bent("/tlogs", json!(3))), "MalformedTrustRoot");
    assert_eq!(
        reason(bent("/tlogs/0/publicKey/rawBytes", json!("AAAA"))),
        "UnusableTrustRoot"
    );
    assert_eq!(
        reason(bent("/certificateAuthorities/0/certChain/certificates", json!([]))),
        "UnusableTrustRoot"
    );
    assert_eq!(
        reason(bent(
            "/certificateAuthorities/0/certChain/certificates/0/rawBytes",
            json!("AAAA")
        )),
        "UnusableTrustRoot"
    );
    assert_eq!(
        reason(TrustRoot::from_json(&vec![b' '; 1024 * 1024 + 1])),
        "MalformedTrustRoot"
    );
    let roles: Vec<_> = root().authorities().iter().map(|authority| authority.role).collect();
    assert_eq!(
        roles,
        [
            CertificateAuthority,
            CertificateAuthority,
            CertificateLog,
            TransparencyLog,
            TransparencyLog,
            TimestampAuthority,
            TimestampAuthority
        ]
    );
}

#[test]
fn an_authority_counts_only_in_its_time() {
    let until = "2025-06-01T11:59:59Z";
    let since = "2025-06-01T12:00:01Z";
    for (authorities, index, wanted) in [
        ("certificateAuthorities", 0, ("certificate", "UntrustedCertificate")),
        ("timestampAuthorities", 0, ("timestamp", "NoTrustedTime")),
    ] {
        for bound in [
            json!({"start": "2020-01-01T00:00:00Z", "end": until}),
            json!({"start": since}),
        ] {
            let text = with(
                made!("trusted_root.json"),
                &format!("/{authorities}/{index}/validFor"),
                bound,
            );
            let root = TrustRoot::from_json(text.as_bytes()).unwrap();
            assert_eq!(
                said(&trusting(Keyless { root, ..dev() }), BOTH),
                Err(wanted),
                "{authorities}"
            );
        }
    }
}
