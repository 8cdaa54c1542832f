//! The extensions of certificates that Go understands (RFC 5280, section 4.2).

use num_bigint::Sign;

use super::certificate::Extension;
use super::constraints::Constraints;
use super::der::{Bits, Der, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, Oid, SEQUENCE, context, explicit};
use super::hostname::is_domain;
use super::url::Url;

pub(super) const SUBJECT_ALTERNATIVE_NAME: [u32; 4] = [2, 5, 29, 17];
/// `keyCertSign` among the usages of a key.
pub(super) const CERTIFICATE_SIGNING: u16 = 1 << 5;

/// The extensions, and what those say that Go understands.
#[derive(Debug, Default)]
pub(super) struct Extensions<'a> {
    pub(super) all: Vec<Extension<'a>>,
    /// Critical ones that are not understood, or not in full.
    pub(super) unhandled: Vec<Oid>,
    pub(super) key_usage: u16,
    /// Those that Go numbers.
    pub(super) extended_usages: Vec<usize>,
    pub(super) unknown_usages: Vec<Oid>,
    pub(super) basic: Option<BasicConstraints>,
    pub(super) subject_key_id: Option<&'a [u8]>,
    pub(super) authority_key_id: Option<&'a [u8]>,
    pub(super) ocsp_servers: Vec<&'a [u8]>,
    pub(super) issuing_urls: Vec<&'a [u8]>,
    pub(super) names: AlternativeNames<'a>,
    pub(super) constraints: Option<NameConstraints<'a>>,
    pub(super) distribution_points: Vec<&'a [u8]>,
    /// The contents of the identifiers.
    pub(super) policies: Option<Vec<&'a [u8]>>,
    pub(super) inhibit_any_policy: Option<i64>,
    pub(super) inhibit_policy_mapping: Option<i64>,
    pub(super) require_explicit_policy: Option<i64>,
    /// Of the issuer's domain to the subject's.
    pub(super) policy_mappings: Vec<(&'a [u8], &'a [u8])>,
}

#[derive(Debug)]
pub(super) struct BasicConstraints {
    pub(super) is_authority: bool,
    pub(super) max_path: Option<i64>,
}

/// The subject's other names.
#[derive(Debug, Default)]
pub(super) struct AlternativeNames<'a> {
    pub(super) dns: Vec<&'a str>,
    pub(super) emails: Vec<&'a str>,
    /// Four or sixteen bytes.
    pub(super) addresses: Vec<&'a [u8]>,
    pub(super) urls: Vec<Url>,
}

/// What may be, and what may not be, in the names of certificates below.
#[derive(Debug)]
pub(super) struct NameConstraints<'a> {
    pub(super) critical: bool,
    pub(super) permitted: Constraints<'a>,
    pub(super) excluded: Constraints<'a>,
}

impl<'a> Extensions<'a> {
    /// Absent if one that is understood is malformed.
    pub(super) fn read(all: Vec<Extension<'a>>) -> Option<Self> {
        let mut extensions = Self::default();
        for extension in &all {
            if !extensions.handle(extension)? && extension.critical {
                extensions.unhandled.push(extension.id.clone());
            }
        }
        extensions.all = all;
        Some(extensions)
    }

