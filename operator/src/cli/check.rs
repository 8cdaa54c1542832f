//! `interlock check`: the main job without a cluster.
//!
//! Manifests become dossiers whose cluster facts are unavailable; bundles judge them as the operator would. Gates that
//! a file can decide are judged, the others are listed as needing the cluster. A dossier document that was gathered
//! elsewhere is judged as it is.

mod bench;
mod manifests;
mod report;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use interlock_bundles::outcome::Outcome;
use interlock_crds::bundle::InputShape;
use interlock_crds::release::GateOutcome;
use interlock_crds::track::GateLevel;
use interlock_crds::{GovernanceTrack, Level, Verdict};
use jiff::Timestamp;
use serde_json::Value;

use self::bench::{Benches, Given};
use self::manifests::Manifest;
use self::report::Judged;
use super::Ending;
use super::bundles::{self, Access};
use super::output::{self, Format};
use super::signers::Signers;
use crate::artifacts;
use crate::assign;
use crate::dossier::{Dossier, DriftMonitor, NEEDS_CLUSTER, Related, Signature, Source, Unavailable};
use crate::drift;
use crate::subject::GroupKind;
use crate::verdict::{Opinion, weigh};

// How a bundle is verified and fetched means nothing without --bundle.
#[derive(clap::Args)]
#[command(
    mut_arg("threshold", |argument| argument.requires("bundle")),
    mut_arg("plain_http", |argument| argument.requires("bundle")),
    mut_arg("timeout", |argument| argument.requires("bundle"))
)]
pub(super) struct Arguments {
    /// Manifests: YAML or JSON files, folders, or - for standard input. Repeatable.
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// A GovernanceTrack: its kinds, labels, levels and parameters apply. Without it every manifest is judged, and every
    /// gate is enforced.
    #[arg(long, value_name = "FILE")]
    track: Option<PathBuf>,
    /// Judge with this bundle instead of the built-in ones: a file, or a reference in a registry (with --key).
    #[arg(long, value_name = "FILE|REF")]
    bundle: Option<String>,
    /// The shape of the input that the policies of --bundle expect.
    #[arg(long, value_enum, default_value_t = Shape::Dossier, requires = "bundle")]
    input: Shape,
    #[command(flatten)]
    signers: Signers,
    #[command(flatten)]
    access: Access,
    /// Exit with 3 if any enforced gate is left open, also those that need the cluster, and if the track governs
    /// nothing.
    #[arg(long)]
    require_all: bool,
    /// The time that the policies see, RFC 3339; the present by default.
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// Form of the result.
    #[arg(short = 'o', long = "output", value_enum, default_value_t)]
    format: Format,
}

/// [`InputShape`] as a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Shape {
    Dossier,
    Object,
    GatekeeperReview,
}

