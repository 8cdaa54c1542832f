//! A hub of models, as far as the command line asks one. The real one cannot run on a machine, so that this one imitates it:
//! it lists files by pages as the API of the Hugging Face Hub does, and serves them from where it says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use interlock_bundles::digest::Digest;
use serde_json::{Value, json};

/// A commit of every model here.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// A page's entries.
const PAGE: usize = 3;

/// Files of a model, by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A hub with one model, `acme/iris`. Dropping it stops it.
pub struct Hub {
    host: String,
    shared: Arc<Mutex<Shared>>,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    files: Files,
    /// From so many bytes on a file is kept in LFS.
    large: usize,
    asked: Vec<(String, Option<String>)>,
}

impl Hub {
    /// Starts one with these files, of which those with `large` bytes or more are kept in LFS.
    pub async fn start(files: Files, large: usize) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let host = listener.local_addr()?.to_string();
        let asked = Vec::new();
        let shared = Arc::new(Mutex::new(Shared { files, large, asked }));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { host, shared, server })
    }

    /// Its `host:port`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Has other files from now on.
    pub fn hold(&self, files: Files) {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).files = files;
    }

    /// The paths that it was asked for since the last time, each with what was shown to it.
    pub fn asked(&self) -> Vec<(String, Option<String>)> {
        std::mem::take(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner).asked)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, request: Request) -> Response<Body> {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let path = request.uri().path().to_owned();
    let token = request.headers().get(header::AUTHORIZATION);
    let token = token.and_then(|token| token.to_str().ok()).map(str::to_owned);
    shared.asked.push((path.clone(), token));
    let query = request.uri().query().unwrap_or_default();
    if path == format!("/api/models/acme/iris/tree/{COMMIT}") && query.starts_with("recursive=true&expand=false") {
        return shared.page(&path, query);
    }
    if let Some((_, content)) = shared.files.iter().find(|(name, _)| resolved(name) == path) {
        return Response::new(content.clone().into());
    }
    let mut missing = Response::new(json!({"error": "Entry not found"}).to_string().into());
    *missing.status_mut() = StatusCode::NOT_FOUND;
    missing
}

/// The path that leads to a file, quoted as paths are.
fn resolved(name: &str) -> String {
    let url = reqwest::Url::parse(&format!("http://hub/acme/iris/resolve/{COMMIT}/{name}"));
    url.map(|url| url.path().to_owned()).unwrap_or_default()
}

impl Shared {
    fn page(&self, path: &str, query: &str) -> Response<Body> {
        let start = query
            .split_once("&cursor=")
            .map_or(0, |(_, cursor)| cursor.parse().unwrap_or(0));
        let entries: Vec<_> = self
            .files
            .iter()
            .skip(start)
            .take(PAGE)
            .map(|file| self.entry(file))
            .collect();
        let mut response = Response::new(json!(entries).to_string().into());
        let next = start + PAGE;
        if next < self.files.len() {
            let link = format!("<{path}?recursive=true&expand=false&cursor={next}>; rel=\"next\"");
            if let Ok(link) = HeaderValue::from_str(&link) {
                response.headers_mut().insert(header::LINK, link);
            }
        }
        response
    }

    fn entry(&self, (name, content): (&String, &Vec<u8>)) -> Value {
        let size = content.len();
        let large = json!({"oid": Digest::of(content).hex(), "size": size, "pointerSize": 130});
        let lfs = if size >= self.large { large } else { Value::Null };
        json!({"type": "file", "oid": "0".repeat(40), "size": size, "path": name, "lfs": lfs})
    }
}
