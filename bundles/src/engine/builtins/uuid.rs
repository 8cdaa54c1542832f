//! `uuid.parse` and `uuid.rfc4122` (`v1/topdown/uuid.go`, `github.com/google/uuid` 1.6).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::encodings::hex_byte;
use super::{Builtin, Context, Failure, builtin, string};
use crate::engine::term::Term;

pub(super) const TABLE: &[Builtin] = &[builtin("uuid.parse", 1, parse), builtin("uuid.rfc4122", 1, rfc4122)];

/// From 15 October 1582, where the time in a UUID begins, to 1970, in units of 100 ns.
const EPOCH: i64 = 122_192_928_000_000_000;

/// A UUID in the shape of version 4 for any key.
///
/// In OPA it is random, and the same for the same key within one query. Here it is a digest of the
/// instant of the decision and the key, so that the same input gives the same verdict again.
fn rfc4122(context: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let key = arguments.first().ok_or(Failure::Undefined)?;
    let seed = format!("{} {}", context.now.as_nanosecond(), key.to_rego());
    let mut bytes: [u8; 16] = *Sha256::digest(seed).first_chunk().ok_or(Failure::Undefined)?;
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(Term::String(text))
}

/// What the bits say: version and variant, and for the versions 1 and 2 time and place too.
fn parse(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let bytes = read(string(arguments, 0)?.as_bytes()).ok_or(Failure::Undefined)?;
    let [t0, t1, t2, t3, t4, t5, t6, t7, clock, clock_low, node @ ..] = bytes;
    let version = t6 >> 4;
    let mut fields = BTreeMap::new();
    let mut set = |name: &str, value: Term| fields.insert(Term::String(name.to_owned()), value);
    set("version", number(version.into()));
    set("variant", Term::String(variant(clock).to_owned()));
    if matches!(version, 1 | 2) {
        let time = i64::from_be_bytes([t6 & 0x0f, t7, t4, t5, t0, t1, t2, t3]);
        // OPA's multiplication runs over for times beyond the year 2262.
        set("time", number((time - EPOCH).wrapping_mul(100)));
        set("nodeid", Term::String(node.map(|byte| format!("{byte:02x}")).join("-")));
        set("macvariables", Term::String(address_kind(node).to_owned()));
        set(
            "clocksequence",
            number((i64::from(clock) << 8 | i64::from(clock_low)) & 0x3fff),
        );
    }
    if version == 2 {
        set("id", number(u32::from_be_bytes([t0, t1, t2, t3]).into()));
        let domain = match clock_low {
            0 => "Person".to_owned(),
            1 => "Group".to_owned(),
            2 => "Org".to_owned(),
            other => format!("Domain{other}"),
        };
        set("domain", Term::String(domain));
    }
    Ok(Term::Object(fields))
}

fn number(value: i64) -> Term {
    Term::Number(value.into())
}

/// 36 characters with hyphens, perhaps behind `urn:uuid:` or between any two characters, or 32 digits.
fn read(text: &[u8]) -> Option<[u8; 16]> {
    let digits: Vec<u8> = match text.len() {
        32 => text.to_vec(),
        36 => hyphenated(text)?,
        38 => hyphenated(text.get(1..37)?)?,
        45 if text.get(..9)?.eq_ignore_ascii_case(b"urn:uuid:") => hyphenated(text.get(9..)?)?,
        _ => return None,
    };
    let bytes: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| hex_byte(*pair.first()?, *pair.get(1)?))
        .collect();
    bytes?.try_into().ok()
}

/// The digits between the hyphens, which must be in their places.
fn hyphenated(text: &[u8]) -> Option<Vec<u8>> {
    let is_place = |index: usize| matches!(index, 8 | 13 | 18 | 23);
    let (hyphens, digits): (Vec<_>, Vec<_>) = text.iter().enumerate().partition(|(index, _)| is_place(*index));
    let sound = hyphens.iter().all(|(_, byte)| **byte == b'-');
    sound.then(|| digits.into_iter().map(|(_, byte)| *byte).collect())
}

fn variant(byte: u8) -> &'static str {
    match byte >> 5 {
        0b100 | 0b101 => "RFC4122",
        0b110 => "Microsoft",
        0b111 => "Future",
        _ => "Reserved",
    }
}

/// What the first bits of a MAC address say.
fn address_kind(node: [u8; 6]) -> &'static str {
    match node {
        [first, ..] if first & 0b11 == 0b11 => "local:multicast",
        [first, ..] if first & 0b01 == 0b01 => "global:multicast",
        [first, ..] if first & 0b10 == 0b10 => "local:unicast",
        _ => "global:unicast",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(now: &str, key: &str) -> String {
        let context = Context {
            now: now.parse().unwrap(),
            regex_bytes: 0,
        };
        match rfc4122(&context, &[Term::String(key.to_owned())]) {
            Ok(Term::String(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn derives_a_uuid_from_instant_and_key() {
        let (one, other) = ("2026-11-21T14:00:00Z", "2026-11-21T14:00:00.000000001Z");
        let uuid = derived(one, "a");
        assert_eq!(uuid, derived(one, "a"));
        assert_ne!(uuid, derived(one, "b"));
        assert_ne!(uuid, derived(other, "a"));
        let bytes = read(uuid.as_bytes()).unwrap();
        assert_eq!((bytes[6] >> 4, variant(bytes[8])), (4, "RFC4122"));
    }
}
