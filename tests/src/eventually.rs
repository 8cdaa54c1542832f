//! Waiting for what must come true, with a limit, and saying what was there instead when it does not.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Between two looks: short against what is awaited, long enough to leave two cores to the servers.
const BETWEEN: Duration = Duration::from_millis(150);

/// Asks `probe` until it answers `Some`, at most for `within`. An error ends the waiting when the time is up, not
/// before: a server that is starting refuses connections at first.
pub async fn eventually<T>(what: &str, within: Duration, probe: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    eventually_while(what, within, || Ok(()), probe).await
}

/// The same, but an error of `alive` ends the waiting at once: what is awaited of a process that has ended will never
/// come.
pub async fn eventually_while<T>(
    what: &str,
    within: Duration,
    mut alive: impl FnMut() -> Result<()>,
    mut probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        alive().with_context(|| format!("waited in vain: {what}"))?;
        let last = match tokio::time::timeout(within, probe()).await {
            Ok(Ok(Some(answer))) => return Ok(answer),
            Ok(Ok(None)) => None,
            Ok(Err(error)) => Some(error),
            Err(elapsed) => Some(elapsed.into()),
        };
        if started.elapsed() >= within {
            let late = format!("waited {within:?} in vain: {what}");
            return Err(last.map_or_else(|| anyhow!(late.clone()), |error| error.context(late.clone())));
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Waits until the object called `name` is as `wanted` says. On failure the error holds the object as it was last
/// seen, and its Events.
pub async fn object_becomes<K>(
    api: &Api<K>,
    name: &str,
    what: &str,
    within: Duration,
    wanted: impl Fn(&K) -> bool,
) -> Result<K>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let mut seen: Option<K> = None;
    let awaited = eventually(&format!("{name}: {what}"), within, async || {
        seen = api.get_opt(name).await?;
        Ok(seen.clone().filter(|object| wanted(object)))
    })
    .await;
    match awaited {
        Ok(object) => Ok(object),
        Err(error) => Err(error.context(describe(api.clone().into_client(), name, seen).await)),
    }
}

/// Waits until no object is called `name`.
pub async fn object_goes<K>(api: &Api<K>, name: &str, within: Duration) -> Result<()>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let gone = async || Ok(api.get_opt(name).await?.is_none().then_some(()));
    eventually(&format!("{name}: gone"), within, gone).await
}

/// The object as YAML and its Events, for a person who reads a failed test.
async fn describe<K: Resource + Serialize>(client: Client, name: &str, object: Option<K>) -> String {
    let Some(mut object) = object else {
        return format!("there is no object called {name}");
    };
    object.meta_mut().managed_fields = None;
    let namespace = object.meta().namespace.clone().unwrap_or_else(|| "default".to_owned());
    let mut text = serde_saphyr::to_string(&object).unwrap_or_else(|error| error.to_string());
    let only_its = ListParams::default().fields(&format!("involvedObject.name={name}"));
    match Api::<Event>::namespaced(client, &namespace).list(&only_its).await {
        Ok(events) if events.items.is_empty() => text.push_str("no events\n"),
        Ok(events) => text.extend(events.into_iter().map(|event| {
            let [kind, reason, message] = [event.type_, event.reason, event.message].map(Option::unwrap_or_default);
            format!("event {kind} {reason}: {message}\n")
        })),
        Err(error) => text.extend(["its events could not be read: ", &error.to_string(), "\n"]),
    }
    text
}
