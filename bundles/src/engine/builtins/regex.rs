//! `regex.*` and `glob.quote_meta` (`v1/topdown/regex.go`, `regex_template.go`, `glob.go`).

mod class;
mod globs;
mod program;
mod syntax;
mod unicode;

use super::numbers::small_integer;
use super::{Builtin, Context, Failure, builtin, string};
use crate::engine::term::Term;
pub(super) use program::{MAX_STEPS, Program, compile};
use program::{Search, Slots, span};

pub(super) const TABLE: &[Builtin] = &[
    builtin("glob.quote_meta", 1, quote_meta),
    builtin("regex.find_n", 3, find_n),
    builtin("regex.globs_match", 2, globs::globs_match),
    builtin("regex.replace", 3, replace),
    builtin("regex.split", 2, split),
    builtin("regex.template_match", 4, template_match),
];

/// Elements of an answer.
const MAX_MATCHES: usize = 1 << 18;
/// Bytes of an answer.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Steps of a search that a byte of a template counts as.
const BYTE_STEPS: usize = 4;

/// The first matches of a pattern; all for a negative number.
fn find_n(context: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let (pattern, text) = (string(arguments, 0)?, string(arguments, 1)?);
    let most = small_integer(arguments, 2)?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    compile(pattern, context.regex_bytes)?.each_match(text, most, false, |slots, _| {
        push(&mut found, slice(text, span(slots, 0)))
    })?;
    Ok(Term::Array(found))
}

/// The text between the matches.
fn split(context: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let (pattern, text) = (string(arguments, 0)?, string(arguments, 1)?);
    let program = compile(pattern, context.regex_bytes)?;
    let mut parts = Vec::new();
    if text.is_empty() && !pattern.is_empty() {
        push(&mut parts, text)?;
        return Ok(Term::Array(parts));
    }
    let (mut begin, mut end) = (0, 0);
    program.each_match(text, usize::MAX, false, |slots, _| {
        let (start, stop) = span(slots, 0).unwrap_or((begin, begin));
        end = start;
        // An empty match in front separates nothing.
        if stop > 0 {
            push(&mut parts, slice(text, Some((begin, start))))?;
        }
        begin = stop;
        Ok(())
    })?;
    if end < text.len() {
        push(&mut parts, slice(text, Some((begin, text.len()))))?;
    }
    Ok(Term::Array(parts))
}

/// The text with every match replaced, where `$1` and `${name}` stand for groups.
fn replace(context: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let (text, pattern, template) = (string(arguments, 0)?, string(arguments, 1)?, string(arguments, 2)?);
    let program = compile(pattern, context.regex_bytes)?;
    let mut replaced = String::new();
    let mut end = 0;
    program.each_match(text, usize::MAX, true, |slots, search| {
        let (start, stop) = span(slots, 0).unwrap_or((end, end));
        replaced.push_str(slice(text, Some((end, start))));
        end = stop;
        expand(&mut replaced, template, program.names(), text, slots, search)
    })?;
    replaced.push_str(slice(text, Some((end, text.len()))));
    Ok(Term::String(replaced))
}

/// Whether the text matches a pattern of plain text with regular expressions between two delimiters.
fn template_match(context: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let (template, text) = (string(arguments, 0)?, string(arguments, 1)?);
    let (open, close) = (delimiter(arguments, 2)?, delimiter(arguments, 3)?);
    // The pattern is longer.
    syntax::check_length(template, context.regex_bytes)?;
    let mut parts = Vec::new();
    let mut pattern = String::from("^");
    let (mut level, mut begin) = (0_usize, 0);
    for (index, c) in template.char_indices() {
        if c == open {
            if level == 0 {
                push_quoted(&mut pattern, slice(template, Some((begin, index))));
                begin = index + 1;
            }
            level += 1;
        } else if c == close {
            level = level.checked_sub(1).ok_or(Failure::Undefined)?;
            if level == 0 {
                let part = slice(template, Some((begin, index)));
                parts.push(part);
                pattern.extend(["(", part, ")"]);
                begin = index + 1;
            }
        }
    }
    if level > 0 {
        return Err(Failure::Undefined);
    }
    push_quoted(&mut pattern, slice(template, Some((begin, template.len()))));
    pattern.push('$');
    let program = compile(&pattern, context.regex_bytes)?;
    // Each must be sound alone, too: `a)(b` is not. Together they were no more than may be compiled.
    for part in parts {
        syntax::parse(&format!("^{part}$"), context.regex_bytes)?;
    }
    let mut steps = MAX_STEPS;
    program.is_match(text, &mut steps).map(Term::Boolean)
}

