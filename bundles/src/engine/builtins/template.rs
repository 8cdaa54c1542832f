//! `strings.render_template` (`v1/topdown/template.go`): Go's `text/template` over JSON values.
//!
//! The whole language is here. What has no stable or no textual result in Go ends in a limit instead:
//! complex and hexadecimal floating-point constants, strings that are no UTF-8, `%#v`, `%p`, `*` and
//! `[n]` in `printf`, and slices that reach beyond the end of an array into memory Go has reserved.

mod exec;
mod functions;
mod lex;
mod literal;
mod parse;
mod print;
mod tree;
mod value;

use super::{Builtin, Context, Failure, builtin, string};
use crate::engine::quote::quote;
use crate::engine::term::Term;

pub(super) const TABLE: &[Builtin] = &[builtin("strings.render_template", 2, render)];

/// The length of a template, in bytes.
const MAX_SOURCE: usize = 64 * 1024;
/// How deep actions, parentheses and called templates may be nested.
const MAX_DEPTH: usize = 100;
/// What one call may do: steps and bytes of text that it makes, printed or not.
const MAX_WORK: usize = 4 * 1024 * 1024;
/// The name of the template that is run.
const MAIN: &str = "template";

fn render(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let source = string(arguments, 0)?;
    let data = arguments
        .get(1)
        .filter(|data| matches!(data, Term::Object(_)) && is_json(data));
    let data = data.ok_or(Failure::Undefined)?;
    if source.len() > MAX_SOURCE {
        return Err(Failure::Limit(format!("a template is longer than {MAX_SOURCE} bytes")));
    }
    let templates = parse::parse(source)?;
    let text = exec::run(&templates, data)?;
    Ok(Term::String(text.replace("<no value>", "<undefined>")))
}

/// Whether the text of the value is JSON: OPA hands it over as such a text, so sets, keys that are no
/// strings and characters with an escape that JSON lacks make the call undefined.
fn is_json(term: &Term) -> bool {
    match term {
        Term::Null | Term::Boolean(_) => true,
        Term::Number(_) => term.is_json(),
        Term::String(text) => serde_json::from_str::<serde::de::IgnoredAny>(&quote(text, false)).is_ok(),
        Term::Array(items) => items.iter().all(is_json),
        Term::Object(fields) => fields
            .iter()
            .all(|(key, value)| matches!(key, Term::String(_)) && is_json(key) && is_json(value)),
        Term::Set(_) => false,
    }
}

fn too_deep() -> Failure {
    Failure::Limit(format!("a template is nested more than {MAX_DEPTH} deep"))
}

fn unsupported(what: &str) -> Failure {
    Failure::Limit(format!("the host does not render {what} in templates"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_rendered_or_refused(
            source in r#"(\{\{-? ?|range |if |end|else|define "a"|\$x|:=|\.a|1|"é"|print |slice |[|() ]|-?\}\}){0,24}"#,
        ) {
            let data = Term::parse(r#"{"a": [1, "é", null, {"a": {}}]}"#, 8).unwrap();
            let templates = parse::parse(&source);
            let _ = templates.and_then(|templates| exec::run(&templates, &data));
        }

        #[test]
        fn text_without_actions_stays(source in "[^{]{0,40}") {
            let data = Term::Object(std::collections::BTreeMap::new());
            let templates = parse::parse(&source).unwrap();
            prop_assert_eq!(exec::run(&templates, &data), Ok(source.clone()));
        }
    }
}
