//! Which bundles judge: every bundle that the track names is either at hand or told as missing, never left out.
//!
//! At hand are the built-in bundle, for the track's bundle of that name, and what `--bundle` gives.

use anyhow::{Context as _, bail};
use interlock_bundles::archive::Bundle;
use interlock_bundles::engine::{Engine, Limits};
use interlock_crds::GovernanceTrack;
use interlock_crds::bundle::InputShape;
use interlock_crds::track::BundleUse;
use serde_json::Map;

use crate::cli::bundles;
use crate::judge::{Active, Bench};
use crate::verdict::Failure;

/// What `--bundle` gives.
pub(super) struct Given {
    /// The bundle.
    pub(super) bundle: Bundle,
    /// What its policies expect.
    pub(super) shape: InputShape,
}

/// Name of the built-in bundle.
const BUILT_IN: &str = "baseline";

/// A bench for each of the track's bundles; without a track one for the bundle that is given, or the built-in one.
pub(super) fn assemble(track: Option<&GovernanceTrack>, given: Option<Given>) -> anyhow::Result<Vec<Bench>> {
    let engine = Engine::new()?;
    let Some(track) = track else {
        return Ok(vec![alone(&engine, given)?]);
    };
    let used = track.spec.bundles.as_slice();
    let place = given.as_ref().map(|given| stands_for(used, given)).transpose()?;
    let is_at_hand = |at: usize, one: &BundleUse| place == Some(at) || one.name == BUILT_IN;
    if !used.iter().enumerate().any(|(at, one)| is_at_hand(at, one)) {
        bail!(
            "the track judges with {}, of which none is at hand: give it with --bundle",
            names(used)
        );
    }
    let mut bench = Vec::new();
    for (at, one) in used.iter().enumerate() {
        let active = match &given {
            Some(given) if place == Some(at) => Ok(compile(&engine, &one.name, &given.bundle, given.shape)?),
            _ if one.name == BUILT_IN => Ok(compile(&engine, BUILT_IN, &built_in()?, InputShape::Dossier)?),
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

/// The bundles that are not at hand, by the name of the gate that is open for them.
pub(super) fn missing(bench: &[Bench]) -> Vec<String> {
    let missing = bench.iter().filter(|one| one.active.is_err());
    missing.map(|one| format!("bundle/{}", one.bundle)).collect()
}

fn alone(engine: &Engine, given: Option<Given>) -> anyhow::Result<Bench> {
    let (bundle, shape) = match given {
        Some(given) => (given.bundle, given.shape),
        None => (built_in()?, InputShape::Dossier),
    };
    let name = bundle.name().unwrap_or("bundle").to_owned();
    let active = compile(engine, &name, &bundle, shape)?;
    Ok(Bench {
        bundle: name,
        active: Ok(active),
        parameters: Map::new(),
    })
}

fn built_in() -> anyhow::Result<Bundle> {
    let all = bundles::built_in()?.into_iter();
    let mut named = all.filter(|bundle| bundle.name() == Some(BUILT_IN));
    named.next().context("the built-in bundle is missing")
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
    Ok(Active { policy, shape, limits })
}

fn not_at_hand(name: &str) -> Failure {
    Failure {
        reason: "NeedsBundle".to_owned(),
        message: format!("the track also judges with bundle {name:?}, which is not at hand: give it with --bundle"),
    }
}
