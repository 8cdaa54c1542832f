//! Who a certificate was issued to, and which of them may sign. A rule always names issuer and subject: whoever wants
//! anybody to count has to write that down.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use sigstore_verify::crypto::FulcioCiClaims;

/// Longest pattern in characters, and its size when compiled, in bytes.
const PATTERN_CHARS: usize = 1024;
const PATTERN_BYTES: usize = 256 * 1024;

/// Which identities are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityRule {
    /// Who vouches for the subject: the address of an OIDC issuer, as in `https://token.actions.githubusercontent.com`.
    pub issuer: Rule,
    /// The subject: an e-mail address, or a URI such as that of a workflow.
    pub subject: Rule,
    /// What Fulcio must have written into the certificate besides. A claim that is not there does not fit.
    pub claims: BTreeMap<Claim, Rule>,
}

/// What a text has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Exactly this.
    Exact(String),
    /// Matched by this from its beginning to its end.
    Pattern(Pattern),
}

/// A regular expression that a whole text has to match.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

/// Why a text is no usable pattern.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// Not a regular expression, or one that grows too large.
    #[error("the pattern {pattern:?} is no regular expression that can be used: {problem}")]
    Malformed {
        /// As given, shortened.
        pattern: String,
        /// What the parser said.
        problem: String,
    },
    /// It would match nothing at all being there.
    #[error("the pattern {pattern:?} matches the empty text: say what there has to be, or `.+` for anything")]
    MatchesNothing {
        /// As given, shortened.
        pattern: String,
    },
}

impl Pattern {
    /// Reads a pattern. It is held against whole texts, whether it begins with `^` and ends with `$` or not.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let pattern: String = text.chars().take(120).collect();
        let malformed = |problem: String| PatternError::Malformed {
            pattern: pattern.clone(),
            problem,
        };
        if text.chars().count() > PATTERN_CHARS {
            return Err(malformed(format!("it has more than {PATTERN_CHARS} characters")));
        }
        let compile = |text: &str| {
            let regex = RegexBuilder::new(text).size_limit(PATTERN_BYTES).build();
            // Its last line says what is wrong; those before it draw a picture of where.
            regex.map_err(|error| malformed(error.to_string().lines().last().unwrap_or_default().to_owned()))
        };
        // By itself first: `a)|(?:b` would be well-formed between the anchors only, and matched by half.
        compile(text)?;
        let regex = compile(&format!(r"\A(?:{text})\z"))?;
        if regex.is_match("") {
            return Err(PatternError::MatchesNothing { pattern });
        }
        Ok(Self {
            text: text.to_owned(),
            regex,
        })
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Rule {
    pub(super) fn fits(&self, text: &str) -> bool {
        match self {
            Self::Exact(wanted) => wanted == text,
            Self::Pattern(pattern) => pattern.regex.is_match(text),
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(text) => write!(f, "{text:?}"),
            Self::Pattern(pattern) => write!(f, "what matches {:?}", pattern.text),
        }
    }
}

/// What Fulcio writes into a certificate about a build (sigstore/fulcio `docs/oid-info.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// The build's own configuration, with its ref: `https://github.com/o/r/.github/workflows/w.yaml@refs/tags/v1`.
    BuildSignerUri,
    /// The commit of that.
    BuildSignerDigest,
    /// Where it ran: `github-hosted`, `self-hosted`.
    RunnerEnvironment,
    /// The repository that was built.
    SourceRepositoryUri,
    /// Its commit.
    SourceRepositoryDigest,
    /// Its ref: `refs/heads/main`.
    SourceRepositoryRef,
    /// Its owner.
    SourceRepositoryOwnerUri,
    /// The configuration at the top of the build.
    BuildConfigUri,
    /// The commit of that.
    BuildConfigDigest,
    /// What set it off: `push`.
    BuildTrigger,
    /// Whether others could see the repository: `public`.
    SourceRepositoryVisibility,
}

