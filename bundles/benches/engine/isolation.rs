//! What a new instance for each decision costs.

use std::time::{Duration, Instant};

use interlock_bundles::engine::Policy;

use crate::figures::Figures;
use crate::policies::Subject;
use crate::timing::{SLICE, middle, time};
use crate::{FRESH, NOW, inputs};

/// A fresh instance for each decision, beside one for all of them.
pub(crate) fn measure(figures: &mut Figures, subject: &Subject, policy: &Policy) {
    for kilobytes in inputs::KILOBYTES {
        let input = inputs::of_size(kilobytes);
        let fresh = || {
            policy
                .evaluate_bytes(subject.entrypoint, Some(input.as_bytes()), NOW)
                .unwrap();
        };
        let mut instance = policy.reused(subject.entrypoint).unwrap();
        let reused = || {
            instance.decide(input.as_bytes()).unwrap();
        };
        let measure = format!("isolation, {}, {kilobytes} kB", subject.name);
        figures.time(
            &measure,
            FRESH,
            "the same with one instance reused, its heap set back",
            side_by_side(fresh, reused),
        );
    }
}

/// The medians of two things that take nearly the same time, a few calls of each in turn: whatever slows the machine down
/// meets both alike.
fn side_by_side(mut one: impl FnMut(), mut other: impl FnMut()) -> (Duration, Duration) {
    const TURN: usize = 8;
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    let end = Instant::now() + SLICE * 10;
    while Instant::now() < end {
        ones.extend((0..TURN).map(|_| time(&mut one)));
        others.extend((0..TURN).map(|_| time(&mut other)));
    }
    (middle(ones), middle(others))
}
