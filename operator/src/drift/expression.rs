//! The expression of a rule, as far as it says which series it needs.
//!
//! | in the expression | what it needs |
//! |---|---|
//! | `a` | that `a` has data now |
//! | `a offset 1d` | that `a` has data at that time; a workload that is younger is not known to be seen yet |
//! | `a @ 0` | that `a` has data at that time, which never moves: alone it says nothing of the workload now |
//! | `a[1h]`, and `a` inside a subquery `(…)[1h:5m]` | that `a` has data within that time |
//! | `a or b` | one of the two sides |
//! | `a unless b`; `fill_left`, `fill_right` | the side that must be there; the other may be empty |
//! | `a unless a`, `a > 3 unless a` | what is never there: `a` takes itself away |
//! | `absent(a)`, `absent_over_time(a[1h])` | nothing: they are meant to find nothing |
//! | any other operator, function or aggregation | everything inside |
//!
//! An expression that cannot be read, or is longer or deeper than [`LONGEST`] and [`DEEPEST`], is unknown, not broken.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, UNIX_EPOCH};

use interlock_crds::drift::WorkloadLabels;
use promql_parser::label::Matcher;
use promql_parser::parser::token::{T_LOR, T_LUNLESS};
use promql_parser::parser::{AtModifier, BinaryExpr, Expr, Offset, VectorSelector, parse};

use super::Workload;
use super::selector::{Selector, When};

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
    /// The time at which the rule reads it.
    pub when: When,
    matchers: Vec<Matcher>,
    /// Whether the alert can fire without it.
    optional: bool,
}

impl Wanted {
    /// A selector of no rule, read now.
    pub fn now(selector: Selector) -> Self {
        Self {
            selector,
            when: When::default(),
            matchers: Vec::new(),
            optional: false,
        }
    }

    /// As people write it.
    pub fn spoken(&self) -> String {
        format!("{}{}", self.selector.spoken(), self.when)
    }

    /// Whether it looks back from now.
    pub fn looks_back(&self) -> bool {
        self.when.fixed.is_none() && self.when.offset > 0
    }
}

#[derive(Clone, Debug)]
enum Need {
    All(Vec<Need>),
    Any(Vec<Need>),
    Data {
        index: usize,
        fixed: bool,
    },
    /// What is taken away from itself.
    Never,
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
    /// None of the workload at the time at which the rule looks back, but some now: it is younger.
    Later,
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
    /// Not yet what this selector asks for.
    NotYet(usize),
    /// Everything is taken away from itself.
    Never,
    /// Everything it needs, but of the workload only at a time that never moves.
    Fixed(usize),
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
        let need = need(&parsed, When::default(), false, &mut wanted)?;
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
        if found.complete && found.own {
            return Seen::Workload;
        }
        let fixed = || found.fixed.map_or(Seen::NotThisWorkload, Seen::Fixed);
        found.lacks.or(found.later).unwrap_or_else(fixed)
    }
}

struct Found {
    /// Whether everything is there.
    complete: bool,
    /// Whether something of it is the workload's, at a time that moves.
    own: bool,
    /// What is not there.
    lacks: Option<Seen>,
    /// What will be there.
    later: Option<Seen>,
    /// What is the workload's at a fixed time.
    fixed: Option<usize>,
}

impl Need {
    fn found(&self, sights: &[Sight]) -> Found {
        match self {
            Self::Data { index, fixed } => {
                let sight = sights.get(*index).copied().unwrap_or(Sight::Nothing);
                Found {
                    complete: matches!(sight, Sight::Own | Sight::Shared),
                    own: sight == Sight::Own && !fixed,
                    lacks: (sight == Sight::Nothing).then_some(Seen::Lacks(*index)),
                    later: (sight == Sight::Later).then_some(Seen::NotYet(*index)),
                    fixed: (sight == Sight::Own && *fixed).then_some(*index),
                }
            }
            Self::Never => Found {
                complete: false,
                own: false,
                lacks: Some(Seen::Never),
                later: None,
                fixed: None,
            },
            Self::All(parts) | Self::Any(parts) => {
                let found: Vec<Found> = parts.iter().map(|part| part.found(sights)).collect();
                let is_all = matches!(self, Self::All(_));
                let complete = if is_all {
                    found.iter().all(|part| part.complete)
                } else {
                    found.iter().any(|part| part.complete)
                };
                // Of alternatives one that is still to come is enough to wait for.
                let waits = !is_all && found.iter().any(|part| part.lacks.is_none() && part.later.is_some());
                Found {
                    complete,
                    own: found.iter().any(|part| part.complete && part.own),
                    lacks: found.iter().find_map(|part| part.lacks).filter(|_| !waits),
                    later: found.iter().find_map(|part| part.later),
                    fixed: found.iter().filter(|part| part.complete).find_map(|part| part.fixed),
                }
            }
        }
    }
}

