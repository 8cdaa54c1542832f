//! Lets bundles judge a dossier: the same for the operator and the command line. Synchronous, no client, no clock.

use interlock_bundles::engine::{Limits, Policy};
use interlock_crds::bundle::InputShape;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::dossier::Dossier;
use crate::verdict::{Failure, Opinion};

/// A bundle that works, and what its policies expect.
#[derive(Clone)]
pub struct Active {
    /// The compiled bundle.
    pub policy: Policy,
    /// The shape of its input.
    pub shape: InputShape,
    /// What one evaluation may use.
    pub limits: Limits,
    /// What its self-test warned of, if one was asked for.
    pub warnings: Vec<String>,
}

/// One bundle's part in a judgement.
pub struct Bench {
    /// Name of the PolicyBundle.
    pub bundle: String,
    /// The bundle, or why there is none.
    pub active: Result<Active, Failure>,
    /// The track's parameters for it.
    pub parameters: Map<String, Value>,
}

/// What every bundle says of the workload.
pub fn opinions(benches: &[Bench], dossier: &Dossier, track: &str, now: Timestamp) -> Vec<Opinion> {
    benches
        .iter()
        .map(|bench| opinion(bench, dossier, track, now))
        .collect()
}

fn opinion(bench: &Bench, dossier: &Dossier, track: &str, now: Timestamp) -> Opinion {
    let active = match &bench.active {
        Ok(active) => active,
        Err(failure) => {
            return Opinion {
                bundle: bench.bundle.clone(),
                findings: Err(failure.clone()),
                catalogue: None,
            };
        }
    };
    let input = input(active.shape, dossier, track, &bench.parameters, now);
    let findings = active.policy.judge(&input, now).map_err(|error| Failure {
        reason: error.reason().to_owned(),
        message: format!("bundle {} could not judge: {}", bench.bundle, chain(&error)),
    });
    Opinion {
        bundle: bench.bundle.clone(),
        findings,
        catalogue: active.policy.catalogue().cloned(),
    }
}

/// The document that policies of this shape expect.
pub fn input(
    shape: InputShape,
    dossier: &Dossier,
    track: &str,
    parameters: &Map<String, Value>,
    now: Timestamp,
) -> Value {
    match shape {
        InputShape::Dossier => dossier.input(now, track, parameters),
        InputShape::Object => dossier.object.clone(),
        InputShape::GatekeeperReview => review(dossier, parameters),
    }
}

/// The part of an AdmissionReview that Gatekeeper's constraint templates read.
fn review(dossier: &Dossier, parameters: &Map<String, Value>) -> Value {
    let subject = &dossier.subject;
    let (group, version) = subject
        .api_version
        .split_once('/')
        .unwrap_or(("", &subject.api_version));
    json!({
        "review": {
            "kind": {"group": group, "version": version, "kind": subject.kind},
            "name": subject.name,
            "namespace": subject.namespace,
            "operation": "CREATE",
            "object": dossier.object,
        },
        "parameters": parameters,
    })
}

/// An error with its causes on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
