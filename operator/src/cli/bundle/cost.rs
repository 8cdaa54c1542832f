//! What the decisions of a bundle cost: the certificate that `inspect` shows, and the comparison of two that `lint`
//! shows.
//!
//! The unit is fuel, about one an instruction of WebAssembly, the same on every machine. Pure.

use std::collections::{BTreeMap, BTreeSet};

use interlock_bundles::engine::Cost;
use serde::Serialize;

use crate::cli::output;

/// What each entry point costs on each golden input and on the empty one.
#[derive(Serialize)]
pub(super) struct Certificate {
    #[serde(flatten)]
    cost: Cost,
    /// For each entry point, where it costs most.
    largest: BTreeMap<String, Largest>,
}

#[derive(Serialize)]
struct Largest {
    input: String,
    fuel: u64,
}

impl From<Cost> for Certificate {
    fn from(cost: Cost) -> Self {
        let mut largest = BTreeMap::<String, Largest>::new();
        for (input, measured) in &cost.inputs {
            for (entrypoint, &fuel) in &measured.entrypoints {
                if largest.get(entrypoint).is_none_or(|known| known.fuel < fuel) {
                    let input = input.clone();
                    largest.insert(entrypoint.clone(), Largest { input, fuel });
                }
            }
        }
        Self { cost, largest }
    }
}

impl Certificate {
    /// A line an input and entry point.
    pub(super) fn table(&self) -> String {
        let is_largest =
            |entrypoint: &str, input: &str| self.largest.get(entrypoint).is_some_and(|at| at.input == input);
        let rows = self.cost.inputs.iter().flat_map(|(input, measured)| {
            measured.entrypoints.iter().map(move |(entrypoint, fuel)| {
                let mark = if is_largest(entrypoint, input) { "largest" } else { "" };
                vec![
                    input.clone(),
                    measured.input_bytes.to_string(),
                    measured.parse.to_string(),
                    entrypoint.clone(),
                    fuel.to_string(),
                    mark.to_owned(),
                ]
            })
        });
        let rows: Vec<_> = rows.collect();
        output::table(&["INPUT", "BYTES", "PARSE", "ENTRY POINT", "FUEL", ""], &rows)
    }
}

/// One cost, before and now.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Change {
    input: String,
    /// None for reading the input.
    entrypoint: Option<String>,
    /// None for what is new.
    old: Option<u64>,
    /// None for what is gone.
    new: Option<u64>,
    /// By how much it grew, negative where it shrank; none unless both are there.
    increase: Option<i128>,
    /// The same in percent of the old one, to one decimal.
    percent: Option<f64>,
}

/// The cost of reading and of each entry point, for every input of either bundle, sorted.
pub(super) fn compare(old: &Cost, new: &Cost) -> Vec<Change> {
    let (old, new) = (lines(old), lines(new));
    let all: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
    all.into_iter()
        .map(|at| Change::new(at, old.get(&at).copied(), new.get(&at).copied()))
        .collect()
}

/// An input, and an entry point or none for reading it.
type Line<'a> = (&'a str, Option<&'a str>);

fn lines(cost: &Cost) -> BTreeMap<Line<'_>, u64> {
    let mut lines = BTreeMap::new();
    for (input, measured) in &cost.inputs {
        lines.insert((input.as_str(), None), measured.parse);
        for (entrypoint, fuel) in &measured.entrypoints {
            lines.insert((input.as_str(), Some(entrypoint.as_str())), *fuel);
        }
    }
    lines
}

impl Change {
    fn new((input, entrypoint): Line<'_>, old: Option<u64>, new: Option<u64>) -> Self {
        let increase = old.zip(new).map(|(old, new)| i128::from(new) - i128::from(old));
        let tenths = increase
            .zip(old)
            .and_then(|(increase, old)| (increase * 1000).checked_div(old.into()));
        let percent = tenths.and_then(|tenths| i32::try_from(tenths).ok());
        Self {
            input: input.to_owned(),
            entrypoint: entrypoint.map(str::to_owned),
            old,
            new,
            increase,
            percent: percent.map(|tenths| f64::from(tenths) / 10.0),
        }
    }

    /// Whether it grew by more than so many percent. What is new or gone has nothing to be measured by.
    pub(super) fn exceeds(&self, percent: u32) -> bool {
        let whole = 100 + u128::from(percent);
        let both = self.old.zip(self.new);
        both.is_some_and(|(old, new)| u128::from(new) * 100 > u128::from(old) * whole)
    }

    /// `entry point "a/b" on input "x" costs 120 instead of 100 (+20.0 %)`.
    pub(super) fn spoken(&self) -> String {
        let what = match &self.entrypoint {
            Some(entrypoint) => format!("entry point {entrypoint:?} on input {:?}", self.input),
            None => format!("reading input {:?}", self.input),
        };
        let [old, new, _, percent] = self.cells();
        format!("{what} costs {new} instead of {old} ({percent})")
    }

