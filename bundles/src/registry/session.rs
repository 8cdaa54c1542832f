//! One operation's conversation with one registry or hub: requests with retries, redirects under our rules,
//! authentication on demand, and bodies that never grow past a cap.
//!
//! The HTTP client below never follows a redirect, retries or decompresses by itself, so every
//! connection made is decided in this file.

use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode, Url};

use super::answer::{detail, is_transient, judge, read, retry_after, transport};
use super::auth;
use super::error::RegistryError;
use super::settings::{Credentials, RegistrySettings};
use crate::reference::Repository;

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REDIRECTS_MAX: usize = 5;
const RETRY_PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// A registry that wants a longer pause gets it, but not from within one operation.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);

/// What to ask.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) accept: &'static str,
    /// Whether the answer may come from another host, asked without credentials: blobs only.
    pub(super) elsewhere: bool,
    /// The cap on the answer's body: what to call it, and how many bytes.
    pub(super) cap: (&'static str, u64),
}

/// A 2xx answer with its whole body.
pub(super) struct Answer {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// One operation's requests to one origin, and to where that redirects.
pub(super) struct Line<'a> {
    pub(super) http: &'a reqwest::Client,
    pub(super) settings: &'a RegistrySettings,
    pub(super) base: Url,
    /// When the operation ends anyway; nothing is waited for beyond. `None` is later than clocks count.
    pub(super) deadline: Option<Instant>,
    /// Only ever sent to `base`'s origin.
    pub(super) authorization: Option<HeaderValue>,
}

/// One operation on one repository. Its line's authorization is found out by the first challenge.
pub(super) struct Session<'a> {
    pub(super) line: Line<'a>,
    pub(super) repository: &'a Repository,
    pub(super) credentials: &'a Credentials,
}

impl Ask {
    /// A GET with a capped answer.
    pub(super) fn get(url: Url, accept: &'static str, cap: (&'static str, u64)) -> Self {
        Self {
            method: Method::GET,
            url,
            accept,
            elsewhere: false,
            cap,
        }
    }

    /// How errors name this request: never with the query, which can hold secrets.
    pub(super) fn at(&self) -> String {
        format!("{} {}", self.method, without_query(&self.url))
    }
}

impl Answer {
    /// Reads the body of a 2xx answer under its cap.
    pub(super) async fn read(ask: &Ask, response: Response) -> Result<Self, RegistryError> {
        let (url, headers) = (response.url().clone(), response.headers().clone());
        let body = read(&ask.at(), response, ask.cap).await?;
        Ok(Self { url, headers, body })
    }
}

impl<'a> Session<'a> {
    /// Opens a conversation, if the settings allow this registry. Sends nothing yet.
    pub(super) fn open(
        http: &'a reqwest::Client,
        settings: &'a RegistrySettings,
        repository: &'a Repository,
        credentials: &'a Credentials,
    ) -> Result<Self, RegistryError> {
        settings.admit(repository)?;
        // Docker Hub's API lives on another host than its name.
        let host = match repository.registry() {
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            host => host,
        };
        let scheme = if settings.is_plain(host) { "http" } else { "https" };
        let base = format!("{scheme}://{host}/v2/{}/", repository.path());
        let base = Url::parse(&base).map_err(|error| RegistryError::Malformed {
            at: repository.to_string(),
            problem: format!("its host makes no URL: {error}"),
        })?;
        let authorization = match credentials {
            Credentials::Bearer(token) => Some(auth::bearer(token, &repository.to_string())?),
            Credentials::Anonymous | Credentials::Basic { .. } => None,
        };
        Ok(Self {
            line: Line::new(http, settings, base, authorization),
            repository,
            credentials,
        })
    }

    /// A URL below the repository: `manifests/…`, `tags/list`.
    pub(super) fn url(&self, below: &str) -> Result<Url, RegistryError> {
        self.line.base.join(below).map_err(|error| RegistryError::Malformed {
            at: self.repository.to_string(),
            problem: format!("{below} makes no URL: {error}"),
        })
    }

    /// Asks, logs in when challenged, and reads the answer under its cap. Any status but 2xx is an error.
    pub(super) async fn ask(&mut self, ask: &Ask) -> Result<Answer, RegistryError> {
        Answer::read(ask, self.respond(ask).await?).await
    }

    /// The same with the body still to be read.
    pub(super) async fn respond(&mut self, ask: &Ask) -> Result<Response, RegistryError> {
        let mut response = self.line.follow(ask).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let at_home = same_origin(response.url(), &self.line.base);
            let headers = response.headers().get_all(WWW_AUTHENTICATE);
            let challenge = headers.iter().find_map(auth::Challenge::parse);
            let detail = detail(&ask.at(), response).await;
            let refused = || RegistryError::Unauthorized {
                at: ask.at(),
                detail: detail.clone(),
            };
            let challenge = challenge.filter(|_| at_home).ok_or_else(refused)?;
            self.line.authorization = Some(self.log_in(challenge).await?.ok_or_else(refused)?);
            response = self.line.follow(ask).await?;
        }
        judge(ask, response).await
    }

    /// Answers a challenge; `None` if these credentials have no answer to it.
    async fn log_in(&self, challenge: auth::Challenge) -> Result<Option<HeaderValue>, RegistryError> {
        let at = format!("login to {}", self.repository.registry());
        match challenge {
            auth::Challenge::Basic => Ok(auth::basic(self.credentials)),
            // A given token that is refused is refused.
            auth::Challenge::Bearer { .. } if matches!(self.credentials, Credentials::Bearer(_)) => Ok(None),
            auth::Challenge::Bearer { realm, service } => {
                let url = auth::token_url(&realm, service.as_deref(), self.repository).ok_or_else(|| {
                    RegistryError::Malformed {
                        at: at.clone(),
                        problem: "the realm of its login challenge is no URL".to_owned(),
                    }
                })?;
                self.line.may_speak_to(&at, &url)?;
                let ask = Ask::get(url.clone(), "application/json", ("token bytes", auth::TOKEN_MAX));
                let response = self
                    .line
                    .send(&ask, &url, auth::basic(self.credentials).as_ref())
                    .await?;
                if response.status().is_redirection() {
                    let next = redirect_target(&ask, &response)?;
                    return Err(refuse(at, &next, "a token server may not redirect"));
                }
                let body = read(&at, judge(&ask, response).await?, ask.cap).await?;
                auth::token(&body, &at).map(Some)
            }
        }
    }
}

