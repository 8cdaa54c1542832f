//! Times of short things.

use std::time::{Duration, Instant};

const WARM_UP: usize = 50;
const SECONDS: Duration = Duration::from_millis(1500);

/// The median of one call.
pub(crate) fn median(mut call: impl FnMut()) -> Duration {
    for _ in 0..WARM_UP {
        call();
    }
    let mut times = Vec::new();
    let end = Instant::now() + SECONDS;
    let mut since = Instant::now();
    while since < end {
        call();
        let now = Instant::now();
        times.push(now - since);
        since = now;
    }
    times.sort_unstable();
    times.get(times.len() / 2).copied().expect("one call at least")
}

/// Calls a second of some threads together.
pub(crate) fn throughput(threads: usize, call: impl Fn() + Sync) -> f64 {
    let end = Instant::now() + SECONDS;
    let calls: u32 = std::thread::scope(|scope| {
        let thread = || {
            let mut calls = 0;
            while Instant::now() < end {
                call();
                calls += 1;
            }
            calls
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(thread)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    f64::from(calls) / SECONDS.as_secs_f64()
}
