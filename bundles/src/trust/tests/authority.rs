//! Certificates of an authority of one's own: what a private Sigstore and the real model-signing made with them
//! (`testdata/keyless/README.md` and `testdata/oms/certificates.py` say how), and for whom it counts.

use super::keyless::{LOGS, Said, TIMES, VERIFIED, check, made, root, said, statement_of, with};
use super::*;

macro_rules! oms {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/oms/", $name))
    };
}

const SIGNED: &str = "2025-06-01T12:00:00Z";
const UNTRUSTED: Said = Err(("certificate", "UntrustedCertificate"));
const STRANGER: Said = Err(("identity", "UntrustedIdentity"));
const UNDATED: Said = Err(("timestamp", "NoTrustedTime"));
const UNLOGGED: Said = Err(("transparency-log", "NotLogged"));

fn authority(intermediates: &str) -> CertificateAuthority {
    CertificateAuthority::from_pem(made!("pki_root.pem"), intermediates).unwrap()
}

fn exact(text: &str) -> Rule {
    Rule::Exact(text.to_owned())
}

fn asked(logged: bool, timestamped: bool) -> SigningTime {
    SigningTime::Said(Demands {
        root: root(),
        logged,
        timestamped,
    })
}

fn issued(subject: &str, time: SigningTime) -> Issued {
    Issued {
        authority: authority(""),
        subject: exact(subject),
        time,
    }
}

fn trusting(issued: Issued) -> TrustPolicy {
    policy(1, vec![Signer::new("dev", Means::Issued(issued))])
}

fn dev(time: SigningTime) -> TrustPolicy {
    trusting(issued("dev@example.com", time))
}

fn at(time: &str) -> SigningTime {
    SigningTime::At(time.parse().unwrap())
}

#[test]
fn a_chain_that_holds_when_it_was_signed_counts() {
    for (name, bundle, any_time, log, time) in [
        ("timestamp", made!("pki-timestamp.json"), VERIFIED, UNLOGGED, VERIFIED),
        ("both", made!("pki-both.json"), VERIFIED, VERIFIED, VERIFIED),
        ("v02", made!("pki-v02.json"), VERIFIED, VERIFIED, UNDATED),
        ("p384", made!("pki-p384.json"), VERIFIED, UNLOGGED, VERIFIED),
        ("alone", made!("pki-alone.json"), UNTRUSTED, UNLOGGED, UNTRUSTED),
        (
            "another use",
            made!("pki-no-code-signing.json"),
            UNTRUSTED,
            UNLOGGED,
            UNTRUSTED,
        ),
        (
            "another authority",
            made!("pki-foreign.json"),
            UNTRUSTED,
            UNLOGGED,
            UNTRUSTED,
        ),
        (
            "expired",
            made!("pki-leaf-expired.json"),
            UNTRUSTED,
            UNLOGGED,
            UNTRUSTED,
        ),
        ("Fulcio's", made!("both.json"), UNTRUSTED, UNTRUSTED, UNTRUSTED),
    ] {
        assert_eq!(said(&dev(asked(false, false)), bundle), any_time, "{name}");
        assert_eq!(said(&dev(asked(true, false)), bundle), log, "{name}, logged");
        assert_eq!(said(&dev(asked(false, true)), bundle), time, "{name}, timestamped");
    }
    let with_intermediates = Issued {
        authority: authority(made!("pki_intermediate.pem")),
        ..issued("dev@example.com", asked(false, true))
    };
    assert_eq!(said(&trusting(with_intermediates), made!("pki-alone.json")), VERIFIED);
    // An intermediate that comes with a signature is none of the roots.
    let others = Issued {
        authority: CertificateAuthority::from_pem(oms!("certificate-roots.pem"), made!("pki_root.pem")).unwrap(),
        ..issued("dev@example.com", asked(false, true))
    };
    assert_eq!(said(&trusting(others), made!("pki-timestamp.json")), UNTRUSTED);
}

