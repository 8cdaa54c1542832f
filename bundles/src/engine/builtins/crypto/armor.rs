//! Base64 and PEM as Go reads them (`encoding/base64`, `encoding/pem`).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding is needed, the unused bits of the last character may be anything.
const STANDARD: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// How every block begins.
pub(super) const BEGIN: &[u8] = b"-----BEGIN ";
/// Its last line, with the line break before it.
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";

/// One PEM block. Its headers are nobody's business here.
pub(in crate::engine::builtins) struct Block<'a> {
    /// What it holds, as `CERTIFICATE`.
    pub(in crate::engine::builtins) kind: &'a [u8],
    pub(in crate::engine::builtins) bytes: Vec<u8>,
}

/// The bytes of standard base64; line breaks count nowhere.
pub(in crate::engine::builtins) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let characters: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    STANDARD.decode(characters).ok()
}

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The next block that is whole, and what follows it. Blocks that are not are skipped.
pub(in crate::engine::builtins) fn next_block(data: &[u8]) -> Option<(Block<'_>, &[u8])> {
    let mut rest = data;
    loop {
        let end = find(rest, END)?;
        let after = rest.get(end + END.len()..)?;
        match block(rest, end) {
            Candidate::Block(block, rest) => return Some((block, rest)),
            Candidate::Skipped => rest = after,
            Candidate::Ended => return None,
        }
    }
}

enum Candidate<'a> {
    Block(Block<'a>, &'a [u8]),
    /// Not a block; there may be one further on.
    Skipped,
    /// Not a block, and Go looks no further.
    Ended,
}

/// Reads the block whose last line begins, with the line break before it, at `end`.
fn block(text: &[u8], end: usize) -> Candidate<'_> {
    let begin = text.get(..end).and_then(|before| rfind(before, BEGIN));
    let Some(begin) = begin else {
        return Candidate::Skipped;
    };
    if begin > 0 && text.get(begin - 1) != Some(&b'\n') {
        return Candidate::Skipped;
    }
    let mut at = begin + BEGIN.len();
    let (line, length) = first_line(text.get(at..).unwrap_or_default());
    at += length;
    let Some(kind) = line.strip_suffix(DASHES) else {
        return Candidate::Skipped;
    };
    let body = at;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Candidate::Ended;
        }
        let (line, length) = first_line(rest);
        if !line.contains(&b':') {
            break;
        }
        at += length;
    }
    // Without a body the break after the first line, or the last header, is the one before the end. Of
    // these two only the former is allowed; headers that run past the end leave nothing to look at.
    if at > body && at > end {
        let past = at > end + END.len();
        return if past { Candidate::Ended } else { Candidate::Skipped };
    }
    let after = text.get(end + END.len()..).unwrap_or_default();
    let closed = after.strip_prefix(kind).and_then(|after| after.strip_prefix(DASHES));
    if !closed.is_some_and(|after| first_line(after).0.is_empty()) {
        return Candidate::Skipped;
    }
    let characters: Vec<u8> = text
        .get(at..end)
        .unwrap_or_default()
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b' ' | b'\t'))
        .collect();
    let Some(bytes) = decode(&characters) else {
        return Candidate::Skipped;
    };
    let last = text.get(end + 1..).unwrap_or_default();
    let rest = last.get(first_line(last).1..).unwrap_or_default();
    Candidate::Block(Block { kind, bytes }, rest)
}

/// The first line without its end and the blanks before it, and its length with them.
fn first_line(text: &[u8]) -> (&[u8], usize) {
    let (line, length) = match text.iter().position(|byte| *byte == b'\n') {
        Some(at) => {
            let line = text.get(..at).unwrap_or_default();
            (line.strip_suffix(b"\r").unwrap_or(line), at + 1)
        }
        None => (text, text.len()),
    };
    let blanks = line
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    (line.get(..line.len() - blanks).unwrap_or_default(), length)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn rfind(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).rposition(|window| window == what)
}
