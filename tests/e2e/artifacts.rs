//! Images and models that are not signed as their track demands: each way to fail is named, wherever the image stands,
//! on registries with the referrers API, without it, and with a password.

use anyhow::{Context as _, Result, ensure};
use interlock_crds::release::ArtifactResult;
use interlock_tests::artifact::{INDEX, MANIFEST, Repository, digest_of};
use interlock_tests::cosign::KeyPair;
use interlock_tests::env::served;
use interlock_tests::forgery::{ATTESTATION, attach, offer, signature_of};
use interlock_tests::platform::{NAMESPACE, condition_of, release_conditions};
use interlock_tests::registry::{PASSWORD, USER};
use interlock_tests::{Flavour, Platform, Registry};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::scene::{DEPLOYMENTS, side_by_side};
use crate::signed::{
    Says, apply, artifacts, bring_bundles, deployment, fresh, pod, push, rejected, says, track, unknown, verified,
};

/// Case, the track's namespace, reason, part of the message.
const SIGNATURES: [(&str, &str, &str, &str); 8] = [
    (
        "unsigned",
        "one",
        "Unsigned",
        "sign exactly this digest with `cosign sign`",
    ),
    (
        "wrong key",
        "one",
        "UntrustedKey",
        "made by none of the trusted keys (platform)",
    ),
    ("signature of another digest", "one", "SubjectMismatch", "signed for "),
    ("attestation as signature", "one", "WrongPredicateType", ATTESTATION),
    ("changed after signing", "one", "BadSignature", "which did not make it"),
    (
        "no bundle at all as signature",
        "one",
        "MalformedSignature",
        "no signature of sha256:",
    ),
    (
        "signed twice with one key",
        "apart",
        "ThresholdNotMet",
        "signed by 1 of 2 needed signers (platform)",
    ),
    (
        "two signers, one key",
        "twins",
        "ThresholdNotMet",
        "signed by 1 of 2 needed signers (platform, twin)",
    ),
];

const IMAGES: &str = "ArtifactsVerified";
const MODELS: &str = "ModelVerified";

