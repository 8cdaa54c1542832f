//! OPA values where they lie in guest memory: read and written without a call into the guest and without text between.
//!
//! The layout is that of OPA's `wasm/src/value.h`, the same from interface 1.2 to 1.3; a module shows when its snapshot
//! is taken that it keeps to it (`snapshot.rs`), or values cross as text. All addresses come from the guest and may be
//! anything: every access is checked, and depth, size and steps are bounded, so cycles end too.

use std::collections::{BTreeMap, BTreeSet};

use super::room::Room;
use super::term::{Number, Term};

const NULL: u8 = 1;
const BOOLEAN: u8 = 2;
const NUMBER: u8 = 3;
const STRING: u8 = 4;
const ARRAY: u8 = 5;
const OBJECT: u8 = 6;
const SET: u8 = 7;
const STRING_INTERNED: u8 = 8;
const BOOLEAN_INTERNED: u8 = 9;

const NUMBER_INT: u8 = 1;
const NUMBER_REF: u8 = 2;

/// Beside each byte of text, the hash buckets and elements that a value of it may have.
const STEPS_PER_BYTE: usize = 16;
const STEPS_AT_LEAST: usize = 4096;

/// Why what lies at an address is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadError {
    /// Outside the memory.
    Outside(u32),
    /// Nothing that OPA writes.
    Malformed(&'static str),
    /// Nested deeper than the caller allows.
    TooDeep,
    /// Larger than the caller allows.
    TooLarge,
}

/// Reads the value at an address. `bytes` bounds its size as compact text, `depth` its nesting, `room` what it takes here.
pub(super) fn read(memory: &[u8], at: u32, bytes: usize, depth: usize, room: &mut Room) -> Result<Term, ReadError> {
    let steps = bytes.saturating_mul(STEPS_PER_BYTE).saturating_add(STEPS_AT_LEAST);
    let mut reader = Reader {
        memory,
        bytes,
        steps,
        room,
    };
    reader.value(at, depth)
}

struct Reader<'m> {
    memory: &'m [u8],
    bytes: usize,
    steps: usize,
    room: &'m mut Room,
}

