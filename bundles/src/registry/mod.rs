//! Everything that speaks to a registry.

mod pulled;

pub use pulled::{Pulled, PulledError};