impl<'a> Line<'a> {
    /// A line to `base`'s origin. Sends nothing yet.
    pub(super) fn new(
        http: &'a reqwest::Client,
        settings: &'a RegistrySettings,
        base: Url,
        authorization: Option<HeaderValue>,
    ) -> Self {
        Self {
            http,
            settings,
            base,
            deadline: Instant::now().checked_add(settings.timeout),
            authorization,
        }
    }

    /// Follows redirects: on the same origin with credentials; elsewhere, for blobs only, without,
    /// and from then on without for good.
    pub(super) async fn follow(&self, ask: &Ask) -> Result<Response, RegistryError> {
        let mut url = ask.url.clone();
        let mut authorization = self.authorization.as_ref().filter(|_| same_origin(&url, &self.base));
        for _ in 0..=REDIRECTS_MAX {
            let response = self.send(ask, &url, authorization).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let next = redirect_target(ask, &response)?;
            self.may_speak_to(&ask.at(), &next)?;
            if !same_origin(&next, &url) {
                if !ask.elsewhere {
                    return Err(refuse(
                        ask.at(),
                        &next,
                        "only blobs may come from another host than the registry's",
                    ));
                }
                authorization = None;
            }
            url = next;
        }
        Err(refuse(ask.at(), &url, "too many redirects, at most 5 are followed"))
    }

    /// No plain HTTP but where allowed, and nothing that is not HTTP.
    fn may_speak_to(&self, at: &str, url: &Url) -> Result<(), RegistryError> {
        let listed = |name: &str| self.settings.is_plain(name);
        let default_port = url.port().is_none() && listed(&format!("{}:80", authority(url)));
        let plain = url.scheme() == "http" && (listed(&authority(url)) || default_port);
        if !plain && url.scheme() != "https" {
            return Err(refuse(
                at.to_owned(),
                url,
                "it is not https, and not on the list of hosts for plain HTTP",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse(at.to_owned(), url, "the address carries a user name"));
        }
        Ok(())
    }

    /// Sends one request, again after a pause where that can help.
    async fn send(&self, ask: &Ask, url: &Url, authorization: Option<&HeaderValue>) -> Result<Response, RegistryError> {
        let mut pauses = RETRY_PAUSES.iter();
        loop {
            let mut request = self
                .http
                .request(ask.method.clone(), url.clone())
                .header(ACCEPT, ask.accept);
            if let Some(value) = authorization {
                request = request.header(AUTHORIZATION, value.clone());
            }
            let outcome = request.send().await;
            let wait = match &outcome {
                Ok(response) if is_transient(response.status()) => Some(retry_after(response.headers())),
                Err(error) if may_try_again(error) => Some(None),
                _ => None,
            };
            if let (Some(asked), Some(pause)) = (wait, pauses.next()) {
                let pause = asked.unwrap_or(*pause);
                if pause <= RETRY_AFTER_MAX && self.has_time_for(pause) {
                    tracing::debug!(at = ask.at(), ?pause, "asking the registry again");
                    tokio::time::sleep(pause).await;
                    continue;
                }
            }
            return outcome.map_err(|error| transport(ask.at(), error, CONNECT_TIMEOUT.min(self.settings.timeout)));
        }
    }

    fn has_time_for(&self, pause: Duration) -> bool {
        let end = Instant::now().checked_add(pause);
        self.deadline
            .is_none_or(|deadline| end.is_some_and(|end| end < deadline))
    }
}

/// Nothing was connected to; or a connection, perhaps one kept open since before the registry was
/// restarted, closed without an answer.
fn may_try_again(error: &reqwest::Error) -> bool {
    !error.is_timeout() && (error.is_connect() || error.is_request())
}

fn redirect_target(ask: &Ask, response: &Response) -> Result<Url, RegistryError> {
    response
        .headers()
        .get(LOCATION)
        .and_then(|location| location.to_str().ok())
        .and_then(|location| response.url().join(location).ok())
        .ok_or_else(|| RegistryError::Malformed {
            at: ask.at(),
            problem: "a redirect without a usable Location".to_owned(),
        })
}

fn refuse(at: String, to: &Url, rule: &'static str) -> RegistryError {
    RegistryError::RedirectRefused {
        at,
        to: format!("{}://{}", to.scheme(), authority(to)),
        rule,
    }
}

/// Scheme, host and port: what credentials belong to.
pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

/// `host[:port]` as settings write it.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn without_query(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), authority(url), url.path())
}
