//! Bundles as the command line names them: a file, a reference in a registry, or the ones that are built in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use interlock_bundles::archive::Bundle;
use interlock_bundles::reference::{Pinned, Reference, Repository};
use interlock_bundles::registry::{Credentials, Evidence, Registry, RegistrySettings};
use interlock_bundles::trust::{BuiltIn, LocalFile, SignatureFormat, TrustPolicy};

use super::signers::Signers;
use crate::docker_config::DockerConfig;

/// Bundles that are part of this program, by their names.
static BUILT_IN: [(&str, &[u8]); 2] = [
    (BASELINE, include_bytes!("../../../bundles/dist/baseline.tar.gz")),
    (MODEL, include_bytes!("../../../bundles/dist/model.tar.gz")),
];

/// The built-in bundle for every workload.
pub(super) const BASELINE: &str = "baseline";

/// The built-in bundle for what serves models.
pub(super) const MODEL: &str = "model";

/// How to speak to a registry.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Access {
    /// Speak to the registry without TLS.
    #[arg(long)]
    pub(super) plain_http: bool,
    /// Seconds after which a registry that has not answered completely is given up.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

impl Access {
    /// How long to wait for a complete answer.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// A client that speaks to the reference's own registry and to no other.
    pub(super) fn registry(&self, reference: &Reference) -> anyhow::Result<(Registry, Credentials)> {
        let host = reference.repository.registry().to_owned();
        let settings = RegistrySettings {
            plain_http: if self.plain_http {
                vec![host.clone()]
            } else {
                Vec::new()
            },
            timeout: self.timeout(),
            allowed: vec![host],
            ..RegistrySettings::default()
        };
        Ok((Registry::new(settings)?, credentials(&reference.repository)?))
    }

    /// What a reference points to, with all signatures of it that may count.
    pub(super) async fn look_up(&self, reference: &Reference, trust: &TrustPolicy) -> anyhow::Result<Found> {
        let (registry, credentials) = self.registry(reference)?;
        let pinned = registry
            .resolve(&reference.repository, &reference.wanted, &credentials)
            .await?;
        let legacy = trust.accepts(SignatureFormat::Legacy);
        let evidence = registry.evidence(&pinned, legacy, &credentials).await?;
        Ok(Found {
            registry,
            credentials,
            pinned,
            evidence,
        })
    }
}

/// An artifact in a registry, with its signatures.
pub(super) struct Found {
    /// Where it is.
    pub(super) registry: Registry,
    /// How to log in there.
    pub(super) credentials: Credentials,
    /// Which one it is.
    pub(super) pinned: Pinned,
    /// Its signatures.
    pub(super) evidence: Vec<Evidence>,
}

/// What `docker login` left behind; nothing if there is no such file.
fn credentials(repository: &Repository) -> anyhow::Result<Credentials> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")));
    let Some(file) = folder.map(|folder| folder.join("config.json")) else {
        return Ok(Credentials::Anonymous);
    };
    let bytes = match std::fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Credentials::Anonymous),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let config: DockerConfig =
        serde_json::from_slice(&bytes).with_context(|| format!("{} is no Docker configuration", file.display()))?;
    // A registry without an entry may well be public.
    Ok(config
        .credentials(&repository.to_string())
        .unwrap_or(Credentials::Anonymous))
}

/// Whether there is a built-in bundle of that name.
pub(super) fn is_built_in(name: &str) -> bool {
    BUILT_IN.iter().any(|(own, _)| *own == name)
}

/// The built-in bundle of that name.
pub(super) fn built_in(name: &str) -> anyhow::Result<Bundle> {
    let found = BUILT_IN.iter().find(|(own, _)| *own == name);
    let (_, bytes) = found.with_context(|| format!("there is no built-in bundle {name:?}"))?;
    BuiltIn::include(bytes)
        .open()
        .with_context(|| format!("the built-in bundle {name} cannot be opened"))
}

/// A bundle by file name or reference. A file is trusted because the user named it; a reference needs signers.
pub(super) async fn open(name: &str, signers: &Signers, access: &Access) -> anyhow::Result<Bundle> {
    let path = Path::new(name);
    if path.exists() || !looks_like_reference(name) {
        let file = LocalFile::read(path)?;
        return file
            .open()
            .with_context(|| format!("{name} cannot be used as a bundle"));
    }
    let reference: Reference = name
        .parse()
        .with_context(|| format!("{name:?} is no file and no reference"))?;
    let trust = signers
        .policy()
        .with_context(|| format!("{name} is no file, so it is pulled from its registry"))?;
    let found = access.look_up(&reference, &trust).await?;
    trust.satisfied_by(&found.pinned.digest, &found.evidence)?;
    let pulled = found.registry.pull(&found.pinned, &found.credentials).await?;
    let verified = trust.verify(pulled, &found.evidence)?;
    verified
        .open()
        .with_context(|| format!("{} cannot be used as a bundle", found.pinned))
}

/// A file that does not exist should be told as that.
pub(super) fn looks_like_reference(name: &str) -> bool {
    name.starts_with("oci://")
        || name.contains("@sha256:")
        || (name.contains('/') && name.contains(':'))
        || name.parse::<Repository>().is_ok()
}
