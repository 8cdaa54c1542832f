//! Until when somebody can sign anything new that counts.

use interlock_bundles::trust::{AuthorityRole, Demands, Means, SigningTime, TrustRoot as Root};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::root::time;

/// When nothing new can be signed any more. Displayed as the sentence that says so once it is past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    at: Timestamp,
    what: &'static str,
    way_out: &'static str,
}

/// When that is of one who signs so; none if no end is set.
pub(super) fn of(means: &Means) -> Option<End> {
    let ends = match means {
        Means::Key(keyed) => {
            let key = keyed.window.end.map(|at| End {
                at,
                what: "the key's time",
                way_out: "make a Signer of the next key",
            });
            let said = keyed.demands.as_ref().map(said).unwrap_or_default();
            key.into_iter().chain(said).collect()
        }
        Means::Keyless(keyless) => Vec::from_iter(last(&keyless.root, &[AuthorityRole::CertificateAuthority])),
        Means::Issued(issued) => match &issued.time {
            SigningTime::Said(demands) => {
                let root = issued.authority.end().map(|at| End {
                    at,
                    what: "the last root certificate",
                    way_out: "give the authority's next one beside it",
                });
                root.into_iter().chain(said(demands)).collect()
            }
            // They count for ever.
            SigningTime::Issuance | SigningTime::At(_) => Vec::new(),
        },
    };
    ends.into_iter().min_by_key(|end| end.at)
}

/// When those end whose word is demanded. Where a time alone is, any of those will do who can say one.
fn said(demands: &Demands) -> Vec<End> {
    use AuthorityRole::{TimestampAuthority, TransparencyLog};
    let roles: &[&[AuthorityRole]] = match (demands.logged, demands.timestamped) {
        (true, true) => &[&[TransparencyLog], &[TimestampAuthority]],
        (true, false) => &[&[TransparencyLog]],
        (false, true) => &[&[TimestampAuthority]],
        (false, false) => &[&[TransparencyLog, TimestampAuthority]],
    };
    roles.iter().filter_map(|roles| last(&demands.root, roles)).collect()
}

/// When the word of the last one who has one of these roles ends; none if it does not, or there is none.
pub(super) fn last(root: &Root, roles: &[AuthorityRole]) -> Option<End> {
    let what = match roles {
        [AuthorityRole::CertificateAuthority] => "the word of the last certificate authority",
        [AuthorityRole::TransparencyLog] => "the word of the last transparency log",
        [AuthorityRole::TimestampAuthority] => "the word of the last timestamp authority",
        _ => "the word of the last transparency log and timestamp authority",
    };
    let authorities = root.authorities().iter();
    let ends = authorities.filter(|one| roles.contains(&one.role)).map(|one| one.end);
    // An end that is not set is after all others.
    let at = ends.reduce(|one, other| Some(one?.max(other?))).flatten()?;
    Some(End {
        at,
        what,
        way_out: "give the TrustRoot a newer trusted_root.json",
    })
}

impl End {
    /// Whether it is over.
    pub(super) fn is_past(&self, now: Timestamp) -> bool {
        self.at < now
    }

    /// As a status has it.
    pub(super) fn time(&self) -> Time {
        time(self.at)
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ended at {}, so nothing new can be signed: {}; what was signed before counts",
            self.what,
            self.time().0,
            self.way_out
        )
    }
}

#[cfg(test)]
mod tests {
    use interlock_bundles::trust::{CertificateAuthority, Issued, Keyed, PublicKey, Rule, Window};

    use super::super::root::tests::{at, root};
    use super::*;

    fn key(end: Option<Timestamp>, demands: Option<(bool, bool)>) -> Means {
        let pem = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../bundles/testdata/trust/release.pub"
        ));
        let mut keyed = Keyed::new(PublicKey::from_pem(pem).unwrap());
        keyed.window = Window { start: None, end };
        keyed.demands = demands.map(|(logged, timestamped)| Demands {
            root: root(),
            logged,
            timestamped,
        });
        Means::Key(keyed)
    }

    #[test]
    fn what_ends_first_of_what_is_needed_ends_all() {
        assert_eq!(of(&key(None, None)), None);
        let authority = last(&root(), &[AuthorityRole::TimestampAuthority]).unwrap();
        assert_eq!(of(&key(None, Some((false, true)))), Some(authority));
        let early = at("2026-01-01T00:00:00Z");
        for demands in [(false, false), (true, false), (true, true)] {
            let end = of(&key(Some(early), Some(demands))).unwrap();
            assert_eq!((end.at, end.what), (early, "the key's time"));
            assert!(end.is_past(at("2026-01-01T00:00:01Z")) && !end.is_past(early));
        }
        let late = at("9000-01-01T00:00:00Z");
        assert_eq!(of(&key(Some(late), Some((false, true)))), Some(authority));
    }

    #[test]
    fn an_authority_ends_with_its_last_root_unless_its_signatures_count_for_ever() {
        let authority = |time: SigningTime| {
            let roots = include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../bundles/testdata/keyless/pki_root.pem"
            ));
            let authority = CertificateAuthority::from_pem(roots, "").unwrap();
            let subject = Rule::Exact("a@b".to_owned());
            (
                authority.end(),
                Means::Issued(Issued {
                    authority,
                    subject,
                    time,
                }),
            )
        };
        let (_, for_ever) = authority(SigningTime::Issuance);
        assert_eq!(of(&for_ever), None);
        let (last_root, dated) = authority(SigningTime::Said(Demands {
            root: root(),
            logged: true,
            timestamped: false,
        }));
        let end = of(&dated).unwrap();
        assert_eq!((Some(end.at), end.what), (last_root, "the last root certificate"));
    }

    #[test]
    fn it_is_told_with_a_way_out() {
        let said = of(&key(Some(at("2026-01-01T00:00:00.5Z")), Some((true, false)))).unwrap();
        assert_eq!(
            said.to_string(),
            "the key's time ended at 2026-01-01T00:00:00Z, so nothing new can be signed: make a Signer of the next key; what was signed before counts"
        );
    }
}