impl Reader<'_> {
    fn value(&mut self, at: u32, depth: usize) -> Result<Term, ReadError> {
        self.step()?;
        self.take(1)?;
        self.room.value().ok_or(ReadError::TooLarge)?;
        match self.byte(at)? {
            NULL => Ok(Term::Null),
            BOOLEAN | BOOLEAN_INTERNED => Ok(Term::Boolean(self.byte(offset(at, 1)?)? != 0)),
            NUMBER => self.number(at).map(Term::Number),
            STRING | STRING_INTERNED => {
                let (length, text) = (self.word(offset(at, 4)?)?, self.word(offset(at, 8)?)?);
                Ok(Term::String(self.text(text, length)?.to_owned()))
            }
            kind @ (ARRAY | OBJECT | SET) => {
                let depth = depth.checked_sub(1).ok_or(ReadError::TooDeep)?;
                match kind {
                    ARRAY => self.array(at, depth).map(Term::Array),
                    OBJECT => self.object(at, depth).map(Term::Object),
                    _ => self.set(at, depth).map(Term::Set),
                }
            }
            _ => Err(ReadError::Malformed("a value of an unknown type")),
        }
    }

    fn number(&mut self, at: u32) -> Result<Number, ReadError> {
        match self.byte(offset(at, 1)?)? {
            NUMBER_INT => {
                let bytes = self.slice(offset(at, 8)?, 8)?;
                let value = i64::from_le_bytes(bytes.try_into().map_err(|_| ReadError::Outside(at))?);
                self.take(8)?;
                self.room.number(0).ok_or(ReadError::TooLarge)?;
                Ok(value.into())
            }
            NUMBER_REF => {
                let (text, length) = (self.word(offset(at, 8)?)?, self.word(offset(at, 12)?)?);
                self.room.number(length as usize).ok_or(ReadError::TooLarge)?;
                Number::from_rego(self.text(text, length)?).ok_or(ReadError::Malformed("a number that is none"))
            }
            _ => Err(ReadError::Malformed("a number of an unknown kind")),
        }
    }

    fn array(&mut self, at: u32, depth: usize) -> Result<Vec<Term>, ReadError> {
        let (elements, length) = (self.word(offset(at, 4)?)?, self.word(offset(at, 8)?)?);
        let mut items = Vec::new();
        for index in 0..length {
            let element = elements
                .checked_add(index.checked_mul(8).ok_or(ReadError::Outside(elements))?)
                .ok_or(ReadError::Outside(elements))?;
            let item = self.word(offset(element, 4)?)?;
            items.push(self.value(item, depth)?);
        }
        Ok(items)
    }

    fn object(&mut self, at: u32, depth: usize) -> Result<BTreeMap<Term, Term>, ReadError> {
        let mut fields = BTreeMap::new();
        self.elements(at, 8, |reader, element| {
            let (key, value) = (reader.word(element)?, reader.word(offset(element, 4)?)?);
            reader.room.element(fields.is_empty()).ok_or(ReadError::TooLarge)?;
            let key = reader.value(key, depth)?;
            fields.insert(key, reader.value(value, depth)?);
            Ok(())
        })?;
        Ok(fields)
    }

    fn set(&mut self, at: u32, depth: usize) -> Result<BTreeSet<Term>, ReadError> {
        let mut items = BTreeSet::new();
        self.elements(at, 4, |reader, element| {
            let item = reader.word(element)?;
            reader.room.element(items.is_empty()).ok_or(ReadError::TooLarge)?;
            items.insert(reader.value(item, depth)?);
            Ok(())
        })?;
        Ok(items)
    }

    /// The elements of a hash table: chains in buckets, whose next element stands at `next`.
    fn elements(
        &mut self,
        at: u32,
        next: u32,
        mut read: impl FnMut(&mut Self, u32) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let (buckets, count) = (self.word(offset(at, 4)?)?, self.word(offset(at, 8)?)?);
        for index in 0..count {
            self.step()?;
            let bucket = index
                .checked_mul(4)
                .and_then(|offset| buckets.checked_add(offset))
                .ok_or(ReadError::Outside(buckets))?;
            let mut element = self.word(bucket)?;
            while element != 0 {
                self.step()?;
                read(self, element)?;
                element = self.word(offset(element, next)?)?;
            }
        }
        Ok(())
    }

    fn text(&mut self, at: u32, length: u32) -> Result<&str, ReadError> {
        self.take(length as usize)?;
        self.room.text(length as usize).ok_or(ReadError::TooLarge)?;
        let bytes = self.slice(at, length as usize)?;
        std::str::from_utf8(bytes).map_err(|_| ReadError::Malformed("a text that is not UTF-8"))
    }

    fn byte(&self, at: u32) -> Result<u8, ReadError> {
        self.memory.get(at as usize).copied().ok_or(ReadError::Outside(at))
    }

    fn word(&self, at: u32) -> Result<u32, ReadError> {
        let bytes = self.slice(at, 4)?;
        bytes
            .try_into()
            .map(u32::from_le_bytes)
            .map_err(|_| ReadError::Outside(at))
    }

    fn slice(&self, at: u32, length: usize) -> Result<&[u8], ReadError> {
        let start = at as usize;
        let end = start.checked_add(length).ok_or(ReadError::Outside(at))?;
        self.memory.get(start..end).ok_or(ReadError::Outside(at))
    }

    fn step(&mut self) -> Result<(), ReadError> {
        self.steps = self.steps.checked_sub(1).ok_or(ReadError::TooLarge)?;
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> Result<(), ReadError> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(ReadError::TooLarge)?;
        Ok(())
    }
}

fn offset(at: u32, by: u32) -> Result<u32, ReadError> {
    at.checked_add(by).ok_or(ReadError::Outside(at))
}

/// A value laid out for a guest: one block of bytes whose inner addresses count from its start.
#[derive(Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    /// Where addresses stand.
    addresses: Vec<usize>,
}

impl Block {
    /// Lays a value out; `None` where the guest alone can place it: among the elements of a hash table is a number
    /// whose hash depends on how the guest rounds.
    pub(super) fn of(term: &Term) -> Option<Self> {
        let mut block = Self::default();
        // The value itself comes last, because what it refers to has to have an address; its own is in `root`.
        let root = block.value(term)?;
        let start = block.bytes.len();
        block.bytes.extend_from_slice(&root.to_le_bytes());
        debug_assert!(start.is_multiple_of(8));
        Some(block)
    }

