//! Which bundles judge: every bundle that the track names is either at hand or told as missing, never left out.
//!
//! At hand are the built-in bundles, for the track's bundles of these names, and what `--bundle` gives. Without a track
//! the baseline judges everything, and the bundle for models what serves one.

use anyhow::{Context as _, bail};
use interlock_bundles::archive::Bundle;
use interlock_bundles::engine::{Engine, Limits};
use interlock_crds::GovernanceTrack;
use interlock_crds::bundle::InputShape;
use interlock_crds::track::BundleUse;
use jiff::Timestamp;
use serde_json::Map;

use crate::cli::bundles;
use crate::dossier::Dossier;
use crate::judge::{self, Active, Bench};
use crate::verdict::{Failure, Opinion};

/// What `--bundle` gives.
pub(super) struct Given {
    /// The bundle.
    pub(super) bundle: Bundle,
    /// What its policies expect.
    pub(super) shape: InputShape,
}

/// The bundles that judge.
pub(super) struct Benches {
    /// Whatever it is.
    for_all: Vec<Bench>,
    /// Only what serves a model.
    for_models: Vec<Bench>,
}

impl Benches {
    /// What every bundle says of a workload that it is for.
    pub(super) fn opinions(&self, dossier: &Dossier, track: &str, now: Timestamp) -> Vec<Opinion> {
        let mut opinions = judge::opinions(&self.for_all, dossier, track, now);
        if dossier.serves_model() {
            opinions.extend(judge::opinions(&self.for_models, dossier, track, now));
        }
        opinions
    }

    /// The bundles that are not at hand, by the name of the gate that is open for them.
    pub(super) fn missing(&self) -> Vec<String> {
        let missing = self.for_all.iter().filter(|one| one.active.is_err());
        missing.map(|one| format!("bundle/{}", one.bundle)).collect()
    }
}

/// A bench for each of the track's bundles; without a track one for the bundle that is given, or for the built-in ones
/// that `dossiers` call for.
pub(super) fn assemble(
    track: Option<&GovernanceTrack>,
    given: Option<Given>,
    dossiers: &[Dossier],
) -> anyhow::Result<Benches> {
    let engine = Engine::new()?;
    match (track, given) {
        (Some(track), given) => Ok(Benches {
            for_all: of_track(&engine, track, given.as_ref())?,
            for_models: Vec::new(),
        }),
        (None, Some(given)) => Ok(Benches {
            for_all: vec![alone(&engine, &given)?],
            for_models: Vec::new(),
        }),
        (None, None) => {
            let for_models = dossiers.iter().any(Dossier::serves_model);
            let for_models = for_models.then(|| built_in(&engine, bundles::MODEL)).transpose()?;
            Ok(Benches {
                for_all: vec![built_in(&engine, bundles::BASELINE)?],
                for_models: for_models.into_iter().collect(),
            })
        }
    }
}

fn of_track(engine: &Engine, track: &GovernanceTrack, given: Option<&Given>) -> anyhow::Result<Vec<Bench>> {
    let used = track.spec.bundles.as_slice();
    let place = given.map(|given| stands_for(used, given)).transpose()?;
    let is_at_hand = |at: usize, one: &BundleUse| place == Some(at) || bundles::is_built_in(&one.name);
    if !used.iter().enumerate().any(|(at, one)| is_at_hand(at, one)) {
        bail!(
            "the track judges with {}, of which none is at hand: give it with --bundle",
            names(used)
        );
    }
    let mut bench = Vec::new();
    for (at, one) in used.iter().enumerate() {
        let active = match given {
            Some(given) if place == Some(at) => Ok(compile(engine, &one.name, &given.bundle, given.shape)?),
            _ if bundles::is_built_in(&one.name) => Ok(compile_built_in(engine, &one.name)?),
            _ => Err(not_at_hand(&one.name)),
        };
        bench.push(Bench {
            bundle: one.name.clone(),
            active,
            parameters: one.parameters.clone().unwrap_or_default(),
        });
    }
    Ok(bench)
}

fn built_in(engine: &Engine, name: &str) -> anyhow::Result<Bench> {
    Ok(Bench {
        bundle: name.to_owned(),
        active: Ok(compile_built_in(engine, name)?),
        parameters: Map::new(),
    })
}

fn compile_built_in(engine: &Engine, name: &str) -> anyhow::Result<Active> {
    compile(engine, name, &bundles::built_in(name)?, InputShape::Dossier)
}

fn alone(engine: &Engine, given: &Given) -> anyhow::Result<Bench> {
    let name = given.bundle.name().unwrap_or("bundle").to_owned();
    let active = compile(engine, &name, &given.bundle, given.shape)?;
    Ok(Bench {
        bundle: name,
        active: Ok(active),
        parameters: Map::new(),
    })
}

/// Which of the track's bundles the given one is: that of its own name; a track's only bundle whatever it is called.
fn stands_for(used: &[BundleUse], given: &Given) -> anyhow::Result<usize> {
    let own = given.bundle.name();
    if let Some(at) = used.iter().position(|one| Some(one.name.as_str()) == own) {
        return Ok(at);
    }
    if used.len() == 1 {
        return Ok(0);
    }
    bail!(
        "the track uses the bundles {} and not {:?}: give one of them with --bundle",
        names(used),
        own.unwrap_or("(a bundle without a name)")
    );
}

fn names(used: &[BundleUse]) -> String {
    let names: Vec<_> = used.iter().map(|one| format!("{:?}", one.name)).collect();
    names.join(", ")
}

fn compile(engine: &Engine, name: &str, bundle: &Bundle, shape: InputShape) -> anyhow::Result<Active> {
    let limits = Limits::default();
    let policy = engine
        .compile(bundle, limits)
        .with_context(|| format!("bundle {name} cannot run"))?;
    Ok(Active {
        policy,
        shape,
        limits,
        warnings: Vec::new(),
    })
}

fn not_at_hand(name: &str) -> Failure {
    Failure {
        reason: "NeedsBundle".to_owned(),
        message: format!("the track also judges with bundle {name:?}, which is not at hand: give it with --bundle"),
    }
}
