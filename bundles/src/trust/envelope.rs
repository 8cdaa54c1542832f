//! The Sigstore bundle around a signature, as far as a key-signed one needs reading: what it was made
//! with, the signed payload, the signature (sigstore/protobuf-specs `sigstore_bundle.proto`;
//! secure-systems-lab/dsse `protocol.md` for the envelope).
//!
//! Reading is strict where something is signed or decides, and passes over the rest. A key that
//! appears twice among those read here is an error (serde's derive refuses it).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::format::SignatureFormat;
use crate::digest::Digest;

const MEDIA_TYPE_0_1: &str = "application/vnd.dev.sigstore.bundle+json;version=0.1";
const MEDIA_TYPE_0_2: &str = "application/vnd.dev.sigstore.bundle+json;version=0.2";
const MEDIA_TYPES: [&str; 4] = [
    MEDIA_TYPE_0_1,
    MEDIA_TYPE_0_2,
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
];
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A Sigstore bundle's JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SigstoreBundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Option<Envelope>,
    message_signature: Option<MessageSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: Option<KeyHint>,
    certificate: Option<RawCertificate>,
    x509_certificate_chain: Option<Chain>,
    tlog_entries: Option<Vec<IgnoredAny>>,
    timestamp_verification_data: Option<Timestamps>,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Option<Vec<RawCertificate>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCertificate {
    #[serde(default)]
    raw_bytes: String,
}

#[derive(Deserialize)]
struct KeyHint {
    #[serde(default)]
    hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Timestamps {
    rfc3161_timestamps: Option<Vec<IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

/// A signature over the artifact's own bytes, as `cosign sign-blob` makes it.
#[derive(Deserialize)]
struct MessageSignature {
    signature: String,
}

/// What a bundle says that its signature was made with.
pub(super) enum MadeWith<'a> {
    /// A key.
    Key {
        /// Which one, in the words of its signer.
        hint: &'a str,
    },
    /// The key of a certificate.
    Certificate,
}

impl MadeWith<'_> {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Key { .. } => "signed with a key".to_owned(),
            Self::Certificate => "signed with a certificate".to_owned(),
        }
    }
}

/// What an envelope's signature is about, and the signature. Not checked yet.
pub(super) struct Contents {
    /// The in-toto statement's bytes.
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// What a signature is over.
#[derive(Clone, Copy)]
pub(super) enum Signed<'a> {
    /// A statement; what it is about is for others to look at.
    Statement(&'a [u8]),
    /// The bytes themselves.
    Content(&'a [u8]),
}

/// A signature, in all forms in which it is looked at.
#[derive(Clone, Copy)]
pub(super) struct Made<'a> {
    /// The whole bundle.
    pub(super) json: &'a [u8],
    /// What was signed.
    pub(super) signed: Signed<'a>,
    /// The bytes that the signature is over.
    pub(super) message: &'a [u8],
    /// The signature.
    pub(super) signature: &'a [u8],
}

impl Signed<'_> {
    /// The digest of what was signed, which stays the same however the signature is written.
    pub(super) fn digest(self) -> Digest {
        let (Self::Statement(bytes) | Self::Content(bytes)) = self;
        Digest::of(bytes)
    }
}

