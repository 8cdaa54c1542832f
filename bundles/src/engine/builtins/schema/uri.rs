//! References between schemas: URLs as Go's `net/url` (1.26) reads, resolves and writes them, with its
//! words for what is wrong with one. Only about addresses in brackets it says no more than that they
//! are none.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::engine::quote::quote;

/// A URL or relative reference; what is empty is not there.
#[derive(Debug, Clone, Default)]
pub(super) struct Uri {
    pub(super) scheme: String,
    opaque: String,
    user: Option<String>,
    pub(super) host: Vec<u8>,
    omit_host: bool,
    pub(super) path: Escaped,
    force_query: bool,
    query: String,
    pub(super) fragment: Escaped,
}

/// A part with its escapes resolved, and as it was written.
#[derive(Debug, Clone, Default)]
pub(super) struct Escaped {
    pub(super) bytes: Vec<u8>,
    /// How the URL is written anew.
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    User,
    Host,
    Zone,
    Path,
    Fragment,
}

impl Uri {
    /// The error is the text of Go's.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
        let error = |whole: &str, reason| format!("parse {}: {reason}", quote(whole, false));
        let mut uri = Self::parse_before_fragment(before).map_err(|reason| error(before, reason))?;
        uri.fragment = Escaped::read(fragment, Part::Fragment).map_err(|reason| error(text, reason))?;
        Ok(uri)
    }

    fn parse_before_fragment(text: &str) -> Result<Self, String> {
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let (scheme, rest) = split_scheme(text)?;
        let mut uri = Self {
            scheme: scheme.to_ascii_lowercase(),
            ..Self::default()
        };
        let (mut path, query) = rest.split_once('?').unwrap_or((rest, ""));
        query.clone_into(&mut uri.query);
        uri.force_query = query.is_empty() && rest.ends_with('?');
        if !path.starts_with('/') {
            if !scheme.is_empty() {
                path.clone_into(&mut uri.opaque);
                return Ok(uri);
            }
            if path.split('/').next().is_some_and(|first| first.contains(':')) {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let authority = path
            .strip_prefix("//")
            .filter(|rest| !scheme.is_empty() || !rest.starts_with('/'));
        if let Some(authority) = authority {
            let end = authority.find('/').unwrap_or(authority.len());
            let (authority, rest) = authority.split_at_checked(end).unwrap_or((authority, ""));
            uri.read_authority(authority)?;
            path = rest;
        } else {
            uri.omit_host = !scheme.is_empty() && path.starts_with('/');
        }
        uri.path = Escaped::read(path, Part::Path)?;
        Ok(uri)
    }

    fn read_authority(&mut self, authority: &str) -> Result<(), String> {
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        self.host = read_host(&self.scheme, host)?;
        let Some(user) = user else { return Ok(()) };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
        if !user.bytes().all(allowed) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let parts: Result<Vec<String>, String> = user
            .splitn(2, ':')
            .map(|part| Ok(escape(&unescape(part, Part::User)?, Part::User)))
            .collect();
        self.user = Some(parts?.join(":"));
        Ok(())
    }

    pub(super) fn is_absolute(&self) -> bool {
        !self.scheme.is_empty() && !self.host.is_empty()
    }

    /// What a reference means inside a document with this one (RFC 3986, section 5.2, as in Go). A
    /// fragment is never inherited.
    pub(super) fn resolve(&self, reference: &Self) -> Self {
        let mut uri = reference.clone();
        if reference.scheme.is_empty() {
            uri.scheme.clone_from(&self.scheme);
        }
        if !reference.scheme.is_empty() || !reference.host.is_empty() || reference.user.is_some() {
            uri.set_path(&resolve_path(reference.written_path(), ""));
            return uri;
        }
        if !reference.opaque.is_empty() {
            uri.path = Escaped::default();
            return uri;
        }
        let has_path = !reference.path.bytes.is_empty();
        if !has_path && !reference.force_query && reference.query.is_empty() {
            uri.query.clone_from(&self.query);
        }
        if !has_path && !self.opaque.is_empty() {
            uri.opaque.clone_from(&self.opaque);
            uri.path = Escaped::default();
            return uri;
        }
        uri.host.clone_from(&self.host);
        uri.user.clone_from(&self.user);
        uri.set_path(&resolve_path(self.written_path(), reference.written_path()));
        uri
    }

    fn written_path(&self) -> &str {
        &self.path.text
    }

    /// What was written once can be read.
    fn set_path(&mut self, path: &str) {
        self.path = Escaped::read(path, Part::Path).unwrap_or_default();
    }

    pub(super) fn without_fragment(&self) -> Self {
        Self {
            fragment: Escaped::default(),
            ..self.clone()
        }
    }
}

impl std::fmt::Display for Uri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        if !self.scheme.is_empty() {
            text.push_str(&self.scheme);
            text.push(':');
        }
        if self.opaque.is_empty() {
            let has_authority = !self.host.is_empty() || self.user.is_some();
            let shown = !self.omit_host && !self.path.bytes.is_empty() && !self.scheme.is_empty();
            if has_authority || shown {
                text.push_str("//");
            }
            if let Some(user) = &self.user {
                text.push_str(user);
                text.push('@');
            }
            text.push_str(&escape(&self.host, Part::Host));
            let path = self.written_path();
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                text.push('/');
            }
            if text.is_empty() && path.split('/').next().is_some_and(|first| first.contains(':')) {
                text.push_str("./");
            }
            text.push_str(path);
        } else {
            text.push_str(&self.opaque);
        }
        if self.force_query || !self.query.is_empty() {
            text.push('?');
            text.push_str(&self.query);
        }
        if !self.fragment.bytes.is_empty() {
            text.push('#');
            text.push_str(&self.fragment.text);
        }
        f.write_str(&text)
    }
}

