//! Times of short things.

use std::time::{Duration, Instant};

const WARM_UP: usize = 20;
/// How long one thing is measured at a time.
pub(crate) const SLICE: Duration = Duration::from_millis(300);
const ROUNDS: usize = 5;

/// The median of one call.
pub(crate) fn median(mut call: impl FnMut()) -> Duration {
    for _ in 0..WARM_UP {
        call();
    }
    let mut times = Vec::new();
    let end = Instant::now() + SLICE;
    while Instant::now() < end {
        times.push(time(&mut call));
    }
    middle(times)
}

pub(crate) fn time(call: &mut impl FnMut()) -> Duration {
    let since = Instant::now();
    call();
    since.elapsed()
}

/// The median.
pub(crate) fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().expect("one call at least")
}

/// Two things in turn, in rounds, because a machine does not always have the same speed: the two times of the round whose
/// ratio is the median.
pub(crate) fn in_turn(mut one: impl FnMut() -> Duration, mut other: impl FnMut() -> Duration) -> (Duration, Duration) {
    let mut rounds: Vec<_> = (0..ROUNDS).map(|_| (one(), other())).collect();
    let ratio = |(one, other): &(Duration, Duration)| one.as_secs_f64() / other.as_secs_f64();
    rounds.sort_by(|one, other| ratio(one).total_cmp(&ratio(other)));
    rounds.get(ROUNDS / 2).copied().expect("one round at least")
}

/// The time for one call while some threads call together: all of it by all of their calls.
pub(crate) fn time_a_call(threads: usize, call: impl Fn() + Sync) -> Duration {
    let since = Instant::now();
    let end = since + SLICE;
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
    since.elapsed() / calls
}
