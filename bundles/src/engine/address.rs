//! Addresses in guest memory, one type a meaning, and the only reads and writes there are.
//!
//! Every address comes from the guest and may be anything; each access is checked against the
//! memory's size at that moment.

use super::error::EvaluateError;

/// Bytes or a NUL-terminated text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextAddress(i32);

/// A value of OPA; never 0, which the interface uses for undefined and for failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValueAddress(i32);

/// An evaluation context; never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContextAddress(i32);

const NULL: &str = "null";
const OUTSIDE: &str = "outside its memory";
const UNTERMINATED: &str = "a text without an end";

fn bad(export: &'static str, address: i32, fault: &'static str) -> EvaluateError {
    EvaluateError::BadAddress {
        export,
        address: address.cast_unsigned(),
        fault,
    }
}

impl ValueAddress {
    pub(super) fn new(raw: i32) -> Option<Self> {
        (raw != 0).then_some(Self(raw))
    }

    pub(super) fn raw(self) -> i32 {
        self.0
    }
}

impl ContextAddress {
    pub(super) fn new(raw: i32) -> Result<Self, EvaluateError> {
        if raw == 0 {
            return Err(bad("opa_eval_ctx_new", raw, NULL));
        }
        Ok(Self(raw))
    }

    pub(super) fn raw(self) -> i32 {
        self.0
    }
}

impl TextAddress {
    pub(super) fn new(raw: i32, export: &'static str) -> Result<Self, EvaluateError> {
        if raw == 0 {
            return Err(bad(export, raw, NULL));
        }
        Ok(Self(raw))
    }

    pub(super) fn raw(self) -> i32 {
        self.0
    }

    fn offset(self) -> usize {
        self.0.cast_unsigned() as usize
    }

    /// Copies `text` to this address, which `opa_malloc` gave.
    pub(super) fn write(self, memory: &mut [u8], text: &[u8]) -> Result<(), EvaluateError> {
        let end = self.offset().saturating_add(text.len());
        match memory.get_mut(self.offset()..end) {
            Some(room) => {
                room.copy_from_slice(text);
                Ok(())
            }
            None => Err(bad("opa_malloc", self.0, OUTSIDE)),
        }
    }

    /// The text at this address up to its NUL; `None` if it is longer than `cap` bytes.
    pub(super) fn read<'m>(
        self,
        memory: &'m [u8],
        cap: usize,
        export: &'static str,
    ) -> Result<Option<&'m [u8]>, EvaluateError> {
        let rest = memory
            .get(self.offset()..)
            .filter(|rest| !rest.is_empty())
            .ok_or_else(|| bad(export, self.0, OUTSIDE))?;
        let window = rest.get(..=cap).unwrap_or(rest);
        match window.iter().position(|byte| *byte == 0) {
            Some(end) => Ok(window.get(..end)),
            None if window.len() > cap => Ok(None),
            None => Err(bad(export, self.0, UNTERMINATED)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_up_to_the_nul_and_no_further_than_the_cap() {
        let memory = b"\0abc\0xyz";
        let read = |raw, cap| {
            TextAddress::new(raw, "t").and_then(|at| at.read(memory, cap, "t").map(|text| text.map(<[u8]>::to_vec)))
        };
        assert_eq!(read(1, 10).unwrap(), Some(b"abc".to_vec()));
        assert_eq!(read(1, 3).unwrap(), Some(b"abc".to_vec()));
        assert_eq!(read(1, 2).unwrap(), None);
        assert_eq!(read(4, 2).unwrap(), Some(Vec::new()));
        for (raw, cap) in [(0, 9), (5, 9), (8, 9), (9, 9), (-1, 9), (i32::MIN, usize::MAX - 1)] {
            assert_eq!(read(raw, cap).unwrap_err().reason(), "BadAddress", "{raw}");
        }
    }

    proptest! {
        #[test]
        fn no_address_reaches_outside(raw: i32, text in prop::collection::vec(any::<u8>(), 0..64), cap in 0_usize..64) {
            let mut memory = vec![1_u8; 48];
            if let Ok(at) = TextAddress::new(raw, "t") {
                let fits = at.offset().saturating_add(text.len()) <= memory.len();
                prop_assert_eq!(at.write(&mut memory, &text).is_ok(), fits);
                if let Ok(Some(read)) = at.read(&memory, cap, "t") {
                    prop_assert!(read.len() <= cap);
                }
            }
        }
    }
}
