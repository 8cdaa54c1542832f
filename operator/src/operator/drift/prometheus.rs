//! Prometheus' HTTP API, as far as it is needed here: typed, bounded, and never taken at less than its full word.
//!
//! Errors: an answer with `warnings` is [`Problem::Partial`], not an answer. Redirects are not followed. A URL is
//! where the track's own words lead; a token goes nowhere else.

use std::time::Duration;

use interlock_crds::drift::Prometheus as Spec;
use jiff::Timestamp;
use reqwest::header::DATE;
use reqwest::{Certificate, Response, StatusCode, Url};
use serde::de::DeserializeOwned;

use crate::drift::answers::{Envelope, Group, Rules, Targets, Vector};
use crate::drift::chain::one_line;
use crate::drift::reason::Reason;
use crate::operator::metrics::Metrics;

/// Largest answer that is read. Thousands of targets fit.
const LARGEST: usize = 32 << 20;

/// Why there is no complete answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// The certificate authorities of the track are no certificates.
    #[error("spec.driftMonitor.prometheus.caBundle cannot be read as certificates in PEM")]
    CaBundle(#[source] Option<reqwest::Error>),
    /// The token cannot be had.
    #[error("{0}")]
    Token(String),
    /// No connection, or it broke.
    #[error("{url} cannot be reached: see whether Prometheus runs there, and whether a NetworkPolicy forbids the way")]
    Unreachable {
        /// The base URL.
        url: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// Not complete in time.
    #[error(
        "{url} did not answer completely within {after:?}: see how busy it is, or raise spec.driftMonitor.prometheus.timeout"
    )]
    Timeout {
        /// The base URL.
        url: String,
        /// The time it had.
        after: Duration,
    },
    /// 401 or 403.
    #[error(
        "{url} answers {status} to {endpoint}: give a token that may ask it in spec.driftMonitor.prometheus.bearerToken"
    )]
    Unauthorized {
        /// The base URL.
        url: String,
        /// What was asked.
        endpoint: &'static str,
        /// The status code.
        status: u16,
    },
    /// Success with warnings.
    #[error("{url} answered {endpoint} only in part: {warning}")]
    Partial {
        /// The base URL.
        url: String,
        /// What was asked.
        endpoint: &'static str,
        /// The first warning.
        warning: String,
    },
    /// An error in Prometheus' own words.
    #[error("{url} answers {status} to {endpoint}: {error}")]
    Refused {
        /// The base URL.
        url: String,
        /// What was asked.
        endpoint: &'static str,
        /// The status code.
        status: u16,
        /// Its words, or what the status means.
        error: String,
    },
    /// Something else answers there.
    #[error(
        "{url} answers {endpoint} with {status}, and not as Prometheus does: correct spec.driftMonitor.prometheus.url"
    )]
    Malformed {
        /// The base URL.
        url: String,
        /// What was asked.
        endpoint: &'static str,
        /// The status code.
        status: u16,
    },
    /// More than is read.
    #[error("{url} answers {endpoint} with more than {} MiB: name target.scrapePool, or a more special alert", LARGEST >> 20)]
    TooLarge {
        /// The base URL.
        url: String,
        /// What was asked.
        endpoint: &'static str,
    },
}

impl Problem {
    /// The reason for conditions and metrics.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::CaBundle(_) => Reason::CaBundleInvalid,
            Self::Token(_) => Reason::TokenUnavailable,
            Self::Unreachable { .. } => Reason::PrometheusUnreachable,
            Self::Timeout { .. } => Reason::PrometheusTimeout,
            Self::Unauthorized { .. } => Reason::PrometheusUnauthorized,
            Self::Partial { .. } => Reason::PrometheusPartial,
            Self::Refused { .. } => Reason::PrometheusError,
            Self::Malformed { .. } => Reason::PrometheusMalformed,
            Self::TooLarge { .. } => Reason::PrometheusAnswerTooLarge,
        }
    }
}

/// A client for one Prometheus.
pub(super) struct Prometheus<'a> {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    timeout: Duration,
    metrics: &'a Metrics,
}

