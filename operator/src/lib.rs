//! Interlock: judges what runs on Kubernetes by signed policy bundles.
//!
//! ```text
//! cluster, registry ──observe──▶ Dossier ──judge──▶ Opinion ──weigh──▶ Judgement ──decide──▶ Plan ──apply──▶ status
//! ```
//!
//! The pure steps are modules of their own: [`dossier`] (facts), [`drift`] (a monitor's links), [`assign`] (which track), [`judge`] and [`verdict`]
//! (what the bundles say together), [`decide`] (what to write). They know no client, no clock and no async. Only
//! [`operator`] speaks to the API server; [`cli`] is the same judgement without a cluster.

pub mod artifacts;
pub mod assign;
pub mod cli;
pub mod conditions;
pub mod decide;
pub mod docker_config;
pub mod dossier;
pub mod drift;
pub mod judge;
pub mod operator;
pub mod subject;
pub mod verdict;

/// The name under which the operator writes: field manager, Lease, reporter of Events.
pub const MANAGER: &str = "interlock";
