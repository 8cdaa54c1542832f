//! Lists that span pages, are too long, dangle, or are not there.

use super::*;

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// A signature as cosign stores it: the manifest around a blob.
fn carrier(blob: &[u8]) -> Vec<u8> {
    manifest_of(&json!([{"mediaType": BUNDLE, "digest": Digest::of(blob), "size": blob.len()}]))
}

fn entry(artifact_type: Option<&str>, manifest: &[u8]) -> Value {
    json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": Digest::of(manifest), "size": manifest.len(), "artifactType": artifact_type})
}

fn index(entries: &[Value]) -> Vec<u8> {
    json!({"schemaVersion": 2, "manifests": entries})
        .to_string()
        .into_bytes()
}

/// Serves these signatures' manifests and blobs, and what `list` says.
async fn signed(blobs: Vec<Vec<u8>>, list: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Liar {
    registry(move |request| {
        let stored = blobs
            .iter()
            .flat_map(|blob| [("blobs", blob.clone()), ("manifests", carrier(blob))]);
        let found = stored
            .clone()
            .find(|(kind, bytes)| request.path.ends_with(&format!("/{kind}/{}", Digest::of(bytes))));
        list(request).or_else(|| found.map(|(_, bytes)| Reply::ok(bytes)))
    })
    .await
}

fn is_list(request: &Request) -> bool {
    request.path.contains("/referrers/")
}

fn is_tag(request: &Request) -> bool {
    request.path.contains("/manifests/sha256-")
}

#[tokio::test]
async fn signatures_are_found_whatever_type_is_listed() {
    let blobs: Vec<Vec<u8>> = (0..3).map(|n| format!("signature {n}").into_bytes()).collect();
    let listed = [Some(BUNDLE), Some(EMPTY), None];
    let entries: Vec<Value> = blobs
        .iter()
        .zip(listed)
        .map(|(blob, listed)| entry(listed, &carrier(blob)))
        .collect();
    let sbom = entry(Some("application/spdx+json"), b"an sbom, not asked for");
    let body = index(&[entries, vec![sbom]].concat());
    for is_here in [is_list, is_tag] {
        let body = body.clone();
        let liar = signed(blobs.clone(), move |request| {
            let elsewhere = is_list(request) && !is_here(request);
            is_here(request)
                .then(|| Reply::ok(body.clone()))
                .or_else(|| elsewhere.then(|| Reply::status(404)))
        })
        .await;
        let found = signatures(&liar).await.unwrap();
        assert_eq!(found.iter().map(|one| one.bytes.clone()).collect::<Vec<_>>(), blobs);
        assert!(
            found
                .iter()
                .all(|one| one.media_type == BUNDLE && one.digest.matches(&one.bytes))
        );
    }
}

#[tokio::test]
async fn no_signatures_is_said_only_by_a_whole_answer() {
    let none = |request: &Request| is_list(request).then(|| Reply::ok(index(&[])));
    assert_eq!(signatures(&registry(none).await).await.unwrap(), []);
    // Neither the API nor the tag, but the artifact is shown.
    assert_eq!(signatures(&registry(|_| None).await).await.unwrap(), []);
    // A registry that hides the artifact as well says nothing.
    assert_eq!(
        reason(signatures(&registry(|_| Some(Reply::status(404))).await).await),
        "NotFound"
    );
    for body in [
        "",
        "{}",
        "<html>login</html>",
        r#"{"manifests":null}"#,
        r#"{"manifests":[{"digest":"sha256:1"}]}"#,
    ] {
        let liar = registry(move |request| is_list(request).then(|| Reply::ok(body))).await;
        assert_eq!(reason(signatures(&liar).await), "MalformedAnswer", "{body}");
    }
    for status in [401, 403, 429, 500] {
        let liar = registry(move |request| is_tag(request).then(|| Reply::status(status))).await;
        assert!(signatures(&liar).await.is_err(), "{status} for the tag");
    }
}

#[tokio::test]
async fn a_listed_signature_that_cannot_be_had_is_an_error() {
    let blob = b"signature".to_vec();
    let body = index(&[entry(Some(BUNDLE), &carrier(&blob))]);
    for (path, reply, wanted) in [
        ("manifests", Reply::status(404), "SignaturesIncomplete"),
        ("blobs", Reply::status(404), "SignaturesIncomplete"),
        ("manifests", Reply::ok("other"), "DigestMismatch"),
        ("blobs", Reply::ok("other"), "DigestMismatch"),
        ("blobs", Reply::status(403), "Forbidden"),
        (
            "blobs",
            Reply::status(429).with("Retry-After", "60"),
            "RegistryThrottled",
        ),
        ("blobs", Reply::Endless, "LimitExceeded"),
        ("blobs", Reply::Close, "RegistryUnavailable"),
    ] {
        let body = body.clone();
        let liar = signed(vec![blob.clone()], move |request| {
            let lied_about = request.path.contains(&format!("/{path}/")).then(|| reply.clone());
            is_list(request).then(|| Reply::ok(body.clone())).or(lied_about)
        })
        .await;
        assert_eq!(reason(signatures(&liar).await), wanted, "{path}");
    }
}

/// What is listed as a signature and is none is handed on, to be refused by the trust check; what is
/// listed as nothing particular is left out.
#[tokio::test]
async fn what_is_no_signature_does_not_hide_one() {
    let blob = b"signature".to_vec();
    let (junk, other) = (b"junk".to_vec(), manifest());
    let body = index(&[
        entry(Some(BUNDLE), &junk),
        entry(Some(EMPTY), &other),
        entry(Some(BUNDLE), &carrier(&blob)),
    ]);
    let liar = signed(vec![blob.clone()], move |request| {
        let is_junk = request.path.ends_with(&Digest::of(b"junk").to_string());
        is_list(request)
            .then(|| Reply::ok(body.clone()))
            .or_else(|| is_junk.then(|| Reply::ok(junk.clone())))
    })
    .await;
    let found = signatures(&liar).await.unwrap();
    assert_eq!(
        found.iter().map(|one| one.bytes.clone()).collect::<Vec<_>>(),
        [b"junk".to_vec(), blob]
    );
}

#[tokio::test]
async fn junk_listed_as_signatures_is_weighed_too() {
    let junk: Vec<Vec<u8>> = (b'a'..=b'c').map(|letter| vec![letter; 900]).collect();
    let body = index(&junk.iter().map(|bytes| entry(Some(BUNDLE), bytes)).collect::<Vec<_>>());
    let liar = registry(move |request| {
        let stored = junk
            .iter()
            .find(|bytes| request.path.ends_with(&Digest::of(bytes).to_string()));
        let list = is_list(request).then(|| Reply::ok(body.clone()));
        list.or_else(|| stored.map(|bytes| Reply::ok(bytes.clone())))
    })
    .await;
    assert_eq!(reason(signatures(&liar).await), "LimitExceeded");
}

/// Pages of a list, linked in each of the ways registries do.
fn paged(request: &Request, bodies: &[Vec<u8>]) -> Reply {
    let page: usize = request
        .path
        .split_once("page=")
        .and_then(|(_, page)| page.parse().ok())
        .unwrap_or(0);
    let reply = Reply::ok(bodies.get(page).cloned().unwrap_or_default());
    let path = request.path.split('?').next().unwrap_or_default();
    match page + 1 {
        next if next >= bodies.len() => reply,
        1 => reply.with("Link", format!("<{path}?page=1>; rel=\"next\"")),
        next => reply.with("Link", format!("<?page={next}>; rel=next")),
    }
}

#[tokio::test]
async fn pages_are_followed_up_to_the_cap() {
    let blobs: Vec<Vec<u8>> = (0..4).map(|n| format!("signature {n}").into_bytes()).collect();
    let pages: Vec<Vec<u8>> = blobs
        .iter()
        .map(|blob| index(&[entry(Some(BUNDLE), &carrier(blob))]))
        .collect();
    for (count, wanted) in [(1, "ok"), (3, "ok"), (4, "LimitExceeded")] {
        let pages = pages[..count].to_vec();
        let liar = signed(blobs.clone(), move |request| {
            is_list(request).then(|| paged(request, &pages))
        })
        .await;
        let outcome = signatures(&liar).await;
        assert_eq!(
            outcome.as_ref().map_or(0, Vec::len),
            if wanted == "ok" { count } else { 0 }
        );
        assert_eq!(reason(outcome), wanted, "{count} pages");
    }
    // A page that is missing makes the whole list incomplete.
    let first = pages[0].clone();
    let liar = signed(blobs, move |request| match is_list(request) {
        true if request.path.contains("page=") => Some(Reply::status(404)),
        true => Some(Reply::ok(first.clone()).with("Link", "<?page=1>; rel=\"next\"")),
        false => None,
    })
    .await;
    assert_eq!(reason(signatures(&liar).await), "MalformedAnswer");
    for link in ["<https://elsewhere.io/x>; rel=\"next\"", "nonsense", "</x"] {
        let liar = registry(move |request| is_list(request).then(|| Reply::ok(index(&[])).with("Link", link))).await;
        assert_eq!(reason(signatures(&liar).await), "MalformedAnswer", "{link}");
    }
}

#[tokio::test]
async fn signatures_are_counted_and_weighed() {
    let many: Vec<Vec<u8>> = (0..5).map(|n| format!("signature {n}").into_bytes()).collect();
    let heavy: Vec<Vec<u8>> = (0..3).map(|n| vec![n; 1000]).collect();
    for (blobs, wanted) in [
        (many[..4].to_vec(), "ok"),
        (many, "LimitExceeded"),
        (heavy[..2].to_vec(), "ok"),
        (heavy, "LimitExceeded"),
        (vec![vec![0; 1025]], "LimitExceeded"),
    ] {
        let body = index(
            &blobs
                .iter()
                .map(|blob| entry(Some(BUNDLE), &carrier(blob)))
                .collect::<Vec<_>>(),
        );
        let liar = signed(blobs, move |request| is_list(request).then(|| Reply::ok(body.clone()))).await;
        assert_eq!(reason(signatures(&liar).await), wanted);
    }
}

#[tokio::test]
async fn a_version_range_is_resolved_over_all_pages() {
    let range = |text: &str| Wanted::Semver(text.parse().unwrap());
    let tags = |tags: &[&str]| json!({"name": "policies", "tags": tags}).to_string().into_bytes();
    let pages = [
        tags(&["latest", "0.9.0"]),
        tags(&["1.0.0", "sha256-abc"]),
        json!({"tags": null}).to_string().into_bytes(),
    ];
    let liar = registry(move |request| request.path.contains("/tags/list").then(|| paged(request, &pages))).await;
    let repository = repository(&liar);
    let resolve = |text: &str| {
        let (client, repository, wanted) = (client(&liar), repository.clone(), range(text));
        async move { client.resolve(&repository, &wanted, &Credentials::Anonymous).await }
    };
    assert_eq!(resolve("^1").await.unwrap(), pinned(&liar));
    let error = resolve("^2").await.unwrap_err();
    assert_eq!(error.reason(), "NoMatchingVersion");
    assert!(
        error.to_string().contains("^2") && error.to_string().contains("1.0.0"),
        "{error}"
    );

    let many: Vec<String> = (0..11).map(|n| format!("1.0.{n}")).collect();
    let body = json!({"tags": many}).to_string();
    let liar = registry(move |request| request.path.contains("/tags/list").then(|| Reply::ok(body.clone()))).await;
    let outcome = client(&liar)
        .resolve(&super::repository(&liar), &range("^1"), &Credentials::Anonymous)
        .await;
    assert_eq!(reason(outcome), "LimitExceeded");
}
