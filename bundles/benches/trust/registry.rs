//! Models in a registry: one of 100 GB whose layers are files, of which nothing is downloaded, and a layer of 20 GB that is an
//! archive, which is read as it comes.

use std::collections::HashMap;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use interlock_bundles::digest::Digest;
use interlock_bundles::model::artifact::{Artifact, ArtifactFiles, Layer, LayerKind, Packing, Reading};
use interlock_bundles::model::{Algorithm, Allowed, Method};
use interlock_bundles::reference::{Repository, Wanted};
use interlock_bundles::registry::{Credentials, Evidence, Registry, RegistrySettings};
use interlock_bundles::trust::{PublicKey, Signer, TrustPolicy};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::figures::Figures;
use crate::folder::as_f64;
use crate::server::{Body, Server};
use crate::signatures::evidence;
use crate::timing::median;

/// The argument of the process whose memory is measured.
pub(crate) const READER: &str = "read-a-layer";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PART_BYTES: u64 = 4_000_000_000;
const PARTS: u64 = 25;
const ARCHIVED: u64 = 20_000_000_000;
/// The acceptance limit of the design.
const MEMORY_LIMIT: f64 = 64.0 * 1024.0 * 1024.0;

pub(crate) fn measure(figures: &mut Figures) {
    declared(figures);
    archived(figures);
}

/// From the tag to the comparison, as `interlock verify model` goes.
fn declared(figures: &mut Figures) {
    let publisher = Publisher::new();
    let files: Vec<(String, String)> = (0..PARTS)
        .map(|number| {
            (
                format!("model-{number:05}-of-{PARTS:05}.safetensors"),
                Digest::of(&number.to_le_bytes()).hex(),
            )
        })
        .collect();
    let server = Server::start(published(&files, &publisher.sign(&files)));
    let repository: Repository = format!("{}/models/large", server.host).parse().unwrap();
    let (registry, trust) = (client(&server.host), publisher.trust());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let verify = async || {
        let nobody = Credentials::Anonymous;
        let pinned = registry
            .resolve(&repository, &Wanted::Tag("1".to_owned()), &nobody)
            .await
            .unwrap();
        let lists = registry.signatures(&pinned, &nobody).await.unwrap();
        let artifact = Artifact::read(&registry.manifest(&pinned, &nobody).await.unwrap()).unwrap();
        let verified = trust.verify_model(lists.first().unwrap()).manifest.unwrap();
        let reading = Reading::of(verified.get().serialization(), None, None);
        let contents: Option<Vec<_>> = artifact.layers.iter().map(|layer| layer.unread(&reading)).collect();
        let allowed = Allowed::default();
        let files = ArtifactFiles::of(contents.unwrap(), None).unwrap();
        let comparison = verified.get().compare(files.seen(verified.get(), &allowed), &allowed);
        assert!(comparison.is_same() && comparison.bytes == PARTS * PART_BYTES);
    };
    server.sent();
    runtime.block_on(verify());
    let read = server.sent();
    let measure = "a model of 100 GB in a registry, each file a layer";
    let time = median(|| runtime.block_on(verify()));
    figures.time(measure, "verified", "1 s", (time, Duration::from_secs(1)));
    figures.add(
        measure,
        "bytes read, signature and manifests",
        as_f64(read),
        "B",
        "the model's",
        as_f64(read) / as_f64(PARTS * PART_BYTES),
    );
}

/// What a registry has of a ModelPack artifact with an attached list.
fn published(files: &[(String, String)], list: &Evidence) -> HashMap<String, Body> {
    let layer = |(name, hex): &(String, String)| {
        json!({
            "mediaType": "application/vnd.cncf.model.weight.v1.raw", "digest": format!("sha256:{hex}"),
            "size": PART_BYTES, "annotations": {"org.cncf.model.filepath": name},
        })
    };
    let config = json!({
        "mediaType": "application/vnd.cncf.model.config.v1+json", "digest": Digest::of(b"{}"), "size": 2,
    });
    let layers: Vec<_> = files.iter().map(layer).collect();
    let model = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    let model = model.to_string().into_bytes();
    let blob = json!({"mediaType": BUNDLE, "digest": list.digest, "size": list.bytes.len()});
    let carrier = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE, "config": config, "layers": [blob],
    });
    let carrier = carrier.to_string().into_bytes();
    let listed = json!({
        "mediaType": MANIFEST, "digest": Digest::of(&carrier), "size": carrier.len(), "artifactType": BUNDLE,
    });
    let listing = json!({"schemaVersion": 2, "manifests": [listed]})
        .to_string()
        .into_bytes();
    let (of_model, of_carrier) = (Digest::of(&model), Digest::of(&carrier));
    let at = |below: String| format!("/v2/models/large/{below}");
    HashMap::from([
        (at("manifests/1".to_owned()), Body::Bytes(model.clone())),
        (at(format!("manifests/{of_model}")), Body::Bytes(model)),
        (at(format!("referrers/{of_model}")), Body::Bytes(listing)),
        (at(format!("manifests/{of_carrier}")), Body::Bytes(carrier)),
        (at(format!("blobs/{}", list.digest)), Body::Bytes(list.bytes.clone())),
    ])
}

