//! What one decision may use. Every limit ends the decision with an error of its own; none of them
//! ever turns into an answer.

use std::time::Duration;

/// The limits of one evaluation: from an empty sandbox to the result document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of the guest, in bytes. Nothing is freed inside one evaluation, so this is the
    /// limit a policy meets first. Bundle data takes about eighteen times its size as JSON.
    pub memory_bytes: usize,
    /// Wall-clock time of a decision, waiting for its turn not included. Getting a bundle ready, which happens once,
    /// may take ten times as long for each of its steps.
    pub deadline: Duration,
    /// The result document as the guest writes it, in bytes, for each entry point.
    pub result_bytes: usize,
    /// The input document as compact JSON, in bytes.
    pub input_bytes: usize,
    /// How deep arrays and objects of the input may be nested.
    pub input_depth: usize,
    /// One compiled regular expression of a host function, in bytes.
    pub regex_bytes: usize,
    /// Decisions of the bundle at the same time; further ones wait for their turn as long as a decision may take.
    pub concurrency: usize,
}

impl Limits {
    /// Those that a snapshot depends on: how much memory is set aside, and which golden inputs can be evaluated.
    pub(super) fn of_snapshot(&self) -> Vec<u8> {
        let Self {
            memory_bytes,
            deadline: _,
            result_bytes,
            input_bytes,
            input_depth,
            regex_bytes,
            concurrency: _,
        } = *self;
        [memory_bytes, result_bytes, input_bytes, input_depth, regex_bytes]
            .map(usize::to_le_bytes)
            .concat()
    }
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            memory_bytes: 256 * MIB,
            deadline: Duration::from_secs(1),
            result_bytes: MIB,
            input_bytes: 4 * MIB,
            input_depth: 128,
            regex_bytes: MIB,
            concurrency: 8,
        }
    }
}
