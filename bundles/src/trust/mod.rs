//! Who vouches for what: pure, synchronous, offline.
//!
//! [`TrustPolicy::verify`] turns a [`Pulled`](crate::registry::Pulled) bundle into a [`Verified`] one;
//! [`TrustPolicy::check`] tells every check by name. Supported: Sigstore bundles 0.1 to 0.3 signed with
//! a key, which is what `cosign sign --key` writes. Not supported yet: certificates (keyless), and
//! requiring transparency log entries or timestamps. [`TrustPolicy::verify_model`] does the same for the signature file of
//! a model, which brings its own list of files.

mod blob;
mod envelope;
mod key;
mod model;
mod policy;
mod statement;
#[cfg(test)]
mod tests;
mod verification;
mod verified;

pub use blob::{Blob, NeedsContent};
pub use key::{KeyError, PublicKey};
pub use model::{ModelSignature, UntrustedModel};
pub use policy::{Signer, TrustPolicy};
pub use statement::SIGNATURE_PREDICATE;
pub use verification::{Check, CheckOutcome, Refusal, RefusalReason, Untrusted, Verification, VerificationOutcome};
pub use verified::{BuiltIn, LocalFile, LocalFileError, Provenance, Verified};