    /// How many bytes the guest has to give.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes for the address they are written to, and the address of the value among them.
    pub(super) fn at(mut self, base: u32) -> Option<(Vec<u8>, u32)> {
        let root_at = self.bytes.len().checked_sub(4)?;
        self.addresses.push(root_at);
        for place in &self.addresses {
            let field = self.bytes.get_mut(*place..place.checked_add(4)?)?;
            let relative = u32::from_le_bytes(<[u8; 4]>::try_from(&*field).ok()?);
            field.copy_from_slice(&base.checked_add(relative)?.to_le_bytes());
        }
        let root = self.bytes.get(root_at..)?;
        let root = u32::from_le_bytes(root.try_into().ok()?);
        Some((self.bytes, root))
    }

    /// The relative address of what was laid out.
    fn value(&mut self, term: &Term) -> Option<u32> {
        match term {
            Term::Null => self.node(&[NULL]),
            Term::Boolean(value) => self.node(&[BOOLEAN, u8::from(*value)]),
            Term::Number(number) => self.number(number),
            Term::String(text) => {
                let at = self.text(text)?;
                let length = u32::try_from(text.len()).ok()?;
                let node = self.node(&header(STRING, 0, length, at))?;
                self.address(node, 8)?;
                Some(node)
            }
            Term::Array(items) => self.array(items),
            Term::Object(fields) => {
                let elements = fields
                    .iter()
                    .map(|(key, value)| Some((hash(key)?, [Some(self.value(key)?), Some(self.value(value)?)])))
                    .collect::<Option<Vec<_>>>()?;
                self.table(OBJECT, &elements)
            }
            Term::Set(items) => {
                let elements = items
                    .iter()
                    .map(|item| Some((hash(item)?, [Some(self.value(item)?), None])))
                    .collect::<Option<Vec<_>>>()?;
                self.table(SET, &elements)
            }
        }
    }

    fn number(&mut self, number: &Number) -> Option<u32> {
        let mut bytes = vec![NUMBER, NUMBER_INT, 0, 0, 0, 0, 0, 0];
        // The guest cuts such a number to 32 bits when it computes with it, and makes no larger one itself.
        let small = number.as_i64().filter(|value| i32::try_from(*value).is_ok());
        if let Some(value) = small {
            bytes.extend_from_slice(&value.to_le_bytes());
            return self.node(&bytes);
        }
        let at = self.text(number.text())?;
        let length = u32::try_from(number.text().len()).ok()?;
        if let Some(kind) = bytes.get_mut(1) {
            *kind = NUMBER_REF;
        }
        bytes.extend_from_slice(&at.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        let node = self.node(&bytes)?;
        self.address(node, 8)?;
        Some(node)
    }

    fn array(&mut self, items: &[Term]) -> Option<u32> {
        let mut elements = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let number = self.number(&i64::try_from(index).ok()?.into())?;
            elements.push((number, self.value(item)?));
        }
        let count = u32::try_from(items.len()).ok()?;
        let bytes: Vec<u8> = elements
            .iter()
            .flat_map(|(index, value)| [index.to_le_bytes(), value.to_le_bytes()].concat())
            .collect();
        let first = self.node(&bytes)?;
        for index in 0..count.checked_mul(2)? {
            self.address(first, index.checked_mul(4)?)?;
        }
        let node = self.node(&words(ARRAY, [first, count, count]))?;
        self.address(node, 4)?;
        Some(node)
    }

