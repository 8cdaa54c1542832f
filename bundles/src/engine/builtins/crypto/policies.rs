//! Certificate policies along a chain (RFC 5280, section 6.1, as RFC 9618 changed it).

use std::collections::{BTreeMap, BTreeSet};

use super::certificate::Certificate;

/// The content of `anyPolicy`.
const ANY: &[u8] = &[0x55, 0x1d, 0x20, 0x00];

/// The policies valid at one depth, each with those that the next certificate may have for it. The
/// parents of a policy need not be known, as every policy would do for the caller.
type Level<'a> = BTreeMap<&'a [u8], BTreeSet<&'a [u8]>>;

/// How many more certificates something may be absent, or is allowed, for.
struct Countdowns {
    explicit: i64,
    mapping: i64,
    any: i64,
}

/// Whether the policies of a chain, from the leaf to the root, are valid, if any policy would do.
pub(super) fn are_valid(chain: &[&Certificate<'_>]) -> bool {
    let Some((_, below)) = chain.split_last().filter(|(_, below)| !below.is_empty()) else {
        return true;
    };
    let length = i64::try_from(chain.len()).unwrap_or(i64::MAX);
    let mut left = Countdowns {
        explicit: length,
        mapping: length,
        any: length,
    };
    let mut level = Some(Level::from([(ANY, BTreeSet::from([ANY]))]));
    for (index, certificate) in below.iter().enumerate().rev() {
        let is_leaf = index == 0;
        let own = certificate.extensions.policies.as_deref().unwrap_or_default();
        level = level.filter(|_| !own.is_empty());
        if left.explicit == 0 && level.is_none() {
            return false;
        }
        let self_issued = certificate.raw_issuer == certificate.raw_subject;
        if let Some(parents) = level.take() {
            let any_allowed = left.any > 0 || !is_leaf && self_issued;
            let mut next = next_level(&parents, own, any_allowed);
            if !is_leaf && !apply_mappings(&mut next, certificate, left.mapping > 0) {
                return false;
            }
            level = Some(next);
        }
        if !is_leaf {
            left.pass(certificate, self_issued);
        }
    }
    let leaf = chain.first().map(|leaf| leaf.extensions.require_explicit_policy);
    let required = left.explicit <= 1 || leaf == Some(Some(0));
    !required || level.is_some_and(|level| !level.is_empty())
}

/// The certificate's policies that the level above lets pass.
fn next_level<'a>(parents: &Level<'a>, own: &[&'a [u8]], any_allowed: bool) -> Level<'a> {
    let expected: BTreeSet<&[u8]> = parents.values().flatten().copied().collect();
    let passes = |policy: &&&[u8]| **policy != ANY && (expected.contains(*policy) || parents.contains_key(ANY));
    let itself = |policy: &'a [u8]| (policy, BTreeSet::from([policy]));
    let mut level: Level<'_> = own.iter().filter(passes).copied().map(itself).collect();
    if any_allowed && own.contains(&ANY) {
        for policy in expected {
            level.entry(policy).or_insert_with(|| BTreeSet::from([policy]));
        }
    }
    level
}

/// False if the mappings are not allowed.
fn apply_mappings<'a>(level: &mut Level<'a>, certificate: &Certificate<'a>, allowed: bool) -> bool {
    let mut mappings: Level<'a> = Level::new();
    for (issuer, subject) in &certificate.extensions.policy_mappings {
        if !allowed {
            level.remove(issuer);
        } else if *issuer == ANY || *subject == ANY {
            return false;
        } else {
            mappings.entry(issuer).or_default().insert(subject);
        }
    }
    let has_any = level.contains_key(ANY);
    for (issuer, subjects) in mappings {
        if has_any || level.contains_key(issuer) {
            level.insert(issuer, subjects);
        }
    }
    true
}

impl Countdowns {
    /// Behind a certificate that is not the leaf.
    fn pass(&mut self, certificate: &Certificate<'_>, self_issued: bool) {
        let extensions = &certificate.extensions;
        for (left, limit) in [
            (&mut self.explicit, extensions.require_explicit_policy),
            (&mut self.mapping, extensions.inhibit_policy_mapping),
            (&mut self.any, extensions.inhibit_any_policy),
        ] {
            if !self_issued {
                *left = (*left - 1).max(0);
            }
            if let Some(limit) = limit.filter(|limit| *limit >= 0) {
                *left = limit.min(*left);
            }
        }
    }
}
