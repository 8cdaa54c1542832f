//! Names of a model's files: relative, `/`-separated, with one spelling for each file.
//!
//! What a file system, a shell or a reader could take for another name is no name here. So a name can be joined to a
//! folder and stays below it, and two names that differ lead to two files, wherever case and Unicode are told apart.

use std::cmp::Ordering;
use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

/// PATH_MAX of Linux, with its NUL.
pub(super) const BYTES_MAX: usize = 4095;
/// NAME_MAX of Linux.
const SEGMENT_BYTES_MAX: usize = 255;

/// The name of a file relative to its model's folder, as in `tokenizer/vocab.json`; or `.`, the one file that a model
/// without a folder is. Sorted by segments, so that what is below a folder follows it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FileName(Box<str>);

/// The text is not the name of a file, or not its one spelling.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} cannot name a file of a model: {rule}")]
pub struct NameError {
    given: String,
    rule: &'static str,
}

impl FileName {
    /// Reads a name as a manifest or a folder has it. `.` is refused: see [`Self::whole`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match broken_rule(text) {
            None => Ok(Self(text.into())),
            Some(rule) => Err(NameError::new(text, rule)),
        }
    }

    /// The name that the only file of a model without a folder has: `.`.
    pub fn whole() -> Self {
        Self(".".into())
    }

    /// Whether this is [`Self::whole`].
    pub fn is_whole(&self) -> bool {
        &*self.0 == "."
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `other` or stands below the folder of that name.
    pub fn is_within(&self, other: &Self) -> bool {
        is_within(&self.0, &other.0)
    }

    /// What is left of a name where case and composition of characters do not count.
    pub(super) fn folded(&self) -> String {
        if self.0.is_ascii() {
            return self.0.to_ascii_lowercase();
        }
        // By way of upper case, so that `ß` and `ss`, `ſ` and `s` meet.
        let upper: String = self.0.nfd().flat_map(char::to_uppercase).collect();
        upper.to_lowercase().nfd().collect()
    }
}

impl NameError {
    /// Long text is cut: it comes from outside and ends in conditions and logs.
    pub(super) fn new(given: &str, rule: &'static str) -> Self {
        let given = given.chars().take(120).collect();
        Self { given, rule }
    }
}

/// Whether `name` is `other` or stands below the folder of that name.
pub(super) fn is_within(name: &str, other: &str) -> bool {
    name.strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Compares by segments, as Python compares the paths that `model-signing` sorts. No segment has a byte as low as the
/// zero that stands for the slash here.
pub(super) fn by_segments(one: &str, other: &str) -> Ordering {
    let key = |byte: u8| if byte == b'/' { 0 } else { byte };
    one.bytes().map(key).cmp(other.bytes().map(key))
}

fn broken_rule(text: &str) -> Option<&'static str> {
    match text {
        "" => Some("it is empty"),
        text if text.len() > BYTES_MAX => Some("it has more than 4095 bytes"),
        text if text.starts_with('/') => Some("it is absolute, and must be relative to the model's folder"),
        text if text.contains('\\') => Some("it has a backslash, which some systems take for a slash"),
        text if text.contains(is_unseen) => {
            Some("it has a control character, or one that turns the direction of writing")
        }
        text => text.split('/').find_map(broken_rule_of_segment),
    }
}

fn broken_rule_of_segment(segment: &str) -> Option<&'static str> {
    match segment {
        "" => Some("it has an empty segment, two slashes in a row or one at the end"),
        "." | ".." => Some("it has a segment `.` or `..`, which leads elsewhere"),
        segment if segment.len() > SEGMENT_BYTES_MAX => Some("a segment has more than 255 bytes"),
        segment if segment.trim() != segment => Some("a segment begins or ends with a space"),
        _ => None,
    }
}

/// Control characters, and those that break lines or reorder text (Unicode Standard Annex 9, table 4).
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

impl PartialOrd for FileName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FileName {
    fn cmp(&self, other: &Self) -> Ordering {
        by_segments(&self.0, &other.0)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
