//! How old an attestation may be. Its age counts from the moment that a trusted clock saw its signature.

use std::time::Duration;

use interlock_crds::track::ArtifactSigners;
use jiff::Timestamp;

use crate::dossier::{Attestation, Attestations, Attested, RefusedAttestation, Source};

/// Takes out what is too old at `now`, and what nobody trusted says the age of where that matters. Answers when the next
/// one becomes too old.
pub fn expire(found: &mut [Attestations], signers: &ArtifactSigners, now: Timestamp) -> Option<Timestamp> {
    let mut next = None;
    for attestations in found {
        let mut terms = signers.attestations.iter();
        let terms = terms.find(|one| one.predicate_type == attestations.predicate_type);
        let most = terms.and_then(|terms| terms.max_age).map(Duration::from);
        if let (Some(most), Source::Complete(attested)) = (most, &mut attestations.found) {
            next = expire_one(attested, most, now).into_iter().chain(next).min();
        }
    }
    next
}

fn expire_one(attested: &mut Attested, most: Duration, now: Timestamp) -> Option<Timestamp> {
    let mut next = None::<Timestamp>;
    let judged: Vec<_> = std::mem::take(&mut attested.items)
        .into_iter()
        .map(|one| (ends(&one, most), one))
        .collect();
    for (ends, one) in judged {
        match ends {
            Some(ends) if ends > now => {
                next = Some(next.map_or(ends, |next| next.min(ends)));
                attested.items.push(one);
            }
            Some(_) => refuse(attested, one, "TooOld"),
            None => refuse(attested, one, "NoTrustedTime"),
        }
    }
    next
}

/// When it becomes too old, if its age is known.
fn ends(one: &Attestation, most: Duration) -> Option<Timestamp> {
    one.signed_at?.checked_add(most).ok()
}

/// Those by signers who count come first: they say more than what anybody may have put there.
fn refuse(attested: &mut Attested, one: Attestation, reason: &str) {
    let refused = RefusedAttestation {
        evidence: one.evidence,
        reason: reason.to_owned(),
    };
    attested.refused.insert(0, refused);
    attested.refused.truncate(Attested::MOST_REFUSED);
}

#[cfg(test)]
mod tests {
    use interlock_crds::track::AttestationSigners;
    use serde_json::Value;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn attestation(evidence: &str, signed_at: Option<Timestamp>) -> Attestation {
        Attestation {
            evidence: evidence.to_owned(),
            signers: vec!["lab".to_owned()],
            signed_at,
            predicate: Value::Null,
        }
    }

    #[test]
    fn what_is_too_old_or_of_no_known_age_does_not_count() {
        let now: Timestamp = "2026-01-02T12:00:00Z".parse().unwrap();
        let ago = |age: Duration| Some(now - age);
        let all = [
            attestation("fresh", ago(HOUR)),
            attestation("older", ago(HOUR * 23)),
            attestation("old", ago(HOUR * 24)),
            attestation("ageless", None),
        ];
        let found = |kind: &str| Attestations {
            predicate_type: kind.to_owned(),
            found: Source::Complete(Attested {
                items: all.to_vec(),
                refused: Vec::new(),
            }),
        };
        let terms = |kind: &str, max_age: Option<Duration>| AttestationSigners {
            predicate_type: kind.to_owned(),
            signers: vec!["lab".to_owned()],
            max_age: max_age.map(Into::into),
        };
        let signers = ArtifactSigners {
            attestations: vec![terms("short", Some(HOUR * 24)), terms("any", None)],
            ..ArtifactSigners::default()
        };
        let mut both = [found("short"), found("any")];
        assert_eq!(expire(&mut both, &signers, now), Some(now + HOUR));
        let [Source::Complete(short), Source::Complete(any)] = both.map(|one| one.found) else {
            panic!("both are known")
        };
        let names: Vec<_> = short.items.iter().map(|one| one.evidence.as_str()).collect();
        assert_eq!(names, ["fresh", "older"]);
        let refused: Vec<_> = short.refused.iter().map(|one| (&*one.evidence, &*one.reason)).collect();
        assert_eq!(refused, [("ageless", "NoTrustedTime"), ("old", "TooOld")]);
        assert_eq!((any.items.len(), any.refused.len()), (4, 0));
    }
}