#[test]
fn without_a_trusted_time_it_counts_as_the_signer_has_it() {
    let undated = with(&with(made!("pki-both.json"), LOGS, json!([])), TIMES, json!({}));
    assert_eq!(said(&dev(asked(false, false)), &undated), UNDATED);
    for (time, wanted) in [
        (at(SIGNED), VERIFIED),
        (at("2025-06-01T12:04:59Z"), VERIFIED),
        (at("2025-06-01T12:05:01Z"), UNTRUSTED),
        (at("2025-06-01T11:54:59Z"), UNTRUSTED),
        (at("1969-01-01T00:00:00Z"), UNTRUSTED),
        (at("2200-01-01T00:00:00Z"), UNTRUSTED),
        (SigningTime::Issuance, VERIFIED),
    ] {
        assert_eq!(said(&dev(time.clone()), &undated), wanted, "{time:?}");
    }
    // A time that is known is not asked for then.
    assert_eq!(
        said(&dev(at("2026-01-01T00:00:00Z")), made!("pki-both.json")),
        UNTRUSTED
    );
}

#[test]
fn it_counts_for_whom_it_names() {
    let time = || asked(false, true);
    let uri = made!("pki-uri.json");
    assert_eq!(
        said(&trusting(issued("https://ci.example/release", time())), uri),
        VERIFIED
    );
    for (subject, bundle) in [
        ("dev@example.com", uri),
        ("Dev@example.com", made!("pki-timestamp.json")),
        ("dev@example.co", made!("pki-timestamp.json")),
        ("", made!("pki-timestamp.json")),
    ] {
        assert_eq!(said(&trusting(issued(subject, time())), bundle), STRANGER, "{subject}");
    }
    let domain = Issued {
        subject: Rule::Pattern(Pattern::new(r"[a-z]+@example\.com").unwrap()),
        ..issued("", time())
    };
    assert_eq!(said(&trusting(domain.clone()), made!("pki-timestamp.json")), VERIFIED);
    assert_eq!(said(&trusting(domain), uri), STRANGER);
    // Each kind of signer counts for its own kind of certificate, whichever comes first.
    let keyless = super::keyless::strict().signers;
    let mut both = dev(time());
    both.signers.extend(keyless);
    assert_eq!(said(&both, made!("both.json")), VERIFIED);
    assert_eq!(said(&both, made!("pki-both.json")), VERIFIED);
    both.signers.reverse();
    assert_eq!(said(&both, made!("pki-both.json")), VERIFIED);
    assert_eq!(said(&both, uri), STRANGER);
}

#[test]
fn a_file_counts_by_its_bytes_and_nothing_of_it_can_be_changed() {
    let says = |bundle: &str, content: &[u8]| {
        let verification = dev(asked(false, true))
            .check_blob(&Blob::Content(content), &statement_of(bundle))
            .unwrap();
        let failed = verification.checks.iter().find(|check| check.outcome == Failed);
        failed.map_or("verified", |check| check.name)
    };
    assert_eq!(says(made!("pki-blob.json"), b"the manifest"), "verified");
    assert_eq!(says(made!("pki-blob.json"), b"the Manifest"), "signature");

    let bundle = made!("pki-timestamp.json");
    for pointer in [
        "/dsseEnvelope/payload",
        "/dsseEnvelope/signatures/0/sig",
        "/verificationMaterial/x509CertificateChain/certificates/0/rawBytes",
        "/verificationMaterial/x509CertificateChain/certificates/1/rawBytes",
    ] {
        let document: Value = serde_json::from_str(bundle).unwrap();
        let bytes = STANDARD
            .decode(document.pointer(pointer).unwrap().as_str().unwrap())
            .unwrap();
        for at in (0..bytes.len()).step_by(29) {
            let mut bent = bytes.clone();
            bent[at] ^= 1 << (at % 8);
            let bent = with(bundle, pointer, json!(STANDARD.encode(bent)));
            assert!(said(&dev(asked(false, true)), &bent).is_err(), "{pointer} at {at}");
            assert!(
                said(&dev(SigningTime::Issuance), &bent).is_err(),
                "{pointer} at {at}, untimed"
            );
        }
    }
    let entry = with(made!("pki-both.json"), &format!("{LOGS}/0"), {
        let other: Value = serde_json::from_str(made!("both.json")).unwrap();
        other.pointer(&format!("{LOGS}/0")).unwrap().clone()
    });
    assert_eq!(said(&dev(asked(true, true)), &entry), Err(("log-entry", "NotLogged")));
}

