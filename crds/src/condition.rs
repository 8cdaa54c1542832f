//! The vocabulary of conditions: every type and every reason that a status can carry, with one sentence each.
//!
//! Conditions have the field's shape (`metav1.Condition`) and follow kstatus: `Ready` says whether the object is
//! where it should be; `Reconciling` and `Stalled` are present only while they are true.

use serde::{Deserialize, Serialize};

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// A condition's `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Type {
    /// The object is where it should be.
    Ready,
    /// The operator is working on it, or waits for something that may come by itself.
    Reconciling,
    /// Nothing will change without somebody's action.
    Stalled,
    /// PolicyBundle: the artifact it names is signed as it demands.
    Verified,
    /// PolicyBundle: the artifact it names can run.
    Compiled,
    /// Release: exactly one track governs the workload.
    TrackAssigned,
    /// Release: the gates that judge the specification let it through.
    Admissible,
    /// Release: every link from the scrape target to the alert holds for the workload.
    DriftMonitorWired,
    /// Release: the drift alert fires for the workload.
    DriftDetected,
}

impl Type {
    /// The text in `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Verified => "Verified",
            Self::Compiled => "Compiled",
            Self::TrackAssigned => "TrackAssigned",
            Self::Admissible => "Admissible",
            Self::DriftMonitorWired => "DriftMonitorWired",
            Self::DriftDetected => "DriftDetected",
        }
    }
}

/// A condition's `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It could not be found out. Never read as `True`.
    Unknown,
}

impl Status {
    /// The text in `status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// One condition as a step states it, before it is merged into a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Which condition.
    pub kind: Type,
    /// Whether it holds.
    pub status: Status,
    /// Stable CamelCase word for machines.
    pub reason: String,
    /// One sentence for people: what, why, and what to do.
    pub message: String,
}

impl Statement {
    /// A statement.
    pub fn new(kind: Type, status: Status, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            status,
            reason: reason.into(),
            message: message.into(),
        }
    }
}
