//! The clock behind deadlines: one thread that advances the runtime's epoch about every millisecond
//! while anything is being evaluated, and sleeps when nothing has been for a while.
//!
//! A late tick is not made up for: epochs only make running code look at the real clock, and the
//! deadline itself is an [`std::time::Instant`] that the sandbox compares with.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How often running code is asked to look at the clock.
pub(super) const TICK: Duration = Duration::from_millis(1);
/// Ticks without any evaluation before the thread sleeps. Waking it costs more than a short decision.
const IDLE_TICKS: usize = 50;

/// Keeps the thread; it ends when the last handle is gone.
pub(super) struct Ticker(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Evaluations that are running now.
    running: AtomicUsize,
    /// Evaluations that ever began: tells the thread that something ran between two ticks.
    begun: AtomicUsize,
    asleep: AtomicBool,
    closed: Mutex<bool>,
    wake: Condvar,
}

/// While this lives, the epoch advances.
pub(super) struct Running(Arc<Shared>);

impl Ticker {
    pub(super) fn start(engine: wasmtime::Engine) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("epoch-ticker".to_owned())
            .spawn(move || of_thread.tick(&engine))?;
        Ok(Self(shared))
    }

    /// Announces an evaluation.
    pub(super) fn running(&self) -> Running {
        self.0.running.fetch_add(1, Ordering::SeqCst);
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        if self.0.asleep.load(Ordering::SeqCst) {
            // Behind the lock, so that the thread is either waiting or will look once more.
            drop(self.0.lock());
            self.0.wake.notify_one();
        }
        Running(Arc::clone(&self.0))
    }
}

impl Shared {
    fn tick(&self, engine: &wasmtime::Engine) {
        let mut idle = 0;
        let mut seen = self.begun.load(Ordering::SeqCst);
        while idle < IDLE_TICKS || self.wait_for_work() {
            thread::sleep(TICK);
            engine.increment_epoch();
            let begun = self.begun.load(Ordering::SeqCst);
            let is_idle = begun == seen && self.running.load(Ordering::SeqCst) == 0;
            idle = if is_idle { idle.min(IDLE_TICKS - 1) + 1 } else { 0 };
            seen = begun;
        }
    }

    /// True when something runs, false when the engine is gone.
    fn wait_for_work(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let idle = |closed: &mut bool| !*closed && self.running.load(Ordering::SeqCst) == 0;
        let closed = self
            .wake
            .wait_while(self.lock(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        self.asleep.store(false, Ordering::SeqCst);
        !*closed
    }

    /// A flag stays right even if a thread panicked while it held the lock.
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        *self.0.lock() = true;
        self.0.wake.notify_one();
    }
}
