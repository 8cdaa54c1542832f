//! What a schema asks of a value of one type.

use std::collections::HashMap;

use super::super::{Failure, regex};
use super::compile::{Additional, Id, Items, Range, Schema};
use super::number::{is_multiple, of_document, rounded, show};
use super::validate::{Fields, KEYWORD_BYTES, Outcome, STEP_BYTES, Validator, keep_better};
use super::{Refusal, field, format};
use crate::engine::decimal::Decimal;
use crate::engine::term::{Number, Term};

/// Bytes that the start of a search for a pattern counts as.
const SEARCH_BYTES: usize = 32 * STEP_BYTES;
/// Bytes that a byte of a regular expression counts as: `\pL` is hundreds of ranges.
const REGEX_BYTES: usize = 4 * STEP_BYTES;
/// Digits from which on a division takes longer than its numbers are.
const SHORT_DIGITS: usize = 1024;

impl Validator<'_> {
    /// Constants, enumerations and formats.
    pub(super) fn common(&mut self, schema: &Schema, node: &Term, outcome: &mut Outcome) -> Result<(), Refusal> {
        if let Some(constant) = &schema.constant
            && self.rounded(node)? != *constant
        {
            let text = format!("{} does not match: {constant}", self.field());
            self.find(outcome, "const", text)?;
        }
        if let Some(values) = &schema.enumeration
            && !self.is_among(values, node)?
        {
            let text = format!("{} must be one of the following: {}", self.field(), values.join(", "));
            self.find(outcome, "enum", text)?;
        }
        if let (Some(format), Term::String(text)) = (&schema.format, node) {
            self.charge(SEARCH_BYTES + text.len())?;
            let is_format = match format.as_str() {
                "regex" => self.is_regex(text)?,
                name => format::is_format(name, text),
            };
            if !is_format {
                self.find(outcome, "format", format!("Does not match format '{format}'"))?;
            }
        }
        outcome.score += 1;
        Ok(())
    }

    pub(super) fn number(&mut self, schema: &Schema, number: &Number, outcome: &mut Outcome) -> Result<(), Refusal> {
        let bounds = [
            (&schema.maximum, Bound::MostOrEqual),
            (&schema.exclusive_maximum, Bound::Most),
            (&schema.minimum, Bound::LeastOrEqual),
            (&schema.exclusive_minimum, Bound::Least),
        ];
        if schema.multiple_of.is_some() || bounds.iter().any(|(bound, ..)| bound.is_some()) {
            let number = of_document(number)?;
            if let Some(multiple) = &schema.multiple_of {
                let width = number.width().saturating_add(multiple.width());
                let width = usize::try_from(width).unwrap_or(usize::MAX);
                self.charge(width.saturating_mul(1 + width / SHORT_DIGITS))?;
                if !is_multiple(&number, multiple)? {
                    let text = format!("Must be a multiple of {}", show(multiple));
                    self.find(outcome, "multiple_of", text)?;
                }
            }
            for (bound, relation) in bounds {
                let Some(bound) = bound else { continue };
                let (holds, kind, relation) = relation.of(&number, bound);
                if !holds {
                    self.find(outcome, kind, format!("Must be {relation} {}", show(bound)))?;
                }
            }
        }
        outcome.score += 1;
        Ok(())
    }

    pub(super) fn string(&mut self, schema: &Schema, text: &str, outcome: &mut Outcome) -> Result<(), Refusal> {
        let Range { min, max } = schema.length;
        if min.is_some() || max.is_some() {
            self.charge(text.len())?;
            let length = text.chars().count() as u64;
            if let Some(min) = min.filter(|min| length < *min) {
                let text = format!("String length must be greater than or equal to {min}");
                self.find(outcome, "string_gte", text)?;
            }
            if let Some(max) = max.filter(|max| length > *max) {
                let text = format!("String length must be less than or equal to {max}");
                self.find(outcome, "string_lte", text)?;
            }
        }
        if let Some(pattern) = &schema.pattern {
            self.charge(SEARCH_BYTES + text.len())?;
            if !pattern.is_match(text, &mut self.search_steps)? {
                let text = format!("Does not match pattern '{}'", pattern.text);
                self.find(outcome, "pattern", text)?;
            }
        }
        outcome.score += 1;
        Ok(())
    }

    pub(super) fn array(&mut self, schema: &Schema, items: &[Term], outcome: &mut Outcome) -> Result<(), Refusal> {
        match &schema.items {
            Items::Any => {}
            Items::All(id) => {
                for (index, item) in items.iter().enumerate() {
                    self.below(index.to_string(), *id, item, outcome)?;
                }
            }
            Items::Each(ids) => self.each_item(schema, ids, items, outcome)?,
        }
        let count = items.len() as u64;
        if let Some(min) = schema.count.min.filter(|min| count < *min) {
            let text = format!("Array must have at least {min} items");
            self.find(outcome, "array_min_items", text)?;
        }
        if let Some(max) = schema.count.max.filter(|max| count > *max) {
            let text = format!("Array must have at most {max} items");
            self.find(outcome, "array_max_items", text)?;
        }
        if schema.unique_items {
            let mut seen = HashMap::new();
            for (index, item) in items.iter().enumerate() {
                if let Some(first) = seen.insert(self.rounded(item)?, index) {
                    let text = format!("array items[{first},{index}] must be unique");
                    self.find(outcome, "unique", text)?;
                }
            }
        }
        if let Some(id) = schema.contains {
            self.contains(id, items, outcome)?;
        }
        outcome.score += 1;
        Ok(())
    }

    fn each_item(&mut self, schema: &Schema, ids: &[Id], items: &[Term], outcome: &mut Outcome) -> Result<(), Refusal> {
        for (index, (item, id)) in items.iter().zip(ids).enumerate() {
            self.below(index.to_string(), *id, item, outcome)?;
        }
        if ids.is_empty() || items.len() <= ids.len() {
            return Ok(());
        }
        match schema.additional_items {
            Some(Additional::Allowed(false)) => self.find(
                outcome,
                "array_no_additional_items",
                "No additional items allowed on array",
            )?,
            Some(Additional::Schema(id)) => {
                for (index, item) in items.iter().enumerate().skip(ids.len()) {
                    self.below(index.to_string(), id, item, outcome)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn contains(&mut self, id: Id, items: &[Term], outcome: &mut Outcome) -> Result<(), Refusal> {
        let mut best = None;
        for (index, item) in items.iter().enumerate() {
            self.path.push(index.to_string());
            let found = self.apart(id, item)?;
            self.path.pop();
            if found.is_valid() {
                return Ok(());
            }
            keep_better(&mut best, found);
        }
        self.find(outcome, "contains", "At least one of the items must match")?;
        if let Some(best) = best {
            outcome.merge(best);
        }
        Ok(())
    }

    pub(super) fn object(&mut self, schema: &Schema, fields: &Fields, outcome: &mut Outcome) -> Result<(), Refusal> {
        let keywords = schema.properties.keys().chain(&schema.required);
        let keywords = keywords.chain(schema.dependencies.keys()).map(String::len);
        let keys = fields.keys().map(|key| match key {
            Term::String(name) => name.len(),
            _ => 0,
        });
        self.charge(keywords.chain(keys).map(|length| KEYWORD_BYTES + length).sum())?;
        let count = fields.len() as u64;
        if let Some(min) = schema.size.min.filter(|min| count < *min) {
            let text = format!("Must have at least {min} properties");
            self.find(outcome, "array_min_properties", text)?;
        }
        if let Some(max) = schema.size.max.filter(|max| count > *max) {
            let text = format!("Must have at most {max} properties");
            self.find(outcome, "array_max_properties", text)?;
        }
        for name in &schema.required {
            if field(fields, name).is_some() {
                outcome.score += 1;
            } else {
                self.find(outcome, "required", format!("{name} is required"))?;
            }
        }
        for (name, value) in fields {
            let Term::String(name) = name else { continue };
            let is_known = schema.properties.contains_key(name);
            let matches = self.patterns(schema, name, value, outcome)?;
            if is_known || matches {
                continue;
            }
            match schema.additional_properties {
                Some(Additional::Allowed(false)) => {
                    let text = format!("Additional property {name} is not allowed");
                    self.find(outcome, "additional_property_not_allowed", text)?;
                }
                Some(Additional::Schema(id)) => self.below(name.clone(), id, value, outcome)?,
                _ => {}
            }
        }
        if let Some(id) = schema.property_names {
            for name in fields.keys() {
                let found = self.apart(id, name)?;
                if let (false, Term::String(name)) = (found.is_valid(), name) {
                    let text = format!("Property name of \"{name}\" does not match");
                    self.find(outcome, "invalid_property_name", text)?;
                    outcome.merge(found);
                }
            }
        }
        outcome.score += 1;
        Ok(())
    }

    fn patterns(&mut self, schema: &Schema, name: &str, value: &Term, outcome: &mut Outcome) -> Result<bool, Refusal> {
        let mut matches = false;
        for (pattern, id) in &schema.pattern_properties {
            self.charge(SEARCH_BYTES + name.len())?;
            if pattern.is_match(name, &mut self.search_steps)? {
                matches = true;
                self.below(name.to_owned(), *id, value, outcome)?;
            }
        }
        outcome.score += i64::from(matches);
        Ok(matches)
    }

    fn rounded(&mut self, node: &Term) -> Result<String, Refusal> {
        let text = rounded(node)?;
        self.charge(text.len())?;
        Ok(text)
    }

    fn is_regex(&mut self, text: &str) -> Result<bool, Refusal> {
        self.charge(text.len().saturating_mul(REGEX_BYTES))?;
        match regex::compile(text, self.regex_bytes) {
            Ok(program) => {
                self.charge(program.size())?;
                Ok(true)
            }
            Err(Failure::Undefined) => Ok(false),
            Err(limit) => Err(limit.into()),
        }
    }

    fn is_among(&mut self, values: &[String], node: &Term) -> Result<bool, Refusal> {
        let text = self.rounded(node)?;
        self.charge(values.len() * KEYWORD_BYTES)?;
        Ok(values.contains(&text))
    }
}

/// What a bound asks for.
#[derive(Clone, Copy)]
enum Bound {
    MostOrEqual,
    Most,
    LeastOrEqual,
    Least,
}

impl Bound {
    /// Whether the number keeps it, and how the error is called and begins.
    fn of(self, number: &Decimal, bound: &Decimal) -> (bool, &'static str, &'static str) {
        match self {
            Self::MostOrEqual => (number <= bound, "number_lte", "less than or equal to"),
            Self::Most => (number < bound, "number_lt", "less than"),
            Self::LeastOrEqual => (number >= bound, "number_gte", "greater than or equal to"),
            Self::Least => (number > bound, "number_gt", "greater than"),
        }
    }
}
