//! Who vouches for what: pure, synchronous, no network.

mod verified;

pub use verified::{BuiltIn, LocalFile, LocalFileError, Provenance, Verified};
