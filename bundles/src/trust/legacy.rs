//! Signatures as cosign wrote them before version 3 (cosign `specs/SIGNATURE_SPEC.md`): made with a key over a text that names
//! a digest. Their log entries and timestamps are not looked into, so they never have what a signer demands of others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;

use super::envelope::{Made, Signed, shown};
use super::format::SignatureFormat;
use super::library::Failure;
use super::policy::{Note, Steps, TrustPolicy};
use super::revoked::{LogEntry, Revoked};
use super::signer::Keyed;
use super::statement::SIGNATURE_PREDICATE;
use super::verification::CheckOutcome::NotNeeded;
use super::verification::{Refusal, RefusalReason as Why};
use super::vouch::Vouch;
use crate::digest::Digest;
use crate::registry::LegacySignature;

/// What cosign writes as the type of such a text: until 2024, and since.
const TYPES: [&str; 2] = ["cosign container image signature", SIGNATURE_PREDICATE];

/// The text that is signed, as far as it decides something.
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// What Rekor gave back: which entry it is, by its own word.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Receipt {
    payload: Entry,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    log_index: u64,
    #[serde(rename = "logID")]
    log_id: String,
}

impl Steps<'_> {
    /// Who signed that a digest is what was meant, in the old form.
    pub(super) fn walk_legacy(
        &mut self,
        bytes: &[u8],
        subject: &Digest,
        predicate_type: &str,
        policy: &TrustPolicy,
    ) -> Result<Vec<Vouch>, Refusal> {
        let read = LegacySignature::read(bytes).and_then(|found| Ok((decode(&found)?, found.receipt)));
        let ((payload, signature), receipt) = self.step("bundle-format", Why::MalformedSignature, read, |_| {
            "simple signing, as cosign wrote it before version 3".to_owned()
        })?;
        let made = Made {
            json: &[],
            signed: Signed::Content(&payload),
            message: &payload,
            signature: &signature,
        };
        let vouching = self.made_by("", &made, &policy.signers, |keyed| {
            keyed.examine_legacy(receipt.is_some())
        })?;
        let vouching = self.accepted(vouching, SignatureFormat::Legacy)?;
        let revoked = receipt.and_then(|receipt| policy.revoked.receipt(&receipt));
        let vouching = self.not_revoked(vouching, made.signed, revoked, policy)?;
        let critical = self.step("statement", Why::MalformedSignature, read_payload(&payload), |_| {
            "simple-signing text".to_owned()
        })?;
        let about = is_about(&critical.image.digest, subject);
        self.step("subject", Why::SubjectMismatch, about, |()| format!("about {subject}"))?;
        let kind = if predicate_type == SIGNATURE_PREDICATE {
            Ok(())
        } else {
            Err(format!("it is a signature, want a {predicate_type}"))
        };
        self.step("predicate-type", Why::WrongPredicateType, kind, |()| {
            predicate_type.to_owned()
        })?;
        Ok(vouching)
    }
}

fn decode(found: &LegacySignature) -> Result<(Vec<u8>, Vec<u8>), String> {
    let decode = |what: &str, text: &str| {
        STANDARD
            .decode(text)
            .map_err(|error| format!("{what} is not base64: {error}"))
    };
    Ok((
        decode("payload", &found.payload)?,
        decode("signature", &found.signature)?,
    ))
}

fn read_payload(payload: &[u8]) -> Result<Critical, String> {
    let Payload { critical } =
        serde_json::from_slice(payload).map_err(|error| format!("not a simple-signing text: {error}"))?;
    if TYPES.contains(&critical.kind.as_str()) {
        Ok(critical)
    } else {
        Err(format!("type {} is not one of {TYPES:?}", shown(&critical.kind)))
    }
}

fn is_about(named: &str, subject: &Digest) -> Result<(), String> {
    if named == subject.to_string() {
        Ok(())
    } else {
        Err(format!("signed for {}, not for {subject}", shown(named)))
    }
}

impl Keyed {
    /// Whether such a signature can have what this key's must have.
    fn examine_legacy(&self, is_logged: bool) -> Result<(Vec<Note>, Option<Timestamp>), Failure> {
        if let Some(check) = self.first_demand() {
            let detail = "what a log or a timestamp authority says of signatures in the old format is not looked into, and this signer must have it: sign with cosign 3";
            let reason = if check == "timestamp" {
                Why::NoTrustedTime
            } else {
                Why::NotLogged
            };
            return Err(Failure::early(check, reason, detail.to_owned()));
        }
        let there = usize::from(is_logged);
        let log = format!("not required for this key; {there} log entries not looked into");
        let timestamp = "not required for this key".to_owned();
        let notes = vec![
            Note::new("transparency-log", NotNeeded, log),
            Note::new("timestamp", NotNeeded, timestamp),
        ];
        Ok((notes, None))
    }
}

impl Revoked {
    /// What is wrong with the log entry of such a signature. It is believed what it says: without it, the signature would
    /// count as well.
    fn receipt(&self, text: &str) -> Option<String> {
        if self.entries.is_empty() {
            return None;
        }
        let entry = serde_json::from_str::<Receipt>(text)
            .ok()
            .map(|receipt| receipt.payload);
        let entry = entry.and_then(|entry| {
            let log = Digest::from_hex(&entry.log_id).ok()?;
            Some(LogEntry {
                log,
                index: entry.log_index,
            })
        });
        match entry {
            None => Some("its log entry cannot be read, and there are revoked ones".to_owned()),
            Some(entry) => self
                .entries
                .contains(&entry)
                .then(|| format!("its log entry {entry} is revoked")),
        }
    }
}
