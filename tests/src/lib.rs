//! The machinery of the end-to-end stories and of the demo: a real control plane, real registries and the real
//! command-line tools, each a child process on this machine.
//!
//! ```text
//! TestEnv ── one a story: a fresh namespace, a client, YAML applied as a user would apply it
//!   ├─ ControlPlane   etcd, kube-apiserver, kube-controller-manager      (one a test process, or one's own)
//!   ├─ Registry       OCI registries with and without the referrers API
//!   │    └─ Liar      in front of one: what a real registry cannot be told to do
//!   ├─ Hub            what the command line asks of a hub of models
//!   ├─ Prometheus     with rules and targets by file, and an Exporter whose text a story sets
//!   ├─ cosign, opa, model_signing   keys, signatures and bundles as a user makes them
//!   ├─ Sigstore       certificates, logs and timestamps, as good and as bad as a story wants them
//!   │    └─ Services  the same, answering the real cosign
//!   └─ Operator       the `interlock` binary
//! ```
//!
//! [`tools`] finds the programs (and builds what the cache lacks), [`child`] runs them so that none outlives the
//! test process. Nothing here imitates a server but [`hub`], as no hub runs on a machine; [`liar`] only distorts the
//! answers of a real one.

pub mod apply;
pub mod artifact;
pub mod certificates;
pub mod chart;
pub mod child;
pub mod conformance;
pub mod control_plane;
pub mod cosign;
pub mod env;
pub mod eventually;
pub mod examples;
pub mod forgery;
pub mod gather;
pub mod hub;
pub mod keyless;
pub mod liar;
pub mod model_signing;
pub mod opa;
pub mod operator;
pub mod oracle;
pub mod platform;
pub mod prometheus;
pub mod registry;
pub mod said;
pub mod scratch;
pub mod sigstore;
pub mod tools;
pub mod upgrade;

pub use control_plane::ControlPlane;
pub use env::TestEnv;
pub use eventually::{eventually, object_becomes};
pub use liar::{Liar, Lie, Part};
pub use operator::Operator;
pub use platform::Platform;
pub use registry::{Flavour, Registry};
