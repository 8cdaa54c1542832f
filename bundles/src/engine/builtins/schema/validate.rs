//! A document against a schema (`validation.go`). Every part that holds scores, and of alternatives that
//! all fail the errors of the best are told.

use std::collections::BTreeMap;

use super::super::regex;
use super::compile::{Compiled, Dependency, Id, Schema};
use super::number::exact;
use super::{Refusal, field};
use crate::engine::term::Term;

/// How deep schemas may call one another; a reference counts.
const MAX_DEPTH: usize = 256;
/// Schemas that are looked at, and pieces of text that are compared.
const MAX_STEPS: usize = 1_000_000;
/// What all searches for patterns may take, as a multiple of the largest one alone.
const MAX_SEARCHES: usize = 4;
/// What a step may compare, in bytes.
pub(super) const STEP_BYTES: usize = 64;
/// What a keyword of an object counts as, beside its name, and a key.
pub(super) const KEYWORD_BYTES: usize = STEP_BYTES / 8;
/// All that is said about errors, in bytes.
const MAX_FINDINGS_BYTES: usize = 4 * 1024 * 1024;

pub(super) type Fields = BTreeMap<Term, Term>;

/// What is wrong at one place.
pub(super) struct Finding {
    kind: &'static str,
    field: String,
    description: String,
}

impl Finding {
    pub(super) fn into_term(self) -> Term {
        let error = format!("{}: {}", self.field, self.description);
        let fields = [
            ("desc", self.description),
            ("error", error),
            ("field", self.field),
            ("type", self.kind.to_owned()),
        ];
        let fields = fields.map(|(name, value)| (Term::String(name.to_owned()), Term::String(value)));
        Term::Object(fields.into_iter().collect())
    }
}

#[derive(Default)]
pub(super) struct Outcome {
    findings: Vec<Finding>,
    pub(super) score: i64,
}

impl Outcome {
    pub(super) fn is_valid(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.score += other.score;
    }
}

pub(super) fn validate(schema: &Compiled, document: &Term, regex_bytes: usize) -> Result<Vec<Finding>, Refusal> {
    let mut validator = Validator {
        schemas: &schema.schemas,
        regex_bytes,
        search_steps: MAX_SEARCHES * regex::MAX_STEPS,
        path: Vec::new(),
        depth: 0,
        steps: 0,
        bytes: 0,
    };
    let mut outcome = Outcome::default();
    validator.node(0, document, &mut outcome)?;
    Ok(outcome.findings)
}

pub(super) struct Validator<'a> {
    schemas: &'a [Schema],
    pub(super) regex_bytes: usize,
    /// What is left for the searches of all patterns.
    pub(super) search_steps: usize,
    /// Keys and indexes to the node.
    pub(super) path: Vec<String>,
    depth: usize,
    steps: usize,
    bytes: usize,
}

impl<'a> Validator<'a> {
    pub(super) fn find(
        &mut self,
        outcome: &mut Outcome,
        kind: &'static str,
        description: impl Into<String>,
    ) -> Result<(), Refusal> {
        let finding = Finding {
            kind,
            field: self.field(),
            description: description.into(),
        };
        self.bytes += 2 * (finding.field.len() + finding.description.len()) + size_of::<Finding>();
        if self.bytes > MAX_FINDINGS_BYTES {
            return Err(Refusal::Limit(format!(
                "the errors of a document take more than {MAX_FINDINGS_BYTES} bytes"
            )));
        }
        outcome.findings.push(finding);
        outcome.score -= 2;
        Ok(())
    }

