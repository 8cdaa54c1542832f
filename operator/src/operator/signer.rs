//! Signers and the TrustRoots under them: says of each whether it can be used, and of what use it is.
//!
//! What they mean for a signature is found out by whoever needs it (`registry`), from the same watched objects;
//! the statuses written here decide nothing.

mod root;

use std::sync::Arc;
use std::time::Duration;

use interlock_bundles::trust::{Means, TrustRoot as Root};
use interlock_crds::condition::Status;
use interlock_crds::{Signer, SignerStatus, TrustRoot, TrustRootStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Api, ResourceExt as _};

use super::registry::signers::{self, Unusable};
use super::{Context, apply};
use crate::conditions::{self, Standing};
use crate::judge::chain;

/// What is applied together is one change.
const GATHER: Duration = Duration::from_millis(200);

/// All is looked at again after this, or when something expires before: that no object changes is no reason to stay.
const LONGEST: Duration = Duration::from_hours(1);

/// Keeps every status true.
pub async fn run(context: Arc<Context>) {
    let mut changed = context.sources.trust.subscribe();
    changed.mark_changed();
    let mut wait = LONGEST;
    loop {
        tokio::select! {
            alive = changed.changed() => if alive.is_err() { return },
            () = tokio::time::sleep(wait) => {}
        }
        tokio::time::sleep(GATHER).await;
        changed.mark_unchanged();
        wait = refresh(&context, Timestamp::now()).await;
    }
}

/// After a write that failed.
const RETRY: Duration = Duration::from_secs(5);

/// Writes what is not said yet; answers after which time to look again.
async fn refresh(context: &Context, now: Timestamp) -> Duration {
    let sources = &context.sources;
    let roots: Api<TrustRoot> = Api::all(context.client.clone());
    let mut next = LONGEST;
    let mut ends = Vec::new();
    for object in sources.trust_roots.all() {
        let name = object.name_any();
        let new = root::status(&object, &sources.known_roots.read(sources, &object), now);
        if let Some(Time(expires)) = new.expires {
            ends.push((name.clone(), expires.as_second()));
            let left = Duration::try_from(expires.duration_since(now)).unwrap_or(LONGEST);
            next = next.min(left + Duration::from_secs(1));
        }
        let stored = object.status.clone().unwrap_or_default();
        let bare = |status: TrustRootStatus| TrustRootStatus {
            conditions: vec![],
            ..status
        };
        if !conditions::same(&stored.conditions, &new.conditions) || bare(stored) != bare(new.clone()) {
            next = next.min(pause(&apply::status(context, &roots, &name, &new).await));
        }
    }
    let named = ends.iter().map(|(name, end)| (name.as_str(), *end));
    context.metrics.roots_expire(named);
    let signers: Api<Signer> = Api::all(context.client.clone());
    for object in sources.signers.all() {
        let new = status(&object, &signers::resolve(sources, &object), now);
        let stored = object.status.clone().unwrap_or_default();
        let bare = |status: SignerStatus| SignerStatus {
            conditions: vec![],
            ..status
        };
        if !conditions::same(&stored.conditions, &new.conditions) || bare(stored) != bare(new.clone()) {
            next = next.min(pause(&apply::status(context, &signers, &object.name_any(), &new).await));
        }
    }
    next
}

/// When to look again after a write. One that fails keeps no other from being written.
fn pause(written: &Result<(), apply::Error>) -> Duration {
    let Err(error) = written else { return LONGEST };
    tracing::warn!(
        error = error as &dyn std::error::Error,
        "a status was not written, will be tried again"
    );
    RETRY
}

