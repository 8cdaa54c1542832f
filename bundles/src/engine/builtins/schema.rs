//! `json.match_schema` and `json.verify_schema` (`v1/topdown/jsonschema.go`): JSON Schema as OPA's
//! `internal/gojsonschema` understands it, drafts 4, 6 and 7, with its words.
//!
//! Where Go goes through a map in no order, here the keys are sorted: the order of errors, and of several
//! errors in a schema the first. Nothing is fetched or read: a reference to another document has no value,
//! as in OPA where `allow_net` permits no host, unless it is the schema of a draft.

mod compile;
mod document;
mod draft;
mod email;
mod format;
mod keywords;
mod number;
mod pattern;
mod pool;
mod uri;
mod validate;
mod values;

use std::collections::BTreeMap;

use super::{Builtin, Context, Failure, builtin};
use crate::engine::term::Term;

/// How deep documents and schemas may be nested: their readers are recursive, and share a stack with
/// the guest.
const MAX_DEPTH: usize = 128;

pub(super) const TABLE: &[Builtin] = &[
    builtin("json.match_schema", 2, match_schema),
    builtin("json.verify_schema", 1, verify_schema),
];

/// Why there is no schema or document.
enum Refusal {
    /// In the words of OPA.
    Invalid(String),
    /// The host will not compute that much.
    Limit(String),
}

/// Whether the document is valid, and what is wrong with it: an array of objects with `error`, `type`,
/// `field` and `desc`.
fn match_schema(context: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let [document, schema] = arguments else {
        return Err(Failure::Undefined);
    };
    let refused = |refusal| match refusal {
        Refusal::Invalid(_) => Failure::Undefined,
        Refusal::Limit(text) => Failure::Limit(text),
    };
    let document = document::read(document).map_err(refused)?;
    let schema = document::read(schema).map_err(refused)?;
    let schema = compile::compile(schema, context.regex_bytes).map_err(refused)?;
    let findings = validate::validate(&schema, &document, context.regex_bytes).map_err(refused)?;
    let findings: Vec<Term> = findings.into_iter().map(validate::Finding::into_term).collect();
    Ok(Term::Array(vec![
        Term::Boolean(findings.is_empty()),
        Term::Array(findings),
    ]))
}

/// `[true, null]`, or false and why the schema is none.
fn verify_schema(context: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let [schema] = arguments else {
        return Err(Failure::Undefined);
    };
    let compiled = document::read(schema).and_then(|schema| compile::compile(schema, context.regex_bytes));
    match compiled {
        Ok(_) => Ok(Term::Array(vec![Term::Boolean(true), Term::Null])),
        Err(Refusal::Invalid(text)) => Ok(Term::Array(vec![
            Term::Boolean(false),
            Term::String(format!("jsonschema: {text}")),
        ])),
        Err(Refusal::Limit(text)) => Err(Failure::Limit(text)),
    }
}

/// A field of a JSON object.
fn field<'a>(fields: &'a BTreeMap<Term, Term>, name: &str) -> Option<&'a Term> {
    fields.get(&Term::String(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(document: &str, schema: &str) -> Result<Term, Failure> {
        let context = Context {
            now: jiff::Timestamp::UNIX_EPOCH,
            regex_bytes: 1 << 20,
        };
        let arguments = [document, schema].map(|text| Term::String(text.to_owned()));
        match_schema(&context, &arguments)
    }

    fn is_limit(document: &str, schema: &str) -> bool {
        matches!(answer(document, schema), Err(Failure::Limit(_)))
    }

    #[test]
    fn what_is_too_much_is_a_limit() {
        let deep = "[".repeat(MAX_DEPTH + 1);
        for (document, schema) in [
            (deep.as_str(), "{}"),
            ("1", r##"{"$ref": "#"}"##),
            ("1", r##"{"allOf": [{"$ref": "#"}]}"##),
            ("1e2000000", r#"{"minimum": 1}"#),
            ("1e900000", r#"{"multipleOf": 3}"#),
        ] {
            assert!(is_limit(document, schema), "{schema}");
        }
        let many = format!(r#"{{"anyOf": [{}]}}"#, vec!["{}"; 20_001].join(","));
        assert!(is_limit("1", &many));
        let patterns: Vec<String> = (0..200).map(|index| format!(r#""a{index}": {{}}"#)).collect();
        assert!(is_limit(
            "1",
            &format!(r#"{{"patternProperties": {{{}}}}}"#, patterns.join(","))
        ));
    }

    /// Two schemas that each ask for the next twice take twice the time for every step.
    #[test]
    fn time_is_bounded() {
        let steps: Vec<String> = (0..60)
            .map(|step| {
                let next = format!(r##"{{"$ref": "#/definitions/d{}"}}"##, step + 1);
                format!(r#""d{step}": {{"allOf": [{next}, {next}]}}"#)
            })
            .collect();
        let definitions = format!(r#"{}, "d60": {{}}"#, steps.join(","));
        let schema = format!(r##"{{"$ref": "#/definitions/d0", "definitions": {{{definitions}}}}}"##);
        assert!(is_limit("1", &schema));
    }
}
