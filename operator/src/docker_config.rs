//! Registry credentials in the file that `docker login`, `cosign login` and pull secrets share.

use std::collections::BTreeMap;

use base64::Engine as _;
use interlock_bundles::registry::Credentials;
use serde::Deserialize;

/// `config.json`, or the value of `.dockerconfigjson`.
#[derive(Debug, Default, Deserialize)]
pub struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Debug, Deserialize)]
struct Auth {
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    /// `username:password` in Base64.
    #[serde(default, rename = "auth")]
    encoded: Option<String>,
}

/// Why there are no credentials for a registry.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoCredentials {
    /// The registry is not in the file.
    #[error("has no entry for {0}")]
    NoEntry(String),
    /// It is there without a user name and password.
    #[error("has no user name and password for {0}")]
    Incomplete(String),
}

impl DockerConfig {
    /// The credentials for a registry, `host[:port]`.
    pub fn credentials(&self, registry: &str) -> Result<Credentials, NoCredentials> {
        let (_, auth) = self
            .auths
            .iter()
            .find(|(server, _)| host(server).eq_ignore_ascii_case(registry))
            .ok_or_else(|| NoCredentials::NoEntry(registry.to_owned()))?;
        basic(auth).ok_or_else(|| NoCredentials::Incomplete(registry.to_owned()))
    }
}

/// `https://host/v1/` as older tools write it, or `host`.
fn host(server: &str) -> &str {
    let server = server
        .strip_prefix("https://")
        .or_else(|| server.strip_prefix("http://"))
        .unwrap_or(server);
    server.split('/').next().unwrap_or(server)
}

fn basic(auth: &Auth) -> Option<Credentials> {
    if let (Some(username), Some(password)) = (&auth.username, &auth.password) {
        return Some(Credentials::Basic {
            username: username.clone(),
            password: password.clone(),
        });
    }
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(auth.encoded.as_ref()?)
        .ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (username, password) = text.split_once(':')?;
    Some(Credentials::Basic {
        username: username.to_owned(),
        password: password.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_an_entry_are_read() {
        let config: DockerConfig = serde_json::from_str(
            r#"{"auths": {"https://a.example/v1/": {"username": "u", "password": "p"}, "b.example:5000": {"auth": "dTpwOnE="}, "c.example": {}}}"#,
        )
        .unwrap();
        let user = |registry| match config.credentials(registry) {
            Ok(Credentials::Basic { username, password }) => Ok((username, password)),
            Ok(_) => panic!("not basic"),
            Err(error) => Err(error),
        };
        assert_eq!(user("a.example"), Ok(("u".into(), "p".into())));
        assert_eq!(user("b.example:5000"), Ok(("u".into(), "p:q".into())));
        assert_eq!(user("c.example"), Err(NoCredentials::Incomplete("c.example".into())));
        assert_eq!(user("d.example"), Err(NoCredentials::NoEntry("d.example".into())));
    }
}
