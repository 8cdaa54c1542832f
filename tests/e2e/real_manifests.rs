//! Manifests that nobody here wrote: every InferenceService, Rollout and Gateway API object in the pinned releases of
//! KServe, Argo Rollouts and the Gateway API, as they are, on an API server with the real CRDs. Each one that the API
//! server accepts gets a Release and a verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result};
use interlock_crds::{Release, Verdict};
use interlock_tests::Platform;
use interlock_tests::env::install;
use interlock_tests::eventually;
use interlock_tests::examples::{Example, Project};
use interlock_tests::platform::release_conditions;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::{Api, Client};

use crate::scene::bring_baseline;

/// Group, kind, plural and the release that has its CRD and examples.
const KINDS: [(&str, &str, &str, Project); 5] = [
    (
        "serving.kserve.io",
        "InferenceService",
        "inferenceservices",
        Project::KServe,
    ),
    ("argoproj.io", "Rollout", "rollouts", Project::ArgoRollouts),
    (
        "gateway.networking.k8s.io",
        "HTTPRoute",
        "httproutes",
        Project::GatewayApi,
    ),
    (
        "gateway.networking.k8s.io",
        "GRPCRoute",
        "grpcroutes",
        Project::GatewayApi,
    ),
    ("gateway.networking.k8s.io", "Gateway", "gateways", Project::GatewayApi),
];

/// What becomes of them. Everything is exact: these releases do not change, and no verdict should unnoticed.
/// Refused are those without a name, of a version that the CRD does not serve, and against the CRD's schema.
#[rustfmt::skip]
const WANT: [Row; 5] = [
    Row { kind: "InferenceService", found: 106, refused: [0, 6, 7],  deny: 93,  unknown: 0, allow: 0 },
    Row { kind: "Rollout",          found: 124, refused: [1, 0, 16], deny: 104, unknown: 3, allow: 0 },
    Row { kind: "HTTPRoute",        found: 73,  refused: [0, 0, 21], deny: 0,   unknown: 0, allow: 52 },
    Row { kind: "GRPCRoute",        found: 7,   refused: [0, 0, 0],  deny: 0,   unknown: 0, allow: 7 },
    Row { kind: "Gateway",          found: 33,  refused: [0, 0, 8],  deny: 0,   unknown: 0, allow: 25 },
];

/// One kind's numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    kind: &'static str,
    /// Documents of the kind in the release.
    found: usize,
    /// By [`Refusal`].
    refused: [usize; 3],
    deny: usize,
    unknown: usize,
    allow: usize,
}

/// Every object is judged within this once the last one is there.
const JUDGED: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manifests_that_nobody_here_wrote_get_releases_and_verdicts() -> Result<()> {
    let platform = Platform::start().await?;
    for (group, _, plural, project) in KINDS {
        let crd = serde_json::from_value(project.crd(&format!("{plural}.{group}"))?)?;
        install(&platform.client, vec![crd]).await?;
    }
    bring_baseline(&platform).await?;
    platform.apply("default", &track()).await?;

    let mut folders = Folders {
        platform: &platform,
        names: Vec::new(),
        taken: BTreeSet::new(),
    };
    let mut rows = Vec::new();
    let mut accepted = 0;
    for (group, kind, plural, project) in KINDS {
        let examples = project.objects(kind)?;
        let mut row = Row {
            kind,
            found: examples.len(),
            ..Row::default()
        };
        for example in examples {
            match folders.apply(group, plural, &example).await? {
                Ok(()) => accepted += 1,
                Err((why, said)) => {
                    println!("refused {kind} {}: {said}", example.file.display());
                    row.refused[why as usize] += 1;
                }
            }
        }
        rows.push(row);
    }

    let releases = judged(&platform, accepted).await?;
    report(&releases);
    for release in &releases {
        let verdict = release.status.as_ref().and_then(|status| status.verdict);
        let row = rows
            .iter_mut()
            .find(|row| row.kind == release.spec.subject.kind)
            .context("a kind of the track")?;
        match verdict {
            Some(Verdict::Deny) => row.deny += 1,
            Some(Verdict::Unknown) => row.unknown += 1,
            Some(Verdict::Allow) => row.allow += 1,
            Some(Verdict::Pending) | None => anyhow::bail!("nothing waits for evidence here: {release:?}"),
        }
    }
    for row in &rows {
        println!("{row:?}");
    }
    // No bundle failed, no rule was left undefined, no source went unasked.
    let odd = |release: &&Release| {
        let gates = release.status.iter().flat_map(|status| &status.gates);
        gates
            .into_iter()
            .any(|gate| gate.id.starts_with("bundle/") || gate.message.contains("could not be asked"))
            || release_conditions(release)
                .iter()
                .any(|condition| condition.reason == "NoDecision")
    };
    assert_eq!(releases.iter().find(odd), None);
    assert_eq!(rows, WANT);
    Ok(())
}