    pub(super) fn find(&self, id: &[u32]) -> Option<&Extension<'a>> {
        self.all.iter().find(|extension| extension.id.is(id))
    }

    /// Whether the extension is understood in full.
    fn handle(&mut self, extension: &Extension<'a>) -> Option<bool> {
        let critical = extension.critical;
        let mut value = Der(extension.value);
        match extension.id.0.as_slice() {
            [2, 5, 29, 14] => self.subject_key_id = Some(value.read(OCTET_STRING).filter(|_| !critical)?),
            [2, 5, 29, 15] => self.key_usage = key_usage(&value.bits()?),
            [2, 5, 29, 17] => {
                self.names = AlternativeNames::read(value)?;
                return Some(!self.names.is_empty());
            }
            [2, 5, 29, 19] => self.basic = Some(basic_constraints(value)?),
            [2, 5, 29, 30] => return self.name_constraints(extension),
            [2, 5, 29, 31] => self.distribution_points = distribution_points(value)?,
            [2, 5, 29, 32] => self.policies = Some(policies(value)?),
            [2, 5, 29, 33] => self.policy_mappings = policy_mappings(value)?,
            [2, 5, 29, 35] => {
                let mut fields = value.nested(SEQUENCE).filter(|_| !critical)?;
                self.authority_key_id = fields.optional(context(0))?;
            }
            [2, 5, 29, 36] => {
                let mut fields = value.nested(SEQUENCE)?;
                self.require_explicit_policy = tagged(&mut fields, 0)?;
                self.inhibit_policy_mapping = tagged(&mut fields, 1)?;
            }
            [2, 5, 29, 37] => self.extended_usages(value)?,
            [2, 5, 29, 54] => self.inhibit_any_policy = Some(value.int64(INTEGER)?),
            [1, 3, 6, 1, 5, 5, 7, 1, 1] if critical => return None,
            [1, 3, 6, 1, 5, 5, 7, 1, 1] => self.information_access(value)?,
            _ => return Some(false),
        }
        Some(true)
    }

    fn name_constraints(&mut self, extension: &Extension<'a>) -> Option<bool> {
        let mut outer = Der(extension.value);
        let mut fields = outer.nested(SEQUENCE)?;
        let permitted = fields.optional(explicit(0))?.unwrap_or_default();
        let excluded = fields.optional(explicit(1))?.unwrap_or_default();
        let malformed = !outer.is_empty() || !fields.is_empty();
        if malformed || permitted.is_empty() && excluded.is_empty() {
            return None;
        }
        let (permitted, all_permitted) = Constraints::read(Der(permitted))?;
        let (excluded, all_excluded) = Constraints::read(Der(excluded))?;
        self.constraints = Some(NameConstraints {
            critical: extension.critical,
            permitted,
            excluded,
        });
        Some(all_permitted && all_excluded)
    }

    fn extended_usages(&mut self, mut value: Der<'a>) -> Option<()> {
        let mut usages = value.nested(SEQUENCE)?;
        while !usages.is_empty() {
            let usage = usages.oid()?;
            match EXTENDED_USAGES.iter().position(|(_, id)| usage.is(id)) {
                Some(number) => self.extended_usages.push(number),
                None => self.unknown_usages.push(usage),
            }
        }
        Some(())
    }

    fn information_access(&mut self, mut value: Der<'a>) -> Option<()> {
        let mut list = value.nested(SEQUENCE)?;
        while !list.is_empty() {
            let mut access = list.nested(SEQUENCE)?;
            let method = access.oid()?;
            let Some(url) = access.optional(context(6))? else {
                continue;
            };
            match method.0.as_slice() {
                [1, 3, 6, 1, 5, 5, 7, 48, 1] => self.ocsp_servers.push(url),
                [1, 3, 6, 1, 5, 5, 7, 48, 2] => self.issuing_urls.push(url),
                _ => {}
            }
        }
        Some(())
    }
}

/// The usages of keys that Go numbers, in that order, by their names in OPA.
pub(super) const EXTENDED_USAGES: [(&str, &[u32]); 14] = [
    ("KeyUsageAny", &[2, 5, 29, 37, 0]),
    ("KeyUsageServerAuth", &[1, 3, 6, 1, 5, 5, 7, 3, 1]),
    ("KeyUsageClientAuth", &[1, 3, 6, 1, 5, 5, 7, 3, 2]),
    ("KeyUsageCodeSigning", &[1, 3, 6, 1, 5, 5, 7, 3, 3]),
    ("KeyUsageEmailProtection", &[1, 3, 6, 1, 5, 5, 7, 3, 4]),
    ("KeyUsageIPSECEndSystem", &[1, 3, 6, 1, 5, 5, 7, 3, 5]),
    ("KeyUsageIPSECTunnel", &[1, 3, 6, 1, 5, 5, 7, 3, 6]),
    ("KeyUsageIPSECUser", &[1, 3, 6, 1, 5, 5, 7, 3, 7]),
    ("KeyUsageTimeStamping", &[1, 3, 6, 1, 5, 5, 7, 3, 8]),
    ("KeyUsageOCSPSigning", &[1, 3, 6, 1, 5, 5, 7, 3, 9]),
    ("KeyUsageMicrosoftServerGatedCrypto", &[1, 3, 6, 1, 4, 1, 311, 10, 3, 3]),
    ("KeyUsageNetscapeServerGatedCrypto", &[2, 16, 840, 1, 113_730, 4, 1]),
    (
        "KeyUsageMicrosoftCommercialCodeSigning",
        &[1, 3, 6, 1, 4, 1, 311, 2, 1, 22],
    ),
    ("KeyUsageMicrosoftKernelCodeSigning", &[1, 3, 6, 1, 4, 1, 311, 61, 1, 1]),
];