impl<'a> Prometheus<'a> {
    /// Sets it up; connects to nothing.
    pub(super) fn new(spec: &Spec, token: Option<String>, metrics: &'a Metrics) -> Result<Self, Problem> {
        let timeout = Duration::from(spec.timeout);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("interlock/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .timeout(timeout);
        if let Some(bundle) = &spec.ca_bundle {
            let read = Certificate::from_pem_bundle(bundle.as_bytes());
            let authorities = read.map_err(|error| Problem::CaBundle(Some(error)))?;
            if authorities.is_empty() {
                return Err(Problem::CaBundle(None));
            }
            builder = builder.tls_certs_only(authorities);
        }
        Ok(Self {
            http: builder.build().map_err(|error| Problem::CaBundle(Some(error)))?,
            url: spec.url.trim_end_matches('/').to_owned(),
            token,
            timeout,
            metrics,
        })
    }

    /// The targets of a state (`active` or `dropped`), of one scrape pool if one is named.
    pub(super) async fn targets(&self, state: &str, pool: Option<&str>) -> Result<Targets, Problem> {
        let mut parameters = vec![("state", state.to_owned())];
        parameters.extend(pool.map(|pool| ("scrapePool", pool.to_owned())));
        Ok(self.ask("targets", &parameters).await?.0)
    }

    /// The groups with rules of these names (those of other names may be among them), and the server's clock. `kind` is
    /// `alert` or `record`.
    pub(super) async fn rules(&self, kind: &str, names: &[&str]) -> Result<(Vec<Group>, Timestamp), Problem> {
        let mut parameters = vec![("type", kind.to_owned())];
        parameters.extend(names.iter().map(|name| ("rule_name[]", (*name).to_owned())));
        let (rules, now): (Rules, _) = self.ask("rules", &parameters).await?;
        Ok((rules.groups, now))
    }

    /// The value of an expression now. `lookback` is how far back the newest sample of a series may lie; by default as
    /// the server is set.
    pub(super) async fn query(&self, query: String, lookback: Option<Duration>) -> Result<Vector, Problem> {
        let mut parameters = vec![("query", query), ("timeout", format!("{}ms", self.timeout.as_millis()))];
        parameters.extend(lookback.map(|far| ("lookback_delta", format!("{}s", far.as_secs()))));
        Ok(self.ask("query", &parameters).await?.0)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        endpoint: &'static str,
        parameters: &[(&str, String)],
    ) -> Result<(T, Timestamp), Problem> {
        let asked = tokio::time::timeout(self.timeout, self.answer(endpoint, parameters)).await;
        let answer = asked.unwrap_or_else(|_| Err(self.late()));
        let outcome = answer
            .as_ref()
            .map_or_else(|problem| problem.reason().as_str(), |_| "ok");
        self.metrics.asked_prometheus(endpoint, outcome);
        answer
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        endpoint: &'static str,
        parameters: &[(&str, String)],
    ) -> Result<(T, Timestamp), Problem> {
        let url = format!("{}/api/v1/{endpoint}", self.url);
        let malformed = |status: u16| Problem::Malformed {
            url: self.url.clone(),
            endpoint,
            status,
        };
        let mut url = Url::parse(&url).map_err(|_| malformed(0))?;
        url.query_pairs_mut().extend_pairs(parameters);
        let mut request = self.http.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(|error| self.transport(error))?;
        let status = response.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(Problem::Unauthorized {
                url: self.url.clone(),
                endpoint,
                status: status.as_u16(),
            });
        }
        let now = clock(&response);
        let body = self.read(endpoint, response).await?;
        let answer: Option<Envelope<T>> = serde_json::from_slice(&body).ok();
        let Some(answer) = answer else {
            return Err(if status.is_server_error() {
                self.refused(endpoint, status, "")
            } else {
                malformed(status.as_u16())
            });
        };
        if !status.is_success() || answer.status != "success" {
            let words = [answer.error_type, answer.error]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>();
            return Err(self.refused(endpoint, status, &words.join(": ")));
        }
        if let Some(warning) = answer.warnings.first() {
            return Err(Problem::Partial {
                url: self.url.clone(),
                endpoint,
                warning: one_line(warning),
            });
        }
        let data = answer.data.ok_or_else(|| malformed(status.as_u16()))?;
        Ok((data, now))
    }

    async fn read(&self, endpoint: &'static str, mut response: Response) -> Result<Vec<u8>, Problem> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport(error))? {
            if body.len() + chunk.len() > LARGEST {
                return Err(Problem::TooLarge {
                    url: self.url.clone(),
                    endpoint,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn refused(&self, endpoint: &'static str, status: StatusCode, words: &str) -> Problem {
        Problem::Refused {
            url: self.url.clone(),
            endpoint,
            status: status.as_u16(),
            error: one_line(if words.is_empty() {
                status.canonical_reason().unwrap_or("no words")
            } else {
                words
            }),
        }
    }

    fn transport(&self, error: reqwest::Error) -> Problem {
        if error.is_timeout() {
            return self.late();
        }
        Problem::Unreachable {
            url: self.url.clone(),
            source: error.without_url(),
        }
    }

    fn late(&self) -> Problem {
        Problem::Timeout {
            url: self.url.clone(),
            after: self.timeout,
        }
    }
}

/// The server's clock: its rules' times are compared with that, not with this machine's.
fn clock(response: &Response) -> Timestamp {
    let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
    let parsed = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    parsed.map_or_else(Timestamp::now, |zoned| zoned.timestamp())
}
