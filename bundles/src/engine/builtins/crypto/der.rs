//! DER, read by the rules of Go's two readers: `Der` as `cryptobyte` does, which certificates go
//! through, and `Loose` as `encoding/asn1` does, which requests and keys go through.

use num_bigint::BigInt;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(in crate::engine::builtins) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// Class and form of a context-specific tag.
pub(super) const CONTEXT: u8 = 0x80;
const CONSTRUCTED: u8 = 0x20;
/// The low bits of a tag that goes on in further bytes.
const HIGH_TAG: u8 = 0x1f;

/// An element of the number that a context-specific tag carries.
pub(super) const fn context(number: u8) -> u8 {
    CONTEXT | number
}

/// The same, made of elements.
pub(super) const fn explicit(number: u8) -> u8 {
    CONTEXT | CONSTRUCTED | number
}

/// One element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    /// The first byte: class, form, and the number if it is small.
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// Tag, length and content.
    pub(super) full: &'a [u8],
}

struct Header {
    tag: u8,
    length: usize,
    content: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut at = 0;
        let mut byte = || {
            let byte = bytes.get(at).copied();
            at += 1;
            byte
        };
        let tag = byte()?;
        if tag & HIGH_TAG == HIGH_TAG {
            let mut number: u32 = 0;
            let first = loop {
                let digit = byte()?;
                if number == 0 && digit == 0x80 || number > u32::MAX >> 8 {
                    return None;
                }
                number = number << 7 | u32::from(digit & 0x7f);
                if digit & 0x80 == 0 {
                    break number;
                }
            };
            if first < u32::from(HIGH_TAG) {
                return None;
            }
        }
        let first = byte()?;
        let mut content = usize::from(first);
        if first & 0x80 != 0 {
            content = 0;
            for _ in 0..first & 0x7f {
                if content >= 1 << 23 {
                    return None;
                }
                content = content << 8 | usize::from(byte()?);
                if content == 0 {
                    return None;
                }
            }
            if content < 0x80 {
                return None;
            }
        }
        Some(Self {
            tag,
            length: at,
            content,
        })
    }

    /// The element with this header at the start of the bytes.
    fn element<'a>(&self, bytes: &'a [u8]) -> Option<Element<'a>> {
        let full = bytes.get(..self.length + self.content)?;
        Some(Element {
            tag: self.tag,
            content: full.get(self.length..)?,
            full,
        })
    }
}

/// What is left to read, strictly: every element has a small tag, and is asked for by it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Der<'a>(pub(super) &'a [u8]);

impl<'a> Der<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn peek(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    pub(super) fn any(&mut self) -> Option<Element<'a>> {
        let element = Header::read(self.0)?.element(self.0)?;
        self.0 = self.0.get(element.full.len()..)?;
        (element.tag & HIGH_TAG != HIGH_TAG).then_some(element)
    }

    pub(super) fn element(&mut self, tag: u8) -> Option<Element<'a>> {
        self.any().filter(|element| element.tag == tag)
    }

    /// The content of the next element.
    pub(super) fn read(&mut self, tag: u8) -> Option<&'a [u8]> {
        Some(self.element(tag)?.content)
    }

    pub(super) fn nested(&mut self, tag: u8) -> Option<Self> {
        self.read(tag).map(Self)
    }

    /// The content of the next element if it has this tag; the outer `None` is an error.
    #[expect(clippy::option_option, reason = "malformed, absent and present are three things")]
    pub(super) fn optional(&mut self, tag: u8) -> Option<Option<&'a [u8]>> {
        if self.peek(tag) {
            self.read(tag).map(Some)
        } else {
            Some(None)
        }
    }

    pub(super) fn boolean(&mut self) -> Option<bool> {
        self.read(BOOLEAN).and_then(boolean)
    }

    pub(super) fn integer(&mut self) -> Option<BigInt> {
        self.read(INTEGER).and_then(integer)
    }

    pub(super) fn int64(&mut self, tag: u8) -> Option<i64> {
        self.read(tag).and_then(int64)
    }

    pub(super) fn oid(&mut self) -> Option<Oid> {
        self.read(OBJECT_IDENTIFIER).and_then(Oid::read)
    }

    pub(super) fn bits(&mut self) -> Option<Bits<'a>> {
        self.read(BIT_STRING).and_then(Bits::read)
    }
}

/// What is left to read, loosely: as fields of a Go structure.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine::builtins) struct Loose<'a>(pub(in crate::engine::builtins) &'a [u8]);

