//! From the names of Signers to their keys.

use interlock_bundles::trust::{self, KeyError, PublicKey, TrustPolicy};
use interlock_crds::Signer;
use interlock_crds::bundle::SignedBy;

use crate::operator::source::Source;

/// Why it is not known who may sign.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignerProblem {
    /// There is no such Signer. It may come with the next object of the same commit.
    #[error("there is no Signer {name}: create it, or correct {field}")]
    NotFound {
        /// Its name.
        name: String,
        /// Where it is named.
        field: &'static str,
    },
    /// Its key is refused.
    #[error("Signer {name}")]
    NotReady {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: KeyError,
    },
}

impl SignerProblem {
    /// Stable word for conditions.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "SignerNotFound",
            Self::NotReady { .. } => "SignerNotReady",
        }
    }
}

/// The keys of those who may sign. `field` is where they are named, for messages.
pub(crate) fn trust_policy(
    signers: &Source<Signer>,
    wanted: &SignedBy,
    field: &'static str,
) -> Result<TrustPolicy, SignerProblem> {
    let mut found = Vec::new();
    for name in &wanted.signers {
        let Some(signer) = signers.get("", name) else {
            let name = name.clone();
            return Err(SignerProblem::NotFound { name, field });
        };
        let key = PublicKey::from_pem(&signer.spec.public_key.pem).map_err(|source| SignerProblem::NotReady {
            name: name.clone(),
            source,
        })?;
        found.push(trust::Signer::with_key(name, key));
    }
    Ok(TrustPolicy {
        signers: found,
        threshold: wanted.threshold,
    })
}
