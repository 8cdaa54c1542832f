//! Who signs without a key: images and a bundle that the real cosign signed with certificates of a private Sigstore count
//! for the identity that a Signer names, under the root that a TrustRoot pins. When either of them changes, what runs is
//! looked at again; what cannot be known is never allowed.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use interlock_crds::trust_root::Role;
use interlock_crds::{PolicyBundle, Signer, TrustRoot};
use interlock_tests::Platform;
use interlock_tests::artifact::{Repository, digest_of};
use interlock_tests::eventually::{eventually, object_becomes, object_goes};
use interlock_tests::keyless::{Log, Services};
use interlock_tests::operator::metric;
use interlock_tests::platform::{NAMESPACE, SOON, baseline, bundle_conditions, condition_of};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::scene::DEPLOYMENTS;
use crate::signed::{
    Says, apply, artifacts, bring_bundles, deployment, push, rejected, says, track, unknown, verified, versions,
};
use crate::trust::{ISSUER, digest, pipeline, root_of, root_says, signer, signer_says, trust, trust_inline};

const IMAGES: &str = "ArtifactsVerified";
const RELEASES: &str = "https://ci.example/acme/shop/release.yaml@refs/heads/main";
const TESTS: &str = "https://ci.example/acme/shop/test.yaml@refs/heads/main";

/// A platform that trusts a private Sigstore, beside another one that it does not.
struct Scene {
    platform: Platform,
    sigstore: Services,
    other: Services,
    namespace: String,
}

impl Scene {
    async fn trust_inline(&self, sigstore: &Services) -> Result<()> {
        trust_inline(&self.platform, &root_of(sigstore)?).await
    }

    /// The Signer `releases`, by whom it names.
    async fn signer(&self, identities: Value) -> Result<()> {
        let spec = json!({"keyless": {"trustRoot": "private", "identities": identities}});
        signer(&self.platform, spec).await
    }

    async fn root_says(&self, reason: &str) -> Result<TrustRoot> {
        root_says(&self.platform, reason).await
    }

    async fn signer_says(&self, reason: &str) -> Result<Signer> {
        signer_says(&self.platform, reason).await
    }

    async fn deploy(&self, name: &str, image: &str) -> Result<()> {
        apply(&self.platform, &self.namespace, deployment(name, image, None)).await
    }

    async fn says(&self, workload: &str, want: Says) -> Result<interlock_crds::Release> {
        says(&self.platform, &self.namespace, &format!("deployment-{workload}"), want).await
    }

    /// An image that `who` signed.
    async fn image(&self, tag: &str, who: &str, log: Log) -> Result<String> {
        let image = push(self.platform.registry.host(), "shop/cart", tag).await?;
        self.sigstore.sign(&pipeline(who), log, &image).await?;
        Ok(image)
    }
}

