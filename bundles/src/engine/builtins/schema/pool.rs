//! The documents a schema may refer to: itself, its parts with an identifier, and the schemas of the
//! drafts. Nothing is ever fetched.

use std::collections::HashMap;
use std::rc::Rc;

use super::Refusal;
use super::draft::{self, Draft};
use super::uri::Uri;
use crate::engine::term::Term;

/// The addresses in a document and the ways to what they name, in bytes.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// Where a schema is: in one of the documents, and behind these keys and indexes.
#[derive(Debug, Clone)]
pub(super) struct Place {
    document: Rc<Term>,
    path: Vec<String>,
    /// The draft its document declares.
    pub(super) draft: Option<Draft>,
}

#[derive(Default)]
pub(super) struct Pool {
    places: HashMap<String, Place>,
    bytes: usize,
}

impl Place {
    /// None only if the path does not exist, which was checked when the place was found.
    pub(super) fn term(&self) -> Option<&Term> {
        let mut term = self.document.as_ref();
        for step in &self.path {
            term = match term {
                Term::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                Term::Object(fields) => fields.get(&Term::String(step.clone()))?,
                _ => return None,
            };
        }
        Some(term)
    }
}

impl Pool {
    /// Adds a document under its address, and its parts under theirs. References inside become absolute.
    pub(super) fn add(&mut self, mut document: Term, base: &Uri) -> Result<Place, Refusal> {
        let address = base.to_string();
        if self.places.contains_key(&address) {
            return Err(exists(&address));
        }
        let draft = draft::declared(&document)?;
        let mut named = HashMap::new();
        self.resolve(&mut document, base, &mut Vec::new(), &mut named)?;
        let place = Place {
            document: Rc::new(document),
            path: Vec::new(),
            draft,
        };
        for (name, path) in named {
            self.places.insert(name, Place { path, ..place.clone() });
        }
        self.places.insert(address, place.clone());
        Ok(place)
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.bytes += bytes;
        if self.bytes > MAX_BYTES {
            return Err(Refusal::Limit(format!(
                "the addresses in a schema take more than {MAX_BYTES} bytes"
            )));
        }
        Ok(())
    }

    fn resolve(
        &mut self,
        term: &mut Term,
        base: &Uri,
        path: &mut Vec<String>,
        named: &mut HashMap<String, Vec<String>>,
    ) -> Result<(), Refusal> {
        match term {
            Term::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    path.push(index.to_string());
                    self.resolve(item, base, path, named)?;
                    path.pop();
                }
                Ok(())
            }
            Term::Object(fields) => {
                let field = |name: &str| fields.get(&Term::String(name.to_owned()));
                let absolute = |base: &Uri, value: Option<&Term>| match value {
                    Some(Term::String(text)) => {
                        let uri = base.resolve(&Uri::parse(text).ok()?);
                        // It is written and read once more, as in Go.
                        Uri::parse(&uri.to_string()).ok()
                    }
                    _ => None,
                };
                let id = absolute(base, field("id").or_else(|| field("$id")));
                if let Some(id) = &id {
                    let name = id.to_string();
                    let way = path.iter().map(|step| size_of::<String>() + step.len());
                    self.charge(name.len() + way.sum::<usize>())?;
                    if self.places.contains_key(&name) || named.contains_key(&name) {
                        return Err(exists(&name));
                    }
                    named.insert(name, path.clone());
                }
                let base = id.as_ref().unwrap_or(base);
                if let Some(reference) = absolute(base, field("$ref")) {
                    let reference = reference.to_string();
                    self.charge(reference.len())?;
                    let reference = Term::String(reference);
                    fields.insert(Term::String("$ref".to_owned()), reference);
                }
                for (key, value) in fields.iter_mut() {
                    let Term::String(key) = key else { continue };
                    path.push(key.clone());
                    self.resolve_field(key, value, base, path, named)?;
                    path.pop();
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Some fields hold values, others hold names that are no keywords.
    fn resolve_field(
        &mut self,
        key: &str,
        value: &mut Term,
        base: &Uri,
        path: &mut Vec<String>,
        named: &mut HashMap<String, Vec<String>>,
    ) -> Result<(), Refusal> {
        match (key, value) {
            ("properties" | "dependencies" | "patternProperties", Term::Object(children)) => {
                for (name, child) in children {
                    let Term::String(name) = name else { continue };
                    path.push(name.clone());
                    self.resolve(child, base, path, named)?;
                    path.pop();
                }
                Ok(())
            }
            ("const" | "enum" | "properties" | "dependencies" | "patternProperties", _) => Ok(()),
            (_, value) => self.resolve(value, base, path, named),
        }
    }

    /// The schema a reference means. A fragment is first looked for as a name, then as a JSON pointer.
    pub(super) fn find(&mut self, reference: &Uri) -> Result<Place, Refusal> {
        let name = reference.to_string();
        if let Some(place) = self.places.get(&name) {
            return Ok(place.clone());
        }
        let base = reference.without_fragment();
        let place = match self.places.get(&base.to_string()) {
            Some(place) => place.clone(),
            None => self.load(reference, &base)?,
        };
        let place = follow(place, &reference.fragment.bytes)?;
        self.places.insert(name, place.clone());
        Ok(place)
    }

    /// The drafts' own schemas are known. Others count as unreachable, also files, which OPA would read.
    fn load(&mut self, reference: &Uri, base: &Uri) -> Result<Place, Refusal> {
        let is_file = reference.scheme == "file";
        if !(is_file && reference.path.bytes.starts_with(b"/") || !is_file && reference.is_absolute()) {
            return Err(Refusal::Invalid(format!("Reference {reference} must be canonical")));
        }
        match draft::meta_schema(&base.to_string()) {
            Some(document) => self.add(document?, base),
            None => Err(Refusal::Invalid(format!("remote reference loading disabled: {base}"))),
        }
    }
}

fn exists(address: &str) -> Refusal {
    Refusal::Invalid(format!("Reference already exists: \"{address}\""))
}

/// Follows a JSON pointer; a fragment that is none means the whole document.
fn follow(mut place: Place, fragment: &[u8]) -> Result<Place, Refusal> {
    let fragment = String::from_utf8_lossy(fragment).into_owned();
    let Some(pointer) = fragment.strip_prefix('/') else {
        return Ok(place);
    };
    let invalid = |text: String| Err(Refusal::Invalid(text));
    for token in pointer.split('/') {
        let step = match place.term() {
            Some(Term::Object(fields)) => {
                let name = token.replace("~1", "/").replace("~0", "~");
                if !fields.contains_key(&Term::String(name.clone())) {
                    return invalid(format!("Object has no key '{name}'"));
                }
                name
            }
            Some(Term::Array(items)) => {
                let Some(index) = index(token) else {
                    return invalid(format!("Invalid array index '{token}'"));
                };
                match usize::try_from(index) {
                    Ok(found) if found < items.len() => found.to_string(),
                    _ => {
                        let count = items.len();
                        return invalid(format!("Out of bound array[0,{count}] index '{index}'"));
                    }
                }
            }
            _ => return invalid(format!("Invalid token reference '{token}'")),
        };
        place.path.push(step);
    }
    Ok(place)
}

/// As Go's `strconv.Atoi`: with a sign and leading zeros.
fn index(token: &str) -> Option<i64> {
    token.parse().ok()
}
