//! `net.cidr_is_valid`, `net.cidr_expand`, `net.cidr_contains_matches` and `net.cidr_merge`
//! (`v1/topdown/cidr.go`).
//!
//! As in Go's `net`, an IPv4 address written inside an IPv6 one (`::ffff:1.2.3.4`) is the IPv4 address,
//! and printed as that.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Builtin, Context, Failure, builtin, string};
use crate::engine::term::Term;

/// Addresses that one call lists; OPA has no bound.
const MAX_ADDRESSES: u128 = 1 << 16;
/// Pairs that one call compares.
const MAX_PAIRS: usize = 1 << 22;
/// The size of all matches together, in bytes.
const MAX_MATCHES: usize = 16 * 1024 * 1024;

pub(super) const TABLE: &[Builtin] = &[
    builtin("net.cidr_contains_matches", 2, contains_matches),
    builtin("net.cidr_expand", 1, expand),
    builtin("net.cidr_is_valid", 1, is_valid),
    builtin("net.cidr_merge", 1, merge),
];

/// A network, or with a prefix of 128 bits an address. IPv4 is the last 32 bits below `::ffff:0:0/96`.
#[derive(Clone, Copy)]
struct Network {
    /// The first address.
    first: u128,
    /// Bits of 128.
    prefix: u32,
    /// Whether it was written as IPv6.
    is_long: bool,
}

impl Network {
    /// `address/bits`; bits that the prefix does not cover are cut.
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let bits: u32 = bits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| bits.parse().ok())??;
        let prefix = if address.is_ipv4() { bits.checked_add(96)? } else { bits };
        (prefix <= 128).then(|| Self {
            first: number(address) & mask(prefix),
            prefix,
            is_long: address.is_ipv6(),
        })
    }

    fn last(&self) -> u128 {
        self.first | !mask(self.prefix)
    }

    /// IPv6 networks contain no IPv4 ones, though their numbers do.
    fn contains(&self, other: &Self) -> bool {
        self.prefix <= other.prefix
            && other.first & mask(self.prefix) == self.first
            && is_ipv4(self.first) == is_ipv4(other.first)
    }

    fn show(&self) -> String {
        show_network(self.first, self.prefix)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

fn is_ipv4(address: u128) -> bool {
    address >> 32 == 0xffff
}

fn show_address(address: u128) -> String {
    let address = Ipv6Addr::from_bits(address);
    address
        .to_ipv4_mapped()
        .map_or_else(|| address.to_string(), |address| address.to_string())
}

fn show_network(address: u128, prefix: u32) -> String {
    let bits = if is_ipv4(address) {
        prefix.saturating_sub(96)
    } else {
        prefix
    };
    format!("{}/{bits}", show_address(address))
}

/// False, not undefined, for what is no string.
#[expect(clippy::unnecessary_wraps, reason = "the table holds functions of one type")]
fn is_valid(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let valid = string(arguments, 0).is_ok_and(|text| Network::parse(text).is_some());
    Ok(Term::Boolean(valid))
}

/// All addresses of a network.
fn expand(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let network = Network::parse(string(arguments, 0)?).ok_or(Failure::Undefined)?;
    let (first, last) = (network.first, network.last());
    if last - first >= MAX_ADDRESSES {
        return Err(Failure::Limit(format!(
            "{} has more than {MAX_ADDRESSES} addresses",
            network.show()
        )));
    }
    let addresses = (first..=last).map(|address| Term::String(show_address(address)));
    Ok(Term::Set(addresses.collect()))
}

/// The pairs of indices (the element itself in a set, the text in a string) whose first network contains
/// the second network or address.
fn contains_matches(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let [networks, candidates] = arguments else {
        return Err(Failure::Undefined);
    };
    let none = Ok(Term::Set(BTreeSet::new()));
    let networks = entries(networks)?;
    if networks.is_empty() {
        // As in OPA, nothing is then asked of the other side.
        return none;
    }
    let candidates = entries(candidates)?;
    if candidates.is_empty() {
        return none;
    }
    if networks.len().saturating_mul(candidates.len()) > MAX_PAIRS {
        return Err(Failure::Limit(format!("there are more than {MAX_PAIRS} pairs")));
    }
    let networks = parse_all(networks, Network::parse)?;
    let candidates = parse_all(candidates, network_or_address)?;
    let mut room = MAX_MATCHES;
    let mut matches = BTreeSet::new();
    for (network, index) in &networks {
        for (_, candidate) in candidates.iter().filter(|(candidate, _)| network.contains(candidate)) {
            let pair = Term::Array(vec![index.clone(), candidate.clone()]);
            room = room
                .checked_sub(pair.weight())
                .ok_or_else(|| Failure::Limit(format!("the matches are larger than {MAX_MATCHES} bytes")))?;
            matches.insert(pair);
        }
    }
    Ok(Term::Set(matches))
}

/// The networks of an operand with their indices. Like OPA, a value of another type counts as empty.
fn entries(operand: &Term) -> Result<Vec<(&Term, Term)>, Failure> {
    let index = |index: usize| Term::Number(i64::try_from(index).unwrap_or(i64::MAX).into());
    match operand {
        Term::String(_) => Ok(vec![(operand, operand.clone())]),
        Term::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| Ok((first_of(item)?, index(at))))
            .collect(),
        Term::Set(items) => items.iter().map(|item| Ok((first_of(item)?, item.clone()))).collect(),
        Term::Object(fields) => fields
            .iter()
            .map(|(key, value)| Ok((first_of(value)?, key.clone())))
            .collect(),
        _ => Ok(Vec::new()),
    }
}

