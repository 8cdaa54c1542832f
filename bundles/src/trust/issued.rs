//! Signatures made with a certificate of an authority of one's own: the chain comes with the signature, and the roots from
//! whoever trusts them.

use jiff::Timestamp;
use sigstore_verify::VerificationPolicy;
use sigstore_verify::types::MediaType;

use super::authority::Leaf;
use super::certified::Attempt;
use super::envelope::{Made, SigstoreBundle};
use super::keyed::signed_at;
use super::library::{self, Failure};
use super::policy::Note;
use super::signer::{Demands, Issued, Signer, SigningTime};
use super::verification::CheckOutcome::{NotNeeded, Passed};
use super::verification::RefusalReason as Why;
use super::vouch::Vouch;

/// What comes of a signature for each signer of an authority of one's own.
pub(super) fn attempts<'a>(
    bundle: &'a SigstoreBundle,
    made: &'a Made<'_>,
    signers: &'a [Signer],
) -> impl Iterator<Item = Attempt> + 'a {
    let issued = signers.iter().filter_map(|signer| Some((signer, signer.issued()?)));
    issued.map(|(signer, issued)| {
        let mut notes = Vec::new();
        let outcome = issued.examine(signer, bundle, made, &mut notes);
        Attempt {
            notes,
            outcome: outcome.map(|vouch| vec![vouch]),
        }
    })
}

impl Issued {
    fn examine(
        &self,
        signer: &Signer,
        bundle: &SigstoreBundle,
        made: &Made<'_>,
        notes: &mut Vec<Note>,
    ) -> Result<Vouch, Failure> {
        let untrusted = |detail: String| Failure::early("certificate", Why::UntrustedCertificate, detail);
        let chain = bundle.chain().map_err(untrusted)?;
        let Some((leaf, others)) = chain.split_first() else {
            return Err(untrusted("there is none".to_owned()));
        };
        let leaf = Leaf::read(leaf).map_err(untrusted)?;
        if !leaf.key.made(made.signature, made.message) {
            let detail = format!(
                "it was not made with the certificate's key: {}",
                leaf.key.likely_cause()
            );
            return Err(Failure::early("signature", Why::BadSignature, detail));
        }
        let with = format!("made with the certificate's key, {}", leaf.key.algorithm());
        notes.push(Note::new("signature", Passed, with));

        let times = self.times(bundle, made, &leaf, notes)?;
        let (mut held, mut above) = (None, Vec::new());
        for time in &times {
            let chain = self.authority.vouches(&leaf, others, *time).map_err(untrusted)?;
            above.extend(chain.between.iter().copied().chain([chain.root]));
            held = Some(chain);
        }
        let held = held.ok_or_else(|| untrusted("nobody says at which time it has to be valid".to_owned()))?;
        let root = format!("its chain holds then, and ends in the root with the key {}", held.root);
        notes.push(Note::new("certificate", Passed, root));

        let fits = leaf.names.iter().find(|name| self.subject.fits(name));
        let Some(subject) = fits else {
            let detail = format!("not {}: it names {:?}, want {}", signer.name, leaf.names, self.subject);
            return Err(Failure::early("identity", Why::UntrustedIdentity, detail));
        };
        let detail = format!("made by {}: {subject}", signer.name);
        notes.push(Note::new("identity", Passed, detail));
        let mut vouch = Vouch::by_key(signer, leaf.key.fingerprint());
        if let SigningTime::Said(_) = self.time {
            vouch.seen_at = times.iter().min().copied();
        }
        vouch.named_by(&held.root.to_string(), &leaf.names);
        vouch.keys.extend(above);
        Ok(vouch)
    }

    /// The times at which the certificate has to be valid, at least one.
    fn times(
        &self,
        bundle: &SigstoreBundle,
        made: &Made<'_>,
        leaf: &Leaf,
        notes: &mut Vec<Note>,
    ) -> Result<Vec<Timestamp>, Failure> {
        let demands = match &self.time {
            SigningTime::Said(demands) => demands,
            SigningTime::At(time) => {
                let detail = format!("not required for this signer: taken as signed at {time}");
                notes.push(Note::new("timestamp", NotNeeded, detail));
                return Ok(vec![*time]);
            }
            SigningTime::Issuance => {
                let issued = leaf.window.start.unwrap_or(Timestamp::UNIX_EPOCH);
                let detail =
                    format!("not required for this signer: taken as signed when the certificate began, {issued}");
                notes.push(Note::new("timestamp", NotNeeded, detail));
                return Ok(vec![issued]);
            }
        };
        let times = demands.times(bundle, made, leaf)?;
        notes.push(Note::new("timestamp", Passed, signed_at(&times)));
        notes.push(if demands.logged {
            Note::new("transparency-log", Passed, "taken by a trusted log".to_owned())
        } else {
            Note::new("transparency-log", NotNeeded, "not required for this signer".to_owned())
        });
        let about = "what log entries there are, are about this signature".to_owned();
        notes.push(Note::new("log-entry", Passed, about));
        Ok(times)
    }
}

impl Demands {
    /// When a signature with a certificate was made, if it has what is demanded. Of the certificate, the library looks at
    /// the key alone.
    fn times(&self, bundle: &SigstoreBundle, made: &Made<'_>, leaf: &Leaf) -> Result<Vec<Timestamp>, Failure> {
        self.are_there(bundle)?;
        let mut seen = library::read(made.json)?;
        if seen
            .signing_certificate()
            .is_none_or(|other| other.as_bytes() != leaf.der())
        {
            let detail = "it can be read in two ways".to_owned();
            return Err(Failure::early("bundle-format", Why::MalformedSignature, detail));
        }
        // Version 0.3 has no place for a chain, and model-signing writes one there; all else that the library asks of the
        // two is the same.
        if seen.media_type == MediaType::Bundle0_3 {
            seen.media_type = MediaType::Bundle0_2;
        }
        let policy = VerificationPolicy::any_identity().skip_certificate_chain();
        let policy = if self.logged { policy } else { policy.skip_tlog_unsafe() };
        let result = library::verify(&self.root, &seen, made, &policy)?;
        Ok(result.verified_timestamps().to_vec())
    }
}
