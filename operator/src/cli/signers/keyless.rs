//! One who signs without a key of their own. Identity, issuer and trust root are demanded, each by name: leaving one out
//! must not mean "anybody". Names that cosign gives to the same flags are taken too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};
use clap::ArgAction;
use clap::builder::NonEmptyStringValueParser;
use interlock_bundles::trust::{self, Claim, IdentityRule, Means, Pattern, Rule, Signer, TrustRoot};

use super::text;
use crate::cli::files;

/// Largest trust root that is read; the public Sigstore's has 7 kB.
const LARGEST_ROOT: u64 = 1024 * 1024;

const HEADING: &str = "Keyless signatures";

/// Flags of a keyless signer.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Keyless {
    /// The trusted_root.json whose authorities and logs count. None is built in, and none is downloaded.
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    trusted_root: Option<PathBuf>,
    /// Who must have signed: the certificate's e-mail address or URI.
    #[arg(long, visible_alias = "certificate-identity", value_name = "TEXT", help_heading = HEADING,
        conflicts_with = "identity_regexp", value_parser = NonEmptyStringValueParser::new())]
    identity: Option<String>,
    /// The same as a regular expression, which has to match from beginning to end.
    #[arg(long, visible_alias = "certificate-identity-regexp", value_name = "PATTERN", help_heading = HEADING,
        value_parser = Pattern::new)]
    identity_regexp: Option<Pattern>,
    /// Who vouches for that name: the address of the OIDC issuer.
    #[arg(long, visible_alias = "certificate-oidc-issuer", value_name = "URL", help_heading = HEADING,
        conflicts_with = "issuer_regexp", value_parser = NonEmptyStringValueParser::new())]
    issuer: Option<String>,
    /// The same as a regular expression, which has to match from beginning to end.
    #[arg(long, visible_alias = "certificate-oidc-issuer-regexp", value_name = "PATTERN", help_heading = HEADING,
        value_parser = Pattern::new)]
    issuer_regexp: Option<Pattern>,
    /// What the certificate must say of the build besides, as in sourceRepositoryRef=refs/heads/main. Repeatable.
    #[arg(long = "claim", value_name = "NAME=VALUE", help_heading = HEADING)]
    claims: Vec<WantedClaim>,
    /// Do without the entry in a transparency log. With keys none is demanded, unless by --require-transparency-log.
    #[arg(long, visible_alias = "insecure-ignore-tlog", value_name = "BOOL", help_heading = HEADING,
        action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value_t = false, hide_default_value = true, hide_possible_values = true)]
    no_transparency_log: bool,
    /// Do without a certificate log's promise in the certificate.
    #[arg(long, visible_alias = "insecure-ignore-sct", value_name = "BOOL", help_heading = HEADING,
        action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value_t = false, hide_default_value = true, hide_possible_values = true)]
    no_certificate_log: bool,
}

/// A claim and the value that it must have.
#[derive(Clone, Debug)]
struct WantedClaim {
    claim: Claim,
    value: String,
}

impl Keyless {
    /// Whether any of these flags was given.
    pub(super) fn given(&self) -> bool {
        self.first().is_some() || self.no_transparency_log || self.no_certificate_log
    }

    /// The trust root, if there is one.
    pub(super) fn root(&self) -> anyhow::Result<Option<TrustRoot>> {
        self.trusted_root.as_deref().map(read_root).transpose()
    }

    /// Whom a certificate of an authority of one's own has to name: there is no issuer then, nor any claim.
    pub(super) fn subject_alone(&self) -> anyhow::Result<Rule> {
        let others = [
            ("--issuer", self.issuer.is_some()),
            ("--issuer-regexp", self.issuer_regexp.is_some()),
            ("--claim", !self.claims.is_empty()),
            ("--no-transparency-log", self.no_transparency_log),
            ("--no-certificate-log", self.no_certificate_log),
        ];
        if let Some((flag, _)) = others.into_iter().find(|(_, is)| *is) {
            bail!("{flag} is about keyless signatures, and --ca-roots about certificates of an authority of your own");
        }
        rule(self.identity.as_ref(), self.identity_regexp.as_ref()).context(
            "--ca-roots alone does not say whose signature counts: add --identity TEXT (or --identity-regexp PATTERN)",
        )
    }