impl SigstoreBundle {
    /// Reads the JSON and its version.
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        // The library under serde takes the fields of an object from an array too.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err("not a Sigstore bundle: it is no JSON object".to_owned());
        }
        let bundle: Self = serde_json::from_slice(json).map_err(|error| format!("not a Sigstore bundle: {error}"))?;
        if MEDIA_TYPES.contains(&bundle.media_type.as_str()) {
            bundle.within_caps()
        } else {
            Err(format!(
                "media type {} is not one of versions 0.1 to 0.3",
                shown(&bundle.media_type)
            ))
        }
    }

    /// Not more than one signature has use for.
    fn within_caps(self) -> Result<Self, String> {
        const MOST: usize = 8;
        for (found, what) in [
            (self.log_entries(), "log entries"),
            (self.timestamps(), "timestamps"),
            (self.certificates(), "certificates"),
        ] {
            if found > MOST {
                return Err(format!("it has {found} {what}, at most {MOST} are looked at"));
            }
        }
        Ok(self)
    }

    /// The media type, one of the four supported.
    pub(super) fn media_type(&self) -> &str {
        &self.media_type
    }

    /// The format, by its version.
    pub(super) fn format(&self) -> SignatureFormat {
        match self.media_type.as_str() {
            MEDIA_TYPE_0_1 | MEDIA_TYPE_0_2 => SignatureFormat::OldBundle,
            _ => SignatureFormat::Bundle,
        }
    }

    /// What the signature was made with, by its own words.
    pub(super) fn made_with(&self) -> Result<MadeWith<'_>, String> {
        let material = &self.verification_material;
        let certificates = [
            material.certificate.is_some(),
            material.x509_certificate_chain.is_some(),
        ];
        match (&material.public_key, certificates) {
            (Some(key), [false, false]) => Ok(MadeWith::Key { hint: &key.hint }),
            (None, [true, false] | [false, true]) => Ok(MadeWith::Certificate),
            (None, [false, false]) => Err("it names neither key nor certificate".to_owned()),
            _ => Err("it names more than one of key, certificate and certificate chain".to_owned()),
        }
    }

    /// Payload and signature, decoded.
    pub(super) fn contents(&self) -> Result<Contents, String> {
        let envelope = match (&self.dsse_envelope, &self.message_signature) {
            (Some(envelope), None) => envelope,
            (Some(_), Some(_)) => {
                return Err("it has both a DSSE envelope and a message signature".to_owned());
            }
            (None, _) => {
                return Err("not a DSSE signature: sign with cosign 3, which writes one".to_owned());
            }
        };
        let [signature] = envelope.signatures.as_slice() else {
            return Err(format!(
                "the envelope has {} signatures, want exactly one",
                envelope.signatures.len()
            ));
        };
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(format!(
                "payload type {} is not {PAYLOAD_TYPE}",
                shown(&envelope.payload_type)
            ));
        }
        let decode = |what: &str, text: &str| {
            STANDARD
                .decode(text)
                .map_err(|error| format!("{what} is not base64: {error}"))
        };
        Ok(Contents {
            payload: decode("payload", &envelope.payload)?,
            signature: decode("signature", &signature.sig)?,
        })
    }

    /// The signature over the artifact's own bytes, decoded; none if the bundle holds an envelope.
    pub(super) fn message_signature(&self) -> Result<Option<Vec<u8>>, String> {
        match (&self.dsse_envelope, &self.message_signature) {
            (None, Some(message)) => STANDARD
                .decode(&message.signature)
                .map(Some)
                .map_err(|error| format!("signature is not base64: {error}")),
            _ => Ok(None),
        }
    }

    /// How many transparency log entries come along.
    pub(super) fn log_entries(&self) -> usize {
        self.verification_material.tlog_entries.as_ref().map_or(0, Vec::len)
    }

    /// How many certificates are in the chain, where there is one.
    fn certificates(&self) -> usize {
        let chain = self.verification_material.x509_certificate_chain.as_ref();
        chain.and_then(|chain| chain.certificates.as_ref()).map_or(0, Vec::len)
    }

    /// The certificates in DER, the signer's own first, and those above it where they come along. Not checked.
    pub(super) fn chain(&self) -> Result<Vec<Vec<u8>>, String> {
        let material = &self.verification_material;
        let chain = material.x509_certificate_chain.as_ref();
        let chain = chain
            .and_then(|chain| chain.certificates.as_deref())
            .unwrap_or_default();
        let all = material.certificate.iter().chain(chain);
        let decoded = all.map(|certificate| STANDARD.decode(&certificate.raw_bytes));
        let decoded: Result<Vec<_>, _> = decoded.collect();
        decoded.map_err(|error| format!("certificate is not base64: {error}"))
    }

    /// How many timestamps come along.
    pub(super) fn timestamps(&self) -> usize {
        let timestamps = self.verification_material.timestamp_verification_data.as_ref();
        timestamps
            .and_then(|data| data.rfc3161_timestamps.as_ref())
            .map_or(0, Vec::len)
    }
}

impl Contents {
    /// DSSE's pre-authentication encoding: the bytes that are signed.
    pub(super) fn message(&self) -> Vec<u8> {
        let mut message = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), self.payload.len()).into_bytes();
        message.extend_from_slice(&self.payload);
        message
    }
}

/// A text from outside, fit for a message.
pub(super) fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(120).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_bytes_are_those_of_the_specification() {
        // The example of dsse/protocol.md has another payload type; ours has 28 characters.
        let signed = Contents {
            payload: b"hello world".to_vec(),
            signature: Vec::new(),
        };
        assert_eq!(
            signed.message(),
            b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"
        );
    }
}
