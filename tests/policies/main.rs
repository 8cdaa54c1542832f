//! The policies that are shipped: the built bundles are what their sources give, and say in the sandbox, word for word,
//! what OPA says on the sources.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its own preparation fails"
)]

mod built;
mod capabilities;
mod conformance;
mod data;
mod differences;
mod large;
mod models;
mod random;
mod silence;
mod sources;
