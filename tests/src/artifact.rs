//! Pushing exactly the bytes a story wants to a registry, also ones that no sane tool would push. What a user pushes
//! goes through `interlock bundle push` instead.

use anyhow::{Context as _, Result, bail};
use interlock_bundles::digest::Digest;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Client, Response, Url};
use serde_json::{Value, json};

/// Media type of an OCI image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI image index, which lists manifests.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of the config that `opa push`-like tools write.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of a bundle's layer.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A repository on a registry (or on a [`crate::Liar`] before one).
#[derive(Clone, Debug)]
pub struct Repository {
    host: String,
    path: String,
    login: Option<(&'static str, &'static str)>,
    client: Client,
}

impl Repository {
    /// The repository `path` of the registry at `host`.
    pub fn new(host: &str, path: &str) -> Self {
        Self {
            host: host.to_owned(),
            path: path.to_owned(),
            login: None,
            client: Client::new(),
        }
    }

    /// The same, asked with a user and a password.
    #[must_use]
    pub fn login(mut self, user: &'static str, password: &'static str) -> Self {
        self.login = Some((user, password));
        self
    }

    /// Pushes `layer` under `tag` as a manifest of one layer, and answers `host/path@sha256:…`.
    pub async fn push(&self, tag: &str, layer: &[u8]) -> Result<String> {
        let config = self.push_blob(CONFIG, b"{}").await?;
        let layer = self.push_blob(LAYER, layer).await?;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer],
        });
        self.push_manifest(tag, MANIFEST, &serde_json::to_vec(&manifest)?).await
    }

    /// Pushes a blob and answers its descriptor.
    pub async fn push_blob(&self, media_type: &str, bytes: &[u8]) -> Result<Value> {
        let digest = Digest::of(bytes);
        let start = self.url("blobs/uploads/")?;
        let started = accepted(self.authorised(self.client.post(start.clone())).send().await?).await?;
        let location = started
            .headers()
            .get(LOCATION)
            .context("the upload has no Location")?
            .to_str()?;
        let mut upload = start.join(location)?;
        upload.query_pairs_mut().append_pair("digest", &digest.to_string());
        let put = self
            .authorised(self.client.put(upload))
            .header(CONTENT_TYPE, "application/octet-stream");
        accepted(put.body(bytes.to_vec()).send().await?).await?;
        Ok(json!({"mediaType": media_type, "digest": digest, "size": bytes.len()}))
    }

    /// Pushes the bytes of a manifest under a tag or digest and answers `host/path@sha256:…`.
    pub async fn push_manifest(&self, name: &str, media_type: &str, bytes: &[u8]) -> Result<String> {
        let put = self.authorised(self.client.put(self.url(&format!("manifests/{name}"))?));
        accepted(put.header(CONTENT_TYPE, media_type).body(bytes.to_vec()).send().await?).await?;
        Ok(format!("{}/{}@{}", self.host, self.path, Digest::of(bytes)))
    }

    /// The answer to a GET of `rest` (`manifests/…`, `referrers/…`) in this repository, whatever its status.
    pub async fn get(&self, rest: &str) -> Result<Response> {
        let asked = self.authorised(self.client.get(self.url(rest)?));
        // distribution answers 404 for a manifest whose type is not named.
        Ok(asked.header(ACCEPT, format!("{MANIFEST}, {INDEX}")).send().await?)
    }

    fn url(&self, rest: &str) -> Result<Url> {
        Ok(Url::parse(&format!("http://{}/v2/{}/{rest}", self.host, self.path))?)
    }

    fn authorised(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match self.login {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        }
    }
}

/// What comes after the `@` of a reference.
pub fn digest_of(reference: &str) -> &str {
    reference.rsplit('@').next().unwrap_or_default()
}

/// The answer if it is a good one, else an error that holds what the registry said.
async fn accepted(answer: Response) -> Result<Response> {
    let (status, url) = (answer.status(), answer.url().clone());
    if !status.is_success() {
        bail!("{url} answered {status}: {}", answer.text().await?);
    }
    Ok(answer)
}
