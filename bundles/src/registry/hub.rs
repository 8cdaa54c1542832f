//! A hub of models, asked by the API of the Hugging Face Hub: the list of a commit's files, and the small ones among them.
//!
//! The rules are those of registries: one host by HTTPS, caps on everything, credentials for that host alone, and no answer
//! but a whole one says anything. What is new is that a hub's list is its word: no digest of it is known beforehand.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;

use super::answer::judge;
use super::auth;
use super::error::RegistryError;
use super::resolve::next_page;
use super::session::{Answer, Ask, Line, authority};
use super::settings::{Caps, RegistrySettings};
use super::{client, within};
use crate::digest::Digest;
use crate::model::artifact::{ArtifactFiles, ContentsError, Reading};
use crate::model::hub::{HubFile, HubModel, ListingError, Need};
use crate::model::{Manifest, NameError};

/// Files of one model: no list that is signed has more.
const FILES_MAX: usize = 100_000;
/// A page has a thousand files where the hub is asked for them so.
const PAGES_MAX: usize = 200;
/// Bytes of all pages together: a hundred thousand files have some 20 MiB.
const LIST_MAX: usize = 32 * 1024 * 1024;
/// Bytes of a file that is no large one. The Hugging Face Hub takes none above 10 MB without LFS.
const FILE_MAX: u64 = 16 * 1024 * 1024;
/// Bytes of all files that are read of one model.
const READ_MAX: u64 = 256 * 1024 * 1024;

/// How to speak to a hub.
#[derive(Clone)]
pub struct HubSettings {
    /// Where it is: `https://HOST[:PORT]`.
    pub endpoint: String,
    /// Whether it is spoken to without TLS; then the endpoint begins with `http://`.
    pub plain_http: bool,
    /// What to show it, and nobody else.
    pub token: Option<String>,
    /// The deadline of each list of files, and of each file.
    pub timeout: Duration,
}

/// A client of one hub.
#[derive(Debug)]
pub struct Hub {
    http: reqwest::Client,
    pub(super) settings: RegistrySettings,
    pub(super) read_max: u64,
    pub(super) list_max: usize,
    base: Url,
    authorization: Option<HeaderValue>,
}

/// What a hub has of a model, as far as a list of files is compared with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubContents {
    /// Its files.
    pub files: ArtifactFiles,
    /// How many of them were not read, as the hub publishes what they hash to.
    pub published: usize,
    /// Bytes of the others, which were read.
    pub read: u64,
}

/// Why nothing can be said of a model on a hub.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The address is none of a hub.
    #[error("{given:?} is no hub: {rule}")]
    Endpoint {
        /// The address.
        given: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// HTTPS could not be set up.
    #[error("cannot speak to a hub")]
    Client(#[source] RegistryError),
    /// The token would be seen on its way.
    #[error("HF_TOKEN is not sent to {host} without TLS: unset it, or give an https address")]
    InTheClear {
        /// The hub.
        host: String,
    },
    /// The token is no token.
    #[error("the token has characters that no HTTP header can carry: HF_TOKEN holds the token alone")]
    Token,
    /// The hub does not have the model, or not for everybody.
    #[error(
        "{at}: the hub does not show {model}: check its name and commit; what is private or gated takes a token that may read it, in HF_TOKEN"
    )]
    NotShown {
        /// Where.
        at: String,
        /// The model.
        model: String,
    },
    /// The hub answers not at all, or wrongly.
    #[error("the hub did not tell what the model has")]
    Asking(#[source] RegistryError),
    /// A file that cannot be part of a signed model.
    #[error("a file on the hub cannot be a file of a signed model")]
    Unsignable(#[source] NameError),
    /// A file that would have to be downloaded.
    #[error(
        "{file:?} was signed by another hash than SHA-256 of the whole file, which is all that a hub publishes of a large file: download the model and verify its folder"
    )]
    Unpublished {
        /// The file.
        file: String,
    },
    /// What was read cannot be compared.
    #[error("the files cannot be compared with a signed list")]
    Contents(#[from] ContentsError),
}

