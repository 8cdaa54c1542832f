//! The drafts of JSON Schema that OPA knows.

use super::uri::Uri;
use super::{MAX_DEPTH, Refusal};
use crate::engine::term::Term;

/// In the order of their features. `Hybrid`, for schemas that name no draft, takes the keywords of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Four,
    Six,
    Seven,
    Hybrid,
}

/// The schemas of the drafts (json-schema.org, BSD 3-clause).
const META_SCHEMAS: [(&str, Draft, &str); 3] = [
    (
        "http://json-schema.org/draft-04/schema",
        Draft::Four,
        include_str!("draft-04.json"),
    ),
    (
        "http://json-schema.org/draft-06/schema",
        Draft::Six,
        include_str!("draft-06.json"),
    ),
    (
        "http://json-schema.org/draft-07/schema",
        Draft::Seven,
        include_str!("draft-07.json"),
    ),
];

/// The draft that `$schema` names, if OPA knows it.
pub(super) fn declared(document: &Term) -> Result<Option<Draft>, Refusal> {
    let fields = match document {
        Term::Boolean(_) => return Ok(None),
        Term::Object(fields) => fields,
        _ => return Err(Refusal::Invalid("schema is invalid".to_owned())),
    };
    match fields.get(&Term::String("$schema".to_owned())) {
        None => Ok(None),
        Some(Term::String(text)) => {
            let address = Uri::parse(text).map_err(Refusal::Invalid)?.to_string();
            let known = META_SCHEMAS.iter().find(|(known, ..)| *known == address);
            Ok(known.map(|(_, draft, _)| *draft))
        }
        Some(_) => Err(Refusal::Invalid("$schema must be of type string".to_owned())),
    }
}

/// The schema at this address, if it is that of a draft.
pub(super) fn meta_schema(address: &str) -> Option<Result<Term, Refusal>> {
    let (_, _, text) = META_SCHEMAS.iter().find(|(known, ..)| *known == address)?;
    Some(Term::parse(text, MAX_DEPTH).map_err(|error| Refusal::Limit(error.to_string())))
}
