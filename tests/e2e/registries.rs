//! What a registry can do to a bundle: be down, slow, closed, wrong or hostile. None of it is ever taken for "unsigned",
//! the last good bundle keeps judging, and once the registry is honest again the update takes over.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use interlock_tests::artifact::{MANIFEST, Repository};
use interlock_tests::registry::{PASSWORD, USER};
use interlock_tests::{Flavour, Liar, Lie, Part, Registry};
use serde_json::{Value, json};

use crate::trial::Stage::{self, Asking, AskingAgain};
use crate::trial::{PATH, Refusal, Trial, digest_of, refusal};

/// The operator's `--registry-timeout` is 5 s.
const TOO_LATE: Duration = Duration::from_secs(20);

/// What the registry does, to which requests, and what must be said of it.
type Case = (&'static str, Part, Lie, Refusal);

/// Stands for the layer of the bundle.
const LAYER: &str = "layer";
/// Stands for the manifest of its signature.
const SIGNATURE: &str = "signature";

fn path(name: &str) -> Part {
    Part::Path(name.to_owned())
}

/// It will not or cannot.
fn failures() -> Vec<Case> {
    let unauthorized = refusal(Asking, "Unauthorized", "check the pull secret");
    let forbidden = refusal(Asking, "Forbidden", "check their permissions on the repository");
    let not_found = refusal(Asking, "NotFound", "not found");
    let throttled = refusal(AskingAgain, "RegistryThrottled", "asks to slow down");
    let failing = refusal(AskingAgain, "RegistryUnavailable", "failed with status 500");
    let gone = refusal(
        AskingAgain,
        "SignaturesIncomplete",
        "is listed by the registry but not there",
    );
    let late = refusal(AskingAgain, "RegistryTimeout", "no complete answer within 5 s");
    let cut_off = refusal(AskingAgain, "RegistryUnavailable", "no answer");
    let drip = Lie::Drip(Duration::from_millis(20));
    vec![
        ("401", Part::Everything, Lie::Status(401), unauthorized),
        ("403", Part::Everything, Lie::Status(403), forbidden),
        ("404", Part::Everything, Lie::Status(404), not_found),
        ("429", Part::Everything, Lie::Status(429), throttled),
        ("429 with a time", Part::Everything, Lie::RetryAfter(3600), throttled),
        ("500", Part::Everything, Lie::Status(500), failing),
        ("401 for signatures", Part::Referrers, Lie::Status(401), unauthorized),
        ("403 for signatures", Part::Referrers, Lie::Status(403), forbidden),
        ("429 for signatures", Part::Referrers, Lie::RetryAfter(3600), throttled),
        ("500 for signatures", Part::Referrers, Lie::Status(500), failing),
        ("a listing that is cut off", Part::Referrers, Lie::Truncate(20), cut_off),
        (
            "a signature that is listed and gone",
            path(SIGNATURE),
            Lie::Status(404),
            gone,
        ),
        ("404 for the layer", path(LAYER), Lie::Status(404), not_found),
        ("500 for the layer", path(LAYER), Lie::Status(500), failing),
        ("a hanging registry", Part::Everything, Lie::Hang, late),
        ("a late listing", Part::Referrers, Lie::Late(TOO_LATE), late),
        ("a dripping layer", path(LAYER), drip, late),
    ]
}

/// It says what is not so, or too much.
fn untruths() -> Vec<Case> {
    let malformed = refusal(Asking, "MalformedAnswer", "malformed");
    let mismatch = refusal(Asking, "DigestMismatch", "got bytes with digest");
    let manifest_limit = refusal(Asking, "LimitExceeded", "manifest bytes exceeds the limit of 4194304");
    let listing_limit = refusal(
        Asking,
        "LimitExceeded",
        "referrer list bytes exceeds the limit of 4194304",
    );
    let layer_limit = refusal(Asking, "LimitExceeded", "layer bytes exceeds the limit of 67108864");
    let page = Lie::Body(b"<html>".to_vec());
    let large = Lie::Body(vec![b' '; (4 << 20) + 1]);
    let announced = Lie::Header("docker-content-digest", format!("sha256:{}", "0".repeat(64)));
    vec![
        (
            "an unknown status for signatures",
            Part::Referrers,
            Lie::Status(418),
            malformed,
        ),
        ("a listing that is no listing", Part::Referrers, page, malformed),
        ("another digest announced", Part::Manifests, announced, mismatch),
        ("a flipped bit in the manifest", Part::Manifests, Lie::FlipBit, mismatch),
        ("a flipped bit in the layer", path(LAYER), Lie::FlipBit, mismatch),
        (
            "a flipped bit in the signature",
            path(SIGNATURE),
            Lie::FlipBit,
            mismatch,
        ),
        ("a larger manifest than the cap", Part::Manifests, large, manifest_limit),
        ("a manifest without end", Part::Manifests, Lie::Endless, manifest_limit),
        ("a listing without end", Part::Referrers, Lie::Endless, listing_limit),
        ("a layer without end", path(LAYER), Lie::Endless, layer_limit),
    ]
}

/// It sends the operator elsewhere. `host` is another registry, one that may be asked.
fn redirects(host: &str) -> Vec<Case> {
    let to = |url: &str| Lie::Redirect(url.to_owned());
    let refused = refusal(Asking, "RedirectRefused", "refused to go on to");
    let manifest = to(&format!("http://{host}/v2/x/manifests/y"));
    let listing = to(&format!("http://{host}/v2/x/referrers/y"));
    vec![
        ("manifests elsewhere", Part::Manifests, manifest, refused),
        ("listings elsewhere", Part::Referrers, listing, refused),
        (
            "a layer without TLS",
            path(LAYER),
            to("http://blobs.example.com/x"),
            refused,
        ),
        ("a layer in a file", path(LAYER), to("file:///etc/passwd"), refused),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_registry_does_the_last_good_bundle_judges_and_nothing_is_called_unsigned() -> Result<()> {
    let trial = Trial::start(&[]).await?;
    let liar = &trial.platform.liar;
    let url = format!("oci://{}/{PATH}", liar.host());

    // A good update that only the registry's behaviour keeps from taking over.
    let update = trial.platform.publish(PATH, "update", &trial.fresh()?).await?;
    let repository = trial.repository();
    let manifest: Value = repository.get("manifests/update").await?.json().await?;
    let layer = manifest["layers"][0]["digest"]
        .as_str()
        .context("a bundle has a layer")?;
    let listing: Value = repository
        .get(&format!("referrers/{}", digest_of(&update)))
        .await?
        .json()
        .await?;
    let signature = listing["manifests"][0]["digest"].as_str().context("it is signed")?;

    let cases = [failures(), untruths(), redirects(trial.platform.registry.host())];
    for (case, part, lie, want) in cases.into_iter().flatten() {
        let part = match part {
            Part::Path(name) if name == LAYER => Part::Path(layer.to_owned()),
            Part::Path(name) if name == SIGNATURE => Part::Path(signature.to_owned()),
            part => part,
        };
        liar.be_honest();
        liar.tell(part, lie);
        trial.ask(json!({"url": url, "ref": {"tag": "update"}})).await?;
        trial.refuses(case, want).await?;
    }

    // A blob may come from another host that is allowed without TLS; and now nothing is in the way.
    liar.be_honest();
    let blob = format!("http://{}/v2/{PATH}/blobs/{layer}", trial.platform.registry.host());
    liar.tell(Part::Path(layer.to_owned()), Lie::Redirect(blob));
    trial.ask(json!({"url": url, "ref": {"tag": "update"}})).await?;
    trial.judging(digest_of(&update)).await?;
    trial.still_judges(digest_of(&update)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_is_not_allowed_down_closed_or_without_what_is_asked_for() -> Result<()> {
    let (tags, private) = tokio::try_join!(Registry::start(Flavour::Tags), Registry::start(Flavour::Private))?;
    let liar = Liar::before(&tags).await?;
    let hosts = format!("{},{},{}", tags.host(), private.host(), liar.host());
    let more = ["--allow-registry", "--plain-http-registry"].map(|flag| format!("{flag}={hosts}"));
    let trial = Trial::start(&more.each_ref().map(String::as_str)).await?;
    let stranger = Liar::before(&tags).await?;
    let at = |host: &str, tag: &str| json!({"url": format!("oci://{host}/{PATH}"), "ref": {"tag": tag}});

    // Not allowed: not even asked.
    trial.ask(at(stranger.host(), "stable")).await?;
    let not_allowed = refusal(
        Stage::Asking,
        "RegistryNotAllowed",
        "is not on the list of allowed registries",
    );
    trial.refuses("not allowed", not_allowed).await?;
    assert_eq!(stranger.asked(), Vec::<String>::new());

    // The real 404s of distribution: no such repository, no such tag, no such digest, no such version.
    let not_found = refusal(Stage::Asking, "NotFound", "not found");
    trial.ask(at(tags.host(), "stable")).await?;
    trial.refuses("no such repository", not_found).await?;
    let repository = Repository::new(tags.host(), PATH);
    let update = repository.push("1.5.0", &trial.fresh()?).await?;
    trial.ask(at(tags.host(), "stable")).await?;
    trial.refuses("no such tag", not_found).await?;
    let digest = format!("sha256:{}", "1".repeat(64));
    trial
        .ask(json!({"url": format!("oci://{}/{PATH}", tags.host()), "ref": {"digest": digest}}))
        .await?;
    trial.refuses("no such digest", not_found).await?;
    trial
        .ask(json!({"url": format!("oci://{}/{PATH}", tags.host()), "ref": {"semver": "^2"}}))
        .await?;
    let no_match = refusal(
        Stage::Asking,
        "NoMatchingVersion",
        "the highest versions there are [\"1.5.0\"]",
    );
    trial.refuses("no such version", no_match).await?;

    // Without the referrers API, the tag that lists signatures decides; its failure is not its absence.
    trial.platform.key.sign(&update).await?;
    let hidden = Part::Path("/manifests/sha256".to_owned());
    let listing = Part::Path("/manifests/sha256-".to_owned());
    for (case, part, lie, want) in [
        (
            "500 for the listing tag",
            &listing,
            Lie::Status(500),
            refusal(Stage::AskingAgain, "RegistryUnavailable", "status 500"),
        ),
        (
            "401 for the listing tag",
            &listing,
            Lie::Status(401),
            refusal(Stage::Asking, "Unauthorized", "pull secret"),
        ),
        ("404 for whatever has a digest", &hidden, Lie::Status(404), not_found),
    ] {
        liar.be_honest();
        liar.tell(part.clone(), lie);
        trial.ask(at(liar.host(), "1.5.0")).await?;
        trial.refuses(case, want).await?;
    }

    // A real manifest beyond the cap of 4 MiB, on a registry that takes it.
    let config = trial.repository().push_blob(MANIFEST, b"{}").await?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [],
        "annotations": {"filler": " ".repeat(5 << 20)},
    });
    trial
        .repository()
        .push_manifest("large", MANIFEST, &serde_json::to_vec(&manifest)?)
        .await?;
    trial.follow("large").await?;
    let too_large = refusal(
        Stage::Asking,
        "LimitExceeded",
        "manifest bytes exceeds the limit of 4194304",
    );
    trial.refuses("a large manifest", too_large).await?;

    a_closed_registry_opens_with_the_pull_secret(&trial, &private).await?;

    // Down, and up again.
    trial.follow("stable").await?;
    trial.judging(&trial.digest).await?;
    trial.platform.registry.stop().await?;
    trial.follow("stable").await?;
    let down = refusal(Stage::AskingAgain, "RegistryUnavailable", "no answer from the registry");
    trial.refuses("down", down).await?;
    trial.platform.registry.start_again().await?;
    trial.judging(&trial.digest).await.context("it asks again by itself")?;
    trial.still_judges(&trial.digest).await
}

async fn a_closed_registry_opens_with_the_pull_secret(trial: &Trial, private: &Registry) -> Result<()> {
    let repository = Repository::new(private.host(), PATH).login(USER, PASSWORD);
    repository.push("stable", &trial.fresh()?).await?;
    let url = format!("oci://{}/{PATH}", private.host());
    let with_secret = json!({"url": url, "ref": {"tag": "stable"}, "pullSecret": {"name": "puller"}});

    trial.ask(json!({"url": url, "ref": {"tag": "stable"}})).await?;
    let unauthorized = refusal(Stage::Asking, "Unauthorized", "check the pull secret");
    trial.refuses("no password", unauthorized).await?;

    trial.ask(with_secret.clone()).await?;
    let no_secret = refusal(
        Stage::AskingAgain,
        "PullSecretNotFound",
        "there is no Secret interlock-system/puller",
    );
    trial.refuses("no pull secret", no_secret).await?;

    for (case, password, want) in [
        ("a wrong password", "guess", unauthorized),
        // What is there was never signed: that this can be said shows that the password opened the door.
        (
            "the right password",
            PASSWORD,
            refusal(Stage::Verifying, "Unsigned", "has no signature"),
        ),
    ] {
        let config = json!({"auths": {private.host(): {"username": USER, "password": password}}});
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "puller"},
            "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": config.to_string()},
        });
        let namespace = interlock_tests::platform::NAMESPACE;
        interlock_tests::apply::apply_value(&trial.platform.client, namespace, secret).await?;
        trial.ask(with_secret.clone()).await?;
        let bundle = trial.refuses(case, want).await?;
        let text = serde_json::to_string(&bundle)?;
        ensure!(
            !text.contains(PASSWORD) && !text.contains("guess"),
            "a password shows: {text}"
        );
    }
    Ok(())
}