    /// A hash table of elements in OPA's order: within a bucket the guest keeps them in that order.
    fn table(&mut self, kind: u8, elements: &[(u32, [Option<u32>; 2])]) -> Option<u32> {
        let length = u32::try_from(elements.len()).ok()?;
        // The guest doubles its eight buckets beyond seven elements for ten.
        let mut count = 8_u32;
        while u64::from(length) * 10 > u64::from(count) * 7 {
            count = count.checked_mul(2)?;
        }
        let mut buckets = vec![0_u32; count as usize];
        for (hash, fields) in elements.iter().rev() {
            let bucket = buckets.get_mut((hash % count) as usize)?;
            let fields: Vec<u32> = fields.iter().flatten().copied().chain([*bucket]).collect();
            let bytes: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
            let element = self.node(&bytes)?;
            for (index, field) in fields.iter().enumerate() {
                let is_end = *field == 0 && index + 1 == fields.len();
                if !is_end {
                    self.address(element, u32::try_from(index * 4).ok()?)?;
                }
            }
            *bucket = element;
        }
        let bytes: Vec<u8> = buckets.iter().flat_map(|bucket| bucket.to_le_bytes()).collect();
        let first = self.node(&bytes)?;
        for (index, bucket) in buckets.iter().enumerate() {
            if *bucket != 0 {
                self.address(first, u32::try_from(index * 4).ok()?)?;
            }
        }
        let node = self.node(&words(kind, [first, count, length]))?;
        self.address(node, 4)?;
        Some(node)
    }

    fn text(&mut self, text: &str) -> Option<u32> {
        // The guest's own texts end in NUL.
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.node(&bytes)
    }

    /// Appends bytes, aligned to eight. No node is at 0, which means "none".
    fn node(&mut self, bytes: &[u8]) -> Option<u32> {
        if self.bytes.is_empty() {
            self.bytes.resize(8, 0);
        }
        let at = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        u32::try_from(at).ok()
    }

    /// Marks the word at `node + by` as an address.
    fn address(&mut self, node: u32, by: u32) -> Option<()> {
        self.addresses.push(node.checked_add(by)? as usize);
        Some(())
    }
}

fn header(kind: u8, flag: u8, first: u32, second: u32) -> Vec<u8> {
    let mut bytes = vec![kind, flag, 0, 0];
    bytes.extend_from_slice(&first.to_le_bytes());
    bytes.extend_from_slice(&second.to_le_bytes());
    bytes
}

fn words(kind: u8, fields: [u32; 3]) -> Vec<u8> {
    let mut bytes = vec![kind, 0, 0, 0];
    bytes.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
    bytes
}

/// The guest's hash of a value; `None` for numbers that it would first have to round to a double.
fn hash(term: &Term) -> Option<u32> {
    const EXACT: i64 = 1 << 53;
    let sum = |mut hashes: &mut dyn Iterator<Item = Option<u32>>| {
        (&mut hashes).try_fold(0_u32, |sum, hash| Some(sum.wrapping_add(hash?)))
    };
    match term {
        Term::Null => Some(0),
        Term::Boolean(value) => Some(u32::from(!*value)),
        Term::Number(number) => {
            let value = number.as_i64().filter(|value| (-EXACT..=EXACT).contains(value))?;
            #[expect(clippy::cast_precision_loss, reason = "it was just checked to be exact")]
            Some(fnv(&(value as f64).to_le_bytes()))
        }
        Term::String(text) => Some(fnv(text.as_bytes())),
        Term::Array(items) => sum(&mut items.iter().map(hash)),
        Term::Set(items) => sum(&mut items.iter().map(hash)),
        Term::Object(fields) => sum(&mut fields.iter().flat_map(|(key, value)| [hash(key), hash(value)])),
    }
}