/// An element is a string, or an array that begins with one.
fn first_of(element: &Term) -> Result<&Term, Failure> {
    match element {
        Term::String(_) => Ok(element),
        Term::Array(items) => items.first().ok_or(Failure::Undefined),
        _ => Err(Failure::Undefined),
    }
}

fn parse_all(
    entries: Vec<(&Term, Term)>,
    parse: impl Fn(&str) -> Option<Network>,
) -> Result<Vec<(Network, Term)>, Failure> {
    entries
        .into_iter()
        .map(|(term, index)| match term {
            Term::String(text) => Ok((parse(text).ok_or(Failure::Undefined)?, index)),
            _ => Err(Failure::Undefined),
        })
        .collect()
}

fn network_or_address(text: &str) -> Option<Network> {
    text.parse().map_or_else(
        |_| Network::parse(text),
        |address: IpAddr| {
            Some(Network {
                first: number(address),
                prefix: 128,
                is_long: address.is_ipv6(),
            })
        },
    )
}

/// A run of addresses, which OPA keeps and compares as bytes.
struct Range {
    first: Vec<u8>,
    last: Vec<u8>,
    /// The text of the network that it is, until it is merged with another.
    network: Option<String>,
}

/// Merges networks that touch or overlap. An IPv4 address without a prefix stands for the network of
/// its class, and is printed in full if nothing is merged with it.
///
/// Where OPA 1.22 crashes because the first byte of an IPv6 network is zero, such as those in
/// `64:ff9b::/96`, this merges them; and it says that IPv4 networks written as IPv6 cannot be merged.
fn merge(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let mut ranges: Vec<Range> = match arguments.first() {
        Some(Term::Array(items)) => items.iter().map(range).collect::<Result<_, _>>()?,
        Some(Term::Set(items)) => items.iter().map(range).collect::<Result<_, _>>()?,
        _ => return Err(Failure::Undefined),
    };
    ranges.sort_by(|a, b| (&a.last, &a.first).cmp(&(&b.last, &b.first)));
    let mut networks = BTreeSet::new();
    while let Some(upper) = ranges.pop() {
        match ranges.last_mut() {
            Some(lower) if before(&upper.first) <= lower.last => {
                lower.first = upper.first.min(std::mem::take(&mut lower.first));
                lower.last = upper.last;
                lower.network = None;
            }
            _ => networks.extend(upper.networks()?.into_iter().map(Term::String)),
        }
    }
    Ok(Term::Set(networks))
}

fn range(term: &Term) -> Result<Range, Failure> {
    let Term::String(text) = term else {
        return Err(Failure::Undefined);
    };
    let (network, name) = match text.parse::<IpAddr>().map(number) {
        Ok(address) if is_ipv4(address) => {
            let prefix = class_prefix(address);
            let network = Network {
                first: address & mask(prefix),
                prefix,
                is_long: false,
            };
            (network, show_network(address, prefix))
        }
        Ok(_) => return Err(Failure::Undefined),
        Err(_) => {
            let network = Network::parse(text).ok_or(Failure::Undefined)?;
            (network, network.show())
        }
    };
    let [mut first, mut last] = [network.first, network.last()].map(|address| address.to_be_bytes().to_vec());
    if network.is_long && is_ipv4(network.first) {
        // OPA puts the IPv4 prefix before all 16 bytes and the host bits in between.
        let hosts = !mask(network.prefix) << 96;
        last = (network.first | hosts).to_be_bytes().to_vec();
        for bytes in [&mut first, &mut last] {
            bytes.splice(
                0..0,
                Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets().into_iter().take(12),
            );
        }
    }
    Ok(Range {
        first,
        last,
        network: Some(name),
    })
}

/// The network class of an address without a prefix, as bits of 128.
fn class_prefix(address: u128) -> u32 {
    96 + match address >> 24 & 0xff {
        0..0x80 => 8,
        0x80..0xc0 => 16,
        _ => 24,
    }
}

/// The address before, as bytes; the first ones of both families have none.
fn before(address: &[u8]) -> Vec<u8> {
    let mut before = address.to_vec();
    let is_lowest =
        <[u8; 16]>::try_from(address).is_ok_and(|bytes| matches!(u128::from_be_bytes(bytes), 0 | LOWEST_IPV4));
    for byte in before.iter_mut().rev().take_while(|_| !is_lowest) {
        *byte = byte.wrapping_sub(1);
        if *byte != u8::MAX {
            break;
        }
    }
    before
}

const LOWEST_IPV4: u128 = 0xffff << 32;

impl Range {
    /// The fewest networks that make up the range.
    fn networks(self) -> Result<Vec<String>, Failure> {
        if let Some(network) = self.network {
            return Ok(vec![network]);
        }
        let number = |bytes: Vec<u8>| {
            let bytes = <[u8; 16]>::try_from(bytes);
            bytes
                .map(u128::from_be_bytes)
                .map_err(|_| Failure::Limit("IPv4 networks written as IPv6 cannot be merged".to_owned()))
        };
        let (mut first, last) = (number(self.first)?, number(self.last)?);
        let mut networks = Vec::new();
        loop {
            let fits = (last - first).checked_add(1).map_or(128, u128::ilog2);
            let prefix = 128 - fits.min(first.trailing_zeros());
            networks.push(show_network(first, prefix));
            match (first | !mask(prefix)).checked_add(1) {
                Some(next) if next <= last => first = next,
                _ => return Ok(networks),
            }
        }
    }
}
