//! What bundles and evidence share when the operator speaks to registries: pull secrets, who stands behind the names of
//! Signers and TrustRoots, what is revoked, and failures in words that last.

pub(super) mod credentials;
pub(super) mod revocations;
pub(super) mod roots;
pub(super) mod signers;

use interlock_bundles::registry::RegistryError;

use crate::judge::chain;

/// A failure in the words of a condition. How long a registry asks to wait changes from answer to answer; a condition
/// should not.
pub(super) fn message(error: &RegistryError) -> String {
    match error {
        RegistryError::Throttled { at, .. } => format!("{at}: the registry asks to slow down"),
        other => chain(other),
    }
}
