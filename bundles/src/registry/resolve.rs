//! From what is wanted to the digest of one manifest.

use reqwest::Url;
use reqwest::header::LINK;
use semver::{Version, VersionReq};
use serde::Deserialize;

use super::error::RegistryError;
use super::session::{Answer, Ask, Session, same_origin};
use crate::digest::Digest;
use crate::reference::{Pinned, Wanted, check_tag};

const PAGE: usize = 1000;
/// How many versions an error names.
const SEEN_MAX: usize = 8;

pub(super) async fn resolve(mut session: Session<'_>, wanted: &Wanted) -> Result<Pinned, RegistryError> {
    let digest = match wanted {
        Wanted::Digest(digest) => *digest,
        Wanted::Tag(tag) => session.digest_of(tag).await?,
        Wanted::Semver(range) => {
            let tags = session.tags().await?;
            let tag = highest(&tags, range).map_err(|seen| RegistryError::NoMatchingVersion {
                repository: session.repository.clone(),
                range: range.clone(),
                seen,
            })?;
            session.digest_of(tag).await?
        }
    };
    Ok(session.repository.pin(digest))
}

impl Session<'_> {
    /// The digest of the bytes a tag leads to, computed here. A registry that announces another digest
    /// than its bytes have is not believed either way.
    async fn digest_of(&mut self, tag: &str) -> Result<Digest, RegistryError> {
        check_tag(tag)?;
        let answer = self.manifest_at(tag).await?;
        let got = Digest::of(&answer.body);
        let announced = answer
            .headers
            .get("docker-content-digest")
            .and_then(|value| value.to_str().ok());
        match announced.filter(|text| text.starts_with("sha256:")) {
            Some(text) if text != got.to_string() => Err(RegistryError::DigestMismatch {
                at: format!("GET {}", answer.url.path()),
                want: text.chars().take(100).collect(),
                got,
            }),
            _ => Ok(got),
        }
    }

    /// All tags, page after page.
    async fn tags(&mut self) -> Result<Vec<String>, RegistryError> {
        #[derive(Deserialize)]
        struct Page {
            // `null` from some registries where there are none.
            tags: Option<Vec<String>>,
        }
        let caps = self.line.settings.caps;
        let mut tags = Vec::new();
        let mut next = Some(self.url(&format!("tags/list?n={PAGE}"))?);
        for _ in 0..caps.pages {
            let Some(url) = next else { return Ok(tags) };
            let ask = Ask::get(url, "application/json", ("tag list bytes", caps.manifest_bytes));
            let answer = self.ask(&ask).await?;
            let page: Page = serde_json::from_slice(&answer.body).map_err(|error| RegistryError::Malformed {
                at: ask.at(),
                problem: format!("tag list: {error}"),
            })?;
            tags.extend(page.tags.unwrap_or_default());
            if tags.len() > caps.tags {
                return Err(RegistryError::LimitExceeded {
                    at: ask.at(),
                    what: "tags",
                    limit: caps.tags as u64,
                });
            }
            next = next_page(&ask, &answer)?;
        }
        match next {
            None => Ok(tags),
            Some(url) => Err(RegistryError::LimitExceeded {
                at: format!("GET {}", url.path()),
                what: "tag list pages",
                limit: caps.pages as u64,
            }),
        }
    }
}

/// Where a listing goes on, if it does (`Link: <…>; rel="next"`, RFC 8288). Only on the same origin:
/// credentials go along.
pub(super) fn next_page(ask: &Ask, answer: &Answer) -> Result<Option<Url>, RegistryError> {
    let malformed = |problem: &str| RegistryError::Malformed {
        at: ask.at(),
        problem: problem.to_owned(),
    };
    for header in answer.headers.get_all(LINK) {
        let text = header.to_str().map_err(|_| malformed("Link header is not text"))?;
        let Some((target, parameters)) = text.trim().strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
            return Err(malformed("Link header has no <target>"));
        };
        if !parameters
            .replace(['"', ' '], "")
            .to_ascii_lowercase()
            .contains("rel=next")
        {
            continue;
        }
        let next = answer
            .url
            .join(target)
            .map_err(|_| malformed("Link header's target is no URL"))?;
        if !same_origin(&next, &answer.url) {
            return Err(malformed("the next page of the list is on another host"));
        }
        return Ok(Some(next));
    }
    Ok(None)
}

/// The tag with the highest version in the range; else the highest versions there are.
fn highest<'a>(tags: &'a [String], range: &VersionReq) -> Result<&'a str, Vec<String>> {
    let mut versions: Vec<(Version, &str)> = tags
        .iter()
        .filter_map(|tag| Some((Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()?, tag.as_str())))
        .collect();
    // Where both `1.2.3` and `v1.2.3` exist, the plain one wins: it sorts first among equals.
    versions.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let matching = versions.iter().find(|(version, _)| range.matches(version));
    matching.map(|(_, tag)| *tag).ok_or_else(|| {
        versions
            .iter()
            .take(SEEN_MAX)
            .map(|(_, tag)| (*tag).to_owned())
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_matching_version_wins() {
        let tags: Vec<String> = [
            "latest",
            "1.2.3",
            "1.10.0",
            "1.9.9",
            "2.0.0-rc.1",
            "v1.10.0",
            "v1.4.0",
            "1.11.0-beta.1",
            "1.2",
            "sha256-0000000000000000000000000000000000000000000000000000000000000000",
        ]
        .map(String::from)
        .to_vec();
        for (range, tag) in [
            ("^1", Some("1.10.0")),
            (">=1.2.0, <1.10.0", Some("1.9.9")),
            ("~1.4", Some("v1.4.0")),
            ("=1.2.3", Some("1.2.3")),
            ("*", Some("1.10.0")),
            (">=1.11.0-alpha, <1.12.0", Some("1.11.0-beta.1")),
            (">=2.0.0-rc.0", Some("2.0.0-rc.1")),
            ("^2", None),
            ("^9", None),
        ] {
            let range: VersionReq = range.parse().unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(highest(&tags, &range).ok(), tag, "{range}");
        }
        let seen = highest(&tags, &VersionReq::parse("^9").unwrap_or_else(|e| panic!("{e}")));
        assert_eq!(
            seen.err().unwrap_or_default().first().map(String::as_str),
            Some("2.0.0-rc.1")
        );
    }
}
