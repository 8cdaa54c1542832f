//! Keywords without schemas in them, and OPA's words for what is wrong with one.

use std::collections::{BTreeMap, HashSet};

use super::compile::{Range, Schema};
use super::draft::Draft;
use super::number::{exact, rounded};
use super::{Refusal, field};
use crate::engine::decimal::Decimal;
use crate::engine::term::Term;

type Fields = BTreeMap<Term, Term>;

const TYPES: [&str; 7] = ["array", "boolean", "integer", "number", "null", "object", "string"];

pub(super) fn invalid<T>(text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Invalid(text.into()))
}

pub(super) fn refused_type<T>(expected: &str, given: &str) -> Result<T, Refusal> {
    invalid(format!("Invalid type. Expected: {expected}, given: {given}"))
}

pub(super) fn must_be_an<T>(key: &str, what: &str) -> Result<T, Refusal> {
    invalid(format!("{key} must be of an {what}"))
}

pub(super) fn string<'a>(fields: &'a Fields, key: &str) -> Result<Option<&'a str>, Refusal> {
    match field(fields, key) {
        None => Ok(None),
        Some(Term::String(text)) => Ok(Some(text)),
        Some(_) => refused_type("string", key),
    }
}

pub(super) fn object<'a>(fields: &'a Fields, key: &str) -> Result<Option<&'a Fields>, Refusal> {
    match field(fields, key) {
        None => Ok(None),
        Some(Term::Object(fields)) => Ok(Some(fields)),
        Some(_) => refused_type("Valid Schema", key),
    }
}

pub(super) fn array<'a>(fields: &'a Fields, key: &str) -> Result<Option<&'a [Term]>, Refusal> {
    match field(fields, key) {
        None => Ok(None),
        Some(Term::Array(items)) => Ok(Some(items)),
        Some(_) => must_be_an(key, "array"),
    }
}

pub(super) fn boolean(fields: &Fields, key: &str) -> Result<Option<bool>, Refusal> {
    match field(fields, key) {
        None => Ok(None),
        Some(Term::Boolean(value)) => Ok(Some(*value)),
        Some(_) => invalid(format!("{key} must be of a boolean")),
    }
}

pub(super) fn types(fields: &Fields) -> Result<Vec<&'static str>, Refusal> {
    let refused = || refused_type("type", "string/Array Of Strings");
    let given = match field(fields, "type") {
        None => return Ok(Vec::new()),
        Some(Term::Array(given)) => given.as_slice(),
        Some(given @ Term::String(_)) => std::slice::from_ref(given),
        Some(_) => return refused(),
    };
    let mut types = Vec::new();
    for term in given {
        let Term::String(name) = term else {
            return refused();
        };
        let Some(known) = TYPES.iter().find(|known| *known == name) else {
            let known = TYPES.join(" ");
            return invalid(format!(
                "has a primitive type that is NOT VALID -- given: /{name}/ Expected valid values are:[{known}]"
            ));
        };
        if types.contains(known) {
            return invalid(format!("{name} type is duplicated"));
        }
        types.push(*known);
    }
    Ok(types)
}

fn number(term: &Term) -> Option<Decimal> {
    match term {
        Term::Number(number) => exact(number),
        _ => None,
    }
}

pub(super) fn numbers(schema: &mut Schema, fields: &Fields, draft: Draft) -> Result<(), Refusal> {
    if let Some(term) = field(fields, "multipleOf") {
        let Some(multiple) = number(term) else {
            return refused_type("Number", "multipleOf");
        };
        if multiple.is_zero() || multiple.is_negative() {
            return invalid("multipleOf must be strictly greater than 0");
        }
        schema.multiple_of = Some(multiple);
    }
    (schema.minimum, schema.exclusive_minimum) = bound(fields, "minimum", "exclusiveMinimum", draft)?;
    (schema.maximum, schema.exclusive_maximum) = bound(fields, "maximum", "exclusiveMaximum", draft)?;
    Ok(())
}

/// A bound and an exclusive one: a flag in draft 4, a number of its own since.
fn bound(
    fields: &Fields,
    key: &str,
    exclusive_key: &str,
    draft: Draft,
) -> Result<(Option<Decimal>, Option<Decimal>), Refusal> {
    let bound = match field(fields, key).map(number) {
        Some(None) => return invalid(format!("{key} must be of a Number")),
        bound => bound.flatten(),
    };
    let as_flag = matches!(draft, Draft::Four | Draft::Hybrid);
    let as_number = draft != Draft::Four;
    match field(fields, exclusive_key) {
        None => Ok((bound, None)),
        Some(Term::Boolean(_)) if as_flag && bound.is_none() => {
            invalid(format!("{exclusive_key} cannot be used without {key}"))
        }
        Some(Term::Boolean(true)) if as_flag => Ok((None, bound)),
        Some(Term::Boolean(false)) if as_flag => Ok((bound, None)),
        Some(Term::Number(number)) if as_number => Ok((bound, exact(number))),
        Some(_) => {
            let expected = match draft {
                Draft::Four => "boolean",
                Draft::Hybrid => "boolean/number",
                _ => "number",
            };
            refused_type(expected, exclusive_key)
        }
    }
}

pub(super) fn range(fields: &Fields, min: &str, max: &str, in_order: bool) -> Result<Range, Refusal> {
    let range = Range {
        min: natural(fields, min)?,
        max: natural(fields, max)?,
    };
    if in_order && range.max.is_some() && range.min > range.max {
        return invalid(format!("{min} cannot be greater than {max}"));
    }
    Ok(range)
}

/// Written as an integer, too: `1.0` is none.
fn natural(fields: &Fields, key: &str) -> Result<Option<u64>, Refusal> {
    let Some(term) = field(fields, key) else {
        return Ok(None);
    };
    let value = match term {
        Term::Number(number) => number.text().parse::<i64>().ok(),
        _ => None,
    };
    let Some(value) = value else {
        return must_be_an(key, "integer");
    };
    match u64::try_from(value) {
        Ok(value) => Ok(Some(value)),
        Err(_) => invalid(format!("{key} must be greater than or equal to 0")),
    }
}

pub(super) fn required(fields: &Fields) -> Result<Vec<String>, Refusal> {
    let mut required = Vec::new();
    let mut seen = HashSet::new();
    for term in array(fields, "required")?.unwrap_or_default() {
        let Term::String(name) = term else {
            return refused_type("string", "required");
        };
        if !seen.insert(name) {
            return invalid("required items must be unique");
        }
        required.push(name.clone());
    }
    Ok(required)
}

/// `const` and `enum`. An empty enumeration is one that nothing satisfies.
pub(super) fn values(schema: &mut Schema, fields: &Fields, draft: Draft) -> Result<(), Refusal> {
    if let Some(constant) = field(fields, "const").filter(|_| draft >= Draft::Six) {
        schema.constant = Some(rounded(constant)?);
    }
    let Some(values) = array(fields, "enum")? else {
        return Ok(());
    };
    let mut enumeration = Vec::new();
    let mut seen = HashSet::new();
    for value in values {
        let value = rounded(value)?;
        if !seen.insert(value.clone()) {
            return invalid("enum items must be unique");
        }
        enumeration.push(value);
    }
    schema.enumeration = Some(enumeration);
    Ok(())
}
