//! The expression of a rule, as far as it says which series it needs.
//!
//! | in the expression | what it needs |
//! |---|---|
//! | `a`, `a offset 1d`, `a @ 0` | that `a` has data now: an offset looks at the past of the same series |
//! | `a[1h]`, and `a` inside a subquery `(…)[1h:5m]` | that `a` has data within that time |
//! | `a or b` | one of the two sides |
//! | `a unless b`; `fill_left`, `fill_right` | the side that must be there; the other may be empty |
//! | `absent(a)`, `absent_over_time(a[1h])` | nothing: they are meant to find nothing |
//! | any other operator, function or aggregation | everything inside |
//!
//! An expression that cannot be read, or is longer or deeper than [`LONGEST`] and [`DEEPEST`], is unknown, not broken.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use interlock_crds::drift::WorkloadLabels;
use promql_parser::label::Matcher;
use promql_parser::parser::token::{T_LOR, T_LUNLESS};
use promql_parser::parser::{BinaryExpr, Expr, VectorSelector, parse};

use super::Workload;
use super::selector::Selector;

/// Longest expression that is read, in bytes.
pub const LONGEST: usize = 8 << 10;

/// Most operators, brackets and calls in it: each may nest, and nesting costs stack.
pub const DEEPEST: usize = 256;

/// Longest range that is asked for, whatever the rule says.
const LONGEST_RANGE: Duration = Duration::from_hours(7 * 24);

/// An expression that was read.
#[derive(Clone, Debug)]
pub struct Expression {
    need: Need,
    /// What it selects, in the order in which it stands there.
    pub wanted: Vec<Wanted>,
}

/// One vector selector of an expression.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// As the rule has it.
    pub selector: Selector,
    /// How far back data counts; none: now.
    pub range: Option<Duration>,
    matchers: Vec<Matcher>,
    /// Whether the alert can fire without it.
    optional: bool,
}

#[derive(Clone, Debug)]
enum Need {
    All(Vec<Need>),
    Any(Vec<Need>),
    Data(usize),
}

/// Why an expression could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Too long or too deep.
    #[error("the expression is longer than {LONGEST} bytes or has more than {DEEPEST} operators and brackets")]
    TooLarge,
    /// The parser does not know it.
    #[error("the expression could not be read: {0}")]
    Syntax(String),
}

/// What was found of one selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Series of the workload.
    Own,
    /// Series, none of which says whose it is: they concern all workloads.
    Shared,
    /// Nothing that counts for the workload.
    Nothing,
}

/// What an expression sees of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Everything it needs.
    Workload,
    /// Not what this selector asks for.
    Lacks(usize),
    /// Everything it needs, but nothing of that is about the workload.
    NotThisWorkload,
}

impl Expression {
    /// Reads an expression.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        if text.len() > LONGEST || weight(text) > DEEPEST {
            return Err(Unreadable::TooLarge);
        }
        // The parser slices strings by bytes; what Prometheus has loaded does not make it panic, but who answers in
        // Prometheus' place may send anything.
        let parsed = catch_unwind(AssertUnwindSafe(|| parse(text)));
        let parsed = parsed.unwrap_or_else(|_| Err("the parser gave up".to_owned()));
        let parsed = parsed.map_err(Unreadable::Syntax)?;
        let mut wanted = Vec::new();
        let need = need(&parsed, None, false, &mut wanted)?;
        Ok(Self { need, wanted })
    }

    /// Whether a selector that the alert cannot do without is of another workload, by its own matchers.
    pub fn is_of_another(&self, labels: &WorkloadLabels, workload: Workload<'_>) -> bool {
        let other = |matcher: &Matcher| {
            (matcher.name == labels.namespace_label() && !matcher.is_match(workload.namespace))
                || (matcher.name == labels.name_label && !matcher.is_match(workload.name))
        };
        let needed = self.wanted.iter().filter(|one| !one.optional);
        needed.flat_map(|one| &one.matchers).any(other)
    }

    /// What the expression sees, from what was found of each of its selectors.
    pub fn seen(&self, sights: &[Sight]) -> Seen {
        let found = self.need.found(sights);
        match (found.complete && found.own, found.lacks) {
            (true, _) => Seen::Workload,
            (false, Some(index)) => Seen::Lacks(index),
            (false, None) => Seen::NotThisWorkload,
        }
    }
}

struct Found {
    complete: bool,
    own: bool,
    lacks: Option<usize>,
}

