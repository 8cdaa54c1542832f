//! Where a bundle lives and which one is wanted, as typed values: a repository, what to look for in
//! it, and the pair of repository and digest that everything after resolution works with.
//!
//! The grammar is the one of the OCI distribution specification (section "Pulling manifests"), with
//! one difference to the docker command line: the registry must be named, nothing defaults to
//! docker.io, and nothing defaults to the tag `latest`.

use std::fmt;
use std::str::FromStr;

use crate::digest::{Digest, DigestError};

/// The distribution specification's limit for host and path together.
const NAME_MAX: usize = 255;
const TAG_MAX: usize = 128;

/// A repository in a registry: `host[:port]/path`. An `oci://` prefix is accepted when parsed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: String,
    path: String,
}

/// What to look for in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Exactly this manifest.
    Digest(Digest),
    /// Whatever this tag points to when asked.
    Tag(String),
    /// The highest tag that is a semantic version and matches; prereleases only if the range names one.
    Semver(semver::VersionReq),
}

/// One manifest, by digest: what every step after resolution works with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pinned {
    /// Where the manifest is.
    pub repository: Repository,
    /// The digest of the manifest's bytes.
    pub digest: Digest,
}

/// A repository with a tag or digest, as users write it: `host/path:tag`, `host/path@sha256:…`.
/// Where both are given the digest decides and the tag is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Where to look.
    pub repository: Repository,
    /// What to look for.
    pub wanted: Wanted,
}

/// Why a text is not a repository or reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The first part does not look like a host.
    #[error("{given:?} names no registry: write the host first, as in ghcr.io/{given}")]
    NoRegistry {
        /// What was given.
        given: String,
    },
    /// The host or its port is malformed.
    #[error("{given:?} has a malformed registry host {host:?}: write a DNS name or IP address, with :port if needed")]
    Host {
        /// What was given.
        given: String,
        /// The part read as the host.
        host: String,
    },
    /// The path breaks the distribution specification's grammar.
    #[error(
        "{given:?} has a malformed repository path: use lower-case letters and digits, separated by one of . _ __ - and /"
    )]
    Path {
        /// What was given.
        given: String,
    },
    /// Longer than the specification allows.
    #[error("{given:?}… is {length} characters long, at most {NAME_MAX} are allowed")]
    TooLong {
        /// The beginning of what was given.
        given: String,
        /// Its length.
        length: usize,
    },
    /// The tag breaks the grammar.
    #[error(
        "{given:?} is not a tag: use up to {TAG_MAX} letters, digits and . _ - beginning with a letter, digit or _"
    )]
    Tag {
        /// What was given as the tag.
        given: String,
    },
    /// Neither a tag nor a digest.
    #[error("{given:?} has neither tag nor digest: add :tag or @sha256:…")]
    Unpinned {
        /// What was given.
        given: String,
    },
    /// What follows `@` is not a digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

impl Repository {
    /// `host[:port]`, lower case.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path without the registry.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// This repository with a digest.
    pub fn pin(&self, digest: Digest) -> Pinned {
        Pinned {
            repository: self.clone(),
            digest,
        }
    }
}

impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_prefix("oci://").unwrap_or(text);
        if name.len() > NAME_MAX {
            return Err(ReferenceError::TooLong {
                given: name.chars().take(60).collect(),
                length: name.len(),
            });
        }
        let given = || name.to_owned();
        let (host, path) = name
            .split_once('/')
            .filter(|(host, _)| looks_like_a_host(host))
            .ok_or_else(|| ReferenceError::NoRegistry { given: given() })?;
        if !is_host(host) {
            return Err(ReferenceError::Host {
                given: given(),
                host: host.to_owned(),
            });
        }
        if !path.split('/').all(is_path_component) {
            return Err(ReferenceError::Path { given: given() });
        }
        Ok(Self {
            registry: host.to_ascii_lowercase(),
            path: path.to_owned(),
        })
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((name, digest)) = text.split_once('@') {
            let digest: Digest = digest.parse()?;
            let (name, tag) = split_tag(name);
            if let Some(tag) = tag {
                check_tag(tag)?;
            }
            return Ok(Self {
                repository: name.parse()?,
                wanted: Wanted::Digest(digest),
            });
        }
        let (name, tag) = split_tag(text);
        let repository = name.parse()?;
        let tag = tag.ok_or_else(|| ReferenceError::Unpinned { given: text.to_owned() })?;
        check_tag(tag)?;
        Ok(Self {
            repository,
            wanted: Wanted::Tag(tag.to_owned()),
        })
    }
}

/// Splits at the colon of a tag, not at that of `oci://` or of a port.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

