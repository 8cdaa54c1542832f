//! Hashing a model's folder on all cores, beside `sha256sum` on one.

use std::fs::File;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use interlock_bundles::model::{Allowed, Manifest, directory};

use crate::figures::Figures;
use crate::registry::Publisher;
use crate::timing::in_turn;

const FILES: u64 = 8;
const FILE_BYTES: u64 = 256 * 1024 * 1024;

pub(crate) fn measure(figures: &mut Figures, bench: &Path) {
    let folder = bench.join("two-gigabytes");
    std::fs::create_dir_all(&folder).unwrap();
    let names: Vec<String> = (0..FILES).map(|number| format!("model-{number}.bin")).collect();
    for (number, name) in names.iter().enumerate() {
        fill(&folder.join(name), number as u64);
    }
    // The digests do not matter to how long it takes to find out that they are others.
    let listed: Vec<_> = names.iter().map(|name| (name.clone(), "0".repeat(64))).collect();
    let publisher = Publisher::new();
    let signature = publisher.sign(&listed);
    let verified = publisher.trust().verify_model(&signature).manifest.unwrap();
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    for number in 0..FILES {
        // Into the page cache: disks are not measured.
        std::fs::read(folder.join(format!("model-{number}.bin"))).unwrap();
    }
    let (ours, theirs) = in_turn(|| ours(&folder, verified.get()), || theirs(&folder.join("model-0.bin")));
    let bytes = as_f64(FILES * FILE_BYTES);
    let rate = bytes / ours.as_secs_f64();
    let peer = as_f64(FILE_BYTES) / theirs.as_secs_f64();
    let cores = f64::from(u32::try_from(cores).unwrap());
    figures.add(
        "hashing a model of 2 GB, all cores",
        "bytes a second and core",
        rate / cores,
        "B/s",
        "sha256sum on one core",
        rate / cores / peer,
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

fn ours(folder: &Path, manifest: &Manifest) -> Duration {
    let since = Instant::now();
    let seen = directory::read(folder, manifest, &Allowed::default()).unwrap();
    assert_eq!(seen.len() as u64, FILES);
    since.elapsed()
}

fn theirs(file: &Path) -> Duration {
    let since = Instant::now();
    let ended = Command::new("sha256sum").arg(file).stdout(Stdio::null()).status();
    assert!(ended.unwrap().success());
    since.elapsed()
}

/// Bytes that no two files share and no file system stores as a hole.
fn fill(path: &Path, seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut block = Vec::with_capacity(1024 * 1024);
    let mut file = File::create(path).unwrap();
    for _ in 0..FILE_BYTES / (1024 * 1024) {
        block.clear();
        while block.len() < 1024 * 1024 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.extend_from_slice(&state.to_le_bytes());
        }
        file.write_all(&block).unwrap();
    }
}

#[expect(clippy::cast_precision_loss, reason = "for a ratio")]
pub(crate) fn as_f64(number: u64) -> f64 {
    number as f64
}