    pub(super) fn field(&self) -> String {
        if self.path.is_empty() {
            "(Root)".to_owned()
        } else {
            self.path.join(".")
        }
    }

    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.steps += 1 + bytes / STEP_BYTES;
        if self.steps > MAX_STEPS {
            return Err(Refusal::Limit(format!("a schema takes more than {MAX_STEPS} steps")));
        }
        Ok(())
    }

    /// A schema of its own, whose errors may be dropped.
    pub(super) fn apart(&mut self, id: Id, node: &Term) -> Result<Outcome, Refusal> {
        let mut outcome = Outcome::default();
        self.node(id, node, &mut outcome)?;
        Ok(outcome)
    }

    pub(super) fn below(&mut self, step: String, id: Id, node: &Term, outcome: &mut Outcome) -> Result<(), Refusal> {
        self.path.push(step);
        let found = self.apart(id, node)?;
        self.path.pop();
        outcome.merge(found);
        Ok(())
    }

    fn node(&mut self, id: Id, node: &Term, outcome: &mut Outcome) -> Result<(), Refusal> {
        if self.depth >= MAX_DEPTH {
            return Err(Refusal::Limit(format!(
                "schemas refer to one another more than {MAX_DEPTH} deep"
            )));
        }
        self.depth += 1;
        // A number is read from its text each time.
        let read = match node {
            Term::Number(number) => number.text().len(),
            _ => 0,
        };
        self.charge(read)?;
        let schema = self.schema(id)?;
        match (schema.pass, schema.reference) {
            (Some(true), _) => {}
            (Some(false), _) => self.find(outcome, "false", "False always fails validation")?,
            (None, Some(reference)) => self.node(reference, node, outcome)?,
            (None, None) => self.typed(schema, node, outcome)?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn schema(&self, id: Id) -> Result<&'a Schema, Refusal> {
        let schema = self.schemas.get(id);
        schema.ok_or_else(|| Refusal::Limit(format!("there is no schema {id}")))
    }

    fn typed(&mut self, schema: &Schema, node: &Term, outcome: &mut Outcome) -> Result<(), Refusal> {
        let given = match node {
            Term::Null => "null",
            Term::Boolean(_) => "boolean",
            // Go does not take a number for an integer that it cannot read.
            Term::Number(number) if exact(number).is_some_and(|number| number.is_integer()) => "integer",
            Term::Number(_) => "number",
            Term::String(_) => "string",
            Term::Array(_) | Term::Set(_) => "array",
            Term::Object(_) => "object",
        };
        let fits = schema.types.contains(&given) || (given == "integer" && schema.types.contains(&"number"));
        if !schema.types.is_empty() && !fits {
            let expected = match schema.types.as_slice() {
                [one] => (*one).to_owned(),
                several => format!("[{}]", several.join(",")),
            };
            let text = format!("Invalid type. Expected: {expected}, given: {given}");
            return self.find(outcome, "invalid_type", text);
        }
        self.combined(schema, node, outcome)?;
        match node {
            Term::Number(number) => self.number(schema, number, outcome)?,
            Term::Array(items) => self.array(schema, items, outcome)?,
            Term::Object(fields) => self.object(schema, fields, outcome)?,
            _ => {}
        }
        self.common(schema, node, outcome)?;
        match node {
            Term::String(text) => self.string(schema, text, outcome)?,
            Term::Object(fields) => {
                for (name, id) in &schema.properties {
                    if let Some(value) = field(fields, name) {
                        self.path.push(name.clone());
                        self.node(*id, value, outcome)?;
                        self.path.pop();
                    }
                }
            }
            _ => {}
        }
        outcome.score += 1;
        Ok(())
    }

    /// The keywords that hold schemas for the same node.
    fn combined(&mut self, schema: &Schema, node: &Term, outcome: &mut Outcome) -> Result<(), Refusal> {
        self.any_of(&schema.any_of, node, outcome)?;
        self.one_of(&schema.one_of, node, outcome)?;
        let mut valid = 0;
        for id in &schema.all_of {
            let found = self.apart(*id, node)?;
            valid += usize::from(found.is_valid());
            outcome.merge(found);
        }
        if valid != schema.all_of.len() {
            self.find(outcome, "number_all_of", "Must validate all the schemas (allOf)")?;
        }
        if let Some(not) = schema.not
            && self.apart(not, node)?.is_valid()
        {
            self.find(outcome, "number_not", "Must not validate the schema (not)")?;
        }
        if let Term::Object(fields) = node {
            self.dependencies(schema, fields, node, outcome)?;
        }
        if let Some(condition) = schema.condition {
            let holds = self.apart(condition, node)?.is_valid();
            let (branch, kind, text) = if holds {
                (
                    schema.then,
                    "condition_then",
                    "Must validate \"then\" as \"if\" was valid",
                )
            } else {
                let text = "Must validate \"else\" as \"if\" was not valid";
                (schema.otherwise, "condition_else", text)
            };
            if let Some(branch) = branch {
                let found = self.apart(branch, node)?;
                if !found.is_valid() {
                    self.find(outcome, kind, text)?;
                    outcome.merge(found);
                }
            }
        }
        outcome.score += 1;
        Ok(())
    }

    fn any_of(&mut self, ids: &[Id], node: &Term, outcome: &mut Outcome) -> Result<(), Refusal> {
        let mut best = None;
        for id in ids {
            let found = self.apart(*id, node)?;
            if found.is_valid() {
                return Ok(());
            }
            keep_better(&mut best, found);
        }
        if let Some(best) = best {
            self.find(outcome, "number_any_of", "Must validate at least one schema (anyOf)")?;
            outcome.merge(best);
        }
        Ok(())
    }

    fn one_of(&mut self, ids: &[Id], node: &Term, outcome: &mut Outcome) -> Result<(), Refusal> {
        let mut valid = 0;
        let mut best = None;
        for id in ids {
            let found = self.apart(*id, node)?;
            if found.is_valid() {
                valid += 1;
            } else if valid == 0 {
                keep_better(&mut best, found);
            }
        }
        if ids.is_empty() || valid == 1 {
            return Ok(());
        }
        self.find(
            outcome,
            "number_one_of",
            "Must validate one and only one schema (oneOf)",
        )?;
        if let Some(best) = best.filter(|_| valid == 0) {
            outcome.merge(best);
        }
        Ok(())
    }

    fn dependencies(
        &mut self,
        schema: &Schema,
        fields: &Fields,
        node: &Term,
        outcome: &mut Outcome,
    ) -> Result<(), Refusal> {
        for (name, dependency) in &schema.dependencies {
            if field(fields, name).is_none() {
                continue;
            }
            match dependency {
                Dependency::Names(names) => {
                    self.charge(names.iter().map(|name| KEYWORD_BYTES + name.len()).sum())?;
                    for name in names {
                        if field(fields, name).is_none() {
                            self.find(outcome, "missing_dependency", format!("Has a dependency on {name}"))?;
                        }
                    }
                }
                Dependency::Schema(id) => self.node(*id, node, outcome)?,
            }
        }
        Ok(())
    }
}

/// Of several the first with the highest score.
pub(super) fn keep_better(best: &mut Option<Outcome>, found: Outcome) {
    if best.as_ref().is_none_or(|best| found.score > best.score) {
        *best = Some(found);
    }
}
