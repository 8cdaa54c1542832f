//! Which registries may be spoken to, how, and how much of an answer is taken.

use std::fmt;
use std::time::Duration;

use super::error::RegistryError;
use crate::reference::Repository;

/// How to speak to registries. What is not allowed here is not connected to.
#[derive(Debug, Clone)]
pub struct RegistrySettings {
    /// `host[:port]` for a whole registry, `host[:port]/path` for one repository, `host[:port]/prefix/*`
    /// for all below a prefix. Matched as text: `ghcr.io` does not cover `ghcr.io:443`. An empty list
    /// allows nothing.
    pub allowed: Vec<String>,
    /// `host[:port]` of registries, token servers and blob stores spoken to without TLS.
    pub plain_http: Vec<String>,
    /// The deadline of one whole operation (`resolve`, `pull`, …), with its retries.
    pub timeout: Duration,
    /// The caps on every answer.
    pub caps: Caps,
}

/// Upper bounds on what is taken from a registry. Beyond them: `LimitExceeded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Bytes of a manifest, an index, one page of a listing.
    pub manifest_bytes: u64,
    /// Bytes of a bundle layer.
    pub layer_bytes: u64,
    /// Bytes of one signature (Sigstore bundle).
    pub bundle_bytes: u64,
    /// Bytes of all signatures of one artifact together.
    pub evidence_bytes: u64,
    /// Signatures and attestations of one artifact.
    pub referrers: usize,
    /// Pages of one listing.
    pub pages: usize,
    /// Tags of one repository, looked at to match a version range.
    pub tags: usize,
}

/// What to log in to a registry with.
#[derive(Clone, Default)]
pub enum Credentials {
    /// Nothing; a registry may still hand out an anonymous token.
    #[default]
    Anonymous,
    /// For the registry itself or, where the registry says so, its token server.
    Basic {
        /// The user.
        username: String,
        /// The password or access token.
        password: String,
    },
    /// A registry token, sent as it is.
    Bearer(String),
}

const MIB: u64 = 1024 * 1024;

impl Default for Caps {
    fn default() -> Self {
        Self {
            manifest_bytes: 4 * MIB,
            layer_bytes: 64 * MIB,
            bundle_bytes: 8 * MIB,
            evidence_bytes: 32 * MIB,
            referrers: 64,
            pages: 8,
            tags: 10_000,
        }
    }
}

impl Default for RegistrySettings {
    /// Allows nothing yet; 60 s an operation.
    fn default() -> Self {
        Self {
            allowed: Vec::new(),
            plain_http: Vec::new(),
            timeout: Duration::from_mins(1),
            caps: Caps::default(),
        }
    }
}

impl RegistrySettings {
    /// Refuses entries that would silently match nothing, or more than meant.
    pub(super) fn check(&self) -> Result<(), RegistryError> {
        for entry in &self.allowed {
            let (host, path) = entry.split_once('/').unwrap_or((entry, "a"));
            let path = match path {
                "*" => "a",
                path => path.strip_suffix("/*").unwrap_or(path),
            };
            if format!("{host}/{path}").parse::<Repository>().is_err() {
                return Err(RegistryError::Settings {
                    setting: "allowed",
                    given: entry.clone(),
                    rule: "write host[:port], host[:port]/path or host[:port]/prefix/*",
                });
            }
        }
        for entry in &self.plain_http {
            if entry.contains('/') || format!("{entry}/a").parse::<Repository>().is_err() {
                return Err(RegistryError::Settings {
                    setting: "plain_http",
                    given: entry.clone(),
                    rule: "write host[:port]",
                });
            }
        }
        if self.timeout.is_zero() {
            return Err(RegistryError::Settings {
                setting: "timeout",
                given: "0 s".to_owned(),
                rule: "give an operation at least some time",
            });
        }
        Ok(())
    }

    /// The gate before every connection to a registry.
    pub(super) fn admit(&self, repository: &Repository) -> Result<(), RegistryError> {
        if self.allowed.iter().any(|entry| covers(entry, repository)) {
            Ok(())
        } else {
            Err(RegistryError::NotAllowed {
                repository: repository.clone(),
                allowed: self.allowed.clone(),
            })
        }
    }

    /// Whether this `host[:port]` may be spoken to without TLS.
    pub(super) fn is_plain(&self, authority: &str) -> bool {
        self.plain_http.iter().any(|host| host.eq_ignore_ascii_case(authority))
    }
}

fn covers(entry: &str, repository: &Repository) -> bool {
    let (host, path) = entry.split_once('/').unwrap_or((entry, "*"));
    let fits = match path.strip_suffix('*') {
        // "" for `host/*`, "prefix/" for `host/prefix/*`
        Some(prefix) => repository.path().starts_with(prefix),
        None => repository.path() == path,
    };
    host.eq_ignore_ascii_case(repository.registry()) && fits
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Basic { username, .. } => {
                write!(f, "Basic {{ username: {username:?}, password: … }}")
            }
            Self::Bearer(_) => f.write_str("Bearer(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(allowed: &[&str]) -> RegistrySettings {
        RegistrySettings {
            allowed: allowed.iter().map(ToString::to_string).collect(),
            ..RegistrySettings::default()
        }
    }

    #[test]
    fn only_what_is_listed_is_admitted() {
        let settings = settings(&["ghcr.io/acme/*", "localhost:5000", "quay.io/one/repo", "x.io/*"]);
        assert!(settings.check().is_ok());
        for (repository, admitted) in [
            ("ghcr.io/acme/policies", true),
            ("ghcr.io/acme/a/b", true),
            ("GHCR.io/acme/a", true),
            ("ghcr.io/acme", false),
            ("ghcr.io/acme2/policies", false),
            ("ghcr.io:443/acme/policies", false),
            ("evil-ghcr.io/acme/policies", false),
            ("ghcr.io.evil.io/acme/policies", false),
            ("localhost:5000/x", true),
            ("localhost/x", false),
            ("localhost:50000/x", false),
            ("quay.io/one/repo", true),
            ("quay.io/one/repo2", false),
            ("quay.io/one/repo/x", false),
            ("x.io/anything/at/all", true),
        ] {
            let repository: Repository = repository.parse().unwrap_or_else(|e| panic!("{e}"));
            let answer = settings.admit(&repository);
            assert_eq!(answer.is_ok(), admitted, "{repository}");
        }
        let repository: Repository = "ghcr.io/a".parse().unwrap_or_else(|e| panic!("{e}"));
        assert!(RegistrySettings::default().admit(&repository).is_err());
    }

    #[test]
    fn entries_that_cannot_mean_what_they_say_are_refused() {
        for entry in [
            "*",
            "*.io",
            "ghcr.io/a*",
            "ghcr.io/*/b",
            "https://ghcr.io",
            "",
            "ghcr",
            "ghcr.io/",
        ] {
            assert!(settings(&[entry]).check().is_err(), "{entry:?} was accepted");
        }
        for entry in ["http://localhost", "localhost:5000/x", "", "*"] {
            let settings = RegistrySettings {
                plain_http: vec![entry.to_owned()],
                ..settings(&[])
            };
            assert!(settings.check().is_err(), "{entry:?} was accepted");
        }
        let settings = RegistrySettings {
            timeout: Duration::ZERO,
            ..settings(&[])
        };
        assert!(settings.check().is_err());
    }

    #[test]
    fn credentials_do_not_print() {
        let basic = Credentials::Basic {
            username: "u".into(),
            password: "s3cret".into(),
        };
        let text = format!("{basic:?} {:?}", Credentials::Bearer("s3cret".into()));
        assert!(!text.contains("s3cret"), "{text}");
    }
}
