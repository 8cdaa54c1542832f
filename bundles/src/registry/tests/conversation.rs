//! Who is spoken to, and what they are told: allow-list, redirects, login.

use super::*;

#[tokio::test]
async fn a_registry_that_is_not_allowed_is_not_connected_to() {
    let liar = registry(|_| None).await;
    let settings = RegistrySettings {
        allowed: vec!["ghcr.io".to_owned()],
        ..settings(&liar)
    };
    let client = Registry::new(settings).unwrap();
    let (pinned, anonymous) = (pinned(&liar), Credentials::Anonymous);
    let tag = Wanted::Tag("1.0.0".to_owned());
    assert_eq!(reason(client.pull(&pinned, &anonymous).await), "RegistryNotAllowed");
    assert_eq!(
        reason(client.signatures(&pinned, &anonymous).await),
        "RegistryNotAllowed"
    );
    assert_eq!(
        reason(client.resolve(&pinned.repository, &tag, &anonymous).await),
        "RegistryNotAllowed"
    );
    assert_eq!(
        reason(client.push(&pinned.repository, "x", LAYER.to_vec(), &anonymous).await),
        "RegistryNotAllowed"
    );
    assert!(liar.seen().is_empty());
}

#[tokio::test]
async fn tags_cannot_twist_the_address() {
    let liar = registry(|_| None).await;
    for tag in ["../../other/manifests/1.0.0", "a?b", "a#b", "", "a/b", "%2e%2e", "ä"] {
        let outcome = client(&liar)
            .resolve(
                &repository(&liar),
                &Wanted::Tag(tag.to_owned()),
                &Credentials::Anonymous,
            )
            .await;
        assert_eq!(reason(outcome), "InvalidTag", "{tag}");
    }
    assert!(liar.seen().is_empty());
}

fn basic() -> Credentials {
    Credentials::Basic {
        username: "user".to_owned(),
        password: "s3cret".to_owned(),
    }
}

#[tokio::test]
async fn a_blob_may_come_from_elsewhere_but_credentials_do_not_go_there() {
    let store = Liar::start(|_| Reply::ok(LAYER)).await;
    let to = format!("http://{}/bucket/layer?signature=abc", store.host);
    let liar = registry(move |request| match &request.authorization {
        None => Some(Reply::status(401).with("WWW-Authenticate", "Basic realm=\"x\"")),
        Some(_) => request
            .path
            .contains("/blobs/")
            .then(|| Reply::status(307).with("Location", to.clone())),
    })
    .await;
    let mut settings = settings(&liar);
    settings.plain_http.push(store.host.clone());
    let outcome = Registry::new(settings.clone())
        .unwrap()
        .pull(&pinned(&liar), &basic())
        .await;
    assert_eq!(outcome.unwrap().layer(), LAYER);
    assert_eq!(
        store
            .seen()
            .iter()
            .map(|request| request.authorization.clone())
            .collect::<Vec<_>>(),
        [None]
    );
    assert!(
        liar.seen()
            .iter()
            .skip(1)
            .all(|request| request.authorization.is_some())
    );

    // Not to plain HTTP where that is not allowed.
    settings.plain_http.pop();
    let error = Registry::new(settings)
        .unwrap()
        .pull(&pinned(&liar), &basic())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "RedirectRefused");
    assert!(!error.to_string().contains("abc"), "{error}");
    assert_eq!(store.seen().len(), 1);
}

