//! From what bundles say to the verdict: levels are applied, the strongest enforced gate decides.
//!
//! Pure and total. The lattice is Deny > Unknown > Pending > Allow; a gate that warns or is audited is reported and
//! decides nothing; a gate that is off is not reported.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use interlock_bundles::catalogue::Catalogue;
use interlock_bundles::outcome::{Finding, Outcome};
use interlock_crds::release::{GateOutcome, GateResult};
use interlock_crds::track::GateLevel;
use interlock_crds::{Level, Verdict};
use jiff::Timestamp;

use crate::conditions::shorten;

/// What one bundle says of a workload.
#[derive(Clone, Debug)]
pub struct Opinion {
    /// Name of the PolicyBundle.
    pub bundle: String,
    /// Its findings, or why there are none.
    pub findings: Result<Vec<Finding>, Failure>,
    /// Its catalogue, if it has one.
    pub catalogue: Option<Catalogue>,
}

/// Why a bundle could not judge. Always ends in Unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Stable CamelCase word, for example `BundleNotReady` or `DeadlineExceeded`.
    pub reason: String,
    /// One sentence for people.
    pub message: String,
}

/// The verdict and what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What the track's bundles say together.
    pub verdict: Verdict,
    /// Stable word for the `Ready` and `Admissible` conditions.
    pub reason: String,
    /// One sentence: the first gate that decides, and how many more there are.
    pub message: String,
    /// Gates that do not plainly pass, those that decide first.
    pub gates: Vec<GateResult>,
    /// How many entries were left out of `gates`.
    pub omitted: u32,
    /// Gates that pass, sorted.
    pub passed: Vec<String>,
    /// When a level takes effect that can change the verdict.
    pub recheck_at: Option<Timestamp>,
}

/// Most entries of `gates`: keeps a Release small in etcd.
const MOST_GATES: usize = 32;
/// Longest message of a gate, in characters.
const MESSAGE: usize = 256;

/// Weighs `opinions` by `levels`; gates without a level are enforced.
pub fn weigh(levels: &[GateLevel], opinions: &[Opinion], now: Timestamp) -> Judgement {
    let mut weighed = Weighed::default();
    for opinion in opinions {
        match &opinion.findings {
            Err(failure) => weighed.fail(&opinion.bundle, failure),
            Ok(findings) => findings
                .iter()
                .for_each(|finding| weighed.add(levels, opinion, finding, now)),
        }
    }
    weighed.conclude()
}

/// The key by which findings of several bundles meet.
type GateAndTerm = (String, String);

#[derive(Default)]
struct Weighed {
    gates: BTreeMap<GateAndTerm, (GateResult, Option<String>)>,
    passed: BTreeSet<String>,
    recheck_at: Option<Timestamp>,
}

impl Weighed {
    /// A bundle that cannot judge is a gate of its own that nobody can turn down.
    fn fail(&mut self, bundle: &str, failure: &Failure) {
        let result = GateResult {
            id: format!("bundle/{bundle}"),
            result: GateOutcome::Unknown,
            level: Level::Enforce,
            term: String::new(),
            message: shorten(&failure.message, MESSAGE),
            remediation: None,
        };
        self.insert(result, Some(failure.reason.clone()));
    }

    fn add(&mut self, levels: &[GateLevel], opinion: &Opinion, finding: &Finding, now: Timestamp) {
        let gate = opinion
            .catalogue
            .as_ref()
            .and_then(|all| all.gates.iter().find(|gate| gate.id == finding.gate));
        let (level, until) = level(levels, &finding.gate, gate.and_then(|gate| gate.effective_on), now);
        if level == Level::Off {
            return;
        }
        let result = match finding.outcome {
            Outcome::Deny => GateOutcome::Fail,
            Outcome::Unknown => GateOutcome::Unknown,
            Outcome::Pending => GateOutcome::Pending,
            Outcome::Warn => GateOutcome::Warn,
            Outcome::Pass => {
                self.passed.insert(finding.gate.clone());
                return;
            }
            Outcome::Skip => return,
        };
        if let Some(until) = until.filter(|_| result != GateOutcome::Warn) {
            self.recheck_at = Some(self.recheck_at.map_or(until, |at| at.min(until)));
        }
        let result = GateResult {
            id: finding.gate.clone(),
            result,
            level,
            term: finding.term.clone(),
            message: shorten(&finding.message, MESSAGE),
            remediation: gate
                .map(|gate| shorten(&gate.remediation, MESSAGE))
                .filter(|text| !text.is_empty()),
        };
        self.insert(result, finding.reason.clone());
    }

    fn insert(&mut self, result: GateResult, reason: Option<String>) {
        let key = (result.id.clone(), result.term.clone());
        let weaker = self
            .gates
            .get(&key)
            .is_none_or(|(known, _)| rank(known) > rank(&result));
        if weaker {
            self.gates.insert(key, (result, reason));
        }
    }

