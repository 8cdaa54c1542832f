//! How firmly a name holds a model: by the rules of KServe 0.16's storage initializer and model agent, which read the
//! name and fetch what it leads to.
//!
//! Source: `python/storage/kserve_storage/kserve_storage.py` and `SupportedStorageURIPrefixList` in
//! `pkg/controller/v1beta1/inferenceservice/utils/utils.go`. Schemes count as written: KServe compares them as text.

use interlock_bundles::digest::Digest;

use super::Location;

/// What a name says of itself, without anybody being asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// How firmly it holds.
    pub(super) location: Location,
    /// The OCI reference in it.
    pub(super) reference: Option<String>,
    /// The digest in that reference.
    pub(super) digest: Option<Digest>,
}

impl From<Location> for Named {
    fn from(location: Location) -> Self {
        Self {
            location,
            reference: None,
            digest: None,
        }
    }
}

/// What a model's URI says.
pub(super) fn of_uri(uri: &str) -> Named {
    let Some((scheme, rest)) = uri.split_once("://") else {
        // A path inside the container that fetches; a relative one leads nowhere.
        return if uri.starts_with('/') {
            Location::Mutable.into()
        } else {
            Location::Unsupported.into()
        };
    };
    match scheme {
        "oci" => of_reference(rest),
        "hf" => of_hub(rest).into(),
        "http" | "https" => of_url(rest).into(),
        // A bucket with versions does not help: the storage initializer reads neither s3's versionId nor a generation of
        // gs, and takes every object under the path.
        "s3" | "gs" | "hdfs" | "webhdfs" | "pvc" | "file" if !rest.is_empty() => Location::Mutable.into(),
        _ => Location::Unsupported.into(),
    }
}

/// What an OCI reference says, written without a scheme.
pub(super) fn of_reference(reference: &str) -> Named {
    let is_name = |name: &str| !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    let digest = reference.split_once('@').map(|(_, digest)| digest.parse::<Digest>());
    let name = reference.split('@').next().unwrap_or_default();
    let location = match &digest {
        _ if !is_name(name) => Location::Unsupported,
        None => Location::Mutable,
        Some(Ok(_)) => Location::Pinned,
        Some(Err(_)) => Location::Unsupported,
    };
    Named {
        location,
        reference: Some(reference.to_owned()),
        digest: digest.and_then(Result::ok).filter(|_| location == Location::Pinned),
    }
}

/// A model on the Hugging Face Hub is `ORG/MODEL[:REVISION]`; only a commit's whole hash is a fixed revision.
fn of_hub(rest: &str) -> Location {
    let Some((organisation, model)) = rest.split_once('/') else {
        return Location::Unsupported;
    };
    let (model, revision) = model.split_once(':').unwrap_or((model, ""));
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    if !is_name(organisation) || !is_name(model) || revision.contains('/') {
        Location::Unsupported
    } else if revision.len() == 40 && revision.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
        Location::Pinned
    } else {
        Location::Mutable
    }
}

/// Any web server's file, and those of Azure's blob and file storage.
fn of_url(rest: &str) -> Location {
    match rest.split_once('/') {
        Some((host, path)) if !host.is_empty() && !path.is_empty() => Location::Mutable,
        _ => Location::Unsupported,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_scheme_is_read_as_kserve_reads_it() {
        use Location::{Mutable, Pinned, Unsupported};
        let hex = "a".repeat(64);
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let table = [
            (format!("oci://ghcr.io/acme/iris@sha256:{hex}"), Pinned),
            (format!("oci://ghcr.io/acme/iris:1@sha256:{hex}"), Pinned),
            (format!("oci://iris@sha256:{hex}"), Pinned),
            ("oci://ghcr.io/acme/iris:1".into(), Mutable),
            ("oci://iris".into(), Mutable),
            ("oci://iris@sha256:abc".into(), Unsupported),
            (format!("oci://iris@sha512:{hex}{hex}"), Unsupported),
            (format!("oci://iris@sha256:{hex}@sha256:{hex}"), Unsupported),
            (format!("oci://@sha256:{hex}"), Unsupported),
            (format!("oci://a b@sha256:{hex}"), Unsupported),
            ("oci://".into(), Unsupported),
            ("OCI://iris:1".into(), Unsupported),
            (format!("hf://Qwen/Qwen2.5-7B:{commit}"), Pinned),
            (format!("hf://Qwen/Qwen2.5-7B@{commit}"), Unsupported),
            (format!("hf://Qwen/Qwen2.5-7B:{}", commit.to_uppercase()), Mutable),
            (format!("hf://Qwen/Qwen2.5-7B:{}", &commit[..7]), Mutable),
            ("hf://Qwen/Qwen2.5-7B:main".into(), Mutable),
            ("hf://Qwen/Qwen2.5-7B:".into(), Mutable),
            ("hf://Qwen/Qwen2.5-7B".into(), Mutable),
            ("hf://gpt2".into(), Unsupported),
            ("hf://Qwen/".into(), Unsupported),
            (format!("hf://Qwen/Qwen/tokenizer:{commit}"), Unsupported),
            ("s3://bucket/model?versionId=3".into(), Mutable),
            ("gs://bucket/model#1700000000".into(), Mutable),
            ("gs://".into(), Unsupported),
            ("hdfs://user/me/model".into(), Mutable),
            ("webhdfs://user/me/model".into(), Mutable),
            ("https://example.com/model.joblib".into(), Mutable),
            ("http://example.com/model.joblib?v=1".into(), Mutable),
            ("https://acme.blob.core.windows.net/models/iris".into(), Mutable),
            ("https://acme.z1.blob.storage.azure.net/models/iris".into(), Mutable),
            ("https://acme.file.core.windows.net/share/iris".into(), Mutable),
            ("https://example.com".into(), Unsupported),
            ("https://example.com/".into(), Unsupported),
            ("pvc://claim/model".into(), Mutable),
            ("pvc://claim".into(), Mutable),
            ("file:///mnt/models/iris".into(), Mutable),
            ("/mnt/models".into(), Mutable),
            ("models/iris".into(), Unsupported),
            ("git://example.com/models.git".into(), Unsupported),
            ("model-registry://iris/v1".into(), Unsupported),
            (String::new(), Unsupported),
        ];
        for (uri, want) in table {
            assert_eq!(of_uri(&uri).location, want, "{uri}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_only_a_digest_or_a_commit_pins(
            text in "(oci|hf|s3|https|pvc)?(://)?[a-z]{0,5}[/:@]{0,2}(sha256:)?[0-9a-f]{0,70}|\\PC*"
        ) {
            let named = of_uri(&text);
            prop_assert_eq!(named.reference.is_some(), text.starts_with("oci://"));
            prop_assert!(named.digest.is_none() || named.location == Location::Pinned);
            if named.location == Location::Pinned {
                let by_digest = named.digest.is_some_and(|digest| text.ends_with(&format!("@{digest}")));
                let hash = text.rsplit(':').next().unwrap_or_default();
                prop_assert!(by_digest || (text.starts_with("hf://") && hash.len() == 40), "{}", text);
            }
        }
    }
}
