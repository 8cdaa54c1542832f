//! The life of a policy bundle outside Kubernetes.
pub mod archive;
pub mod cache;
pub mod catalogue;
pub mod digest;
pub mod engine;
pub mod outcome;
pub mod reference;
pub mod registry;
pub mod revision;
pub mod trust;
