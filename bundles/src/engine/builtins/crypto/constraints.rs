//! Name constraints (RFC 5280, section 4.2.1.10), checked the way Go does: a set of them is sorted and
//! thinned out, and a name is held against the one neighbour that could cover it.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::certificate::Certificate;
use super::der::{Der, SEQUENCE, context};
use super::extensions::{AlternativeNames, SUBJECT_ALTERNATIVE_NAME, ascii};
use super::hostname::is_domain;
use super::mailbox::Mailbox;
use super::url::{Url, parse_address};

/// The constraints of one side, by kind.
#[derive(Debug, Default)]
pub(super) struct Constraints<'a> {
    pub(super) domains: Vec<&'a str>,
    pub(super) networks: Vec<Network<'a>>,
    pub(super) emails: Vec<&'a str>,
    pub(super) uri_domains: Vec<&'a str>,
}

/// An address and its mask, both of four bytes or both of sixteen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Network<'a> {
    pub(super) address: &'a [u8],
    pub(super) mask: &'a [u8],
}

impl<'a> Constraints<'a> {
    /// Also whether all are of a kind that is understood.
    pub(super) fn read(mut subtrees: Der<'a>) -> Option<(Self, bool)> {
        let mut constraints = Self::default();
        let mut understood = true;
        while !subtrees.is_empty() {
            let base = subtrees.nested(SEQUENCE)?.any()?;
            match base.tag ^ context(0) {
                1 => {
                    let email = ascii(base.content)?;
                    let sound = if email.contains('@') {
                        Mailbox::parse(email).is_some()
                    } else {
                        is_domain(base.content, true)
                    };
                    constraints.emails.push(sound.then_some(email)?);
                }
                2 => constraints.domains.push(domain(base.content)?),
                6 => {
                    let domain = domain(base.content)?;
                    let is_address = parse_address(domain).is_some_and(|(_, has_zone)| !has_zone);
                    constraints.uri_domains.push((!is_address).then_some(domain)?);
                }
                7 => constraints.networks.push(Network::read(base.content)?),
                _ => understood = false,
            }
        }
        Some((constraints, understood))
    }
}

fn domain(content: &[u8]) -> Option<&str> {
    ascii(content).filter(|_| is_domain(content, true))
}

impl<'a> Network<'a> {
    fn read(content: &'a [u8]) -> Option<Self> {
        let (address, mask) = content.split_at_checked(content.len() / 2)?;
        let mut zeros = mask.iter().skip_while(|byte| **byte == 0xff);
        let edge = zeros.next().copied().unwrap_or_default();
        let sound = edge.leading_ones() + edge.trailing_zeros() >= 8 && zeros.all(|byte| *byte == 0);
        (matches!(content.len(), 8 | 32) && sound).then_some(Self { address, mask })
    }

    /// IPv4 addresses written as IPv6 are taken for IPv4.
    fn contains(&self, address: &[u8]) -> bool {
        let (network, address) = (shortened(self.address), shortened(address));
        let skipped = self.address.len() - network.len();
        let mask = self.mask.get(skipped..).unwrap_or_default();
        let masked = |address: &[u8]| -> Vec<u8> { address.iter().zip(mask).map(|(byte, mask)| byte & mask).collect() };
        network.len() == address.len() && masked(network) == masked(address)
    }

    fn covers(&self, other: &Self) -> bool {
        let last: Vec<u8> = other
            .address
            .iter()
            .zip(other.mask)
            .map(|(byte, mask)| byte | !mask)
            .collect();
        self.contains(other.address) && self.contains(&last)
    }
}

fn shortened(address: &[u8]) -> &[u8] {
    const MAPPED: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    address
        .strip_prefix(MAPPED)
        .filter(|rest| rest.len() == 4)
        .unwrap_or(address)
}

