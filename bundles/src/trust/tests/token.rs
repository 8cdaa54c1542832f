//! Where in a timestamp a bit lies: some parts of it nobody signs.

use std::fmt::Write as _;

/// The part of a timestamp in which two differ, for the parts that nobody signs; else where that is.
pub(super) fn flipped(token: &[u8], other: &[u8]) -> String {
    let offset = token.iter().zip(other).position(|(a, b)| a != b).unwrap();
    let place = place_in(token, offset);
    let known = PARTS.iter().find(|(prefix, _)| place.starts_with(prefix));
    known.map_or(place.clone(), |(_, part)| (*part).to_owned())
}

/// The tags, in hex, of the DER values around an offset, from the outermost on, each with its place among its siblings;
/// `#` at the end where it is tag or length.
fn place_in(der: &[u8], offset: usize) -> String {
    let (mut at, mut end, mut place, mut index) = (0, der.len(), String::new(), 0);
    while at < end {
        let (tag, first) = (der[at], usize::from(der[at + 1]));
        let (length, header) = match first.checked_sub(0x80) {
            None => (first, 2),
            Some(bytes) => {
                let length = der[at + 2..at + 2 + bytes]
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                (length, 2 + bytes)
            }
        };
        let after = at + header + length;
        if offset >= after {
            (at, index) = (after, index + 1);
            continue;
        }
        write!(place, "/{tag:02x}.{index}").unwrap();
        if offset < at + header {
            return place + "#";
        }
        if tag & 0x20 == 0 {
            break;
        }
        (at, end, index) = (at + header, after, 0);
    }
    place + "/"
}

/// The parts of a timestamp (RFC 3161, 2.4.2; RFC 5652, 5.1 and 5.3) that nobody signs.
const PARTS: [(&str, &str); 10] = [
    ("/30.0/30.0/02.0/", "status"),
    ("/30.0/30.1/a0.1/30.0/02.0/", "version"),
    ("/30.0/30.1/a0.1/30.0/31.1/", "digestAlgorithms"),
    ("/30.0/30.1/a0.1/30.0/30.2/a0.1/04.0#", "tag of the content"),
    ("/30.0/30.1/a0.1/30.0/a0.3/", "certificates"),
    ("/30.0/30.1/a0.1/30.0/a0.3#", "certificates"),
    ("/30.0/30.1/a0.1/30.0/31.3/30.0/02.0/", "version"),
    ("/30.0/30.1/a0.1/30.0/31.4/30.0/02.0/", "version"),
    ("/30.0/30.1/a0.1/30.0/31.3/30.0/30.4/", "signatureAlgorithm"),
    ("/30.0/30.1/a0.1/30.0/31.4/30.0/30.4/", "signatureAlgorithm"),
];
