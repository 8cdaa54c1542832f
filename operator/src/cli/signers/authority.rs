//! One who signs with a certificate of an authority of one's own. The roots are given; none is taken from this machine.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, bail};
use interlock_bundles::trust::{self, CertificateAuthority, Issued, Means, Rule, Signer, SigningTime};
use jiff::Timestamp;

use super::text;
use crate::cli::files;

/// Largest file of certificates that is read.
const LARGEST: u64 = 256 * 1024;

const HEADING: &str = "Certificates of an authority of your own";

/// Flags of a signer with such a certificate.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Authority {
    /// The authority's root certificates in PEM. The signer's certificate has to name --identity, and its chain to come with
    /// the signature.
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    ca_roots: Option<PathBuf>,
    /// Certificates between those and the signer's that do not come with the signature.
    #[arg(long, value_name = "FILE", help_heading = HEADING, requires = "ca_roots")]
    ca_intermediates: Option<PathBuf>,
    /// When the certificates have to be valid: a time as in 2026-01-31T00:00:00Z, or `issuance` for when the signer's was
    /// issued, whenever it was used. With --trusted-root it is known when that was; without either it is now.
    #[arg(long, value_name = "TIME|issuance", help_heading = HEADING, requires = "ca_roots", conflicts_with = "trusted_root")]
    certificate_time: Option<CertificateTime>,
}

/// When certificates have to be valid.
#[derive(Clone, Copy, Debug)]
enum CertificateTime {
    At(Timestamp),
    Issuance,
}

impl Authority {
    /// Whether there is such a signer.
    pub(super) fn given(&self) -> bool {
        self.ca_roots.is_some()
    }

    /// The signer, by that name; `said` is what must be known of when it was signed.
    pub(super) fn signer(&self, subject: Rule, said: Option<trust::Demands>) -> anyhow::Result<Signer> {
        let Some(file) = &self.ca_roots else {
            bail!("--ca-roots FILE is missing");
        };
        let read = |file: &PathBuf| files::read_text(file, LARGEST).context("no certificates to check with");
        let roots = read(file)?;
        let intermediates = self.ca_intermediates.as_ref().map(read).transpose()?;
        if let (Some(file), Some(pem)) = (&self.ca_intermediates, &intermediates)
            && !pem.contains("-----BEGIN CERTIFICATE-----")
        {
            bail!(
                "there is no certificate in {}: want PEM blocks that begin with -----BEGIN CERTIFICATE-----",
                file.display()
            );
        }
        let authority = CertificateAuthority::from_pem(&roots, &intermediates.unwrap_or_default())
            .with_context(|| format!("the authority of {} cannot be used", file.display()))?;
        let time = match (said, self.certificate_time) {
            (Some(demands), _) => SigningTime::Said(demands),
            (None, Some(CertificateTime::At(time))) => SigningTime::At(time),
            (None, Some(CertificateTime::Issuance)) => SigningTime::Issuance,
            (None, None) => SigningTime::At(Timestamp::now()),
        };
        let name = text(&subject).to_owned();
        let issued = Issued {
            authority,
            subject,
            time,
        };
        Ok(Signer::new(name, Means::Issued(issued)))
    }
}

impl FromStr for CertificateTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "issuance" {
            return Ok(Self::Issuance);
        }
        let time = text.parse().map(Self::At);
        time.map_err(|_| "write a time as in 2026-01-31T00:00:00Z, or issuance".to_owned())
    }
}
