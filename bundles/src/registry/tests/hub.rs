//! How the client bears what a hub does to it. There is no hub to run on a machine: this one says what the documentation of
//! the Hugging Face Hub's API and its own client have it say, and then what it should not.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::model::hub::HubModel;
use crate::model::{Allowed, Manifest};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const OID: &str = "5de2c8a9f1f2a7d3c6b1e0f4a8b7c6d5e4f3a2b1";

fn oms(name: &str) -> Value {
    let path = format!("{}/testdata/oms/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The files that were signed.
fn signed() -> BTreeMap<String, Vec<u8>> {
    let tree = oms("fixtures.json")["files-p256"]["tree"].as_object().unwrap().clone();
    let bytes = |text: Value| text.as_str().unwrap().as_bytes().to_vec();
    tree.into_iter().map(|(name, text)| (name, bytes(text))).collect()
}

fn manifest() -> Manifest {
    let payload = oms("files-p256.sig")["dsseEnvelope"]["payload"].clone();
    Manifest::read(&STANDARD.decode(payload.as_str().unwrap()).unwrap()).unwrap()
}

fn model() -> HubModel {
    format!("hf://acme/Iris.v2@{COMMIT}").parse().unwrap()
}

fn small(name: &str, size: usize) -> Value {
    json!({"type": "file", "oid": OID, "size": size, "path": name})
}

/// A file as the hub lists it: those in `weights/` are large.
fn entry((name, content): (&String, &Vec<u8>)) -> Value {
    let mut entry = small(name, content.len());
    if name.starts_with("weights/") {
        entry["lfs"] = json!({"oid": Digest::of(content).hex(), "size": content.len(), "pointerSize": 135});
        entry["xetHash"] = json!("not looked at");
    }
    entry
}

fn entries() -> Vec<Value> {
    let folder = json!({"type": "directory", "oid": OID, "size": 0, "path": "weights"});
    signed().iter().map(entry).chain([folder]).collect()
}

fn page(entries: &[Value]) -> Reply {
    Reply::ok(json!(entries).to_string())
}

/// Where the second page is.
fn is_second(request: &Request) -> bool {
    request.path.contains("cursor=two")
}

/// Two pages of three and four entries, and the files.
fn honest(request: &Request) -> Reply {
    let (first, second) = (&entries()[..3], &entries()[3..]);
    let list = format!("/api/models/acme/Iris.v2/tree/{COMMIT}?recursive=true&expand=false");
    if request.path == list {
        return page(first).with("Link", format!("<{list}&cursor=two>; rel=\"next\""));
    }
    if is_second(request) {
        return page(second);
    }
    let file = request.path.strip_prefix(&format!("/acme/Iris.v2/resolve/{COMMIT}/"));
    let file = file.map(|name| name.replace("%C3%B6", "ö"));
    match file.and_then(|name| signed().remove(&name)) {
        Some(content) => Reply::ok(content),
        None => Reply::status(404),
    }
}

async fn hub(lie: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Liar {
    Liar::start(move |request| lie(request).unwrap_or_else(|| honest(request))).await
}

fn client(liar: &Liar, token: Option<&str>) -> Hub {
    let mut hub = Hub::new(&HubSettings {
        endpoint: format!("http://{}", liar.host),
        plain_http: true,
        token: token.map(str::to_owned),
        timeout: Duration::from_secs(2),
    })
    .unwrap();
    hub.settings.caps.pages = 3;
    hub.settings.caps.manifest_bytes = 4096;
    hub
}

/// How many files differ, how many were not read, and how many bytes were; or what is wrong.
async fn compared(hub: &Hub) -> Result<(usize, usize, u64), HubError> {
    let files = hub.files(&model()).await?;
    let had = hub.contents(&model(), &files, &manifest()).await?;
    let allowed = Allowed::default();
    let comparison = manifest().compare(had.files.seen(&manifest(), &allowed), &allowed);
    Ok((comparison.count, had.published, had.read))
}

/// The error's reason where it is the conversation's, and its own words else.
fn told(outcome: Result<(usize, usize, u64), HubError>) -> String {
    match outcome {
        Ok((count, ..)) => format!("{count} differ"),
        Err(HubError::Asking(source)) => {
            assert!(source.is_at_fault(), "{source}");
            source.reason().to_owned()
        }
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn large_files_count_by_what_is_published_and_small_ones_are_read() {
    let liar = hub(|_| None).await;
    let large: usize = signed().iter().filter(|(name, _)| name.starts_with("weights/")).count();
    let small: u64 = signed()
        .iter()
        .filter(|(name, _)| !name.starts_with("weights/"))
        .map(|(_, content)| content.len() as u64)
        .sum();
    let outcome = compared(&client(&liar, None)).await.unwrap();
    assert_eq!(outcome, (0, large, small));
    let seen = liar.seen();
    assert_eq!(seen.len(), 2 + 4, "{seen:?}");
    assert!(
        seen.iter()
            .all(|request| request.authorization.is_none() && request.method == "GET")
    );
    assert!(
        !seen
            .iter()
            .any(|request| request.path.contains("/resolve/") && request.path.contains("weights/"))
    );
}

#[tokio::test]
async fn what_is_not_as_signed_differs_and_what_is_not_listed_is_not_read() {
    type Change = fn(&mut Vec<Value>);
    let changed = |entries: Change| {
        hub(move |request| {
            request.path.contains("/tree/").then(|| {
                let mut all = self::entries();
                entries(&mut all);
                page(&all)
            })
        })
    };
    let cases: [(Change, usize); 4] = [
        (
            |all| {
                let large = all.iter_mut().find(|entry| entry["lfs"].is_object()).unwrap();
                large["lfs"]["oid"] = json!(Digest::of(b"other weights").hex());
            },
            1,
        ),
        (|all| drop(all.remove(0)), 1),
        (|all| all.push(small("payload.py", 3)), 1),
        (|all| all[0]["path"] = json!("Config.json"), 2),
    ];
    for (change, differences) in cases {
        let liar = changed(change).await;
        assert_eq!(compared(&client(&liar, None)).await.unwrap().0, differences);
        assert!(!liar.seen().iter().any(|request| request.path.contains("payload.py")));
    }
    // Other bytes of a small file, as many as are listed.
    let liar = hub(|request| {
        request
            .path
            .ends_with("config.json")
            .then(|| Reply::ok("{\"layers\": 9}"))
    })
    .await;
    assert_eq!(compared(&client(&liar, None)).await.unwrap().0, 1);
}

#[tokio::test]
async fn no_lie_about_a_model_becomes_a_verdict() {
    type Answer = fn() -> Reply;
    let list: [(&str, Answer, &str); 19] = [
        ("throttled", || Reply::status(429), "RegistryThrottled"),
        ("broken", || Reply::status(503), "RegistryUnavailable"),
        (
            "a part",
            || Reply::Answer(206, Vec::new(), b"[]".to_vec()),
            "MalformedAnswer",
        ),
        ("a file of ours", || Reply::status(404), "the hub does not show"),
        ("not for everybody", || Reply::status(401), "HF_TOKEN"),
        ("gated", || Reply::status(403), "HF_TOKEN"),
        ("closed", || Reply::Close, "RegistryUnavailable"),
        ("silent", || Reply::Hang, "RegistryTimeout"),
        ("a trickle", || Reply::Trickle, "RegistryTimeout"),
        ("endless", || Reply::Endless, "LimitExceeded"),
        ("cut", || Reply::Claim(9000, b"[]".to_vec()), "LimitExceeded"),
        (
            "cut within the cap",
            || Reply::Claim(100, b"[]".to_vec()),
            "RegistryUnavailable",
        ),
        ("no list", || Reply::ok("{\"error\": \"no\"}"), "MalformedAnswer"),
        ("twice", || page(&[small("a", 1), small("a", 1)]), "MalformedAnswer"),
        (
            "climbing",
            || page(&[small("../a", 1)]),
            "cannot be a file of a signed model",
        ),
        (
            "negative",
            || Reply::ok(r#"[{"type": "file", "path": "a", "size": -1}]"#),
            "MalformedAnswer",
        ),
        (
            "two sizes",
            || Reply::ok(r#"[{"type": "file", "path": "a", "size": 1, "size": 2}]"#),
            "MalformedAnswer",
        ),
        (
            "two sizes of a large file",
            || {
                Reply::ok(format!(
                    r#"[{{"type": "file", "path": "a", "size": 1, "lfs": {{"oid": "{}", "size": 2}}}}]"#,
                    "0".repeat(64)
                ))
            },
            "MalformedAnswer",
        ),
        (
            "a short digest",
            || Reply::ok(r#"[{"type": "file", "path": "a", "size": 1, "lfs": {"oid": "00", "size": 1}}]"#),
            "MalformedAnswer",
        ),
    ];
    for (what, answer, says) in list {
        let liar = hub(move |request| request.path.contains("/tree/").then(answer)).await;
        let said = told(compared(&client(&liar, None)).await);
        assert!(said.contains(says), "{what}: {said}");
    }

    let file: [(&str, Answer, &str); 6] = [
        ("throttled", || Reply::status(429), "RegistryThrottled"),
        ("gated", || Reply::status(403), "HF_TOKEN"),
        ("not there", || Reply::status(404), "MalformedAnswer"),
        ("longer", || Reply::ok("{\"layers\": 22}"), "LimitExceeded"),
        ("shorter", || Reply::ok("{\"layers\":2}"), "MalformedAnswer"),
        ("endless", || Reply::Endless, "LimitExceeded"),
    ];
    for (what, answer, says) in file {
        let liar = hub(move |request| request.path.ends_with("/config.json").then(answer)).await;
        let said = told(compared(&client(&liar, None)).await);
        assert!(said.contains(says), "{what}: {said}");
    }
}

#[tokio::test]
async fn pages_that_loop_or_lead_away_end() {
    let again = |target: &'static str, with: Vec<Value>| {
        hub(move |request| is_second(request).then(|| page(&with).with("Link", format!("<{target}>; rel=\"next\""))))
    };
    for (what, target, with, says) in [
        ("a loop", "?cursor=two", entries()[3..].to_vec(), "MalformedAnswer"),
        ("a loop of nothing", "?cursor=two", Vec::new(), "LimitExceeded"),
        ("another host", "http://localhost:1/x", Vec::new(), "MalformedAnswer"),
    ] {
        let liar = again(target, with).await;
        assert_eq!(told(compared(&client(&liar, Some("secret"))).await), says, "{what}");
        assert!(liar.seen().len() <= 4, "{what}");
    }
}

#[tokio::test]
async fn a_list_is_weighed_as_a_whole() {
    let page_of = |request: &Request| {
        let path = &request.path;
        let name = format!("{}{}", "long/".repeat(100), path.len());
        page(&[small(&name, 1)]).with("Link", format!("<{path}x>; rel=\"next\""))
    };
    let liar = hub(move |request| request.path.contains("/tree/").then(|| page_of(request))).await;
    let mut client = client(&liar, None);
    client.settings.caps.pages = 200;
    client.list_max = 6000;
    let refused = format!("{:?}", compared(&client).await.unwrap_err());
    assert!(refused.contains("bytes of all pages"), "{refused}");
    assert!(liar.seen().len() < 20);
}

#[tokio::test]
async fn the_token_is_for_the_hub_alone() {
    let store = Liar::start(|_| Reply::ok(signed().remove("config.json").unwrap_or_default())).await;
    let location = format!("http://{}/blob?signature=x", store.host);
    let liar = hub(move |request| {
        let redirect = || Reply::Answer(307, vec![("Location", location.clone())], Vec::new());
        request.path.ends_with("/config.json").then(redirect)
    })
    .await;
    let mut client = client(&liar, Some("hf_secret"));
    let refused = told(compared(&client).await);
    assert_eq!(refused, "RedirectRefused", "not spoken to without TLS");
    assert!(store.seen().is_empty());
    client.settings.plain_http.push(store.host.clone());
    assert_eq!(compared(&client).await.unwrap().0, 0);
    assert!(store.seen().iter().all(|request| request.authorization.is_none()));
    let shown = |request: &Request| request.authorization.as_deref() == Some("Bearer hf_secret");
    assert!(liar.seen().iter().all(shown));
    // A list comes from the hub, and from nobody else.
    let liar = hub(|request| {
        let redirect = || Reply::Answer(307, vec![("Location", "https://localhost:1/x".to_owned())], Vec::new());
        request.path.contains("/tree/").then(redirect)
    })
    .await;
    assert_eq!(
        told(compared(&self::client(&liar, Some("hf_secret"))).await),
        "RedirectRefused"
    );
}

#[tokio::test]
async fn what_is_read_is_little() {
    let mut all = entries();
    all[0]["size"] = json!(u64::MAX);
    let liar = hub(move |request| request.path.contains("/tree/").then(|| page(&all))).await;
    assert_eq!(told(compared(&client(&liar, None)).await), "LimitExceeded");
    assert!(!liar.seen().iter().any(|request| request.path.contains("/resolve/")));

    let liar = hub(|_| None).await;
    let mut client = client(&liar, None);
    client.read_max = 20;
    assert_eq!(told(compared(&client).await), "LimitExceeded");
}

#[test]
fn a_hub_has_a_host_and_a_token_has_no_line_breaks() {
    let new = |endpoint: &str, plain_http, token: Option<&str>| {
        let settings = HubSettings {
            endpoint: endpoint.to_owned(),
            plain_http,
            token: token.map(str::to_owned),
            timeout: Duration::from_secs(1),
        };
        Hub::new(&settings)
            .map(|hub| hub.host())
            .map_err(|error| error.to_string())
    };
    assert_eq!(
        new("https://huggingface.co", false, Some("hf_x")).unwrap(),
        "huggingface.co"
    );
    assert_eq!(new("http://127.0.0.1:80/", true, None).unwrap(), "127.0.0.1");
    for (here, host) in [("http://[::1]:8080", "[::1]:8080"), ("http://localhost", "localhost")] {
        assert_eq!(new(here, true, Some("hf_x")).unwrap(), host);
    }
    assert!(
        new("http://hub.example", true, Some("hf_x"))
            .unwrap_err()
            .contains("not sent to hub.example without TLS")
    );
    for (endpoint, plain, says) in [
        ("http://huggingface.co", false, "without --plain-http"),
        ("https://huggingface.co", true, "--plain-http is for http"),
        ("huggingface.co", false, "write https://"),
        ("ftp://huggingface.co", true, "write https://"),
        ("https://huggingface.co/api", false, "all there may be"),
        ("https://huggingface.co/?x", false, "all there may be"),
        ("https://me@huggingface.co", false, "all there may be"),
    ] {
        let said = new(endpoint, plain, None).unwrap_err();
        assert!(said.contains(says) && said.contains(endpoint), "{said}");
    }
    assert!(
        new("https://huggingface.co", false, Some("a\nb"))
            .unwrap_err()
            .contains("token")
    );
}
