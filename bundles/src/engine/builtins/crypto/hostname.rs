//! Domain names, and whether a certificate is one for a host (`VerifyHostname` in `crypto/x509`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::extensions::AlternativeNames;
use super::url::parse_address;

/// Whether labels of visible ASCII, none empty, are all there is; a constraint may begin with a point,
/// and nothing at all is a domain, too.
pub(super) fn is_domain(name: &[u8], constraint: bool) -> bool {
    if name.is_empty() {
        return true;
    }
    let name = name.strip_prefix(b".").filter(|_| constraint).unwrap_or(name);
    let sound = |label: &[u8]| !label.is_empty() && label.iter().all(u8::is_ascii_graphic);
    name.split(|byte| *byte == b'.').all(sound)
}

/// Whether one of the names is the host's: an address, maybe in brackets, among the addresses, any
/// other name among the DNS names, whose first label may be `*`.
pub(super) fn covers(names: &AlternativeNames<'_>, host: &str) -> bool {
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let literal = literal.filter(|literal| !literal.is_empty()).unwrap_or(host);
    if let Some((address, false)) = parse_address(literal) {
        return names
            .addresses
            .iter()
            .any(|bytes| canonical(bytes) == Some(as_v6(address)));
    }
    let host = host.to_ascii_lowercase();
    let sound = is_host(host.strip_suffix('.').unwrap_or(&host), false);
    names.dns.iter().any(|name| {
        let name = name.to_ascii_lowercase();
        if sound && is_host(&name, true) {
            matches(&name, host.strip_suffix('.').unwrap_or(&host))
        } else {
            name == host && !matches!(host.as_str(), "" | ".")
        }
    })
}

fn canonical(bytes: &[u8]) -> Option<Ipv6Addr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).to_ipv6_mapped());
    }
    <[u8; 16]>::try_from(bytes).ok().map(Ipv6Addr::from)
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Labels of letters, digits, underscores and inner or last hyphens; of a pattern, the first may be `*`
/// if it is not the only one.
fn is_host(name: &str, pattern: bool) -> bool {
    let sound = |label: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        !label.is_empty() && !label.starts_with('-') && label.chars().all(allowed)
    };
    let rest = name.strip_prefix("*.").filter(|_| pattern).unwrap_or(name);
    rest.split('.').all(sound)
}

fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(pattern) => host.split_once('.').is_some_and(|(_, host)| host == pattern),
        None => host == pattern,
    }
}