impl Need {
    fn found(&self, sights: &[Sight]) -> Found {
        match self {
            Self::Data(index) => {
                let sight = sights.get(*index).copied().unwrap_or(Sight::Nothing);
                Found {
                    complete: sight != Sight::Nothing,
                    own: sight == Sight::Own,
                    lacks: (sight == Sight::Nothing).then_some(*index),
                }
            }
            Self::All(parts) | Self::Any(parts) => {
                let found: Vec<Found> = parts.iter().map(|part| part.found(sights)).collect();
                let complete = if matches!(self, Self::All(_)) {
                    found.iter().all(|part| part.complete)
                } else {
                    found.iter().any(|part| part.complete)
                };
                Found {
                    complete,
                    own: found.iter().any(|part| part.complete && part.own),
                    lacks: found.iter().find_map(|part| part.lacks),
                }
            }
        }
    }
}

fn need(
    expression: &Expr,
    within: Option<Duration>,
    optional: bool,
    wanted: &mut Vec<Wanted>,
) -> Result<Need, Unreadable> {
    let mut inside = |one: &Expr| need(one, within, optional, wanted);
    Ok(match expression {
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Need::All(Vec::new()),
        Expr::VectorSelector(selector) => data(selector, within, optional, wanted)?,
        Expr::MatrixSelector(matrix) => {
            let range = within.unwrap_or_default().saturating_add(matrix.range);
            data(&matrix.vs, Some(range), optional, wanted)?
        }
        Expr::Subquery(subquery) => {
            let range = within.unwrap_or_default().saturating_add(subquery.range);
            need(&subquery.expr, Some(range), optional, wanted)?
        }
        Expr::Call(call) if matches!(call.func.name, "absent" | "absent_over_time") => Need::All(Vec::new()),
        Expr::Call(call) => Need::All(call.args.args.iter().map(|one| inside(one)).collect::<Result<_, _>>()?),
        Expr::Aggregate(aggregate) => {
            let parts = std::iter::once(&aggregate.expr).chain(&aggregate.param);
            Need::All(parts.map(|one| inside(one)).collect::<Result<_, _>>()?)
        }
        Expr::Unary(unary) => inside(&unary.expr)?,
        Expr::Paren(paren) => inside(&paren.expr)?,
        Expr::Binary(binary) => both(binary, within, optional, wanted)?,
        Expr::Extension(_) => return Err(Unreadable::Syntax("an extension of PromQL".to_owned())),
    })
}

fn both(
    binary: &BinaryExpr,
    within: Option<Duration>,
    optional: bool,
    wanted: &mut Vec<Wanted>,
) -> Result<Need, Unreadable> {
    let fill = binary.modifier.as_ref().map(|modifier| &modifier.fill_values);
    let may_lack_left = fill.is_some_and(|fill| fill.lhs.is_some());
    let may_lack_right = fill.is_some_and(|fill| fill.rhs.is_some()) || binary.op.id() == T_LUNLESS;
    let is_or = binary.op.id() == T_LOR;
    let mut parts = Vec::new();
    for (side, may_lack) in [(&binary.lhs, may_lack_left), (&binary.rhs, may_lack_right)] {
        if !may_lack {
            parts.push(need(side, within, optional || is_or, wanted)?);
        }
    }
    Ok(if is_or { Need::Any(parts) } else { Need::All(parts) })
}

fn data(
    selector: &VectorSelector,
    range: Option<Duration>,
    optional: bool,
    wanted: &mut Vec<Wanted>,
) -> Result<Need, Unreadable> {
    let read = Selector::of_rule(selector);
    let read = read.ok_or_else(|| Unreadable::Syntax("a selector with alternatives".to_owned()))?;
    wanted.push(Wanted {
        selector: read,
        range: range.map(|range| range.min(LONGEST_RANGE)),
        matchers: selector.matchers.matchers.clone(),
        optional,
    });
    Ok(Need::Data(wanted.len() - 1))
}

