//! Mail addresses in certificates (RFC 2821, section 4.1.2, as Go reads it).

use super::hostname::is_domain;

/// An address, its local part without quotes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mailbox {
    local: Vec<u8>,
    /// In lower case.
    pub(super) domain: String,
}

impl Mailbox {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (local, rest) = match text.as_bytes().strip_prefix(b"\"") {
            Some(quoted) => quoted_string(quoted)?,
            None => atoms(text.as_bytes())?,
        };
        let domain = rest.strip_prefix(b"@").filter(|domain| is_domain(domain, false))?;
        let domain = str::from_utf8(domain).ok()?.to_ascii_lowercase();
        Some(Self { local, domain })
    }
}

/// What is before the closing quote, and what is behind it.
fn quoted_string(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut local = Vec::new();
    let mut bytes = text.iter();
    loop {
        match bytes.next()? {
            b'"' => return Some((local, bytes.as_slice())),
            b'\\' => {
                let byte = bytes.next()?;
                let allowed = matches!(byte, 1..=9 | 11 | 12 | 14..=127);
                local.push(*byte);
                allowed.then_some(())?;
            }
            byte @ (1..=8 | 11 | 12 | 14..=33 | 35..=91 | 93..=127) => local.push(*byte),
            _ => return None,
        }
    }
}

/// Characters that need no quotes; points stand alone and inside. A backslash takes anything.
fn atoms(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut local = Vec::new();
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let (byte, after) = if *byte == b'\\' {
            after.split_first()?
        } else if byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(byte) {
            (byte, after)
        } else {
            break;
        };
        local.push(*byte);
        rest = after;
    }
    let sound = local.split(|byte| *byte == b'.').all(|atom| !atom.is_empty());
    sound.then_some((local, rest))
}
