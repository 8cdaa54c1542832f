//! Interlock's verdict on what a private Sigstore signs, beside that of sigstore-go: they agree, but for what is listed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use interlock_bundles::digest::Digest;
use interlock_bundles::registry::Evidence;
use interlock_bundles::trust::{
    Blob, IdentityRule, Keyless, Means, Rule, SIGNATURE_PREDICATE, Signer, TrustPolicy, TrustRoot, VerificationOutcome,
};
use interlock_tests::sigstore::{DEV, Sigstore};
use serde_json::{Value, json};

const CONTENT: &[u8] = b"the manifest";

/// What can be wrong, as `wrong.go` has it.
const WRONG: [&str; 26] = [
    "leaf-expired",
    "leaf-not-yet-valid",
    "intermediate-expired",
    "no-code-signing",
    "no-usage",
    "ca-foreign",
    "sct-missing",
    "sct-foreign",
    "sct-other-certificate",
    "entry-other",
    "entry-artifact",
    "entry-signature",
    "entry-key",
    "log-foreign",
    "checkpoint-foreign",
    "proof-root",
    "set-foreign",
    "log-early",
    "log-late",
    "timestamp-other",
    "timestamp-retired",
    "timestamp-unlisted",
    "timestamp-smuggled",
    "timestamp-foreign",
    "timestamp-early",
    "timestamp-late",
];

/// Every way to sign a statement or a file with a certificate that the Sigstore knows.
fn requests() -> Vec<Value> {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": Digest::of(CONTENT).hex()}}],
        "predicateType": SIGNATURE_PREDICATE,
        "predicate": {},
    });
    let statement = json!({
        "payload": BASE64_STANDARD.encode(statement.to_string()),
        "payloadType": "application/vnd.in-toto+json",
    });
    let blob = json!({"blob": BASE64_STANDARD.encode(CONTENT)});
    let mut found = Vec::new();
    for what in [&statement, &blob] {
        for version in ["0.1", "0.2", "0.3"] {
            for algorithm in ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048", "ed25519"] {
                for logs in [json!([]), json!([1]), json!([2]), json!([1, 2])] {
                    for timestamp in ["", "bare", "embedded"] {
                        for alone in [false, true] {
                            let mut request = Sigstore::dev();
                            let members = request.as_object_mut().unwrap();
                            members.extend(what.as_object().unwrap().clone());
                            members.extend(
                                json!({"version": version, "algorithm": algorithm, "logs": logs, "timestamp": timestamp})
                                    .as_object()
                                    .unwrap()
                                    .clone(),
                            );
                            if alone {
                                members.insert("alone".to_owned(), json!(true));
                            }
                            if !alone || logs != json!([]) {
                                found.push(request);
                            }
                        }
                    }
                }
            }
        }
    }
    found
}

/// Verifies as sigstore-go was asked to: with a log entry where the request has one, and the certificate log's promise.
fn verdict(root: &TrustRoot, request: &Value, bundle: &Value) -> Result<(bool, String)> {
    let keyless = Keyless {
        identity: IdentityRule {
            issuer: Rule::Exact(DEV.0.to_owned()),
            subject: Rule::Exact(DEV.1.to_owned()),
            claims: BTreeMap::new(),
        },
        root: root.clone(),
        logged: request["logs"] != json!([]),
        certificate_logged: true,
    };
    let dev = Signer {
        name: "dev".to_owned(),
        means: Means::Keyless(keyless),
    };
    let policy = TrustPolicy {
        signers: vec![dev],
        threshold: 1,
    };
    let bytes = bundle.to_string().into_bytes();
    let evidence = Evidence {
        media_type: "application/vnd.dev.sigstore.bundle.v0.3+json".to_owned(),
        digest: Digest::of(&bytes),
        bytes,
    };
    let verification = if request.get("blob").is_some() {
        policy.check_blob(&Blob::Content(CONTENT), &evidence)?
    } else {
        policy.check(&Digest::of(CONTENT), SIGNATURE_PREDICATE, &[evidence])
    };
    let failed = verification
        .checks
        .iter()
        .find(|check| format!("{:?}", check.outcome) == "Failed");
    let failed = failed.map_or_else(String::new, |check| format!("{}: {}", check.name, check.detail));
    Ok((verification.outcome == VerificationOutcome::Verified, failed))
}

#[test]
fn it_agrees() -> Result<()> {
    let mut sigstore = Sigstore::start()?;
    let mut root = None;
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for request in requests() {
        for wrong in [""].iter().chain(&WRONG) {
            let mut request = request.clone();
            if !wrong.is_empty() {
                request["wrong"] = json!(wrong);
            }
            let answer = sigstore.ask(&request)?;
            if root.is_none() {
                root = Some(TrustRoot::from_json(&sigstore.trusted_root()?)?);
            }
            let Some(bundle) = answer.bundle else {
                *counts.entry("none").or_default() += 1;
                continue;
            };
            let (accepted, why) = verdict(root.as_ref().context("root")?, &request, &bundle)?;
            let go = answer.rejected.is_none();
            *counts
                .entry(match (go, accepted) {
                    (true, true) => "both accept",
                    (false, false) => "both reject",
                    (true, false) => "go accepts",
                    _ => "we accept",
                })
                .or_default() += 1;
            if accepted != go {
                let what = format!(
                    "{} {} {} {} {} go={go}: {why}",
                    if request.get("blob").is_some() { "blob" } else { "stmt" },
                    request["version"],
                    request["algorithm"],
                    request["logs"],
                    request["timestamp"]
                );
                seen.entry((*wrong).to_owned()).or_default().insert(what);
            }
        }
    }
    println!("{counts:?}");
    for (wrong, cases) in seen {
        for case in cases {
            println!("{wrong:?} {case}");
        }
    }
    Ok(())
}