    /// The signer whom the flags name; none if they name nobody. To name one by half is an error, but for a trust root
    /// that is needed for something else.
    pub(super) fn signer(&self, root: Option<TrustRoot>, root_is_used: bool) -> anyhow::Result<Option<Signer>> {
        let Some(first) = self.first() else { return Ok(None) };
        if root_is_used && self.names_nobody() {
            return Ok(None);
        }
        let subject = rule(self.identity.as_ref(), self.identity_regexp.as_ref());
        let issuer = rule(self.issuer.as_ref(), self.issuer_regexp.as_ref());
        let (Some(subject), Some(issuer), Some(root)) = (&subject, &issuer, root) else {
            let missing = [
                (subject.is_none(), "--identity TEXT (or --identity-regexp PATTERN)"),
                (issuer.is_none(), "--issuer URL (or --issuer-regexp PATTERN)"),
                (self.trusted_root.is_none(), ROOT_MISSING),
            ];
            let missing: Vec<_> = missing
                .into_iter()
                .filter_map(|(is, what)| is.then_some(what))
                .collect();
            bail!(
                "{first} alone does not say whose signature counts, which takes an identity, its issuer and a trust root: add {}",
                missing.join(", and ")
            );
        };
        let means = trust::Keyless {
            identity: IdentityRule {
                issuer: issuer.clone(),
                subject: subject.clone(),
                claims: self.claims()?,
            },
            root,
            logged: !self.no_transparency_log,
            certificate_logged: !self.no_certificate_log,
        };
        Ok(Some(Signer::new(text(subject), Means::Keyless(means))))
    }

    fn names_nobody(&self) -> bool {
        let subject = self.identity.is_none() && self.identity_regexp.is_none();
        let issuer = self.issuer.is_none() && self.issuer_regexp.is_none();
        subject && issuer && self.claims.is_empty()
    }

    /// The first flag that names somebody, with its value.
    fn first(&self) -> Option<String> {
        let pattern = |given: Option<&Pattern>| given.map(|pattern| pattern.as_str().to_owned());
        let claim = |wanted: &WantedClaim| format!("{}={}", wanted.claim.as_str(), wanted.value);
        let given = [
            ("identity", self.identity.clone()),
            ("identity-regexp", pattern(self.identity_regexp.as_ref())),
            ("issuer", self.issuer.clone()),
            ("issuer-regexp", pattern(self.issuer_regexp.as_ref())),
            (
                "trusted-root",
                self.trusted_root.as_ref().map(|file| file.display().to_string()),
            ),
            ("claim", self.claims.first().map(claim)),
        ];
        given
            .into_iter()
            .find_map(|(flag, value)| Some(format!("--{flag} {}", value?)))
    }

    fn claims(&self) -> anyhow::Result<BTreeMap<Claim, Rule>> {
        let mut claims = BTreeMap::new();
        for WantedClaim { claim, value } in &self.claims {
            if let Some(other) = claims.insert(*claim, Rule::Exact(value.clone())) {
                bail!(
                    "--claim {} is to be both {other} and {value:?}: give each claim once",
                    claim.as_str()
                );
            }
        }
        Ok(claims)
    }
}

const ROOT_MISSING: &str = "--trusted-root FILE (none is built in, and none is downloaded; `cosign trusted-root create --with-default-services --out trusted_root.json` writes the public Sigstore's)";

fn rule(text: Option<&String>, pattern: Option<&Pattern>) -> Option<Rule> {
    let exact = text.cloned().map(Rule::Exact);
    exact.or_else(|| pattern.cloned().map(Rule::Pattern))
}

fn read_root(file: &Path) -> anyhow::Result<TrustRoot> {
    let json = files::read(file, LARGEST_ROOT).context("no trust root to check with")?;
    TrustRoot::from_json(&json).with_context(|| format!("trust root {} cannot be used", file.display()))
}

impl FromStr for WantedClaim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) if !value.is_empty() => (name, value),
            _ => return Err("write NAME=VALUE, as in sourceRepositoryRef=refs/heads/main".to_owned()),
        };
        let claim = Claim::ALL.into_iter().find(|claim| claim.as_str() == name);
        let claim = claim.ok_or_else(|| {
            let known: Vec<_> = Claim::ALL.into_iter().map(Claim::as_str).collect();
            format!("no claim is called {name:?}; there are {}", known.join(", "))
        })?;
        Ok(Self {
            claim,
            value: value.to_owned(),
        })
    }
}
