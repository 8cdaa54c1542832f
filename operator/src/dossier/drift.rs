//! What is known of the monitor that should see a workload drift. Probed ahead of any judgement; a dossier only
//! carries it, without times and values, so that equal wiring has an equal digest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Unavailable;

/// What is known of a workload's drift monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum DriftMonitor {
    /// The track asks for none.
    #[default]
    NotRequired,
    /// Every link of the chain, from the target to the alert, as far as the first broken one.
    Complete {
        /// In the order in which data flows.
        links: Vec<Link>,
    },
    /// The monitor could not be asked.
    Unavailable(Unavailable),
}

impl DriftMonitor {
    /// Whether the track asks for none.
    pub fn is_not_required(&self) -> bool {
        *self == Self::NotRequired
    }
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// Which, for example `TargetUp`.
    pub name: String,
    /// Whether it holds.
    pub holds: Holds,
    /// Stable CamelCase word, for example `NoSeries`.
    pub reason: String,
    /// One sentence for people: what was found, and what would mend it.
    pub message: String,
}

/// Whether a link holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Holds {
    /// It does.
    True,
    /// It is broken.
    False,
    /// It could not be found out.
    Unknown,
}
