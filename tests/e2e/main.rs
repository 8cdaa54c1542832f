//! End-to-end stories, in the order in which a newcomer should read them. Each runs the real operator binary against a
//! real control plane and real registries.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its own preparation fails"
)]

mod api;
mod archives;
mod artifacts;
mod attestations;
mod bundles;
mod chart;
mod command_line;
mod docs;
mod drift;
mod duties;
mod evidence;
mod gitops;
mod governance;
mod identity;
mod image;
mod installation;
mod keyless;
mod kinds;
mod lifecycle;
mod listed;
mod main_job;
mod outages;
mod rbac;
mod real_manifests;
mod registries;
mod revocation;
mod sandbox;
mod scale;
mod scene;
mod signed;
mod signers;
mod three_ways;
mod trial;
mod trust;
mod upgrade;
