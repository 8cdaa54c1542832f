//! Signers and the TrustRoots under them: says of each whether it can be used, and of what use it is.
//!
//! What they mean for a signature is found out by whoever needs it (`registry`), from the same watched objects;
//! the statuses written here decide nothing.

mod end;
mod root;

use std::sync::Arc;
use std::time::Duration;

use interlock_bundles::trust::{self, Demands, Keyed, Means, SigningTime};
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
    let until = |expires: &Option<Time>| {
        let left = expires
            .as_ref()
            .map(|Time(end)| Duration::try_from(end.duration_since(now)));
        left.map_or(LONGEST, |left| left.unwrap_or(LONGEST) + Duration::from_secs(1))
    };
    let mut ends = Vec::new();
    for object in sources.trust_roots.all() {
        let name = object.name_any();
        let new = root::status(&object, &sources.known_roots.read(sources, &object), now);
        next = next.min(until(&new.expires));
        ends.extend(new.expires.as_ref().map(|Time(end)| (name.clone(), end.as_second())));
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
        next = next.min(until(&new.expires));
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
fn status(signer: &Signer, read: &Result<Vec<trust::Signer>, Unusable>, now: Timestamp) -> SignerStatus {
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
            Some(means) => {
                let end = end::of(means);
                status.expires = end.map(|end| end.time());
                let (reason, message) = accepted(means, signers.len(), &mut status);
                match end.filter(|end| end.is_past(now)) {
                    Some(end) => (Standing::Stalled, Status::False, "Expired", end.to_string()),
                    None => (Standing::Ready, Status::True, reason, message),
                }
            }
            None => (
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

/// Whose signatures count, in a word and a sentence; what else there is to know of it goes into the status.
fn accepted(means: &Means, count: usize, status: &mut SignerStatus) -> (&'static str, String) {
    match means {
        Means::Key(keyed) => {
            status.fingerprint = Some(keyed.key.fingerprint().to_string());
            status.algorithm = Some(keyed.key.algorithm().to_owned());
            status.trust_root_digest = keyed.demands.as_ref().map(|demands| demands.root.digest().to_string());
            ("KeyAccepted", key_counts(keyed))
        }
        Means::Keyless(keyless) => {
            status.trust_root_digest = Some(keyless.root.digest().to_string());
            let whose = match count {
                1 => "signatures of one identity count".to_owned(),
                more => format!("signatures of {more} identities count"),
            };
            ("IdentityAccepted", whose)
        }
        Means::Issued(issued) => {
            let keys = issued.authority.root_keys();
            status.root_fingerprints = keys.map(|key| key.to_string()).collect();
            let demands = match &issued.time {
                SigningTime::Said(demands) => Some(demands),
                SigningTime::Issuance | SigningTime::At(_) => None,
            };
            status.trust_root_digest = demands.map(|demands| demands.root.digest().to_string());
            let of = match count {
                1 => "of one subject".to_owned(),
                more => format!("of {more} subjects"),
            };
            let count = format!("signatures with this authority's certificates {of} count");
            ("AuthorityAccepted", conditional(count, demanded(demands)))
        }
    }
}

/// Which signatures of a key count.
fn key_counts(keyed: &Keyed) -> String {
    let made = Some(format!("made {}", keyed.window)).filter(|_| keyed.window.is_bounded());
    let count = format!("signatures of this {} key count", keyed.key.algorithm());
    conditional(count, demanded(keyed.demands.as_ref()).chain(made))
}

/// What a signature has to be.
fn demanded(demands: Option<&Demands>) -> impl Iterator<Item = String> {
    let logged = demands
        .filter(|demands| demands.logged)
        .map(|_| "in a transparency log");
    let timestamped = demands.filter(|demands| demands.timestamped);
    let timestamped = timestamped.map(|_| "seen by a timestamp authority");
    logged.into_iter().chain(timestamped).map(str::to_owned)
}

fn conditional(count: String, terms: impl Iterator<Item = String>) -> String {
    let terms: Vec<_> = terms.collect();
    if terms.is_empty() {
        count
    } else {
        format!("{count} if they are {}", terms.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use interlock_bundles::trust::{CertificateAuthority, Issued, PublicKey, Rule, Window};
    use serde_json::{Value, json};

    use super::*;

    fn ready(status: &SignerStatus) -> (&str, &str) {
        (&status.conditions[0].status, &status.conditions[0].reason)
    }

    fn keyless(root: &trust::TrustRoot) -> trust::Signer {
        use trust::{IdentityRule, Keyless, Rule, Signer};
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
        let read = Ok(vec![trust::Signer::with_key("ci", PublicKey::from_pem(pem).unwrap())]);
        let said = status(&signer, &read, now);
        assert_eq!(ready(&said), ("True", "KeyAccepted"));
        assert!(said.fingerprint.is_some() && said.algorithm.is_some());
        assert_eq!((said.trust_root_digest.as_ref(), said.expires.as_ref()), (None, None));
        signer.status = Some(said.clone());
        let later = root::tests::at("2027-01-01T00:00:00Z");
        assert_eq!(status(&signer, &read, later), said);
    }

    #[test]
    fn a_key_says_what_its_signatures_need_and_when_its_time_is_over() {
        let pem = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../bundles/testdata/trust/release.pub"
        ));
        let root = root::tests::root();
        let keyed = Keyed {
            key: PublicKey::from_pem(pem).unwrap(),
            demands: Some(Demands {
                root: root.clone(),
                logged: true,
                timestamped: false,
            }),
            window: Window {
                start: None,
                end: Some(root::tests::at("2026-06-01T00:00:00Z")),
            },
        };
        let signer = object(json!({"publicKey": {"pem": pem}}));
        let read = Ok(vec![trust::Signer::new("ci", Means::Key(keyed))]);
        let said = status(&signer, &read, root::tests::at("2026-01-01T00:00:00Z"));
        assert_eq!(ready(&said), ("True", "KeyAccepted"));
        assert_eq!(
            said.conditions[0].message,
            "signatures of this ECDSA P-256 with SHA-256 key count if they are in a transparency log and made until 2026-06-01T00:00:00Z"
        );
        assert_eq!(said.trust_root_digest, Some(root.digest().to_string()));
        assert_eq!(said.expires, Some(Time(root::tests::at("2026-06-01T00:00:00Z"))));
        let said = status(&signer, &read, root::tests::at("2026-06-02T00:00:00Z"));
        assert_eq!(ready(&said), ("False", "Expired"));
        assert!(said.fingerprint.is_some(), "it still says which key it is");
    }

    #[test]
    fn an_authority_says_by_which_keys_it_is_known_and_what_its_signatures_need() {
        let roots = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../bundles/testdata/keyless/pki_root.pem"
        ));
        let said = |time: SigningTime| {
            let issued = Issued {
                authority: CertificateAuthority::from_pem(roots, "").unwrap(),
                subject: Rule::Exact("a@b".to_owned()),
                time,
            };
            let signer = object(json!({"certificateAuthority": {"roots": roots, "subjects": [{"exact": "a@b"}]}}));
            let read = Ok(vec![trust::Signer::new("ci", Means::Issued(issued))]);
            status(&signer, &read, root::tests::at("2026-01-01T00:00:00Z"))
        };
        let dated = said(SigningTime::Said(Demands {
            root: root::tests::root(),
            logged: false,
            timestamped: true,
        }));
        assert_eq!(ready(&dated), ("True", "AuthorityAccepted"));
        assert_eq!(
            dated.conditions[0].message,
            "signatures with this authority's certificates of one subject count if they are seen by a timestamp authority"
        );
        assert!(dated.trust_root_digest.is_some() && dated.expires.is_some());
        let for_ever = said(SigningTime::Issuance);
        assert_eq!(for_ever.root_fingerprints, dated.root_fingerprints);
        assert_eq!(for_ever.root_fingerprints.len(), 1);
        assert_eq!((for_ever.trust_root_digest, for_ever.expires), (None, None));
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
