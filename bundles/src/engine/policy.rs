//! A compiled bundle that answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::address::ContextAddress;
use super::contract::{Findings, Role};
use super::error::{EvaluateError, SelfTestError};
use super::host::Declared;
use super::input;
use super::limits::Limits;
use super::sandbox::{Image, Sandbox};
use super::self_test;
use super::slots::Slots;
use super::term::Term;
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
    pub(super) image: Image,
    pub(super) limits: Limits,
    /// Places for decisions of this bundle.
    pub(super) slots: Arc<Slots>,
    pub(super) declared: Declared,
    /// By path: where the snapshot has their contexts.
    pub(super) entrypoints: BTreeMap<String, ContextAddress>,
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

    /// What it consists of.
    #[cfg(feature = "measure")]
    pub(super) fn parts(&self) -> &Parts {
        &self.0
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
        let input = input::of_value(input, &self.0.limits)?;
        Ok(self.result(entrypoint, Some(&input), now)?.to_json())
    }

    /// The same from bytes to bytes. The input is held to strict JSON; none is OPA's undefined input. The result keeps
    /// the digits of its numbers, and equal results have equal bytes.
    pub fn evaluate_bytes(
        &self,
        entrypoint: &str,
        input: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Vec<u8>, EvaluateError> {
        if let Some(input) = input {
            input::check(input, &self.0.limits)?;
        }
        Ok(self.result(entrypoint, input, now)?.to_json_text().into_bytes())
    }

    /// The same for an input as Rego's text of a value, which may hold sets and keys that are no strings. OPA's own
    /// tests have such inputs.
    pub fn evaluate_term(&self, entrypoint: &str, input: &str, now: Timestamp) -> Result<Vec<u8>, EvaluateError> {
        if input.len() > self.0.limits.input_bytes {
            return Err(EvaluateError::InputTooLarge {
                limit: self.0.limits.input_bytes,
            });
        }
        let input = Term::parse(input, self.0.limits.input_depth).map_err(|error| EvaluateError::MalformedInput {
            detail: error.to_string(),
        })?;
        let input = input.to_guest();
        let result = self.result(entrypoint, Some(input.as_bytes()), now)?;
        Ok(result.to_json_text().into_bytes())
    }

    /// Judges one input: evaluates all decision entry points in one sandbox and combines what they
    /// find, one finding a gate and term, sorted. Every gate of the catalogue has at least one.
    pub fn judge(&self, input: &Value, now: Timestamp) -> Result<Vec<Finding>, EvaluateError> {
        let input = input::of_value(input, &self.0.limits)?;
        let decisions: Vec<_> = self.0.decisions().collect();
        self.0.findings(&decisions, Some(&input), now)
    }

    /// The entry points that decide something, sorted.
    pub(super) fn decisions(&self) -> impl Iterator<Item = &str> {
        self.0.decisions().map(|(path, _)| path)
    }

    /// What one of them finds.
    pub(super) fn findings_of(
        &self,
        entrypoint: &str,
        input: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Vec<Finding>, EvaluateError> {
        let entrypoint = self.find(entrypoint)?;
        self.0.findings(&[entrypoint], input, now)
    }

    fn find<'p>(&self, entrypoint: &'p str) -> Result<(&'p str, ContextAddress), EvaluateError> {
        let context = self.0.entrypoints.get(entrypoint);
        let context = context.ok_or_else(|| EvaluateError::NoSuchEntrypoint {
            entrypoint: entrypoint.to_owned(),
            known: self.entrypoints().map(str::to_owned).collect(),
        })?;
        Ok((entrypoint, *context))
    }

    fn result(&self, entrypoint: &str, input: Option<&[u8]>, now: Timestamp) -> Result<Term, EvaluateError> {
        self.0.result(self.find(entrypoint)?, input, now)
    }

    /// Judges the bundle's golden inputs, and what says nothing, as it would at `now` and at the Unix epoch. A policy that
    /// fails here must not replace one that works. Answers what its users should know although it may be used: which entry points are deny lists,
    /// that allow what says nothing.
    pub fn self_test(&self, now: Timestamp) -> Result<Vec<String>, SelfTestError> {
        self_test::run(self, &self.0.golden, now)
    }
}

impl Parts {
    fn decisions(&self) -> impl Iterator<Item = (&str, ContextAddress)> {
        let decisions = self.entrypoints.iter().map(|(path, context)| (path.as_str(), *context));
        decisions.filter(|(path, _)| Role::of(path) != Role::Catalogue)
    }

    fn findings(
        &self,
        decisions: &[(&str, ContextAddress)],
        input: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Vec<Finding>, EvaluateError> {
        let mut findings = Findings::new(self.catalogue.as_ref());
        // One at a time: on the host a result takes many times its size.
        self.each_result(decisions, input, now, |entrypoint, result| {
            findings.read(entrypoint, &result.to_json())
        })?;
        Ok(findings.finish())
    }

    /// The result of one entry point for an input that was checked.
    pub(super) fn result(
        &self,
        entrypoint: (&str, ContextAddress),
        input: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Term, EvaluateError> {
        let mut found = Err(EvaluateError::Undefined {
            entrypoint: entrypoint.0.to_owned(),
        });
        self.each_result(&[entrypoint], input, now, |_, result| {
            found = Ok(result);
            Ok(())
        })?;
        found
    }

    /// Evaluates entry points for one input, in one fresh sandbox.
    fn each_result(
        &self,
        entrypoints: &[(&str, ContextAddress)],
        input: Option<&[u8]>,
        now: Timestamp,
        mut take: impl FnMut(&str, Term) -> Result<(), EvaluateError>,
    ) -> Result<(), EvaluateError> {
        let limits = self.limits;
        let _slot = self.slots.take(limits.deadline).ok_or(EvaluateError::Busy {
            limit: limits.concurrency,
            deadline: limits.deadline,
        })?;
        let mut sandbox = Sandbox::start(&self.image, limits, now, &self.declared)?;
        let input = input.map(|input| sandbox.parse(input, "input")).transpose()?;
        for (path, context) in entrypoints {
            let result = sandbox.evaluate(*context, path, input)?;
            sandbox.check_deadline()?;
            take(path, result)?;
        }
        Ok(())
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
