//! The life of a policy bundle outside Kubernetes.
pub mod digest;
pub mod reference;
pub mod registry;
pub mod trust;
