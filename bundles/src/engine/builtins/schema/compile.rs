//! A document to a schema: the keywords in the order in which OPA looks at them, and references to other
//! schemas, each of which is read once.

use std::collections::{BTreeMap, HashMap};

use super::super::Failure;
use super::draft::Draft;
use super::keywords::{self, array, boolean, invalid, must_be_an, object, refused_type, string};
use super::pattern::{Pattern, Patterns};
use super::pool::{Place, Pool};
use super::uri::Uri;
use super::{MAX_DEPTH, Refusal, field};
use crate::engine::decimal::Decimal;
use crate::engine::term::Term;

/// How many schemas one may consist of.
const MAX_SCHEMAS: usize = 20_000;

/// The place of a schema in [`Compiled`].
pub(super) type Id = usize;
type Fields = BTreeMap<Term, Term>;

/// A schema and all it consists of; the first is the root.
pub(super) struct Compiled {
    pub(super) schemas: Vec<Schema>,
}

/// What one schema asks for.
#[derive(Default)]
pub(super) struct Schema {
    /// `true` and `false` are schemas, too.
    pub(super) pass: Option<bool>,
    /// Nothing else counts beside a reference.
    pub(super) reference: Option<Id>,
    pub(super) types: Vec<&'static str>,
    pub(super) properties: BTreeMap<String, Id>,
    pub(super) additional_properties: Option<Additional>,
    pub(super) pattern_properties: Vec<(Pattern, Id)>,
    pub(super) property_names: Option<Id>,
    pub(super) dependencies: BTreeMap<String, Dependency>,
    pub(super) items: Items,
    pub(super) additional_items: Option<Additional>,
    pub(super) multiple_of: Option<Decimal>,
    pub(super) minimum: Option<Decimal>,
    pub(super) exclusive_minimum: Option<Decimal>,
    pub(super) maximum: Option<Decimal>,
    pub(super) exclusive_maximum: Option<Decimal>,
    pub(super) length: Range,
    pub(super) pattern: Option<Pattern>,
    pub(super) format: Option<String>,
    pub(super) size: Range,
    pub(super) required: Vec<String>,
    pub(super) count: Range,
    pub(super) unique_items: bool,
    pub(super) contains: Option<Id>,
    /// As [`super::number::rounded`] text.
    pub(super) constant: Option<String>,
    pub(super) enumeration: Option<Vec<String>>,
    pub(super) one_of: Vec<Id>,
    pub(super) any_of: Vec<Id>,
    pub(super) all_of: Vec<Id>,
    pub(super) not: Option<Id>,
    pub(super) condition: Option<Id>,
    pub(super) then: Option<Id>,
    pub(super) otherwise: Option<Id>,
}

pub(super) enum Additional {
    Allowed(bool),
    Schema(Id),
}

pub(super) enum Dependency {
    Names(Vec<String>),
    Schema(Id),
}

#[derive(Default)]
pub(super) enum Items {
    #[default]
    Any,
    All(Id),
    Each(Vec<Id>),
}

/// Bounds of a length or count.
#[derive(Default)]
pub(super) struct Range {
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
}

pub(super) fn compile(document: Term, regex_bytes: usize) -> Result<Compiled, Refusal> {
    let mut pool = Pool::default();
    let place = pool.add(document, &Uri::default())?;
    let mut compiler = Compiler {
        pool,
        schemas: Vec::new(),
        references: HashMap::new(),
        patterns: Patterns::new(regex_bytes),
        depth: 0,
    };
    let term = place.term().ok_or(Failure::Undefined)?;
    compiler.schema(term, place.draft.unwrap_or(Draft::Hybrid))?;
    Ok(Compiled {
        schemas: compiler.schemas,
    })
}

struct Compiler {
    pool: Pool,
    schemas: Vec<Schema>,
    /// Schemas that were referred to, by their address.
    references: HashMap<String, Id>,
    patterns: Patterns,
    depth: usize,
}

impl Compiler {
    fn schema(&mut self, term: &Term, draft: Draft) -> Result<Id, Refusal> {
        let id = self.reserve()?;
        self.fill(id, term, draft)?;
        Ok(id)
    }

    fn reserve(&mut self) -> Result<Id, Refusal> {
        let id = self.schemas.len();
        if id >= MAX_SCHEMAS {
            return Err(Refusal::Limit(format!("a schema consists of more than {MAX_SCHEMAS}")));
        }
        self.schemas.push(Schema::default());
        Ok(id)
    }

