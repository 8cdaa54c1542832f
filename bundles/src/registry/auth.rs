//! Logging in to a registry: reading its challenge, asking its token server
//! (distribution specification, "token authentication"; RFC 9110 section 11.6.1 for the header).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use super::error::RegistryError;
use super::settings::Credentials;
use crate::reference::Repository;

/// The cap on a token server's answer, in bytes.
pub(super) const TOKEN_MAX: u64 = 64 * 1024;

/// What a registry asks for in `WWW-Authenticate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User name and password, for the registry itself.
    Basic,
    /// A token from this server.
    Bearer { realm: String, service: Option<String> },
}

impl Challenge {
    /// Reads the first challenge of the header; `None` for schemes we do not speak.
    pub(super) fn parse(header: &HeaderValue) -> Option<Self> {
        let text = header.to_str().ok()?.trim();
        let (scheme, parameters) = text.split_once(' ').unwrap_or((text, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, None);
        for (name, value) in parameters_of(parameters) {
            match name.to_ascii_lowercase().as_str() {
                "realm" => realm = realm.or(Some(value)),
                "service" => service = service.or(Some(value)),
                _ => {}
            }
        }
        Some(Self::Bearer { realm: realm?, service })
    }
}

/// `name="quoted value", name=token, …`; stops at what it cannot read.
fn parameters_of(mut rest: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_owned();
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            let Some(pair) = unquote(quoted) else {
                return found;
            };
            pair
        } else {
            let end = after.find(',').unwrap_or(after.len());
            let (value, after) = after.split_at(end);
            (value.trim().to_owned(), after)
        };
        found.push((name, value));
        rest = after;
    }
    found
}

/// What stands before the closing quote, with backslashes taken off, and what follows it.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// The token server's URL with what we want a token for.
pub(super) fn token_url(realm: &str, service: Option<&str>, repository: &Repository) -> Option<Url> {
    let mut url = Url::parse(realm).ok()?;
    let scope = format!("repository:{}:pull", repository.path());
    url.query_pairs_mut()
        .extend_pairs(service.map(|service| ("service", service)))
        .append_pair("scope", &scope);
    Some(url)
}

/// The header for user name and password, if that is what we have.
pub(super) fn basic(credentials: &Credentials) -> Option<HeaderValue> {
    let Credentials::Basic { username, password } = credentials else {
        return None;
    };
    let pair = STANDARD.encode(format!("{username}:{password}"));
    secret(&format!("Basic {pair}"))
}

/// The header for a token.
pub(super) fn bearer(token: &str, at: &str) -> Result<HeaderValue, RegistryError> {
    secret(&format!("Bearer {token}")).ok_or_else(|| RegistryError::Malformed {
        at: at.to_owned(),
        problem: "the token has characters that no HTTP header can carry".to_owned(),
    })
}

/// Reads a token server's answer.
pub(super) fn token(body: &[u8], at: &str) -> Result<HeaderValue, RegistryError> {
    #[derive(Deserialize)]
    struct Token {
        token: Option<String>,
        access_token: Option<String>,
    }
    let malformed = |problem: String| RegistryError::Malformed {
        at: at.to_owned(),
        problem,
    };
    let answer: Token = serde_json::from_slice(body).map_err(|error| malformed(format!("token answer: {error}")))?;
    let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty());
    bearer(
        &token.ok_or_else(|| malformed("token answer: it has no token".to_owned()))?,
        at,
    )
}

fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Challenge> {
        Challenge::parse(&HeaderValue::from_str(text).unwrap_or_else(|e| panic!("{e}")))
    }

    #[test]
    fn reads_the_challenges_registries_send() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.into(),
                service: service.map(Into::into),
            })
        };
        for (header, challenge) in [
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#,
                bearer("https://auth.docker.io/token", Some("registry.docker.io")),
            ),
            (r#"bearer Realm="https://x/t""#, bearer("https://x/t", None)),
            (
                r#"Bearer error="invalid_token", realm="https://x/a,b\"c", service=plain"#,
                bearer("https://x/a,b\"c", Some("plain")),
            ),
            (r#"Basic realm="Registry""#, Some(Challenge::Basic)),
            ("Basic", Some(Challenge::Basic)),
            (r#"Bearer service="x""#, None),
            (r#"Bearer realm="https://x"#, None),
            ("Negotiate abc", None),
            ("Bearer", None),
            ("", None),
        ] {
            assert_eq!(parse(header), challenge, "{header}");
        }
    }

    #[test]
    fn asks_for_no_more_than_it_needs() {
        let repository = "ghcr.io/acme/policies".parse().unwrap_or_else(|e| panic!("{e}"));
        let url = token_url("https://x/token?a=b", Some("s p"), &repository).map(String::from);
        assert_eq!(
            url.as_deref(),
            Some("https://x/token?a=b&service=s+p&scope=repository%3Aacme%2Fpolicies%3Apull")
        );
        assert_eq!(token_url("not a url", None, &repository), None);
    }

    #[test]
    fn reads_both_spellings_of_a_token() {
        for body in [r#"{"token":"t"}"#, r#"{"access_token":"t","expires_in":300}"#] {
            assert_eq!(token(body.as_bytes(), "x").ok(), HeaderValue::from_str("Bearer t").ok());
        }
        for body in ["", "{}", r#"{"token":""}"#, "{\"token\":\"a\\nb\"}", "[]"] {
            assert!(token(body.as_bytes(), "x").is_err(), "{body:?} was accepted");
        }
    }
}
