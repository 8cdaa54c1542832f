//! Separation of duties: who builds is not who approves. For each duty somebody must have signed whose duty it is, and for no
//! two of them the same person; who is the same is told by keys and identities, and not by names alone.

use std::collections::BTreeSet;

use super::signer::Signer;
use super::vouch::Vouch;

/// One of the parts that different people have to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// What it is called, as in `approver`.
    pub name: String,
    /// The names of the signers whose duty it is.
    pub signers: BTreeSet<String>,
}

impl Duty {
    /// Whether all whose duty it is are among these, and there is somebody.
    pub(super) fn is_known(&self, signers: &[Signer]) -> bool {
        let is_one = |name: &String| signers.iter().any(|signer| signer.name == *name);
        !self.signers.is_empty() && self.signers.iter().all(is_one)
    }
}

/// The duties that nobody is left for, if each person takes one at most; as few as possible.
pub(super) fn unfilled<'d>(duties: &'d [Duty], people: &[Vec<&Vouch>]) -> Vec<&'d str> {
    let mut taken = vec![None; people.len()];
    let mut left = Vec::new();
    for (index, duty) in duties.iter().enumerate() {
        if !find(duties, people, index, &mut taken, &mut BTreeSet::new()) {
            left.push(duty.name.as_str());
        }
    }
    left
}

/// Finds somebody for a duty, if need be by finding somebody else for the duty of that person.
fn find(
    duties: &[Duty],
    people: &[Vec<&Vouch>],
    index: usize,
    taken: &mut [Option<usize>],
    asked: &mut BTreeSet<usize>,
) -> bool {
    let Some(duty) = duties.get(index) else { return false };
    for (person, vouches) in people.iter().enumerate() {
        let is_theirs = vouches.iter().any(|vouch| duty.signers.contains(&vouch.name));
        if !is_theirs || !asked.insert(person) {
            continue;
        }
        let other = taken.get(person).copied().flatten();
        if other.is_none_or(|other| find(duties, people, other, taken, asked)) {
            if let Some(place) = taken.get_mut(person) {
                *place = Some(index);
            }
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::trust::vouch::different;

    fn vouch(name: &str, key: &str) -> Vouch {
        Vouch::test(name, Digest::of(key.as_bytes()))
    }

    fn duty(name: &str, signers: &[&str]) -> Duty {
        Duty {
            name: name.to_owned(),
            signers: signers.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn each_duty_needs_somebody_of_its_own() {
        let duties = [duty("builder", &["ci", "dev"]), duty("approver", &["dev", "lead"])];
        let left = |vouching: &[Vouch]| unfilled(&duties, &different(vouching)).join(" ");
        assert_eq!(left(&[]), "builder approver");
        assert_eq!(left(&[vouch("dev", "1")]), "approver");
        assert_eq!(left(&[vouch("lead", "1")]), "builder");
        // Whoever can do both makes room for the other, in whatever order they come.
        for pair in [
            ["dev", "lead"],
            ["lead", "dev"],
            ["dev", "ci"],
            ["ci", "dev"],
            ["ci", "lead"],
        ] {
            assert_eq!(left(&[vouch(pair[0], "1"), vouch(pair[1], "2")]), "", "{pair:?}");
        }
        assert_eq!(left(&[vouch("stranger", "1"), vouch("ci", "2")]), "approver");
        // Two names of one key are one person.
        assert_eq!(left(&[vouch("ci", "1"), vouch("lead", "1")]), "approver");
        let third = duty("auditor", &["ci", "dev", "lead"]);
        let three = [duties[0].clone(), duties[1].clone(), third];
        let of = |vouching: &[Vouch]| unfilled(&three, &different(vouching)).len();
        assert_eq!(of(&[vouch("ci", "1"), vouch("dev", "2"), vouch("lead", "3")]), 0);
        assert_eq!(of(&[vouch("ci", "1"), vouch("dev", "2")]), 1);
    }
}