fn exact(subject: &str) -> Value {
    json!([{"issuer": {"exact": ISSUER}, "subject": {"exact": subject}}])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_signed_without_a_key_counts_for_its_signer_under_its_root() -> Result<()> {
    let (platform, sigstore, other) = tokio::try_join!(Platform::start(), Services::start(), Services::start())?;
    bring_bundles(&platform).await?;
    let namespace = platform.namespace("keyless").await?;
    let mut scene = Scene {
        platform,
        sigstore,
        other,
        namespace,
    };
    the_signer_waits_for_its_root(&scene).await?;
    images_count_for_the_right_identity(&scene).await?;
    a_bundle_and_a_model_count_too(&scene).await?;
    another_identity_turns_what_runs(&scene).await?;
    another_root_turns_what_runs(&scene).await?;
    what_is_not_the_pinned_root_is_unknown(&scene).await?;
    a_root_in_a_config_map(&scene).await?;
    nothing_is_written_twice(&mut scene).await
}

/// Applied in any order: a Signer before its TrustRoot, a track before both.
async fn the_signer_waits_for_its_root(scene: &Scene) -> Result<()> {
    let signed_by = "{images: {signers: [releases]}, models: {signers: [releases]}}";
    let track = track(&scene.namespace, DEPLOYMENTS, signed_by, "");
    scene.platform.apply(&scene.namespace, &track).await?;
    let image = scene.image("1", RELEASES, Log::Rekor1).await?;
    scene.deploy("cart", &image).await?;
    scene
        .says("cart", unknown(IMAGES, "SignerNotFound", "there is no Signer releases"))
        .await?;
    scene.signer(exact(RELEASES)).await?;
    let waiting = scene.signer_says("TrustRootNotFound").await?;
    let conditions = waiting.status.unwrap_or_default().conditions;
    ensure!(condition_of(&conditions, "Reconciling").1 == "True", "{conditions:?}");
    let absent = unknown(IMAGES, "SignerNotReady", "there is no TrustRoot private: create it");
    scene.says("cart", absent).await?;

    scene.trust_inline(&scene.sigstore).await?;
    let root = scene.root_says("RootAccepted").await?.status.unwrap_or_default();
    let roles: Vec<Role> = root.authorities.iter().map(|one| one.role).collect();
    for role in [
        Role::CertificateAuthority,
        Role::CertificateLog,
        Role::TransparencyLog,
        Role::TimestampAuthority,
    ] {
        ensure!(roles.contains(&role), "{role:?} is not among {roles:?}");
    }
    let expires = root.expires.clone().context("it does not say when it expires")?;
    let last = root
        .authorities
        .iter()
        .filter(|one| one.role == Role::CertificateAuthority);
    ensure!(
        last.filter_map(|one| one.until.as_ref()).max() == Some(&expires),
        "{root:?}"
    );
    let signer = scene.signer_says("IdentityAccepted").await?.status.unwrap_or_default();
    ensure!(
        signer.trust_root_digest == Some(digest(&root_of(&scene.sigstore)?)),
        "{signer:?}"
    );
    let found = scene.says("cart", verified(IMAGES)).await?;
    ensure!(artifacts(&found)[0].signers == ["releases"], "{:?}", artifacts(&found));
    Ok(())
}

async fn images_count_for_the_right_identity(scene: &Scene) -> Result<()> {
    let second_log = scene.image("2", RELEASES, Log::Rekor2).await?;
    scene.deploy("second-log", &second_log).await?;
    scene.says("second-log", verified(IMAGES)).await?;

    let tested = scene.image("3", TESTS, Log::Rekor1).await?;
    scene.deploy("tested", &tested).await?;
    let stranger = rejected(IMAGES, "UntrustedIdentity", "not releases: subject is");
    scene.says("tested", stranger).await?;

    let keyed = push(scene.platform.registry.host(), "shop/cart", "4").await?;
    scene.platform.key.sign(&keyed).await?;
    scene.deploy("keyed", &keyed).await?;
    let key = rejected(IMAGES, "UntrustedKey", "no trusted signer signs with one");
    scene.says("keyed", key).await?;

    let bare = push(scene.platform.registry.host(), "shop/cart", "5").await?;
    scene.deploy("bare", &bare).await?;
    scene
        .says("bare", rejected(IMAGES, "Unsigned", "has no signature"))
        .await?;

    // Signed by the same name, which another Sigstore vouches for.
    let foreign = push(scene.platform.registry.host(), "shop/cart", "6").await?;
    scene.other.sign(&pipeline(RELEASES), Log::Rekor1, &foreign).await?;
    scene.deploy("foreign", &foreign).await?;
    let untrusted = scene.platform.releases(&scene.namespace);
    let denied = object_becomes(&untrusted, "deployment-foreign", "denied", SOON, |release| {
        release.status.as_ref().and_then(|status| status.verdict) == Some(interlock_crds::Verdict::Deny)
    });
    let denied = denied.await?;
    ensure!(
        artifacts(&denied)[0].result == interlock_crds::release::ArtifactResult::Rejected,
        "{:?}",
        artifacts(&denied)
    );
    Ok(())
}

/// The same Signer vouches for what judges, and for a model in an image volume.
async fn a_bundle_and_a_model_count_too(scene: &Scene) -> Result<()> {
    let host = scene.platform.registry.host();
    let bundle = Repository::new(host, "policies/keyless")
        .push("stable", &baseline()?)
        .await?;
    scene.sigstore.sign(&pipeline(RELEASES), Log::Rekor2, &bundle).await?;
    let object = format!(
        "apiVersion: interlock.dev/v1alpha1\nkind: PolicyBundle\nmetadata: {{name: keyless}}\nspec:\n  \
         url: oci://{host}/policies/keyless\n  ref: {{tag: stable}}\n  bundle: baseline\n  pollInterval: 1h\n  \
         signedBy: {{signers: [releases]}}\n"
    );
    scene.platform.apply("default", &object).await?;
    let judging = scene.platform.bundle_says("keyless", "Judging").await?;
    let active = judging.status.and_then(|status| status.active).unwrap_or_default();
    ensure!(
        (active.digest.as_str(), active.signers.as_slice()) == (digest_of(&bundle), &["releases".to_owned()]),
        "{active:?}"
    );

    let image = scene.image("7", RELEASES, Log::Rekor1).await?;
    let model = push(host, "models/iris", "1").await?;
    let with_model = deployment("model", &image, Some(&model));
    apply(&scene.platform, &scene.namespace, with_model).await?;
    let unsigned = rejected("ModelVerified", "Unsigned", "has no signature");
    scene.says("model", unsigned).await?;
    scene.sigstore.sign(&pipeline(RELEASES), Log::Rekor1, &model).await?;
    scene.says("model", verified("ModelVerified")).await?;
    Ok(())
}

async fn another_identity_turns_what_runs(scene: &Scene) -> Result<()> {
    for (identities, reason, cart, tested) in [
        (exact(TESTS), "IdentityAccepted", false, true),
        (
            json!([
                {"issuer": {"exact": ISSUER}, "subject": {"exact": TESTS}},
                {"issuer": {"exact": ISSUER}, "subject": {"pattern": r"https://ci\.example/acme/shop/release\.yaml@.+"},
                 "claims": {"sourceRepositoryRef": {"pattern": "refs/heads/(main|stable)"}}},
            ]),
            "IdentityAccepted",
            true,
            true,
        ),
        // What is a prefix to cosign matches nothing.
        (
            json!([{"issuer": {"exact": ISSUER}, "subject": {"pattern": "^https://ci.example/acme/"}}]),
            "IdentityAccepted",
            false,
            false,
        ),
        (
            json!([{"issuer": {"exact": ISSUER}, "subject": {"exact": RELEASES}, "claims": {"buildTrigger": {"exact": "push"}}}]),
            "IdentityAccepted",
            false,
            false,
        ),
        (exact(RELEASES), "IdentityAccepted", true, false),
    ] {
        scene.signer(identities.clone()).await?;
        scene.signer_says(reason).await?;
        for (workload, counts) in [("cart", cart), ("tested", tested)] {
            let want = if counts {
                verified(IMAGES)
            } else {
                rejected(IMAGES, "UntrustedIdentity", "not releases")
            };
            scene
                .says(workload, want)
                .await
                .with_context(|| identities.to_string())?;
        }
    }
    // Go takes this pattern, and so does the API server; nobody is taken by it.
    scene
        .signer(json!([{"issuer": {"exact": ISSUER}, "subject": {"pattern": r"\Qhttps://ci.example/\E.+"}}]))
        .await?;
    let invalid = scene.signer_says("InvalidIdentity").await?;
    let said = serde_json::to_string(&invalid.status)?;
    ensure!(said.contains("spec.keyless.identities[0].subject.pattern"), "{said}");
    scene
        .says("cart", unknown(IMAGES, "SignerNotReady", "Signer releases"))
        .await?;
    scene.signer(exact(RELEASES)).await?;
    scene.says("cart", verified(IMAGES)).await?;
    Ok(())
}

/// The root is another one: who was trusted is not any more, and what judges goes on and says so.
async fn another_root_turns_what_runs(scene: &Scene) -> Result<()> {
    let elsewhere = scene.platform.namespace("keyed").await?;
    let track = track(&elsewhere, DEPLOYMENTS, "{images: {signers: [platform]}}", "");
    scene.platform.apply(&elsewhere, &track).await?;
    let keyed = push(scene.platform.registry.host(), "shop/cart", "8").await?;
    scene.platform.key.sign(&keyed).await?;
    apply(&scene.platform, &elsewhere, deployment("app", &keyed, None)).await?;
    says(&scene.platform, &elsewhere, "deployment-app", verified(IMAGES)).await?;
    let others = versions(&scene.platform, &elsewhere).await?;

    scene.trust_inline(&scene.other).await?;
    scene.root_says("RootAccepted").await?;
    let turned = object_becomes(
        &scene.platform.releases(&scene.namespace),
        "deployment-cart",
        "denied",
        SOON,
        |release| {
            let status = release.status.as_ref();
            status.and_then(|status| status.verdict) == Some(interlock_crds::Verdict::Deny)
        },
    )
    .await?;
    let artifact = &artifacts(&turned)[0];
    ensure!(
        artifact.result == interlock_crds::release::ArtifactResult::Rejected && artifact.signers.is_empty(),
        "{artifact:?}"
    );
    // The same name under the root that now counts.
    scene.says("foreign", verified(IMAGES)).await?;
    let bundles: Api<PolicyBundle> = Api::all(scene.platform.client.clone());
    let bundle = object_becomes(&bundles, "keyless", "not ready", SOON, |bundle| {
        condition_of(bundle_conditions(bundle), "Ready").1 == "False"
    })
    .await?;
    let said = condition_of(bundle_conditions(&bundle), "Ready").2;
    ensure!(said.ends_with("keeps judging"), "{said}");
    let after = versions(&scene.platform, &elsewhere).await?;
    ensure!(
        others == after,
        "a root turned what does not rest on it: {others:?} {after:?}"
    );

    scene.trust_inline(&scene.sigstore).await?;
    scene.says("cart", verified(IMAGES)).await?;
    scene.platform.bundle_says("keyless", "Judging").await?;
    Ok(())
}

/// A wrong pin, a text that is no root, and no root at all: nobody knows who signed, so nothing is allowed.
async fn what_is_not_the_pinned_root_is_unknown(scene: &Scene) -> Result<()> {
    let json = root_of(&scene.sigstore)?;
    for (spec, reason, words) in [
        (
            json!({"digest": digest("another"), "inline": json}),
            "DigestMismatch",
            "see which is right",
        ),
        (
            json!({"digest": digest(&json), "inline": format!("{json}\n")}),
            "DigestMismatch",
            "write |- in place of |",
        ),
        (
            json!({"digest": digest("{}"), "inline": "{}"}),
            "MalformedTrustRoot",
            "not a trusted_root.json",
        ),
    ] {
        trust(&scene.platform, spec).await?;
        let root = scene.root_says(reason).await?.status.unwrap_or_default();
        ensure!(root.authorities.is_empty() && root.expires.is_none(), "{root:?}");
        let said = condition_of(&root.conditions, "Ready").2;
        ensure!(said.contains(words), "{said}");
        ensure!(condition_of(&root.conditions, "Stalled").1 == "True", "{root:?}");
        scene.signer_says("TrustRootNotReady").await?;
        let not_known = unknown(IMAGES, "SignerNotReady", "Signer releases: TrustRoot private");
        scene.says("cart", not_known).await?;
        scene.platform.bundle_says("keyless", "SignerNotReady").await?;
    }
    let roots: Api<TrustRoot> = Api::all(scene.platform.client.clone());
    roots.delete("private", &DeleteParams::default()).await?;
    object_goes(&roots, "private", SOON).await?;
    scene.signer_says("TrustRootNotFound").await?;
    let absent = unknown(IMAGES, "SignerNotReady", "there is no TrustRoot private");
    scene.says("cart", absent).await?;
    Ok(())
}

/// As Kustomize generates one from the file.
async fn a_root_in_a_config_map(scene: &Scene) -> Result<()> {
    let json = root_of(&scene.sigstore)?;
    let config_map = |text: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "sigstore"}, "data": {"trusted_root.json": text}});
    let spec = json!({"digest": digest(&json), "configMap": {"name": "sigstore"}});
    trust(&scene.platform, spec).await?;
    scene.root_says("ConfigMapNotFound").await?;
    apply(&scene.platform, NAMESPACE, config_map(&json)).await?;
    scene.root_says("RootAccepted").await?;
    scene.says("cart", verified(IMAGES)).await?;
    scene.platform.bundle_says("keyless", "Judging").await?;
    apply(&scene.platform, NAMESPACE, config_map(&root_of(&scene.other)?)).await?;
    scene.root_says("DigestMismatch").await?;
    scene
        .says("cart", unknown(IMAGES, "SignerNotReady", "see which is right"))
        .await?;
    apply(&scene.platform, NAMESPACE, config_map(&json)).await?;
    scene.says("cart", verified(IMAGES)).await?;
    let config_maps: Api<ConfigMap> = Api::namespaced(scene.platform.client.clone(), NAMESPACE);
    config_maps.delete("sigstore", &DeleteParams::default()).await?;
    scene.root_says("ConfigMapNotFound").await?;
    let absent = unknown(IMAGES, "SignerNotReady", "there is no ConfigMap sigstore");
    scene.says("cart", absent).await?;
    apply(&scene.platform, NAMESPACE, config_map(&json)).await?;
    scene.says("cart", verified(IMAGES)).await?;
    Ok(())
}

