//! The harness proves itself: what the stories rely on is shown here first, on the real parts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its own preparation fails"
)]

mod control_plane;
mod examples;
mod liar;
mod registries;
mod sigstore;
