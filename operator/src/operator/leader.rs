//! Leader election by Lease: of several replicas one leads, the others wait.

use anyhow::Context as _;
use kube::Client;
use kube_lease_manager::{LeaseCreateMode, LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::server::Health;
use super::{MANAGER, Settings};

/// Seconds after which a silent leader has lost.
const DURATION: u64 = 15;
/// Seconds before that end at which the leader renews.
const GRACE: u64 = 8;

/// A claim on the Lease, renewed in the background. Dropping it gives the Lease back.
pub struct Lease {
    leading: watch::Receiver<bool>,
    _renewal: JoinHandle<Result<LeaseManager, LeaseManagerError>>,
}

impl Lease {
    /// Waits until this replica leads, or no longer does.
    pub async fn wait_for(&mut self, leading: bool) -> anyhow::Result<()> {
        self.leading
            .wait_for(|now| *now == leading)
            .await
            .context("the Lease is no longer renewed")?;
        Ok(())
    }
}

/// Claims the Lease. While the API server cannot be reached it is tried again.
pub async fn acquire(client: &Client, settings: &Settings, health: &Health) -> anyhow::Result<Lease> {
    loop {
        let built = LeaseManagerBuilder::new(client.clone(), MANAGER)
            .with_namespace(&settings.namespace)
            .with_identity(&settings.identity)
            .with_duration(DURATION)
            .with_grace(GRACE)
            .with_field_manager(MANAGER)
            .with_create_mode(LeaseCreateMode::AutoCreate)
            .build()
            .await;
        match built {
            Ok(manager) => {
                let (leading, renewal) = manager.watch().await;
                health.standing_by();
                return Ok(Lease {
                    leading,
                    _renewal: renewal,
                });
            }
            Err(error) => {
                health.starting("waiting for the API server to give out the Lease");
                tracing::warn!(%error, namespace = %settings.namespace, "cannot claim the Lease");
                tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            }
        }
    }
}
