//! The policies that are shipped: the built bundle is what its sources give, and says in the sandbox, word for word,
//! what OPA says on the sources.

#![allow(clippy::unwrap_used, reason = "a test ends where its own preparation fails")]

mod built;
mod random;
mod sources;
