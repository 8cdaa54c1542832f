//! The control plane is a real one: it has the pinned version, collects garbage, runs controllers, enforces RBAC and
//! survives being killed.

use std::time::Duration;

use anyhow::Result;
use interlock_crds::{GovernanceTrack, PolicyBundle, Release, Signer};
use interlock_tests::control_plane::client;
use interlock_tests::eventually::object_goes;
use interlock_tests::{ControlPlane, TestEnv, eventually, object_becomes};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(1);

fn config_map(value: Value) -> Result<ConfigMap> {
    Ok(serde_json::from_value(value)?)
}

#[tokio::test]
async fn serves_the_pinned_version() -> Result<()> {
    let env = TestEnv::new("version").await?;
    let pinned = include_str!("../tools/kubernetes/go.mod");
    let version = env.client.apiserver_version().await?.git_version;
    let stated = format!("k8s.io/kubernetes {version}");
    assert!(
        pinned.lines().any(|line| line.trim().starts_with(&stated)),
        "the API server is a {version}"
    );
    Ok(())
}

#[tokio::test]
async fn serves_every_kind_of_interlock() -> Result<()> {
    let env = TestEnv::new("kinds").await?;
    let few = ListParams::default().limit(1);
    env.cluster::<Signer>().list(&few).await?;
    env.cluster::<PolicyBundle>().list(&few).await?;
    env.cluster::<GovernanceTrack>().list(&few).await?;
    env.api::<Release>().list(&few).await?;
    Ok(())
}

#[tokio::test]
async fn collects_what_a_deleted_owner_owned() -> Result<()> {
    let env = TestEnv::new("garbage").await?;
    let api = env.api::<ConfigMap>();
    let owner = api
        .create(
            &PostParams::default(),
            &config_map(json!({"metadata": {"name": "owner"}}))?,
        )
        .await?;
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.uid().unwrap()});
    let dependant = config_map(json!({"metadata": {"name": "owned", "ownerReferences": [reference]}}))?;
    api.create(&PostParams::default(), &dependant).await?;

    api.delete("owner", &DeleteParams::default()).await?;

    object_goes(&api, "owned", SOON).await
}

#[tokio::test]
async fn runs_a_deployment_down_to_its_pods() -> Result<()> {
    let env = TestEnv::new("deployment").await?;
    env.apply(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.com/web:1}]}
",
    )
    .await?;
    let pods = env.api::<Pod>();
    eventually("two pods", SOON, async || {
        Ok((pods.list(&ListParams::default()).await?.items.len() == 2).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_user_may_do_what_rbac_grants_and_no_more() -> Result<()> {
    let env = TestEnv::new("rbac").await?;
    let namespace = &env.namespace;
    env.apply(&format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reads-config}}
rules: [{{apiGroups: [''], resources: [configmaps], verbs: [list]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reads-config}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reads-config}}
subjects: [{{kind: ServiceAccount, name: default, namespace: {namespace}}}]
"
    ))
    .await?;
    let user = format!("system:serviceaccount:{namespace}:default");
    let theirs = client(&env.control_plane.kubeconfig_of(&user)?).await?;

    let config_maps: Api<ConfigMap> = Api::namespaced(theirs.clone(), namespace);
    eventually("the role holds", SOON, async || {
        Ok(Some(config_maps.list(&ListParams::default()).await?))
    })
    .await?;

    let secrets: Api<Secret> = Api::namespaced(theirs, namespace);
    let refused = secrets.list(&ListParams::default()).await.unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(status) if status.code == 403),
        "{refused}"
    );
    Ok(())
}

#[tokio::test]
async fn a_failed_wait_shows_the_object() -> Result<()> {
    let env = TestEnv::new("wait").await?;
    let api = env.api::<ConfigMap>();
    env.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: seen}, data: {colour: red}}")
        .await?;
    let blue = |map: &ConfigMap| {
        map.data
            .as_ref()
            .is_some_and(|data| data.get("colour").is_some_and(|c| c == "blue"))
    };
    let error = object_becomes(&api, "seen", "blue", Duration::from_millis(300), blue)
        .await
        .unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("colour: red") && text.contains("seen: blue"), "{text}");
    Ok(())
}

/// With one of its own, for it is taken down.
#[tokio::test]
async fn keeps_its_objects_when_the_api_server_is_killed() -> Result<()> {
    let own = ControlPlane::start().await?;
    let api: Api<ConfigMap> = Api::namespaced(own.client().await?, "default");
    let map = config_map(json!({"metadata": {"name": "kept"}, "data": {"content": "still here"}}))?;
    let before = api.create(&PostParams::default(), &map).await?;

    own.stop_api_server()?;
    assert!(api.get("kept").await.is_err(), "the API server still answers");
    own.start_api_server().await?;

    let after = api.get("kept").await?;
    assert_eq!(
        (after.uid(), after.resource_version()),
        (before.uid(), before.resource_version())
    );
    Ok(())
}