/// Whether no certificate's names go against the constraints of one above it in the chain, which runs
/// from the leaf to the root.
pub(super) fn hold(chain: &[&Certificate<'_>]) -> bool {
    let mut constrained: Vec<(usize, Checks<'_>)> = Vec::new();
    for (index, certificate) in chain.iter().enumerate() {
        if let Some(constraints) = &certificate.extensions.constraints {
            constrained.push((index, Checks::new(&constraints.permitted, &constraints.excluded)));
        }
    }
    chain.iter().enumerate().all(|(index, certificate)| {
        let mut above = constrained.iter().filter(|(at, _)| *at > index).peekable();
        if above.peek().is_none() || certificate.extensions.find(&SUBJECT_ALTERNATIVE_NAME).is_none() {
            return true;
        }
        Names::of(&certificate.extensions.names).is_some_and(|names| above.all(|(_, checks)| checks.allow(&names)))
    })
}

/// The names of a certificate, as far as constraints speak of them.
struct Names<'a> {
    addresses: &'a [&'a [u8]],
    domains: &'a [&'a str],
    uri_domains: Vec<String>,
    emails: Vec<Mailbox>,
}

impl<'a> Names<'a> {
    /// Absent if one is of no form that could be checked.
    fn of(names: &'a AlternativeNames<'a>) -> Option<Self> {
        let uri_domains: Option<_> = names.urls.iter().map(uri_domain).collect();
        let emails: Option<_> = names.emails.iter().map(|email| Mailbox::parse(email)).collect();
        Some(Self {
            addresses: &names.addresses,
            domains: &names.dns,
            uri_domains: uri_domains?,
            emails: emails?,
        })
    }
}

/// The host without the port. There must be one, and it must be no address.
fn uri_domain(url: &Url) -> Option<String> {
    let host = str::from_utf8(&url.host).ok().filter(|host| !host.is_empty())?;
    let domain = match host.rsplit_once(':') {
        Some((domain, _)) => {
            let plain = !domain.contains([':', ']']) && !host.contains(']');
            plain.then_some(domain)?
        }
        None => host,
    };
    let is_address = host.starts_with('[') || parse_address(domain).is_some();
    (!is_address).then(|| domain.to_owned())
}