impl Hub {
    /// Checks the settings and sets up HTTPS. Connects to nothing.
    pub fn new(settings: &HubSettings) -> Result<Self, HubError> {
        let base = endpoint(settings)?;
        let token = settings
            .token
            .as_deref()
            .map(|token| auth::bearer(token, base.as_str()));
        let host = authority(&base);
        if token.is_some() && base.scheme() != "https" && !is_loopback(&base) {
            return Err(HubError::InTheClear { host });
        }
        let registry = RegistrySettings {
            plain_http: if settings.plain_http { vec![host] } else { Vec::new() },
            timeout: settings.timeout,
            caps: Caps {
                pages: PAGES_MAX,
                ..Caps::default()
            },
            ..RegistrySettings::default()
        };
        Ok(Self {
            http: client(settings.timeout).map_err(HubError::Client)?,
            settings: registry,
            read_max: READ_MAX,
            list_max: LIST_MAX,
            base,
            authorization: token.transpose().map_err(|_| HubError::Token)?,
        })
    }

    /// Its `host[:port]`.
    pub fn host(&self) -> String {
        authority(&self.base)
    }

    /// All files that the hub lists of a model, each once.
    pub async fn files(&self, model: &HubModel) -> Result<Vec<HubFile>, HubError> {
        let at = format!("listing the files of {model}");
        let listed = within(self.settings.timeout, at, self.list(model)).await;
        listed
            .map_err(|source| about(model, source))?
            .map_err(HubError::Unsignable)
    }

    /// A small file's bytes: as many as are listed, and with the digest that is published, if one is.
    pub async fn read(&self, model: &HubModel, file: &HubFile) -> Result<Vec<u8>, HubError> {
        self.afford(model, 0, file)?;
        let at = format!("reading {:?} of {model}", file.name.as_str());
        let bytes = within(self.settings.timeout, at, self.fetch(model, file)).await;
        bytes.map_err(|source| about(model, source))
    }

    /// What the files are, as a manifest is compared with them. Only those are read that are listed and whose digest the hub
    /// does not publish.
    pub async fn contents(
        &self,
        model: &HubModel,
        files: &[HubFile],
        manifest: &Manifest,
    ) -> Result<HubContents, HubError> {
        let reading = Reading::of(manifest.serialization(), None, None);
        let (mut all, mut published, mut read) = (Vec::new(), 0, 0);
        for file in files {
            all.push(match file.need(manifest, &reading) {
                Need::Nothing(contents) => contents,
                Need::Published(contents) => {
                    published += 1;
                    contents
                }
                Need::Bytes => {
                    read = self.afford(model, read, file)?;
                    file.contents(&reading, &self.read(model, file).await?)?
                }
                Need::Other => {
                    let file = file.name.to_string();
                    return Err(HubError::Unpublished { file });
                }
            });
        }
        let files = ArtifactFiles::of(all, None)?;
        Ok(HubContents { files, published, read })
    }

    /// Bytes that will have been read with this file, if that is not too much.
    fn afford(&self, model: &HubModel, read: u64, file: &HubFile) -> Result<u64, HubError> {
        let sum = read.saturating_add(file.size);
        if file.size <= FILE_MAX && sum <= self.read_max {
            return Ok(sum);
        }
        let (what, limit) = match file.size {
            ..=FILE_MAX => ("bytes of all files that are to be read", self.read_max),
            _ => ("bytes of a file that is to be read", FILE_MAX),
        };
        let at = format!("{:?}", file.name.as_str());
        Err(about(model, RegistryError::LimitExceeded { at, what, limit }))
    }