/// FNV-1, 32 bits.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash: u32, byte| {
        hash.wrapping_mul(0x0100_0193) ^ u32::from(*byte)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(memory: &[u8], at: u32, bytes: usize, depth: usize) -> Result<Term, ReadError> {
        super::read(memory, at, bytes, depth, &mut Room::new())
    }
    use proptest::prelude::*;

    const SAMPLE: &str = r#"[null, true, false, 0, -7, 12345678901234567890, "", "é\n", [], {}, set(),
        {"a": 1, "b": {"c": [2]}}, {1, "x", {1: 2}, [3]}, {"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"}]"#;

    fn placed(term: &Term, base: u32) -> (Vec<u8>, u32) {
        let (bytes, root) = Block::of(term).unwrap().at(base).unwrap();
        let mut memory = vec![0xaa; base as usize];
        memory.extend(bytes);
        (memory, root)
    }

    #[test]
    fn what_is_written_is_read() {
        let term = Term::parse(SAMPLE, 16).unwrap();
        for base in [8, 1001] {
            let (memory, root) = placed(&term, base);
            assert_eq!(read(&memory, root, 10_000, 16).unwrap().to_rego(), term.to_rego());
        }
    }

    #[test]
    fn numbers_beyond_32_bits_are_given_as_text() {
        for (text, kind) in [
            ("2147483647", NUMBER_INT),
            ("2147483648", NUMBER_REF),
            ("-2147483649", NUMBER_REF),
        ] {
            let (memory, root) = placed(&Term::parse(text, 1).unwrap(), 8);
            assert_eq!(memory[root as usize + 1], kind, "{text}");
        }
    }

    #[test]
    fn the_guest_rounds_some_numbers_itself() {
        for text in ["{1.5}", "{12345678901234567890: 1}", "{[1e2]}"] {
            assert!(Block::of(&Term::parse(text, 8).unwrap()).is_none(), "{text}");
        }
        assert!(Block::of(&Term::parse("[1.5, 1e400]", 8).unwrap()).is_some());
    }

    #[test]
    fn limits_are_told_apart() {
        let (memory, root) = placed(&Term::parse(r#"[[["abcdefgh"]]]"#, 8).unwrap(), 16);
        assert_eq!(read(&memory, root, 100, 2), Err(ReadError::TooDeep));
        assert_eq!(read(&memory, root, 8, 8), Err(ReadError::TooLarge));
        assert_eq!(read(&memory, u32::MAX, 8, 8), Err(ReadError::Outside(u32::MAX)));
        // An array that contains itself.
        let mut memory = vec![0; 64];
        for (at, word) in [(16, u32::from(ARRAY)), (20, 32), (24, 1), (36, 16)] {
            memory[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        assert_eq!(read(&memory, 16, 1000, 64), Err(ReadError::TooDeep));
        // An element that is its own successor.
        for (at, word) in [
            (16, u32::from(SET)),
            (20, 32),
            (24, 1),
            (32, 40),
            (40, 16),
            (44, 40),
            (16, 1),
        ] {
            memory[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        memory[48] = SET;
        memory[52..60].copy_from_slice(&[32, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(read(&memory, 48, 1000, 64), Err(ReadError::TooLarge));
    }

    #[test]
    fn one_value_in_many_places_does_not_fill_the_host() {
        // Sixty arrays, each of the next one twice.
        let mut memory = vec![0_u8; 61 * 32];
        for at in (0_u32..60 * 32).step_by(32) {
            for (by, word) in [
                (0, u32::from(ARRAY)),
                (4, at + 16),
                (8, 2),
                (20, at + 32),
                (28, at + 32),
            ] {
                let at = (at + by) as usize;
                memory[at..at + 4].copy_from_slice(&word.to_le_bytes());
            }
        }
        memory[60 * 32] = NULL;
        assert_eq!(read(&memory, 0, usize::MAX, 64), Err(ReadError::TooLarge));
    }

    #[test]
    fn one_small_object_in_many_places_does_not_fill_the_host() {
        const PLACES: u32 = 100_000;
        // An array whose items are all the same object of one field, null to null.
        let mut memory = vec![0_u8; 128 + PLACES as usize * 8];
        let mut put = |at: u32, word: u32| memory[at as usize..][..4].copy_from_slice(&word.to_le_bytes());
        for (at, word) in [
            (16, u32::from(ARRAY)),
            (20, 128),
            (24, PLACES),
            (32, u32::from(OBJECT)),
            (36, 48),
            (40, 1),
            (48, 64),
            (64, 96),
            (68, 96),
            (96, u32::from(NULL)),
        ] {
            put(at, word);
        }
        (0..PLACES).for_each(|place| put(128 + place * 8 + 4, 32));
        assert_eq!(read(&memory, 16, usize::MAX >> 8, 8), Err(ReadError::TooLarge));
        memory[24..28].copy_from_slice(&1000_u32.to_le_bytes());
        let Ok(Term::Array(items)) = read(&memory, 16, usize::MAX >> 8, 8) else {
            panic!("a thousand fit")
        };
        assert_eq!(items.len(), 1000);
        assert_eq!(items[0].to_rego(), "{null: null}");
    }

    proptest! {
        #[test]
        fn any_memory_is_read_or_refused(memory in prop::collection::vec(0_u8..12, 0..400), at in 0_u32..400) {
            let _ = read(&memory, at, 200, 8);
        }
    }
}
