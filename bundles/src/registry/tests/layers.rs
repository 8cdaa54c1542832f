//! Layers that are read as they come: what arrives counts only if it is the layer, and no answer is waited for without end.

use super::*;
use crate::model::artifact::LayerKind;
use crate::model::{Algorithm, FileName, Method};

const CONTENT: &[u8] = b"the weights of a model";

fn file(bytes: &[u8], size: usize) -> Layer {
    Layer {
        digest: Digest::of(bytes),
        size: size as u64,
        kind: LayerKind::File(FileName::parse("model.bin").unwrap()),
    }
}

fn reading() -> Reading {
    Reading {
        algorithm: Algorithm::Blake3,
        method: Method::Files,
        folder: None,
        keep: None,
    }
}

async fn look(reply: Reply, layer: &Layer) -> Result<Contents, String> {
    let liar = Liar::start(move |_| reply.clone()).await;
    let mut settings = settings(&liar);
    settings.timeout = Duration::from_millis(500);
    let registry = Registry::new(settings).unwrap();
    let (repository, reading) = (repository(&liar), reading());
    let found = registry.look_into(&repository, layer, &reading, &Credentials::Anonymous);
    match found.await {
        Ok(found) => found.map_err(|error| error.reason().to_owned()),
        Err(error) => Err(error.reason().to_owned()),
    }
}

#[tokio::test]
async fn only_the_layers_own_bytes_are_told_of() {
    let found = look(Reply::ok(CONTENT), &file(CONTENT, CONTENT.len())).await.unwrap();
    assert_eq!((found.files.len(), found.files[0].size), (1, CONTENT.len() as u64));
    let layer = file(CONTENT, CONTENT.len());
    let mut other = CONTENT.to_vec();
    other[0] ^= 1;
    for (reply, reason) in [
        (Reply::ok(other), "DigestMismatch"),
        (Reply::ok(&CONTENT[1..]), "MalformedAnswer"),
        (Reply::ok([CONTENT, b"!"].concat()), "LimitExceeded"),
        (Reply::Claim(1 << 40, CONTENT.to_vec()), "LimitExceeded"),
        (
            Reply::Claim(CONTENT.len() as u64, b"the weights".to_vec()),
            "RegistryUnavailable",
        ),
        (Reply::Endless, "LimitExceeded"),
        (Reply::Hang, "RegistryTimeout"),
        (Reply::status(404), "MalformedAnswer"),
        (Reply::status(401), "Unauthorized"),
        (Reply::status(206), "MalformedAnswer"),
        (
            Reply::status(307).with("Location", "ftp://elsewhere.example/x"),
            "RedirectRefused",
        ),
    ] {
        assert_eq!(look(reply, &layer).await.unwrap_err(), reason);
    }
    // The size is the manifest's word as well.
    for size in [CONTENT.len() + 1, CONTENT.len() * 2] {
        assert_eq!(
            look(Reply::ok(CONTENT), &file(CONTENT, size)).await.unwrap_err(),
            "MalformedAnswer"
        );
    }
}

/// Bytes that come, but too slowly: the layer is given up, however large its manifest says it is.
#[tokio::test]
async fn a_layer_that_trickles_is_given_up() {
    for size in [1_000, 1 << 60] {
        let layer = file(b"", size);
        assert_eq!(look(Reply::Trickle, &layer).await.unwrap_err(), "RegistryTimeout");
    }
}

/// What is wrong with an archive is the layer's fault only if it is the layer.
#[tokio::test]
async fn a_broken_archive_is_told_of_its_own_bytes_only() {
    let archive = Layer {
        kind: LayerKind::Archive(crate::model::artifact::Packing::Plain),
        ..file(CONTENT, CONTENT.len())
    };
    assert_eq!(look(Reply::ok(CONTENT), &archive).await.unwrap_err(), "NotTar");
    let other = Layer {
        digest: Digest::of(b"another archive"),
        ..archive
    };
    assert_eq!(look(Reply::ok(CONTENT), &other).await.unwrap_err(), "DigestMismatch");
}