impl Claim {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::BuildSignerUri,
        Self::BuildSignerDigest,
        Self::RunnerEnvironment,
        Self::SourceRepositoryUri,
        Self::SourceRepositoryDigest,
        Self::SourceRepositoryRef,
        Self::SourceRepositoryOwnerUri,
        Self::BuildConfigUri,
        Self::BuildConfigDigest,
        Self::BuildTrigger,
        Self::SourceRepositoryVisibility,
    ];

    /// Its name, as in `sourceRepositoryURI`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BuildSignerUri => "buildSignerURI",
            Self::BuildSignerDigest => "buildSignerDigest",
            Self::RunnerEnvironment => "runnerEnvironment",
            Self::SourceRepositoryUri => "sourceRepositoryURI",
            Self::SourceRepositoryDigest => "sourceRepositoryDigest",
            Self::SourceRepositoryRef => "sourceRepositoryRef",
            Self::SourceRepositoryOwnerUri => "sourceRepositoryOwnerURI",
            Self::BuildConfigUri => "buildConfigURI",
            Self::BuildConfigDigest => "buildConfigDigest",
            Self::BuildTrigger => "buildTrigger",
            Self::SourceRepositoryVisibility => "sourceRepositoryVisibilityAtSigning",
        }
    }

    fn of(self, claims: &FulcioCiClaims) -> Option<&str> {
        let found = match self {
            Self::BuildSignerUri => &claims.build_signer_uri,
            Self::BuildSignerDigest => &claims.build_signer_digest,
            Self::RunnerEnvironment => &claims.runner_environment,
            Self::SourceRepositoryUri => &claims.source_repository_uri,
            Self::SourceRepositoryDigest => &claims.source_repository_digest,
            Self::SourceRepositoryRef => &claims.source_repository_ref,
            Self::SourceRepositoryOwnerUri => &claims.source_repository_owner_uri,
            Self::BuildConfigUri => &claims.build_config_uri,
            Self::BuildConfigDigest => &claims.build_config_digest,
            Self::BuildTrigger => &claims.build_trigger,
            Self::SourceRepositoryVisibility => &claims.source_repository_visibility_at_signing,
        };
        found.as_deref()
    }
}

/// Whom a certificate names. Only from one whose chain was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) issuer: String,
    pub(super) subject: String,
    claims: FulcioCiClaims,
}

impl Identity {
    /// `None` if it names nobody: a certificate without subject or issuer is not one of Fulcio's.
    pub(super) fn of(certificate: &sigstore_verify::crypto::CertificateInfo) -> Option<Self> {
        Some(Self {
            issuer: certificate.issuer.clone()?,
            subject: certificate.identity.as_ref()?.as_str().to_owned(),
            claims: certificate.ci_claims.clone(),
        })
    }
}

impl IdentityRule {
    /// Whether this is one of those meant; else the first thing that does not fit.
    pub(super) fn fits(&self, identity: &Identity) -> Result<(), String> {
        let hold = |what: &str, rule: &Rule, found: Option<&str>| {
            if found.is_some_and(|found| rule.fits(found)) {
                return Ok(());
            }
            let found = found.map_or_else(|| "nothing".to_owned(), super::envelope::shown);
            Err(format!("{what} is {found}, want {rule}"))
        };
        hold("issuer", &self.issuer, Some(&identity.issuer))?;
        hold("subject", &self.subject, Some(&identity.subject))?;
        self.claims
            .iter()
            .try_for_each(|(claim, rule)| hold(claim.as_str(), rule, claim.of(&identity.claims)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Rule::Pattern(Pattern::new(pattern).unwrap()).fits(text)
    }

    #[test]
    fn a_pattern_matches_whole_texts_only() {
        assert!(matches("a|bc", "bc"));
        for (pattern, text) in [
            ("a|bc", "abc"),
            ("a|bc", "bcd"),
            (r"https://ci\.example/.*", "xhttps://ci.example/"),
            (r"(?m)^ci$", "evil\nci"),
            ("ci$", "ci\n"),
            ("ci", "CI"),
        ] {
            assert!(!matches(pattern, text), "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn patterns_that_escape_their_anchors_or_match_nothing_are_refused() {
        for pattern in ["a)|(?:b", "(", "(?x)a #", "", ".*", "a?", "(a{1000}){1000}"] {
            assert!(Pattern::new(pattern).is_err(), "{pattern:?}");
        }
        assert!(Pattern::new(&"a".repeat(2000)).is_err());
        assert!(matches(".+", "anybody"));
    }

    #[test]
    fn every_part_of_a_rule_counts() {
        let exact = |text: &str| Rule::Exact(text.to_owned());
        let mut claims = FulcioCiClaims::default();
        claims.source_repository_ref = Some("refs/heads/main".to_owned());
        let identity = Identity {
            issuer: "https://issuer.example".to_owned(),
            subject: "dev@example.com".to_owned(),
            claims,
        };
        let rule = IdentityRule {
            issuer: exact("https://issuer.example"),
            subject: exact("dev@example.com"),
            claims: BTreeMap::from([(Claim::SourceRepositoryRef, exact("refs/heads/main"))]),
        };
        assert_eq!(rule.fits(&identity), Ok(()));
        let mut other = rule.clone();
        other.issuer = exact("https://issuer.example/");
        assert!(other.fits(&identity).unwrap_err().starts_with("issuer is"));
        let mut other = rule.clone();
        other.subject = exact("dev@example.org");
        assert!(other.fits(&identity).unwrap_err().starts_with("subject is"));
        for claim in Claim::ALL {
            let mut other = rule.clone();
            other.claims.insert(claim, exact("something else"));
            assert!(
                other.fits(&identity).unwrap_err().starts_with(claim.as_str()),
                "{claim:?}"
            );
        }
    }
}
