//! The API as people meet it: wrong documents are refused by the API server with a message that says how to mend them,
//! defaults are stable, and kubectl shows and explains.

use anyhow::{Context as _, Result, bail, ensure};
use interlock_tests::TestEnv;
use interlock_tests::apply::{apply, documents};
use interlock_tests::tools::tool;
use serde_json::Value;

/// A valid document of each kind; the tables below break one field each.
const SIGNER: &str = "apiVersion: interlock.dev/v1alpha1\nkind: Signer\nmetadata: {name: api}\nspec:\n  publicKey:\n    \
    pem: \"-----BEGIN PUBLIC KEY-----\\nMFkw\\n-----END PUBLIC KEY-----\\n\"\n";
const WITNESSED: &str = "apiVersion: interlock.dev/v1alpha1\nkind: Signer\nmetadata: {name: api-witnessed}\nspec:\n  publicKey:\n    \
    pem: \"-----BEGIN PUBLIC KEY-----\\nMFkw\\n-----END PUBLIC KEY-----\\n\"\n    trustRoot: public-sigstore\n    \
    transparencyLog: Required\n    timestamp: Required\n    notBefore: 2026-01-31T00:00:00Z\n    \
    notAfter: 2027-01-31T00:00:00Z\n";
const KEYLESS: &str = "apiVersion: interlock.dev/v1alpha1\nkind: Signer\nmetadata: {name: api-keyless}\nspec:\n  \
    keyless:\n    trustRoot: public-sigstore\n    identities:\n    - issuer: {exact: \"https://token.example\"}\n      \
    subject: {exact: \"https://ci.example/build\"}\n      claims: {sourceRepositoryRef: {exact: refs/heads/main}}\n";
const AUTHORITY: &str = "apiVersion: interlock.dev/v1alpha1\nkind: Signer\nmetadata: {name: api-authority}\nspec:\n  \
    certificateAuthority:\n    roots: \"-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n\"\n    \
    subjects: [{exact: release@example.com}]\n    trustRoot: public-sigstore\n    timestamp: Required\n";
const ROOT: &str = "apiVersion: interlock.dev/v1alpha1\nkind: TrustRoot\nmetadata: {name: api}\nspec:\n  digest: \
    sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n  inline: \"{}\"\n";
const REVOCATION: &str = "apiVersion: interlock.dev/v1alpha1\nkind: Revocation\nmetadata: {name: api}\nspec:\n  \
    reason: lost\n  keys: [\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"]\n";
const BUNDLE: &str = "apiVersion: interlock.dev/v1alpha1\nkind: PolicyBundle\nmetadata: {name: api}\nspec:\n  \
    url: oci://registry.example.com/policies/baseline\n  ref: {tag: stable}\n  signedBy: {signers: [platform]}\n";
const TRACK: &str = "apiVersion: interlock.dev/v1alpha1\nkind: GovernanceTrack\nmetadata: {name: api}\nspec:\n  \
    match:\n    kinds: [{group: apps, kind: Deployment}]\n  bundles: [{name: baseline}]\n";
const MONITOR: &str = "apiVersion: interlock.dev/v1alpha1\nkind: GovernanceTrack\nmetadata: {name: api-drift}\nspec:\n  \
    match:\n    kinds: [{group: apps, kind: Deployment}]\n  bundles: [{name: baseline}]\n  driftMonitor:\n    \
    prometheus: {url: \"http://prometheus:9090\", timeout: 10s}\n    interval: 1m\n    workload: {nameLabel: modelId}\n    \
    target: {matchLabels: {job: detector}}\n    series: [{metric: drift, matchLabels: {feature: age}, maxAge: 5m}]\n    \
    alert: {name: ModelDrift}\n";
const RELEASE: &str = "apiVersion: interlock.dev/v1alpha1\nkind: Release\nmetadata: {name: api}\nspec:\n  \
    subject: {apiVersion: apps/v1, kind: Deployment, name: cart}\n";

