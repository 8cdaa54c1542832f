//! URLs as Go's `net/url` splits and joins them; what goes in is ASCII.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};

use super::json;
use crate::engine::term::Term;

/// The parts of a URL, of which Go decodes some.
#[derive(Debug, Default)]
pub(super) struct Url {
    scheme: String,
    opaque: String,
    /// The name and the password.
    user: Option<(Vec<u8>, Option<Vec<u8>>)>,
    /// With the port.
    pub(super) host: Vec<u8>,
    path: Vec<u8>,
    /// As it was, if encoding the path does not give it back.
    raw_path: String,
    fragment: Vec<u8>,
    raw_fragment: String,
    query: String,
    /// A `?` with nothing behind it.
    force_query: bool,
    /// A path behind a scheme with no `//` between them.
    omit_host: bool,
}

/// Which part a character stands in.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    User,
    Host,
    /// Of an IPv6 address.
    Zone,
    Path,
    Fragment,
}

impl Url {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return None;
        }
        let mut url = if text == "*" {
            Self {
                path: b"*".to_vec(),
                ..Self::default()
            }
        } else {
            Self::without_fragment(text)?
        };
        if !fragment.is_empty() {
            url.fragment = unescape(fragment, Part::Fragment)?;
            if escape(&url.fragment, Part::Fragment) != fragment {
                fragment.clone_into(&mut url.raw_fragment);
            }
        }
        Some(url)
    }

    fn without_fragment(text: &str) -> Option<Self> {
        let (scheme, mut rest) = split_scheme(text)?;
        let mut url = Self {
            scheme: scheme.to_ascii_lowercase(),
            ..Self::default()
        };
        if let Some(before) = rest.strip_suffix('?').filter(|before| !before.contains('?')) {
            url.force_query = true;
            rest = before;
        } else if let Some((before, query)) = rest.split_once('?') {
            query.clone_into(&mut url.query);
            rest = before;
        }
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                rest.clone_into(&mut url.opaque);
                return Some(url);
            }
            if first_segment(rest).contains(':') {
                return None;
            }
        }
        let has_authority = !url.scheme.is_empty() || !rest.starts_with("///");
        if let Some(authority) = rest.strip_prefix("//").filter(|_| has_authority) {
            let at = authority.find('/').unwrap_or(authority.len());
            let (authority, path) = authority.split_at(at);
            url.set_authority(authority)?;
            rest = path;
        } else if !url.scheme.is_empty() && rest.starts_with('/') {
            url.omit_host = true;
        }
        url.path = unescape(rest, Part::Path)?;
        if escape(&url.path, Part::Path) != rest {
            rest.clone_into(&mut url.raw_path);
        }
        Some(url)
    }

    fn set_authority(&mut self, authority: &str) -> Option<()> {
        let Some((user, host)) = authority.rsplit_once('@') else {
            self.host = parse_host(&self.scheme, authority)?;
            return Some(());
        };
        self.host = parse_host(&self.scheme, host)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
        if !user.bytes().all(allowed) {
            return None;
        }
        self.user = Some(match user.split_once(':') {
            Some((name, password)) => (unescape(name, Part::User)?, Some(unescape(password, Part::User)?)),
            None => (unescape(user, Part::User)?, None),
        });
        Some(())
    }

    /// The fields that Go exports. Nothing of a user is.
    pub(super) fn to_term(&self) -> Term {
        let user = if self.user.is_some() {
            json::object([])
        } else {
            Term::Null
        };
        let text = |text: &str| Term::String(text.to_owned());
        json::object([
            ("Scheme", text(&self.scheme)),
            ("Opaque", text(&self.opaque)),
            ("User", user),
            ("Host", json::text(&self.host)),
            ("Path", json::text(&self.path)),
            ("Fragment", json::text(&self.fragment)),
            ("RawQuery", text(&self.query)),
            ("RawPath", text(&self.raw_path)),
            ("RawFragment", text(&self.raw_fragment)),
            ("ForceQuery", Term::Boolean(self.force_query)),
            ("OmitHost", Term::Boolean(self.omit_host)),
        ])
    }

    fn write_authority(&self, text: &mut String) {
        if self.omit_host && self.host.is_empty() && self.user.is_none() {
            return;
        }
        if !self.host.is_empty() || !self.path.is_empty() || self.user.is_some() {
            text.push_str("//");
        }
        if let Some((name, password)) = &self.user {
            text.push_str(&escape(name, Part::User));
            if let Some(password) = password {
                text.push(':');
                text.push_str(&escape(password, Part::User));
            }
            text.push('@');
        }
        text.push_str(&escape(&self.host, Part::Host));
    }
}

