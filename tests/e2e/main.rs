//! End-to-end stories, in the order in which a newcomer should read them. Each runs the real operator binary against a
//! real control plane and real registries.

mod main_job;
mod scene;

mod api;
mod governance;
mod kinds;
mod outages;
mod scale;
