//! What comes of any bytes as evidence, for signers of every kind: no panic, and nothing new counts. What a fuzzer makes of
//! a bundle may still be the same signature; it is then one that the seeds have.
#![no_main]

use std::sync::LazyLock;

use interlock_bundles::digest::Digest;
use interlock_bundles::registry::Evidence;
use interlock_bundles::trust::{
    IdentityRule, Keyless, Means, PublicKey, Rule, SIGNATURE_PREDICATE, SignatureFormat, Signer, TrustPolicy,
    TrustRoot, VerificationOutcome,
};
use libfuzzer_sys::fuzz_target;

/// Signs nothing among the seeds.
const STRANGER: &str = include_str!("../../testdata/trust/audit.pub");
const ROOT: &[u8] = include_bytes!("../../testdata/keyless/trusted_root.json");

static POLICY: LazyLock<TrustPolicy> = LazyLock::new(|| {
    let rule = |text: &str| Rule::Exact(text.to_owned());
    let root = TrustRoot::from_json(ROOT).expect("a root");
    let keyless = Keyless {
        identity: IdentityRule {
            issuer: rule("https://nobody.example.com"),
            subject: rule("nobody"),
            claims: [].into(),
        },
        root,
        logged: true,
        certificate_logged: true,
    };
    let mut key = Signer::with_key("key", PublicKey::from_pem(STRANGER).expect("a key"));
    key.formats = SignatureFormat::ALL.into_iter().collect();
    TrustPolicy::new(vec![key, Signer::new("keyless", Means::Keyless(keyless))], 1)
});

fuzz_target!(|bytes: &[u8]| {
    for media_type in [
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.dev.cosign.simplesigning.v1+json",
    ] {
        let evidence = Evidence {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            bytes: bytes.to_vec(),
        };
        let found = POLICY.check(
            &Digest::of(b"subject"),
            SIGNATURE_PREDICATE,
            std::slice::from_ref(&evidence),
        );
        assert_eq!(found.outcome, VerificationOutcome::Rejected);
        assert!(POLICY.verify_model(&evidence).manifest.is_err());
    }
});