/// The status to have. Pure.
fn status(
    signer: &Signer,
    read: &Result<Vec<interlock_bundles::trust::Signer>, Unusable>,
    now: Timestamp,
) -> SignerStatus {
    let mut status = SignerStatus {
        observed_generation: signer.metadata.generation,
        ..SignerStatus::default()
    };
    let (standing, ready, reason, message) = match read {
        Err(problem) => {
            let standing = Standing::despite(problem.is_transient());
            (standing, Status::False, problem.reason(), chain(problem))
        }
        Ok(signers) => match signers.first().map(|signer| &signer.means) {
            Some(Means::Keyless(keyless)) => {
                status.trust_root_digest = Some(keyless.root.digest().to_string());
                under(&keyless.root, signers.len(), now)
            }
            Some(Means::Key(key)) => {
                status.fingerprint = Some(key.key.fingerprint().to_string());
                status.algorithm = Some(key.key.algorithm().to_owned());
                let message = format!("signatures of this {} key count", key.key.algorithm());
                (Standing::Ready, Status::True, "KeyAccepted", message)
            }
            // No Signer says so yet.
            Some(Means::Issued(_)) | None => (
                Standing::Stalled,
                Status::False,
                "InvalidIdentity",
                "it names nobody".to_owned(),
            ),
        },
    };
    let statements = conditions::ready(standing, ready, reason, &message);
    let old = signer.status.as_ref().map(|status| status.conditions.as_slice());
    status.conditions = conditions::merge(old.unwrap_or_default(), &statements, signer.metadata.generation, now);
    status
}

/// Whether those who sign without a key can sign anything new.
fn under(root: &Root, identities: usize, now: Timestamp) -> (Standing, Status, &'static str, String) {
    if let Some(end) = root::expired(root, now) {
        let message = format!("{}; what was signed before counts", root::over(end));
        return (Standing::Stalled, Status::False, "Expired", message);
    }
    let whose = match identities {
        1 => "signatures of one identity count".to_owned(),
        more => format!("signatures of {more} identities count"),
    };
    (Standing::Ready, Status::True, "IdentityAccepted", whose)
}

#[cfg(test)]
mod tests {
    use interlock_bundles::trust::PublicKey;
    use serde_json::{Value, json};

    use super::*;

    fn ready(status: &SignerStatus) -> (&str, &str) {
        (&status.conditions[0].status, &status.conditions[0].reason)
    }

    fn keyless(root: &Root) -> interlock_bundles::trust::Signer {
        use interlock_bundles::trust::{IdentityRule, Keyless, Rule, Signer};
        let exact = |text: &str| Rule::Exact(text.to_owned());
        let identity = IdentityRule {
            issuer: exact("https://i"),
            subject: exact("a@b"),
            claims: std::collections::BTreeMap::new(),
        };
        let means = Means::Keyless(Keyless {
            identity,
            root: root.clone(),
            logged: true,
            certificate_logged: true,
        });
        let name = "ci".to_owned();
        Signer::new(name, means)
    }

    fn object(spec: Value) -> Signer {
        Signer::new("ci", serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn a_signer_says_of_what_use_it_is_and_twice_the_same() {
        let pem = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../bundles/testdata/trust/release.pub"
        ));
        let now = root::tests::at("2026-01-01T00:00:00Z");
        let mut signer = object(json!({"publicKey": {"pem": pem}}));
        let read = Ok(vec![interlock_bundles::trust::Signer::with_key(
            "ci",
            PublicKey::from_pem(pem).unwrap(),
        )]);
        let said = status(&signer, &read, now);
        assert_eq!(ready(&said), ("True", "KeyAccepted"));
        assert!(said.fingerprint.is_some() && said.algorithm.is_some() && said.trust_root_digest.is_none());
        signer.status = Some(said.clone());
        let later = root::tests::at("2027-01-01T00:00:00Z");
        assert_eq!(status(&signer, &read, later), said);
    }

    #[test]
    fn whoever_signs_without_a_key_is_ready_while_certificates_can_be_issued() {
        let root = root::tests::root();
        let signer = object(json!({"keyless": {"trustRoot": "r", "identities": [
            {"issuer": {"exact": "https://i"}, "subject": {"exact": "a@b"}}]}}));
        let said = status(
            &signer,
            &Ok(vec![keyless(&root)]),
            root::tests::at("2026-01-01T00:00:00Z"),
        );
        assert_eq!(ready(&said), ("True", "IdentityAccepted"));
        assert_eq!(said.trust_root_digest, Some(root.digest().to_string()));
        let said = status(
            &signer,
            &Ok(vec![keyless(&root)]),
            root::tests::at("2300-01-01T00:00:00Z"),
        );
        assert_eq!(ready(&said), ("False", "Expired"));
        let missing = Err(Unusable::RootNotFound { name: "r".to_owned() });
        let said = status(&signer, &missing, root::tests::at("2026-01-01T00:00:00Z"));
        assert_eq!(ready(&said), ("False", "TrustRootNotFound"));
        assert_eq!(said.conditions[1].type_, "Reconciling");
    }
}
