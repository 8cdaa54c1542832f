//! The JSON of Go's certificates.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::certificate::{Certificate, Extension};
use super::constraints::Network;
use super::der::Oid;
use super::extensions::AlternativeNames;
use super::json;
use super::public_key::PublicKey;
use crate::engine::builtins::Failure;
use crate::engine::term::Term;

/// The fields of `x509.Certificate`; and the URIs as text, which OPA adds to most.
pub(super) fn certificate(certificate: &Certificate<'_>, with_uris: bool) -> Result<Term, Failure> {
    let extensions = &certificate.extensions;
    let parts = [
        body(certificate)?,
        usage(certificate),
        names(certificate),
        policies(certificate)?,
    ];
    let mut fields = std::collections::BTreeMap::new();
    for part in parts {
        if let Term::Object(part) = part {
            fields.extend(part);
        }
    }
    if with_uris {
        let uris = extensions.names.urls.iter().map(|url| Term::String(url.to_string()));
        fields.insert(Term::String("URIStrings".to_owned()), json::list(uris));
    }
    Ok(Term::Object(fields))
}

fn body(certificate: &Certificate<'_>) -> Result<Term, Failure> {
    let printed = |term: Option<Term>| term.ok_or(Failure::Undefined);
    Ok(json::object([
        ("Raw", json::bytes(certificate.raw)),
        ("RawTBSCertificate", json::bytes(certificate.body)),
        ("RawSubjectPublicKeyInfo", json::bytes(certificate.raw_key)),
        ("RawSubject", json::bytes(certificate.raw_subject)),
        ("RawIssuer", json::bytes(certificate.raw_issuer)),
        ("Signature", json::bytes(&certificate.signature)),
        (
            "SignatureAlgorithm",
            json::integer(certificate.signature_algorithm as u8),
        ),
        ("PublicKeyAlgorithm", json::integer(certificate.key_kind as u8)),
        (
            "PublicKey",
            certificate.key.as_ref().map_or(Ok(Term::Null), PublicKey::to_term)?,
        ),
        ("Version", json::integer(certificate.version)),
        ("SerialNumber", json::big(&certificate.serial)?),
        ("Issuer", printed(certificate.issuer.to_term())?),
        ("Subject", printed(certificate.subject.to_term())?),
        ("NotBefore", printed(certificate.not_before.to_term())?),
        ("NotAfter", printed(certificate.not_after.to_term())?),
    ]))
}

fn usage(certificate: &Certificate<'_>) -> Term {
    let extensions = &certificate.extensions;
    let basic = extensions.basic.as_ref();
    let max_path = basic.map_or(0, |basic| basic.max_path.unwrap_or(-1));
    json::object([
        ("KeyUsage", json::integer(extensions.key_usage)),
        ("Extensions", raw_extensions(&extensions.all)),
        ("ExtraExtensions", Term::Null),
        ("UnhandledCriticalExtensions", oids(&extensions.unhandled)),
        (
            "ExtKeyUsage",
            json::list(extensions.extended_usages.iter().filter_map(|usage| {
                let number = u8::try_from(*usage).ok()?;
                Some(json::integer(number))
            })),
        ),
        ("UnknownExtKeyUsage", oids(&extensions.unknown_usages)),
        ("BasicConstraintsValid", Term::Boolean(basic.is_some())),
        ("IsCA", Term::Boolean(basic.is_some_and(|basic| basic.is_authority))),
        ("MaxPathLen", json::integer(max_path)),
        ("MaxPathLenZero", Term::Boolean(basic.is_some() && max_path == 0)),
        ("SubjectKeyId", optional(extensions.subject_key_id)),
        ("AuthorityKeyId", optional(extensions.authority_key_id)),
        ("OCSPServer", texts(&extensions.ocsp_servers)),
        ("IssuingCertificateURL", texts(&extensions.issuing_urls)),
        ("CRLDistributionPoints", texts(&extensions.distribution_points)),
    ])
}

