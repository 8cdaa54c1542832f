//! A compiled bundle that answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use wasmtime::{MemoryType, Module};

use super::builtins::Context;
use super::contract::{Findings, Role};
use super::error::{EvaluateError, SelfTestError};
use super::host::Declared;
use super::limits::Limits;
use super::sandbox::{EntrypointId, Plan, Sandbox};
use super::self_test;
use super::ticker::Ticker;
use crate::catalogue::Catalogue;
use crate::digest::Digest;
use crate::outcome::Finding;
use crate::trust::Provenance;

/// A policy: a bundle's module, compiled and examined, with its data and its identity. Immutable,
/// `Send + Sync`, cheap to clone.
#[derive(Clone)]
pub struct Policy(Arc<Parts>);

/// What a policy consists of. Built by `examine`.
pub(super) struct Parts {
    pub(super) ticker: Arc<Ticker>,
    pub(super) module: Module,
    pub(super) memory: MemoryType,
    pub(super) limits: Limits,
    pub(super) declared: Declared,
    pub(super) entrypoints: BTreeMap<String, EntrypointId>,
    /// The bundle's data as JSON, without the golden inputs: a decision could read them otherwise.
    pub(super) data: Vec<u8>,
    /// `data.interlock.golden`, or null.
    pub(super) golden: Value,
    pub(super) catalogue: Option<Catalogue>,
    pub(super) identity: Identity,
}

/// Which bundle this is.
pub(super) struct Identity {
    pub(super) digest: Digest,
    pub(super) name: Option<String>,
    pub(super) revision: Option<String>,
    pub(super) provenance: Provenance,
}

impl Policy {
    pub(super) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The paths of the entry points, such as `interlock/baseline/decision`, sorted.
    pub fn entrypoints(&self) -> impl Iterator<Item = &str> {
        self.0.entrypoints.keys().map(String::as_str)
    }

    /// The bundle's gates, if it has a `catalogue` entry point.
    pub fn catalogue(&self) -> Option<&Catalogue> {
        self.0.catalogue.as_ref()
    }

    /// The digest the bundle is known by: of its OCI manifest, or of the file.
    pub fn digest(&self) -> Digest {
        self.0.identity.digest
    }

    /// The name in the bundle's manifest.
    pub fn name(&self) -> Option<&str> {
        self.0.identity.name.as_deref()
    }

    /// The revision in the bundle's manifest.
    pub fn revision(&self) -> Option<&str> {
        self.0.identity.revision.as_deref()
    }

    /// Who vouches for the bundle.
    pub fn provenance(&self) -> &Provenance {
        &self.0.identity.provenance
    }

    /// Evaluates one entry point and returns OPA's result document: `[{"result": …}]`, or `[]` where
    /// the value is undefined. Canonical: keys sorted, sets as arrays in OPA's order.
    pub fn evaluate(&self, entrypoint: &str, input: &Value, now: Timestamp) -> Result<Value, EvaluateError> {
        let id = self
            .0
            .entrypoints
            .get(entrypoint)
            .ok_or_else(|| EvaluateError::NoSuchEntrypoint {
                entrypoint: entrypoint.to_owned(),
                known: self.entrypoints().map(str::to_owned).collect(),
            })?;
        let mut documents = self.0.documents(&[(entrypoint, *id)], input, now)?;
        documents.pop().ok_or_else(|| EvaluateError::Undefined {
            entrypoint: entrypoint.to_owned(),
        })
    }

    /// Judges one input: evaluates all decision entry points in one sandbox and combines what they
    /// find, one finding a gate and term, sorted. Every gate of the catalogue has at least one.
    pub fn judge(&self, input: &Value, now: Timestamp) -> Result<Vec<Finding>, EvaluateError> {
        let decisions = self.0.decisions();
        let documents = self.0.documents(&decisions, input, now)?;
        let mut findings = Findings::new(self.catalogue());
        for ((entrypoint, _), document) in decisions.iter().zip(&documents) {
            findings.read(entrypoint, document)?;
        }
        Ok(findings.finish())
    }

    /// Judges the bundle's golden inputs and the empty one. A policy that fails here must not replace
    /// one that works.
    pub fn self_test(&self) -> Result<(), SelfTestError> {
        self_test::run(self, &self.0.golden)
    }
}

impl Parts {
    fn decisions(&self) -> Vec<(&str, EntrypointId)> {
        self.entrypoints
            .iter()
            .filter(|(path, _)| Role::of(path) != Role::Catalogue)
            .map(|(path, id)| (path.as_str(), *id))
            .collect()
    }

    /// The result documents of some entry points for one input, out of one fresh sandbox.
    pub(super) fn documents(
        &self,
        entrypoints: &[(&str, EntrypointId)],
        input: &Value,
        now: Timestamp,
    ) -> Result<Vec<Value>, EvaluateError> {
        let input = check_input(input, &self.limits)?;
        let mut sandbox = Sandbox::start(Plan {
            ticker: &self.ticker,
            module: &self.module,
            memory: &self.memory,
            limits: self.limits,
            context: Context { now },
            declared: Arc::clone(&self.declared),
        })?;
        let data = sandbox.parse(&self.data, "data")?;
        let input = sandbox.parse(&input, "input")?;
        entrypoints
            .iter()
            .map(|(path, id)| Ok(sandbox.evaluate(*id, path, data, input)?.to_json()))
            .collect()
    }
}

/// The input as the guest gets it; what is too deep or too large never reaches it.
fn check_input(input: &Value, limits: &Limits) -> Result<Vec<u8>, EvaluateError> {
    if !fits_depth(input, limits.input_depth) {
        return Err(EvaluateError::InputTooDeep {
            limit: limits.input_depth,
        });
    }
    let text = input.to_string();
    if text.len() > limits.input_bytes {
        return Err(EvaluateError::InputTooLarge {
            limit: limits.input_bytes,
        });
    }
    Ok(text.into_bytes())
}

fn fits_depth(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| fits_depth(item, depth - 1)),
        Value::Object(fields) => depth > 0 && fields.values().all(|field| fits_depth(field, depth - 1)),
        _ => true,
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.name())
            .field("revision", &self.revision())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn input_is_measured_before_the_guest_sees_it() {
        let limits = Limits {
            input_bytes: 20,
            input_depth: 2,
            ..Limits::default()
        };
        for (input, reason) in [
            (json!({"a": [1]}), None),
            (json!([[[]]]), Some("InputTooDeep")),
            (json!({"a": {"b": {}}}), Some("InputTooDeep")),
            (json!("0123456789012345678"), Some("InputTooLarge")),
        ] {
            let got = check_input(&input, &limits).err().map(|error| error.reason());
            assert_eq!(got, reason, "{input}");
        }
    }
}