impl Escaped {
    /// Written anew as it was, unless that has characters which do not belong there.
    fn read(text: &str, part: Part) -> Result<Self, String> {
        let bytes = unescape(text, part)?;
        let is_sound = |byte: u8| b"!$&'()*+,;=:@[]%".contains(&byte) || is_plain(byte, part);
        let text = if text == "*" || text.bytes().all(is_sound) {
            text.to_owned()
        } else {
            escape(&bytes, part)
        };
        Ok(Self { bytes, text })
    }
}

/// The scheme, empty if there is none, and the rest.
fn split_scheme(text: &str) -> Result<(&str, &str), String> {
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if index > 0 => {}
            b':' if index == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok(text.split_once(':').unwrap_or(("", text))),
            _ => break,
        }
    }
    Ok(("", text))
}

fn read_host(scheme: &str, text: &str) -> Result<Vec<u8>, String> {
    match text.rfind('[') {
        Some(0) => return read_literal(text),
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {}
    }
    // Only the web's schemes are strict about several colons.
    let strict = matches!(scheme, "http" | "https");
    let colon = if strict { text.find(':') } else { text.rfind(':') };
    check_port(colon.and_then(|colon| text.get(colon..)).unwrap_or_default())?;
    unescape(text, Part::Host)
}

/// An IPv6 address in brackets, perhaps with a zone, and a port.
fn read_literal(text: &str) -> Result<Vec<u8>, String> {
    let inside = text.get(1..).and_then(|text| text.rsplit_once(']'));
    let (inside, port) = inside.ok_or("missing ']' in host")?;
    check_port(port)?;
    let zone_at = inside.find("%25").unwrap_or(inside.len());
    let (address, zone) = inside.split_at_checked(zone_at).unwrap_or((inside, ""));
    let mut name = unescape(address, Part::Host)?;
    name.extend(unescape(zone, Part::Zone)?);
    let shown = String::from_utf8_lossy(&name).into_owned();
    let (address, zone) = match shown.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (shown.as_str(), None),
    };
    if zone.is_none() && address.parse::<Ipv4Addr>().is_ok() {
        return Err("invalid IP-literal".to_owned());
    }
    if zone == Some("") || address.parse::<Ipv6Addr>().is_err() {
        return Err(format!(
            "invalid host: ParseAddr({}): unable to parse IP",
            quote(&shown, false)
        ));
    }
    Ok([b"[".as_slice(), &name, b"]", port.as_bytes()].concat())
}