/// A platform, a registry without the referrers API and one with a password, and a key that no Signer of most tracks has.
struct Scene {
    platform: Platform,
    tags: Registry,
    private: Registry,
    stranger: KeyPair,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_signed_as_its_track_demands_is_named_wherever_it_stands() -> Result<()> {
    let (tags, private) = tokio::try_join!(Registry::start(Flavour::Tags), Registry::start(Flavour::Private))?;
    let hosts = format!("{},{}", tags.host(), private.host());
    let more = ["--allow-registry", "--plain-http-registry"].map(|flag| format!("{flag}={hosts}"));
    let more = [more[0].as_str(), more[1].as_str(), "--evidence-interval=3"];
    let scene = Scene {
        platform: Platform::start_with(&more).await?,
        tags,
        private,
        stranger: KeyPair::generate().await?,
    };
    scene.platform.signer("twin", &scene.platform.key).await?;
    scene.platform.signer("stranger", &scene.stranger).await?;
    bring_bundles(&scene.platform).await?;
    side_by_side(vec![
        ("failures", Box::pin(every_failure(&scene))),
        ("positions", Box::pin(every_position(&scene))),
        ("indexes", Box::pin(an_index_and_what_is_in_it(&scene))),
        ("names", Box::pin(two_names_and_tags(&scene))),
        ("private", Box::pin(behind_a_password(&scene))),
        ("elsewhere", Box::pin(where_nobody_can_ask(&scene))),
    ])
    .await
}

/// Each failure, for an image and for a model.
async fn every_failure(scene: &Scene) -> Result<()> {
    let platform = &scene.platform;
    let mut namespaces = std::collections::BTreeMap::new();
    for (name, by) in [
        ("one", "{signers: [platform]}"),
        ("apart", "{signers: [platform, stranger], threshold: 2}"),
        ("twins", "{signers: [platform, twin], threshold: 2}"),
    ] {
        let namespace = platform.namespace(name).await?;
        // What is not about the case is signed by whom any of the tracks accepts, twice over.
        let signed_by = format!("{{images: {by}, models: {by}}}");
        platform
            .apply(&namespace, &track(&namespace, DEPLOYMENTS, &signed_by, ""))
            .await?;
        namespaces.insert(name, namespace);
    }
    let mut cases = Vec::new();
    for (place, host) in [("referrers", platform.registry.host()), ("tags", scene.tags.host())] {
        let repository = Repository::new(host, "apps/failing");
        for (number, (case, name, reason, words)) in SIGNATURES.into_iter().enumerate() {
            let hands = (&platform.key, &scene.stranger);
            let tag = format!("case-{number}");
            let offered = offer(hands, &repository, case, &tag, || Ok(fresh()))
                .await
                .with_context(|| format!("{case} on {place}"))?;
            let namespace = namespaces.get(name).context("a namespace")?.clone();
            let deployed = format!("{place}-{number}");
            // As the image, as the model, both in one: nothing else is there that could be signed or not.
            apply(platform, &namespace, deployment(&deployed, &offered, Some(&offered))).await?;
            cases.push((
                format!("{case} on {place}"),
                namespace,
                format!("deployment-{deployed}"),
                reason,
                words,
            ));
        }
    }
    for (case, namespace, release, reason, words) in cases {
        for kind in [IMAGES, MODELS] {
            let found = says(platform, &namespace, &release, rejected(kind, reason, words))
                .await
                .with_context(|| case.clone())?;
            let listed = artifacts(&found);
            ensure!(listed.len() == 1 && listed[0].places == Some(2), "{case}: {listed:?}");
            for one in listed {
                ensure!(one.result == ArtifactResult::Rejected, "{case}: {one:?}");
                ensure!(one.reason.as_deref() == Some(reason), "{case}: {one:?}");
                ensure!(one.digest.is_none(), "what the reference says is not repeated: {one:?}");
                ensure!(
                    !one.checks_failed.is_empty() && one.formats.is_empty(),
                    "{case}: {one:?}"
                );
            }
        }
    }
    // Signed after all: found at the next interval, without anybody touching the workload.
    let namespace = namespaces.get("one").context("a namespace")?;
    let repository = Repository::new(platform.registry.host(), "apps/failing");
    let offered = repository.push("late", &fresh()).await?;
    apply(platform, namespace, deployment("late", &offered, None)).await?;
    says(
        platform,
        namespace,
        "deployment-late",
        rejected(IMAGES, "Unsigned", "sign exactly this digest"),
    )
    .await?;
    platform.key.sign(&offered).await?;
    let found = says(platform, namespace, "deployment-late", verified(IMAGES)).await?;
    ensure!(artifacts(&found)[0].signers == ["platform"], "{:?}", artifacts(&found));
    ensure!(artifacts(&found)[0].formats == ["Bundle"], "{:?}", artifacts(&found));
    let both = namespaces.get("apart").context("a namespace")?;
    apply(platform, both, deployment("both", &offered, None)).await?;
    let one_of_two = rejected(IMAGES, "ThresholdNotMet", "signed by 1 of 2 needed signers (platform)");
    let found = says(platform, both, "deployment-both", one_of_two).await?;
    let failed = &artifacts(&found)[0].checks_failed;
    // The stranger's is not there yet: no signature fails, there are too few.
    ensure!(*failed == ["threshold"], "{failed:?}");
    scene.stranger.sign(&offered).await?;
    let found = says(platform, both, "deployment-both", verified(IMAGES)).await?;
    ensure!(
        artifacts(&found)[0].signers == ["platform", "stranger"],
        "{:?}",
        artifacts(&found)
    );
    Ok(())
}

const KINDS: &str = "[{group: apps, kind: Deployment}, {group: batch, kind: CronJob}, {group: batch, kind: Job}, {kind: Pod}, \
    {group: serving.kserve.io, kind: InferenceService}, {group: argoproj.io, kind: Rollout}]";

fn crd(group: &str, kind: &str, plural: &str, version: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: {plural}.{group}}}\nspec:\n  \
         group: {group}\n  scope: Namespaced\n  names: {{kind: {kind}, plural: {plural}}}\n  \
         versions:\n  - name: {version}\n    served: true\n    storage: true\n    \
         schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}\n"
    )
}

/// A workload with one unsigned artifact, and where that stands.
struct Place {
    release: &'static str,
    condition: &'static str,
    path: &'static str,
    object: Value,
}

const CONTAINER: &str = "spec.template.spec.containers[0].image";

