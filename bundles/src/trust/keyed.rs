//! Signatures made with a key: whose key it is, and whether the signature has what its signer must have besides: an entry
//! in a transparency log, a timestamp, a time at which the key counts.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sigstore_verify::crypto::KeyAlgorithm;
use sigstore_verify::types::DerPublicKey;
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationResult};

use super::envelope::{Made, SigstoreBundle};
use super::library::{self, Failure};
use super::policy::{Note, Steps};
use super::signer::{Demands, Keyed, Signer};
use super::verification::CheckOutcome::{NotNeeded, Passed};
use super::verification::{Refusal, RefusalReason as Why};
use super::vouch::Vouch;

impl Steps<'_> {
    /// Finds the signers whose key made a signature, if it has what they ask for, which `examine` looks for:
    /// what was looked at, and when a trusted clock saw it.
    pub(super) fn made_by(
        &mut self,
        hint: &str,
        made: &Made<'_>,
        signers: &[Signer],
        examine: impl Fn(&Keyed) -> Result<(Vec<Note>, Option<Timestamp>), Failure>,
    ) -> Result<Vec<Vouch>, Refusal> {
        let (why, found) = match holders(hint, made, signers) {
            Ok(found) => (Why::BadSignature, Ok(found)),
            Err((why, detail)) => (why, Err(detail)),
        };
        let holders = self.step("signature", why, found, |holders| made_by(holders))?;
        let (mut vouching, mut failed, mut notes) = (Vec::new(), None, None);
        for (signer, keyed) in holders {
            match examine(keyed) {
                Ok((found, seen_at)) => {
                    notes.get_or_insert(found);
                    let mut vouch = Vouch::by_key(signer, keyed.key.fingerprint());
                    vouch.seen_at = seen_at;
                    vouching.push(vouch);
                }
                Err(failure) => drop(failed.get_or_insert(failure)),
            }
        }
        match (notes, failed) {
            (None, Some(failure)) => self.fail(failure.check, failure.reason, failure.detail),
            (notes, _) => {
                notes.into_iter().flatten().for_each(|note| self.note_down(note));
                Ok(vouching)
            }
        }
    }
}

impl Keyed {
    /// Whether a signature of this key has what it must have besides; what was looked at, how it went, and when a trusted
    /// clock saw it.
    pub(super) fn examine(
        &self,
        bundle: &SigstoreBundle,
        made: &Made<'_>,
    ) -> Result<(Vec<Note>, Option<Timestamp>), Failure> {
        let (entries, timestamps) = (bundle.log_entries(), bundle.timestamps());
        let passed_over = |check, there: usize, what: &str| {
            let detail = format!("not required for this key; {there} {what} not looked into");
            Note::new(check, NotNeeded, detail)
        };
        if self.first_demand().is_none() {
            let notes = vec![
                passed_over("transparency-log", entries, "log entries"),
                passed_over("timestamp", timestamps, "timestamps"),
            ];
            return Ok((notes, None));
        }
        let Some(demands) = &self.demands else {
            let detail = format!(
                "its key counts {} only, and no trust root is given whose authorities could say when it signed",
                self.window
            );
            return Err(Failure::early("timestamp", Why::NoTrustedTime, detail));
        };
        demands.are_there(bundle)?;
        // A log's time is another way to know the time, where no timestamp says it.
        let bounded = self.window.is_bounded();
        let asks_log = demands.logged || (bounded && timestamps == 0);
        let result = self.verify(demands, made, asks_log)?;
        let times = result.verified_timestamps();
        if (bounded || demands.timestamped) && times.is_empty() {
            let detail = "its log entries, of Rekor v2, give no time, and it has no timestamp".to_owned();
            return Err(Failure::early("timestamp", Why::NoTrustedTime, detail));
        }
        let log = if asks_log {
            Note::new("transparency-log", Passed, "taken by a trusted log".to_owned())
        } else {
            Note::new("transparency-log", NotNeeded, "not required for this key".to_owned())
        };
        let timestamp = if times.is_empty() {
            Note::new("timestamp", NotNeeded, "not required for this key".to_owned())
        } else {
            Note::new("timestamp", Passed, signed_at(times))
        };
        let about = "what log entries there are, are about this signature".to_owned();
        let mut notes = vec![log, timestamp, Note::new("log-entry", Passed, about)];
        notes.extend(self.in_its_time(times)?);
        Ok((notes, times.iter().min().copied()))
    }

