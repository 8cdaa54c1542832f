//! Signer: who may sign. Policy bundles, and tracks for images and models, name Signers.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::condition::Condition;

/// A Signer is somebody whose signatures count: the holder of a private key, or whoever a certificate names. Two Signers
/// with the same key, or whose signature one certificate made, are one signer when a threshold is counted.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "interlock.dev",
    version = "v1alpha1",
    kind = "Signer",
    plural = "signers",
    category = "interlock",
    status = "SignerStatus",
    derive = "PartialEq",
    doc = "A Signer is somebody whose signatures count. PolicyBundles and GovernanceTracks name the Signers they accept.",
    printcolumn(name = "Algorithm", type_ = "string", json_path = ".status.algorithm"),
    printcolumn(name = "TrustRoot", type_ = "string", json_path = ".spec.*.trustRoot"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.expires"),
    printcolumn(name = "Key", type_ = "string", json_path = ".status.fingerprint", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.publicKey), has(self.keyless), has(self.certificateAuthority)].filter(is, is).size() == 1")
        .message("exactly one of publicKey, keyless and certificateAuthority must be set: make a Signer for each"),
    validation = Rule::new("!has(self.formats) || !('Legacy' in self.formats) || (has(self.publicKey) && !has(self.publicKey.trustRoot))")
        .message("formats may have Legacy only with a publicKey of which nothing is demanded: what logs and timestamp authorities say of such signatures is not looked into")
)]
pub struct SignerSpec {
    /// The public key whose signatures count, as `cosign generate-key-pair` writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKeySource>,
    /// Whose certificates count: signatures without a key of one's own, as `cosign sign` makes them in a pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyless: Option<Keyless>,
    /// Whose certificates count that an authority of one's own has issued: signatures with a key and a certificate for it, as
    /// `model_signing sign certificate` makes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<CertificateAuthority>,
    /// The formats in which signatures count: `Bundle` is a Sigstore bundle of version 0.3, which cosign 3 writes;
    /// `OldBundle` one of version 0.1 or 0.2; `Legacy` what cosign wrote before version 3, under the tag `sha256-….sig`:
    /// only looked for where it is named, and only of keys of which nothing is demanded. Left out: `Bundle` and `OldBundle`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub formats: Vec<SignatureFormat>,
}

/// A form in which a signature comes.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureFormat {
    /// A Sigstore bundle of version 0.3.
    Bundle,
    /// One of version 0.1 or 0.2.
    OldBundle,
    /// What cosign wrote before version 3.
    Legacy,
}

impl SignerSpec {
    /// Name of the TrustRoot on whose word it relies, if it does.
    pub fn trust_root(&self) -> Option<&str> {
        let of_key = self.public_key.as_ref().and_then(|key| key.trust_root.as_deref());
        let of_keyless = self.keyless.as_ref().map(|keyless| keyless.trust_root.as_str());
        let authority = self.certificate_authority.as_ref();
        let of_authority = authority.and_then(|authority| authority.trust_root.as_deref());
        of_key.or(of_keyless).or(of_authority)
    }
}

