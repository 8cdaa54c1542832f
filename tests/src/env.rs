//! What a story starts with: a control plane shared by the stories of one test process, with Interlock's CRDs, and a
//! namespace of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::OnceCell;

use crate::apply::{FIELD_MANAGER, apply};
use crate::control_plane::ControlPlane;
use crate::eventually::object_becomes;

/// Within this, a CRD is served and a namespace furnished.
const SOON: Duration = Duration::from_secs(30);

/// Label on the namespaces that stories get; its value is the namespace's name, so that a track can select one.
pub const STORY_LABEL: &str = "interlock-tests/story";

/// One story's place on the shared control plane.
pub struct TestEnv {
    /// The control plane.
    pub control_plane: Arc<ControlPlane>,
    /// A client with all rights.
    pub client: Client,
    /// The story's own namespace.
    pub namespace: String,
}

impl TestEnv {
    /// A fresh namespace for `story` (a DNS label) on the shared control plane, which the first caller starts.
    pub async fn new(story: &str) -> Result<Self> {
        static SHARED: OnceCell<Arc<ControlPlane>> = OnceCell::const_new();
        let shared = SHARED.get_or_try_init(furnished).await?;
        Self::on(Arc::clone(shared), story).await
    }

    /// The same on a control plane of its own, for stories that stop it or that want to be alone with an operator.
    pub async fn alone(story: &str) -> Result<Self> {
        Self::on(furnished().await?, story).await
    }

    async fn on(control_plane: Arc<ControlPlane>, story: &str) -> Result<Self> {
        let client = control_plane.client().await?;
        let namespace = fresh_namespace(&client, story).await?;
        Ok(Self {
            control_plane,
            client,
            namespace,
        })
    }

    /// Applies YAML, into the story's namespace where a document names none.
    pub async fn apply(&self, yaml: &str) -> Result<Vec<DynamicObject>> {
        apply(&self.client, &self.namespace, yaml).await
    }

    /// The story's objects of a kind.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The objects of a cluster-wide kind.
    pub fn cluster<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::ClusterResourceScope, DynamicType = ()>,
    {
        Api::all(self.client.clone())
    }
}

/// A control plane with Interlock's CRDs.
async fn furnished() -> Result<Arc<ControlPlane>> {
    let control_plane = ControlPlane::start().await?;
    install(&control_plane.client().await?, interlock_crds::crds()).await?;
    Ok(Arc::new(control_plane))
}

/// Applies CRDs and waits until the API server serves them.
pub async fn install(client: &Client, crds: Vec<CustomResourceDefinition>) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for crd in &crds {
        let params = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(&crd.name_any(), &params, &Patch::Apply(crd)).await?;
    }
    for crd in &crds {
        served(client, &crd.name_any()).await?;
    }
    Ok(())
}

/// Waits until the API server serves the kind of the CRD called `name`.
pub async fn served(client: &Client, name: &str) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    object_becomes(&api, name, "established", SOON, established).await?;
    Ok(())
}

/// Whether the API server serves the kind.
fn established(crd: &CustomResourceDefinition) -> bool {
    let conditions = crd.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Established" && condition.status == "True")
}

/// Makes a namespace called after `story` and waits until Pods may be made in it.
pub async fn fresh_namespace(client: &Client, story: &str) -> Result<String> {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let name = format!("{story}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.clone());
    namespace.metadata.labels = Some(BTreeMap::from([(STORY_LABEL.to_owned(), name.clone())]));
    Api::all(client.clone())
        .create(&PostParams::default(), &namespace)
        .await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &name);
    object_becomes(&accounts, "default", "made by its controller", SOON, |_| true).await?;
    Ok(name)
}