fn track() -> String {
    let kinds: Vec<_> = KINDS
        .iter()
        .map(|(group, kind, ..)| format!("{{group: {group}, kind: {kind}}}"))
        .collect();
    let kinds = kinds.join(", ");
    format!(
        "apiVersion: interlock.dev/v1alpha1\nkind: GovernanceTrack\nmetadata: {{name: examples}}\nspec:\n  match: \
         {{kinds: [{kinds}]}}\n  bundles: [{{name: baseline}}]\n"
    )
}

/// Why the API server did not take an example.
#[derive(Clone, Copy)]
enum Refusal {
    NoName = 0,
    NotServed = 1,
    Invalid = 2,
}

/// Namespaces for the examples, many of which have the same name: each goes to the first in which its name is free.
struct Folders<'a> {
    platform: &'a Platform,
    names: Vec<String>,
    taken: BTreeSet<(usize, String)>,
}

impl Folders<'_> {
    async fn apply(&mut self, group: &str, plural: &str, example: &Example) -> Result<Result<(), (Refusal, String)>> {
        let mut object: DynamicObject = match serde_json::from_value(example.object.clone()) {
            Ok(object) => object,
            Err(error) => return Ok(Err((Refusal::Invalid, error.to_string()))),
        };
        let Some(name) = object.metadata.name.clone() else {
            return Ok(Err((Refusal::NoName, "it has no name".to_owned())));
        };
        let types = object.types.clone().context("an example has a kind")?;
        let kind = GroupVersionKind::try_from(&types)?;
        if kind.group != group {
            return Ok(Err((
                Refusal::NotServed,
                format!("{} is not served", types.api_version),
            )));
        }
        let key = format!("{plural}/{name}");
        let folder = (0..self.names.len())
            .find(|at| !self.taken.contains(&(*at, key.clone())))
            .unwrap_or(self.names.len());
        if folder == self.names.len() {
            self.names.push(self.platform.namespace("examples").await?);
        }
        object.metadata.namespace = Some(self.names[folder].clone());
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        let client: Client = self.platform.client.clone();
        let api: Api<DynamicObject> = Api::namespaced_with(client, &self.names[folder], &resource);
        let params = PatchParams::apply("examples").force();
        match api.patch(&name, &params, &Patch::Apply(&object)).await {
            Ok(_) => {
                self.taken.insert((folder, key));
                Ok(Ok(()))
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {
                Ok(Err((Refusal::NotServed, status.message.clone())))
            }
            // Fields that the schema does not have come as 500.
            Err(kube::Error::Api(status)) if status.code < 500 || status.message.contains("typed patch object") => {
                Ok(Err((Refusal::Invalid, status.message.clone())))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Waits until there are so many Releases and all have a verdict.
async fn judged(platform: &Platform, count: usize) -> Result<Vec<Release>> {
    let api: Api<Release> = Api::all(platform.client.clone());
    let awaited = eventually(&format!("{count} Releases have a verdict"), JUDGED, async || {
        let releases = api.list(&ListParams::default()).await?.items;
        let judged = |release: &Release| release.status.as_ref().is_some_and(|status| status.verdict.is_some());
        Ok((releases.len() == count && releases.iter().all(judged)).then_some(releases))
    })
    .await;
    awaited.with_context(|| format!("the operator's log ends:\n{}", platform.log_tail(25)))
}

/// What the gates say, each sentence once with how often, for a person to read.
#[expect(clippy::print_stdout, reason = "shown with --nocapture")]
fn report(releases: &[Release]) {
    let mut said: BTreeMap<String, usize> = BTreeMap::new();
    for release in releases {
        for gate in release.status.iter().flat_map(|status| &status.gates) {
            let kind = &release.spec.subject.kind;
            *said
                .entry(format!("{kind} {} {:?} {}", gate.id, gate.result, gate.message))
                .or_default() += 1;
        }
    }
    for (sentence, count) in said {
        println!("{count:4} × {sentence}");
    }
}