impl From<Shape> for InputShape {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Dossier => Self::Dossier,
            Shape::Object => Self::Object,
            Shape::GatekeeperReview => Self::GatekeeperReview,
        }
    }
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<Ending> {
    let track = arguments.track.as_deref().map(manifests::track).transpose()?;
    let manifests = manifests::read(&arguments.files)?;
    if manifests.is_empty() {
        bail!("the files hold no object: give at least one manifest");
    }
    let now = arguments.now.unwrap_or_else(Timestamp::now);
    let given = given(&arguments).await?;
    let dossiers = manifests
        .iter()
        .map(|manifest| dossier(manifest, track.as_ref()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let benches = bench::assemble(track.as_ref(), given, &dossiers)?;
    let judged: Vec<_> = manifests
        .iter()
        .zip(&dossiers)
        .map(|(manifest, dossier)| judge(&manifest.file, dossier, track.as_ref(), &benches, now))
        .collect();
    report::print(&judged, arguments.format)?;
    if governs_none(&judged) {
        output::error("interlock: the track governs none of the objects in these files: nothing was judged");
    }
    Ok(ending(&judged, arguments.require_all))
}

/// The bundle of --bundle.
async fn given(arguments: &Arguments) -> anyhow::Result<Option<Given>> {
    let Some(name) = &arguments.bundle else {
        if arguments.signers.given() {
            bail!("--key and --identity say who signed --bundle REF: the built-in bundles need no key");
        }
        return Ok(None);
    };
    Ok(Some(Given {
        bundle: bundles::open(name, &arguments.signers, &arguments.access).await?,
        shape: arguments.input.into(),
    }))
}

fn judge(file: &str, dossier: &Dossier, track: Option<&GovernanceTrack>, benches: &Benches, now: Timestamp) -> Judged {
    let subject = dossier.subject.clone();
    if track.is_some_and(|track| !governs(track, dossier)) {
        return Judged::ungoverned(file, subject);
    }
    let levels: &[GateLevel] = track.map(|track| track.spec.gates.as_slice()).unwrap_or_default();
    let name = track.map(kube::ResourceExt::name_any).unwrap_or_default();
    let mut opinions = benches.opinions(dossier, &name, now);
    let open = set_aside(&mut opinions, levels);
    let judgement = weigh(levels, &opinions, now);
    Judged::new(file, subject, judgement, open, benches.missing())
}

/// A dossier document as it is; anything else becomes one.
fn dossier(manifest: &Manifest, track: Option<&GovernanceTrack>) -> anyhow::Result<Dossier> {
    let place = || format!("{}: document {}", manifest.file, manifest.number);
    let object = &manifest.object;
    if object.get("schema").and_then(Value::as_str) == Some(crate::dossier::SCHEMA) {
        return serde_json::from_value(object.clone())
            .context("is no dossier")
            .with_context(place);
    }
    let namespace = Source::Unavailable(Unavailable::needs_cluster("the labels of the namespace"));
    let related = |_: &_, _: &_| Related::unavailable(&Unavailable::needs_cluster("related objects"));
    let mut dossier = Dossier::build(object, namespace, related).with_context(place)?;
    if let Some(track) = track {
        leave_to_cluster(&mut dossier, track);
    }
    Ok(dossier)
}

/// What the track demands and no file can show.
fn leave_to_cluster(dossier: &mut Dossier, track: &GovernanceTrack) {
    if let Some(signers) = &track.spec.signed_by {
        let unasked = Signature::Unavailable(Unavailable::needs_cluster("the signatures over images and models"));
        let demands = artifacts::demands(dossier, signers).into_iter();
        let answers = demands
            .map(|demand| {
                let answer = artifacts::without_attestations(signers, unasked.clone());
                ((demand.role, demand.name), answer)
            })
            .collect();
        artifacts::fill(dossier, signers, &answers);
    }
    let kind = GroupKind::of(&dossier.subject.api_version, &dossier.subject.kind);
    if drift::required(track, &kind).is_some() {
        let why = Unavailable::needs_cluster("the links of the drift monitor");
        dossier.drift_monitor = DriftMonitor::Unavailable(why);
    }
}

/// Whether the track would govern it, as far as a file can tell: its namespace is taken to be selected.
fn governs(track: &GovernanceTrack, dossier: &Dossier) -> bool {
    let subject = &dossier.subject;
    let labels = dossier.object.pointer("/metadata/labels").cloned().unwrap_or_default();
    let labels = serde_json::from_value(labels).unwrap_or_default();
    let mut anywhere = track.clone();
    anywhere.spec.matching.namespace_selector = None;
    let kind = GroupKind::of(&subject.api_version, &subject.kind);
    assign::assign([&anywhere], &kind, &assign::Labels::new(), &labels) != assign::Assignment::Ungoverned
}

/// Takes out what only the cluster can decide: the gates that remain open, each once. A gate that a file already
/// denies stays denied.
fn set_aside(opinions: &mut [Opinion], levels: &[GateLevel]) -> Vec<String> {
    let mut open = Vec::new();
    for findings in opinions.iter_mut().filter_map(|opinion| opinion.findings.as_mut().ok()) {
        findings.retain(|finding| {
            let needs_cluster = finding.outcome == Outcome::Unknown && finding.reason.as_deref() == Some(NEEDS_CLUSTER);
            let is_off = levels
                .iter()
                .any(|level| level.id == finding.gate && level.level == Level::Off);
            if needs_cluster && !is_off && !open.contains(&finding.gate) {
                open.push(finding.gate.clone());
            }
            !needs_cluster
        });
    }
    open.sort();
    open
}

/// Whether nothing at all was judged.
fn governs_none(judged: &[Judged]) -> bool {
    judged.iter().all(|one| one.judgement.is_none())
}

/// The worst of all verdicts.
fn ending(judged: &[Judged], require_all: bool) -> Ending {
    let verdicts = || judged.iter().filter_map(|one| one.judgement.as_ref());
    if verdicts().any(|judgement| judgement.verdict == Verdict::Deny) {
        return Ending::Bad;
    }
    let is_open = verdicts().any(|judgement| matches!(judgement.verdict, Verdict::Pending | Verdict::Unknown));
    let needs_cluster = judged.iter().any(|one| !one.needs_cluster.is_empty());
    let not_passed = verdicts().any(|judgement| {
        judgement
            .gates
            .iter()
            .any(|gate| matches!(gate.result, GateOutcome::Pending | GateOutcome::Unknown))
    });
    if is_open || (require_all && (needs_cluster || not_passed || governs_none(judged))) {
        Ending::Open
    } else {
        Ending::Good
    }
}

#[cfg(test)]
mod tests {
    use interlock_bundles::outcome::Finding;

    use super::*;

    #[test]
    fn only_what_is_unknown_for_want_of_a_cluster_is_set_aside() {
        let finding = |gate: &str, outcome, reason: Option<&str>| Finding {
            gate: gate.to_owned(),
            term: String::new(),
            outcome,
            message: String::new(),
            reason: reason.map(str::to_owned),
            evidence: Vec::new(),
        };
        let findings = vec![
            finding("A", Outcome::Deny, Some(NEEDS_CLUSTER)),
            finding("B", Outcome::Unknown, Some(NEEDS_CLUSTER)),
            finding("C", Outcome::Unknown, Some("NoDecision")),
            finding("D", Outcome::Pass, Some(NEEDS_CLUSTER)),
        ];
        let mut opinions = [Opinion {
            bundle: "b".to_owned(),
            findings: Ok(findings),
            catalogue: None,
        }];
        assert_eq!(set_aside(&mut opinions, &[]), ["B"]);
        let left = opinions.iter().flat_map(|opinion| opinion.findings.iter().flatten());
        assert_eq!(
            left.map(|finding| finding.gate.as_str()).collect::<Vec<_>>(),
            ["A", "C", "D"]
        );
    }
}
