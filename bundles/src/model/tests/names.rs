//! Which names a file of a model may have.

use proptest::prelude::*;

use super::*;

#[test]
fn usual_names_are_taken_as_they_are() {
    for text in [
        "a",
        "config.json",
        "a/b/c",
        ".gitignore",
        "...",
        "a b",
        "wörter.txt",
        "模型",
        "a:b",
        "-",
        "~",
        "$HOME",
        "e\u{301}",
    ] {
        assert_eq!(FileName::parse(text).unwrap().as_str(), text);
    }
    let longest = ["a".repeat(255).as_str(); 15].join("/") + "/" + &"b".repeat(255);
    assert_eq!(longest.len(), 4095);
    assert!(FileName::parse(&longest).is_ok());
}

#[test]
fn other_names_are_refused_with_the_rule_they_break() {
    for (text, rule) in [
        ("", "is empty"),
        (".", "`.` or `..`"),
        ("..", "`.` or `..`"),
        ("a/../b", "`.` or `..`"),
        ("./a", "`.` or `..`"),
        ("a/.", "`.` or `..`"),
        ("/", "absolute"),
        ("/a", "absolute"),
        ("a//b", "empty segment"),
        ("a/", "empty segment"),
        ("a\\b", "backslash"),
        ("a\0", "control character"),
        ("a\n", "control character"),
        ("a\u{1b}[2J", "control character"),
        ("a\u{85}", "control character"),
        ("a\u{202e}b", "direction of writing"),
        ("\u{feff}a", "direction of writing"),
        (" a", "space"),
        ("a ", "space"),
        ("a /b", "space"),
        ("a/\u{3000}b", "space"),
        (&"a".repeat(256), "255 bytes"),
        (&"a/".repeat(2048), "4095 bytes"),
    ] {
        let told = FileName::parse(text).unwrap_err().to_string();
        assert!(told.contains(rule), "{told}");
        assert!(told.len() < 700 && !told.contains(char::is_control), "{told}");
    }
}

#[test]
fn names_are_sorted_by_segments() {
    let sorted = ["a", "a/b", "a/b/c", "a/b-c", "a-b", "a.b", "b"];
    assert!(sorted.is_sorted_by_key(|text| name(text)));
    assert!(name("a/b").is_within(&name("a")) && name("a").is_within(&name("a")));
    assert!(!name("ab").is_within(&name("a")) && !name("a").is_within(&name("a/b")));
}

#[test]
fn case_and_composition_fold_away() {
    for (one, other) in [
        ("A", "a"),
        ("É", "e\u{301}"),
        ("STRASSE", "straße"),
        ("ſ", "S"),
        ("Å", "\u{212b}"),
        ("ΟΔΟΣ", "οδος"),
        // Marks in another order.
        ("ᾴ", "α\u{345}\u{301}"),
    ] {
        assert_eq!(name(one).folded(), name(other).folded(), "{one} {other}");
    }
    assert_ne!(name("a").folded(), name("ä").folded());
}

proptest! {
    #[test]
    fn a_name_stays_below_its_folder(text in r"[a./\\ ]{0,12}|\PC{0,20}") {
        if let Ok(name) = FileName::parse(&text) {
            let path = std::path::Path::new("/model").join(name.as_str());
            prop_assert!(path.starts_with("/model"));
            let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
            prop_assert!(std::path::Path::new(name.as_str()).components().all(plain));
            prop_assert_eq!(path.strip_prefix("/model").unwrap().to_str(), Some(name.as_str()));
        }
    }

    #[test]
    fn the_order_is_that_of_lists_of_segments(one in "[ab/.-]{1,6}", other in "[ab/.-]{1,6}") {
        if let (Ok(first), Ok(second)) = (FileName::parse(&one), FileName::parse(&other)) {
            prop_assert_eq!(first.cmp(&second), one.split('/').cmp(other.split('/')));
        }
    }
}