fn need(expression: &Expr, when: When, optional: bool, wanted: &mut Vec<Wanted>) -> Result<Need, Unreadable> {
    let mut inside = |one: &Expr| need(one, when, optional, wanted);
    Ok(match expression {
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Need::All(Vec::new()),
        Expr::VectorSelector(selector) => data(selector, moved(when, None, selector), optional, wanted)?,
        Expr::MatrixSelector(matrix) => data(
            &matrix.vs,
            moved(when, Some(matrix.range), &matrix.vs),
            optional,
            wanted,
        )?,
        Expr::Subquery(subquery) => {
            let when = read_at(
                when,
                Some(subquery.range),
                subquery.offset.as_ref(),
                subquery.at.as_ref(),
            );
            need(&subquery.expr, when, optional, wanted)?
        }
        Expr::Call(call) if matches!(call.func.name, "absent" | "absent_over_time") => Need::All(Vec::new()),
        Expr::Call(call) => Need::All(call.args.args.iter().map(|one| inside(one)).collect::<Result<_, _>>()?),
        Expr::Aggregate(aggregate) => {
            let parts = std::iter::once(&aggregate.expr).chain(&aggregate.param);
            Need::All(parts.map(|one| inside(one)).collect::<Result<_, _>>()?)
        }
        Expr::Unary(unary) => inside(&unary.expr)?,
        Expr::Paren(paren) => inside(&paren.expr)?,
        Expr::Binary(binary) => both(binary, when, optional, wanted)?,
        Expr::Extension(_) => return Err(Unreadable::Syntax("an extension of PromQL".to_owned())),
    })
}

fn both(binary: &BinaryExpr, when: When, optional: bool, wanted: &mut Vec<Wanted>) -> Result<Need, Unreadable> {
    let fill = binary.modifier.as_ref().map(|modifier| &modifier.fill_values);
    let may_lack_left = fill.is_some_and(|fill| fill.lhs.is_some());
    let may_lack_right = fill.is_some_and(|fill| fill.rhs.is_some()) || binary.op.id() == T_LUNLESS;
    let is_or = binary.op.id() == T_LOR;
    let is_nothing = binary.op.id() == T_LUNLESS && takes_itself_away(&binary.lhs, &binary.rhs);
    let mut parts = Vec::new();
    for (side, may_lack) in [(&binary.lhs, may_lack_left), (&binary.rhs, may_lack_right)] {
        if !may_lack {
            parts.push(need(side, when, optional || is_or, wanted)?);
        }
    }
    if is_nothing {
        parts.push(Need::Never);
    }
    Ok(if is_or { Need::Any(parts) } else { Need::All(parts) })
}

/// Whether `left unless right` is always empty: the right side has every series of the left one.
fn takes_itself_away(left: &Expr, right: &Expr) -> bool {
    let right = bare(right);
    let mut left = bare(left);
    loop {
        if equal(left, right) {
            return true;
        }
        // A comparison with a number leaves fewer of the same series.
        let Expr::Binary(binary) = left else { return false };
        let (one, other) = (bare(&binary.lhs), bare(&binary.rhs));
        left = match (one, other) {
            _ if !binary.op.is_comparison_operator() || binary.return_bool() => return false,
            (_, Expr::NumberLiteral(_)) => one,
            (Expr::NumberLiteral(_), _) => other,
            _ => return false,
        };
    }
}

/// Without the brackets around it.
fn bare(mut expression: &Expr) -> &Expr {
    while let Expr::Paren(paren) = expression {
        expression = &paren.expr;
    }
    expression
}

fn equal(one: &Expr, other: &Expr) -> bool {
    let (Expr::VectorSelector(a), Expr::VectorSelector(b)) = (one, other) else {
        return one == other;
    };
    let same = Selector::of_rule(a)
        .zip(Selector::of_rule(b))
        .is_some_and(|(a, b)| a.is_as(&b));
    same && a.offset == b.offset && a.at == b.at
}

fn moved(when: When, range: Option<Duration>, selector: &VectorSelector) -> When {
    read_at(when, range, selector.offset.as_ref(), selector.at.as_ref())
}

/// The time at which something is read that stands in what is read at `outer`.
fn read_at(outer: When, range: Option<Duration>, offset: Option<&Offset>, at: Option<&AtModifier>) -> When {
    let fixed = at.and_then(since_1970);
    let outer = if at.is_some() { When::default() } else { outer };
    let length = |duration: &Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let offset = match offset {
        Some(Offset::Pos(duration)) => length(duration),
        Some(Offset::Neg(duration)) => -length(duration),
        None => 0,
    };
    let range = range.map(|range| outer.range.unwrap_or_default().saturating_add(range));
    When {
        range: range.or(outer.range).map(|range| range.min(LONGEST_RANGE)),
        offset: outer.offset.saturating_add(offset),
        fixed: fixed.or(outer.fixed),
    }
}

