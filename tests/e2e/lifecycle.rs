//! PolicyBundles that go, come back and change, and bundles that were written for conftest and Gatekeeper.

use anyhow::{Result, ensure};
use interlock_crds::PolicyBundle;
use interlock_tests::cosign::KeyPair;
use interlock_tests::platform::{condition_of, release_conditions};
use interlock_tests::{Platform, opa};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::main_job::{bad, good, track};
use crate::scene::judging;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundles_go_come_back_and_speak_other_shapes() -> Result<()> {
    let platform = judging().await?;
    let namespace = platform.namespace("lifecycle").await?;
    let host = platform.registry.host().to_owned();
    platform
        .apply(&namespace, &track("lifecycle", &namespace, "baseline"))
        .await?;
    platform.apply(&namespace, &good("cart")).await?;
    platform
        .release_says(&namespace, "deployment-cart", "Allow", "Allowed")
        .await?;
    a_bundle_that_goes_takes_its_verdicts_along(&platform, &namespace, &host).await?;
    limits_that_change_judge_anew(&platform, &namespace).await?;
    a_workload_beyond_the_limits_is_unknown(&platform, &namespace).await?;
    other_shapes(&platform, &host).await
}

/// Deleted, its workloads are Unknown; made again under another key, its predecessor does not judge for it.
async fn a_bundle_that_goes_takes_its_verdicts_along(platform: &Platform, namespace: &str, host: &str) -> Result<()> {
    let bundles: Api<PolicyBundle> = Api::all(platform.client.clone());
    bundles.delete("baseline", &DeleteParams::default()).await?;
    platform
        .release_says(namespace, "deployment-cart", "Unknown", "BundleNotFound")
        .await?;
    let stranger = KeyPair::generate().await?;
    platform.signer("stranger", &stranger).await?;
    let yaml = format!(
        "apiVersion: interlock.dev/v1alpha1\nkind: PolicyBundle\nmetadata: {{name: baseline}}\nspec:\n  \
         url: oci://{host}/policies/baseline\n  ref: {{tag: stable}}\n  signedBy: {{signers: [stranger]}}\n"
    );
    platform.apply("default", &yaml).await?;
    let refused = platform.bundle_says("baseline", "UntrustedKey").await?;
    ensure!(refused.status.unwrap_or_default().active.is_none(), "nothing judges");
    platform
        .release_says(namespace, "deployment-cart", "Unknown", "BundleNotReady")
        .await?;
    bundles.delete("baseline", &DeleteParams::default()).await?;
    platform
        .bundle("baseline", host, "policies/baseline", "stable", "baseline")
        .await?;
    platform
        .release_says(namespace, "deployment-cart", "Allow", "Allowed")
        .await?;
    Ok(())
}

