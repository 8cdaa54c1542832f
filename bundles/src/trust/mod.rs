//! Who vouches for what: pure, synchronous, offline.
//!
//! [`TrustPolicy::verify`] turns a [`Pulled`](crate::registry::Pulled) bundle into a [`Verified`] one;
//! [`TrustPolicy::check`] tells every check by name. Supported: Sigstore bundles 0.1 to 0.3, signed with a
//! key, with a certificate under a [`TrustRoot`] that was given (keyless), or with one of a [`CertificateAuthority`] of one's
//! own; and cosign's older format, for keys. A [`Signer`] says what a signature of theirs must have, and in which formats it
//! counts; a [`TrustPolicy`] how many it takes, who has which [`Duty`], and what is [`Revoked`]. [`TrustPolicy::verify_model`] does the same for the signature file
//! of a model, which brings its own list of files, and [`AttestationPolicy::attested`] finds what signers who count say of
//! an artifact besides.
//!
//! One clock is read: a log entry from the future is refused.

mod attestation;
mod authority;
mod blob;
mod certified;
mod duties;
mod envelope;
mod format;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod identity;
mod issued;
mod key;
mod keyed;
mod keyless;
mod legacy;
mod library;
mod listed;
mod model;
mod policy;
mod revoked;
mod root;
mod signer;
mod statement;
#[cfg(test)]
mod tests;
mod verification;
mod verified;
mod vouch;

pub use attestation::{Attestation, AttestationPolicy, Attested, TooManyAttestations};
pub use authority::{AuthorityError, CertificateAuthority};
pub use blob::{Blob, NeedsContent};
pub use duties::Duty;
pub use format::SignatureFormat;
pub use identity::{Claim, IdentityRule, Pattern, PatternError, Rule};
pub use key::{KeyError, PublicKey};
pub use listed::Listed;
pub use model::{ModelSignature, UntrustedModel, claims_model};
pub use policy::TrustPolicy;
pub use revoked::{LogEntry, LogEntryError, Revoked};
pub use root::{Authority, AuthorityRole, TrustRoot, TrustRootError};
pub use signer::{Demands, Issued, Keyed, Keyless, Means, Signer, SigningTime, Window};
pub use statement::SIGNATURE_PREDICATE;
pub use verification::{Check, CheckOutcome, Refusal, RefusalReason, Untrusted, Verification, VerificationOutcome};
pub use verified::{BuiltIn, LocalFile, LocalFileError, Provenance, Verified};