/// A public key, and what its signatures must have besides. Without more than the key, a signature counts at any time.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.trustRoot) || !(has(self.notBefore) || has(self.notAfter) || (has(self.transparencyLog) && self.transparencyLog == 'Required') || (has(self.timestamp) && self.timestamp == 'Required'))")
        .message("notBefore, notAfter, transparencyLog: Required and timestamp: Required take a trustRoot: nobody else can say when a signature was made"),
    validation = Rule::new("!has(self.trustRoot) || has(self.notBefore) || has(self.notAfter) || (has(self.transparencyLog) && self.transparencyLog == 'Required') || (has(self.timestamp) && self.timestamp == 'Required')")
        .message("trustRoot is of use with notBefore, notAfter, transparencyLog: Required or timestamp: Required only: add what is demanded, or leave it out"),
    validation = Rule::new("!has(self.notBefore) || !has(self.notAfter) || self.notBefore < self.notAfter")
        .message("notBefore must be earlier than notAfter")
)]
pub struct PublicKeySource {
    /// The key in PEM: `-----BEGIN PUBLIC KEY-----` (a SubjectPublicKeyInfo, RFC 5280). ECDSA P-256, P-384 and P-521,
    /// Ed25519, and RSA of 2048 bits or more are accepted; log entries and timestamps of P-521 keys cannot be checked.
    /// Example: the content of `cosign.pub`.
    #[schemars(length(min = 1, max = 16384))]
    #[x_kube(
        validation = Rule::new("self.contains('-----BEGIN PUBLIC KEY-----') && self.contains('-----END PUBLIC KEY-----')")
            .message("must be a PEM public key: paste the content of cosign.pub, from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----"),
        validation = Rule::new("!self.contains('PRIVATE KEY')")
            .message("must not hold a private key: only the public key belongs here; revoke the private key you pasted")
    )]
    pub pem: String,
    /// From when on the key counts (RFC 3339), by the time that a timestamp authority or a log of the trust root says. A
    /// signature that none of them dates does not count then. An older signature can be dated later by anybody. Example: `2026-01-31T00:00:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// Until when the key counts. What it signed before goes on counting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Time>,
    /// Name of the TrustRoot whose logs and timestamp authorities are believed. Example: `public-sigstore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub trust_root: Option<String>,
    /// Whether the signature has to be in a transparency log of the trust root. Left out: `NotRequired`.
    // No default, which the API server would write into every Signer that is there before an upgrade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transparency_log: Option<Demand>,
    /// Whether a timestamp authority of the trust root must have seen the signature (RFC 3161). Left out: `NotRequired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Demand>,
}

/// What is demanded of those who bring nothing but a key or a chain.
fn not_required() -> Demand {
    Demand::NotRequired
}

/// Somebody who signs with a certificate that was issued for the occasion.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Keyless {
    /// Name of the TrustRoot whose authorities and logs count. Example: `public-sigstore`.
    #[schemars(length(min = 1, max = 253))]
    pub trust_root: String,
    /// Whom the certificate has to name: one of these. All of them are this one signer when a threshold is counted.
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub identities: Vec<IdentityRule>,
    /// Whether the signature has to be in a transparency log of the trust root. An entry that is there must be about this
    /// signature in any case.
    #[serde(default)]
    pub transparency_log: Demand,
    /// Whether the certificate has to carry the promise of a certificate log of the trust root.
    #[serde(default)]
    pub certificate_log: Demand,
}

/// Somebody who signs with a certificate of an authority of one's own. The chain comes with the signature; the signer's
/// certificate has to be for signing code (extended key usage).
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.signingTime != 'Trusted' || has(self.trustRoot)")
        .message("signingTime: Trusted takes a trustRoot, whose logs and timestamp authorities say when a signature was made; signingTime: Issuance does without"),
    validation = Rule::new("self.signingTime != 'Issuance' || !(has(self.trustRoot) || self.transparencyLog == 'Required' || self.timestamp == 'Required')")
        .message("signingTime: Issuance asks no log and no timestamp authority: leave trustRoot, transparencyLog: Required and timestamp: Required out, or signingTime")
)]
pub struct CertificateAuthority {
    /// The authority's root certificates in PEM. There are no others: none is taken from a signature, from the system or
    /// from the network.
    #[schemars(length(min = 1, max = 65536))]
    #[x_kube(
        validation = Rule::new("self.contains('-----BEGIN CERTIFICATE-----')")
            .message("must be certificates in PEM, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----"),
        validation = Rule::new("!self.contains('PRIVATE KEY')")
            .message("must not hold a private key: only certificates belong here; revoke the key you pasted")
    )]
    pub roots: String,
    /// Certificates in PEM between those and the signer's, which need not come with each signature then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    #[x_kube(
        validation = Rule::new("self.contains('-----BEGIN CERTIFICATE-----')")
            .message("must be certificates in PEM, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----"),
        validation = Rule::new("!self.contains('PRIVATE KEY')")
            .message("must not hold a private key: only certificates belong here; revoke the key you pasted")
    )]
    pub intermediates: Option<String>,
    /// Whom the certificate has to name: one of its e-mail addresses, URIs and DNS names; or, if it has no alternative names,
    /// its common name. One of these rules must fit. All of them are this one signer when a threshold is counted. Example:
    /// `[{exact: release@example.com}]`.
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub subjects: Vec<TextRule>,
    /// When the certificates have to be valid: `Trusted` is when a timestamp authority, or a log of Rekor v1, of the trust
    /// root says that it was signed; `Issuance` when the signer's certificate was issued: a signature counts for ever, also
    /// one that is made after the certificate ended, as model-signing has it.
    #[serde(default)]
    pub signing_time: SigningTime,
    /// Name of the TrustRoot whose logs and timestamp authorities are believed. It needs no certificate authority. Example:
    /// `public-sigstore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub trust_root: Option<String>,
    /// Whether the signature has to be in a transparency log of the trust root.
    #[serde(default = "not_required")]
    pub transparency_log: Demand,
    /// Whether a timestamp authority of the trust root must have seen the signature (RFC 3161).
    #[serde(default = "not_required")]
    pub timestamp: Demand,
}

