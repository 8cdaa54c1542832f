//! A number of places, taken and given back: how many decisions may run at the same time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Places that threads wait for.
pub(super) struct Slots {
    most: usize,
    used: Mutex<usize>,
    freed: Condvar,
}

/// A place; given back when dropped.
pub(super) struct Slot(Arc<Slots>);

impl Slots {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            used: Mutex::new(0),
            freed: Condvar::new(),
        }
    }

    /// How many there are.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// A place, or `None` if none became free in time.
    pub(super) fn take(self: &Arc<Self>, patience: Duration) -> Option<Slot> {
        let full = |used: &mut usize| *used >= self.most;
        let (mut used, _) = self
            .freed
            .wait_timeout_while(self.lock(), patience, full)
            .unwrap_or_else(PoisonError::into_inner);
        if full(&mut used) {
            return None;
        }
        *used += 1;
        Some(Slot(Arc::clone(self)))
    }

    /// A counter stays right even if a thread panicked while it held the lock.
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut used = self.0.lock();
        *used = used.saturating_sub(1);
        drop(used);
        self.0.freed.notify_one();
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