impl<'a> Loose<'a> {
    pub(in crate::engine::builtins) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn any(&mut self) -> Option<Element<'a>> {
        let element = Header::read(self.0)?.element(self.0)?;
        self.0 = self.0.get(element.full.len()..)?;
        Some(element)
    }

    pub(super) fn element(&mut self, tag: u8) -> Option<Element<'a>> {
        self.any().filter(|element| element.tag == tag)
    }

    /// The content of the next element.
    pub(super) fn read(&mut self, tag: u8) -> Option<&'a [u8]> {
        Some(self.element(tag)?.content)
    }

    pub(in crate::engine::builtins) fn nested(&mut self, tag: u8) -> Option<Self> {
        self.read(tag).map(Self)
    }

    /// The content of the next element if it has this tag; the outer `None` is an error.
    #[expect(clippy::option_option, reason = "malformed, absent and present are three things")]
    pub(super) fn optional(&mut self, tag: u8) -> Option<Option<&'a [u8]>> {
        if self.is_empty() || Header::read(self.0)?.tag != tag {
            return Some(None);
        }
        self.read(tag).map(Some)
    }

    /// The same for an element inside one of the context-specific number, whose own length Go does
    /// not hold it to.
    #[expect(clippy::option_option, reason = "malformed, absent and present are three things")]
    pub(super) fn explicit(&mut self, number: u8, tag: u8) -> Option<Option<&'a [u8]>> {
        if self.is_empty() {
            return Some(None);
        }
        let outer = Header::read(self.0)?;
        let inner = self.0.get(outer.length..).filter(|inner| !inner.is_empty())?;
        let matches = outer.tag & !CONSTRUCTED == context(number);
        if !matches || outer.content > 0 && outer.tag & CONSTRUCTED == 0 {
            return Some(None);
        }
        if outer.content == 0 {
            return None;
        }
        let header = Header::read(inner)?;
        if header.tag != tag {
            return Some(None);
        }
        let element = header.element(inner)?;
        self.0 = inner.get(element.full.len()..)?;
        Some(Some(element.content))
    }

    pub(super) fn integer(&mut self) -> Option<BigInt> {
        self.read(INTEGER).and_then(integer)
    }

    pub(super) fn int64(&mut self) -> Option<i64> {
        self.read(INTEGER).and_then(int64)
    }

    pub(super) fn oid(&mut self) -> Option<Oid> {
        self.read(OBJECT_IDENTIFIER).and_then(Oid::read)
    }

    pub(in crate::engine::builtins) fn bits(&mut self) -> Option<Bits<'a>> {
        self.read(BIT_STRING).and_then(Bits::read)
    }

    /// All elements.
    pub(super) fn all(mut self) -> Option<Vec<Element<'a>>> {
        let mut elements = Vec::new();
        while !self.is_empty() {
            elements.push(self.any()?);
        }
        Some(elements)
    }

    /// The contents of all elements, which have this tag.
    pub(super) fn each(self, tag: u8) -> Option<Vec<Self>> {
        let content = |element: Element<'a>| (element.tag == tag).then_some(Self(element.content));
        self.all()?.into_iter().map(content).collect()
    }
}

pub(super) fn boolean(content: &[u8]) -> Option<bool> {
    match content {
        [0] => Some(false),
        [0xff] => Some(true),
        _ => None,
    }
}

pub(super) fn integer(content: &[u8]) -> Option<BigInt> {
    let minimal = match content {
        [] => false,
        [0, second, ..] => second & 0x80 != 0,
        [0xff, second, ..] => second & 0x80 == 0,
        _ => true,
    };
    minimal.then(|| BigInt::from_signed_bytes_be(content))
}

pub(super) fn int64(content: &[u8]) -> Option<i64> {
    // Longer ones need not become numbers at all.
    let short = content.len() <= 8;
    short.then(|| integer(content))?.and_then(|value| value.try_into().ok())
}

/// An object identifier whose components fit 31 bits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine::builtins) struct Oid(pub(super) Vec<u32>);

impl Oid {
    pub(super) fn read(content: &[u8]) -> Option<Self> {
        let mut components = Vec::with_capacity(content.len() + 1);
        let mut value: Option<u32> = None;
        for byte in content {
            if value.is_none() && *byte == 0x80 || value.is_some_and(|value| value >= 1 << 24) {
                return None;
            }
            let sum = value.unwrap_or_default() << 7 | u32::from(byte & 0x7f);
            value = Some(sum);
            if byte & 0x80 == 0 {
                if components.is_empty() {
                    let first = (sum / 40).min(2);
                    components.extend([first, sum - first * 40]);
                } else {
                    components.push(sum);
                }
                value = None;
            }
        }
        (value.is_none() && !components.is_empty()).then_some(Self(components))
    }

    pub(in crate::engine::builtins) fn is(&self, components: &[u32]) -> bool {
        self.0 == components
    }
}

/// A bit string.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine::builtins) struct Bits<'a> {
    pub(in crate::engine::builtins) bytes: &'a [u8],
    /// Unused bits of the last byte, 0 to 7.
    padding: u8,
}

impl<'a> Bits<'a> {
    pub(super) fn read(content: &'a [u8]) -> Option<Self> {
        let (padding, bytes) = content.split_first()?;
        let last = bytes.last();
        if *padding > 7 || *padding > 0 && last.is_none() {
            return None;
        }
        let unused = (1u8 << padding) - 1;
        last.is_none_or(|last| last & unused == 0).then_some(Self {
            bytes,
            padding: *padding,
        })
    }

    /// How many.
    pub(super) fn length(&self) -> usize {
        self.bytes.len() * 8 - usize::from(self.padding)
    }

    /// Whether the bit at the index, from the left, is there and set.
    pub(super) fn is_set(&self, index: usize) -> bool {
        let byte = self.bytes.get(index / 8).copied().unwrap_or_default();
        byte & (0x80 >> (index % 8)) != 0
    }

    /// The bytes with the padding moved to the front.
    pub(super) fn right_aligned(&self) -> Vec<u8> {
        let mut carry = 0;
        self.bytes
            .iter()
            .map(|byte| {
                let wide = u16::from_be_bytes([carry, *byte]) >> self.padding;
                carry = *byte;
                wide.to_be_bytes()[1]
            })
            .collect()
    }
}
