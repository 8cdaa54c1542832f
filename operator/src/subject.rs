//! The name of a governed workload inside the operator, and the name of the Release made for it.

use std::fmt;

use interlock_bundles::digest::Digest;
use interlock_crds::Release;

/// An API group and a kind; versions are only ways to read the same object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKind {
    /// The group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
}

impl GroupKind {
    /// From an `apiVersion` and a kind.
    pub fn of(api_version: &str, kind: &str) -> Self {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        Self {
            group: group.to_owned(),
            kind: kind.to_owned(),
        }
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group.as_str() {
            "" => write!(f, "{}", self.kind),
            group => write!(f, "{}.{group}", self.kind),
        }
    }
}

/// One workload.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectKey {
    /// Its kind.
    pub kind: GroupKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.kind, self.namespace, self.name)
    }
}

impl SubjectKey {
    /// The workload that a Release speaks of.
    pub fn of(release: &Release) -> Self {
        let subject = &release.spec.subject;
        Self {
            kind: GroupKind::of(&subject.api_version, &subject.kind),
            namespace: release.metadata.namespace.clone().unwrap_or_default(),
            name: subject.name.clone(),
        }
    }

    /// The name of the discovered Release: `<kind>-<name>`, shortened with a hash where it would be too long or
    /// is no DNS name.
    pub fn release_name(&self) -> String {
        let plain = format!("{}-{}", self.kind.kind.to_lowercase(), self.name);
        let is_dns = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        if plain.len() <= LONGEST && plain.bytes().all(is_dns) {
            plain
        } else {
            self.hashed_release_name()
        }
    }

    /// The name to use where another Release already has the plain one: it also tells groups apart.
    pub fn hashed_release_name(&self) -> String {
        let digest = Digest::of(format!("{}/{}", self.kind, self.name).as_bytes()).to_string();
        let hash: String = digest.chars().skip("sha256:".len()).take(10).collect();
        let safe: String = format!("{}-{}", self.kind.kind, self.name)
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' })
            .take(LONGEST - 11)
            .collect();
        format!("{}-{hash}", safe.trim_end_matches('-'))
    }
}

/// Longest name of a discovered Release: a DNS label, so that the name can also be a label's value.
const LONGEST: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(group: &str, kind: &str, name: &str) -> SubjectKey {
        SubjectKey {
            kind: GroupKind {
                group: group.into(),
                kind: kind.into(),
            },
            namespace: "n".into(),
            name: name.into(),
        }
    }

    #[test]
    fn names_are_readable_bounded_and_distinct() {
        assert_eq!(key("apps", "Deployment", "cart").release_name(), "deployment-cart");
        let long = key("apps", "Deployment", &"x".repeat(200)).release_name();
        assert!(long.len() <= 63 && long.starts_with("deployment-xxx"), "{long}");
        assert_ne!(long, key("apps", "Deployment", &"x".repeat(199)).release_name());
        let odd = key("", "Role", "system:Reader").release_name();
        assert!(odd.starts_with("role-system-reader-"), "{odd}");
        assert_ne!(
            key("", "Service", "a").hashed_release_name(),
            key("serving.knative.dev", "Service", "a").hashed_release_name()
        );
    }
}
