//! Leader election by Lease: of several replicas one leads, the others wait.

use std::sync::{Arc, Mutex, PoisonError};

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

/// A claim on the Lease, renewed in the background.
pub struct Lease {
    leading: watch::Receiver<bool>,
}

/// Where the renewal of a claim runs, so that it can be waited for when the claim is given up.
#[derive(Clone, Default)]
pub struct Renewal(Arc<Mutex<Option<Task>>>);

type Task = JoinHandle<Result<LeaseManager, LeaseManagerError>>;

impl Renewal {
    /// Waits until the Lease is given back, which happens once the claim is dropped; not for ever.
    pub async fn given_back(&self) {
        let renewal = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(renewal) = renewal
            && tokio::time::timeout(std::time::Duration::from_secs(5), renewal)
                .await
                .is_err()
        {
            tracing::warn!("the Lease could not be given back, and will run out");
        }
    }
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
pub async fn acquire(
    client: &Client,
    settings: &Settings,
    health: &Health,
    renewal: &Renewal,
) -> anyhow::Result<Lease> {
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
                let (leading, task) = manager.watch().await;
                *renewal.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
                health.standing_by();
                return Ok(Lease { leading });
            }
            Err(error) => {
                health.starting("waiting for the API server to give out the Lease");
                tracing::warn!(error = &error as &dyn std::error::Error, namespace = %settings.namespace, "cannot claim the Lease");
                tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            }
        }
    }
}
