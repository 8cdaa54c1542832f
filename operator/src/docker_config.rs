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
    /// The credentials for `host[:port]/path`, or for a registry alone, `host[:port]`. Of the entries that name a
    /// path, which hold for what is below it only, the longest wins; the registry's own entry holds for the rest.
    pub fn credentials(&self, repository: &str) -> Result<Credentials, NoCredentials> {
        let (registry, path) = repository.split_once('/').unwrap_or((repository, ""));
        let entries = self.auths.iter().map(|(server, auth)| (split(server), auth));
        let (_, auth) = entries
            .filter(|((host, above), _)| host.eq_ignore_ascii_case(registry) && is_below(path, above))
            .max_by_key(|((_, above), _)| above.len())
            .ok_or_else(|| NoCredentials::NoEntry(repository.to_owned()))?;
        basic(auth).ok_or_else(|| NoCredentials::Incomplete(repository.to_owned()))
    }
}

/// Host and path of `host`, `host/path`, or `https://host/v1/` as older tools write it for the whole host.
fn split(server: &str) -> (&str, &str) {
    let server = server
        .strip_prefix("https://")
        .or_else(|| server.strip_prefix("http://"))
        .unwrap_or(server);
    let (host, path) = server.split_once('/').unwrap_or((server, ""));
    match path.trim_end_matches('/') {
        "v1" | "v2" => (host, ""),
        path => (host, path),
    }
}

/// Whether `path` is `above` or inside it, by whole segments.
fn is_below(path: &str, above: &str) -> bool {
    let rest = path.strip_prefix(above);
    above.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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

    #[test]
    fn an_entry_with_a_path_holds_below_it_only() {
        let entry = |user: &str| format!(r#"{{"username": "{user}", "password": "p"}}"#);
        let read = |entries: &[&str]| -> DockerConfig {
            let entries: Vec<_> = entries
                .iter()
                .map(|name| format!("{name:?}: {}", entry(name)))
                .collect();
            serde_json::from_str(&format!(r#"{{"auths": {{{}}}}}"#, entries.join(", "))).unwrap()
        };
        let all = read(&[
            "r.example",
            "r.example/team-a",
            "https://r.example/team-a/deep/",
            "s.example/team-a",
        ]);
        for (repository, want) in [
            ("r.example", Some("r.example")),
            ("r.example/team-a", Some("r.example/team-a")),
            ("R.example/team-a/x", Some("r.example/team-a")),
            ("r.example/team-a/deep/x", Some("https://r.example/team-a/deep/")),
            ("r.example/team-a/deeper", Some("r.example/team-a")),
            ("r.example/team-ab/x", Some("r.example")),
            ("s.example/team-a/x", Some("s.example/team-a")),
            ("s.example/team-b/x", None),
            ("s.example", None),
        ] {
            let user = match all.credentials(repository) {
                Ok(Credentials::Basic { username, .. }) => Some(username),
                _ => None,
            };
            assert_eq!(user.as_deref(), want, "{repository}");
        }
    }
}