/// The fixed time of an `@`, in milliseconds since 1970.
fn since_1970(at: &AtModifier) -> Option<i64> {
    let AtModifier::At(time) = at else {
        // When a rule is evaluated, start() and end() are now.
        return None;
    };
    let size = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    Some(match time.duration_since(UNIX_EPOCH) {
        Ok(after) => size(after),
        Err(before) => -size(before.duration()),
    })
}

fn data(selector: &VectorSelector, when: When, optional: bool, wanted: &mut Vec<Wanted>) -> Result<Need, Unreadable> {
    let read = Selector::of_rule(selector);
    let read = read.ok_or_else(|| Unreadable::Syntax("a selector with alternatives".to_owned()))?;
    wanted.push(Wanted {
        selector: read,
        when,
        matchers: selector.matchers.matchers.clone(),
        optional,
    });
    Ok(Need::Data {
        index: wanted.len() - 1,
        fixed: when.fixed.is_some(),
    })
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
                Some("young") if !one.looks_back() => Sight::Own,
                Some("young") => Sight::Later,
                _ => Sight::Nothing,
            })
            .collect();
        match expression.seen(&sights) {
            Seen::Workload => "sees".to_owned(),
            Seen::NotThisWorkload => "not this".to_owned(),
            Seen::Lacks(index) => format!("lacks {}", expression.wanted[index].spoken()),
            Seen::NotYet(index) => format!("not yet {}", expression.wanted[index].spoken()),
            Seen::Fixed(index) => format!("fixed {}", expression.wanted[index].spoken()),
            Seen::Never => "never".to_owned(),
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
            ("gone offset 1d > 3", "lacks gone offset 1d"),
            ("young > 3", "sees"),
            ("young / young offset 1d > 3", "not yet young offset 1d"),
            ("young offset 1d > gone", "lacks gone"),
            ("gone or young offset 90m", "not yet young offset 90m"),
            ("drift @ 0 > 3", "fixed drift @ 0.000"),
            ("drift @ 0 > limit", "fixed drift @ 0.000"),
            ("drift @ 0 > gone", "lacks gone"),
            ("max_over_time(drift[1h:5m] @ 7.5) > 3", "fixed drift @ 7.500"),
            ("drift / drift @ 1700000000 > 2", "sees"),
            ("drift > limit @ 0", "sees"),
            ("drift @ end() > 3", "sees"),
            ("drift unless drift", "never"),
            (
                "drift{a=\"1\",b=\"2\"} > 3 unless on (modelId) (drift{b=\"2\",a=\"1\"})",
                "never",
            ),
            ("(drift > 3) unless (drift > 3)", "never"),
            ("drift > 3 unless drift > 5", "sees"),
            ("drift > bool 3 unless drift > 3", "sees"),
            ("drift unless drift offset 1d", "sees"),
            ("drift unless drift{a=\"1\"}", "sees"),
            ("(drift unless drift) or drift", "sees"),
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
        let range = |text: &str| {
            Expression::read(text).unwrap().wanted[0]
                .when
                .range
                .map(|one| one.as_secs())
        };
        assert_eq!(range("drift offset 1d"), None);
        assert_eq!(range("rate(drift[5m])"), Some(300));
        assert_eq!(range("max_over_time(rate(drift[5m])[1h:1m])"), Some(3900));
        assert_eq!(range("rate(drift[1000y])"), Some(7 * 24 * 3600));
    }

    #[test]
    fn a_selector_is_asked_at_the_time_at_which_the_rule_reads_it() {
        let table = [
            ("drift offset 1d", "{__name__=\"drift\"} offset 1d"),
            ("drift offset -90s", "{__name__=\"drift\"} offset -90s"),
            ("drift @ -1.5", "{__name__=\"drift\"} @ -1.500"),
            (
                "rate(drift[5m] offset 1500ms)",
                "last_over_time({__name__=\"drift\"}[300000ms] offset 1500ms)",
            ),
            (
                "max_over_time((drift offset 1h)[1h:1m] offset 1d)",
                "last_over_time({__name__=\"drift\"}[3600000ms] offset 25h)",
            ),
            (
                "max_over_time((drift @ 60 offset 1m)[1h:1m] offset 1d)",
                "{__name__=\"drift\"} @ 60.000 offset 1m",
            ),
        ];
        for (text, want) in table {
            let wanted = &Expression::read(text).unwrap().wanted[0];
            let asked = wanted.selector.at(wanted.when);
            assert_eq!(asked, want, "{text}");
            parse(&asked).unwrap();
        }
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
