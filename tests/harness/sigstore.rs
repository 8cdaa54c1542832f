//! Interlock's verdict on what a private Sigstore signs, beside that of sigstore-go: they agree, but for what is listed.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use interlock_bundles::digest::Digest;
use interlock_bundles::registry::Evidence;
use interlock_bundles::trust::{
    Blob, CertificateAuthority, CheckOutcome, Demands, IdentityRule, Issued, Keyed, Keyless, Means, PublicKey, Rule,
    SIGNATURE_PREDICATE, Signer, SigningTime, TrustPolicy, TrustRoot, VerificationOutcome, Window,
};
use interlock_tests::sigstore::{DEV, Sigstore, signed, stated};
use jiff::Timestamp;
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

/// Requests for a statement and for a file, in each version, with each algorithm, log and timestamp given.
fn requests(versions: &[&str], algorithms: &[&str], timestamps: &[&str]) -> Vec<Value> {
    requests_of(&Sigstore::dev(), versions, algorithms, timestamps)
}

/// The same by another signer than the one without a key.
fn requests_of(by: &Value, versions: &[&str], algorithms: &[&str], timestamps: &[&str]) -> Vec<Value> {
    let mut blob = by.clone();
    blob["blob"] = json!(BASE64_STANDARD.encode(CONTENT));
    let mut found = vec![stated(by, &signed(&Digest::of(CONTENT))), blob];
    for (field, values) in [
        (
            "version",
            versions.iter().map(|version| json!(version)).collect::<Vec<_>>(),
        ),
        (
            "algorithm",
            algorithms.iter().map(|algorithm| json!(algorithm)).collect(),
        ),
        (
            "timestamp",
            timestamps.iter().map(|timestamp| json!(timestamp)).collect(),
        ),
        ("logs", vec![json!([]), json!([1]), json!([2]), json!([1, 2])]),
    ] {
        let with = |request: &Value, value: &Value| {
            let mut request = request.clone();
            request[field] = value.clone();
            request
        };
        found = found
            .iter()
            .flat_map(|request| values.iter().map(move |value| with(request, value)))
            .collect();
    }
    found
}

/// Where sigstore-go accepts and Interlock refuses, by what Interlock says, and why. There is nothing that sigstore-go
/// rejects and Interlock accepts.
const STRICTER: [(&str, &str); 7] = [
    (
        "neither a log entry nor a timestamp",
        "sigstore-go takes the clock for the time",
    ),
    (
        "V2 bundle requires RFC3161 timestamp",
        "the same: Rekor v2 gives no time",
    ),
    (
        "must have an inclusion promise",
        "the specification of version 0.1 asks for one, whatever else there is",
    ),
    (
        "RequiredEkuNotFound",
        "a certificate without usages is for everything, says sigstore-go; Fulcio's say code signing",
    ),
    ("unsupported or invalid EC curve", "the library knows no P-521"),
    (
        "failed to parse hashedrekord v0.0.2 body",
        "of Rekor v2, the library knows entries of P-256 alone",
    ),
    (
        "SHA-256 hash must be 32 bytes",
        "the library knows no entry of a file with SHA-384, which P-384 goes with",
    ),
];

/// Verifies as sigstore-go was asked to: with a log entry where the request has one, and the certificate log's promise.
/// Else what failed.
fn verify(root: &TrustRoot, request: &Value, bundle: &Value) -> Result<Result<(), String>> {
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
    judge(Signer::new("dev", Means::Keyless(keyless)), request, bundle)
}

/// Whether a signer's signature counts; else what failed.
fn judge(signer: Signer, request: &Value, bundle: &Value) -> Result<Result<(), String>> {
    let policy = TrustPolicy::new(vec![signer], 1);
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
    if verification.outcome == VerificationOutcome::Verified {
        return Ok(Ok(()));
    }
    let mut checks = verification.checks.into_iter();
    let failed = checks
        .find(|check| check.outcome == CheckOutcome::Failed)
        .context("a check failed")?;
    Ok(Err(format!("{}: {}", failed.name, failed.detail)))
}

#[test]
fn the_verdict_is_that_of_sigstore_go() -> Result<()> {
    let mut sigstore = Sigstore::start()?;
    let times = ["", "bare", "embedded"];
    let mut all = requests(
        &["0.1", "0.2", "0.3"],
        &["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519"],
        &times,
    );
    all.extend(requests(&["0.3"], &["rsa-2048"], &["bare"])); // whose keys take long to make
    for wrong in WRONG {
        for mut request in requests(&["0.1", "0.3"], &["ecdsa-p256"], &["", "bare"]) {
            request["wrong"] = json!(wrong);
            all.push(request);
        }
    }

    let mut root = None;
    let mut stricter: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut both_accept, mut both_reject) = (0, BTreeMap::<&str, usize>::new());
    for request in &all {
        let answer = sigstore.ask(request)?;
        let Some(bundle) = answer.bundle else {
            continue; // there is no such bundle: nothing to be wrong in it, or Rekor does not take it
        };
        let root = match &mut root {
            Some(root) => root,
            none => none.insert(TrustRoot::from_json(&sigstore.trusted_root()?)?),
        };
        match (answer.rejected, verify(root, request, &bundle)?) {
            (None, Ok(())) => both_accept += 1,
            (Some(_), Err(_)) => {
                *both_reject
                    .entry(request["wrong"].as_str().context("what is wrong")?)
                    .or_default() += 1;
            }
            (Some(why), Ok(())) => panic!("accepted, and sigstore-go says: {why}\n{request}"),
            (None, Err(why)) => {
                let known = STRICTER.iter().find(|(words, _)| why.contains(words));
                let (words, _) = known.with_context(|| format!("sigstore-go accepts it: {why}\n{request}"))?;
                *stricter.entry(words).or_default() += 1;
            }
        }
    }
    println!("{both_accept} accepted, {both_reject:?} rejected by both; stricter: {stricter:?}");
    ensure!(both_accept > 50, "only {both_accept} good bundles");
    ensure!(
        stricter.len() == STRICTER.len(),
        "not all differences were met: {stricter:?}"
    );
    let untried: Vec<_> = WRONG
        .iter()
        .filter(|wrong| **wrong != "no-usage" && !both_reject.contains_key(*wrong))
        .collect();
    ensure!(untried.is_empty(), "never tried: {untried:?}");
    Ok(())
}

