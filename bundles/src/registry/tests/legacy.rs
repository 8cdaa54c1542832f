//! Signatures under cosign's old tag: found whole, or not said to be missing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const SIMPLE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

fn layer(media_type: &str, payload: &[u8], annotations: &Value) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(payload), "size": payload.len(), "annotations": annotations})
}

async fn legacy(liar: &Liar) -> Result<Vec<Evidence>, RegistryError> {
    client(liar)
        .legacy_signatures(&pinned(liar), &Credentials::Anonymous)
        .await
}

fn is_tag(request: &Request) -> bool {
    request
        .path
        .ends_with(&format!("/manifests/sha256-{}.sig", Digest::of(&manifest()).hex()))
}

/// Serves the tag with these layers, and the payloads.
async fn signed(layers: Value, lie: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Liar {
    registry(move |request| {
        let payload = [&b"payload"[..], b"other"]
            .into_iter()
            .find(|payload| request.path.ends_with(&format!("/blobs/{}", Digest::of(payload))));
        lie(request)
            .or_else(|| is_tag(request).then(|| Reply::ok(manifest_of(&layers))))
            .or_else(|| payload.map(Reply::ok))
    })
    .await
}

#[tokio::test]
async fn what_is_signed_comes_with_its_signature() {
    let annotations = json!({"dev.cosignproject.cosign/signature": "c2ln", "dev.sigstore.cosign/bundle": "{}"});
    let layers = json!([
        layer(SIMPLE, b"payload", &annotations),
        layer("application/json", b"no signature", &json!({})),
        layer(SIMPLE, b"other", &json!({})),
    ]);
    let found = legacy(&signed(layers, |_| None).await).await.unwrap();
    let read: Vec<_> = found
        .iter()
        .map(|one| LegacySignature::read(&one.bytes).unwrap())
        .collect();
    let (first, second) = (&read[0], &read[1]);
    assert_eq!((read.len(), &first.payload), (2, &STANDARD.encode("payload")));
    assert_eq!(
        (first.signature.as_str(), first.receipt.as_deref()),
        ("c2ln", Some("{}"))
    );
    // Without a signature it is handed on, for the trust check to refuse.
    assert_eq!((second.signature.as_str(), &second.receipt), ("", &None));
    assert!(
        found
            .iter()
            .all(|one| one.media_type == SIMPLE && one.digest.matches(&one.bytes))
    );
}

#[tokio::test]
async fn none_is_said_only_by_a_whole_answer() {
    assert_eq!(legacy(&registry(|_| None).await).await.unwrap(), []);
    let hidden = registry(|_| Some(Reply::status(404))).await;
    assert_eq!(reason(legacy(&hidden).await), "NotFound");
    let one = || json!([layer(SIMPLE, b"payload", &json!({}))]);
    for (is_payload, reply, wanted) in [
        (false, Reply::status(429), "RegistryThrottled"),
        (false, Reply::status(500), "RegistryUnavailable"),
        (false, Reply::status(401), "Unauthorized"),
        (false, Reply::ok("{}"), "MalformedAnswer"),
        (false, Reply::ok(r#"{"manifests":[]}"#), "MalformedAnswer"),
        (false, Reply::Endless, "LimitExceeded"),
        (true, Reply::status(404), "SignaturesIncomplete"),
        (true, Reply::ok("another"), "DigestMismatch"),
        (true, Reply::Endless, "LimitExceeded"),
    ] {
        let liar = signed(one(), move |request| {
            let hit = if is_payload {
                request.path.contains("/blobs/")
            } else {
                is_tag(request)
            };
            hit.then(|| reply.clone())
        })
        .await;
        assert_eq!(reason(legacy(&liar).await), wanted);
    }
    let many = Value::Array(vec![layer(SIMPLE, b"payload", &json!({})); 5]);
    assert_eq!(reason(legacy(&signed(many, |_| None).await).await), "LimitExceeded");
}

#[tokio::test]
async fn both_formats_are_told_together_or_not_at_all() {
    let layers = || json!([layer(SIMPLE, b"payload", &json!({}))]);
    let ask = async |liar: &Liar, legacy| {
        let credentials = Credentials::Anonymous;
        client(liar).evidence(&pinned(liar), legacy, &credentials).await
    };
    let honest = signed(layers(), |_| None).await;
    assert_eq!(ask(&honest, false).await.unwrap(), []);
    assert!(
        !honest.seen().iter().any(is_tag),
        "not looked for where it does not count"
    );
    assert_eq!(ask(&honest, true).await.unwrap().len(), 1);
    for part in ["/referrers/", ".sig"] {
        let lie = move |request: &Request| request.path.contains(part).then(|| Reply::status(503));
        let away = signed(layers(), lie).await;
        assert_eq!(reason(ask(&away, true).await), "RegistryUnavailable", "{part}");
    }
}
