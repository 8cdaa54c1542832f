//! `.manifest`: what a bundle says about itself (`Manifest` in OPA's `v1/bundle/bundle.go`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::data::CAPS;
use super::error::Malformed;
use crate::strict_json;

const MAX_LABEL_CHARS: usize = 128;
const MAX_ENTRYPOINTS: usize = 1000;
const MAX_ENTRYPOINT_CHARS: usize = 256;

/// A manifest after all checks that need nothing else.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) name: Option<String>,
    pub(super) revision: Option<String>,
    /// Without slashes around them; one empty root owns everything.
    pub(super) roots: Vec<String>,
    /// Annotations by entry point; at least one.
    pub(super) entrypoints: BTreeMap<String, Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    revision: String,
    #[serde(default)]
    roots: Option<Vec<String>>,
    #[serde(default)]
    wasm: Vec<Map<String, Value>>,
    #[serde(default)]
    metadata: Map<String, Value>,
    #[serde(default, rename = "rego_version")]
    _rego_version: Option<u8>,
    #[serde(default, rename = "file_rego_versions")]
    _file_rego_versions: BTreeMap<String, u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resolver {
    entrypoint: String,
    module: String,
    #[serde(default)]
    annotations: Vec<Value>,
}

fn malformed(detail: impl Into<String>) -> Malformed {
    Malformed::MalformedManifest { detail: detail.into() }
}

/// Reads a manifest whose entry points must all be bound to `module`, a path without leading slash.
pub(super) fn read(bytes: &[u8], module: &str) -> Result<Manifest, Malformed> {
    let value = strict_json::read(bytes, &mut CAPS.clone()).map_err(malformed)?;
    // As a map: serde would also read the fields of a struct from an array, in order.
    let Value::Object(value) = value else {
        return Err(malformed("invalid type: it is not an object"));
    };
    let written = Written::deserialize(value).map_err(|error| malformed(error.to_string()))?;
    let roots = read_roots(written.roots)?;
    let entrypoints = read_resolvers(written.wasm, module)?;
    for path in entrypoints.keys() {
        if !roots.iter().any(|root| is_under(path, root)) {
            return Err(malformed(format!(
                "entry point {path:?} is outside the roots {roots:?}"
            )));
        }
    }
    let name = match written.metadata.get("name") {
        None => None,
        Some(Value::String(name)) => read_label("metadata.name", name)?,
        Some(_) => return Err(malformed("metadata.name is not a string")),
    };
    Ok(Manifest {
        name,
        revision: read_label("revision", &written.revision)?,
        roots,
        entrypoints,
    })
}

/// Empty counts as absent: `opa build` writes an empty revision where none is given.
fn read_label(field: &str, text: &str) -> Result<Option<String>, Malformed> {
    if text.chars().count() > MAX_LABEL_CHARS || text.chars().any(char::is_control) {
        return Err(malformed(format!(
            "{field} is not at most {MAX_LABEL_CHARS} printable characters"
        )));
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn read_roots(roots: Option<Vec<String>>) -> Result<Vec<String>, Malformed> {
    let roots: Vec<String> = roots
        .unwrap_or_else(|| vec![String::new()])
        .iter()
        .map(|root| root.trim_matches('/').to_owned())
        .collect();
    for (index, root) in roots.iter().enumerate() {
        let mut others = roots.iter().skip(index + 1);
        if let Some(other) = others.find(|other| is_under(other, root) || is_under(root, other)) {
            return Err(malformed(format!("roots {root:?} and {other:?} overlap")));
        }
    }
    Ok(roots)
}

fn read_resolvers(resolvers: Vec<Map<String, Value>>, module: &str) -> Result<BTreeMap<String, Vec<Value>>, Malformed> {
    if resolvers.is_empty() {
        return Err(Malformed::NoEntrypoint);
    }
    if resolvers.len() > MAX_ENTRYPOINTS {
        return Err(malformed(format!("more than {MAX_ENTRYPOINTS} entry points")));
    }
    let mut entrypoints = BTreeMap::new();
    for resolver in resolvers {
        let resolver = Resolver::deserialize(resolver).map_err(|error| malformed(error.to_string()))?;
        let path = resolver.entrypoint;
        if path.is_empty() || path.chars().count() > MAX_ENTRYPOINT_CHARS {
            return Err(malformed(format!(
                "an entry point is not 1 to {MAX_ENTRYPOINT_CHARS} characters long"
            )));
        }
        if resolver.module.strip_prefix('/').unwrap_or(&resolver.module) != module {
            let named: String = resolver.module.chars().take(200).collect();
            return Err(malformed(format!(
                "entry point {path:?} is bound to module {named:?}, the bundle has {module:?}"
            )));
        }
        if entrypoints.insert(path.clone(), resolver.annotations).is_some() {
            return Err(malformed(format!("entry point {path:?} appears twice")));
        }
    }
    Ok(entrypoints)
}

/// Whether a path is a root or below it, segment by segment.
pub(super) fn is_under(path: &str, root: &str) -> bool {
    root.is_empty()
        || path
            .strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Manifest, Malformed> {
        read(text.as_bytes(), "policy.wasm")
    }

    #[test]
    fn reads_what_opa_writes() {
        let text = r#"{"revision":"1.0.0","roots":["a","b/c"],"wasm":[{"entrypoint":"a/x","module":"/policy.wasm","annotations":[{"title":"t"}]}],"rego_version":1,"file_rego_versions":{"/x.rego":0},"metadata":{"name":"baseline","team":1}}"#;
        let manifest = check(text).unwrap();
        assert_eq!(
            (manifest.name.as_deref(), manifest.revision.as_deref()),
            (Some("baseline"), Some("1.0.0"))
        );
        assert_eq!(manifest.roots, ["a", "b/c"]);
        assert_eq!(manifest.entrypoints["a/x"].len(), 1);
        let bare = check(r#"{"revision":"","wasm":[{"entrypoint":"a/x","module":"policy.wasm"}]}"#).unwrap();
        assert_eq!((bare.name, bare.revision), (None, None));
    }

    #[test]
    fn refuses_odd_manifests() {
        let wasm = r#""wasm":[{"entrypoint":"a/x","module":"/policy.wasm"}]"#;
        for (text, want) in [
            ("{}".to_owned(), "no entry point"),
            ("[]".to_owned(), "invalid type"),
            (format!("{{{wasm},\"revisoin\":\"1\"}}"), "unknown field `revisoin`"),
            (format!("{{{wasm}}} "), ""),
            (format!("{{{wasm}}}{{}}"), "something after its end"),
            (format!("{{{wasm},\"roots\":[\"a\",\"a/x\"]}}"), "overlap"),
            (format!("{{{wasm},\"roots\":[\"ab\"]}}"), "outside the roots"),
            (format!("{{{wasm},\"metadata\":{{\"name\":1}}}}"), "not a string"),
            (format!("{{{wasm},\"revision\":\"a\\nb\"}}"), "printable"),
            (
                r#"{"wasm":[{"entrypoint":"a/x","module":"/other.wasm"}]}"#.to_owned(),
                "/other.wasm",
            ),
            (
                r#"{"wasm":[{"entrypoint":"a","module":"policy.wasm"},{"entrypoint":"a","module":"policy.wasm"}]}"#
                    .to_owned(),
                "twice",
            ),
        ] {
            match check(&text) {
                Ok(_) => assert!(want.is_empty(), "{text} was accepted"),
                Err(error) => assert!(!want.is_empty() && error.to_string().contains(want), "{text}: {error}"),
            }
        }
    }
}