/// How many operators, brackets and words that join stand outside of strings: at least as many as nest.
fn weight(text: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    let mut weight = 0;
    let mut word = String::new();
    for c in text.chars() {
        if let Some(end) = quote {
            match c {
                _ if escaped => escaped = false,
                '\\' if end != '`' => escaped = true,
                _ if c == end => quote = None,
                _ => {}
            }
            continue;
        }
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c.to_ascii_lowercase());
            continue;
        }
        weight += usize::from(matches!(word.as_str(), "and" | "or" | "unless" | "atan2"));
        word.clear();
        match c {
            '"' | '\'' | '`' => quote = Some(c),
            '(' | '[' | '{' | '+' | '-' | '*' | '/' | '%' | '^' | '<' | '>' | '=' | '!' => weight += 1,
            _ => {}
        }
    }
    weight
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> WorkloadLabels {
        WorkloadLabels {
            namespace_label: None,
            name_label: "modelId".into(),
        }
    }

    /// What an expression sees where the metrics of `own` have series of the workload and those of `shared` some
    /// without an owner.
    fn seen(text: &str, own: &[&str], shared: &[&str]) -> String {
        let expression = Expression::read(text).unwrap();
        let sights: Vec<_> = expression
            .wanted
            .iter()
            .map(|one| match one.selector.metric_name() {
                Some(name) if own.contains(&name) => Sight::Own,
                Some(name) if shared.contains(&name) => Sight::Shared,
                _ => Sight::Nothing,
            })
            .collect();
        match expression.seen(&sights) {
            Seen::Workload => "sees".to_owned(),
            Seen::NotThisWorkload => "not this".to_owned(),
            Seen::Lacks(index) => format!("lacks {}", expression.wanted[index].selector.spoken()),
        }
    }

    #[test]
    fn what_an_expression_needs() {
        let table = [
            ("drift > 3", "sees"),
            ("gone > 3", "lacks gone"),
            ("gone{modelId=\"a\"} > 3", "lacks gone{modelId=\"a\"}"),
            ("abs(avg by (modelId) (drift)) > on () group_left () limit", "sees"),
            ("drift > gone", "lacks gone"),
            ("drift or gone", "sees"),
            ("gone or drift", "sees"),
            ("gone or limit", "lacks gone"),
            ("gone or vector(0)", "lacks gone"),
            ("drift > 3 and (gone or vector(1))", "sees"),
            ("drift unless gone", "sees"),
            ("gone unless drift", "lacks gone"),
            ("drift and gone", "lacks gone"),
            ("absent(gone)", "not this"),
            ("absent(gone) or drift", "sees"),
            ("limit > 3", "not this"),
            ("vector(1)", "not this"),
            ("drift offset 1d > 3", "sees"),
            ("drift @ 0 > 3", "sees"),
            ("max_over_time(drift[1h]) > 3", "sees"),
            ("max_over_time((gone > 1)[1h:5m]) > 3", "lacks gone"),
            ("topk(scalar(gone), drift)", "lacks gone"),
            ("quantile(0.9, -drift)", "sees"),
            ("{__name__=\"drift\",x=~\"a|b\"} > bool 1", "sees"),
        ];
        for (text, want) in table {
            assert_eq!(seen(text, &["drift"], &["limit"]), want, "{text}");
        }
    }

    #[test]
    fn ranges_add_up_and_are_bounded() {
        let range = |text: &str| Expression::read(text).unwrap().wanted[0].range.map(|one| one.as_secs());
        assert_eq!(range("drift offset 1d"), None);
        assert_eq!(range("rate(drift[5m])"), Some(300));
        assert_eq!(range("max_over_time(rate(drift[5m])[1h:1m])"), Some(3900));
        assert_eq!(range("rate(drift[1000y])"), Some(7 * 24 * 3600));
    }

    #[test]
    fn a_rule_of_another_workload_is_told_by_its_matchers() {
        let workload = Workload {
            namespace: "credit",
            name: "churn",
        };
        let table = [
            ("drift{modelId=\"churn\"} > 3", false),
            ("drift{modelId=\"fraud\"} > 3", true),
            ("drift{modelId=~\"chu.*\"} > 3", false),
            ("drift{modelId=~\"chu\"} > 3", true),
            ("drift{modelId!=\"churn\"} > 3", true),
            ("drift{namespace=\"other\"} > 3", true),
            ("drift{model=\"fraud\"} > 3", false),
            ("drift{modelId=\"fraud\"} or drift{modelId=\"churn\"}", false),
            ("drift > 3 unless drift{modelId=\"fraud\"}", false),
        ];
        for (text, want) in table {
            let expression = Expression::read(text).unwrap();
            assert_eq!(expression.is_of_another(&labels(), workload), want, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_so() {
        for text in [
            "",
            "drift >",
            "no_such_function(drift)",
            "{a=\"b\" or c=\"d\"}",
            "\"\\é\"",
        ] {
            assert!(matches!(Expression::read(text), Err(Unreadable::Syntax(_))), "{text}");
        }
        for text in [
            "(".repeat(5000),
            "-".repeat(5000),
            format!("1{}", "+1".repeat(3000)),
            "a".repeat(9000),
        ] {
            assert_eq!(Expression::read(&text).unwrap_err(), Unreadable::TooLarge);
        }
        let large = format!("drift{}", " + drift".repeat(200));
        assert_eq!(Expression::read(&large).unwrap().wanted.len(), 201);
        assert!(weight("drift{a=\"((((\\\"((((\",b='((((',c=`((((`}") < 6);
    }
}