/// When certificates have to be valid.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SigningTime {
    /// When others say that it was signed, who are trusted.
    #[default]
    Trusted,
    /// When the signer's certificate was issued, whenever it was used.
    Issuance,
}

/// Whether something has to be there.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
    /// It has to be there.
    #[default]
    Required,
    /// It may be missing.
    NotRequired,
}

/// Whom a certificate has to name: issuer, subject and each claim must fit.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IdentityRule {
    /// Who vouches for the subject: the address of an OIDC issuer. Example:
    /// `{exact: "https://token.actions.githubusercontent.com"}`.
    pub issuer: TextRule,
    /// Who signed: an e-mail address, or the URI of a workflow. Example:
    /// `{exact: "https://github.com/acme/cart/.github/workflows/release.yaml@refs/heads/main"}`.
    pub subject: TextRule,
    /// What Fulcio must have written into the certificate about the build besides, by its names:
    /// `buildSignerURI`, `buildSignerDigest`, `runnerEnvironment`, `sourceRepositoryURI`, `sourceRepositoryDigest`,
    /// `sourceRepositoryRef`, `sourceRepositoryOwnerURI`, `buildConfigURI`, `buildConfigDigest`, `buildTrigger`,
    /// `sourceRepositoryVisibilityAtSigning`. A certificate without the claim does not fit. Example:
    /// `{sourceRepositoryRef: {exact: refs/heads/main}}`.
    // A map and not a struct: the API server drops a field that it does not know, and a demand would be gone by a slip.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 11))]
    #[x_kube(
        validation = Rule::new("self.all(name, name in ['buildSignerURI', 'buildSignerDigest', 'runnerEnvironment', 'sourceRepositoryURI', 'sourceRepositoryDigest', 'sourceRepositoryRef', 'sourceRepositoryOwnerURI', 'buildConfigURI', 'buildConfigDigest', 'buildTrigger', 'sourceRepositoryVisibilityAtSigning'])")
            .message("no claim is called so: kubectl explain signer.spec.keyless.identities.claims lists them")
    )]
    pub claims: BTreeMap<String, TextRule>,
}

/// What a text has to be.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.exact) != has(self.pattern)")
        .message("exactly one of exact and pattern must be set")
)]
pub struct TextRule {
    /// Exactly this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub exact: Option<String>,
    /// A regular expression that has to match from beginning to end; it must not match the empty text. Example:
    /// `https://github\.com/acme/.+`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(
        validation = Rule::new("!''.matches(self)")
            .message("matches the empty text: say what there has to be, or .+ for anything")
    )]
    pub pattern: Option<String>,
}

/// What the operator knows of a Signer.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SignerStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// SHA-256 of the key's DER encoding, `sha256:<hex>`: the identity by which distinct signers are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The key's algorithm, for example `ECDSA P-256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// SHA-256 of the DER encoding of each root certificate's key, `sha256:<hex>`, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub root_fingerprints: Vec<String>,
    /// Digest of the trusted_root.json on whose word signatures count, `sha256:<hex>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_root_digest: Option<String>,
    /// Until when new signatures can count: the key, the last root certificate, or the last of those whose word is needed,
    /// ends then. What was signed before stays good. Absent: no end is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    /// `Ready`, and while it is not: `Reconciling` or `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
