//! From the names of TrustRoots to the roots that were read from them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use interlock_bundles::digest::Digest;
use interlock_bundles::trust::{AuthorityRole, TrustRoot as Root, TrustRootError};
use interlock_crds::TrustRoot;
use interlock_crds::trust_root::ConfigMapKey;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;

use crate::dossier::Unavailable;
use crate::operator::sources::Sources;

/// Why a TrustRoot cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootProblem {
    /// The ConfigMap is not there. It may come with the next object of the same commit.
    #[error("there is no ConfigMap {name} in the operator's namespace: create it, or correct spec.configMap")]
    ConfigMapNotFound {
        /// Its name.
        name: String,
    },
    /// The ConfigMap has not got the key.
    #[error("ConfigMap {name} has no key {key:?}: put the trusted_root.json there, or correct spec.configMap.key")]
    ConfigMapKeyNotFound {
        /// Its name.
        name: String,
        /// The key.
        key: String,
    },
    /// ConfigMaps cannot be looked at.
    #[error("{}", .0.message)]
    ConfigMapsUnavailable(Unavailable),
    /// It is given nowhere, or twice.
    #[error("spec needs exactly one of inline and configMap")]
    NoSource,
    /// The pin is no digest.
    #[error("spec.digest {digest:?} is no digest: write sha256: and what `sha256sum trusted_root.json` prints")]
    MalformedDigest {
        /// As given.
        digest: String,
    },
    /// Its bytes are not those of the digest.
    #[error("the trusted_root.json has the digest {found}, and spec.digest is {wanted}: see which is right{hint}")]
    OtherDigest {
        /// That of the bytes.
        found: Digest,
        /// The pin.
        wanted: Digest,
        /// What is likely the cause.
        hint: &'static str,
    },
    /// It cannot be read.
    #[error(transparent)]
    Root(TrustRootError),
}

impl RootProblem {
    /// Stable word for conditions.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::ConfigMapNotFound { .. } => "ConfigMapNotFound",
            Self::ConfigMapKeyNotFound { .. } => "ConfigMapKeyNotFound",
            Self::ConfigMapsUnavailable(why) => &why.reason,
            Self::NoSource => "MalformedTrustRoot",
            Self::MalformedDigest { .. } | Self::OtherDigest { .. } => "DigestMismatch",
            Self::Root(error) => error.reason(),
        }
    }

    /// Whether it may go away without a change of the TrustRoot.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::ConfigMapNotFound { .. } | Self::ConfigMapKeyNotFound { .. } | Self::ConfigMapsUnavailable(_)
        )
    }
}

/// Roots by the names of their objects, as long as these stay the same. All who trust one share it: it is large, and
/// every workload's wishes hold it.
#[derive(Default)]
pub(crate) struct Roots(Mutex<HashMap<String, Known>>);

struct Known {
    object: Arc<TrustRoot>,
    config_map: Option<Arc<ConfigMap>>,
    root: Root,
}

impl Roots {
    /// What a TrustRoot holds, if it is what its digest says.
    pub(crate) fn read(&self, sources: &Sources, object: &Arc<TrustRoot>) -> Result<Root, RootProblem> {
        let name = object.name_any();
        let config_map = object.spec.config_map.as_ref();
        let config_map = config_map.and_then(|key| sources.config_maps.get(&sources.namespace, &key.name));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = |known: &&Known| {
            let same_map = match (&known.config_map, &config_map) {
                (Some(known), Some(found)) => Arc::ptr_eq(known, found),
                (known, found) => known.is_none() && found.is_none(),
            };
            same_map && Arc::ptr_eq(&known.object, object)
        };
        if let Some(known) = known.get(&name).filter(is_current) {
            return Ok(known.root.clone());
        }
        known.retain(|name, _| sources.trust_roots.get("", name).is_some());
        let root = read(object, config_map.as_deref(), sources.config_maps.unavailable())?;
        let entry = Known {
            object: Arc::clone(object),
            config_map,
            root: root.clone(),
        };
        known.insert(name, entry);
        Ok(root)
    }
}

/// Reads a TrustRoot whose ConfigMap, if it names one, is `config_map`. Pure.
fn read(
    object: &TrustRoot,
    config_map: Option<&ConfigMap>,
    unavailable: Option<Unavailable>,
) -> Result<Root, RootProblem> {
    let spec = &object.spec;
    let wanted: Digest = spec.digest.parse().map_err(|_| RootProblem::MalformedDigest {
        digest: spec.digest.clone(),
    })?;
    let json = match (&spec.inline, &spec.config_map) {
        (Some(json), None) => json.as_bytes(),
        (None, Some(key)) => within(key, config_map, unavailable)?,
        _ => return Err(RootProblem::NoSource),
    };
    Root::pinned(json, wanted).map_err(|error| match error {
        TrustRootError::OtherDigest { found, wanted } => RootProblem::OtherDigest {
            found,
            wanted,
            hint: newline(json, wanted),
        },
        other => RootProblem::Root(other),
    })
}