    /// The first check that others have a say in; none, if nobody has.
    pub(super) fn first_demand(&self) -> Option<&'static str> {
        let demands = |what: fn(&Demands) -> bool| self.demands.as_ref().is_some_and(what);
        if demands(|demands| demands.logged) {
            Some("transparency-log")
        } else if demands(|demands| demands.timestamped) || self.window.is_bounded() {
            Some("timestamp")
        } else {
            None
        }
    }

    fn verify(&self, demands: &Demands, made: &Made<'_>, asks_log: bool) -> Result<VerificationResult, Failure> {
        let bundle = library::read(made.json)?;
        let key = DerPublicKey::new(self.key.spki().to_vec());
        if KeyAlgorithm::from_spki(&key).is_err() {
            let detail = format!(
                "log entries and timestamps of {} cannot be checked",
                self.key.algorithm()
            );
            return Err(if demands.logged {
                Failure::early("transparency-log", Why::NotLogged, detail)
            } else {
                Failure::early("timestamp", Why::NoTrustedTime, detail)
            });
        }
        let policy = PublicKeyVerificationPolicy::new(key);
        let policy = if asks_log { policy } else { policy.skip_tlog_unsafe() };
        library::verify(&demands.root, &bundle, made, &policy)
    }

    /// Whether the key counted at each of these times. With nothing to say where it always does.
    fn in_its_time(&self, times: &[Timestamp]) -> Result<Option<Note>, Failure> {
        if !self.window.is_bounded() {
            return Ok(None);
        }
        match times.iter().find(|time| !self.window.holds(**time)) {
            Some(time) => {
                let detail = format!("signed at {time}, and its key counts {} only", self.window);
                Err(Failure::early("key-validity", Why::KeyNotValid, detail))
            }
            None => Ok(Some(Note::new(
                "key-validity",
                Passed,
                format!("the key counts {}", self.window),
            ))),
        }
    }
}

impl Demands {
    /// Whether what is demanded is there at all; whether it is any good is for the library to tell.
    pub(super) fn are_there(&self, bundle: &SigstoreBundle) -> Result<(), Failure> {
        let missing = |check, reason, what: &str| {
            let detail = format!("it has no {what}, and this signer must have one");
            Err(Failure::early(check, reason, detail))
        };
        match (bundle.log_entries(), bundle.timestamps()) {
            (0, _) if self.logged => missing("transparency-log", Why::NotLogged, "log entry"),
            (_, 0) if self.timestamped => missing("timestamp", Why::NoTrustedTime, "timestamp"),
            _ => Ok(()),
        }
    }
}

/// In words, for the check of that name.
pub(super) fn signed_at(times: &[Timestamp]) -> String {
    let times: Vec<String> = times.iter().map(ToString::to_string).collect();
    format!("signed at {}", times.join(" and "))
}

fn made_by(holders: &[(&Signer, &Keyed)]) -> String {
    let names: BTreeSet<&str> = holders.iter().map(|(signer, _)| signer.name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let algorithm = holders.first().map_or("", |(_, keyed)| keyed.key.algorithm());
    format!("made by {} with {algorithm}", names.join(", "))
}

/// All signers with the key that made a signature, at least one. The hinted key is tried first.
fn holders<'s>(
    hint: &str,
    made: &Made<'_>,
    signers: &'s [Signer],
) -> Result<Vec<(&'s Signer, &'s Keyed)>, (Why, String)> {
    let keys: Vec<(&Signer, &Keyed)> = signers
        .iter()
        .filter_map(|signer| Some((signer, signer.keyed()?)))
        .collect();
    let hinted = |(_, keyed): &&(&Signer, &Keyed)| keyed.key.is_hinted_by(hint);
    let others = keys.iter().filter(|signer| !hinted(signer));
    let mut tried = BTreeSet::new();
    let maker = keys
        .iter()
        .filter(hinted)
        .chain(others)
        .map(|(_, keyed)| &keyed.key)
        .filter(|key| tried.insert(key.fingerprint()))
        .find(|key| key.made(made.signature, made.message));
    if let Some(maker) = maker {
        let same_key = keys.iter().filter(|(_, keyed)| keyed.key == *maker);
        return Ok(same_key.copied().collect());
    }
    let all: BTreeSet<&str> = keys.iter().map(|(signer, _)| signer.name.as_str()).collect();
    let all: Vec<&str> = all.into_iter().collect();
    Err(match keys.iter().find(hinted) {
        Some((signer, keyed)) => (
            Why::BadSignature,
            format!(
                "it names the key of {}, which did not make it: {}",
                signer.name,
                keyed.key.likely_cause()
            ),
        ),
        None if all.is_empty() => (
            Why::UntrustedKey,
            "made with a key, and no trusted signer signs with one".to_owned(),
        ),
        None => (
            Why::UntrustedKey,
            format!("made by none of the trusted keys ({})", all.join(", ")),
        ),
    })
}
