//! Signers: reads the key, says whose it is.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use interlock_bundles::trust::PublicKey;
use interlock_crds::condition::Status;
use interlock_crds::{Signer, SignerStatus};
use jiff::Timestamp;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};

use super::source::Patience;
use super::{Context, apply};
use crate::conditions::{self, Standing};
use crate::judge::chain;

/// Keeps every Signer's status true.
pub async fn run(context: Arc<Context>) {
    let api: Api<Signer> = Api::all(context.client.clone());
    Controller::new(api, watcher::Config::default())
        .trigger_backoff(Patience::default())
        .run(reconcile, |_, _, _| Action::requeue(Duration::from_secs(10)), context)
        .for_each(|result| async move {
            if let Err(error) = result {
                tracing::warn!(error = &error as &dyn std::error::Error, "a Signer was not reconciled");
            }
        })
        .await;
}

async fn reconcile(signer: Arc<Signer>, context: Arc<Context>) -> Result<Action, apply::Error> {
    let new = status(&signer, Timestamp::now());
    let stored = signer.status.clone().unwrap_or_default();
    let same = conditions::same(&stored.conditions, &new.conditions)
        && SignerStatus {
            conditions: vec![],
            ..stored
        } == (SignerStatus {
            conditions: vec![],
            ..new.clone()
        });
    if !same {
        apply::status(
            &context,
            &Api::<Signer>::all(context.client.clone()),
            &signer.name_any(),
            &new,
        )
        .await?;
    }
    Ok(Action::await_change())
}

/// The status to have. Pure.
fn status(signer: &Signer, now: Timestamp) -> SignerStatus {
    let key = PublicKey::from_pem(&signer.spec.public_key.pem);
    let statements = match &key {
        Ok(key) => {
            let message = format!("signatures of this {} key count", key.algorithm());
            conditions::ready(Standing::Ready, Status::True, "KeyAccepted", &message)
        }
        Err(error) => conditions::ready(Standing::Stalled, Status::False, "KeyRejected", &chain(error)),
    };
    let old = signer
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    SignerStatus {
        observed_generation: signer.metadata.generation,
        fingerprint: key.as_ref().ok().map(|key| key.fingerprint().to_string()),
        algorithm: key.as_ref().ok().map(|key| key.algorithm().to_owned()),
        conditions: conditions::merge(old, &statements, signer.metadata.generation, now),
    }
}
