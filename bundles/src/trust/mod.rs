//! Who vouches for what: pure, synchronous, offline.
//!
//! [`TrustPolicy::verify`] turns a [`Pulled`](crate::registry::Pulled) bundle into a [`Verified`] one;
//! [`TrustPolicy::check`] tells every check by name. Supported: Sigstore bundles 0.1 to 0.3, signed with a key, or with
//! a certificate under a [`TrustRoot`] that was given (keyless). Not supported yet: requiring transparency log entries or
//! timestamps of keys, and certificates from elsewhere. [`TrustPolicy::verify_model`] does the same for the signature file
//! of a model, which brings its own list of files.
//!
//! One clock is read: a log entry from the future is refused.

mod blob;
mod envelope;
mod identity;
mod key;
mod keyless;
mod model;
mod policy;
mod root;
mod signer;
mod statement;
#[cfg(test)]
mod tests;
mod verification;
mod verified;

pub use blob::{Blob, NeedsContent};
pub use identity::{Claim, IdentityRule, Pattern, PatternError, Rule};
pub use key::{KeyError, PublicKey};
pub use model::{ModelSignature, UntrustedModel};
pub use policy::TrustPolicy;
pub use root::{Authority, AuthorityRole, TrustRoot, TrustRootError};
pub use signer::{Keyless, Means, Signer};
pub use statement::SIGNATURE_PREDICATE;
pub use verification::{Check, CheckOutcome, Refusal, RefusalReason, Untrusted, Verification, VerificationOutcome};
pub use verified::{BuiltIn, LocalFile, LocalFileError, Provenance, Verified};
