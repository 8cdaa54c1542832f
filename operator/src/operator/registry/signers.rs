//! From the names of Signers to who may sign: their keys, or whom certificates have to name, and on whose word.

mod read;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use interlock_bundles::trust::{self, Duty, TrustPolicy, TrustRoot};
use interlock_crds::Signer;
use interlock_crds::bundle::SignedBy;
use kube::ResourceExt as _;

pub(crate) use self::read::Unusable;
use self::read::read;
use super::revocations::RevocationProblem;
use crate::dossier::Unavailable;
use crate::operator::sources::Sources;

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
    /// It says nothing that can be used.
    #[error("Signer {name}")]
    NotReady {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: Box<Unusable>,
    },
    /// Signers or their roots cannot be looked at any more: what is known of them may not hold.
    #[error("{}", .0.message)]
    Unavailable(Unavailable),
    /// It is not known what of theirs counts no more.
    #[error(transparent)]
    Revocations(#[from] RevocationProblem),
}

impl SignerProblem {
    /// Stable word for conditions.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::NotFound { .. } => "SignerNotFound",
            Self::NotReady { .. } => "SignerNotReady",
            Self::Unavailable(why) => &why.reason,
            Self::Revocations(problem) => problem.reason(),
        }
    }

    /// Whether it may go away without a change of what is in the way.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::NotFound { .. } | Self::Unavailable(_) => true,
            Self::NotReady { source, .. } => source.is_transient(),
            Self::Revocations(problem) => problem.is_transient(),
        }
    }
}

/// What Signers mean, by their names, as long as they and their roots stay the same: patterns are large once they are
/// compiled, and every workload's wishes hold them.
#[derive(Default)]
pub(crate) struct Signers(Mutex<HashMap<String, Known>>);

struct Known {
    object: Arc<Signer>,
    root: Option<TrustRoot>,
    signers: Vec<trust::Signer>,
}

/// Those who may sign, and what does not count whoever did. `field` is where they are named, for messages.
pub(crate) fn trust_policy(
    sources: &Sources,
    wanted: &SignedBy,
    field: &'static str,
) -> Result<TrustPolicy, SignerProblem> {
    let blind = sources
        .signers
        .unavailable()
        .or_else(|| sources.trust_roots.unavailable());
    if let Some(why) = blind {
        return Err(SignerProblem::Unavailable(why));
    }
    let mut found = Vec::new();
    for name in &wanted.signers {
        let Some(signer) = sources.signers.get("", name) else {
            let name = name.clone();
            return Err(SignerProblem::NotFound { name, field });
        };
        let signers = resolve(sources, &signer);
        found.extend(signers.map_err(|source| SignerProblem::NotReady {
            name: name.clone(),
            source: Box::new(source),
        })?);
    }
    let duties = wanted.duties.iter().map(|duty| Duty {
        name: duty.name.clone(),
        signers: duty.signers.iter().cloned().collect(),
    });
    Ok(TrustPolicy {
        duties: duties.collect(),
        revoked: sources.known_revocations.read(sources)?,
        ..TrustPolicy::new(found, wanted.threshold)
    })
}

/// Those who sign as this Signer: one for each key or identity, all under its name.
pub(crate) fn resolve(sources: &Sources, signer: &Arc<Signer>) -> Result<Vec<trust::Signer>, Unusable> {
    let root = signer.spec.trust_root().map(|name| root(sources, name)).transpose()?;
    let name = signer.name_any();
    let mut known = sources.known_signers.0.lock().unwrap_or_else(PoisonError::into_inner);
    let is_current = |known: &&Known| Arc::ptr_eq(&known.object, signer) && known.root == root;
    if let Some(known) = known.get(&name).filter(is_current) {
        return Ok(known.signers.clone());
    }
    known.retain(|name, _| sources.signers.get("", name).is_some());
    let signers = read(signer, root.as_ref())?;
    let entry = Known {
        object: Arc::clone(signer),
        root,
        signers: signers.clone(),
    };
    known.insert(name, entry);
    Ok(signers)
}

fn root(sources: &Sources, name: &str) -> Result<TrustRoot, Unusable> {
    let object = sources.trust_roots.get("", name);
    let name = name.to_owned();
    let Some(object) = object else {
        return Err(Unusable::RootNotFound { name });
    };
    let root = sources.known_roots.read(sources, &object);
    root.map_err(|source| Unusable::RootNotReady { name, source })
}

/// The Signers that trust a root.
pub(crate) fn trusting(sources: &Sources, root: &str) -> Vec<String> {
    let found = sources.signers.filter(|signer| signer.spec.trust_root() == Some(root));
    found.iter().map(|signer| signer.name_any()).collect()
}