fn within<'a>(
    key: &ConfigMapKey,
    config_map: Option<&'a ConfigMap>,
    unavailable: Option<Unavailable>,
) -> Result<&'a [u8], RootProblem> {
    let Some(config_map) = config_map else {
        let name = key.name.clone();
        let absent = RootProblem::ConfigMapNotFound { name };
        return Err(unavailable.map_or(absent, RootProblem::ConfigMapsUnavailable));
    };
    let text = config_map.data.as_ref().and_then(|data| data.get(&key.key));
    let bytes = config_map.binary_data.as_ref().and_then(|data| data.get(&key.key));
    let found = text.map(String::as_bytes).or(bytes.map(|bytes| bytes.0.as_slice()));
    found.ok_or_else(|| RootProblem::ConfigMapKeyNotFound {
        name: key.name.clone(),
        key: key.key.clone(),
    })
}

/// YAML has two ways to write a text, of which one ends it with a newline that the file may not have.
fn newline(json: &[u8], wanted: Digest) -> &'static str {
    match json.strip_suffix(b"\n") {
        Some(without) if Digest::of(without) == wanted => {
            "; it fits without the newline at its end: write |- in place of |"
        }
        None if Digest::of(&[json, b"\n"].concat()) == wanted => {
            "; it fits with a newline at its end: write | in place of |-"
        }
        _ => "",
    }
}

/// Whether a root has anybody whose word is about this.
pub(crate) fn has(root: &Root, role: AuthorityRole) -> bool {
    root.authorities().iter().any(|authority| authority.role == role)
}

/// The TrustRoots that read a ConfigMap.
pub(crate) fn reading(sources: &Sources, config_map: &str) -> Vec<String> {
    let reads = |root: &TrustRoot| root.spec.config_map.as_ref().is_some_and(|key| key.name == config_map);
    let found = sources.trust_roots.filter(reads);
    found.iter().map(|root| root.name_any()).collect()
}

#[cfg(test)]
mod tests {
    use interlock_crds::TrustRootSpec;
    use k8s_openapi::ByteString;

    use super::*;
    use crate::judge::chain;

    const JSON: &str = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../bundles/testdata/keyless/trusted_root.json"
    ));

    fn pinned(json: &str) -> TrustRootSpec {
        TrustRootSpec {
            digest: Digest::of(json.as_bytes()).to_string(),
            inline: None,
            config_map: None,
        }
    }

    fn inline(pin: &str, json: &str) -> Result<Root, RootProblem> {
        let inline = Some(json.to_owned());
        read(
            &TrustRoot::new("root", TrustRootSpec { inline, ..pinned(pin) }),
            None,
            None,
        )
    }

    fn referring(key: &str, config_map: Option<&ConfigMap>, why: Option<Unavailable>) -> Result<Root, RootProblem> {
        let config_map_key = ConfigMapKey {
            name: "roots".to_owned(),
            key: key.to_owned(),
        };
        let spec = TrustRootSpec {
            config_map: Some(config_map_key),
            ..pinned(JSON)
        };
        read(&TrustRoot::new("root", spec), config_map, why)
    }

    fn reason(read: Result<Root, RootProblem>) -> (String, bool) {
        let problem = read.unwrap_err();
        (problem.reason().to_owned(), problem.is_transient())
    }

    #[test]
    fn a_root_is_read_from_the_object_or_from_a_config_map_if_it_has_the_digest() {
        assert_eq!(inline(JSON, JSON).unwrap().digest(), Digest::of(JSON.as_bytes()));
        let text = ConfigMap {
            data: Some([("a".to_owned(), JSON.to_owned())].into()),
            binary_data: Some([("b".to_owned(), ByteString(JSON.into()))].into()),
            ..ConfigMap::default()
        };
        assert!(referring("a", Some(&text), None).is_ok());
        assert!(referring("b", Some(&text), None).is_ok());
        assert_eq!(
            reason(referring("c", Some(&text), None)),
            ("ConfigMapKeyNotFound".to_owned(), true)
        );
        assert_eq!(
            reason(referring("a", None, None)),
            ("ConfigMapNotFound".to_owned(), true)
        );
        let why = Unavailable {
            reason: "Forbidden".to_owned(),
            message: "m".to_owned(),
        };
        assert_eq!(reason(referring("a", None, Some(why))), ("Forbidden".to_owned(), true));
    }

    #[test]
    fn other_bytes_are_refused_and_a_newline_is_named_as_the_cause() {
        let trimmed = JSON.trim_end();
        let (with, without) = (format!("{trimmed}\n"), trimmed);
        for (pin, json, hint) in [
            (without, with.as_str(), "write |- in place of |"),
            (with.as_str(), without, "write | in place of |-"),
            ("{}", with.as_str(), "see which is right"),
        ] {
            let problem = inline(pin, json).unwrap_err();
            assert_eq!((problem.reason(), problem.is_transient()), ("DigestMismatch", false));
            assert!(chain(&problem).ends_with(hint), "{}", chain(&problem));
        }
        assert_eq!(reason(inline("{}", "{}")), ("MalformedTrustRoot".to_owned(), false));
        let neither = read(&TrustRoot::new("root", pinned(JSON)), None, None);
        assert_eq!(reason(neither), ("MalformedTrustRoot".to_owned(), false));
        let mut spec = pinned(JSON);
        spec.digest = "sha256:abc".to_owned();
        assert_eq!(
            reason(read(&TrustRoot::new("root", spec), None, None)),
            ("DigestMismatch".to_owned(), false)
        );
    }
}