    fn conclude(mut self) -> Judgement {
        let reported: BTreeSet<_> = self.gates.keys().map(|(id, _)| id.clone()).collect();
        self.passed.retain(|id| !reported.contains(id));
        let mut gates: Vec<_> = self.gates.into_values().collect();
        gates.sort_by(|(a, _), (b, _)| (rank(a), &a.id, &a.term).cmp(&(rank(b), &b.id, &b.term)));
        let deciding: Vec<_> = gates
            .iter()
            .filter(|(gate, _)| verdict_of(gate) != Verdict::Allow)
            .collect();
        let verdict = deciding.first().map_or(Verdict::Allow, |(gate, _)| verdict_of(gate));
        let (reason, message) = match deciding.first() {
            None => allowed(self.passed.len(), gates.len()),
            Some((gate, why)) => (reason(verdict, why.as_deref()), decided(gate, deciding.len())),
        };
        let omitted = gates.len().saturating_sub(MOST_GATES);
        Judgement {
            verdict,
            reason,
            message,
            gates: gates.into_iter().map(|(gate, _)| gate).take(MOST_GATES).collect(),
            omitted: u32::try_from(omitted).unwrap_or(u32::MAX),
            passed: self.passed.into_iter().collect(),
            recheck_at: self.recheck_at,
        }
    }
}

/// The level of a gate now, and until when it is not yet what it will be.
fn level(levels: &[GateLevel], id: &str, catalogue: Option<Timestamp>, now: Timestamp) -> (Level, Option<Timestamp>) {
    let own = levels.iter().find(|level| level.id == id);
    let level = own.map_or(Level::Enforce, |own| own.level);
    // What the track says of a gate is the platform's own decision and stands before the bundle author's date.
    let from = match own {
        Some(own) => own.effective_on.as_ref().map(|time| time.0),
        None => catalogue,
    };
    match from.filter(|from| *from > now && level == Level::Enforce) {
        Some(from) => (Level::Warn, Some(from)),
        None => (level, None),
    }
}

fn verdict_of(gate: &GateResult) -> Verdict {
    match (gate.level, gate.result) {
        (Level::Enforce, GateOutcome::Fail) => Verdict::Deny,
        (Level::Enforce, GateOutcome::Unknown) => Verdict::Unknown,
        (Level::Enforce, GateOutcome::Pending) => Verdict::Pending,
        _ => Verdict::Allow,
    }
}

/// Strongest first: what decides, then what warns, then what is only recorded.
fn rank(gate: &GateResult) -> (Reverse<u8>, u8) {
    let deciding = match verdict_of(gate) {
        Verdict::Deny => 3,
        Verdict::Unknown => 2,
        Verdict::Pending => 1,
        Verdict::Allow => 0,
    };
    let rest = match (gate.level, gate.result) {
        (Level::Warn | Level::Enforce, GateOutcome::Fail) => 0,
        (Level::Warn | Level::Enforce, _) => 1,
        _ => 2,
    };
    (Reverse(deciding), rest)
}

fn reason(verdict: Verdict, why: Option<&str>) -> String {
    let default = match verdict {
        Verdict::Deny => "GateDenied",
        Verdict::Pending => "AwaitingEvidence",
        Verdict::Unknown => "Undecided",
        Verdict::Allow => "Allowed",
    };
    why.filter(|_| verdict == Verdict::Unknown)
        .unwrap_or(default)
        .to_owned()
}

fn allowed(passed: usize, others: usize) -> (String, String) {
    let noun = if passed == 1 { "gate passes" } else { "gates pass" };
    let message = match (passed, others) {
        (0, 0) => "no gate applies to it".to_owned(),
        (_, 0) => format!("{passed} {noun}"),
        (_, others) => format!("{passed} {noun}; {others} findings that do not decide"),
    };
    ("Allowed".to_owned(), message)
}

fn decided(gate: &GateResult, count: usize) -> String {
    let term = if gate.term.is_empty() {
        String::new()
    } else {
        format!(" ({})", gate.term)
    };
    let more = if count > 1 {
        format!("; and {} more", count - 1)
    } else {
        String::new()
    };
    format!("{}{term}: {}{more}", gate.id, gate.message)
}

#[cfg(test)]
mod tests {
    use interlock_crds::track::GateLevel;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use proptest::prelude::*;

    use super::*;

    fn finding(gate: &str, outcome: Outcome) -> Finding {
        Finding {
            gate: gate.into(),
            term: String::new(),
            outcome,
            message: format!("{gate} says so"),
            reason: None,
            evidence: vec![],
        }
    }

    fn opinion(findings: Vec<Finding>) -> Opinion {
        Opinion {
            bundle: "b".into(),
            findings: Ok(findings),
            catalogue: None,
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_000).unwrap()
    }

    fn set(id: &str, level: Level) -> GateLevel {
        GateLevel {
            id: id.into(),
            level,
            effective_on: None,
        }
    }

