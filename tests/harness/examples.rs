//! The examples are there in the numbers the releases are known for, and the API server accepts their CRDs.

use anyhow::Result;
use interlock_tests::TestEnv;
use interlock_tests::env::install;
use interlock_tests::examples::Project;

#[test]
fn the_releases_hold_many_examples() -> Result<()> {
    for (project, kind, at_least) in [
        (Project::KServe, "InferenceService", 106),
        (Project::ArgoRollouts, "Rollout", 120),
        (Project::GatewayApi, "HTTPRoute", 70),
    ] {
        let found = project.objects(kind)?.len();
        assert!(found >= at_least, "{project:?} has {found} {kind}s");
    }
    Ok(())
}

#[tokio::test]
async fn their_crds_can_be_installed() -> Result<()> {
    let env = TestEnv::new("crds").await?;
    for (project, crd) in [
        (Project::KServe, "inferenceservices.serving.kserve.io"),
        (Project::ArgoRollouts, "rollouts.argoproj.io"),
        (Project::GatewayApi, "httproutes.gateway.networking.k8s.io"),
    ] {
        install(&env.client, vec![serde_json::from_value(project.crd(crd)?)?]).await?;
    }
    Ok(())
}
