//! A registry that lies, fails and dawdles, for what no real registry can be told to do; a Prometheus just so.
//!
//! It stands in front of a real server and passes requests on, except where it was told to answer otherwise. What it
//! was asked is kept, so that a test can tell that something was *not* asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use futures::{StreamExt as _, stream};

use crate::registry::Registry;

/// More than any body that a test passes through.
const BODY_LIMIT: usize = 256 << 20;

/// Which requests a lie is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All.
    Everything,
    /// `/v2/<name>/manifests/…`
    Manifests,
    /// `/v2/<name>/blobs/…`
    Blobs,
    /// `/v2/<name>/referrers/…`
    Referrers,
    /// `/v2/<name>/tags/…`
    Tags,
    /// Those whose path contains this text, for instance a digest.
    Path(String),
}

/// What to answer instead of the truth.
#[derive(Clone, Debug)]
pub enum Lie {
    /// This status code, with an error document as registries send it.
    Status(u16),
    /// 429 with `Retry-After` in seconds.
    RetryAfter(u32),
    /// Nothing, ever: the connection stays open.
    Hang,
    /// The truth, each request this much later.
    Late(Duration),
    /// The truth, a byte at a time with this pause between two.
    Drip(Duration),
    /// 307 to this URL.
    Redirect(String),
    /// The true status and headers with this body.
    Body(Vec<u8>),
    /// The truth with one bit changed in the middle of the body.
    FlipBit,
    /// The truth, cut off after this many bytes; the headers promise all of it.
    Truncate(usize),
    /// The true headers but for the length, and a body that never ends.
    Endless,
    /// 401 without `Authorization: Bearer <this>`, the truth with it.
    Demand(String),
    /// The truth with this value in a header.
    Header(&'static str, String),
}

/// A lying registry. Dropping it stops it.
pub struct Liar {
    host: String,
    state: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    lies: Mutex<Vec<(Part, Lie)>>,
    asked: Mutex<Vec<String>>,
}

impl Liar {
    /// Starts one on a free port, honest at first.
    pub async fn before(registry: &Registry) -> Result<Self> {
        Self::in_front_of(registry.host()).await
    }

    /// The same before any server that speaks HTTP on `host:port`.
    pub async fn in_front_of(host: &str) -> Result<Self> {
        let upstream = format!("http://{host}");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let host = listener.local_addr()?.to_string();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let state = Arc::new(Shared {
            upstream,
            client,
            lies: Mutex::default(),
            asked: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&state));
        let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { host, state, server })
    }

    /// `127.0.0.1:<port>`, the first part of its references.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Lies about `part` from now on. Of several lies for one request the latest holds.
    pub fn tell(&self, part: Part, lie: Lie) {
        lock(&self.state.lies).push((part, lie));
    }

    /// Tells the truth from now on.
    pub fn be_honest(&self) {
        lock(&self.state.lies).clear();
    }

