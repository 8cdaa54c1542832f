//! From Revocations to what counts no more. All of them together are part of every trust policy.

use std::sync::{Arc, Mutex, PoisonError};

use interlock_bundles::digest::Digest;
use interlock_bundles::trust::{LogEntry, Revoked};
use interlock_crds::{Revocation, RevocationSpec};
use kube::ResourceExt as _;

use crate::dossier::Unavailable;
use crate::judge::chain;
use crate::operator::sources::Sources;

/// Why it is not known what is revoked. Nothing counts then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RevocationProblem {
    /// Revocations cannot be looked at.
    #[error("{}", .0.message)]
    Unavailable(Unavailable),
    /// One says nothing that can be used. The API server takes none that is so; another version's may have.
    #[error("Revocation {name}: {field}: {problem}")]
    Malformed {
        /// Its name.
        name: String,
        /// Where.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
}

impl RevocationProblem {
    /// Stable word for conditions.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Unavailable(why) => &why.reason,
            Self::Malformed { .. } => "MalformedRevocation",
        }
    }

    /// Whether it may go away without a change of a Revocation.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// What Revocations come to, as long as they stay the same: every workload's policies share it.
#[derive(Default)]
pub(crate) struct Revocations(Mutex<Known>);

#[derive(Default)]
struct Known {
    objects: Vec<Arc<Revocation>>,
    revoked: Arc<Revoked>,
}

impl Revocations {
    /// All that is revoked.
    pub(crate) fn read(&self, sources: &Sources) -> Result<Arc<Revoked>, RevocationProblem> {
        if let Some(why) = sources.revocations.unavailable() {
            return Err(RevocationProblem::Unavailable(why));
        }
        self.of(sources.revocations.all())
    }

    fn of(&self, mut objects: Vec<Arc<Revocation>>) -> Result<Arc<Revoked>, RevocationProblem> {
        objects.sort_by_cached_key(|object| object.name_any());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = known.objects.len() == objects.len()
            && known
                .objects
                .iter()
                .zip(&objects)
                .all(|(one, other)| Arc::ptr_eq(one, other));
        if !is_current {
            let revoked = read(&objects)?;
            if *known.revoked != revoked {
                known.revoked = Arc::new(revoked);
            }
            known.objects = objects;
        }
        Ok(Arc::clone(&known.revoked))
    }
}

fn read(objects: &[Arc<Revocation>]) -> Result<Revoked, RevocationProblem> {
    let mut revoked = Revoked::default();
    for object in objects {
        let RevocationSpec {
            keys,
            digests,
            log_entries,
            ..
        } = &object.spec;
        revoked.keys.extend(parsed::<Digest>(object, "spec.keys", keys)?);
        revoked
            .digests
            .extend(parsed::<Digest>(object, "spec.digests", digests)?);
        revoked
            .entries
            .extend(parsed::<LogEntry>(object, "spec.logEntries", log_entries)?);
    }
    Ok(revoked)
}

fn parsed<T>(object: &Revocation, field: &'static str, texts: &[String]) -> Result<Vec<T>, RevocationProblem>
where
    T: std::str::FromStr,
    T::Err: std::error::Error,
{
    let malformed = |error: T::Err| RevocationProblem::Malformed {
        name: object.name_any(),
        field,
        problem: chain(&error),
    };
    texts.iter().map(|text| text.parse().map_err(malformed)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(name: &str, mut spec: Value) -> Arc<Revocation> {
        spec["reason"] = json!("lost");
        Arc::new(Revocation::new(name, serde_json::from_value(spec).unwrap()))
    }

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    #[test]
    fn all_of_them_together_count() {
        let entry = format!("{}:42", "ab".repeat(32));
        let first = object(
            "a",
            json!({"keys": [digest("k").to_string()], "digests": [digest("d").to_string()]}),
        );
        let second = object(
            "b",
            json!({"digests": [digest("d").to_string(), digest("e").to_string()], "logEntries": [entry]}),
        );
        let revoked = Revocations::default().of(vec![second, first]).unwrap();
        assert_eq!(revoked.keys, [digest("k")].into());
        assert_eq!(revoked.digests, [digest("d"), digest("e")].into());
        assert_eq!(revoked.entries, [entry.parse().unwrap()].into());
    }

    #[test]
    fn what_stays_the_same_is_shared() {
        let all = Revocations::default();
        let nothing = all.of(Vec::new()).unwrap();
        assert!(nothing.is_empty());
        let keys = json!({"keys": [digest("k").to_string()]});
        let one = all.of(vec![object("a", keys.clone())]).unwrap();
        assert_ne!(one, nothing);
        // Listed anew, or split up: the policies stay what they are.
        let split = vec![object("a", keys.clone()), object("b", keys)];
        assert!(Arc::ptr_eq(&one, &all.of(split).unwrap()));
        assert_eq!(all.of(Vec::new()).unwrap(), nothing);
    }

    #[test]
    fn one_that_cannot_be_read_is_not_passed_over() {
        let all = Revocations::default();
        let good = object("good", json!({"keys": [digest("k").to_string()]}));
        for (spec, field, value) in [
            (json!({"keys": ["sha256:abc"]}), "spec.keys", "sha256:abc"),
            (json!({"digests": ["latest"]}), "spec.digests", "latest"),
            (json!({"logEntries": ["ab:1"]}), "spec.logEntries", "ab:1"),
        ] {
            let problem = all.of(vec![Arc::clone(&good), object("bad", spec)]).unwrap_err();
            let said = problem.to_string();
            assert!(
                ["Revocation bad", field, value].iter().all(|part| said.contains(part)),
                "{said}"
            );
            assert_eq!(
                (problem.reason(), problem.is_transient()),
                ("MalformedRevocation", false)
            );
        }
        assert!(all.of(vec![good]).is_ok());
    }
}
