//! Which of two bundle revisions is older: what the refusal of rollbacks rests on.

use std::cmp::Ordering;

use semver::Version;

/// Compares two revisions of one bundle. Both semantic versions, by their precedence (a leading `v`
/// and build metadata do not count); otherwise both plain integers, by value; otherwise equal only
/// if they are the same text. `None` says that they cannot be compared.
pub fn order(old: &str, new: &str) -> Option<Ordering> {
    if old == new {
        return Some(Ordering::Equal);
    }
    if let (Some(old), Some(new)) = (version(old), version(new)) {
        return Some(old.cmp_precedence(&new));
    }
    let (old, new) = (integer(old)?, integer(new)?);
    Some(old.len().cmp(&new.len()).then_with(|| old.cmp(new)))
}

fn version(text: &str) -> Option<Version> {
    Version::parse(text.strip_prefix('v').unwrap_or(text)).ok()
}

/// The digits without leading zeros: of any length, so that no revision is too large to compare.
fn integer(text: &str) -> Option<&str> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn orders_versions_and_integers_and_nothing_else() {
        use Ordering::{Equal, Greater, Less};
        for (old, new, want) in [
            ("1.0.0", "1.0.1", Some(Less)),
            ("1.10.0", "1.9.0", Some(Greater)),
            ("1.0.0-rc.1", "1.0.0", Some(Less)),
            ("v1.2.3", "1.2.3", Some(Equal)),
            ("1.0.0+a", "1.0.0+b", Some(Equal)),
            ("9", "10", Some(Less)),
            ("007", "7", Some(Equal)),
            ("20261121", "20261120", Some(Greater)),
            ("99999999999999999999999", "100000000000000000000000", Some(Less)),
            ("abc", "abc", Some(Equal)),
            ("abc", "abd", None),
            ("1.0.0", "2", None),
            ("", "1", None),
            ("", "", Some(Equal)),
            ("-1", "1", None),
            ("1.0", "1.1", None),
        ] {
            assert_eq!(order(old, new), want, "{old:?} {new:?}");
        }
    }

    proptest! {
        #[test]
        fn swapping_the_sides_reverses_the_order(a in "[0-9]{1,4}(\\.[0-9]\\.[0-9])?", b in "[0-9]{1,4}(\\.[0-9]\\.[0-9])?") {
            prop_assert_eq!(order(&a, &b), order(&b, &a).map(Ordering::reverse));
        }
    }
}
