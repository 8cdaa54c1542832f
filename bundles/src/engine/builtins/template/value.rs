//! The values of a running template: what Go has for JSON, and what its functions make.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Failure;
use crate::engine::term::Term;

#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    /// No value at all: a key that is missing, or `null` once a pipeline has ended.
    Missing,
    /// `null` as an element of something.
    Null,
    Bool(bool),
    Integer(i64),
    /// A byte of a string.
    Byte(u8),
    Float(f64),
    Text(&'a str),
    Made(Rc<str>),
    /// A number of the data, which to Go is a kind of string.
    Number(&'a str),
    List(List<'a>),
    Map(&'a BTreeMap<Term, Term>),
}

/// Part of an array. Go may look beyond its end, into what has been reserved for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct List<'a> {
    /// From its beginning to the end of the array.
    items: &'a [Term],
    length: usize,
    /// Unknown for long arrays.
    capacity: Option<usize>,
}

impl<'a> Value<'a> {
    pub(super) fn of(term: &'a Term) -> Self {
        match term {
            Term::Boolean(value) => Self::Bool(*value),
            Term::Number(number) => Self::Number(number.text()),
            Term::String(text) => Self::Text(text),
            Term::Array(items) => Self::List(List::of(items)),
            Term::Object(fields) => Self::Map(fields),
            // Sets do not come here.
            Term::Null | Term::Set(_) => Self::Null,
        }
    }

    /// A pipeline does not give `null`, but nothing.
    pub(super) fn or_missing(self) -> Self {
        match self {
            Self::Null => Self::Missing,
            other => other,
        }
    }

    /// The text if Go's type is `string`, which a number's is not.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Made(text) => Some(text),
            _ => None,
        }
    }

    /// The text if it is some kind of string to Go.
    pub(super) fn any_text(&self) -> Option<&str> {
        match self {
            Self::Number(text) => Some(text),
            other => other.text(),
        }
    }

    /// About how many bytes are looked at to print it.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::List(list) => list.items().iter().map(Term::weight).sum(),
            Self::Map(fields) => fields.iter().map(|(key, value)| key.weight() + value.weight()).sum(),
            other => other.any_text().map_or(1, str::len),
        }
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Missing | Self::Null => false,
            Self::Bool(value) => *value,
            Self::Integer(value) => *value != 0,
            Self::Byte(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(_) | Self::Made(_) | Self::Number(_) => self.any_text().is_some_and(|text| !text.is_empty()),
            Self::List(list) => list.length > 0,
            Self::Map(fields) => !fields.is_empty(),
        }
    }

    /// The value of a field; nothing has only fields that are missing, but `null` has none.
    pub(super) fn field(&self, name: &str) -> Result<Self, Failure> {
        match self {
            Self::Missing => Ok(Self::Missing),
            Self::Map(fields) => Ok(find(fields, name).unwrap_or(Self::Missing)),
            _ => Err(Failure::Undefined),
        }
    }

    /// The name of its type in Go, as `%T` shows it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Missing | Self::Null => "<nil>",
            Self::Bool(_) => "bool",
            Self::Integer(_) => "int",
            Self::Byte(_) => "uint8",
            Self::Float(_) => "float64",
            Self::Text(_) | Self::Made(_) => "string",
            Self::Number(_) => "json.Number",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
        }
    }
}

/// The value of a key.
pub(super) fn find<'a>(fields: &'a BTreeMap<Term, Term>, name: &str) -> Option<Value<'a>> {
    fields.get(&Term::String(name.to_owned())).map(Value::of)
}

impl<'a> List<'a> {
    fn of(items: &'a [Term]) -> Self {
        // Go's decoder doubles an array of up to 512 elements when it is full.
        let capacity = match items.len() {
            0 => Some(0),
            length if length <= 512 => Some(length.next_power_of_two()),
            _ => None,
        };
        Self {
            items,
            length: items.len(),
            capacity,
        }
    }

    pub(super) fn items(&self) -> &'a [Term] {
        self.items.get(..self.length).unwrap_or_default()
    }

    /// From one index to another, and no further than a third. Each is checked against what is
    /// reserved, not against the end.
    pub(super) fn slice(self, start: Option<i64>, end: Option<i64>, most: Option<i64>) -> Result<Self, Failure> {
        let check = |index: Option<i64>, default: usize| match index.map(usize::try_from) {
            None => Ok(default),
            Some(Ok(index)) if index <= self.items.len() => Ok(index),
            Some(Ok(index)) if self.capacity.is_none_or(|capacity| index <= capacity) => {
                Err(super::unsupported("what lies beyond the end of an array"))
            }
            Some(_) => Err(Failure::Undefined),
        };
        let (start, end) = (check(start, 0)?, check(end, self.length)?);
        let capacity = match most {
            None => self.capacity,
            Some(_) => Some(check(most, 0)?),
        };
        if start > end || capacity.is_some_and(|capacity| end > capacity) {
            return Err(Failure::Undefined);
        }
        let items = self.items.get(start..).unwrap_or_default();
        let room = capacity.map(|capacity| capacity - start);
        Ok(Self {
            items: items
                .get(..room.unwrap_or(items.len()).min(items.len()))
                .unwrap_or_default(),
            length: end - start,
            capacity: room,
        })
    }
}