#[test]
fn models_signed_with_certificates_by_the_real_tool_count() {
    let verify = |signature: &str, subject: &str, time: SigningTime| {
        let issued = Issued {
            authority: CertificateAuthority::from_pem(oms!("certificate-roots.pem"), "").unwrap(),
            subject: exact(subject),
            time,
        };
        trusting(issued).verify_model(&raw(signature.as_bytes().to_vec()))
    };
    let (ops, p521) = (oms!("certified-p256.sig"), oms!("certified-p521.sig"));
    for (signature, subject) in [(ops, "ops@example.com"), (p521, "model team")] {
        for time in [at("2026-01-01T00:00:00Z"), SigningTime::Issuance] {
            let found = verify(signature, subject, time);
            assert_eq!(
                found.verification.outcome,
                VerificationOutcome::Verified,
                "{:?}",
                found.verification
            );
            assert_eq!(found.manifest.unwrap().get().files().len(), 6);
        }
    }
    // What the tool itself accepts, and is refused here; and whom the certificate does not name.
    for (signature, subject, time, wanted, words) in [
        (
            oms!("certified-client.sig"),
            "ops@example.com",
            at("2026-01-01T00:00:00Z"),
            "UntrustedCertificate",
            "for signing code",
        ),
        (
            oms!("certified-expired.sig"),
            "ops@example.com",
            at("2026-01-01T00:00:00Z"),
            "UntrustedCertificate",
            "had expired",
        ),
        (
            oms!("certificate.sig"),
            "leaf",
            SigningTime::Issuance,
            "UntrustedCertificate",
            "for signing code",
        ),
        (
            ops,
            "ops@example.com",
            at("2040-01-02T00:00:00Z"),
            "UntrustedCertificate",
            "root certificates is valid",
        ),
        // The common name is passed over where there are other names.
        (
            ops,
            "ops",
            SigningTime::Issuance,
            "UntrustedIdentity",
            "ops@example.com",
        ),
        (
            p521,
            "models authority",
            SigningTime::Issuance,
            "UntrustedIdentity",
            "model team",
        ),
        (
            ops,
            "ops@example.com",
            asked(false, false),
            "NoTrustedTime",
            "neither a log entry nor a timestamp",
        ),
    ] {
        let error = verify(signature, subject, time).manifest.unwrap_err();
        assert_eq!(error.reason(), wanted, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let expired = verify(
        oms!("certified-expired.sig"),
        "ops@example.com",
        at("2020-06-01T00:00:00Z"),
    );
    assert_eq!(expired.verification.outcome, VerificationOutcome::Verified);
}

#[test]
fn whoever_is_named_by_one_certificate_is_one_and_their_keys_can_be_revoked() {
    let both = [
        statement_of(made!("pki-timestamp.json")),
        statement_of(made!("pki-both.json")),
    ];
    let count = |threshold: u32, signers: Vec<Signer>, revoked: Revoked| {
        let policy = TrustPolicy {
            revoked: Arc::new(revoked),
            ..policy(threshold, signers)
        };
        let verdict = policy.vouched(&subject(), SIGNATURE_PREDICATE, &both);
        verdict.map_err(|error| error.reason())
    };
    let signer = |name: &str| Signer::new(name, Means::Issued(issued("dev@example.com", asked(false, false))));
    let none = Revoked::default;
    assert_eq!(count(1, vec![signer("dev")], none()), Ok(vec!["dev".to_owned()]));
    // Two names, two keys, and one person in both certificates.
    assert_eq!(
        count(2, vec![signer("dev"), signer("also-dev")], none()),
        Err("ThresholdNotMet")
    );
    // The intermediate's key, the root's, and one that has nothing to do with it.
    let fingerprint = |pem: &str| {
        let pem: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = sigstore_verify::types::DerCertificate::new(STANDARD.decode(pem).unwrap());
        Digest::of(
            sigstore_verify::crypto::parse_certificate_info(&der)
                .unwrap()
                .public_key
                .as_bytes(),
        )
    };
    for (key, wanted) in [
        (fingerprint(made!("pki_intermediate.pem")), Err("Revoked")),
        (fingerprint(made!("pki_root.pem")), Err("Revoked")),
        (Digest::of(b"another"), Ok(vec!["dev".to_owned()])),
    ] {
        let revoked = Revoked {
            keys: [key].into(),
            ..none()
        };
        assert_eq!(count(1, vec![signer("dev")], revoked), wanted);
    }
}

#[test]
fn every_check_is_told_by_name() {
    let names = |policy: &TrustPolicy| -> Vec<_> {
        let checks = check(policy, made!("pki-both.json")).checks;
        checks.iter().map(|check| (check.name, check.outcome)).collect()
    };
    let asked = names(&dev(asked(true, true)));
    let wanted = [
        "bundle-format",
        "key-material",
        "envelope",
        "signature",
        "timestamp",
        "transparency-log",
        "log-entry",
        "certificate",
        "identity",
        "signature-format",
        "statement",
        "subject",
        "predicate-type",
        "threshold",
    ];
    assert_eq!(asked, wanted.map(|name| (name, Passed)));
    let untimed = names(&dev(at(SIGNED)));
    assert_eq!(untimed[4], ("timestamp", NotNeeded));
}

#[test]
fn what_is_no_authority_is_refused_by_name() {
    let root = made!("pki_root.pem");
    let block = |der: &[u8]| {
        let text = STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    for (roots, intermediates, words) in [
        ("", root, "there is no certificate"),
        ("hello", "", "there is no certificate"),
        (made!("release.pub"), "", "there is no certificate"),
        (&block(b"x"), "", "certificate 1 cannot be used"),
        (root, &block(b"x"), "certificate 2 cannot be used"),
        ("-----BEGIN PRIVATE KEY-----", "", "a private key"),
        (&" ".repeat(300_000), "", "300000 bytes"),
        (
            "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
            "",
            "certificate 1",
        ),
    ] {
        let error = CertificateAuthority::from_pem(roots, intermediates).unwrap_err();
        assert!(error.to_string().contains(words), "{words}: {error}");
        assert_eq!(error.reason(), "UnusableAuthority");
    }
    let alone = authority("");
    assert_eq!(alone, authority(""));
    assert_ne!(alone, authority(made!("pki_intermediate.pem")));
    let swapped = CertificateAuthority::from_pem(&format!("{root}{}", made!("pki_intermediate.pem")), "").unwrap();
    assert_ne!(
        swapped,
        authority(made!("pki_intermediate.pem")),
        "an intermediate is no root"
    );
}

#[test]
fn an_authority_tells_its_roots_and_when_the_last_one_ends() {
    let (root, intermediate) = (made!("pki_root.pem"), made!("pki_intermediate.pem"));
    let one = CertificateAuthority::from_pem(root, intermediate).unwrap();
    let both = CertificateAuthority::from_pem(&format!("{intermediate}{root}"), "").unwrap();
    let keys: Vec<Digest> = both.root_keys().collect();
    assert_eq!(
        (one.root_keys().collect::<Vec<_>>(), keys.len()),
        (keys[1..].to_vec(), 2)
    );
    assert!(
        one.end()
            .is_some_and(|end| end > "2026-01-01T00:00:00Z".parse().unwrap())
    );
    assert!(both.end() >= one.end());
}
