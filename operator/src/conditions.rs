//! Merges what a step states into the conditions that a status already has.

use interlock_crds::condition::{Condition, Statement, Status, Type};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// How an object stands, in kstatus' terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Where it should be.
    Ready,
    /// Not there; it may come by itself, or the operator tries again.
    Reconciling,
    /// Not there, and nothing changes without somebody's action.
    Stalled,
}

impl Standing {
    /// Of an object with a problem, which may or may not go away by itself.
    pub fn despite(is_transient: bool) -> Self {
        if is_transient { Self::Reconciling } else { Self::Stalled }
    }
}

/// `Ready`, and beside it `Reconciling` or `Stalled` while it is not.
pub fn ready(standing: Standing, status: Status, reason: &str, message: &str) -> Vec<Statement> {
    let mut statements = vec![Statement::new(Type::Ready, status, reason, message)];
    match standing {
        Standing::Ready => {}
        Standing::Reconciling => statements.push(Statement::new(Type::Reconciling, Status::True, reason, message)),
        Standing::Stalled => statements.push(Statement::new(Type::Stalled, Status::True, reason, message)),
    }
    statements
}

/// The conditions to write: `statements` in order, with the transition time of the old condition where the status
/// stayed the same. Conditions of other writers are not repeated; server-side apply leaves them alone.
pub fn merge(old: &[Condition], statements: &[Statement], generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    statements
        .iter()
        .map(|statement| {
            let before = old
                .iter()
                .find(|condition| condition.type_ == statement.kind.as_str())
                .filter(|condition| condition.status == statement.status.as_str());
            Condition {
                type_: statement.kind.as_str().to_owned(),
                status: statement.status.as_str().to_owned(),
                reason: statement.reason.clone(),
                message: shorten(&statement.message, MESSAGE),
                observed_generation: generation,
                last_transition_time: before.map_or_else(
                    || Time(whole_seconds(now)),
                    |condition| condition.last_transition_time.clone(),
                ),
            }
        })
        .collect()
}

/// Longest message of a condition, in characters. The API would take 32,768; a person reads one line.
const MESSAGE: usize = 512;

/// Cuts `text` to `limit` characters, and shows that it did.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let cut: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{cut}…")
}

/// The API server stores whole seconds.
fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Whether two lists say the same; their order and conditions of other writers do not count.
pub fn same(stored: &[Condition], ours: &[Condition]) -> bool {
    let own = |condition: &&Condition| Type::ALL.iter().any(|kind| kind.as_str() == condition.type_);
    stored.iter().filter(own).count() == ours.len() && ours.iter().all(|condition| stored.contains(condition))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn time_moves_only_when_the_status_does() {
        let statement = |status, reason: &str| [Statement::new(Type::Ready, status, reason, "m")];
        let first = merge(&[], &statement(Status::False, "A"), Some(1), at(10));
        let same_status = merge(&first, &statement(Status::False, "B"), Some(2), at(20));
        assert_eq!(
            (same_status[0].last_transition_time.0, same_status[0].reason.as_str()),
            (at(10), "B")
        );
        let turned = merge(&same_status, &statement(Status::True, "C"), Some(2), at(30));
        assert_eq!(turned[0].last_transition_time.0, at(30));
    }

    #[test]
    fn merging_twice_is_merging_once_and_foreign_conditions_do_not_count() {
        let statements = ready(Standing::Stalled, Status::False, "GateDenied", "no");
        let once = merge(&[], &statements, Some(1), at(10));
        let twice = merge(&once, &statements, Some(1), at(99));
        assert_eq!(once, twice);
        let mut stored = once.clone();
        stored.reverse();
        stored.push(Condition {
            type_: "SomebodyElses".into(),
            ..once[0].clone()
        });
        assert!(same(&stored, &twice));
        assert!(!same(&stored, &once[..1]));
    }

    #[test]
    fn long_messages_are_cut_visibly() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüx", 3), "äö…");
    }
}
