//! Who must have signed, as the command line names them: public keys, one who signs without a key of their own, and one
//! with a certificate of an authority of one's own; and what does not count, whoever signed it.

mod authority;
mod demands;
mod keyless;
mod revoked;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use interlock_bundles::trust::{self, Keyed, Means, PublicKey, Rule, SignatureFormat, Signer, TrustPolicy};

use self::authority::Authority;
use self::demands::Demands;
use self::keyless::Keyless;
use self::revoked::Revoked;
use super::files;

/// Largest key file that is read.
const LARGEST_KEY: u64 = 64 * 1024;

/// Who must have signed it.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Signers {
    /// Public key that must have signed it, as cosign writes it (cosign.pub). Repeatable.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    keyless: Keyless,
    #[command(flatten)]
    authority: Authority,
    #[command(flatten)]
    demands: Demands,
    /// Format in which signatures count. Repeatable; without it, `bundle` and `old-bundle` do. `legacy` is what cosign wrote
    /// before version 3, under a tag, and counts with a key alone.
    #[arg(long = "signature-format", value_name = "FORMAT", value_parser = format,
        long_help = "Format in which signatures count. Repeatable; without it, `bundle` and `old-bundle` do.\n\n- bundle: a Sigstore bundle of version 0.3, which cosign 3 writes\n- old-bundle: one of version 0.1 or 0.2\n- legacy: what cosign wrote before version 3, under a tag; counts with a key alone")]
    formats: Vec<SignatureFormat>,
    /// How many different signers must have signed.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    threshold: u32,
    /// Somebody who has this duty must have signed, and for no two duties the same one: --duty builder=ci.pub --duty
    /// approver=lead.pub. SIGNER is a key's file or an identity, as given. Repeatable, also for one duty.
    #[arg(long = "duty", value_name = "NAME=SIGNER")]
    duties: Vec<Duty>,
    #[command(flatten)]
    revoked: Revoked,
}

/// A duty and somebody who has it.
#[derive(Clone, Debug)]
struct Duty {
    name: String,
    signer: String,
}

impl Signers {
    /// Whether anything was said about who must have signed.
    pub(super) fn given(&self) -> bool {
        !self.keys.is_empty() || self.keyless.given() || self.authority.given()
    }

    /// The trust policy: each key file is a signer named like it, an identity one named by that.
    pub(super) fn policy(&self) -> anyhow::Result<TrustPolicy> {
        let root = self.keyless.root()?;
        let has_demands = !self.keys.is_empty() || self.authority.given();
        let demands = self.demands.of(root.as_ref(), has_demands)?;
        let window = self.demands.window()?;
        let keys = self.keys.iter().map(|file| {
            let key = with_key(file)?;
            let means = Means::Key(Keyed {
                key,
                demands: demands.clone(),
                window,
            });
            Ok(Signer::new(file.display().to_string(), means))
        });
        let mut signers = keys.collect::<anyhow::Result<Vec<_>>>()?;
        signers.extend(if self.authority.given() {
            let subject = self.keyless.subject_alone()?;
            Some(self.authority.signer(subject, self.demands.said(root)?)?)
        } else {
            self.keyless.signer(root, demands.is_some())?
        });
        if signers.is_empty() {
            bail!(
                "no key given: name the public key that must have signed it with --key FILE, or who signs without one with --identity TEXT, --issuer URL and --trusted-root FILE"
            );
        }
        if !self.formats.is_empty() {
            let formats: BTreeSet<_> = self.formats.iter().copied().collect();
            for signer in &mut signers {
                signer.formats.clone_from(&formats);
            }
        }
        let mut policy = TrustPolicy::new(signers, self.threshold);
        policy.duties = self.duties(&policy.signers)?;
        policy.revoked = Arc::new(self.revoked.read());
        Ok(policy)
    }

    fn duties(&self, signers: &[Signer]) -> anyhow::Result<Vec<trust::Duty>> {
        let mut duties: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for Duty { name, signer } in &self.duties {
            if !signers.iter().any(|known| known.name == *signer) {
                let known: Vec<_> = signers.iter().map(|known| format!("{:?}", known.name)).collect();
                bail!(
                    "--duty {name}={signer} names none of those who may sign: they are {}",
                    known.join(", ")
                );
            }
            duties.entry(name).or_default().insert(signer.clone());
        }
        let duties = duties.into_iter().map(|(name, signers)| trust::Duty {
            name: name.to_owned(),
            signers,
        });
        Ok(duties.collect())
    }
}

fn with_key(file: &Path) -> anyhow::Result<PublicKey> {
    let pem = files::read_text(file, LARGEST_KEY).context("no key to check with")?;
    PublicKey::from_pem(&pem).with_context(|| format!("key {} cannot be used", file.display()))
}

/// What a rule says, as it was given.
fn text(rule: &Rule) -> &str {
    match rule {
        Rule::Exact(text) => text,
        Rule::Pattern(pattern) => pattern.as_str(),
    }
}

fn format(text: &str) -> Result<SignatureFormat, String> {
    let known = SignatureFormat::ALL.into_iter().find(|format| format.as_str() == text);
    known.ok_or_else(|| {
        let all = SignatureFormat::ALL.map(SignatureFormat::as_str);
        format!("no format is called {text:?}; there are {}", all.join(", "))
    })
}

impl FromStr for Duty {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, signer)) if !name.is_empty() && !signer.is_empty() => Ok(Self {
                name: name.to_owned(),
                signer: signer.to_owned(),
            }),
            _ => Err("write NAME=SIGNER, as in builder=ci.pub".to_owned()),
        }
    }
}
