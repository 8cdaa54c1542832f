//! From what bundles say to the verdict: levels are applied, the strongest enforced gate decides.
//!
//! Pure and total. The lattice is Deny > Unknown > Pending > Allow; a gate that warns or is audited is reported and
//! decides nothing; a gate that is off is not reported. A gate that only a running workload can be asked cannot keep it
//! from running: it is weighed apart, by the same rules, and decides [`Judgement::operational`] instead of the verdict.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use interlock_bundles::catalogue::{Catalogue, Phase};
use interlock_bundles::outcome::{Finding, Outcome};
use interlock_crds::release::{GateOutcome, GatePhase, GateResult};
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
    /// What the gates say together that only a running workload can be asked; none if no such gate applies.
    pub operational: Option<Ruling>,
    /// Gates that do not plainly pass, those that decide first.
    pub gates: Vec<GateResult>,
    /// How many entries were left out of `gates`.
    pub omitted: u32,
    /// Gates that pass, sorted.
    pub passed: Vec<String>,
    /// When a level takes effect that can change the verdict.
    pub recheck_at: Option<Timestamp>,
}

/// What some gates say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// By the same lattice as the verdict.
    pub verdict: Verdict,
    /// Stable word for a condition.
    pub reason: String,
    /// One sentence: the first gate that decides, and how many more there are.
    pub message: String,
}

/// Most entries of `gates`: keeps a Release small in etcd.
const MOST_GATES: usize = 32;
/// Longest term, in characters: a policy may quote what a team wrote.
const TERM: usize = 256;

/// Whether the API server takes a policy's word as the reason of a condition.
fn is_reason(word: &str) -> bool {
    word.len() <= 128
        && word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.chars().all(|one| one.is_ascii_alphanumeric())
}

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
    passed: BTreeSet<(String, GatePhase)>,
    recheck_at: Option<Timestamp>,
}

