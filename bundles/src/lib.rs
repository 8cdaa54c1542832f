//! The life of a policy bundle, from a registry to a finding. Nothing here knows of Kubernetes.
//!
//! ```text
//! Wanted ──resolve──▶ Pinned ──pull──▶ Pulled ──verify──▶ Verified<Pulled> ──open──▶ Bundle ──compile──▶ Policy
//!                        └─signatures──▶ Evidence ──┘                                                       │
//!                                                                          input ──judge──▶ Finding ◀───────┘
//! ```
//!
//! Five verbs, each one function: [`registry::Registry::pull`] gets bytes that fit their digests and are otherwise
//! unknown; [`trust::TrustPolicy::verify`] says who vouches for them; `open` on a [`trust::Verified`] unpacks them;
//! [`engine::Engine::compile`] examines what they ask for; [`engine::Policy::judge`] runs them in a sandbox of their
//! own. No other order compiles: what opens and runs takes only what was verified, and only [`trust`] verifies.
//!
//! Beside bundles stands what they judge: the files of a [`model`], and whether they are those that somebody signed.
//!
//! Only [`registry`], [`cache`] and [`model::directory`] do I/O. Every size that comes from outside has a cap beside its
//! parser. Errors are one enum a step; their `reason()` is the stable word that conditions, events and metrics use.

pub mod archive;
pub mod cache;
pub mod catalogue;
pub mod digest;
pub mod engine;
pub mod model;
pub mod outcome;
pub mod reference;
pub mod registry;
pub mod revision;
mod strict_json;
pub mod trust;
