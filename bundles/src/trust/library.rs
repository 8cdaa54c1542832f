//! What `sigstore-verify` says of a signature: the chain at every authenticated time, the promise of the certificate log,
//! timestamps, log entries, and that these are about this very signature. Each of its errors is one of our checks here.

use sigstore_verify::bundle::Error as Shape;
use sigstore_verify::crypto::{sha256, sha384, sha512};
use sigstore_verify::types::bundle::MessageSignature;
use sigstore_verify::types::{Artifact, Bundle, HashAlgorithm, Sha256Hash, SignatureContent};
use sigstore_verify::{
    CertificateError as Certificate, Error, Policy, TransparencyLogError as Log, VerificationResult,
};

use super::envelope::{Made, Signed};
use super::root::TrustRoot;
use super::statement::Statement;
use super::verification::RefusalReason as Why;

/// What the library checks of a certificate's signature, in the order in which it does.
pub(super) const CHECKS: [&str; 6] = [
    "timestamp",
    "certificate",
    "certificate-log",
    "transparency-log",
    "signature",
    "log-entry",
];

/// A check that failed.
pub(super) struct Failure {
    pub(super) check: &'static str,
    pub(super) reason: Why,
    pub(super) detail: String,
    /// How many of [`CHECKS`] are known to hold.
    held: usize,
}

impl Failure {
    /// Nothing is known of other checks.
    pub(super) fn early(check: &'static str, reason: Why, detail: String) -> Self {
        Self {
            check,
            reason,
            detail,
            held: 0,
        }
    }

    /// All checks before it in their order hold; all, if it is none of them.
    pub(super) fn after_all(check: &'static str, reason: Why, detail: String) -> Self {
        let held = CHECKS.iter().take_while(|other| **other != check).count();
        Self {
            held,
            ..Self::early(check, reason, detail)
        }
    }

    /// The checks that hold.
    pub(super) fn held(&self) -> impl ExactSizeIterator<Item = &'static str> + use<> {
        CHECKS.into_iter().take(self.held)
    }
}

/// Whether the signature holds under one of the library's policies.
pub(super) fn verify(
    root: &TrustRoot,
    bundle: &Bundle,
    made: &Made<'_>,
    policy: &dyn Policy,
) -> Result<VerificationResult, Failure> {
    let artifact = artifact(bundle, made.signed)?;
    let verdict = root.verifier().verify(artifact, bundle, policy);
    verdict.map_err(|error| failure(&error))
}

fn malformed(problem: String) -> Failure {
    Failure::early("bundle-format", Why::MalformedSignature, problem)
}

/// Reads a bundle as the library does. There are two readers of one JSON: [`artifact`] compares what they find signed.
pub(super) fn read(json: &[u8]) -> Result<Bundle, Failure> {
    let text = std::str::from_utf8(json).map_err(|error| malformed(error.to_string()))?;
    let bundle = Bundle::from_json(text).map_err(|error| malformed(error.to_string()))?;
    let material = &bundle.verification_material;
    if material.tlog_entries.is_empty() && material.timestamp_verification_data.rfc3161_timestamps.is_empty() {
        let detail = "it has neither a log entry nor a timestamp, so nobody says when it was made";
        return Err(Failure::early("timestamp", Why::NoTrustedTime, detail.to_owned()));
    }
    Ok(bundle)
}

/// What the library is to find signed, which has to be what is used afterwards.
fn artifact<'a>(bundle: &Bundle, signed: Signed<'a>) -> Result<Artifact<'a>, Failure> {
    match (signed, &bundle.content) {
        (Signed::Content(content), SignatureContent::MessageSignature(message)) => {
            if names_another(message, content) {
                let detail = "it was made over other bytes, by the digest that it names";
                return Err(Failure::early("signature", Why::BadSignature, detail.to_owned()));
            }
            Ok(Artifact::from_blob(content))
        }
        // The library wants to be told what a statement is about. Whether that is what was asked for is looked at when
        // it is known who signed: what strangers sign for other things says nothing.
        (Signed::Statement(payload), SignatureContent::DsseEnvelope(envelope))
            if envelope.payload.as_bytes() == payload =>
        {
            let statement = Statement::read(payload).map_err(malformed)?;
            let subject = statement.subject().map_err(malformed)?;
            Ok(Artifact::from_digest(Sha256Hash::new(*subject.as_bytes())))
        }
        _ => Err(malformed("it can be read in two ways".to_owned())),
    }
}

/// Whether the digest beside a signature, which is not signed, is that of other bytes.
fn names_another(message: &MessageSignature, content: &[u8]) -> bool {
    message.message_digest.as_ref().is_some_and(|named| {
        let found = match named.algorithm {
            HashAlgorithm::Sha2256 => sha256(content).as_bytes().to_vec(),
            HashAlgorithm::Sha2384 => sha384(content).as_bytes().to_vec(),
            HashAlgorithm::Sha2512 => sha512(content).as_bytes().to_vec(),
            _ => return true,
        };
        named.digest.as_bytes() != found
    })
}

/// Which check an error of the library is about. It looks at times first, promises of a log among them, then at the rest
/// in the order of [`CHECKS`].
fn failure(error: &Error) -> Failure {
    let detail = error.to_string();
    match error {
        Error::Timestamp(_) | Error::TransparencyLog(Log::IntegratedTime(_)) => {
            Failure::early("timestamp", Why::NoTrustedTime, detail)
        }
        Error::Certificate(Certificate::Malformed(_)) => {
            Failure::early("certificate", Why::UntrustedCertificate, detail)
        }
        Error::Certificate(Certificate::Sct(_)) => {
            Failure::after_all("certificate-log", Why::UntrustedCertificate, detail)
        }
        Error::Certificate(_) => Failure::after_all("certificate", Why::UntrustedCertificate, detail),
        Error::TransparencyLog(Log::InclusionProof(_) | Log::Checkpoint(_)) => {
            Failure::after_all("transparency-log", Why::NotLogged, detail)
        }
        Error::SignatureInvalid(_) => Failure::after_all("signature", Why::BadSignature, detail),
        // The artifact is the one that the bundle names, so that only an entry can name another. Entries of a kind that
        // the library does not know are all that it does not support here.
        Error::TransparencyLog(Log::EntryMismatch(_)) | Error::ArtifactMismatch(_) | Error::UnsupportedBundle(_) => {
            Failure::after_all("log-entry", Why::NotLogged, detail)
        }
        Error::TransparencyLog(Log::MalformedEntry(_)) => Failure::early("log-entry", Why::NotLogged, detail),
        Error::TransparencyLog(_)
        | Error::Bundle(Shape::MissingInclusionProof(_) | Shape::MissingInclusionPromise(_)) => {
            Failure::early("transparency-log", Why::NotLogged, detail)
        }
        _ => malformed(detail),
    }
}