/// A valid document, what is replaced in it, by what, and what the refusal must say.
type Wrong = (&'static str, &'static str, &'static str, &'static [&'static str]);

const WRONG: &[Wrong] = &[
    (
        SIGNER,
        "BEGIN PUBLIC",
        "BEGIN RSA PUBLIC",
        &["spec.publicKey.pem", "paste the content of cosign.pub"],
    ),
    (
        SIGNER,
        "MFkw",
        "-----BEGIN PRIVATE KEY-----",
        &["spec.publicKey.pem", "must not hold a private key"],
    ),
    (
        SIGNER,
        "    pem: ",
        "    key: ",
        &["spec.publicKey.key", "field not declared in schema"],
    ),
    (
        SIGNER,
        "-----BEGIN PUBLIC KEY-----\\nMFkw\\n-----END PUBLIC KEY-----\\n",
        "",
        &["spec.publicKey.pem"],
    ),
    (
        SIGNER,
        "  publicKey:\n    pem: \"-----BEGIN PUBLIC KEY-----\\nMFkw\\n-----END PUBLIC KEY-----\\n\"\n",
        "  {}\n",
        &["spec", "exactly one of publicKey, keyless and certificateAuthority"],
    ),
    (
        SIGNER,
        "  publicKey:",
        "  keyless: {trustRoot: a, identities: [{issuer: {exact: a}, subject: {exact: a}}]}\n  publicKey:",
        &["spec", "exactly one of publicKey, keyless and certificateAuthority"],
    ),
    (
        WITNESSED,
        "    trustRoot: public-sigstore\n",
        "",
        &["spec.publicKey", "take a trustRoot"],
    ),
    (
        SIGNER,
        "    pem: ",
        "    notAfter: 2027-01-31T00:00:00Z\n    pem: ",
        &["spec.publicKey", "take a trustRoot"],
    ),
    (
        SIGNER,
        "    pem: ",
        "    trustRoot: public-sigstore\n    pem: ",
        &["spec.publicKey", "add what is demanded, or leave it out"],
    ),
    (
        WITNESSED,
        "notAfter: 2027-01-31T00:00:00Z",
        "notAfter: 2026-01-31T01:00:00+01:00",
        &["spec.publicKey", "notBefore must be earlier than notAfter"],
    ),
    (
        WITNESSED,
        "2027-01-31T00:00:00Z",
        "2027-01-31",
        &["spec.publicKey.notAfter", "date-time"],
    ),
    (
        WITNESSED,
        "timestamp: Required",
        "timestamp: Perhaps",
        &["spec.publicKey.timestamp", "\"Required\", \"NotRequired\""],
    ),
    (
        WITNESSED,
        "  publicKey:",
        "  formats: [Legacy]\n  publicKey:",
        &["spec", "formats may have Legacy only with a publicKey"],
    ),
    (
        KEYLESS,
        "  keyless:",
        "  formats: [Bundle, Legacy]\n  keyless:",
        &["spec", "formats may have Legacy only with a publicKey"],
    ),
    (
        SIGNER,
        "  publicKey:",
        "  formats: []\n  publicKey:",
        &["spec.formats", "at least 1 items"],
    ),
    (
        SIGNER,
        "  publicKey:",
        "  formats: [Bundle, Bundle]\n  publicKey:",
        &["spec.formats", "duplicate"],
    ),
    (
        SIGNER,
        "  publicKey:",
        "  formats: [OCI]\n  publicKey:",
        &["spec.formats[0]", "\"Bundle\", \"OldBundle\", \"Legacy\""],
    ),
    (
        KEYLESS,
        "    - issuer: {exact: \"https://token.example\"}\n      subject",
        "    - subject",
        &["spec.keyless.identities[0].issuer", "Required value"],
    ),
    (
        KEYLESS,
        "{exact: \"https://ci.example/build\"}",
        "{}",
        &["spec.keyless.identities[0].subject", "exactly one of exact and pattern"],
    ),
    (
        KEYLESS,
        "{exact: \"https://ci.example/build\"}",
        "{exact: a, pattern: a}",
        &["spec.keyless.identities[0].subject", "exactly one of exact and pattern"],
    ),
    (
        KEYLESS,
        "{exact: \"https://ci.example/build\"}",
        "{exact: \"\"}",
        &["spec.keyless.identities[0].subject.exact", "at least 1 chars"],
    ),
    (
        KEYLESS,
        "{exact: \"https://ci.example/build\"}",
        "{pattern: \".*\"}",
        &["spec.keyless.identities[0].subject.pattern", "matches the empty text"],
    ),
    (
        KEYLESS,
        "{exact: \"https://ci.example/build\"}",
        "{pattern: \"(\"}",
        &["spec.keyless.identities[0].subject.pattern", "missing closing )"],
    ),
    (
        KEYLESS,
        "claims: {sourceRepositoryRef:",
        "claims: {sourceRepositoryref:",
        &["spec.keyless.identities[0].claims", "no claim is called so"],
    ),
    (
        KEYLESS,
        "{exact: refs/heads/main}",
        "{}",
        &["spec.keyless.identities[0].claims", "exactly one of exact and pattern"],
    ),
    (
        KEYLESS,
        "    trustRoot: public-sigstore\n",
        "",
        &["spec.keyless.trustRoot", "Required value"],
    ),
    (
        KEYLESS,
        "    identities:",
        "    transparencyLog: Sometimes\n    identities:",
        &["spec.keyless.transparencyLog", "\"Required\", \"NotRequired\""],
    ),
    (
        AUTHORITY,
        "  certificateAuthority:",
        "  keyless: {trustRoot: a, identities: [{issuer: {exact: a}, subject: {exact: a}}]}\n  certificateAuthority:",
        &["spec", "exactly one of publicKey, keyless and certificateAuthority"],
    ),
    (
        AUTHORITY,
        "BEGIN CERTIFICATE",
        "BEGIN TRUSTED CERTIFICATE",
        &["spec.certificateAuthority.roots", "must be certificates in PEM"],
    ),
    (
        AUTHORITY,
        "MIIB",
        "-----BEGIN EC PRIVATE KEY-----",
        &["spec.certificateAuthority.roots", "must not hold a private key"],
    ),
    (
        AUTHORITY,
        "    subjects:",
        "    intermediates: \"-----BEGIN PUBLIC KEY-----\"\n    subjects:",
        &["spec.certificateAuthority.intermediates", "must be certificates in PEM"],
    ),
    (
        AUTHORITY,
        "[{exact: release@example.com}]",
        "[]",
        &["spec.certificateAuthority.subjects", "at least 1 items"],
    ),
    (
        AUTHORITY,
        "{exact: release@example.com}",
        "{pattern: \".*\"}",
        &[
            "spec.certificateAuthority.subjects[0].pattern",
            "matches the empty text",
        ],
    ),
    (
        AUTHORITY,
        "    trustRoot: public-sigstore\n",
        "",
        &["spec.certificateAuthority", "signingTime: Trusted takes a trustRoot"],
    ),
    (
        AUTHORITY,
        "    trustRoot:",
        "    signingTime: Issuance\n    trustRoot:",
        &["spec.certificateAuthority", "signingTime: Issuance asks no log"],
    ),
    (
        AUTHORITY,
        "    trustRoot: public-sigstore\n",
        "    signingTime: Issuance\n",
        &["spec.certificateAuthority", "signingTime: Issuance asks no log"],
    ),
    (
        AUTHORITY,
        "    trustRoot: public-sigstore\n    timestamp: Required\n",
        "    signingTime: At\n",
        &["spec.certificateAuthority.signingTime", "\"Trusted\", \"Issuance\""],
    ),
    (
        AUTHORITY,
        "  certificateAuthority:",
        "  formats: [Legacy]\n  certificateAuthority:",
        &["spec", "formats may have Legacy only with a publicKey"],
    ),
    (
        ROOT,
        "  inline: \"{}\"\n",
        "",
        &["spec", "exactly one of inline and configMap"],
    ),
    (
        ROOT,
        "  inline:",
        "  configMap: {name: roots}\n  inline:",
        &["spec", "exactly one of inline and configMap"],
    ),
    (
        ROOT,
        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "sha256:44136",
        &["spec.digest", "^sha256:[a-f0-9]{64}$"],
    ),
    (REVOCATION, "  reason: lost\n", "", &["spec.reason", "Required value"]),
    (REVOCATION, "lost", "\"\"", &["spec.reason", "at least 1 chars"]),
    (
        REVOCATION,
        "  keys: [\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"]\n",
        "",
        &["spec", "give at least one of keys, digests and logEntries"],
    ),
    (
        REVOCATION,
        "[\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"]",
        "[]",
        &["spec", "give at least one of keys, digests and logEntries"],
    ),
    (
        REVOCATION,
        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        &["spec.keys[0]", "^sha256:[a-f0-9]{64}$"],
    ),
    (
        REVOCATION,
        "keys: [\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"]",
        "digests: [\"registry.example.com/cart:1\"]",
        &["spec.digests[0]", "^sha256:[a-f0-9]{64}$"],
    ),
    (
        REVOCATION,
        "keys: [\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"]",
        "logEntries: [\"42\"]",
        &["spec.logEntries[0]", "^[a-f0-9]{64}:"],
    ),
    (
        REVOCATION,
        "[\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"]",
        "[\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\", \"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"]",
        &["spec.keys", "duplicate"],
    ),
    (
        BUNDLE,
        "oci://",
        "https://",
        &["spec.url", "must be oci://HOST[:PORT]/PATH"],
    ),
    (
        BUNDLE,
        "baseline\n",
        "baseline:stable\n",
        &["spec.url", "put the tag, semver range or digest into spec.ref"],
    ),
    (
        BUNDLE,
        "policies/baseline",
        "Policies/Baseline",
        &["spec.url", "lower-case path"],
    ),
    (
        BUNDLE,
        "{tag: stable}",
        "{}",
        &["spec.ref", "exactly one of tag, semver and digest"],
    ),
    (
        BUNDLE,
        "{tag: stable}",
        "{tag: stable, semver: ^1}",
        &["spec.ref", "exactly one of tag, semver and digest"],
    ),
    (
        BUNDLE,
        "{tag: stable}",
        "{digest: sha256:abc}",
        &["spec.ref.digest", "sha256:[a-f0-9]{64}"],
    ),
    (
        BUNDLE,
        "{tag: stable}",
        "{tag: not a tag}",
        &["spec.ref.tag", "a-zA-Z0-9_"],
    ),
    (
        BUNDLE,
        "[platform]}",
        "[platform], threshold: 2}",
        &["spec.signedBy", "lower the threshold"],
    ),
    (
        BUNDLE,
        "[platform]}",
        "[platform], threshold: 0}",
        &["spec.signedBy.threshold", "greater than or equal to 1"],
    ),
    (
        BUNDLE,
        "[platform]}",
        "[platform], duties: [{name: approver, signers: [lead]}]}",
        &["spec.signedBy", "none of the signers: add the name to signers"],
    ),
    (
        BUNDLE,
        "[platform]}",
        "[platform], duties: [{name: a, signers: [platform]}, {name: b, signers: [platform]}]}",
        &["spec.signedBy", "more duties than signers"],
    ),
    (
        BUNDLE,
        "[platform]}",
        "[a, b], duties: [{name: c, signers: [a]}, {name: c, signers: [b]}]}",
        &["spec.signedBy.duties", "c"],
    ),
    (
        BUNDLE,
        "[platform]}",
        "[platform], duties: [{name: approver, signers: []}]}",
        &["spec.signedBy.duties[0].signers", "at least 1 items"],
    ),
    (
        BUNDLE,
        "[platform]}",
        "[platform], duties: [{name: Approver!, signers: [platform]}]}",
        &["spec.signedBy.duties[0].name", "^[a-z0-9]"],
    ),
    (
        BUNDLE,
        "[platform]",
        "[]",
        &["spec.signedBy.signers", "at least 1 items"],
    ),
    (
        BUNDLE,
        "[platform]",
        "[platform, platform]",
        &["spec.signedBy.signers", "duplicate"],
    ),
    (
        BUNDLE,
        "  signedBy: {signers: [platform]}\n",
        "",
        &["spec.signedBy", "Required value"],
    ),
    (
        BUNDLE,
        "  ref:",
        "  pollInterval: 1s\n  ref:",
        &["spec.pollInterval", "between 10s and 24h"],
    ),
    (
        BUNDLE,
        "  ref:",
        "  pollInterval: soon\n  ref:",
        &["spec.pollInterval", "must be a duration", "for example 5m"],
    ),
    (
        BUNDLE,
        "  ref:",
        "  limits: {memory: lots}\n  ref:",
        &["spec.limits", "memory must be a size between 4Mi and 2Gi"],
    ),
    (
        BUNDLE,
        "  ref:",
        "  input: Everything\n  ref:",
        &["spec.input", "\"Dossier\", \"Object\", \"GatekeeperReview\""],
    ),
    (
        BUNDLE,
        "  ref:",
        "  limits: {memory: 1Ki}\n  ref:",
        &["spec.limits", "memory must be a size between 4Mi and 2Gi"],
    ),
    (
        BUNDLE,
        "  ref:",
        "  limits: {memory: 268435456}\n  ref:",
        &[
            "spec.limits",
            "memory must be a size between 4Mi and 2Gi, for example 256Mi",
        ],
    ),
    (
        BUNDLE,
        "  ref:",
        "  limits: {deadline: 1h}\n  ref:",
        &["spec.limits.deadline", "between 10ms and 30s"],
    ),
    (
        BUNDLE,
        "  ref:",
        "  limits: {resultSize: 1Gi}\n  ref:",
        &["spec.limits", "resultSize must be a size between 1Ki and 16Mi"],
    ),
    (
        TRACK,
        "[{group: apps, kind: Deployment}]",
        "[]",
        &["spec.match.kinds", "at least 1 items"],
    ),
    (
        TRACK,
        "kind: Deployment}",
        "kind: deployments}",
        &["spec.match.kinds[0].kind", "^[A-Z]"],
    ),
    (
        TRACK,
        "[{group: apps, kind: Deployment}]",
        "[{kind: Secret}]",
        &["spec.match.kinds[0]", "Secrets are not judged"],
    ),
    (
        TRACK,
        "  match:",
        "  priority: -1\n  match:",
        &["spec.priority", "greater than or equal to 0"],
    ),
    (TRACK, "[{name: baseline}]", "[]", &["spec.bundles", "at least 1 items"]),
    (
        TRACK,
        "[{name: baseline}]",
        "[{name: baseline}, {name: baseline}]",
        &["spec.bundles", "baseline"],
    ),
    (
        TRACK,
        "  bundles:",
        "  gates: [{id: C-01, level: Block}]\n  bundles:",
        &["spec.gates[0].level", "\"Enforce\", \"Warn\", \"Audit\", \"Off\""],
    ),
    (
        TRACK,
        "  bundles:",
        "  gates: [{id: C-01, level: Enforce, effectiveOn: tomorrow}]\n  bundles:",
        &["spec.gates[0].effectiveOn", "date-time"],
    ),
    (
        TRACK,
        "  bundles:",
        "  gates: [{id: C-01, level: Warn, effectiveOn: \"2030-01-01T00:00:00Z\"}]\n  bundles:",
        &["spec.gates[0]", "effectiveOn needs level Enforce"],
    ),
    (
        TRACK,
        "  bundles:",
        "  signedBy: {}\n  bundles:",
        &["spec.signedBy", "name the signers of images, of models, or of both"],
    ),
    (
        TRACK,
        "  bundles:",
        "  signedBy: {models: {signers: [a], threshold: 2}}\n  bundles:",
        &["spec.signedBy.models", "lower the threshold"],
    ),
    (
        TRACK,
        "  bundles:",
        "  signedBy: {images: {signers: [a], duties: [{name: b, signers: [c]}]}}\n  bundles:",
        &["spec.signedBy.images", "none of the signers: add the name to signers"],
    ),
    (
        TRACK,
        "  bundles:",
        "  pullSecrets: [{name: a}, {name: a}]\n  bundles:",
        &["spec.pullSecrets", "duplicate entries"],
    ),
    (
        TRACK,
        "    kinds:",
        "    objectSelector: {matchExpressions: [{key: a, operator: DoesNotExist}]}\n    kinds:",
        &["objectSelector.matchExpressions[0].operator", "\"In\", \"Exists\""],
    ),
    (
        TRACK,
        "    kinds:",
        "    objectSelector: {matchExpressions: [{key: a, operator: In}]}\n    kinds:",
        &["objectSelector.matchExpressions[0]", "operator In needs values"],
    ),
    (
        TRACK,
        "    kinds:",
        "    namespaceSelector: {matchExpressions: [{key: a, operator: Like, values: [b]}]}\n    kinds:",
        &[
            "spec.match.namespaceSelector",
            "operator must be In or NotIn with values",
        ],
    ),
    (
        TRACK,
        "    kinds:",
        "    namespaceSelector: {matchExpressions: [{key: a, operator: NotIn}]}\n    kinds:",
        &[
            "spec.match.namespaceSelector",
            "operator must be In or NotIn with values",
        ],
    ),
    (
        MONITOR,
        "prometheus:9090",
        "prometheus:9090/?query=up",
        &[
            "spec.driftMonitor.prometheus.url",
            "without a query and without /api/v1",
        ],
    ),
    (
        MONITOR,
        "prometheus:9090",
        "prometheus:65536",
        &["spec.driftMonitor.prometheus.url", "with a port between 1 and 65535"],
    ),
    (
        MONITOR,
        "prometheus:9090",
        "prometheus:0",
        &["spec.driftMonitor.prometheus.url", "with a port between 1 and 65535"],
    ),
    (
        MONITOR,
        "{matchLabels: {job: detector}}",
        "{}",
        &["spec.driftMonitor.target", "give at least one of matchLabels"],
    ),
    (
        MONITOR,
        "{matchLabels: {job: detector}}",
        "{matchLabels: {}}",
        &["spec.driftMonitor.target", "give at least one of matchLabels"],
    ),
    (
        MONITOR,
        "{matchLabels: {job: detector}}",
        "{namespaceLabel: a, nameLabel: a}",
        &["spec.driftMonitor.target", "are the same label"],
    ),
    (
        MONITOR,
        "nameLabel: modelId",
        "nameLabel: namespace",
        &["spec.driftMonitor.workload", "are the same label"],
    ),
    (
        MONITOR,
        "nameLabel: modelId",
        "nameLabel: model, namespaceLabel: model",
        &["spec.driftMonitor.workload", "are the same label"],
    ),
    (
        MONITOR,
        "http://",
        "file://",
        &["spec.driftMonitor.prometheus.url", "must be http://HOST[:PORT]"],
    ),
    (
        MONITOR,
        "interval: 1m",
        "interval: 100ms",
        &["spec.driftMonitor.interval", "must be a duration between 1s and 24h"],
    ),
    (
        MONITOR,
        "timeout: 10s",
        "timeout: 1h",
        &["spec.driftMonitor.prometheus.timeout", "between 100ms and 2m"],
    ),
    (
        MONITOR,
        "maxAge: 5m",
        "maxAge: soon",
        &[
            "spec.driftMonitor.series[0].maxAge",
            "must be a duration between 1s and 168h",
        ],
    ),
    (
        MONITOR,
        "metric: drift",
        "metric: \"drift{a='b'}\"",
        &["spec.driftMonitor.series[0].metric"],
    ),
    (
        MONITOR,
        "nameLabel: modelId",
        "nameLabel: model-id",
        &["spec.driftMonitor.workload.nameLabel"],
    ),
    (
        MONITOR,
        "{feature: age}",
        "{\"fea-ture\": age}",
        &[
            "spec.driftMonitor.series[0].matchLabels",
            "label names are letters, digits and underscores",
        ],
    ),
    (
        MONITOR,
        "{job: detector}",
        "{\"1job\": detector}",
        &["spec.driftMonitor.target.matchLabels", "do not start with a digit"],
    ),
    (
        RELEASE,
        "apps/v1",
        "apps/v1/x",
        &["spec.subject.apiVersion", "must be GROUP/VERSION"],
    ),
    (
        RELEASE,
        "kind: Deployment,",
        "kind: deploy,",
        &["spec.subject.kind", "^[A-Z]"],
    ),
    (RELEASE, ", name: cart}", "}", &["spec.subject.name", "Required value"]),
    (
        RELEASE,
        "name: cart}",
        "name: cart, namespace: other}",
        &["namespace", "field not declared in schema"],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_documents_are_refused_with_advice() -> Result<()> {
    let env = TestEnv::new("api-wrong").await?;
    for good in [
        ROOT, SIGNER, WITNESSED, KEYLESS, AUTHORITY, REVOCATION, BUNDLE, TRACK, MONITOR, RELEASE,
    ] {
        env.apply(good)
            .await
            .with_context(|| format!("this one is right:\n{good}"))?;
    }
    let mut problems = Vec::new();
    for (good, from, to, wanted) in WRONG {
        let wrong = good.replacen(from, to, 1).replace("name: api", "name: wrong");
        ensure!(good.contains(from), "{from} is not in the document");
        match env.apply(&wrong).await {
            Ok(_) => problems.push(format!("accepted: {to}\n{wrong}")),
            Err(error) => {
                let message = error.root_cause().to_string();
                for part in wanted.iter().filter(|part| !message.contains(**part)) {
                    problems.push(format!("{to}: no {part:?} in: {message}"));
                }
            }
        }
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_applied_twice_is_written_once() -> Result<()> {
    let env = TestEnv::new("api-twice").await?;
    for good in [
        ROOT, SIGNER, WITNESSED, KEYLESS, AUTHORITY, REVOCATION, BUNDLE, TRACK, MONITOR, RELEASE,
    ] {
        let good = good.replace("name: api", "name: twice");
        let first = env.apply(&good).await?.remove(0);
        let second = env.apply(&good).await?.remove(0);
        ensure!(
            first.metadata.resource_version == second.metadata.resource_version,
            "applied twice: {good}"
        );
        // With all its defaults written out, as `kubectl get -o yaml` gives it, it is still the same.
        let mut whole = documents(&good)?.remove(0);
        let spec = second.data.get("spec").cloned().context("no spec")?;
        whole
            .as_object_mut()
            .context("no object")?
            .insert("spec".to_owned(), spec.clone());
        let third = apply(&env.client, &env.namespace, &serde_json::to_string(&whole)?)
            .await?
            .remove(0);
        ensure!(
            third.data.get("spec") == Some(&spec),
            "{spec} became {:?}",
            third.data.get("spec")
        );
        ensure!(
            third.metadata.generation == second.metadata.generation,
            "a default changes nothing: {good}"
        );
    }
    let bundle = env
        .apply(&BUNDLE.replace("name: api}", "name: twice}"))
        .await?
        .remove(0);
    let spec = bundle.data.get("spec").cloned().unwrap_or_default();
    let defaults = [
        ("/pollInterval", "300s"),
        ("/input", "Dossier"),
        ("/limits/memory", "256Mi"),
        ("/limits/deadline", "1s"),
        ("/limits/resultSize", "1Mi"),
    ];
    for (pointer, default) in defaults {
        let found = spec.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        ensure!(found == default, "{pointer} is {found:?}, not {default:?}");
    }
    ensure!(spec.pointer("/signedBy/threshold") == Some(&Value::from(1)), "{spec}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_shows_and_explains() -> Result<()> {
    let env = TestEnv::new("api-kubectl").await?;
    env.apply(
        &[ROOT, SIGNER, REVOCATION, BUNDLE, TRACK, RELEASE]
            .map(|good| good.replace("name: api}", "name: shown}"))
            .join("---\n"),
    )
    .await?;
    let columns = [
        (vec!["trustroots"], "NAME READY REASON EXPIRES AGE"),
        (vec!["signers"], "NAME ALGORITHM TRUSTROOT READY REASON EXPIRES AGE"),
        (vec!["revocations"], "NAME REASON AGE"),
        (vec!["policybundles"], "NAME REVISION READY REASON AGE"),
        (vec!["tracks"], "NAME PRIORITY GOVERNED DENIED READY AGE"),
        (
            vec!["releases", "-n", &env.namespace],
            "NAME TRACK VERDICT SIGNED DRIFT AGE",
        ),
        (
            vec!["releases", "-o", "wide", "-n", &env.namespace],
            "NAME TRACK VERDICT SIGNED DRIFT AGE GATE MESSAGE",
        ),
    ];
    for (what, wanted) in columns {
        let shown = kubectl(&env, &[&["get"], what.as_slice()].concat()).await?;
        let header: Vec<_> = shown.lines().next().unwrap_or_default().split_whitespace().collect();
        ensure!(header.join(" ") == wanted, "{what:?} shows\n{shown}");
        ensure!(shown.contains("shown"), "{shown}");
    }
    let everything = kubectl(&env, &["get", "interlock", "-n", &env.namespace]).await?;
    ensure!(
        [
            "trustroot",
            "signer",
            "revocation",
            "policybundle",
            "governancetrack",
            "release"
        ]
        .iter()
        .all(|kind| everything.contains(kind)),
        "{everything}"
    );
    let explained = [
        ("trustroot.spec.digest", "sha256sum trusted_root.json"),
        ("signer.spec.publicKey.pem", "cosign.pub"),
        ("signer.spec.publicKey.notAfter", "goes on counting"),
        ("signer.spec.formats", "Left out: `Bundle` and `OldBundle`"),
        ("signer.spec.keyless.identities.claims", "sourceRepositoryRef"),
        ("revocation.spec.keys", "status.fingerprint"),
        ("signer.spec.certificateAuthority.signingTime", "counts for ever"),
        ("policybundle.spec.signedBy", "threshold"),
        ("policybundle.spec.signedBy.duties", "Separation of duties"),
        ("policybundle.spec.ref.digest", "deliberate way"),
        ("policybundle.spec.limits.memory", "256Mi"),
        ("track.spec.match.objectSelector", "never their absence"),
        ("track.spec.match.namespaceSelector", "Namespaces by their labels"),
        ("track.spec.gates.level", "in quotes"),
        ("release.spec.subject.apiVersion", "apps/v1"),
        ("release.status.verdict", "The strongest gate decides"),
    ];
    for (field, wanted) in explained {
        let text = kubectl(&env, &["explain", field]).await?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(text.contains(wanted), "explain {field}: {text}");
    }
    Ok(())
}

async fn kubectl(env: &TestEnv, arguments: &[&str]) -> Result<String> {
    let output = tokio::process::Command::new(tool("kubectl")?)
        .arg("--kubeconfig")
        .arg(env.control_plane.kubeconfig())
        .args(arguments)
        .output()
        .await?;
    if !output.status.success() {
        bail!(
            "kubectl {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}