/// The text as a glob pattern that matches just it.
fn quote_meta(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let mut quoted = String::new();
    for c in string(arguments, 0)?.chars() {
        if "*?\\[]{}".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    Ok(Term::String(quoted))
}

fn slice(text: &str, span: Option<(usize, usize)>) -> &str {
    span.and_then(|(start, end)| text.get(start..end)).unwrap_or_default()
}

fn push(items: &mut Vec<Term>, text: &str) -> Result<(), Failure> {
    if items.len() >= MAX_MATCHES {
        return Err(Failure::Limit(format!(
            "a regular expression has more than {MAX_MATCHES} matches"
        )));
    }
    items.push(Term::String(text.to_owned()));
    Ok(())
}

/// Go's `regexp.QuoteMeta`.
fn push_quoted(pattern: &mut String, text: &str) {
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
}

/// One byte, which in a text is an ASCII character.
fn delimiter(arguments: &[Term], index: usize) -> Result<char, Failure> {
    let mut characters = string(arguments, index)?.chars();
    match (characters.next(), characters.next()) {
        (Some(c), None) if c.is_ascii() => Ok(c),
        _ => Err(Failure::Undefined),
    }
}

/// Go's `Regexp.Expand`: `$name`, `${name}`, `$1` and `$$`; a group that is not there is empty. Every match reads the
/// template again.
fn expand(
    expanded: &mut String,
    template: &str,
    names: &[Option<String>],
    text: &str,
    slots: &Slots,
    search: &mut Search<'_>,
) -> Result<(), Failure> {
    search.charge(template.len().saturating_mul(BYTE_STEPS))?;
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        rest = after;
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = reference(after) {
            rest = after;
            let found = if let Some(number) = group_number(name) {
                span(slots, number)
            } else {
                search.charge(names.len())?;
                (0..)
                    .zip(names)
                    .filter(|(_, known)| known.as_deref() == Some(name))
                    .find_map(|(number, _)| span(slots, number))
            };
            expanded.push_str(slice(text, found));
        } else {
            expanded.push('$');
        }
        check_length(expanded)?;
    }
    expanded.push_str(rest);
    check_length(expanded)
}

fn check_length(text: &str) -> Result<(), Failure> {
    if text.len() > MAX_BYTES {
        return Err(Failure::Limit(format!(
            "a replaced text has more than {MAX_BYTES} bytes"
        )));
    }
    Ok(())
}

/// A name in front, perhaps in braces, and what follows it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let braced = text.strip_prefix('{');
    let text = braced.unwrap_or(text);
    let end = text
        .find(|c: char| c != '_' && !unicode::is_letter_or_digit(c))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).filter(|(name, _)| !name.is_empty())?;
    match braced {
        Some(_) => Some((name, rest.strip_prefix('}')?)),
        None => Some((name, rest)),
    }
}

