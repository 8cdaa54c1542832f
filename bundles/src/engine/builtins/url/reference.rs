//! Parses URLs and relative references as Go's `net/url` (1.26) does, which is neither RFC 3986 nor the
//! WHATWG's standard to the letter.

use std::net::Ipv6Addr;

use super::escape::{Part, escape, unescape};

/// What OPA shows of a reference; what is empty is not there.
pub(super) struct Reference {
    pub(super) scheme: String,
    pub(super) hostname: Vec<u8>,
    pub(super) port: Vec<u8>,
    pub(super) path: Vec<u8>,
    /// As written, unless writing the path anew gives the same.
    pub(super) raw_path: Option<String>,
    pub(super) raw_query: String,
    pub(super) fragment: Vec<u8>,
}

impl Reference {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return None;
        }
        let (scheme, rest) = scheme(text)?;
        // A question mark alone at the end asks nothing; cutting there gives the same.
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut reference = Self {
            scheme: scheme.to_ascii_lowercase(),
            hostname: Vec::new(),
            port: Vec::new(),
            path: Vec::new(),
            raw_path: None,
            raw_query: query.to_owned(),
            fragment: unescape(fragment.as_bytes(), Part::Fragment)?,
        };
        if !rest.starts_with('/') {
            if !scheme.is_empty() {
                return Some(reference); // Opaque, as in `mailto:`.
            }
            let first = rest.split('/').next().unwrap_or_default();
            if first.contains(':') {
                return None;
            }
        }
        let mut path = rest;
        if let Some(authority) = rest.strip_prefix("//")
            && (!scheme.is_empty() || !authority.starts_with('/'))
        {
            let end = authority.find('/').unwrap_or(authority.len());
            let (authority, after) = authority.split_at_checked(end)?;
            let host = host(&reference.scheme, without_user(authority)?)?;
            (reference.hostname, reference.port) = split_port(&host);
            path = after;
        }
        reference.path = unescape(path.as_bytes(), Part::Path)?;
        reference.raw_path = (escape(&reference.path, Part::Path) != path).then(|| path.to_owned());
        Some(reference)
    }
}

/// The scheme, empty if there is none, and the rest. A colon in front is an error.
fn scheme(text: &str) -> Option<(&str, &str)> {
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if index > 0 => {}
            b':' if index == 0 => return None,
            b':' => return text.split_once(':'),
            _ => break,
        }
    }
    Some(("", text))
}

/// The authority without its user, which must be sound.
fn without_user(authority: &str) -> Option<&str> {
    let Some((user, host)) = authority.rsplit_once('@') else {
        return Some(authority);
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    let sound = user.bytes().all(allowed) && unescape(user.as_bytes(), Part::User).is_some();
    sound.then_some(host)
}

/// The host with its port, unescaped.
fn host(scheme: &str, text: &str) -> Option<Vec<u8>> {
    match text.rfind('[') {
        Some(0) => return literal(text),
        Some(_) => return None,
        None => {}
    }
    if let Some(first) = text.find(':') {
        // Only the web's schemes are strict about several colons.
        let strict = matches!(scheme, "http" | "https");
        let colon = if strict { first } else { text.rfind(':')? };
        is_port(text.get(colon..)?.as_bytes()).then_some(())?;
    }
    unescape(text.as_bytes(), Part::Host)
}

/// An IPv6 address in brackets, perhaps with a zone, and a port.
fn literal(text: &str) -> Option<Vec<u8>> {
    let (inside, port) = text.strip_prefix('[')?.rsplit_once(']')?;
    is_port(port.as_bytes()).then_some(())?;
    let (address, zone) = inside.split_at_checked(inside.find("%25").unwrap_or(inside.len()))?;
    let mut name = unescape(address.as_bytes(), Part::Host)?;
    name.extend(unescape(zone.as_bytes(), Part::Zone)?);
    is_ipv6(&name).then_some(())?;
    Some([b"[".as_slice(), &name, b"]", port.as_bytes()].concat())
}

fn is_ipv6(name: &[u8]) -> bool {
    let mut parts = name.splitn(2, |byte| *byte == b'%');
    let address = parts.next().and_then(|address| std::str::from_utf8(address).ok());
    let zone_is_sound = parts.next().is_none_or(|zone| !zone.is_empty());
    zone_is_sound && address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// Nothing, or a colon and any number of digits.
fn is_port(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn split_port(host: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let colon = host.iter().rposition(|byte| *byte == b':');
    let split = colon.and_then(|colon| host.split_at_checked(colon));
    let (name, port) = split.filter(|(_, port)| is_port(port)).unwrap_or((host, b""));
    let bare = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]"));
    (
        bare.unwrap_or(name).to_vec(),
        port.get(1..).unwrap_or_default().to_vec(),
    )
}
