//! `interlock crds`: Helm installs CRDs once and never upgrades them; this does.

use std::path::PathBuf;

use anyhow::Context as _;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};

use super::{Ending, operate, output};
use crate::operator::MANAGER;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Apply them to the cluster, by server-side apply.
    #[arg(long)]
    apply: bool,
    /// The cluster to apply them to; the current context by default.
    #[arg(long, value_name = "FILE", requires = "apply")]
    kubeconfig: Option<PathBuf>,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<Ending> {
    if !arguments.apply {
        let mut text = String::new();
        for crd in interlock_crds::crds() {
            text.push_str("---\n");
            text.push_str(&serde_saphyr::to_string(&crd).context("cannot write a CRD as YAML")?);
        }
        output::text(&text)?;
        return Ok(Ending::Good);
    }
    let client = operate::client(arguments.kubeconfig.as_deref()).await?;
    let api: Api<CustomResourceDefinition> = Api::all(client);
    for crd in interlock_crds::crds() {
        let name = crd.name_any();
        api.patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&crd))
            .await
            .with_context(|| format!("cannot apply {name}"))?;
        output::text(&format!(
            "customresourcedefinition.apiextensions.k8s.io/{name} serverside-applied\n"
        ))?;
    }
    Ok(Ending::Good)
}