/// Every place in a workload whose template can be changed.
fn places(good: &str, bad: &str) -> Vec<Place> {
    let place = |release, condition, path, object| Place {
        release,
        condition,
        path,
        object,
    };
    let volume = "spec.template.spec.volumes[0].image.reference";
    let init = "spec.template.spec.initContainers[0].image";
    let in_cron = "spec.jobTemplate.spec.template.spec.containers[0].image";
    let custom = "spec.predictor.containers[0].image";
    let oci = "spec.predictor.model.storageUri";
    let object = |api_version: &str, kind: &str, name: &str, spec: Value| json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec});
    let mut with_init = deployment("init", good, None);
    with_init["spec"]["template"]["spec"]["initContainers"] = json!([{"name": "init", "image": bad}]);
    let mut once = pod(bad, None);
    once["restartPolicy"] = json!("Never");
    let template = json!({"template": {"spec": once}});
    let job = json!({"suspend": true, "template": {"spec": once}});
    let cron = json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": template}});
    let rollout = json!({"template": {"spec": pod(bad, None)}});
    let service = |name: &str, predictor: Value| {
        let spec = json!({"predictor": predictor});
        object("serving.kserve.io/v1beta1", "InferenceService", name, spec)
    };
    let container = json!({"containers": [{"name": "kserve-container", "image": bad}]});
    let storage = format!("oci://{bad}");
    let model = json!({"model": {"modelFormat": {"name": "sklearn"}, "image": good, "storageUri": storage}});
    vec![
        place(
            "deployment-container",
            IMAGES,
            CONTAINER,
            deployment("container", bad, None),
        ),
        place("deployment-init", IMAGES, init, with_init),
        place(
            "deployment-volume",
            MODELS,
            volume,
            deployment("volume", good, Some(bad)),
        ),
        place("job-once", IMAGES, CONTAINER, object("batch/v1", "Job", "once", job)),
        place(
            "cronjob-often",
            IMAGES,
            in_cron,
            object("batch/v1", "CronJob", "often", cron),
        ),
        place(
            "rollout-slow",
            IMAGES,
            CONTAINER,
            object("argoproj.io/v1alpha1", "Rollout", "slow", rollout),
        ),
        place("inferenceservice-custom", IMAGES, custom, service("custom", container)),
        place("inferenceservice-oci", MODELS, oci, service("oci", model)),
    ]
}

/// One unsigned artifact among signed ones, in every place where one can stand.
async fn every_position(scene: &Scene) -> Result<()> {
    let platform = &scene.platform;
    let namespace = platform.namespace("positions").await?;
    for (group, kind, plural, version) in [
        ("serving.kserve.io", "InferenceService", "inferenceservices", "v1beta1"),
        ("argoproj.io", "Rollout", "rollouts", "v1alpha1"),
    ] {
        platform.apply(&namespace, &crd(group, kind, plural, version)).await?;
        served(&platform.client, &format!("{plural}.{group}")).await?;
    }
    let by = "{signers: [platform]}";
    let signed_by = format!("{{images: {by}, models: {by}}}");
    platform
        .apply(&namespace, &track(&namespace, KINDS, &signed_by, ""))
        .await?;
    let host = platform.registry.host();
    let (good, bad) = (push(host, "apps/good", "1").await?, push(host, "apps/bad", "1").await?);
    platform.key.sign(&good).await?;
    let places = places(&good, &bad);
    for place in &places {
        apply(platform, &namespace, place.object.clone()).await?;
    }
    for place in places {
        stands(platform, &namespace, (place.release, place.condition, place.path), &bad).await?;
    }
    // A debugger joins a Pod that was as it should be.
    let bare = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}, "spec": pod(&good, None)});
    apply(platform, &namespace, bare).await?;
    says(platform, &namespace, "pod-bare", verified(IMAGES)).await?;
    let patch = json!({"spec": {"ephemeralContainers": [{"name": "debug", "image": bad}]}});
    Api::<Pod>::namespaced(platform.client.clone(), &namespace)
        .patch_ephemeral_containers("bare", &PatchParams::default(), &Patch::Strategic(patch))
        .await?;
    let debugger = ("pod-bare", IMAGES, "spec.ephemeralContainers[0].image");
    stands(platform, &namespace, debugger, &bad).await?;
    a_usual_release_is_small(platform, &namespace, &good).await
}

