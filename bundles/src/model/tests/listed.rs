//! A model in a registry and its list of files, compared by the manifest alone. What the real `model-signing` signed.

use super::tool::{data, fixtures, trusting};
use super::*;
use crate::registry::Evidence;
use crate::trust::{Listed, SignatureFormat, TrustPolicy};

const TITLE: &str = "org.opencontainers.image.title";

fn evidence(signature: &str) -> Evidence {
    let bytes = data(&format!("{signature}.sig")).into_bytes();
    Evidence {
        media_type: String::new(),
        digest: Digest::of(&bytes),
        bytes,
    }
}

fn layer(name: &str, content: &[u8]) -> Value {
    json!({
        "mediaType": "application/octet-stream", "digest": Digest::of(content), "size": content.len(),
        "annotations": {TITLE: name},
    })
}

/// The fixture's files, each a layer as it is.
fn layers(fixture: &str) -> Vec<Value> {
    let tree = &fixtures()[fixture].tree;
    tree.iter().map(|(name, text)| layer(name, text.as_bytes())).collect()
}

fn listed(layers: &[Value], signatures: &[&str]) -> Option<Listed> {
    let manifest = json!({"config": {"mediaType": "application/x"}, "layers": layers}).to_string();
    let evidence: Vec<_> = signatures.iter().map(|name| evidence(name)).collect();
    policy().listed(manifest.as_bytes(), &evidence)
}

fn policy() -> TrustPolicy {
    TrustPolicy {
        lists: true,
        ..trusting(&["p256"], 1)
    }
}

#[test]
fn files_that_are_layers_are_compared_without_being_read() {
    let all = layers("files-p256");
    let same = Some(Listed::Same {
        signers: vec!["p256".to_owned()],
        formats: [SignatureFormat::Bundle].into(),
    });
    assert_eq!(listed(&all, &["files-p256"]), same);
    // Beside lists that do not fit, or whose signers do not count; and with the signature in the artifact.
    assert_eq!(listed(&all, &["single", "files-p384", "files-p256"]), same);
    let with = |content: &[u8]| [all.clone(), vec![layer("model.sig", content)]].concat();
    assert_eq!(listed(&with(&evidence("files-p256").bytes), &["files-p256"]), same);
    assert!(matches!(
        listed(&with(&evidence("single").bytes), &["files-p256"]),
        Some(Listed::Differs { .. })
    ));
    assert_eq!(listed(&all, &[]), None);
    assert_eq!(listed(&all, &["files-p384"]), None, "nobody who counts");
}

#[test]
fn every_single_change_of_a_layer_is_told() {
    let all = layers("files-p256");
    let differs = |layers: &[Value]| match listed(layers, &["files-p256"]) {
        Some(Listed::Differs { detail }) => detail,
        other => panic!("{other:?}"),
    };
    for at in 0..all.len() {
        let name = all[at]["annotations"][TITLE].as_str().unwrap();
        let mut changed = all.clone();
        changed[at]["digest"] = json!(Digest::of(b"other"));
        assert!(differs(&changed).contains("has other content"));
        changed.clone_from(&all);
        changed[at]["annotations"][TITLE] = json!(format!("{name}x"));
        assert!(differs(&changed).starts_with("2 of its files differ"));
        changed.clone_from(&all);
        changed.remove(at);
        assert!(differs(&changed).contains("is signed and not there"));
        changed.clone_from(&all);
        changed.push(all[at].clone());
        assert!(differs(&changed).contains("is there more than once"));
    }
    for name in ["more", ".git/hooks/post-checkout"] {
        let more = [all.clone(), vec![layer(name, b"")]].concat();
        assert!(differs(&more).contains("is there and not signed"));
    }
}

#[test]
fn what_would_have_to_be_read_is_left_open() {
    let unread = |layers: &[Value], signature| match listed(layers, &[signature]) {
        Some(Listed::Unread { detail }) => detail,
        other => panic!("{other:?}"),
    };
    let mut all = layers("files-p256");
    assert!(
        unread(&all, "blake3").starts_with("layer 1 says nothing"),
        "another hash"
    );
    assert!(
        unread(&layers("shards"), "shards").contains("without being read"),
        "parts of files"
    );
    all[2]["mediaType"] = json!("application/vnd.acme.tar");
    assert!(
        unread(&all, "files-p256").starts_with("layer 3 says nothing"),
        "an archive"
    );
    all[2]["mediaType"] = json!("application/vnd.acme.tar+lz4");
    unread(&all, "files-p256");
    unread(&[], "files-p256");
    // What has the configuration of an image can be run, whatever it calls itself; and a list is for data.
    let image = json!({
        "artifactType": "application/x", "config": {"mediaType": "application/vnd.oci.image.config.v1+json"},
        "layers": layers("files-p256"),
    });
    let evidence = [evidence("files-p256")];
    let said = policy().listed(image.to_string().as_bytes(), &evidence);
    assert!(matches!(said, Some(Listed::Unread { .. })), "{said:?}");
    let plain = json!({"layers": layers("files-p256")}).to_string();
    assert!(policy().listed(plain.as_bytes(), &evidence).is_some());
    assert_eq!(trusting(&["p256"], 1).listed(plain.as_bytes(), &evidence), None);
}
