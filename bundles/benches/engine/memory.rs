//! Memory that twenty idle bundles hold for themselves, and what a decision adds.

use std::path::Path;

use interlock_bundles::engine::{Engine, Limits, Policy};

use crate::figures::Figures;
use crate::{inputs, policies};

const BUNDLES: usize = 20;
const DATA_BYTES: usize = 1_000_000;
/// The acceptance limit of the engine's design.
const LIMIT: f64 = 100e6;

pub(crate) fn measure(figures: &mut Figures, folder: &Path) {
    let modules = folder.join("heavy");
    // Compiled by another engine, so that what compiling leaves behind is not counted.
    let bundles = policies::variants(BUNDLES, DATA_BYTES, folder);
    compile(&bundles, &modules);
    trim();
    let before = private_dirty();
    let policies = compile(&bundles, &modules);
    let idle = private_dirty() - before;
    drop(bundles);
    let measure = "memory, 20 bundles of 1 MB data each";
    figures.add(measure, "private and dirty, idle", idle, "B", "100 MB", idle / LIMIT);
    let input = inputs::of_size(5);
    let before = private_dirty();
    let mut instances: Vec<_> = policies
        .iter()
        .map(|policy| policy.reused("interlock/baseline/decision").unwrap())
        .collect();
    for instance in &mut instances {
        instance.decide(input.as_bytes()).unwrap();
    }
    let each = (private_dirty() - before) / f64::from(u32::try_from(instances.len()).unwrap());
    figures.add(
        measure,
        "private and dirty, a decision that runs, 5 kB",
        each,
        "B",
        "the bundle's data",
        each / 1e6,
    );
}

fn compile(bundles: &[interlock_bundles::archive::Bundle], modules: &Path) -> Vec<Policy> {
    let engine = Engine::with_cache(modules).unwrap();
    bundles
        .iter()
        .map(|bundle| engine.compile(bundle, Limits::default()).unwrap())
        .collect()
}

/// Bytes of this process that nobody shares and that were written to.
fn private_dirty() -> f64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Private_Dirty:")).unwrap();
    let kilobytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1024.0
}

/// Lets the allocator settle.
fn trim() {
    std::thread::sleep(std::time::Duration::from_millis(200));
}
