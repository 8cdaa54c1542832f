//! `interlock check`: the main job without a cluster.
//!
//! Manifests become dossiers whose cluster facts are unavailable; bundles judge them as the operator would. Gates that
//! a file can decide are judged, the others are listed as needing the cluster. A dossier document that was gathered
//! elsewhere is judged as it is.

mod manifests;
mod report;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use interlock_bundles::engine::{Engine, Limits};
use interlock_crds::bundle::InputShape;
use interlock_crds::release::GateOutcome;
use interlock_crds::track::GateLevel;
use interlock_crds::{GovernanceTrack, Level, Verdict};
use jiff::Timestamp;
use serde_json::{Map, Value};

use self::manifests::Manifest;
use self::report::Judged;
use super::Ending;
use super::bundles::{self, Access, Keys};
use super::output::Format;
use crate::assign;
use crate::dossier::{Dossier, NEEDS_CLUSTER, Related, Source, Unavailable};
use crate::judge::{self, Active, Bench};
use crate::subject::GroupKind;
use crate::verdict::{Opinion, weigh};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Manifests: YAML or JSON files, folders, or - for standard input. Repeatable.
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// A GovernanceTrack: its kinds, labels, levels and parameters apply. Without it every manifest is judged, and every
    /// gate is enforced.
    #[arg(long, value_name = "FILE")]
    track: Option<PathBuf>,
    /// Judge with this bundle instead of the built-in one: a file, or a reference in a registry (with --key).
    #[arg(long, value_name = "FILE|REF")]
    bundle: Option<String>,
    /// The shape of the input that the policies of --bundle expect.
    #[arg(long, value_enum, default_value_t = Shape::Dossier, requires = "bundle")]
    input: Shape,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    access: Access,
    /// Exit with 3 if any enforced gate is left open, also those that need the cluster.
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
    let (name, active) = bundle(&arguments).await?;
    let parameters = parameters(track.as_ref(), &name)?;
    let bench = [Bench {
        bundle: name,
        active: Ok(active),
        parameters,
    }];
    let judged = manifests
        .iter()
        .map(|manifest| judge(manifest, track.as_ref(), &bench, now))
        .collect::<anyhow::Result<Vec<_>>>()?;
    report::print(&judged, arguments.format)?;
    Ok(ending(&judged, arguments.require_all))
}

/// The bundle to judge with, and its name.
async fn bundle(arguments: &Arguments) -> anyhow::Result<(String, Active)> {
    let opened = match &arguments.bundle {
        Some(name) => bundles::open(name, &arguments.keys, &arguments.access).await?,
        None if arguments.keys.given() => bail!("--key says who signed --bundle REF: the built-in bundle needs no key"),
        None => bundles::built_in()?.swap_remove(0),
    };
    let name = opened.name().unwrap_or("bundle").to_owned();
    let policy = Engine::new()?
        .compile(&opened, Limits::default())
        .with_context(|| format!("bundle {name} cannot run"))?;
    Ok((
        name,
        Active {
            policy,
            shape: arguments.input.into(),
            limits: Limits::default(),
        },
    ))
}

/// The track's parameters for the bundle; a track with a single bundle means that one whatever it is called.
fn parameters(track: Option<&GovernanceTrack>, bundle: &str) -> anyhow::Result<Map<String, Value>> {
    let Some(track) = track else { return Ok(Map::new()) };
    let used = &track.spec.bundles;
    let found = used
        .iter()
        .find(|one| one.name == bundle)
        .or(if used.len() == 1 { used.first() } else { None });
    let Some(found) = found else {
        let names: Vec<_> = used.iter().map(|one| one.name.as_str()).collect();
        bail!(
            "the track uses the bundles {} and not {bundle:?}: give one of them with --bundle",
            names.join(", ")
        );
    };
    Ok(found.parameters.clone().unwrap_or_default())
}

fn judge(
    manifest: &Manifest,
    track: Option<&GovernanceTrack>,
    bench: &[Bench],
    now: Timestamp,
) -> anyhow::Result<Judged> {
    let place = || format!("{}: document {}", manifest.file, manifest.number);
    let dossier = dossier(&manifest.object).with_context(place)?;
    let subject = dossier.subject.clone();
    if track.is_some_and(|track| !governs(track, &dossier)) {
        return Ok(Judged::ungoverned(&manifest.file, subject));
    }
    let levels: &[GateLevel] = track.map(|track| track.spec.gates.as_slice()).unwrap_or_default();
    let name = track.map(kube::ResourceExt::name_any).unwrap_or_default();
    let mut opinions = judge::opinions(bench, &dossier, &name, now);
    let open = set_aside(&mut opinions, levels);
    let judgement = weigh(levels, &opinions, now);
    Ok(Judged::new(&manifest.file, subject, judgement, open))
}

/// A dossier document as it is; anything else becomes one.
fn dossier(object: &Value) -> anyhow::Result<Dossier> {
    if object.get("schema").and_then(Value::as_str) == Some(crate::dossier::SCHEMA) {
        return serde_json::from_value(object.clone()).context("is no dossier");
    }
    let namespace = Source::Unavailable(Unavailable::needs_cluster("the labels of the namespace"));
    let related = |_: &_, _: &_| Related::unavailable(&Unavailable::needs_cluster("related objects"));
    Ok(Dossier::build(object, namespace, related)?)
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
            let needs_cluster = finding.reason.as_deref() == Some(NEEDS_CLUSTER);
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
    if is_open || (require_all && (needs_cluster || not_passed)) {
        Ending::Open
    } else {
        Ending::Good
    }
}
