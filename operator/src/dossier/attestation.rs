//! What signers who count attest about one artifact. Found out ahead of any judgement; a dossier only carries it.

use interlock_bundles::trust;
use interlock_bundles::trust::Verified;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Source;

/// All attestations of one predicate type about one artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attestations {
    /// The predicate type, as the track names it.
    pub predicate_type: String,
    /// What the registry has of it.
    #[serde(flatten)]
    pub found: Source<Attested>,
}

/// The attestations that count, and what else was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attested {
    /// Those whose signature, subject, type, signer and age hold, by the digest of their evidence.
    pub items: Vec<Attestation>,
    /// What does not count, at most eight; absent if there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedAttestation>,
}

/// One attestation that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attestation {
    /// The digest of the signed bundle, `sha256:<hex>`.
    pub evidence: String,
    /// Signers who attest it, sorted.
    pub signers: Vec<String>,
    /// When a trusted clock saw the signature; absent if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub signed_at: Option<Timestamp>,
    /// What they say: the statement's `predicate`.
    pub predicate: Value,
}

/// One that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedAttestation {
    /// The digest of the bundle, `sha256:<hex>`.
    pub evidence: String,
    /// Stable CamelCase word, for example `UntrustedKey`. Of what nobody who counts has signed, the type is not known:
    /// it may be something else than an attestation.
    pub reason: String,
}

impl Attested {
    /// Refused ones that a dossier lists.
    pub const MOST_REFUSED: usize = 8;

    /// What was found, for a dossier.
    pub fn of(found: &trust::Attested) -> Self {
        let refused = found.refusals.iter().take(Self::MOST_REFUSED);
        Self {
            items: found.attestations.iter().map(Attestation::of).collect(),
            refused: refused
                .map(|refusal| RefusedAttestation {
                    evidence: refusal.evidence.to_string(),
                    reason: refusal.reason.as_str().to_owned(),
                })
                .collect(),
        }
    }
}

impl Attestation {
    /// Nothing but what is verified can get here.
    fn of(verified: &Verified<trust::Attestation>) -> Self {
        let attestation = verified.get();
        Self {
            evidence: attestation.evidence.to_string(),
            signers: attestation.signers.clone(),
            signed_at: attestation.signed_at,
            predicate: attestation.predicate.clone(),
        }
    }
}
