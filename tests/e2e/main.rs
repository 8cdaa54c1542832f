//! End-to-end stories, in the order in which a newcomer should read them. Each runs the real operator binary against a
//! real control plane and real registries.

#![allow(clippy::unwrap_used, reason = "a test ends where its own preparation fails")]

mod main_job;
mod real_manifests;
mod three_ways;