fn names(certificate: &Certificate<'_>) -> Term {
    let constraints = certificate.extensions.constraints.as_ref();
    let permitted = constraints.map(|constraints| &constraints.permitted);
    let excluded = constraints.map(|constraints| &constraints.excluded);
    let strings = |texts: Option<&Vec<&str>>| {
        let string = |text: &&str| Term::String((*text).to_owned());
        json::list(texts.into_iter().flatten().map(string))
    };
    let networks = |networks: Option<&Vec<Network<'_>>>| json::list(networks.into_iter().flatten().map(network));
    let [dns, emails, addresses, urls] = alternative_names(&certificate.extensions.names);
    json::object([
        dns,
        emails,
        addresses,
        urls,
        (
            "PermittedDNSDomainsCritical",
            Term::Boolean(constraints.is_some_and(|constraints| constraints.critical)),
        ),
        ("PermittedDNSDomains", strings(permitted.map(|names| &names.domains))),
        ("ExcludedDNSDomains", strings(excluded.map(|names| &names.domains))),
        ("PermittedIPRanges", networks(permitted.map(|names| &names.networks))),
        ("ExcludedIPRanges", networks(excluded.map(|names| &names.networks))),
        ("PermittedEmailAddresses", strings(permitted.map(|names| &names.emails))),
        ("ExcludedEmailAddresses", strings(excluded.map(|names| &names.emails))),
        (
            "PermittedURIDomains",
            strings(permitted.map(|names| &names.uri_domains)),
        ),
        ("ExcludedURIDomains", strings(excluded.map(|names| &names.uri_domains))),
    ])
}

fn policies(certificate: &Certificate<'_>) -> Result<Term, Failure> {
    let extensions = &certificate.extensions;
    let dotted = extensions.policies.iter().flatten().map(|policy| json::dotted(policy));
    let dotted: Result<Vec<Term>, Failure> = dotted.collect();
    let mapping = |(issuer, subject): &(&[u8], &[u8])| {
        Ok(json::object([
            ("IssuerDomainPolicy", json::dotted(issuer)?),
            ("SubjectDomainPolicy", json::dotted(subject)?),
        ]))
    };
    let mappings: Result<Vec<Term>, Failure> = extensions.policy_mappings.iter().map(mapping).collect();
    let count = |value: Option<i64>| json::integer(value.unwrap_or_default());
    let is_zero = |value: Option<i64>| Term::Boolean(value == Some(0));
    Ok(json::object([
        // Those with components of more than 31 bits are only in the next list.
        (
            "PolicyIdentifiers",
            extensions.policies.as_ref().map_or(Term::Null, |policies| {
                let oid = |policy: &&[u8]| Some(json::oid(&Oid::read(policy)?));
                Term::Array(policies.iter().filter_map(oid).collect())
            }),
        ),
        ("Policies", json::list(dotted?)),
        ("InhibitAnyPolicy", count(extensions.inhibit_any_policy)),
        ("InhibitAnyPolicyZero", is_zero(extensions.inhibit_any_policy)),
        ("InhibitPolicyMapping", count(extensions.inhibit_policy_mapping)),
        ("InhibitPolicyMappingZero", is_zero(extensions.inhibit_policy_mapping)),
        ("RequireExplicitPolicy", count(extensions.require_explicit_policy)),
        ("RequireExplicitPolicyZero", is_zero(extensions.require_explicit_policy)),
        ("PolicyMappings", json::list(mappings?)),
    ]))
}

pub(super) fn raw_extensions(extensions: &[Extension<'_>]) -> Term {
    json::list(extensions.iter().map(|extension| {
        json::object([
            ("Id", json::oid(&extension.id)),
            ("Critical", Term::Boolean(extension.critical)),
            ("Value", json::bytes(extension.value)),
        ])
    }))
}

/// The four fields of names in certificates and requests.
pub(super) fn alternative_names(names: &AlternativeNames<'_>) -> [(&'static str, Term); 4] {
    let string = |text: &&str| Term::String((*text).to_owned());
    let address = |bytes: &&[u8]| Term::String(address(bytes));
    [
        ("DNSNames", json::list(names.dns.iter().map(string))),
        ("EmailAddresses", json::list(names.emails.iter().map(string))),
        ("IPAddresses", json::list(names.addresses.iter().map(address))),
        ("URIs", json::list(names.urls.iter().map(super::url::Url::to_term))),
    ]
}

fn network(network: &Network<'_>) -> Term {
    json::object([
        ("IP", Term::String(address(network.address))),
        ("Mask", json::bytes(network.mask)),
    ])
}

/// Of four or sixteen bytes; an IPv4 address that is written as IPv6 loses that.
fn address(bytes: &[u8]) -> String {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Ipv4Addr::from(bytes).to_string();
    }
    let address = <[u8; 16]>::try_from(bytes).map(Ipv6Addr::from);
    address.map_or_else(
        |_| String::new(),
        |address| {
            address
                .to_ipv4_mapped()
                .map_or_else(|| address.to_string(), |four| four.to_string())
        },
    )
}

fn texts(items: &[&[u8]]) -> Term {
    json::list(items.iter().map(|item| json::text(item)))
}

fn oids(items: &[Oid]) -> Term {
    json::list(items.iter().map(json::oid))
}

fn optional(bytes: Option<&[u8]>) -> Term {
    bytes.map_or(Term::Null, json::bytes)
}