    #[test]
    fn the_strongest_enforced_gate_decides() {
        use Outcome::{Deny, Pass, Pending, Skip, Unknown, Warn};
        let table = [
            (vec![Pass, Skip], Verdict::Allow, "Allowed"),
            (vec![Pass, Warn], Verdict::Allow, "Allowed"),
            (vec![Pending, Pass], Verdict::Pending, "AwaitingEvidence"),
            (vec![Pending, Unknown], Verdict::Unknown, "Undecided"),
            (vec![Unknown, Deny, Pending], Verdict::Deny, "GateDenied"),
        ];
        for (outcomes, verdict, reason) in table {
            let findings = outcomes
                .iter()
                .enumerate()
                .map(|(at, outcome)| finding(&format!("G-{at}"), *outcome))
                .collect();
            let got = weigh(&[], &[opinion(findings)], now());
            assert_eq!((got.verdict, got.reason.as_str()), (verdict, reason), "{outcomes:?}");
        }
    }

    #[test]
    fn levels_turn_gates_down_and_off() {
        let findings = || {
            vec![
                finding("A", Outcome::Deny),
                finding("B", Outcome::Unknown),
                finding("C", Outcome::Deny),
            ]
        };
        let levels = [set("A", Level::Warn), set("B", Level::Audit), set("C", Level::Off)];
        let got = weigh(&levels, &[opinion(findings())], now());
        assert_eq!(got.verdict, Verdict::Allow);
        let shown: Vec<_> = got.gates.iter().map(|gate| (gate.id.as_str(), gate.level)).collect();
        assert_eq!(shown, [("A", Level::Warn), ("B", Level::Audit)]);
    }

    #[test]
    fn a_level_that_is_not_yet_effective_warns_and_asks_to_be_judged_again() {
        let later = Timestamp::from_second(2_000).unwrap();
        let levels = [GateLevel {
            effective_on: Some(Time(later)),
            ..set("A", Level::Enforce)
        }];
        let got = weigh(&levels, &[opinion(vec![finding("A", Outcome::Deny)])], now());
        assert_eq!((got.verdict, got.recheck_at), (Verdict::Allow, Some(later)));
        let got = weigh(&levels, &[opinion(vec![finding("A", Outcome::Deny)])], later);
        assert_eq!((got.verdict, got.recheck_at), (Verdict::Deny, None));
    }

    #[test]
    fn a_level_in_the_track_stands_before_the_date_of_the_catalogue() {
        let later = Timestamp::from_second(2_000).unwrap();
        assert_eq!(level(&[], "A", Some(later), now()), (Level::Warn, Some(later)));
        assert_eq!(
            level(&[set("A", Level::Enforce)], "A", Some(later), now()),
            (Level::Enforce, None)
        );
    }

    #[test]
    fn a_bundle_that_cannot_judge_is_unknown_with_its_reason() {
        let failed = Opinion {
            bundle: "b".into(),
            findings: Err(Failure {
                reason: "DeadlineExceeded".into(),
                message: "too slow".into(),
            }),
            catalogue: None,
        };
        let got = weigh(
            &[set("bundle/b", Level::Off)],
            &[opinion(vec![finding("A", Outcome::Pass)]), failed],
            now(),
        );
        assert_eq!(
            (got.verdict, got.reason.as_str()),
            (Verdict::Unknown, "DeadlineExceeded")
        );
        assert_eq!(got.message, "bundle/b: too slow");
    }

    #[test]
    fn a_gate_that_one_bundle_passes_and_another_denies_has_not_passed() {
        let got = weigh(
            &[],
            &[
                opinion(vec![finding("A", Outcome::Pass)]),
                opinion(vec![finding("A", Outcome::Deny)]),
            ],
            now(),
        );
        assert_eq!((got.verdict, got.passed.len()), (Verdict::Deny, 0));
    }

    #[test]
    fn the_list_of_gates_is_bounded_and_says_so() {
        let findings = (0..100)
            .map(|at| finding(&format!("G-{at:03}"), Outcome::Deny))
            .collect();
        let got = weigh(&[], &[opinion(findings)], now());
        assert_eq!((got.gates.len(), got.omitted), (32, 68));
        assert_eq!(got.message, "G-000: G-000 says so; and 99 more");
    }

    fn outcomes() -> impl Strategy<Value = Vec<(u8, Outcome)>> {
        use Outcome::{Deny, Pass, Pending, Skip, Unknown, Warn};
        let one = prop::sample::select(vec![Deny, Unknown, Pending, Warn, Pass, Skip]);
        prop::collection::vec((0u8..6, one), 0..20)
    }

    proptest! {
        #[test]
        fn the_order_of_findings_does_not_matter(findings in outcomes()) {
            let build = |list: &[(u8, Outcome)]| {
                weigh(&[], &[opinion(list.iter().map(|(id, outcome)| finding(&format!("G{id}"), *outcome)).collect())], now())
            };
            let mut backwards = findings.clone();
            backwards.reverse();
            prop_assert_eq!(build(&findings), build(&backwards));
        }

        #[test]
        fn allow_means_that_nothing_enforced_is_open(findings in outcomes()) {
            let open = findings.iter().any(|(_, o)| matches!(o, Outcome::Deny | Outcome::Unknown | Outcome::Pending));
            let list = findings.iter().map(|(id, outcome)| finding(&format!("G{id}"), *outcome)).collect();
            let got = weigh(&[], &[opinion(list)], now());
            prop_assert_eq!(got.verdict == Verdict::Allow, !open);
        }
    }
}