/// What is asked of a signature with a key or of an authority, where sigstore-go was asked for it.
fn demands(root: &TrustRoot, request: &Value) -> Demands {
    Demands {
        root: root.clone(),
        logged: request["logs"] != json!([]),
        timestamped: request["timestamp"] != json!(""),
    }
}

/// As [`STRICTER`], of keys and of authorities of one's own.
const STRICTER_TOO: [(&str, &str); 7] = [
    (
        "V2 bundle requires RFC3161 timestamp",
        "sigstore-go takes the clock for the time; Rekor v2 gives none",
    ),
    (
        "must have an inclusion promise",
        "the specification of version 0.1 asks for one, whatever else there is",
    ),
    (
        "for signing code",
        "a certificate without usages is for everything, says sigstore-go",
    ),
    ("unsupported or invalid EC curve", "the library knows no P-521"),
    ("of ECDSA P-521 with SHA-512 cannot be checked", "the same"),
    (
        "failed to parse hashedrekord v0.0.2 body",
        "of Rekor v2, the library knows entries of P-256 alone",
    ),
    (
        "SHA-256 hash must be 32 bytes",
        "the library knows no entry of a file with SHA-384, which P-384 goes with",
    ),
];

#[test]
fn the_verdict_on_keys_and_authorities_is_that_of_sigstore_go() -> Result<()> {
    let mut sigstore = Sigstore::start()?;
    let (key, pki) = (json!({"key": "release"}), json!({"pki": {"email": DEV.1}}));
    let mut chained = pki.clone();
    chained["chain"] = json!(true);
    let mut all = Vec::new();
    for by in [&key, &pki, &chained] {
        let algorithms = ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521"];
        all.extend(requests_of(by, &["0.1", "0.3"], &algorithms, &["", "bare", "embedded"]));
        for wrong in WRONG {
            for mut request in requests_of(by, &["0.3"], &["ecdsa-p256"], &["", "bare"]) {
                request["wrong"] = json!(wrong);
                all.push(request);
            }
        }
    }
    let mut stricter: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut both_accept, mut both_reject) = (0, BTreeMap::<&str, usize>::new());
    for request in &all {
        let answer = sigstore.ask(request)?;
        let Some(bundle) = answer.bundle else {
            continue; // there is no such bundle, or sigstore-go does not mind: the tool says so
        };
        let root = TrustRoot::from_json(&sigstore.trusted_root()?)?;
        let demands = demands(&root, request);
        let signer = if request.get("key").is_some() {
            let key = PublicKey::from_pem(&answer.public_key.context("a key")?)?;
            let demands = Some(demands);
            let window = Window::default();
            Signer::new("release", Means::Key(Keyed { key, demands, window }))
        } else {
            let dated = demands.logged || demands.timestamped;
            let issued = Issued {
                authority: CertificateAuthority::from_pem(
                    &sigstore.pem("pki_root.pem")?,
                    &sigstore.pem("pki_intermediate.pem")?,
                )?,
                subject: Rule::Exact(DEV.1.to_owned()),
                time: if dated {
                    SigningTime::Said(demands)
                } else {
                    SigningTime::At(Timestamp::now())
                },
            };
            Signer::new("dev", Means::Issued(issued))
        };
        match (answer.rejected, judge(signer, request, &bundle)?) {
            (None, Ok(())) => both_accept += 1,
            (Some(_), Err(_)) => {
                *both_reject
                    .entry(request["wrong"].as_str().context("wrong")?)
                    .or_default() += 1;
            }
            (Some(why), Ok(())) => panic!("accepted, and sigstore-go says: {why}\n{request}"),
            (None, Err(why)) => {
                let known = STRICTER_TOO.iter().find(|(words, _)| why.contains(words));
                let (words, _) = known.with_context(|| format!("sigstore-go accepts it: {why}\n{request}"))?;
                *stricter.entry(words).or_default() += 1;
            }
        }
    }
    println!("{both_accept} accepted, {both_reject:?} rejected by both; stricter: {stricter:?}");
    ensure!(both_accept > 60, "only {both_accept} good bundles");
    ensure!(
        stricter.len() == STRICTER_TOO.len(),
        "not all differences were met: {stricter:?}"
    );
    for wrong in [
        "entry-other",
        "entry-key",
        "log-foreign",
        "timestamp-other",
        "ca-foreign",
        "leaf-expired",
    ] {
        ensure!(both_reject.contains_key(wrong), "never tried: {wrong}");
    }
    Ok(())
}