/// The constraints of one certificate, ready to be asked. What no constraint speaks of is allowed.
struct Checks<'a> {
    domains: [Option<Domains<'a>>; 2],
    uri_domains: [Option<Domains<'a>>; 2],
    emails: [Option<Emails<'a>>; 2],
    networks: [Option<[Vec<Network<'a>>; 2]>; 2],
}

impl<'a> Checks<'a> {
    fn new(permitted: &'a Constraints<'a>, excluded: &'a Constraints<'a>) -> Self {
        Self {
            domains: [
                Domains::new(&permitted.domains, true),
                Domains::new(&excluded.domains, false),
            ],
            uri_domains: [
                Domains::new(&permitted.uri_domains, true),
                Domains::new(&excluded.uri_domains, false),
            ],
            emails: [
                Emails::new(&permitted.emails, true),
                Emails::new(&excluded.emails, false),
            ],
            networks: [networks(&permitted.networks), networks(&excluded.networks)],
        }
    }

    fn allow(&self, names: &Names<'_>) -> bool {
        let domain = |checks: &[Option<Domains<'_>>; 2], name: &str| {
            is_domain(name.as_bytes(), false) && allowed(checks, |domains| domains.match_name(name))
        };
        names
            .addresses
            .iter()
            .all(|address| allowed(&self.networks, |networks| match_address(networks, address)))
            && names.domains.iter().all(|name| domain(&self.domains, name))
            && names.uri_domains.iter().all(|name| domain(&self.uri_domains, name))
            && names
                .emails
                .iter()
                .all(|email| allowed(&self.emails, |emails| emails.match_mailbox(email)))
    }
}

fn allowed<T>([permitted, excluded]: &[Option<T>; 2], matches: impl Fn(&T) -> bool) -> bool {
    permitted.as_ref().is_none_or(&matches) && !excluded.as_ref().is_some_and(&matches)
}

/// Sorted, and without what the one before covers.
fn thinned<T>(mut items: Vec<T>, order: fn(&T, &T) -> Ordering, covers: fn(&T, &T) -> bool) -> Vec<T> {
    items.sort_by(order);
    items.dedup_by(|item, kept| covers(kept, item));
    items
}

/// The one that a name could fall under: equal to it, or the last before it.
fn neighbour<T>(items: &[T], order: impl Fn(&T) -> Ordering) -> Option<(&T, bool)> {
    let at = items.partition_point(|item| order(item) == Ordering::Less);
    let equal = items.get(at).filter(|item| order(item) == Ordering::Equal);
    match equal {
        Some(item) => Some((item, true)),
        None => items.get(at.saturating_sub(1)).map(|item| (item, false)),
    }
}

/// Those of IPv4 and those of IPv6.
fn networks<'a>(all: &[Network<'a>]) -> Option<[Vec<Network<'a>>; 2]> {
    let of_length = |length: usize| {
        let some = all.iter().filter(|network| network.address.len() == length).copied();
        thinned(some.collect(), Network::cmp, Network::covers)
    };
    (!all.is_empty()).then(|| [of_length(4), of_length(16)])
}

fn match_address([four, sixteen]: &[Vec<Network<'_>>; 2], address: &[u8]) -> bool {
    let networks = if address.len() == 4 { four } else { sixteen };
    neighbour(networks, |network| network.address.cmp(address))
        .is_some_and(|(network, equal)| equal || network.contains(address))
}

/// Domains and everything below them; with a leading point, only what is below.
struct Domains<'a> {
    /// One of them is empty and covers every name.
    all: bool,
    sorted: Vec<&'a str>,
    /// What the excluded ones have behind their first label: a wildcard name could mean them.
    parents: BTreeSet<String>,
}

impl<'a> Domains<'a> {
    fn new(domains: &[&'a str], permitted: bool) -> Option<Self> {
        if domains.is_empty() {
            return None;
        }
        let all = domains.contains(&"");
        let sorted = if all {
            Vec::new()
        } else {
            thinned(domains.to_vec(), |a, b| compare(a, b), |a, b| is_suffix(a, b))
        };
        let lower = |name: &&str| name.to_ascii_lowercase();
        let parents = sorted.iter().map(lower).filter_map(|name| parent(&name)).collect();
        Some(Self {
            all,
            sorted,
            parents: if permitted { BTreeSet::new() } else { parents },
        })
    }

    fn match_name(&self, name: &str) -> bool {
        let found = neighbour(&self.sorted, |domain| compare(domain, name));
        let wildcard = || {
            name.starts_with('*') && parent(&name.to_ascii_lowercase()).is_some_and(|name| self.parents.contains(&name))
        };
        self.all || found.is_some_and(|(domain, equal)| equal || is_suffix(domain, name)) || wildcard()
    }
}

/// With the point.
fn parent(name: &str) -> Option<String> {
    name.find('.').and_then(|at| name.get(at..)).map(str::to_owned)
}

/// From the last character to the first, in lower case, points before all others.
fn compare(a: &str, b: &str) -> Ordering {
    let key = |byte: u8| if byte == b'.' { 0 } else { byte.to_ascii_lowercase() };
    a.bytes().rev().map(key).cmp(b.bytes().rev().map(key))
}

fn is_suffix(domain: &str, name: &str) -> bool {
    let Some(at) = name.len().checked_sub(domain.len()) else {
        return false;
    };
    let (before, end) = name.as_bytes().split_at(at);
    let at_label = domain.starts_with('.') || before.last().is_none_or(|byte| *byte == b'.');
    at_label && end.eq_ignore_ascii_case(domain.as_bytes())
}

/// Whole addresses, and domains.
struct Emails<'a> {
    mailboxes: BTreeSet<Mailbox>,
    domains: Option<Domains<'a>>,
}

impl<'a> Emails<'a> {
    fn new(emails: &[&'a str], permitted: bool) -> Option<Self> {
        let (whole, domains): (Vec<&str>, Vec<&str>) = emails.iter().partition(|email| email.contains('@'));
        (!emails.is_empty()).then(|| Self {
            mailboxes: whole.into_iter().filter_map(Mailbox::parse).collect(),
            domains: Domains::new(&domains, permitted),
        })
    }

    fn match_mailbox(&self, mailbox: &Mailbox) -> bool {
        let domains = self.domains.as_ref();
        self.mailboxes.contains(mailbox) || domains.is_some_and(|domains| domains.match_name(&mailbox.domain))
    }
}