/// The URL put together again, encoded anew where it was not well encoded.
impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        if !self.scheme.is_empty() {
            text.push_str(&self.scheme);
            text.push(':');
        }
        if self.opaque.is_empty() {
            if !self.scheme.is_empty() || !self.host.is_empty() || self.user.is_some() {
                self.write_authority(&mut text);
            }
            let path = if self.path == b"*" && self.raw_path.is_empty() {
                "*".to_owned()
            } else {
                encoded(&self.path, &self.raw_path, Part::Path)
            };
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                text.push('/');
            }
            if text.is_empty() && first_segment(&path).contains(':') {
                text.push_str("./");
            }
            text.push_str(&path);
        } else {
            text.push_str(&self.opaque);
        }
        if self.force_query || !self.query.is_empty() {
            text.push('?');
            text.push_str(&self.query);
        }
        if !self.fragment.is_empty() {
            text.push('#');
            text.push_str(&encoded(&self.fragment, &self.raw_fragment, Part::Fragment));
        }
        f.write_str(&text)
    }
}

/// An IP address as Go's `netip.ParseAddr` reads it, and whether it has a zone.
pub(super) fn parse_address(text: &str) -> Option<(IpAddr, bool)> {
    match text.split_once('%') {
        None => Some((text.parse().ok()?, false)),
        Some((_, "")) => None,
        Some((address, _)) => Some((address.parse::<Ipv6Addr>().ok()?.into(), true)),
    }
}

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at > 0 => return text.split_once(':'),
            ':' => return None,
            _ => break,
        }
    }
    Some(("", text))
}

fn first_segment(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

/// Decodes and checks `host[:port]`.
fn parse_host(scheme: &str, host: &str) -> Option<Vec<u8>> {
    match host.rfind('[') {
        Some(0) => return parse_literal(host),
        Some(_) => return None,
        None => {}
    }
    let web = scheme == "http" || scheme == "https";
    let colon = if web { host.find(':') } else { host.rfind(':') };
    let port = colon.and_then(|at| host.get(at + 1..)).unwrap_or_default();
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    unescape(host, Part::Host)
}

/// The same for an IPv6 address in brackets.
fn parse_literal(host: &str) -> Option<Vec<u8>> {
    let (address, port) = host.strip_prefix('[')?.rsplit_once(']')?;
    let digits = port.strip_prefix(':').unwrap_or_default();
    let sound = port.is_empty() || port.starts_with(':');
    if !sound || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (address, zone) = address.split_at(address.find("%25").unwrap_or(address.len()));
    let mut literal = unescape(address, Part::Host)?;
    literal.extend(unescape(zone, Part::Zone)?);
    let (parsed, _) = parse_address(str::from_utf8(&literal).ok()?)?;
    parsed.is_ipv6().then(|| {
        let mut host = vec![b'['];
        host.extend(literal);
        host.push(b']');
        host.extend(port.bytes());
        host
    })
}

fn unescape(text: &str, part: Part) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            let in_host = matches!(part, Part::Host | Part::Zone);
            if in_host && byte.is_ascii() && !is_plain(byte, part) {
                return None;
            }
            decoded.push(byte);
            continue;
        }
        let value = hex(bytes.next()?)? << 4 | hex(bytes.next()?)?;
        // Hosts cannot hide ASCII, except for the sign itself before a zone; zones may, and blanks too.
        let allowed = match part {
            Part::Host => value >= 0x80 || value == b'%',
            Part::Zone => value == b'%' || value == b' ' || is_plain(value, Part::Host),
            _ => true,
        };
        if !allowed {
            return None;
        }
        decoded.push(value);
    }
    Some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16)?.try_into().ok()
}

fn escape(bytes: &[u8], part: Part) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if is_plain(*byte, part) {
            text.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The encoded form that was given if it is one, otherwise Go's.
fn encoded(decoded: &[u8], raw: &str, part: Part) -> String {
    let sound = |byte: u8| b"!$&'()*+,;=:@[]%".contains(&byte) || is_plain(byte, part);
    if !raw.is_empty() && raw.bytes().all(sound) && unescape(raw, part).is_some_and(|bytes| bytes == decoded) {
        return raw.to_owned();
    }
    escape(decoded, part)
}

/// Whether the character need not be encoded in this part.
fn is_plain(byte: u8, part: Part) -> bool {
    byte.is_ascii_alphanumeric()
        || b"-_.~".contains(&byte)
        || match part {
            Part::Host | Part::Zone => b"!$&'()*+,;=:[]<>\"".contains(&byte),
            Part::Path => b"$&+,/:;=@".contains(&byte),
            Part::User => b"$&+,;=".contains(&byte),
            Part::Fragment => b"$&+,/:;=?@!()*".contains(&byte),
        }
}
