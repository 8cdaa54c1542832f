//! A number of places, taken and given back: how many decisions may run at the same time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Places that threads wait for.
pub(super) struct Slots {
    most: usize,
    places: Mutex<Places>,
    freed: Condvar,
}

#[derive(Default)]
struct Places {
    used: usize,
    /// Threads that wait for one: waking nobody is a call of the system all the same.
    wanted: usize,
}

/// A place; given back when dropped.
pub(super) struct Slot(Arc<Slots>);

impl Slots {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            places: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// How many there are.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// A place, or `None` if none became free in time.
    pub(super) fn take(self: &Arc<Self>, patience: Duration) -> Option<Slot> {
        let mut places = self.lock();
        if places.used >= self.most {
            places.wanted += 1;
            let full = |places: &mut Places| places.used >= self.most;
            let (after, timeout) = self
                .freed
                .wait_timeout_while(places, patience, full)
                .unwrap_or_else(PoisonError::into_inner);
            places = after;
            places.wanted -= 1;
            if timeout.timed_out() {
                return None;
            }
        }
        places.used += 1;
        Some(Slot(Arc::clone(self)))
    }

    /// A counter stays right even if a thread panicked while it held the lock.
    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut places = self.0.lock();
        places.used = places.used.saturating_sub(1);
        let wanted = places.wanted > 0;
        drop(places);
        if wanted {
            self.0.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_once_and_comes_back() {
        let slots = Arc::new(Slots::new(2));
        let short = Duration::from_millis(1);
        let first = slots.take(short).unwrap();
        let _second = slots.take(short).unwrap();
        assert!(slots.take(short).is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| slots.take(Duration::from_mins(1)).is_some());
            drop(first);
            assert!(waiting.join().unwrap());
        });
    }
}
