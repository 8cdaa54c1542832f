//! Chains from a certificate to a root, by Go's rules (`crypto/x509/verify.go`), so that the same
//! chains are found and the same ones refused as in OPA. Revocation is nobody's business, there and here.

use super::certificate::Certificate;
use super::extensions::{CERTIFICATE_SIGNING, SUBJECT_ALTERNATIVE_NAME};
use super::{constraints, hostname, policies, signature};
use crate::engine::builtins::Failure;

/// How many signatures are looked at before no more chains are looked for.
const MAX_SIGNATURE_CHECKS: usize = 100;
/// The number of the usage that stands for all.
const ANY_USAGE: usize = 0;

/// What a chain must be good for.
pub(super) struct Requirements<'a> {
    /// The host that the leaf must name; none if empty.
    pub(super) host: &'a str,
    /// In nanoseconds since 1970.
    pub(super) now: i128,
    /// Of these extended usages one must do, by Go's numbers.
    pub(super) usages: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Leaf,
    Intermediate,
    Root,
}

/// Certificates in the order of Go's chains.
type Chain<'c, 'a> = Vec<&'c Certificate<'a>>;

/// The first sound chain from the last certificate to the first; those between may help.
pub(super) fn find<'c, 'a>(
    certificates: &'c [Certificate<'a>],
    requirements: &Requirements<'_>,
) -> Result<Option<Chain<'c, 'a>>, Failure> {
    let [root, intermediates @ .., leaf] = certificates else {
        return Ok(None);
    };
    if !is_valid(leaf, Role::Leaf, 0, requirements.now) {
        return Ok(None);
    }
    if !requirements.host.is_empty() && !hostname::covers(&leaf.extensions.names, requirements.host) {
        return Ok(None);
    }
    let mut search = Search {
        root,
        intermediates,
        now: requirements.now,
        checks: 0,
        chains: Vec::new(),
    };
    if leaf.raw == root.raw {
        search.chains.push(vec![leaf]);
    } else {
        search.extend(&[leaf])?;
    }
    let sound = |chain: &Chain<'_, '_>| {
        policies::are_valid(chain) && allows(chain, &requirements.usages) && constraints::hold(chain)
    };
    Ok(search.chains.into_iter().find(sound))
}

struct Search<'c, 'a> {
    root: &'c Certificate<'a>,
    intermediates: &'c [Certificate<'a>],
    now: i128,
    checks: usize,
    /// Those that end in the root.
    chains: Vec<Chain<'c, 'a>>,
}

impl<'c, 'a> Search<'c, 'a> {
    /// Adds all chains that begin with this one.
    fn extend(&mut self, chain: &[&'c Certificate<'a>]) -> Result<(), Failure> {
        let Some(child) = chain.last() else {
            return Ok(());
        };
        let root = Some(self.root).filter(|root| root.raw_subject == child.raw_issuer);
        let intermediates = parents(self.intermediates, child);
        let roots = root.into_iter().map(|root| (Role::Root, root));
        let others = intermediates.into_iter().map(|other| (Role::Intermediate, other));
        for (role, parent) in roots.chain(others) {
            self.checks += 1;
            if self.checks > MAX_SIGNATURE_CHECKS {
                return Ok(());
            }
            let sound =
                !is_in(parent, chain) && has_signed(parent, child)? && is_valid(parent, role, chain.len(), self.now);
            if !sound {
                continue;
            }
            let longer: Chain<'c, 'a> = chain.iter().copied().chain([parent]).collect();
            if role == Role::Root {
                self.chains.push(longer);
            } else {
                self.extend(&longer)?;
            }
        }
        Ok(())
    }
}

/// Those with the name of the issuer, each once: first those whose key has the identifier asked for,
/// then those where one of the two has none.
fn parents<'c, 'a>(pool: &'c [Certificate<'a>], child: &Certificate<'_>) -> Vec<&'c Certificate<'a>> {
    let wanted = child.extensions.authority_key_id.unwrap_or_default();
    let rank = |parent: &&Certificate<'_>| {
        let id = parent.extensions.subject_key_id.unwrap_or_default();
        match (id == wanted, id.is_empty() || wanted.is_empty()) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        }
    };
    let mut parents: Vec<&Certificate<'_>> = Vec::new();
    for candidate in pool {
        let known = || parents.iter().any(|parent| parent.raw == candidate.raw);
        if candidate.raw_subject == child.raw_issuer && !known() {
            parents.push(candidate);
        }
    }
    parents.sort_by_key(rank);
    parents
}

/// Whether the chain has a certificate of the same subject, key and names already.
fn is_in(candidate: &Certificate<'_>, chain: &[&Certificate<'_>]) -> bool {
    let names = |certificate: &Certificate<'_>| {
        let extension = certificate.extensions.find(&SUBJECT_ALTERNATIVE_NAME);
        extension.map(|extension| extension.value.to_vec())
    };
    let own = names(candidate);
    for certificate in chain {
        if certificate.raw_subject != candidate.raw_subject || certificate.raw_key != candidate.raw_key {
            continue;
        }
        let names = names(certificate);
        if own == names {
            return true;
        }
        if own.is_none() || names.is_none() {
            return false;
        }
    }
    false
}

/// Whether the parent may sign certificates and has signed this one.
fn has_signed(parent: &Certificate<'_>, child: &Certificate<'_>) -> Result<bool, Failure> {
    let extensions = &parent.extensions;
    let may_sign = match &extensions.basic {
        Some(basic) => basic.is_authority,
        None => parent.version != 3,
    };
    let usage_fits = extensions.key_usage == 0 || extensions.key_usage & CERTIFICATE_SIGNING != 0;
    match &parent.key {
        Some(key) if may_sign && usage_fits => {
            signature::holds(child.signature_algorithm, child.body, &child.signature, key)
        }
        _ => Ok(false),
    }
}

/// Whether a certificate may stand in this role behind so many others.
fn is_valid(certificate: &Certificate<'_>, role: Role, behind: usize, now: i128) -> bool {
    const SECOND: i128 = 1_000_000_000;
    let from = i128::from(certificate.not_before.seconds) * SECOND;
    let to = i128::from(certificate.not_after.seconds) * SECOND;
    let basic = certificate.extensions.basic.as_ref();
    let is_authority = basic.is_some_and(|basic| basic.is_authority);
    let max_path = basic
        .and_then(|basic| basic.max_path)
        .and_then(|length| usize::try_from(length).ok());
    certificate.extensions.unhandled.is_empty()
        && (from..=to).contains(&now)
        && (role != Role::Intermediate || is_authority)
        && max_path.is_none_or(|length| behind <= length.saturating_add(1))
}

/// Whether one of the usages is allowed by all certificates; those that say nothing allow all.
fn allows(chain: &[&Certificate<'_>], usages: &[usize]) -> bool {
    if usages.contains(&ANY_USAGE) {
        return true;
    }
    let allows = |certificate: &Certificate<'_>, usage: &usize| {
        let extensions = &certificate.extensions;
        let silent = extensions.extended_usages.is_empty() && extensions.unknown_usages.is_empty();
        silent
            || [usage, &ANY_USAGE]
                .iter()
                .any(|usage| extensions.extended_usages.contains(*usage))
    };
    usages
        .iter()
        .any(|usage| chain.iter().all(|certificate| allows(certificate, usage)))
}