fn check_port(port: &str) -> Result<(), String> {
    let digits = port.strip_prefix(':').unwrap_or(port);
    let is_port = port.is_empty() || (port.starts_with(':') && digits.bytes().all(|byte| byte.is_ascii_digit()));
    is_port
        .then_some(())
        .ok_or_else(|| format!("invalid port {} after host", quote(port, false)))
}

fn resolve_path(base: &str, reference: &str) -> String {
    let full = if reference.is_empty() {
        base.to_owned()
    } else if reference.starts_with('/') {
        reference.to_owned()
    } else {
        let directory = base.rfind('/').and_then(|at| base.get(..=at));
        format!("{}{reference}", directory.unwrap_or_default())
    };
    if full.is_empty() {
        return full;
    }
    let mut path = String::from("/");
    let mut is_first = true;
    for segment in full.split('/') {
        match segment {
            "." => is_first = false,
            ".." => {
                let end = path.get(1..).and_then(|rest| rest.rfind('/')).map_or(1, |at| at + 1);
                path.truncate(end);
                is_first = path.len() == 1;
            }
            _ => {
                if !is_first {
                    path.push('/');
                }
                path.push_str(segment);
                is_first = false;
            }
        }
    }
    if full.ends_with("/.") || full.ends_with("/..") || matches!(full.as_str(), "." | "..") {
        path.push('/');
    }
    match path.strip_prefix('/') {
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        _ => path,
    }
}

/// Whether the byte stands for itself in this part.
fn is_plain(byte: u8, part: Part) -> bool {
    let in_host = matches!(part, Part::Host | Part::Zone);
    match byte {
        b'a'..=b'z'
        | b'A'..=b'Z'
        | b'0'..=b'9'
        | b'-'
        | b'_'
        | b'.'
        | b'~'
        | b'$'
        | b'&'
        | b'+'
        | b','
        | b';'
        | b'=' => true,
        b':' => part != Part::User,
        b'/' | b'@' => matches!(part, Part::Path | Part::Fragment),
        b'?' => part == Part::Fragment,
        b'!' | b'(' | b')' | b'*' => in_host || part == Part::Fragment,
        b'\'' | b'[' | b']' | b'<' | b'>' | b'"' => in_host,
        _ => false,
    }
}

fn escape(bytes: &[u8], part: Part) -> String {
    bytes
        .iter()
        .map(|byte| {
            if is_plain(*byte, part) {
                char::from(*byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

fn unescape(text: &str, part: Part) -> Result<Vec<u8>, String> {
    let in_host = matches!(part, Part::Host | Part::Zone);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        if *first != b'%' {
            if in_host && first.is_ascii() && !is_plain(*first, part) {
                let shown = char::from(*first).to_string();
                return Err(format!("invalid character {} in host name", quote(&shown, false)));
            }
            bytes.push(*first);
            rest = after;
            continue;
        }
        let bad = |shown: &[u8]| Err(format!("invalid URL escape {}", quote_bytes(shown)));
        let [high, low, after @ ..] = after else {
            return bad(rest);
        };
        let digits = (char::from(*high).to_digit(16), char::from(*low).to_digit(16));
        let shown = rest.get(..3).unwrap_or(rest);
        let (Some(high), Some(low)) = digits else {
            return bad(shown);
        };
        let byte = u8::try_from(high << 4 | low).unwrap_or_default();
        let allowed = match part {
            Part::Host => !byte.is_ascii() || byte == b'%',
            Part::Zone => matches!(byte, b'%' | b' ') || is_plain(byte, Part::Host),
            _ => true,
        };
        if !allowed {
            return bad(shown);
        }
        bytes.push(byte);
        rest = after;
    }
    Ok(bytes)
}

/// As [`quote`], for what may be cut out of the middle of a character.
fn quote_bytes(bytes: &[u8]) -> String {
    let mut quoted = String::from('"');
    for chunk in bytes.utf8_chunks() {
        let valid = quote(chunk.valid(), false);
        quoted.push_str(valid.get(1..valid.len() - 1).unwrap_or_default());
        quoted.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    quoted.push('"');
    quoted
}