/// The number that a name is: digits without a leading zero, and not too many.
fn group_number(name: &str) -> Option<usize> {
    let plain = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    plain
        .then(|| name.parse().ok())?
        .filter(|number| *number < 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the function says of these texts.
    fn call(function: fn(&Context, &[Term]) -> Result<Term, Failure>, texts: &[&str]) -> Result<Term, Failure> {
        let context = Context {
            now: "2026-11-21T14:00:00Z".parse().unwrap(),
            regex_bytes: 1 << 20,
        };
        let arguments: Vec<_> = texts.iter().map(|text| Term::String((*text).to_owned())).collect();
        function(&context, &arguments)
    }

    #[test]
    fn too_much_work_is_a_limit_and_never_undefined() {
        let long = "A".repeat(1 << 20);
        for (function, texts) in [
            (split as fn(&_, &_) -> _, ["\\pL{1000}", "a"].as_slice()),
            (split, &[&"\\pL".repeat(10_000), "a"]),
            (split, &[&"a".repeat(1 << 17), "a"]),
            (split, &[&format!("{}{}", "(".repeat(51), ")".repeat(51)), "a"]),
            (split, &[&format!("a{}", "*(?i)".repeat(101)), "a"]),
            (split, &["", &long]),
            (split, &["A+|\\pL{20}", &long]),
            (replace, &[&long, "A", "0123456789"]),
            (globs::globs_match, &[&"a*b*".repeat(251), "a"]),
        ] {
            let answer = call(function, texts);
            assert!(matches!(answer, Err(Failure::Limit(_))), "{answer:?}");
        }
    }

    #[test]
    fn a_template_costs_what_it_is_long_for_every_match() {
        let named = ["abc", "(?P<x>b)|(?P<y>c)", "<$x${y}$z$9$$>"];
        for (texts, replaced) in [
            (named, "a<b$><c$>"),
            (["aa", "a", "$é|$1é"], "||"),
            (["aa", "a", ""], ""),
            (["", "", "$0-"], "-"),
        ] {
            assert_eq!(
                call(replace, &texts),
                Ok(Term::String(replaced.to_owned())),
                "{texts:?}"
            );
        }
        let nothing = format!("${}", "a".repeat(1 << 20));
        let answer = call(replace, &[&"a".repeat(1000), "a", &nothing]);
        assert!(matches!(answer, Err(Failure::Limit(_))), "{answer:?}");
    }

    #[test]
    fn the_parts_of_a_template_are_bounded_together() {
        let matches = |template: &str, text: &str| call(template_match, &[template, text, "{", "}"]);
        let many = "{a}".repeat(1000);
        assert_eq!(matches(&many, &"a".repeat(1000)), Ok(Term::Boolean(true)));
        assert_eq!(matches(&many, "a"), Ok(Term::Boolean(false)));
        assert_eq!(matches("é{.}ü{}", "éaü"), Ok(Term::Boolean(true)));
        for unsound in ["{a)(b}", "{a}{(}", "{a", "a}"] {
            assert_eq!(matches(unsound, "ab"), Err(Failure::Undefined), "{unsound}");
        }
        for long in ["{\\pL}".repeat(13_000), "{a}".repeat(100_000)] {
            assert!(matches!(matches(&long, "a"), Err(Failure::Limit(_))));
        }
    }

    /// The machine that finds the bounds of groups keeps those of all of them for each of its states.
    #[test]
    fn too_many_groups_are_a_limit() {
        let answer = call(split, &[&"(a)".repeat(1000), &"a".repeat(1000)]);
        assert!(matches!(answer, Err(Failure::Limit(_))), "{answer:?}");
    }

    #[test]
    fn searches_may_share_their_steps() {
        let program = compile("^a*$", 1 << 20).unwrap();
        let text = "a".repeat(1000);
        let mut steps = 10_000;
        assert_eq!(program.is_match(&text, &mut steps), Ok(true));
        assert!(steps <= 9_000);
        let failure = (0..10).find_map(|_| program.is_match(&text, &mut steps).err());
        assert!(matches!(failure, Some(Failure::Limit(_))));
    }

    #[test]
    fn sets_of_globs_meet_where_their_ranges_do() {
        for (a, b, meet) in [
            ("[a-cx-z]", "[d-y]", true),
            ("[a-cx-z]", "[d-w]", false),
            ("[a-c]", "[ca]", true),
            ("x", "[a-z]", true),
            ("x", "[a-wy-z]", false),
        ] {
            assert_eq!(call(globs::globs_match, &[a, b]), Ok(Term::Boolean(meet)), "{a} {b}");
        }
        let set = |first: u32| {
            let characters = (first..0x30000).step_by(2).filter_map(char::from_u32);
            format!("[{}]", characters.collect::<String>())
        };
        let answer = call(globs::globs_match, &[&set(0x10000), &set(0x10001)]);
        assert_eq!(answer, Ok(Term::Boolean(false)));
    }

    #[test]
    fn groups_and_repetitions_may_be_nested_up_to_their_limits() {
        for pattern in [
            format!("{}a{}", "(".repeat(50), ")".repeat(50)),
            format!("a{}", "*(?i)".repeat(100)),
        ] {
            let empty = Term::String(String::new());
            let sides = Term::Array(vec![empty.clone(), empty]);
            assert_eq!(call(split, &[&pattern, "a"]), Ok(sides), "{pattern}");
        }
    }
}