    /// What it was asked since the last call: `GET /v2/…`.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.state.asked))
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Part {
    fn covers(&self, path: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Manifests => path.contains("/manifests/"),
            Self::Blobs => path.contains("/blobs/"),
            Self::Referrers => path.contains("/referrers/"),
            Self::Tags => path.contains("/tags/"),
            Self::Path(text) => path.contains(text),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    lock(&shared.asked).push(format!("{} {}", request.method(), request.uri()));
    let lie = lock(&shared.lies)
        .iter()
        .rev()
        .find(|(part, _)| part.covers(&path))
        .map(|(_, lie)| lie.clone());
    let answer = match lie {
        None => shared.truth(request).await.map(whole),
        Some(lie) => shared.lie(lie, request).await,
    };
    answer.unwrap_or_else(|error| refusal(StatusCode::BAD_GATEWAY, &format!("{error:#}")))
}

impl Shared {
    /// What the real registry answers.
    async fn truth(&self, request: Request) -> Result<Response<Bytes>> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let asked = self.client.request(parts.method, format!("{}{path}", self.upstream));
        // With the Host header as it came, so that the Location of an upload leads here again.
        let answer = asked
            .headers(parts.headers)
            .body(to_bytes(body, BODY_LIMIT).await?)
            .send()
            .await?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        response.headers_mut().remove(header::TRANSFER_ENCODING);
        *response.body_mut() = answer.bytes().await?;
        Ok(response)
    }

    async fn lie(&self, lie: Lie, request: Request) -> Result<Response<Body>> {
        let (status, retry_after) = match &lie {
            Lie::Status(status) => (StatusCode::from_u16(*status)?, None),
            Lie::RetryAfter(seconds) => (StatusCode::TOO_MANY_REQUESTS, Some(*seconds)),
            Lie::Hang => return std::future::pending().await,
            Lie::Demand(token) => {
                let shown = request.headers().get(header::AUTHORIZATION);
                if shown.is_some_and(|shown| shown.as_bytes() == format!("Bearer {token}").as_bytes()) {
                    return self.truth(request).await.map(whole);
                }
                (StatusCode::UNAUTHORIZED, None)
            }
            Lie::Redirect(url) => {
                let answer = Response::builder()
                    .status(StatusCode::TEMPORARY_REDIRECT)
                    .header(header::LOCATION, url);
                return Ok(answer.body(Body::empty())?);
            }
            _ => return distort(lie, self.truth(request).await?).await,
        };
        let mut answer = refusal(status, "told to answer this");
        if let Some(seconds) = retry_after {
            answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        Ok(answer)
    }
}

/// The lies that start from the truth.
async fn distort(lie: Lie, truth: Response<Bytes>) -> Result<Response<Body>> {
    let (mut head, body) = truth.into_parts();
    let body = match lie {
        Lie::Late(by) => {
            tokio::time::sleep(by).await;
            Body::from(body)
        }
        Lie::Drip(pause) => drip(body, pause),
        Lie::Body(other) => {
            head.headers.insert(header::CONTENT_LENGTH, other.len().into());
            Body::from(other)
        }
        Lie::FlipBit => Body::from(flip(&body)),
        Lie::Truncate(length) => {
            let kept = body.slice(..length.min(body.len()));
            let cut = stream::once(async {
                tokio::time::sleep(Duration::from_millis(50)).await; // what came before must be on its way
                Err(std::io::Error::other("cut off"))
            });
            Body::from_stream(stream::iter([Ok(kept)]).chain(cut))
        }
        Lie::Endless => {
            head.headers.remove(header::CONTENT_LENGTH);
            let chunk = Bytes::from(vec![b' '; 64 << 10]);
            Body::from_stream(stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone())))
        }
        Lie::Header(name, value) => {
            head.headers
                .insert(name, HeaderValue::from_str(&value).context("no header value")?);
            Body::from(body)
        }
        Lie::Status(_) | Lie::RetryAfter(_) | Lie::Hang | Lie::Demand(_) | Lie::Redirect(_) => Body::from(body),
    };
    Ok(Response::from_parts(head, body))
}

fn whole(truth: Response<Bytes>) -> Response<Body> {
    truth.map(Body::from)
}

fn drip(body: Bytes, pause: Duration) -> Body {
    Body::from_stream(stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        Some((Ok::<_, std::io::Error>(rest.split_to(1)), rest))
    }))
}

fn flip(body: &Bytes) -> Vec<u8> {
    let mut body = body.to_vec();
    let middle = body.len() / 2;
    if let Some(byte) = body.get_mut(middle) {
        *byte ^= 1;
    }
    body
}

/// An error in the shape that the distribution specification gives it ("Error Codes").
fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    let document = serde_json::json!({"errors": [{"code": "UNKNOWN", "message": message}]});
    let mut answer = Response::new(Body::from(document.to_string()));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