/// Waits until the Release says that `bad`, at this path and nowhere else, is unsigned.
async fn stands(platform: &Platform, namespace: &str, at: (&str, &'static str, &str), bad: &str) -> Result<()> {
    let (release, condition, path) = at;
    let want = rejected(condition, "Unsigned", "sign exactly this digest");
    let found = says(platform, namespace, release, want).await?;
    let (first, others) = artifacts(&found).split_first().context("nothing is listed")?;
    ensure!(
        (first.path.as_str(), first.reference.as_str()) == (path, bad),
        "{release}: {first:?}"
    );
    let all_verified = others.iter().all(|one| one.result == ArtifactResult::Verified);
    ensure!(all_verified, "{release}: {others:?}");
    Ok(())
}

/// An image and a model; then three images, and one of them unsigned.
#[expect(clippy::print_stdout, reason = "the figures are for who reads the test")]
async fn a_usual_release_is_small(platform: &Platform, namespace: &str, good: &str) -> Result<()> {
    let model = push(platform.registry.host(), "apps/good", "model").await?;
    platform.key.sign(&model).await?;
    let mut object = deployment("usual", good, Some(&model));
    apply(platform, namespace, object.clone()).await?;
    let found = says(platform, namespace, "deployment-usual", verified(MODELS)).await?;
    let bytes = serde_json::to_vec(&found)?.len();
    println!("a Release with an image and a model, both verified: {bytes} bytes");
    ensure!(bytes < 4096, "{bytes} bytes: {}", serde_json::to_string_pretty(&found)?);
    let mut images = vec![good.to_owned()];
    for tag in ["2", "3"] {
        let image = push(platform.registry.host(), "apps/good", tag).await?;
        platform.key.sign(&image).await?;
        images.push(image);
    }
    let containers: Vec<_> = images
        .iter()
        .enumerate()
        .map(|(at, image)| json!({"name": format!("c{at}"), "image": image}))
        .collect();
    object["spec"]["template"]["spec"]["containers"] = json!(containers);
    let bare = push(platform.registry.host(), "apps/bad", "2").await?;
    object["spec"]["template"]["spec"]["containers"][2]["image"] = json!(bare);
    apply(platform, namespace, object).await?;
    let want = rejected(IMAGES, "Unsigned", "1 of 3 images is not signed");
    let found = says(platform, namespace, "deployment-usual", want).await?;
    println!(
        "with three images, one of them unsigned: {} bytes",
        serde_json::to_vec(&found)?.len()
    );
    Ok(())
}

/// The signature must be over exactly what the workload names.
async fn an_index_and_what_is_in_it(scene: &Scene) -> Result<()> {
    let platform = &scene.platform;
    let namespace = platform.namespace("indexes").await?;
    platform
        .apply(
            &namespace,
            &track(&namespace, DEPLOYMENTS, "{images: {signers: [platform]}}", ""),
        )
        .await?;
    for (place, host) in [("referrers", platform.registry.host()), ("tags", scene.tags.host())] {
        let repository = Repository::new(host, "apps/index");
        let mut cases = Vec::new();
        for which in ["index", "manifest", "all"] {
            let manifest = repository.push(which, &fresh()).await?;
            let size = repository
                .get(&format!("manifests/{}", digest_of(&manifest)))
                .await?
                .bytes()
                .await?
                .len();
            let entry = json!({
                "mediaType": MANIFEST, "digest": digest_of(&manifest), "size": size,
                "platform": {"os": "linux", "architecture": "amd64"},
            });
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]});
            let index = repository
                .push_manifest(&format!("{which}-index"), INDEX, &serde_json::to_vec(&index)?)
                .await?;
            match which {
                "index" => platform.key.sign(&index).await?,
                "manifest" => platform.key.sign(&manifest).await?,
                _ => platform.key.sign_all(&index).await?,
            }
            for (named, reference, is_signed) in [
                ("index", index, which != "manifest"),
                ("manifest", manifest, which != "index"),
            ] {
                let name = format!("{place}-{which}-{named}");
                apply(platform, &namespace, deployment(&name, &reference, None)).await?;
                cases.push((name, is_signed));
            }
        }
        for (name, is_signed) in cases {
            let want = if is_signed {
                verified(IMAGES)
            } else {
                rejected(IMAGES, "Unsigned", "--recursive: an index and all in it")
            };
            says(platform, &namespace, &format!("deployment-{name}"), want).await?;
        }
    }
    Ok(())
}

