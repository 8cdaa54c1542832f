//! Statuses, sizes, digests and time.

use std::time::Instant;

use super::*;

#[tokio::test]
async fn an_honest_registry_serves() {
    let liar = registry(|_| None).await;
    let pinned = resolve(&liar).await.unwrap();
    assert_eq!(pinned, super::pinned(&liar));
    let pulled = pull(&liar).await.unwrap();
    assert_eq!((pulled.digest(), pulled.layer()), (pinned.digest, LAYER));
    // A digest is its own answer: nothing is sent.
    let sent = liar.seen().len();
    let same = client(&liar)
        .resolve(
            &repository(&liar),
            &Wanted::Digest(pinned.digest),
            &Credentials::Anonymous,
        )
        .await;
    assert_eq!(same.unwrap(), pinned);
    assert_eq!(liar.seen().len(), sent);
}

#[tokio::test]
async fn each_status_is_an_error_of_its_own_and_never_unsigned() {
    for (status, wanted) in [
        (400, "MalformedAnswer"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (405, "MalformedAnswer"),
        (429, "RegistryThrottled"),
        (500, "RegistryUnavailable"),
        (503, "RegistryUnavailable"),
        (204, "MalformedAnswer"),
        (206, "MalformedAnswer"),
        (304, "MalformedAnswer"),
        (404, "NotFound"),
    ] {
        let liar = registry(move |_| Some(Reply::status(status).with("Retry-After", "0"))).await;
        assert_eq!(reason(signatures(&liar).await), wanted, "signatures, {status}");
        let expected = if status == 204 { "DigestMismatch" } else { wanted };
        assert_eq!(reason(pull(&liar).await), expected, "pull, {status}");
    }
}

#[tokio::test]
async fn the_registry_is_quoted_shortly() {
    let body = json!({"errors": [{"code": "DENIED", "message": format!("no\n{}", "x".repeat(5000))}]});
    let liar = registry(move |_| Some(Reply::Answer(403, vec![], body.to_string().into_bytes()))).await;
    let message = pull(&liar).await.unwrap_err().to_string();
    assert!(message.contains("(DENIED: nox") && message.len() < 500, "{message}");
}

#[tokio::test]
async fn what_helps_is_tried_again_and_no_more_than_twice() {
    let liar = registry(|request| (request.number < 2).then(|| Reply::status(503))).await;
    assert_eq!(reason(resolve(&liar).await), "ok");
    assert_eq!(liar.seen().len(), 3);

    let liar = registry(|_| Some(Reply::status(429).with("Retry-After", "0"))).await;
    let error = resolve(&liar).await.unwrap_err();
    assert!(error.is_transient());
    assert_eq!((error.reason(), liar.seen().len()), ("RegistryThrottled", 3));

    let liar = registry(|_| Some(Reply::status(429).with("Retry-After", "3600"))).await;
    let error = resolve(&liar).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_hours(1)));
    assert_eq!(liar.seen().len(), 1, "an hour is not waited for");

    // A connection that closes without an answer, as those do that outlive a restarted registry.
    let liar = registry(|request| (request.number < 2).then_some(Reply::Close)).await;
    assert_eq!(reason(resolve(&liar).await), "ok");
    let liar = registry(|_| Some(Reply::Close)).await;
    assert_eq!(reason(resolve(&liar).await), "RegistryUnavailable");
    assert_eq!(liar.seen().len(), 3);

    for status in [400, 401, 403, 404] {
        let liar = registry(move |_| Some(Reply::status(status))).await;
        assert!(!resolve(&liar).await.unwrap_err().is_transient());
        assert_eq!(liar.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let liar = registry(|_| None).await;
    let (settings, pinned) = (settings(&liar), pinned(&liar));
    drop(liar);
    let outcome = Registry::new(settings)
        .unwrap()
        .pull(&pinned, &Credentials::Anonymous)
        .await;
    assert_eq!(reason(outcome), "RegistryUnavailable");
    let liar = registry(|_| Some(Reply::Close)).await;
    assert_eq!(reason(pull(&liar).await), "RegistryUnavailable");
    // TLS where there is none.
    let liar = registry(|_| None).await;
    let settings = RegistrySettings {
        plain_http: vec![],
        ..super::settings(&liar)
    };
    let outcome = Registry::new(settings)
        .unwrap()
        .pull(&super::pinned(&liar), &Credentials::Anonymous)
        .await;
    assert_eq!(reason(outcome), "RegistryUnavailable");
}

#[tokio::test]
async fn a_slow_registry_ends_in_a_timeout() {
    for (slow, path) in [
        (Reply::Hang, "manifests"),
        (Reply::Trickle, "manifests"),
        (Reply::Hang, "blobs"),
        (Reply::Trickle, "blobs"),
    ] {
        let liar = registry(move |request| request.path.contains(path).then(|| slow.clone())).await;
        let settings = RegistrySettings {
            timeout: Duration::from_millis(400),
            ..settings(&liar)
        };
        let start = Instant::now();
        let outcome = Registry::new(settings)
            .unwrap()
            .pull(&pinned(&liar), &Credentials::Anonymous)
            .await;
        assert_eq!(reason(outcome), "RegistryTimeout", "{path}");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn nothing_larger_than_its_cap_is_taken() {
    let large = "x".repeat(5000);
    for reply in [
        Reply::Endless,
        Reply::Claim(u64::MAX / 2, vec![]),
        Reply::ok(large.clone()),
    ] {
        for path in ["/manifests/", "/blobs/"] {
            let reply = reply.clone();
            let liar = registry(move |request| request.path.contains(path).then(|| reply.clone())).await;
            assert_eq!(reason(pull(&liar).await), "LimitExceeded", "{path}");
        }
    }
    // A layer that says beforehand that it is too large is not even asked for.
    let manifest = manifest_of(&json!([{
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": Digest::of(LAYER), "size": 1_u64 << 40,
    }]));
    let digest = Digest::of(&manifest);
    let liar = registry(move |request| request.path.contains("manifests").then(|| Reply::ok(manifest.clone()))).await;
    let outcome = client(&liar)
        .pull(&repository(&liar).pin(digest), &Credentials::Anonymous)
        .await;
    assert_eq!(reason(outcome), "LimitExceeded");
    assert_eq!(liar.seen().len(), 1);
    // An answer that ends early is no answer.
    let liar = registry(|request| {
        request
            .path
            .contains("blobs")
            .then(|| Reply::Claim(100, LAYER.to_vec()))
    })
    .await;
    assert_eq!(reason(pull(&liar).await), "RegistryUnavailable");
}

#[tokio::test]
async fn bytes_must_have_their_digest() {
    for path in ["/manifests/", "/blobs/"] {
        let liar = registry(move |request| {
            request.path.contains(path).then(|| match honest(request) {
                Reply::Answer(status, headers, mut body) => {
                    *body.last_mut().unwrap() ^= 1;
                    Reply::Answer(status, headers, body)
                }
                other => other,
            })
        })
        .await;
        assert_eq!(reason(pull(&liar).await), "DigestMismatch", "{path}");
    }
    // The registry announces another digest than it serves.
    let liar =
        registry(|_| Some(Reply::ok(manifest()).with("Docker-Content-Digest", Digest::of(b"other").to_string()))).await;
    assert_eq!(reason(resolve(&liar).await), "DigestMismatch");
}

#[tokio::test]
async fn what_is_no_bundle_is_refused() {
    let layer = |media_type: &str| {
        manifest_of(&json!([{"mediaType": media_type, "digest": Digest::of(LAYER), "size": LAYER.len()}]))
    };
    for (manifest, wanted) in [
        (layer("application/vnd.cncf.openpolicyagent.layer.v1.tar+gzip"), "ok"),
        (layer("application/vnd.docker.image.rootfs.diff.tar.gzip"), "NotABundle"),
        (
            layer("application/vnd.cncf.openpolicyagent.policy.layer.v1+rego"),
            "NotABundle",
        ),
        (manifest_of(&json!([])), "NotABundle"),
        (br#"{"schemaVersion":2,"manifests":[]}"#.to_vec(), "NotABundle"),
        (br#"{"schemaVersion":2}"#.to_vec(), "NotABundle"),
        (b"<html>".to_vec(), "NotABundle"),
    ] {
        let (digest, text) = (Digest::of(&manifest), String::from_utf8_lossy(&manifest).into_owned());
        let liar =
            registry(move |request| request.path.contains("manifests").then(|| Reply::ok(manifest.clone()))).await;
        let outcome = client(&liar)
            .pull(&repository(&liar).pin(digest), &Credentials::Anonymous)
            .await;
        assert_eq!(reason(outcome), wanted, "{text}");
    }
}
