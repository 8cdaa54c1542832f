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

    #[test]
    fn what_is_compared_counts() {
        let is_valid = |document: &str, schema: &str| match answer(document, schema) {
            Ok(Term::Array(parts)) => parts.first() == Some(&Term::Boolean(true)),
            other => panic!("{other:?}"),
        };
        for (document, schema, valid) in [
            (r#""héé""#, r#"{"minLength": 3, "maxLength": 3}"#, true),
            (r#""héé""#, r#"{"minLength": 4}"#, false),
            (r#""héé""#, r#"{"maxLength": 2}"#, false),
            (r#""""#, r#"{"minLength": 0}"#, true),
            (r#""a+""#, r#"{"format": "regex"}"#, true),
            (r#""(""#, r#"{"format": "regex"}"#, false),
            ("9", r#"{"multipleOf": 3}"#, true),
            ("1e19000", r#"{"multipleOf": 3}"#, false),
        ] {
            assert_eq!(is_valid(document, schema), valid, "{document} {schema}");
        }
        let all = |schema: &str, count| format!(r#"{{"allOf": [{}]}}"#, vec![schema; count].join(","));
        let list = |item: &str, count| format!("[{}]", vec![item; count].join(","));
        let long = format!("\"{}\"", "a".repeat(3 << 20));
        assert!(is_valid(&long, &all("{}", 1000)));
        assert!(is_limit(&long, &all(r#"{"minLength": 1}"#, 25)));
        assert!(is_limit(&list("1e19000", 300), r#"{"items": {"multipleOf": 3}}"#));
        let regex = format!("\"{}\"", "a".repeat(3000));
        assert!(is_limit(&list(&regex, 100), r#"{"items": {"format": "regex"}}"#));
        let fields: Vec<String> = (0..20_000).map(|index| format!(r#""{index}": 0"#)).collect();
        let wide = format!("{{{}}}", fields.join(","));
        assert!(is_valid(&wide, &all(r#"{"minProperties": 1}"#, 10)));
        assert!(is_limit(&wide, &all(r#"{"minProperties": 1}"#, 1000)));
    }

    #[test]
    fn addresses_and_the_ways_to_them_are_bounded() {
        let named: Vec<String> = (0..1000).map(|index| format!(r#"{{"id": "a{index}"}}"#)).collect();
        let schema = |key: &str| format!(r#"{{"{key}": [{}]}}"#, named.join(","));
        assert!(answer("1", &schema("short")).is_ok());
        assert!(is_limit("1", &schema(&"long".repeat(1 << 18))));
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
