//! A model as a set of files: what a signature lists, what is there, and how the two differ.
//!
//! ```text
//! model.sig ──trust──▶ Verified<Manifest> ──┬─────────────▶ compare ──▶ Comparison
//! directory ──read (says what to hash)──────┼▶ SeenFile[] ──┘
//! artifact ──its manifest, or its layers────┤
//! hub ──what it publishes, and small files──┘
//! ```
//!
//! The format is OpenSSF Model Signing 1.0, as `model-signing` 1.x writes it. Its root digest covers the digests of the
//! files and not their names, so nothing here goes by the root: a model is the whole list of names with their digests.
//! Only [`directory`] does I/O; [`artifact`] is told what a registry has, and [`hub`] what a hub has. A [`Manifest`] is read in [`crate::trust`] alone,
//! after its signature was checked.

mod algorithm;
mod allowed;
pub mod artifact;
mod compare;
pub mod directory;
mod error;
pub mod hub;
mod manifest;
mod name;
mod serialization;
#[cfg(test)]
mod tests;

pub use algorithm::{Algorithm, ContentDigest};
pub use allowed::Allowed;
pub use compare::{Comparison, Difference, SeenFile, Unlisted};
pub use error::ManifestError;
pub use manifest::{ListedFile, MODEL_PREDICATE, Manifest, SIGNATURE_FILE};
pub use name::{FileName, NameError};
pub use serialization::{Method, Serialization};
