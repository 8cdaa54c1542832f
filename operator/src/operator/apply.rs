//! The one place that writes to the API server: server-side apply, only what differs.

use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Context, MANAGER};
use crate::conditions::shorten;
use crate::decide::{Plan, Transition, without_details};
use crate::subject::SubjectKey;
use interlock_crds::{Release, Verdict};

/// A write that the API server did not take.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {kind} {name}")]
pub struct Error {
    verb: &'static str,
    kind: String,
    name: String,
    #[source]
    source: Box<kube::Error>,
}

/// Carries a plan out. What is gone in the meantime needs no write.
pub async fn plan(context: &Arc<Context>, key: &SubjectKey, plan: &Plan) -> Result<(), Error> {
    let api: Api<Release> = Api::namespaced(context.client.clone(), &key.namespace);
    let failed = |verb, name: &str| {
        let name = format!("{}/{name}", key.namespace);
        move |source| Error {
            verb,
            kind: "Release".to_owned(),
            name,
            source: Box::new(source),
        }
    };
    for (name, uid) in &plan.delete {
        let preconditions = Preconditions {
            uid: uid.clone(),
            ..Preconditions::default()
        };
        let params = DeleteParams {
            preconditions: Some(preconditions),
            ..DeleteParams::default()
        };
        context.metrics.wrote("Release");
        gone_is_fine(api.delete(name, &params).await.map(drop)).map_err(failed("delete", name))?;
    }
    for release in &plan.let_go {
        let name = release.name_any();
        context.metrics.wrote("Release");
        // What a manager no longer applies, and nobody else does, goes: label and owner here.
        let patch = Patch::Apply(release);
        gone_is_fine(api.patch(&name, &apply_params(), &patch).await.map(drop)).map_err(failed("let go of", &name))?;
    }
    if let Some(release) = &plan.apply {
        let name = release.name_any();
        context.metrics.wrote("Release");
        // Somebody may have declared a Release of that name a moment ago: theirs is not overwritten.
        let params = PatchParams {
            force: plan.corrects,
            ..apply_params()
        };
        gone_is_fine(api.patch(&name, &params, &Patch::Apply(release)).await.map(drop))
            .map_err(failed("apply", &name))?;
    }
    let mut written = Vec::new();
    for (name, status) in &plan.statuses {
        let stored = match write_status(context, &api, name, status).await {
            // The old status must not stand: it speaks of what is no more.
            Err(kube::Error::Api(refusal)) if is_unacceptable(&refusal) => {
                tracing::error!(release = %name, message = %refusal.message, "the API server does not take this status");
                let stored = context.sources.releases.get(&key.namespace, name);
                let least = without_details(status, stored.as_deref(), &refusal.message, Timestamp::now());
                write_status(context, &api, name, &least).await
            }
            stored => stored,
        };
        gone_is_fine(stored.map(|stored| written.push(stored))).map_err(failed("write the status of", name))?;
    }
    for transition in &plan.events {
        if let Some(release) = written.iter().find(|release| release.name_any() == transition.release) {
            tell(context, release, transition).await;
        }
    }
    Ok(())
}

/// Writes the status of an object of the operator's own group.
pub async fn status<K, S>(context: &Context, api: &Api<K>, name: &str, status: &S) -> Result<(), Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Serialize,
    S: Serialize,
{
    gone_is_fine(write_status(context, api, name, status).await.map(drop)).map_err(|source| Error {
        verb: "write the status of",
        kind: K::kind(&()).into_owned(),
        name: name.to_owned(),
        source: Box::new(source),
    })
}

async fn write_status<K, S>(context: &Context, api: &Api<K>, name: &str, status: &S) -> Result<K, kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Serialize,
    S: Serialize,
{
    let kind = K::kind(&());
    context.metrics.wrote(&kind);
    let patch = json!({"apiVersion": K::api_version(&()), "kind": kind, "metadata": {"name": name}, "status": status});
    let stored = api.patch_status(name, &apply_params(), &Patch::Apply(&patch)).await?;
    if says_more(&stored, &patch) {
        // Somebody else wrote into the status, and applying leaves alone what others own. The status is the operator's.
        tracing::warn!(%kind, name, "the status held what the operator did not write, and is written anew");
        context.metrics.wrote(&kind);
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(json!({"status": null})))
            .await?;
        return api.patch_status(name, &apply_params(), &Patch::Apply(&patch)).await;
    }
    Ok(stored)
}

/// Whether the API server will never take what it was given: it is too large, or not as its schema wants it.
fn is_unacceptable(refusal: &kube::core::Status) -> bool {
    matches!(refusal.code, 413 | 422) || refusal.message.contains("too large")
}

/// Whether the status holds a field that was not applied. Conditions of other writers may stand.
fn says_more<K: Serialize>(stored: &K, applied: &serde_json::Value) -> bool {
    let stored = serde_json::to_value(stored).unwrap_or_default();
    let fields = stored.get("status").and_then(serde_json::Value::as_object);
    fields.into_iter().flatten().any(|(field, value)| {
        let applied = applied.pointer("/status").and_then(|status| status.get(field));
        field != "conditions" && applied != Some(value)
    })
}

fn apply_params() -> PatchParams {
    PatchParams::apply(MANAGER).force()
}

/// The object, or its namespace, went while it was judged; or another object took its name.
fn gone_is_fine(result: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 && status.message.contains("UID") => Ok(()),
        // A namespace that is being deleted takes no new objects.
        Err(kube::Error::Api(status)) if status.code == 403 && status.message.contains("being terminated") => Ok(()),
        other => other,
    }
}

/// Tells people of a verdict that turned. An Event that is lost loses nothing: the status holds the verdict.
async fn tell(context: &Context, release: &Release, transition: &Transition) {
    let type_ = if transition.verdict == Verdict::Allow {
        EventType::Normal
    } else {
        EventType::Warning
    };
    let event = Event {
        type_,
        reason: transition.reason.clone(),
        note: Some(shorten(
            &format!("{}: {}", transition.verdict.as_str(), transition.message),
            900,
        )),
        action: "Judge".to_owned(),
        secondary: None,
    };
    context.metrics.wrote("Event");
    if let Err(error) = context.recorder.publish(&event, &release.object_ref(&())).await {
        tracing::warn!(error = &error as &dyn std::error::Error, release = %transition.release, "cannot publish an event");
    }
}
