//! Sizes as Kubernetes writes them. The API server has checked that it is a quantity; here it becomes bytes.

/// Units and their factors.
const UNITS: [(&str, usize); 6] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
];

/// The bytes of a whole number with an optional unit; none if it is something else.
pub(super) fn bytes(text: &str) -> Option<usize> {
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (number, factor) = match unit {
        Some((unit, factor)) => (text.strip_suffix(unit)?, *factor),
        None => (text, 1),
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<usize>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes() {
        let table = [
            ("256Mi", Some(256 << 20)),
            ("1k", Some(1000)),
            ("7", Some(7)),
            ("1.5Gi", None),
            ("-1", None),
            ("", None),
            ("x", None),
        ];
        for (text, want) in table {
            assert_eq!(super::bytes(text), want, "{text:?}");
        }
    }
}