    async fn list(&self, model: &HubModel) -> Result<Result<Vec<HubFile>, NameError>, RegistryError> {
        let caps = self.settings.caps;
        let mut first = self.url(&model.path(&["api", "models"], "tree"));
        first.set_query(Some("recursive=true&expand=false"));
        let page = |url| {
            Ask::get(
                url,
                "application/json",
                ("bytes of a list of files", caps.manifest_bytes),
            )
        };
        let mut ask = page(first);
        let (mut files, mut names, mut bytes) = (Vec::new(), BTreeSet::new(), 0);
        for _ in 0..caps.pages {
            let answer = self.ask(&ask).await?;
            bytes += answer.body.len();
            if bytes > self.list_max {
                return Err(exceeded(&ask, "bytes of all pages of a list of files", self.list_max));
            }
            let found = match HubFile::read_page(&answer.body) {
                Ok(found) => found,
                Err(ListingError::Name(error)) => return Ok(Err(error)),
                Err(ListingError::Malformed { problem }) => return Err(malformed(&ask, problem)),
            };
            for file in found {
                if !names.insert(file.name.clone()) {
                    return Err(malformed(&ask, format!("it lists {:?} twice", file.name.as_str())));
                }
                files.push(file);
            }
            if files.len() > FILES_MAX {
                return Err(exceeded(&ask, "files", FILES_MAX));
            }
            match next_page(&ask, &answer)? {
                None => return Ok(Ok(files)),
                Some(next) => ask = page(next),
            }
        }
        Err(exceeded(&ask, "pages of a list of files", caps.pages))
    }

    async fn fetch(&self, model: &HubModel, file: &HubFile) -> Result<Vec<u8>, RegistryError> {
        let mut path = model.path(&[], "resolve");
        path.extend(file.name.as_str().split('/'));
        let ask = Ask {
            elsewhere: true,
            ..Ask::get(self.url(&path), "*/*", ("bytes", file.size))
        };
        let answer = match self.ask(&ask).await {
            Err(RegistryError::NotFound { .. }) => {
                return Err(malformed(&ask, "it lists the file, and does not have it".to_owned()));
            }
            answer => answer?,
        };
        if answer.body.len() as u64 != file.size {
            let problem = format!("the file has {} bytes, and {} are listed", answer.body.len(), file.size);
            return Err(malformed(&ask, problem));
        }
        match file.published {
            Some(want) if !want.matches(&answer.body) => Err(RegistryError::DigestMismatch {
                at: ask.at(),
                want: want.to_string(),
                got: Digest::of(&answer.body),
            }),
            _ => Ok(answer.body),
        }
    }

    /// A URL on the hub; each segment is quoted as one.
    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(segments);
        }
        url
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, RegistryError> {
        let line = Line::new(
            &self.http,
            &self.settings,
            self.base.clone(),
            self.authorization.clone(),
        );
        Answer::read(ask, judge(ask, line.follow(ask).await?).await?).await
    }
}

/// Whether it is this machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The hub's origin.
fn endpoint(settings: &HubSettings) -> Result<Url, HubError> {
    let broken = |rule| HubError::Endpoint {
        given: settings.endpoint.chars().take(200).collect(),
        rule,
    };
    let url = Url::parse(&settings.endpoint).map_err(|_| broken("write https://HOST or https://HOST:PORT"))?;
    match (url.scheme(), settings.plain_http) {
        ("https", false) | ("http", true) => {}
        ("http", false) => {
            return Err(broken(
                "it is not https, and without --plain-http nothing else is spoken to",
            ));
        }
        ("https", true) => return Err(broken("it is https, and --plain-http is for http")),
        _ => return Err(broken("write https://HOST or https://HOST:PORT")),
    }
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !is_bare || !url.username().is_empty() || url.password().is_some() {
        return Err(broken("a scheme, a host and a port is all there may be"));
    }
    Ok(url)
}

/// An error of the conversation, as one about the model. Whoever may not see a model is told that there is none.
fn about(model: &HubModel, source: RegistryError) -> HubError {
    use RegistryError as No;
    match source {
        No::Unauthorized { at, .. } | No::Forbidden { at, .. } | No::NotFound { at, .. } => HubError::NotShown {
            at,
            model: model.to_string(),
        },
        source => HubError::Asking(source),
    }
}

fn malformed(ask: &Ask, problem: String) -> RegistryError {
    RegistryError::Malformed { at: ask.at(), problem }
}

fn exceeded(ask: &Ask, what: &'static str, limit: usize) -> RegistryError {
    RegistryError::LimitExceeded {
        at: ask.at(),
        what,
        limit: limit as u64,
    }
}
