//! The vocabulary of conditions: every type and, in [`reasons`], every reason that a status can carry, with one
//! sentence each.
//!
//! Conditions have the field's shape (`metav1.Condition`) and follow kstatus: `Ready` says whether the object is
//! where it should be; `Reconciling` and `Stalled` are present only while they are true.

pub mod reasons;

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
    /// Release: every image is signed as the track demands.
    ArtifactsVerified,
    /// Release: every model that is an OCI artifact is signed as the track demands.
    ModelVerified,
    /// Release: the gates that can be decided only while the workload runs let it be.
    Operational,
    /// Release: every link from the scrape target to the alert holds for the workload.
    DriftMonitorWired,
    /// Release: the drift alert fires for the workload.
    DriftDetected,
}

impl Type {
    /// Every type, in the order of their declaration.
    pub const ALL: [Self; 12] = [
        Self::Ready,
        Self::Reconciling,
        Self::Stalled,
        Self::Verified,
        Self::Compiled,
        Self::TrackAssigned,
        Self::Admissible,
        Self::ArtifactsVerified,
        Self::ModelVerified,
        Self::Operational,
        Self::DriftMonitorWired,
        Self::DriftDetected,
    ];

    /// The kinds that have it, and what it says, as `docs/conditions.md` tells it.
    pub fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::Ready => (
                "all",
                "the object is where it should be; of a Release: it follows `Admissible`",
            ),
            Self::Reconciling => (
                "all",
                "present only while True: the operator works on it, or waits for what may come by itself",
            ),
            Self::Stalled => (
                "all",
                "present only while True: nothing changes without somebody's action",
            ),
            Self::Verified => ("PolicyBundle", "the artifact it names is signed as it demands"),
            Self::Compiled => ("PolicyBundle", "the artifact it names can run"),
            Self::TrackAssigned => ("Release", "exactly one track governs the workload"),
            Self::Admissible => ("Release", "the gates that judge the specification let it through"),
            Self::ArtifactsVerified => (
                "Release",
                "every image is signed as the track's `spec.signedBy.images` asks",
            ),
            Self::ModelVerified => (
                "Release",
                "every model is signed as the track's `spec.signedBy.models` asks",
            ),
            Self::Operational => (
                "Release",
                "what only a running workload can be asked is as it should be; it does not decide `Ready`",
            ),
            Self::DriftMonitorWired => (
                "Release",
                "every link from the scrape target to the drift alert holds for the workload; the reason is the first broken one's",
            ),
            Self::DriftDetected => ("Release", "the drift alert fires for the workload"),
        }
    }

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
            Self::ArtifactsVerified => "ArtifactsVerified",
            Self::ModelVerified => "ModelVerified",
            Self::Operational => "Operational",
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