/// Whether a text is a tag by the distribution specification.
pub(crate) fn check_tag(tag: &str) -> Result<(), ReferenceError> {
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let rest = |c: char| first(c) || c == '.' || c == '-';
    if tag.len() <= TAG_MAX && tag.starts_with(first) && tag.chars().all(rest) {
        Ok(())
    } else {
        Err(ReferenceError::Tag {
            given: tag.chars().take(TAG_MAX + 1).collect(),
        })
    }
}

/// The docker rule that tells `host/path` from a path on docker.io.
fn looks_like_a_host(host: &str) -> bool {
    host.contains(['.', ':', '[']) || host.eq_ignore_ascii_case("localhost")
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, after)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
                (None, after.strip_prefix(':').or(Some(after).filter(|p| !p.is_empty())))
            }
            _ => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(text), None),
        },
    };
    host.is_none_or(|host| host.split('.').all(is_dns_label)) && port.is_none_or(is_port)
}

fn is_dns_label(label: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !label.is_empty()
        && label.len() <= 63
        && label.chars().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(component: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators_fit = component
        .split(alphanumeric)
        .all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|b| b == b'-'));
    component.starts_with(alphanumeric) && component.ends_with(alphanumeric) && separators_fit
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.digest)
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => digest.fmt(f),
            Self::Tag(tag) => write!(f, "tag {tag}"),
            Self::Semver(range) => write!(f, "version {range}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_repositories() {
        for (text, registry, path) in [
            ("ghcr.io/acme/policies", "ghcr.io", "acme/policies"),
            ("oci://ghcr.io/acme/policies", "ghcr.io", "acme/policies"),
            ("localhost/x", "localhost", "x"),
            ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000", "a/b/c"),
            ("[::1]:5000/a", "[::1]:5000", "a"),
            ("[::1]/a", "[::1]", "a"),
            ("GHCR.io/a__b.c--d", "ghcr.io", "a__b.c--d"),
        ] {
            let repository: Repository = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!((repository.registry(), repository.path()), (registry, path));
            assert_eq!(repository.to_string().parse(), Ok(repository));
        }
    }

    #[test]
    fn refuses_what_a_registry_would_or_a_url_could_twist() {
        for text in [
            "",
            "nginx",
            "library/nginx",
            "ghcr.io",
            "ghcr.io/",
            "ghcr.io/A",
            "ghcr.io/a//b",
            "ghcr.io/../v2",
            "ghcr.io/a/..",
            "ghcr.io/a___b",
            "ghcr.io/a._b",
            "ghcr.io/-a",
            "ghcr.io/a?b",
            "ghcr.io/a#b",
            "ghcr.io/a b",
            "ghcr.io/a%2e",
            "ghcr.io/a\n",
            "user@ghcr.io/a",
            "user:pw@ghcr.io/a",
            "ghcr.io:0/a",
            "ghcr.io:+1/a",
            "ghcr.io:99999/a",
            "ghcr.io:/a",
            "ghcr..io/a",
            "-x.io/a",
            "[::1/a",
            "[::1]x/a",
            "[zz]/a",
            "https://ghcr.io/a",
            "é.io/a",
            "ghcr.io/é",
        ] {
            assert!(text.parse::<Repository>().is_err(), "{text:?} was accepted");
        }
        assert!(matches!(
            format!("ghcr.io/{}", "a".repeat(300)).parse::<Repository>(),
            Err(ReferenceError::TooLong { .. })
        ));
    }

    #[test]
    fn reads_references() {
        let digest = Digest::of(b"x");
        for (text, wanted) in [
            ("localhost:5000/a:1.0.0".to_owned(), Wanted::Tag("1.0.0".to_owned())),
            ("oci://ghcr.io/a:latest".to_owned(), Wanted::Tag("latest".to_owned())),
            (format!("ghcr.io/a@{digest}"), Wanted::Digest(digest)),
            (format!("ghcr.io/a:v1@{digest}"), Wanted::Digest(digest)),
        ] {
            let reference: Reference = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(reference.wanted, wanted, "{text}");
        }
        for text in [
            "ghcr.io/a",
            "localhost:5000/a",
            "ghcr.io/a:",
            "ghcr.io/a:.x",
            "ghcr.io/a@sha256:12",
            "ghcr.io/a:b:c",
            "ghcr.io/a:b?c",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text:?} was accepted");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_read_is_written_the_same(text in "[a-z]{1,4}[.:@/a-z0-9_-]{0,20}(/[a-z0-9._-]{1,8}){0,3}|\\PC*") {
            drop(text.parse::<Reference>());
            if let Ok(repository) = text.parse::<Repository>() {
                proptest::prop_assert_eq!(repository.to_string(), text.trim_start_matches("oci://").to_ascii_lowercase());
            }
        }
    }
}
