//! The built-in functions that the host supplies to policies, exact to OPA 1.22 (`v1/topdown`).
//!
//! About half of Rego's functions are inside every module; these are the most used of the others. All
//! are pure, given the instant of the decision. A module that needs another one is refused when it is
//! compiled. Semantic errors (a wrong type, a text that is no number) make the call undefined, as in
//! OPA; a limit of the host ends the decision, because undefined would turn `not f(x)` true.
//!
//! `testdata/builtins/cases.json` holds calls and OPA's recorded answers.

mod cidr;
mod crypto;
mod encodings;
mod float;
mod graph;
mod json_marshal;
mod json_patch;
mod jwt;
mod numbers;
mod objects;
mod output;
mod patch_tree;
mod regex;
mod schema;
mod semver;
mod sprintf;
mod strings;
mod template;
mod text;
mod time;
mod units;
mod url;
mod uuid;
mod verbs;
mod yaml;

use std::sync::LazyLock;

use jiff::Timestamp;

use super::term::Term;

/// What a call may depend on besides its arguments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    /// The instant of the decision.
    pub(super) now: Timestamp,
    /// The size of one compiled regular expression, in bytes.
    pub(super) regex_bytes: usize,
}

/// Why a call has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The arguments have no value under this function: undefined.
    Undefined,
    /// The host will not compute that much.
    Limit(String),
}

/// One function.
pub(super) struct Builtin {
    pub(super) name: &'static str,
    pub(super) arity: usize,
    pub(super) call: fn(&Context, &[Term]) -> Result<Term, Failure>,
}

/// The functions, family by family.
const FAMILIES: &[&[Builtin]] = &[
    TABLE,
    cidr::TABLE,
    crypto::TABLE,
    encodings::TABLE,
    graph::TABLE,
    json_marshal::TABLE,
    json_patch::TABLE,
    jwt::TABLE,
    numbers::TABLE,
    output::TABLE,
    regex::TABLE,
    schema::TABLE,
    template::TABLE,
    text::TABLE,
    time::TABLE,
    url::TABLE,
    uuid::TABLE,
    yaml::TABLE,
];

const TABLE: &[Builtin] = &[
    builtin("object.subset", 2, objects::subset),
    builtin("semver.compare", 2, semver::compare),
    builtin("semver.is_valid", 1, semver::is_valid),
    builtin("sprintf", 2, sprintf::sprintf),
    builtin("strings.any_prefix_match", 2, strings::any_prefix_match),
    builtin("strings.any_suffix_match", 2, strings::any_suffix_match),
    builtin("units.parse", 1, units::parse),
    builtin("units.parse_bytes", 1, units::parse_bytes),
];

const NO_GRAPHQL: &str = "nothing that is governed is written in GraphQL, and the engine has no reader of it";

/// Functions that no policy will ever get, and why.
const REFUSED: &[(&str, &str)] = &[
    (
        "http.send",
        "a decision makes no network requests; evidence is collected before",
    ),
    (
        "net.lookup_ip_addr",
        "a decision makes no network requests; evidence is collected before",
    ),
    ("opa.runtime", "it would show the environment of the process"),
    ("rand.intn", "the same input must always give the same verdict"),
    ("providers.aws.sign_req", "a policy holds no credentials"),
    ("graphql.is_valid", NO_GRAPHQL),
    ("graphql.parse", NO_GRAPHQL),
    ("graphql.parse_and_verify", NO_GRAPHQL),
    ("graphql.parse_query", NO_GRAPHQL),
    ("graphql.parse_schema", NO_GRAPHQL),
    ("graphql.schema_is_valid", NO_GRAPHQL),
    (
        "rego.parse_module",
        "the engine runs compiled policies and has no reader of Rego",
    ),
];

const fn builtin(name: &'static str, arity: usize, call: fn(&Context, &[Term]) -> Result<Term, Failure>) -> Builtin {
    Builtin { name, arity, call }
}

/// All functions, sorted by name.
pub(super) fn all() -> impl Iterator<Item = &'static Builtin> {
    static ALL: LazyLock<Vec<&'static Builtin>> = LazyLock::new(|| {
        let mut all: Vec<_> = FAMILIES.iter().copied().flatten().collect();
        all.sort_unstable_by_key(|builtin| builtin.name);
        all
    });
    ALL.iter().copied()
}

pub(super) fn find(name: &str) -> Option<&'static Builtin> {
    all().find(|builtin| builtin.name == name)
}

/// Why this function is refused for ever, if it is.
pub(super) fn refusal(name: &str) -> Option<&'static str> {
    REFUSED
        .iter()
        .find(|(refused, _)| *refused == name)
        .map(|(_, why)| *why)
}

/// The argument at `index` if it is a string; otherwise the call is undefined.
fn string(arguments: &[Term], index: usize) -> Result<&str, Failure> {
    match arguments.get(index) {
        Some(Term::String(text)) => Ok(text),
        _ => Err(Failure::Undefined),
    }
}

#[cfg(test)]
mod tests;