#[tokio::test]
async fn only_blobs_come_from_elsewhere() {
    let other = Liar::start(|_| Reply::ok(manifest())).await;
    let host = other.host.clone();
    let liar =
        registry(move |request| Some(Reply::status(307).with("Location", format!("http://{host}{}", request.path))))
            .await;
    let mut settings = settings(&liar);
    settings.plain_http.push(other.host.clone());
    let client = Registry::new(settings).unwrap();
    assert_eq!(reason(client.pull(&pinned(&liar), &basic()).await), "RedirectRefused");
    assert_eq!(
        reason(client.signatures(&pinned(&liar), &basic()).await),
        "RedirectRefused"
    );
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn redirects_at_home_are_followed_up_to_five() {
    let hop = |limit: usize| {
        move |request: &Request| {
            let hops = request.path.matches("hop").count();
            let path = format!("{}hop", request.path);
            (request.path.contains("manifests") && hops < limit).then(|| Reply::status(302).with("Location", path))
        }
    };
    let served = |limit: usize| {
        let hop = hop(limit);
        move |request: &Request| hop(request).or_else(|| request.path.contains("hop").then(|| Reply::ok(manifest())))
    };
    let liar = registry(served(5)).await;
    assert_eq!(reason(pull(&liar).await), "ok");
    let liar = registry(served(6)).await;
    assert_eq!(reason(pull(&liar).await), "RedirectRefused");
    for location in ["ftp://x/y", "file:///etc/passwd", "http://user:pw@x/y"] {
        let liar = registry(move |_| Some(Reply::status(302).with("Location", location))).await;
        assert_eq!(reason(pull(&liar).await), "RedirectRefused", "{location}");
    }
}

/// A registry and its token server in one.
async fn guarded(realm: impl Fn(&Request) -> String + Send + Sync + 'static) -> Liar {
    registry(
        move |request| match (&request.authorization, request.path.starts_with("/token")) {
            (_, true) => Some(Reply::ok(r#"{"token":"t0ken"}"#)),
            (Some(token), false) if token == "Bearer t0ken" => None,
            _ => Some(Reply::status(401).with(
                "WWW-Authenticate",
                format!("Bearer realm=\"{}\",service=\"s\"", realm(request)),
            )),
        },
    )
    .await
}

#[tokio::test]
async fn a_token_is_fetched_once_with_the_credentials_there_are() {
    let realm = Liar::start(|_| Reply::ok(r#"{"access_token":"t0ken"}"#)).await;
    let url = format!("http://{}/token", realm.host);
    let liar = guarded(move |_| url.clone()).await;
    let mut settings = settings(&liar);
    settings.plain_http.push(realm.host.clone());
    let client = Registry::new(settings).unwrap();
    assert_eq!(reason(client.pull(&pinned(&liar), &Credentials::Anonymous).await), "ok");
    assert_eq!(reason(client.pull(&pinned(&liar), &basic()).await), "ok");
    let asked: Vec<_> = realm
        .seen()
        .into_iter()
        .map(|request| (request.path, request.authorization))
        .collect();
    let path = "/token?service=s&scope=repository%3Apolicies%3Apull".to_owned();
    assert_eq!(
        asked,
        [(path.clone(), None), (path, Some("Basic dXNlcjpzM2NyZXQ=".to_owned()))]
    );
    assert_eq!(
        reason(
            client
                .pull(&pinned(&liar), &Credentials::Bearer("t0ken".to_owned()))
                .await
        ),
        "ok"
    );
    assert_eq!(
        reason(
            client
                .pull(&pinned(&liar), &Credentials::Bearer("other".to_owned()))
                .await
        ),
        "Unauthorized"
    );
    assert_eq!(realm.seen().len(), 2, "a given token is not exchanged");
    // The password goes to the token server only.
    assert!(
        liar.seen()
            .iter()
            .filter_map(|request| request.authorization.clone())
            .all(|header| header.starts_with("Bearer"))
    );
}

#[tokio::test]
async fn credentials_go_to_no_realm_in_the_clear() {
    let thief = Liar::start(|_| Reply::ok(r#"{"token":"t0ken"}"#)).await;
    let url = format!("http://{}/token", thief.host);
    let liar = guarded(move |_| url.clone()).await;
    assert_eq!(
        reason(client(&liar).pull(&pinned(&liar), &basic()).await),
        "RedirectRefused"
    );
    assert!(thief.seen().is_empty());
    let liar = guarded(|_| "not a url".to_owned()).await;
    assert_eq!(
        reason(client(&liar).pull(&pinned(&liar), &basic()).await),
        "MalformedAnswer"
    );
}

#[tokio::test]
async fn a_login_that_fails_is_not_gone_on_without() {
    for (reply, wanted) in [
        (Reply::status(401), "Unauthorized"),
        (Reply::status(403), "Forbidden"),
        (Reply::status(429).with("Retry-After", "60"), "RegistryThrottled"),
        (Reply::status(500), "RegistryUnavailable"),
        (Reply::status(302).with("Location", "https://x/y"), "RedirectRefused"),
        (Reply::ok("{}"), "MalformedAnswer"),
        (Reply::ok(r#"{"token":"wrong"}"#), "Unauthorized"),
        (Reply::Endless, "LimitExceeded"),
    ] {
        let realm = Liar::start(move |_| reply.clone()).await;
        let url = format!("http://{}/token", realm.host);
        let liar = guarded(move |_| url.clone()).await;
        let mut settings = settings(&liar);
        settings.plain_http.push(realm.host.clone());
        let outcome = Registry::new(settings)
            .unwrap()
            .signatures(&pinned(&liar), &basic())
            .await;
        assert_eq!(reason(outcome), wanted);
    }
}

#[tokio::test]
async fn what_is_no_bundle_is_not_pushed() {
    let liar = registry(|_| Some(Reply::status(500))).await;
    let push = async |bytes: Vec<u8>| {
        let (client, repository) = (client(&liar), repository(&liar));
        reason(client.push(&repository, "1.0.0", bytes, &Credentials::Anonymous).await)
    };
    assert_eq!(push(b"PK zip".to_vec()).await, "NotABundle");
    assert_eq!(push([LAYER, &[0; 5000]].concat()).await, "LimitExceeded");
    assert!(liar.seen().is_empty(), "nothing was sent");
    assert_eq!(push(LAYER.to_vec()).await, "RegistryUnavailable");
}