/// A signature belongs to a digest in a repository, whatever it is called there. A tag is denied with what to write.
async fn two_names_and_tags(scene: &Scene) -> Result<()> {
    let platform = &scene.platform;
    let namespace = platform.namespace("names").await?;
    platform
        .apply(
            &namespace,
            &track(&namespace, DEPLOYMENTS, "{images: {signers: [platform]}}", ""),
        )
        .await?;
    let host = platform.registry.host();
    let layer = fresh();
    let one = Repository::new(host, "apps/one").push("1", &layer).await?;
    let same = Repository::new(host, "apps/one").push("stable", &layer).await?;
    let other = Repository::new(host, "apps/other").push("1", &layer).await?;
    ensure!(digest_of(&one) == digest_of(&other) && one == same, "{one} {other}");
    platform.key.sign(&one).await?;
    let digest = digest_of(&one).to_owned();
    let by_tag = format!("{host}/apps/one:stable");
    let both = format!("{host}/apps/one:1@{digest}");
    for (name, image) in [("digest", &one), ("both", &both), ("other", &other), ("tag", &by_tag)] {
        apply(platform, &namespace, deployment(name, image, None)).await?;
    }
    says(platform, &namespace, "deployment-digest", verified(IMAGES)).await?;
    says(platform, &namespace, "deployment-both", verified(IMAGES)).await?;
    says(
        platform,
        &namespace,
        "deployment-other",
        rejected(IMAGES, "Unsigned", "apps/other: sha256:"),
    )
    .await?;
    // Signed, and denied all the same: the name can lead elsewhere tomorrow.
    let tagged = Says {
        verdict: "Deny",
        ..verified(IMAGES)
    };
    let found = says(platform, &namespace, "deployment-tag", tagged).await?;
    ensure!(
        artifacts(&found)[0].digest.as_deref() == Some(digest.as_str()),
        "{:?}",
        artifacts(&found)
    );
    let ready = condition_of(release_conditions(&found), "Ready").2;
    ensure!(ready.contains(&format!("write {by_tag}@{digest}")), "{ready}");
    // It moves to what nobody signed: found by itself.
    Repository::new(host, "apps/one").push("stable", &fresh()).await?;
    says(
        platform,
        &namespace,
        "deployment-tag",
        rejected(IMAGES, "Unsigned", "sign exactly this digest"),
    )
    .await?;
    Ok(())
}

/// The track's pull secret opens the registry for its workloads, and for no others.
async fn behind_a_password(scene: &Scene) -> Result<()> {
    let platform = &scene.platform;
    let (open, closed) = (platform.namespace("open").await?, platform.namespace("closed").await?);
    let signed_by = "{images: {signers: [platform]}}";
    let secrets = "  pullSecrets: [{name: spare}, {name: puller}]\n";
    platform
        .apply(&open, &track(&open, DEPLOYMENTS, signed_by, secrets))
        .await?;
    platform
        .apply(&closed, &track(&closed, DEPLOYMENTS, signed_by, ""))
        .await?;
    // cosign signs in the open; image and signature are copied.
    let public = Repository::new(platform.registry.host(), "apps/private");
    let layer = fresh();
    let signed = public.push("1", &layer).await?;
    platform.key.sign(&signed).await?;
    let private = Repository::new(scene.private.host(), "apps/private").login(USER, PASSWORD);
    let image = private.push("1", &layer).await?;
    attach(&private, &signature_of(&public, &signed).await?, &image).await?;
    for namespace in [&open, &closed] {
        apply(platform, namespace, deployment("app", &image, None)).await?;
    }
    let unauthorized = unknown(IMAGES, "Unauthorized", "check the pull secret");
    says(platform, &closed, "deployment-app", unauthorized).await?;
    says(
        platform,
        &open,
        "deployment-app",
        unknown(IMAGES, "PullSecretNotFound", "there is no Secret interlock-system/"),
    )
    .await?;
    for (name, host, password) in [
        ("spare", "registry.example.com", "x"),
        ("puller", scene.private.host(), PASSWORD),
    ] {
        let config = json!({"auths": {host: {"username": USER, "password": password}}});
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": config.to_string()},
        });
        apply(platform, NAMESPACE, secret).await?;
    }
    let found = says(platform, &open, "deployment-app", verified(IMAGES)).await?;
    ensure!(!serde_json::to_string(&found)?.contains(PASSWORD), "a password shows");
    // What one track may see is not another's answer.
    says(platform, &closed, "deployment-app", unauthorized).await?;
    with_secrets_of_its_own(scene, &image).await
}

