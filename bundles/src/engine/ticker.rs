//! The clock behind deadlines: one thread that advances the runtime's epoch about every millisecond
//! while anything is being evaluated, and sleeps otherwise.
//!
//! A late tick is not made up for: epochs only make running code look at the real clock, and the
//! deadline itself is an [`std::time::Instant`] that the sandbox compares with.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How often running code is asked to look at the clock.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// Keeps the thread; it ends when the last handle is gone.
pub(super) struct Ticker(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    running: usize,
    closed: bool,
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
        self.0.lock().running += 1;
        self.0.changed.notify_one();
        Running(Arc::clone(&self.0))
    }
}

impl Shared {
    fn tick(&self, engine: &wasmtime::Engine) {
        while self.wait_for_work() {
            thread::sleep(TICK);
            engine.increment_epoch();
        }
    }

    /// True when something runs, false when the engine is gone.
    fn wait_for_work(&self) -> bool {
        let idle = |state: &mut State| state.running == 0 && !state.closed;
        let state = self
            .changed
            .wait_while(self.lock(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        !state.closed
    }

    /// A counter stays right even if a thread panicked while it held the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running = state.running.saturating_sub(1);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_one();
    }
}
