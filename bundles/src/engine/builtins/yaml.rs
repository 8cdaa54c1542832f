//! `yaml.marshal`, `yaml.unmarshal` and `yaml.is_valid` (`internal/yaml`), on a reader and a writer of
//! YAML of their own.
//!
//! OPA stands on go.yaml.in/yaml/v3 3.0.5, whose dialect lies between YAML 1.1 and 1.2: no reader in
//! Rust accepts and refuses the same texts. Two things are not as in Go: a byte order mark inside a text
//! counts only where it stands (Go looks at the beginning of its buffer), and keys that become the same
//! only by a merge have one of the values (in Go, a random one).

mod composer;
mod decode;
mod emit;
pub(super) mod json;
mod key;
mod normalize;
mod order;
mod resolve;
mod scalars;
mod scanner;
mod style;
mod tags;
mod timestamp;

use composer::Graph;

use super::{Builtin, Context, Failure, builtin, string};
use crate::engine::term::Term;

/// The largest text that is read, in bytes; a Kubernetes object is at most as large.
const MAX_TEXT_BYTES: usize = 1536 * 1024;

/// How deep collections may be nested: their readers are recursive, and share a stack with the guest.
const MAX_DEPTH: usize = 128;

pub(super) const TABLE: &[Builtin] = &[
    builtin("yaml.is_valid", 1, is_valid),
    builtin("yaml.marshal", 1, marshal),
    builtin("yaml.unmarshal", 1, unmarshal),
];

/// The value as YAML. OPA writes it as JSON and reads that as YAML before, which this repeats:
/// a string with a control character beyond ASCII's first has no value, numbers lose their spelling.
fn marshal(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let [value] = arguments else {
        return Err(Failure::Undefined);
    };
    if !value.is_json() {
        return Err(Failure::Undefined);
    }
    let text = json::text(&json::plain(value));
    check_size(&text)?;
    let (graph, root) = Graph::read(&text)?;
    let value = decode::decode(&graph, root.ok_or(Failure::Undefined)?)?;
    emit::emit(&value).map(Term::String)
}

/// The first document; others must be well-formed, too. Null if there is none.
fn unmarshal(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    read(string(arguments, 0)?)
}

/// Whether `yaml.unmarshal` has a value; false for what is no string.
fn is_valid(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let Ok(text) = string(arguments, 0) else {
        return Ok(Term::Boolean(false));
    };
    match read(text) {
        Ok(_) => Ok(Term::Boolean(true)),
        Err(Failure::Undefined) => Ok(Term::Boolean(false)),
        Err(limit) => Err(limit),
    }
}

fn read(text: &str) -> Result<Term, Failure> {
    check_size(text)?;
    let (mut graph, root) = Graph::read(text)?;
    let Some(root) = root else {
        return Ok(Term::Null);
    };
    normalize::normalize(&mut graph, root)?;
    decode::decode(&graph, root)?.into_term(MAX_DEPTH + 1)
}

fn check_size(text: &str) -> Result<(), Failure> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Failure::Limit(format!(
            "a YAML text has {} bytes, more than {MAX_TEXT_BYTES}",
            text.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_limit(text: &str) -> bool {
        matches!(read(text), Err(Failure::Limit(_)))
    }

    #[test]
    fn what_is_too_much_is_a_limit() {
        assert!(is_limit(&"[".repeat(MAX_DEPTH + 2)));
        assert!(is_limit(&"? ".repeat(MAX_DEPTH + 2)));
        assert!(is_limit(&"#".repeat(MAX_TEXT_BYTES + 1)));
        let chain = ["a: &a ", "b: &b ", "c: &c "].map(|field| format!("{field}{}", "[".repeat(100)));
        let [a, b, c] = chain.map(|opened| (opened, "]".repeat(100)));
        let text = format!("{}x{}\n{}*a{}\n{}*b{}", a.0, a.1, b.0, b.1, c.0, c.1);
        assert!(is_limit(&text));
        let tagged = format!("%TAG !a! {}\n---\n{}", "x".repeat(1 << 20), "- !a!x\n".repeat(20));
        assert!(is_limit(&tagged));
        let repeated = format!("- &a {}\n- [{}]", "x".repeat(1 << 20), vec!["*a"; 90].join(", "));
        assert!(is_limit(&repeated));
    }

    #[test]
    fn a_value_inside_itself_has_none() {
        let text = format!("&a {}*a{}", "[".repeat(MAX_DEPTH - 1), "]".repeat(MAX_DEPTH - 1));
        assert_eq!(read(&text), Err(Failure::Undefined));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[ab1:?,\\[\\]{}#&*!|>'\"%@<~.+\\- \n\t\u{85}\u{2028}]{0,60}") {
            let _ = read(&text);
        }

        /// Not all of Go's texts can be read back: tabs and long keys are left out.
        #[test]
        fn what_is_written_is_read_back(keys in prop::collection::vec("[ -~\n\u{e9}]{0,12}", 0..5), value in "[ -~\n\u{e9}]{0,40}") {
            let fields = keys.into_iter().map(|key| (Term::String(key), Term::Array(vec![Term::String(value.clone())])));
            let term = Term::Object(fields.collect());
            let text = json::text(&term);
            let (graph, root) = Graph::read(&text).unwrap();
            let written = emit::emit(&decode::decode(&graph, root.unwrap()).unwrap()).unwrap();
            prop_assert_eq!(read(&written), Ok(term), "{}", written);
        }
    }
}