/// A team's own Secret helps its workloads where the track says so and the team lets the operator read it.
async fn with_secrets_of_its_own(scene: &Scene, image: &str) -> Result<()> {
    let platform = &scene.platform;
    let team = platform.namespace("team").await?;
    let own = "  workloadPullSecrets: Use\n";
    platform
        .apply(
            &team,
            &track(&team, DEPLOYMENTS, "{images: {signers: [platform]}}", own),
        )
        .await?;
    let config = json!({"auths": {scene.private.host(): {"username": USER, "password": PASSWORD}}});
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "regcred"},
        "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": config.to_string()},
    });
    apply(platform, &team, secret).await?;
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner"},
        "imagePullSecrets": [{"name": "regcred"}],
    });
    apply(platform, &team, account).await?;
    let mut named = deployment("named", image, None);
    named["spec"]["template"]["spec"]["imagePullSecrets"] = json!([{"name": "absent"}, {"name": "regcred"}]);
    let mut by_account = deployment("by-account", image, None);
    by_account["spec"]["template"]["spec"]["serviceAccountName"] = json!("runner");
    for workload in [named, by_account, deployment("without", image, None)] {
        apply(platform, &team, workload).await?;
    }
    let releases = ["deployment-named", "deployment-by-account", "deployment-without"];
    let unauthorized = unknown(IMAGES, "Unauthorized", "check the pull secret");
    for release in releases {
        says(platform, &team, release, unauthorized).await?;
    }
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "interlock-pulls"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["regcred"], "verbs": ["get"]}],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "interlock-pulls"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "interlock-pulls"},
        "subjects": [{"kind": "ServiceAccount", "name": "interlock", "namespace": NAMESPACE}],
    });
    apply(platform, &team, role).await?;
    apply(platform, &team, binding).await?;
    for release in &releases[..2] {
        says(platform, &team, release, verified(IMAGES)).await?;
    }
    says(platform, &team, releases[2], unauthorized).await?;
    Ok(())
}

/// What no registry can be asked about is not known, or denied if it can change.
async fn where_nobody_can_ask(scene: &Scene) -> Result<()> {
    let platform = &scene.platform;
    let namespace = platform.namespace("elsewhere").await?;
    let by = "{signers: [platform]}";
    let signed_by = format!("{{images: {by}, models: {by}}}");
    platform
        .apply(&namespace, &track(&namespace, DEPLOYMENTS, &signed_by, ""))
        .await?;
    let missing = format!("{}/apps/none@sha256:{}", platform.registry.host(), "1".repeat(64));
    let not_allowed = format!("nginx@sha256:{}", "1".repeat(64));
    for (name, image, want) in [
        ("missing", missing.as_str(), unknown(IMAGES, "NotFound", "not found")),
        (
            "not-allowed",
            &not_allowed,
            unknown(
                IMAGES,
                "RegistryNotAllowed",
                "docker.io/library/nginx is not on the list",
            ),
        ),
    ] {
        apply(platform, &namespace, deployment(name, image, None)).await?;
        says(platform, &namespace, &format!("deployment-{name}"), want).await?;
    }
    a_name_longer_than_a_status(platform, &namespace).await
}

/// A name that would not fit into a status six times over, as JSON writes it, must not leave the old verdict standing.
async fn a_name_longer_than_a_status(platform: &Platform, namespace: &str) -> Result<()> {
    let good = push(platform.registry.host(), "apps/long", "1").await?;
    platform.key.sign(&good).await?;
    apply(platform, namespace, deployment("long", &good, None)).await?;
    says(platform, namespace, "deployment-long", verified(IMAGES)).await?;
    let odd = format!("{}/apps/{}:1", platform.registry.host(), "<".repeat(300_000));
    apply(platform, namespace, deployment("long", &odd, None)).await?;
    let want = Says {
        verdict: "Deny", // a tag
        ..unknown(IMAGES, "InvalidReference", "")
    };
    let release = says(platform, namespace, "deployment-long", want).await?;
    let size = serde_json::to_vec(&release)?.len();
    ensure!(size < 32 * 1024, "{size} bytes");
    Ok(())
}