/// The resourceVersions of all that the operator writes here.
async fn everything(scene: &Scene) -> Result<BTreeMap<String, String>> {
    let client = &scene.platform.client;
    let mut all = versions(&scene.platform, &scene.namespace).await?;
    let roots = Api::<TrustRoot>::all(client.clone())
        .list(&ListParams::default())
        .await?;
    all.extend(roots.iter().map(|one| {
        (
            format!("root {}", one.name_any()),
            one.resource_version().unwrap_or_default(),
        )
    }));
    let signers = Api::<Signer>::all(client.clone()).list(&ListParams::default()).await?;
    all.extend(signers.iter().map(|one| {
        (
            format!("signer {}", one.name_any()),
            one.resource_version().unwrap_or_default(),
        )
    }));
    Ok(all)
}

/// Applied again, and after a restart: nothing is written.
async fn nothing_is_written_twice(scene: &mut Scene) -> Result<()> {
    scene.root_says("RootAccepted").await?;
    scene.signer_says("IdentityAccepted").await?;
    scene.says("model", verified("ModelVerified")).await?;
    let before = everything(scene).await?;
    scene.signer(exact(RELEASES)).await?;
    scene.platform.operator.start_again()?;
    scene.platform.operator.ready().await?;
    let probes = scene.platform.probes().to_owned();
    #[expect(clippy::cast_precision_loss, reason = "a few workloads")]
    let workloads = versions(&scene.platform, &scene.namespace).await?.len() as f64;
    let looked = async || {
        let looked = metric(&probes, "interlock_reconciles_total", "ok").await?;
        Ok((looked >= workloads).then_some(()))
    };
    eventually("everything was looked at again", SOON, looked).await?;
    scene.says("cart", verified(IMAGES)).await?;
    let after = everything(scene).await?;
    ensure!(before == after, "a restart wrote: {before:#?} {after:#?}");
    Ok(())
}