impl Weighed {
    /// A bundle that cannot judge is a gate of its own that nobody can turn down.
    fn fail(&mut self, bundle: &str, failure: &Failure) {
        let result = GateResult {
            id: format!("bundle/{bundle}"),
            result: GateOutcome::Unknown,
            level: Level::Enforce,
            phase: GatePhase::Admission,
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
        let phase = gate.map_or(GatePhase::Admission, |gate| phase(gate.phase));
        let result = match finding.outcome {
            Outcome::Deny => GateOutcome::Fail,
            Outcome::Unknown => GateOutcome::Unknown,
            Outcome::Pending => GateOutcome::Pending,
            Outcome::Warn => GateOutcome::Warn,
            Outcome::Pass => {
                self.passed.insert((finding.gate.clone(), phase));
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
            phase,
            term: shorten(&finding.term, TERM),
            message: shorten(&finding.message, MESSAGE),
            remediation: gate
                .map(|gate| shorten(&gate.remediation, MESSAGE))
                .filter(|text| !text.is_empty()),
        };
        self.insert(result, finding.reason.clone().filter(|word| is_reason(word)));
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
        self.passed.retain(|(id, _)| !reported.contains(id));
        let mut gates: Vec<_> = self.gates.into_values().collect();
        gates.sort_by(|(a, _), (b, _)| (rank(a), &a.id, &a.term).cmp(&(rank(b), &b.id, &b.term)));
        let Ruling {
            verdict,
            reason,
            message,
        } = rule(GatePhase::Admission, &gates, &self.passed);
        let is_asked = gates.iter().any(|(gate, _)| gate.phase == GatePhase::Operation)
            || self.passed.iter().any(|(_, phase)| *phase == GatePhase::Operation);
        let operational = is_asked.then(|| rule(GatePhase::Operation, &gates, &self.passed));
        let omitted = gates.len().saturating_sub(MOST_GATES);
        let passed: BTreeSet<_> = self.passed.into_iter().map(|(id, _)| id).collect();
        Judgement {
            verdict,
            reason,
            message,
            operational,
            gates: gates.into_iter().map(|(gate, _)| gate).take(MOST_GATES).collect(),
            omitted: u32::try_from(omitted).unwrap_or(u32::MAX),
            passed: passed.into_iter().collect(),
            recheck_at: self.recheck_at,
        }
    }
}

/// What the gates of one phase say together; `gates` have the strongest first.
fn rule(phase: GatePhase, gates: &[(GateResult, Option<String>)], passed: &BTreeSet<(String, GatePhase)>) -> Ruling {
    let gates: Vec<_> = gates.iter().filter(|(gate, _)| gate.phase == phase).collect();
    let deciding: Vec<_> = gates
        .iter()
        .filter(|(gate, _)| verdict_of(gate) != Verdict::Allow)
        .collect();
    let verdict = deciding.first().map_or(Verdict::Allow, |(gate, _)| verdict_of(gate));
    let (reason, message) = match deciding.first() {
        None => allowed(
            phase,
            passed.iter().filter(|(_, own)| *own == phase).count(),
            gates.len(),
        ),
        Some((gate, why)) => (reason(verdict, why.as_deref()), decided(gate, deciding.len())),
    };
    Ruling {
        verdict,
        reason,
        message,
    }
}

/// A catalogue's phase as a status shows it.
pub fn phase(phase: Phase) -> GatePhase {
    match phase {
        Phase::Admission => GatePhase::Admission,
        Phase::Operation => GatePhase::Operation,
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

/// What the gate decides in its phase.
fn verdict_of(gate: &GateResult) -> Verdict {
    match (gate.level, gate.result) {
        (Level::Enforce, GateOutcome::Fail) => Verdict::Deny,
        (Level::Enforce, GateOutcome::Unknown) => Verdict::Unknown,
        (Level::Enforce, GateOutcome::Pending) => Verdict::Pending,
        _ => Verdict::Allow,
    }
}

/// Strongest first: what decides the verdict, then what decides whether it operates, then what warns, then what is only
/// recorded.
fn rank(gate: &GateResult) -> (Reverse<u8>, Reverse<u8>, u8) {
    let deciding = match verdict_of(gate) {
        Verdict::Deny => 3,
        Verdict::Unknown => 2,
        Verdict::Pending => 1,
        Verdict::Allow => 0,
    };
    let (admission, operation) = match gate.phase {
        GatePhase::Admission => (deciding, 0),
        GatePhase::Operation => (0, deciding),
    };
    let rest = match (gate.level, gate.result) {
        (Level::Warn | Level::Enforce, GateOutcome::Fail) => 0,
        (Level::Warn | Level::Enforce, _) => 1,
        _ => 2,
    };
    (Reverse(admission), Reverse(operation), rest)
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

fn allowed(phase: GatePhase, passed: usize, others: usize) -> (String, String) {
    let reason = match phase {
        GatePhase::Admission => "Allowed",
        GatePhase::Operation => "Operating",
    };
    let noun = if passed == 1 { "gate passes" } else { "gates pass" };
    let message = match (passed, others) {
        (0, 0) => "no gate applies to it".to_owned(),
        (_, 0) => format!("{passed} {noun}"),
        (_, others) => format!("{passed} {noun}; {others} findings that do not decide"),
    };
    (reason.to_owned(), message)
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
    use interlock_bundles::catalogue::{Absent, Gate};
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

    /// An opinion whose catalogue has these gates of the phase operation.
    fn operating(findings: Vec<Finding>, ids: &[&str]) -> Opinion {
        let gate = |id: &&str| Gate {
            id: (*id).to_owned(),
            title: "t".into(),
            why: "w".into(),
            severity: "high".into(),
            controls: vec![],
            remediation: "mend it".into(),
            absent: Absent::Deny,
            phase: Phase::Operation,
            effective_on: None,
        };
        Opinion {
            catalogue: Some(Catalogue {
                gates: ids.iter().map(gate).collect(),
            }),
            ..opinion(findings)
        }
    }

    #[test]
    fn a_gate_of_operation_decides_whether_it_operates_and_nothing_else() {
        use Outcome::{Deny, Pass, Pending, Skip, Unknown, Warn};
        let table = [
            (Deny, Some((Verdict::Deny, "GateDenied"))),
            (Unknown, Some((Verdict::Unknown, "Undecided"))),
            (Pending, Some((Verdict::Pending, "AwaitingEvidence"))),
            (Warn, Some((Verdict::Allow, "Operating"))),
            (Pass, Some((Verdict::Allow, "Operating"))),
            (Skip, None),
        ];
        for (outcome, want) in table {
            let findings = vec![finding("M-14", outcome), finding("A", Pass)];
            let got = weigh(&[], &[operating(findings, &["M-14"])], now());
            assert_eq!((got.verdict, got.message.as_str()), (Verdict::Allow, "1 gate passes"));
            let operational = got.operational.as_ref();
            assert_eq!(
                operational.map(|ruling| (ruling.verdict, ruling.reason.as_str())),
                want,
                "{outcome:?}"
            );
            let shown: Vec<_> = got.gates.iter().map(|gate| (gate.id.as_str(), gate.phase)).collect();
            if matches!(outcome, Pass | Skip) {
                assert_eq!(shown, []);
            } else {
                assert_eq!(shown, [("M-14", GatePhase::Operation)]);
            }
            assert_eq!(got.passed.contains(&"M-14".to_owned()), outcome == Pass);
        }
    }

    #[test]
    fn the_first_gate_that_decides_the_verdict_stands_before_those_of_operation() {
        let findings = vec![
            finding("M-14", Outcome::Deny),
            finding("Z-99", Outcome::Unknown),
            finding("A-01", Outcome::Warn),
        ];
        let got = weigh(&[], &[operating(findings, &["M-14"])], now());
        assert_eq!(
            (got.verdict, got.message.as_str()),
            (Verdict::Unknown, "Z-99: Z-99 says so")
        );
        assert_eq!(got.operational.unwrap().message, "M-14: M-14 says so");
        let order: Vec<_> = got.gates.iter().map(|gate| gate.id.as_str()).collect();
        assert_eq!(order, ["Z-99", "M-14", "A-01"]);
    }

    #[test]
    fn a_gate_of_operation_that_is_turned_down_or_off_decides_nothing_there_either() {
        let findings = || vec![finding("M-14", Outcome::Deny)];
        let warned = weigh(&[set("M-14", Level::Warn)], &[operating(findings(), &["M-14"])], now());
        assert_eq!(
            warned.operational.map(|ruling| (ruling.verdict, ruling.message)),
            Some((Verdict::Allow, "0 gates pass; 1 findings that do not decide".to_owned()))
        );
        let off = weigh(&[set("M-14", Level::Off)], &[operating(findings(), &["M-14"])], now());
        assert_eq!(off.operational, None);
    }

    #[test]
    fn a_gate_of_operation_says_why_it_is_not_known() {
        let mut unknown = finding("M-14", Outcome::Unknown);
        unknown.reason = Some("NoDecision".into());
        let got = weigh(&[], &[operating(vec![unknown], &["M-14"])], now());
        assert_eq!(
            (got.verdict, got.message.as_str()),
            (Verdict::Allow, "no gate applies to it")
        );
        assert_eq!(got.operational.unwrap().reason, "NoDecision");
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