impl<'a> AlternativeNames<'a> {
    pub(super) fn read(mut value: Der<'a>) -> Option<Self> {
        let mut names = Self::default();
        let mut list = value.nested(SEQUENCE)?;
        while !list.is_empty() {
            let name = list.any()?;
            match name.tag ^ context(0) {
                1 => names.emails.push(ascii(name.content)?),
                2 => names.dns.push(ascii(name.content)?),
                6 => {
                    let url = Url::parse(ascii(name.content)?)?;
                    if !url.host.is_empty() && !is_domain(&url.host, false) {
                        return None;
                    }
                    names.urls.push(url);
                }
                7 if matches!(name.content.len(), 4 | 16) => names.addresses.push(name.content),
                7 => return None,
                _ => {}
            }
        }
        Some(names)
    }

    fn is_empty(&self) -> bool {
        self.dns.is_empty() && self.emails.is_empty() && self.addresses.is_empty() && self.urls.is_empty()
    }
}

/// An IA5 string.
pub(super) fn ascii(content: &[u8]) -> Option<&str> {
    str::from_utf8(content).ok().filter(|text| text.is_ascii())
}

fn key_usage(bits: &Bits<'_>) -> u16 {
    (0..9).filter(|bit| bits.is_set(*bit)).map(|bit| 1 << bit).sum()
}

fn basic_constraints(mut value: Der<'_>) -> Option<BasicConstraints> {
    let mut fields = value.nested(SEQUENCE)?;
    let is_authority = if fields.peek(super::der::BOOLEAN) {
        fields.boolean()?
    } else {
        false
    };
    let max_path = if fields.peek(INTEGER) {
        let max_path = fields.integer().filter(|length| length.sign() != Sign::Minus)?;
        Some(max_path.try_into().ok()?)
    } else {
        None
    };
    Some(BasicConstraints { is_authority, max_path })
}

fn distribution_points(mut value: Der<'_>) -> Option<Vec<&[u8]>> {
    let mut urls = Vec::new();
    let mut list = value.nested(SEQUENCE)?;
    while !list.is_empty() {
        let mut point = list.nested(SEQUENCE)?;
        let Some(name) = point.optional(explicit(0))? else {
            continue;
        };
        let mut names = Der(name).nested(explicit(0))?;
        while names.peek(context(6)) {
            urls.push(names.read(context(6))?);
        }
    }
    Some(urls)
}

/// None may be there twice.
fn policies(mut value: Der<'_>) -> Option<Vec<&[u8]>> {
    let mut policies = Vec::new();
    let mut list = value.nested(SEQUENCE)?;
    while !list.is_empty() {
        policies.push(list.nested(SEQUENCE)?.read(OBJECT_IDENTIFIER).filter(|id| is_oid(id))?);
    }
    let mut sorted = policies.clone();
    sorted.sort_unstable();
    let unique = sorted.windows(2).all(|pair| pair.first() != pair.last());
    unique.then_some(policies)
}

/// Whether each component, of any size, is whole and as short as can be.
fn is_oid(content: &[u8]) -> bool {
    let sound =
        |component: &[u8]| component.first() != Some(&0x80) && component.last().is_some_and(|last| last & 0x80 == 0);
    !content.is_empty() && content.split_inclusive(|byte| byte & 0x80 == 0).all(sound)
}

fn policy_mappings(mut value: Der<'_>) -> Option<Vec<(&[u8], &[u8])>> {
    let mut mappings = Vec::new();
    let mut list = value.nested(SEQUENCE)?;
    while !list.is_empty() {
        let mut pair = list.nested(SEQUENCE)?;
        mappings.push((pair.read(OBJECT_IDENTIFIER)?, pair.read(OBJECT_IDENTIFIER)?));
    }
    Some(mappings)
}

#[expect(clippy::option_option, reason = "malformed, absent and present are three things")]
fn tagged(fields: &mut Der<'_>, number: u8) -> Option<Option<i64>> {
    if fields.peek(context(number)) {
        fields.int64(context(number)).map(Some)
    } else {
        Some(None)
    }
}
