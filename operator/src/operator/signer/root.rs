//! What a TrustRoot's status says.

use interlock_bundles::trust::{AuthorityRole, TrustRoot as Root};
use interlock_crds::condition::Status;
use interlock_crds::trust_root::{Authority, Role};
use interlock_crds::{TrustRoot, TrustRootStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::end::{End, last};
use crate::conditions::{self, Standing, shorten};
use crate::judge::chain;
use crate::operator::registry::roots::RootProblem;

/// Authorities that are listed.
const LISTED: usize = 64;

/// Longest name of one, in characters.
const NAME: usize = 256;

/// The status to have. Pure.
pub(super) fn status(object: &TrustRoot, read: &Result<Root, RootProblem>, now: Timestamp) -> TrustRootStatus {
    let (standing, ready, reason, message) = match read {
        Err(problem) => {
            let standing = Standing::despite(problem.is_transient());
            (standing, Status::False, problem.reason(), chain(problem))
        }
        Ok(root) => match end(root).filter(|end| end.is_past(now)) {
            Some(end) => (Standing::Stalled, Status::False, "Expired", end.to_string()),
            None => (Standing::Ready, Status::True, "RootAccepted", counted(root)),
        },
    };
    let statements = conditions::ready(standing, ready, reason, &message);
    let old = object.status.as_ref().map(|status| status.conditions.as_slice());
    let root = read.as_ref().ok();
    TrustRootStatus {
        observed_generation: object.metadata.generation,
        expires: root.and_then(end).map(|end| end.time()),
        authorities: root.map(authorities).unwrap_or_default(),
        conditions: conditions::merge(old.unwrap_or_default(), &statements, object.metadata.generation, now),
    }
}

/// Until when certificates can be issued under it.
fn end(root: &Root) -> Option<End> {
    last(root, &[AuthorityRole::CertificateAuthority])
}

/// `1 certificate authority, 2 transparency logs`.
fn counted(root: &Root) -> String {
    let roles = [
        (
            AuthorityRole::CertificateAuthority,
            "certificate authority",
            "certificate authorities",
        ),
        (AuthorityRole::CertificateLog, "certificate log", "certificate logs"),
        (AuthorityRole::TransparencyLog, "transparency log", "transparency logs"),
        (
            AuthorityRole::TimestampAuthority,
            "timestamp authority",
            "timestamp authorities",
        ),
    ];
    let count = |role| root.authorities().iter().filter(|one| one.role == role).count();
    let counts = roles.map(|(role, one, more)| match count(role) {
        1 => format!("1 {one}"),
        count => format!("{count} {more}"),
    });
    counts.join(", ")
}

fn authorities(root: &Root) -> Vec<Authority> {
    let listed = root.authorities().iter().take(LISTED);
    listed
        .map(|authority| Authority {
            role: match authority.role {
                AuthorityRole::CertificateAuthority => Role::CertificateAuthority,
                AuthorityRole::CertificateLog => Role::CertificateLog,
                AuthorityRole::TransparencyLog => Role::TransparencyLog,
                AuthorityRole::TimestampAuthority => Role::TimestampAuthority,
            },
            name: shorten(&authority.name, NAME),
            // A root says "always" by leaving the time out, or by one before all others.
            from: authority.start.filter(|start| *start > Timestamp::UNIX_EPOCH).map(time),
            until: authority.end.map(time),
        })
        .collect()
}

/// As the API server gives it back: in whole seconds, of years with four digits.
pub(super) fn time(at: Timestamp) -> Time {
    const LAST: i64 = 253_402_300_799;
    let seconds = at.as_second().clamp(0, LAST);
    Time(Timestamp::from_second(seconds).unwrap_or(at))
}

#[cfg(test)]
pub(super) mod tests {
    use interlock_bundles::digest::Digest;
    use interlock_crds::TrustRootSpec;

    use super::*;

    const JSON: &str = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../bundles/testdata/keyless/trusted_root.json"
    ));

    pub(in super::super) fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    pub(in super::super) fn root() -> Root {
        Root::from_json(JSON.as_bytes()).unwrap()
    }

    fn object() -> TrustRoot {
        let spec = TrustRootSpec {
            digest: Digest::of(JSON.as_bytes()).to_string(),
            inline: Some(JSON.to_owned()),
            config_map: None,
        };
        TrustRoot::new("root", spec)
    }

    fn ready(status: &TrustRootStatus) -> (&str, &str) {
        (&status.conditions[0].status, &status.conditions[0].reason)
    }

    #[test]
    fn it_tells_what_is_in_it_and_when_it_ends_and_twice_the_same() {
        let mut object = object();
        let said = status(&object, &Ok(root()), at("2026-01-01T00:00:00Z"));
        assert_eq!(ready(&said), ("True", "RootAccepted"));
        assert_eq!(
            said.conditions[0].message,
            "2 certificate authorities, 1 certificate log, 2 transparency logs, 2 timestamp authorities"
        );
        assert_eq!(said.authorities.len(), 7);
        assert_eq!(said.authorities[0].role, Role::CertificateAuthority);
        let until = said
            .authorities
            .iter()
            .filter(|one| one.role == Role::CertificateAuthority);
        let until = until.map(|one| one.until.clone().unwrap().0).max();
        assert_eq!(said.expires.as_ref().map(|time| time.0), until);
        object.status = Some(said.clone());
        assert_eq!(status(&object, &Ok(root()), at("2026-01-02T00:00:00Z")), said);
        // What the API server stores is what is compared with.
        let stored: TrustRootStatus = serde_json::from_value(serde_json::to_value(&said).unwrap()).unwrap();
        assert_eq!(stored, said);
    }

    #[test]
    fn it_expires_by_the_clock_and_says_why_it_cannot_be_used() {
        let said = status(&object(), &Ok(root()), at("2300-01-01T00:00:00Z"));
        assert_eq!(ready(&said), ("False", "Expired"));
        assert!(said.conditions[0].message.contains("nothing new can be signed"));
        let name = "roots".to_owned();
        let said = status(
            &object(),
            &Err(RootProblem::ConfigMapNotFound { name }),
            at("2026-01-01T00:00:00Z"),
        );
        assert_eq!(ready(&said), ("False", "ConfigMapNotFound"));
        assert_eq!((said.expires, said.authorities.len()), (None, 0));
        assert_eq!(said.conditions[1].type_, "Reconciling");
    }
}