fn archived(figures: &mut Figures) {
    let body = Body::Zeros {
        before: header(ARCHIVED),
        zeros: ARCHIVED.next_multiple_of(512),
        after: 1024,
    };
    let mut hasher = Hashing(sha2::Sha256::new());
    body.write(&mut hasher).unwrap();
    let digest = format!("sha256:{}", hex(&hasher.0.finalize()));
    let size = body.length();
    let server = Server::start(HashMap::from([(format!("/v2/models/large/blobs/{digest}"), body)]));
    let reader = Command::new(std::env::current_exe().unwrap())
        .args([READER, &server.host, &digest, &size.to_string()])
        .output()
        .unwrap();
    assert!(reader.status.success(), "{}", String::from_utf8_lossy(&reader.stderr));
    let peak: u64 = String::from_utf8(reader.stdout).unwrap().trim().parse().unwrap();
    let peak = as_f64(peak * 1024);
    figures.add(
        "reading a tar layer of 20 GB",
        "peak memory of the process (VmHWM)",
        peak,
        "B",
        "64 MiB",
        peak / MEMORY_LIMIT,
    );
}

/// Reads a layer as the command line does, and prints how much memory this process ever had, in kB.
#[expect(clippy::print_stdout, reason = "for the process that asked")]
pub(crate) fn read_and_tell(host: &str, digest: &str, size: u64) {
    let repository: Repository = format!("{host}/models/large").parse().unwrap();
    let layer = Layer {
        digest: digest.parse().unwrap(),
        size,
        kind: LayerKind::Archive(Packing::Plain),
    };
    let reading = Reading {
        algorithm: Algorithm::Sha256,
        method: Method::Files,
        folder: None,
        keep: None,
    };
    let registry = client(host);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let nobody = Credentials::Anonymous;
    let found = runtime.block_on(registry.look_into(&repository, &layer, &reading, &nobody));
    let files = found.unwrap().unwrap().files;
    assert_eq!(files.first().map(|file| file.size), Some(ARCHIVED));
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("{}", line.split_whitespace().next().unwrap());
}

fn client(host: &str) -> Registry {
    Registry::new(RegistrySettings {
        allowed: vec![host.to_owned()],
        plain_http: vec![host.to_owned()],
        ..RegistrySettings::default()
    })
    .unwrap()
}

/// A tar header of one large file, with the size in an extension as Go and Python write it.
fn header(size: u64) -> Vec<u8> {
    let record = format!("20 size={size}\n");
    assert_eq!(record.len(), 20);
    let block = |kind, name: &str, size: u64| {
        let mut header = tar::Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let mut bytes = block(tar::EntryType::XHeader, "pax", record.len() as u64);
    bytes.extend_from_slice(record.as_bytes());
    bytes.resize(1024, 0);
    bytes.extend(block(tar::EntryType::Regular, "model.safetensors", 0));
    bytes
}

struct Hashing(sha2::Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// Who signs lists of files that nobody has.
pub(crate) struct Publisher(SigningKey);

impl Publisher {
    pub(crate) fn new() -> Self {
        Self(SigningKey::from_slice(&[7; 32]).unwrap())
    }

    /// Trusts this publisher.
    pub(crate) fn trust(&self) -> TrustPolicy {
        // SubjectPublicKeyInfo of a P-256 key (RFC 5480): all but the point is the same for every key.
        const PREFIX: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
        let mut der: Vec<u8> = (0..PREFIX.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&PREFIX[at..at + 2], 16).unwrap())
            .collect();
        der.extend_from_slice(self.0.verifying_key().to_sec1_point(false).as_bytes());
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(der)
        );
        TrustPolicy::new(
            vec![Signer::with_key(
                "publisher".to_owned(),
                PublicKey::from_pem(&pem).unwrap(),
            )],
            1,
        )
    }

    /// The list of these files, by name and hexadecimal SHA-256, signed as `model-signing` signs it.
    pub(crate) fn sign(&self, files: &[(String, String)]) -> Evidence {
        let resource = |(name, hex): &(String, String)| json!({"name": name, "algorithm": "sha256", "digest": hex});
        let resources: Vec<Value> = files.iter().map(resource).collect();
        let digests: Vec<u8> = files
            .iter()
            .flat_map(|(_, hex)| *Digest::from_hex(hex).unwrap().as_bytes())
            .collect();
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "model", "digest": {"sha256": Digest::of(&digests).hex()}}],
            "predicateType": "https://model_signing/signature/v1.0",
            "predicate": {
                "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false},
                "resources": resources,
            },
        });
        let payload = statement.to_string();
        let kind = "application/vnd.in-toto+json";
        let message = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
        let signature: Signature = self.0.sign(message.as_bytes());
        let bundle = json!({
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": ""}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": STANDARD.encode(&payload), "payloadType": kind,
                "signatures": [{"sig": STANDARD.encode(signature.to_der().as_bytes())}],
            },
        });
        evidence(bundle.to_string().into_bytes())
    }
}
