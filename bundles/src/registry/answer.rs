//! From an HTTP response to bytes or a typed error, never holding more than a cap.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::error::{Detail, RegistryError};
use super::session::Ask;

/// How much of an error answer is read for its message.
const ERROR_BODY_MAX: u64 = 16 * 1024;

/// Turns every status but 2xx into its error.
pub(super) async fn judge(ask: &Ask, response: Response) -> Result<Response, RegistryError> {
    let status = response.status();
    // 206 would be a part of what was asked for, and nobody asked for a part.
    if status.is_success() && status != StatusCode::PARTIAL_CONTENT {
        return Ok(response);
    }
    let at = ask.at();
    let retry_after = retry_after(response.headers());
    let detail = detail(&at, response).await;
    Err(match status {
        StatusCode::UNAUTHORIZED => RegistryError::Unauthorized { at, detail },
        StatusCode::FORBIDDEN => RegistryError::Forbidden { at, detail },
        StatusCode::NOT_FOUND => RegistryError::NotFound { at, detail },
        StatusCode::TOO_MANY_REQUESTS => RegistryError::Throttled { at, retry_after },
        status if status.is_server_error() => RegistryError::ServerError {
            at,
            status: status.as_u16(),
            detail,
        },
        status => RegistryError::Malformed {
            at,
            problem: format!("unexpected status {}{detail}", status.as_u16()),
        },
    })
}

/// Reads a body, never holding more than the cap.
pub(super) async fn read(
    at: &str,
    mut response: Response,
    (what, limit): (&'static str, u64),
) -> Result<Vec<u8>, RegistryError> {
    let exceeded = || RegistryError::LimitExceeded {
        at: at.to_owned(),
        what,
        limit,
    };
    let announced = response.content_length();
    if announced.is_some_and(|length| length > limit) {
        return Err(exceeded());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| transport(at.to_owned(), error, Duration::ZERO))?
    {
        if (body.len() + chunk.len()) as u64 > limit {
            return Err(exceeded());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The registry's own words for an error; nothing if it has none.
pub(super) async fn detail(at: &str, response: Response) -> Detail {
    let body = read(at, response, ("error bytes", ERROR_BODY_MAX)).await;
    detail_of(&body.unwrap_or_default())
}

/// What an error document says first, bounded and on one line.
pub(super) fn detail_of(body: &[u8]) -> Detail {
    #[derive(serde::Deserialize)]
    struct Errors {
        errors: Vec<Error>,
    }
    #[derive(serde::Deserialize)]
    struct Error {
        code: String,
        #[serde(default)]
        message: String,
    }
    let first = serde_json::from_slice::<Errors>(body)
        .ok()
        .and_then(|answer| answer.errors.into_iter().next());
    let Some(Error { code, message }) = first else {
        return Detail::default();
    };
    let text = if message.is_empty() {
        code
    } else {
        format!("{code}: {message}")
    };
    Detail(text.chars().filter(|c| !c.is_control()).take(200).collect())
}

/// The URL is taken off: `at` names the request, and a redirect's query can hold a secret.
pub(super) fn transport(at: String, error: reqwest::Error, after: Duration) -> RegistryError {
    if error.is_timeout() && !after.is_zero() {
        return RegistryError::Timeout { at, after };
    }
    RegistryError::Unavailable {
        at,
        source: error.without_url(),
    }
}

pub(super) fn is_transient(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

/// `Retry-After` in seconds; its other form, a date, is rare and counts as not given.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