    /// Old, new, change and percent, as they are shown.
    fn cells(&self) -> [String; 4] {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let change = match (self.increase, self.new) {
            (Some(increase), _) => format!("{increase:+}"),
            (None, Some(_)) => "new".to_owned(),
            (None, None) => "gone".to_owned(),
        };
        let percent = self.percent.map(|percent| format!("{percent:+.1} %"));
        [number(self.old), number(self.new), change, percent.unwrap_or_default()]
    }
}

/// A line a change.
pub(super) fn table(changes: &[Change]) -> String {
    let rows = changes.iter().map(|change| {
        let part = change.entrypoint.as_deref().unwrap_or("(reading it)");
        let mut row = vec![change.input.clone(), part.to_owned()];
        row.extend(change.cells());
        row
    });
    let rows: Vec<_> = rows.collect();
    output::table(&["INPUT", "ENTRY POINT", "OLD", "NEW", "CHANGE", ""], &rows)
}

#[cfg(test)]
mod tests {
    use interlock_bundles::engine::InputCost;

    use super::*;

    /// Inputs with the fuel for reading them and for the entry points `a` and, where it is there, `b`.
    fn cost(inputs: &[(&str, u64, u64, Option<u64>)]) -> Cost {
        let inputs = inputs.iter().map(|&(input, parse, a, b)| {
            let b = b.map(|fuel| ("b".to_owned(), fuel));
            let measured = InputCost {
                input_bytes: 2,
                parse,
                entrypoints: [("a".to_owned(), a)].into_iter().chain(b).collect(),
            };
            (input.to_owned(), measured)
        });
        Cost {
            inputs: inputs.collect(),
        }
    }

    #[test]
    fn a_certificate_names_the_largest_of_each_entry_point() {
        let certificate = Certificate::from(cost(&[("{}", 10, 70, Some(5)), ("x", 90, 60, Some(8))]));
        assert_eq!(
            certificate.table(),
            "INPUT   BYTES   PARSE   ENTRY POINT   FUEL\n\
             x       2       90      a             60\n\
             x       2       90      b             8      largest\n\
             {}      2       10      a             70     largest\n\
             {}      2       10      b             5\n"
        );
        assert_eq!(
            serde_json::to_value(&certificate).unwrap(),
            serde_json::json!({
                "inputs": {
                    "{}": {"inputBytes": 2, "parse": 10, "entrypoints": {"a": 70, "b": 5}},
                    "x": {"inputBytes": 2, "parse": 90, "entrypoints": {"a": 60, "b": 8}},
                },
                "largest": {"a": {"input": "{}", "fuel": 70}, "b": {"input": "x", "fuel": 8}},
            })
        );
    }

    #[test]
    fn a_comparison_shows_what_grew_shrank_came_and_went() {
        let old = cost(&[("gone", 1, 2, None), ("x", 100, 1000, Some(4))]);
        let new = cost(&[("new", 1, 2, None), ("x", 100, 1126, Some(3))]);
        let changes = compare(&old, &new);
        assert_eq!(
            table(&changes),
            "INPUT   ENTRY POINT    OLD    NEW    CHANGE\n\
             gone    (reading it)   1      -      gone\n\
             gone    a              2      -      gone\n\
             new     (reading it)   -      1      new\n\
             new     a              -      2      new\n\
             x       (reading it)   100    100    +0       +0.0 %\n\
             x       a              1000   1126   +126     +12.6 %\n\
             x       b              4      3      -1       -25.0 %\n"
        );
        let grown = |percent: u32| changes.iter().filter(|change| change.exceeds(percent)).count();
        assert_eq!((grown(0), grown(12), grown(13)), (1, 1, 0));
    }

    #[test]
    fn limits_of_an_increase_are_exact() {
        for (old, new, percent, want) in [
            (100, 110, 10, false),
            (100, 111, 10, true),
            (1000, 1101, 10, true),
            (0, 0, 0, false),
            (0, 1, 1000, true),
            (5, 4, 0, false),
            (u64::MAX, u64::MAX, 0, false),
            (u64::MAX - 1, u64::MAX, 0, true),
        ] {
            let change = Change::new(("x", None), Some(old), Some(new));
            assert_eq!(change.exceeds(percent), want, "{old} {new} {percent}");
        }
        let change = Change::new(("x", Some("a")), Some(3), Some(4));
        assert_eq!(
            change.spoken(),
            "entry point \"a\" on input \"x\" costs 4 instead of 3 (+33.3 %)"
        );
    }
}
