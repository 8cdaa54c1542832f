//! The harness proves itself: what the stories rely on is shown here first, on the real parts.

mod control_plane;
mod examples;
mod liar;
mod registries;