    fn fill(&mut self, id: Id, term: &Term, draft: Draft) -> Result<(), Refusal> {
        if self.depth >= MAX_DEPTH {
            return Err(Refusal::Limit(format!("a schema is nested more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let schema = match term {
            Term::Boolean(pass) if draft >= Draft::Six => Box::new(Schema {
                pass: Some(*pass),
                ..Schema::default()
            }),
            Term::Object(fields) => self.read(fields, draft)?,
            _ => return invalid("Expected: Valid Schema, given: Invalid JSON"),
        };
        self.depth -= 1;
        if let Some(place) = self.schemas.get_mut(id) {
            *place = *schema;
        }
        Ok(())
    }

    /// The schema is on the heap, because reading it is recursive.
    fn read(&mut self, fields: &Fields, draft: Draft) -> Result<Box<Schema>, Refusal> {
        let mut schema = Box::<Schema>::default();
        let id_key = match draft {
            Draft::Four => "id",
            Draft::Hybrid if field(fields, "id").is_some() => "id",
            _ => "$id",
        };
        if let Some(id) = string(fields, id_key)? {
            Uri::parse(id).map_err(Refusal::Invalid)?;
        }
        self.definitions(fields, draft)?;
        string(fields, "title")?;
        string(fields, "description")?;
        if let Some(reference) = string(fields, "$ref")? {
            let reference = Uri::parse(reference).map_err(Refusal::Invalid)?;
            if let Some(known) = self.references.get(&reference.to_string()) {
                schema.reference = Some(*known);
            } else {
                schema.reference = Some(self.refer(&reference, draft)?);
                return Ok(schema);
            }
        }
        schema.types = keywords::types(fields)?;
        self.of_objects(&mut schema, fields, draft)?;
        self.of_items(&mut schema, fields, draft)?;
        keywords::numbers(&mut schema, fields, draft)?;
        schema.length = keywords::range(fields, "minLength", "maxLength", true)?;
        if let Some(text) = string(fields, "pattern")? {
            schema.pattern = self.patterns.compile(text)?;
            if schema.pattern.is_none() {
                return invalid("pattern must be a valid regex");
            }
        }
        schema.format = string(fields, "format")?
            .filter(|format| !format.is_empty())
            .map(str::to_owned);
        schema.size = keywords::range(fields, "minProperties", "maxProperties", true)?;
        schema.required = keywords::required(fields)?;
        schema.count = keywords::range(fields, "minItems", "maxItems", false)?;
        schema.unique_items = boolean(fields, "uniqueItems")?.unwrap_or(false);
        if let Some(contains) = field(fields, "contains").filter(|_| draft >= Draft::Six) {
            schema.contains = Some(self.schema(contains, draft)?);
        }
        keywords::values(&mut schema, fields, draft)?;
        schema.one_of = self.all(fields, "oneOf", draft)?;
        schema.any_of = self.all(fields, "anyOf", draft)?;
        schema.all_of = self.all(fields, "allOf", draft)?;
        schema.not = self.one(fields, "not", draft)?;
        if draft >= Draft::Seven {
            schema.condition = self.one(fields, "if", draft)?;
            schema.then = self.one(fields, "then", draft)?;
            schema.otherwise = self.one(fields, "else", draft)?;
        }
        Ok(schema)
    }

    /// Read only to find errors in them: references go by the document.
    fn definitions(&mut self, fields: &Fields, draft: Draft) -> Result<(), Refusal> {
        let refused = || refused_type("Array Of Schemas", "definitions");
        match field(fields, "definitions") {
            None => Ok(()),
            Some(Term::Object(definitions)) => {
                for definition in definitions.values() {
                    if !is_schema(definition) {
                        return refused();
                    }
                    self.schema(definition, draft)?;
                }
                Ok(())
            }
            Some(_) => refused(),
        }
    }

    /// The schema behind a reference. It is known from here on, so that it may refer to itself.
    fn refer(&mut self, reference: &Uri, draft: Draft) -> Result<Id, Refusal> {
        let id = self.reserve()?;
        self.references.insert(reference.to_string(), id);
        let place: Place = self.pool.find(reference)?;
        let term = place.term().ok_or(Failure::Undefined)?;
        if !is_schema(term) {
            return invalid("Valid Schema must be of type object");
        }
        self.fill(id, term, place.draft.unwrap_or(draft))?;
        Ok(id)
    }

    fn of_objects(&mut self, schema: &mut Schema, fields: &Fields, draft: Draft) -> Result<(), Refusal> {
        match field(fields, "properties") {
            None => {}
            Some(Term::Object(properties)) => {
                for (name, property) in properties {
                    let id = self.schema(property, draft)?;
                    schema.properties.insert(name_of(name), id);
                }
            }
            Some(_) => return invalid("Properties must be of type object"),
        }
        schema.additional_properties = self.additional(fields, "additionalProperties", draft)?;
        if let Some(patterns) = object(fields, "patternProperties")? {
            for (name, property) in patterns {
                let name = name_of(name);
                let Some(pattern) = self.patterns.compile(&name)? else {
                    return invalid(format!("Invalid regex pattern '{name}'"));
                };
                let id = self.schema(property, draft)?;
                schema.pattern_properties.push((pattern, id));
            }
        }
        if let Some(names) = field(fields, "propertyNames").filter(|_| draft >= Draft::Six) {
            if !is_schema(names) {
                return refused_type("Valid Schema", "patternProperties");
            }
            schema.property_names = Some(self.schema(names, draft)?);
        }
        self.dependencies(schema, fields, draft)
    }

    fn additional(&mut self, fields: &Fields, key: &str, draft: Draft) -> Result<Option<Additional>, Refusal> {
        Ok(match field(fields, key) {
            None => None,
            Some(Term::Boolean(allowed)) => Some(Additional::Allowed(*allowed)),
            Some(term @ Term::Object(_)) => Some(Additional::Schema(self.schema(term, draft)?)),
            Some(_) => return refused_type("boolean/Valid Schema", key),
        })
    }

    fn dependencies(&mut self, schema: &mut Schema, fields: &Fields, draft: Draft) -> Result<(), Refusal> {
        let refused = || invalid("Dependency must be of type Schema Or Array Of Strings");
        let dependencies = match field(fields, "dependencies") {
            None => return Ok(()),
            Some(Term::Object(dependencies)) => dependencies,
            Some(_) => return invalid("dependencies must be of type object"),
        };
        for (name, dependency) in dependencies {
            let dependency = match dependency {
                Term::Array(names) => {
                    let mut known = Vec::new();
                    for name in names {
                        let Term::String(name) = name else {
                            return refused();
                        };
                        known.push(name.clone());
                    }
                    Dependency::Names(known)
                }
                term if is_schema(term) => Dependency::Schema(self.schema(term, draft)?),
                _ => return refused(),
            };
            schema.dependencies.insert(name_of(name), dependency);
        }
        Ok(())
    }

    fn of_items(&mut self, schema: &mut Schema, fields: &Fields, draft: Draft) -> Result<(), Refusal> {
        let refused = || refused_type("Valid Schema/Array Of Schemas", "items");
        schema.items = match field(fields, "items") {
            None => Items::Any,
            Some(Term::Array(items)) => {
                let mut each = Vec::new();
                for item in items {
                    if !is_schema(item) {
                        return refused();
                    }
                    each.push(self.schema(item, draft)?);
                }
                Items::Each(each)
            }
            Some(term) if is_schema(term) => Items::All(self.schema(term, draft)?),
            Some(_) => return refused(),
        };
        schema.additional_items = self.additional(fields, "additionalItems", draft)?;
        Ok(())
    }

    fn all(&mut self, fields: &Fields, key: &str, draft: Draft) -> Result<Vec<Id>, Refusal> {
        let terms = array(fields, key)?.unwrap_or_default();
        terms.iter().map(|term| self.schema(term, draft)).collect()
    }

    fn one(&mut self, fields: &Fields, key: &str, draft: Draft) -> Result<Option<Id>, Refusal> {
        match field(fields, key) {
            None => Ok(None),
            Some(term) if is_schema(term) => self.schema(term, draft).map(Some),
            Some(_) => must_be_an(key, "object"),
        }
    }
}

fn is_schema(term: &Term) -> bool {
    matches!(term, Term::Boolean(_) | Term::Object(_))
}

/// All keys of a JSON object are strings.
fn name_of(key: &Term) -> String {
    match key {
        Term::String(name) => name.clone(),
        _ => String::new(),
    }
}
