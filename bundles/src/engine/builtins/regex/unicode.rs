//! The Unicode tables of Go's `regexp/syntax`: what `\p{…}` knows, and simple case folding.
//!
//! Go 1.26 has the tables of Unicode 15.0 and `regex-syntax` newer ones. Here, characters that came
//! later are unassigned and have no other case. What is left of the difference: U+1171E is `Mc` here
//! and `Mn` there, and `(?i)\p{LC}` takes U+0345 too.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// The characters that Unicode 15.0 knows, in the syntax of `regex-syntax`.
const KNOWN: &str = r"\p{age=15.0}";

/// Characters that later versions, but not 15.0, take for cases of each other.
const CASELESS: &str = r"[\u0390\u03B0\u1FD3\u1FE3\uFB05\uFB06]";

/// The scripts that have a name. Go 1.26 drops underscores from the name it looks up but not from its
/// table, so that `Old_Italic` and its like are errors, and so is `SignWriting`.
const SCRIPTS: &str = "Adlam Ahom Arabic Armenian Avestan Balinese Bamum Batak Bengali Bhaiksuki Bopomofo Brahmi \
    Braille Buginese Buhid Carian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cyrillic Deseret \
    Devanagari Dogra Duployan Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gurmukhi \
    Han Hangul Hanunoo Hatran Hebrew Hiragana Inherited Javanese Kaithi Kannada Katakana Kawi Kharoshthi Khmer \
    Khojki Khudawadi Lao Latin Lepcha Limbu Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean \
    Marchen Medefaidrin Miao Modi Mongolian Mro Multani Myanmar Nabataean Nandinagari Newa Nko Nushu Ogham Oriya \
    Osage Osmanya Palmyrene Phoenician Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham Sinhala Sogdian \
    Soyombo Sundanese Syriac Tagalog Tagbanwa Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh \
    Tirhuta Toto Ugaritic Vai Vithkuqi Wancho Yezidi Yi";

/// The characters with this property: a general category by its short or long name, a script by its
/// long name, or `Any`, `ASCII`, `Assigned`. Case, spaces, hyphens and underscores do not matter.
pub(super) fn property(name: &str) -> Option<ClassUnicode> {
    let name = canonical(name);
    match name.as_str() {
        "Any" => return class(r"[\x00-\x{10FFFF}]"),
        "Ascii" => return class(r"[\x00-\x7F]"),
        "Assigned" => return class(&format!(r"[\P{{Cn}}&&{KNOWN}]")),
        "Cn" | "Unassigned" => return class(&format!(r"[\p{{Cn}}[^{KNOWN}]]")),
        // What is unassigned is "other".
        "C" | "Other" => return class(&format!(r"[\p{{C}}[^{KNOWN}]]")),
        // No text holds a surrogate.
        "Cs" | "Surrogate" => return Some(ClassUnicode::empty()),
        _ => {}
    }
    // `regex-syntax` would also take `IsLetter`.
    if name.starts_with("Is") || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let is_script = SCRIPTS.split(' ').any(|script| script == name);
    let key = if is_script { "script" } else { "general_category" };
    class(&format!(r"\p{{{key}={name}}}")).map(known)
}

/// Adds the other cases of every character (Go's `unicode.SimpleFold`).
pub(super) fn fold(folded: &mut ClassUnicode) {
    static CASED: LazyLock<Option<ClassUnicode>> = LazyLock::new(|| class(&format!("[{KNOWN}--{CASELESS}]")));
    let Some(cased) = &*CASED else {
        return;
    };
    let mut others = folded.clone();
    others.intersect(cased);
    // The tables are built in: this cannot fail.
    let _ = others.try_case_fold_simple();
    others.intersect(cased);
    folded.union(&others);
}

/// Go's `unicode.IsLetter` or `unicode.IsDigit`.
pub(super) fn is_letter_or_digit(c: char) -> bool {
    static BOTH: LazyLock<Option<ClassUnicode>> = LazyLock::new(|| class(r"[\p{L}\p{Nd}]").map(known));
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    let Some(both) = &*BOTH else {
        return false;
    };
    let nearest = both.ranges().partition_point(|range| range.end() < c);
    both.ranges().get(nearest).is_some_and(|range| range.start() <= c)
}

fn known(mut characters: ClassUnicode) -> ClassUnicode {
    static ALL: LazyLock<Option<ClassUnicode>> = LazyLock::new(|| class(KNOWN));
    if let Some(all) = &*ALL {
        characters.intersect(all);
    }
    characters
}

/// The first letter in upper case, the others in lower case, separators left out.
fn canonical(name: &str) -> String {
    let mut letters = name.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first
        .into_iter()
        .chain(letters.map(|c| c.to_ascii_lowercase()))
        .collect()
}

/// What a class in the syntax of `regex-syntax` matches.
fn class(pattern: &str) -> Option<ClassUnicode> {
    match regex_syntax::parse(pattern).ok()?.kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class.clone()),
        // A class of one character.
        HirKind::Literal(literal) => {
            let c = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
            Some(ClassUnicode::new([ClassUnicodeRange::new(c, c)]))
        }
        _ => None,
    }
}
