//! How much memory the values of one call or result may take on the host. Their text says little about that: a field takes a byte or two there
//! and over a kilobyte here, and in guest memory one value can stand in any number of places.

use super::term::Term;

/// Enough for documents of some megabytes.
const BYTES: usize = 64 << 20;
/// Elements of one node in the standard library's trees; all nodes but the root are filled with `FILLED` at least.
const NODE: usize = 11;
const FILLED: usize = 5;

/// What the allocator keeps for a number's digits and text beside what they have.
const NUMBER: usize = 64;

/// What is left of it.
pub(super) struct Room(usize);

impl Room {
    pub(super) fn new() -> Self {
        Self(BYTES)
    }

    /// For one value; `None` if there is none left, as for all that follow.
    pub(super) fn value(&mut self) -> Option<()> {
        self.take(size_of::<Term>())
    }

    /// For a text of that many bytes.
    pub(super) fn text(&mut self, bytes: usize) -> Option<()> {
        self.take(bytes)
    }

    /// For the digits of a number beside its text.
    pub(super) fn number(&mut self, digits: usize) -> Option<()> {
        self.take(NUMBER.saturating_add(digits))
    }

    /// For a field of an object or an element of a set, beside its values. The first one brings a whole node.
    pub(super) fn element(&mut self, is_first: bool) -> Option<()> {
        let node = NODE * size_of::<(Term, Term)>();
        self.take(if is_first { node } else { node / FILLED })
    }

    /// What so many fields or elements of one object or set take beside their values, in bytes.
    pub(super) fn elements(count: usize) -> usize {
        let node = NODE * size_of::<(Term, Term)>();
        node.saturating_mul(usize::from(count > 0) + count / FILLED)
    }

    fn take(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.checked_sub(bytes)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_as_text_is_refused_for_what_it_takes_here() {
        let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
        let fits = |text: &str| Term::parse(text, 8).is_ok();
        assert!(fits(&list("7", 200_000)));
        assert!(!fits(&list("7", 600_000)));
        assert!(fits(&list("{0:0}", 10_000)));
        assert!(!fits(&list("{0:0}", 100_000)));
        assert!(!fits(&list("{0}", 100_000)));
    }
}