/// Changes the limits of the baseline.
async fn limit(platform: &Platform, limits: Value) -> Result<()> {
    let bundles: Api<PolicyBundle> = Api::all(platform.client.clone());
    let patch = json!({"spec": {"limits": limits}});
    bundles
        .patch("baseline", &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

/// Limits that are too small for the policy's own examples are refused, and raising them is enough to mend it.
async fn limits_that_change_judge_anew(platform: &Platform, namespace: &str) -> Result<()> {
    platform.apply(namespace, &bad("shop")).await?;
    platform
        .release_says(namespace, "deployment-shop", "Deny", "GateDenied")
        .await?;
    for (small, enough, reason) in [
        (
            json!({"resultSize": "1Ki"}),
            json!({"resultSize": "1Mi"}),
            "ResultTooLarge",
        ),
        (json!({"inputDepth": 8}), json!({"inputDepth": 128}), "InputTooDeep"),
    ] {
        limit(platform, small).await?;
        let refused = platform.bundle_says("baseline", reason).await?;
        ensure!(
            refused.status.unwrap_or_default().active.is_some(),
            "{reason}: the last good one keeps judging"
        );
        limit(platform, enough).await?;
        platform.bundle_says("baseline", "Judging").await?;
        platform
            .release_says(namespace, "deployment-shop", "Deny", "GateDenied")
            .await?;
    }
    Ok(())
}

/// A workload with more to say than the policy may be given is Unknown, by name, and its neighbour is judged: one at a
/// time is enough for that.
async fn a_workload_beyond_the_limits_is_unknown(platform: &Platform, namespace: &str) -> Result<()> {
    limit(platform, json!({"inputSize": "64Ki", "concurrency": 1})).await?;
    platform.bundle_says("baseline", "Judging").await?;
    let long = "x".repeat(100 << 10);
    let talkative = good("cart").replace(
        "kind: Deployment\nmetadata: {name: cart}",
        &format!("kind: Deployment\nmetadata: {{name: cart, annotations: {{story: {long}}}}}"),
    );
    ensure!(talkative.contains(&long), "the Deployment says more");
    platform.apply(namespace, &talkative).await?;
    let release = platform
        .release_says(namespace, "deployment-cart", "Unknown", "InputTooLarge")
        .await?;
    let message = condition_of(release_conditions(&release), "Ready").2;
    ensure!(message.contains("larger than 65536 bytes"), "{message}");
    platform.apply(namespace, &bad("market")).await?;
    platform
        .release_says(namespace, "deployment-market", "Deny", "GateDenied")
        .await?;
    limit(platform, json!({"inputSize": "4Mi", "concurrency": 8})).await?;
    platform
        .release_says(namespace, "deployment-cart", "Allow", "Allowed")
        .await?;
    Ok(())
}

/// A deny list as conftest runs it, on the bare object, and a constraint template's rule as Gatekeeper runs it.
async fn other_shapes(platform: &Platform, host: &str) -> Result<()> {
    let conftest = "package main\ndeny contains msg if {\n\tinput.kind == \"Deployment\"\n\t\
                    input.spec.template.spec.containers[_].env\n\tmsg := \"no literal environment\"\n}\n";
    let gatekeeper = "package envs\nviolation contains {\"msg\": msg} if {\n\t\
                      count(input.review.object.spec.template.spec.containers[_].env) > input.parameters.most\n\t\
                      msg := \"too many variables\"\n}\n";
    for (name, shape, rego, entrypoint, parameters, says) in [
        (
            "conftest",
            "Object",
            conftest,
            "main/deny",
            "",
            "no literal environment",
        ),
        (
            "gatekeeper",
            "GatekeeperReview",
            gatekeeper,
            "envs/violation",
            ", parameters: {most: 0}",
            "too many variables",
        ),
    ] {
        let manifest = format!("{{\"revision\": \"1\", \"roots\": [\"\"], \"metadata\": {{\"name\": \"{name}\"}}}}");
        let bundle = opa::build_files(&[("policy.rego", rego), (".manifest", &manifest)], &[entrypoint]).await?;
        platform.publish(&format!("policies/{name}"), "1", &bundle).await?;
        let yaml = format!(
            "apiVersion: interlock.dev/v1alpha1\nkind: PolicyBundle\nmetadata: {{name: {name}}}\nspec:\n  \
             url: oci://{host}/policies/{name}\n  ref: {{tag: \"1\"}}\n  input: {shape}\n  signedBy: {{signers: [platform]}}\n"
        );
        platform.apply("default", &yaml).await?;
        let ready = platform.bundle_says(name, "Judging").await?;
        let message = condition_of(interlock_tests::platform::bundle_conditions(&ready), "Ready")
            .2
            .to_owned();
        let weaknesses = ["no catalogue", entrypoint, "is a deny list"];
        ensure!(
            weaknesses.iter().all(|weakness| message.contains(weakness)),
            "its weaknesses are said: {message}"
        );
        let namespace = platform.namespace(name).await?;
        let own =
            track(name, &namespace, name).replace(&format!("name: {name}}}]"), &format!("name: {name}{parameters}}}]"));
        platform.apply(&namespace, &own).await?;
        platform.apply(&namespace, &good("calm")).await?;
        platform.apply(&namespace, &bad("loud")).await?;
        platform
            .release_says(&namespace, "deployment-calm", "Allow", "Allowed")
            .await?;
        let denied = platform
            .release_says(&namespace, "deployment-loud", "Deny", "GateDenied")
            .await?;
        let message = condition_of(release_conditions(&denied), "Ready").2.to_owned();
        ensure!(message.contains(says), "{message}");
    }
    Ok(())
}
