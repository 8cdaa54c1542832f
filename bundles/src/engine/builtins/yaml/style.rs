//! Which styles a string may be written in.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

/// The styles in which a reader gets the string back; double quotes always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Analysis {
    pub(super) plain: bool,
    pub(super) single_quoted: bool,
    pub(super) block: bool,
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Characters beyond 16 bits are printable to YAML, but not to the emitter.
pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{fffd}') && c != '\u{feff}'
}

/// What other readers of YAML take for numbers of base 60 or for booleans:
/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`, yes and no.
pub(super) fn is_ambiguous(text: &str) -> bool {
    let is_word = matches!(
        text,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF"
    );
    is_word || is_base_60(text)
}

fn is_base_60(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut places = whole.split(':');
    let first = places.next().unwrap_or_default();
    let mut count = 0;
    let are_sixtieths = places.all(|place| {
        count += 1;
        matches!(place.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'])
    });
    count > 0 && are_sixtieths && digits(fraction) && digits(first) && first.starts_with(|c: char| c.is_ascii_digit())
}

impl Analysis {
    pub(super) fn of(text: &str) -> Self {
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let mut breaks = false;
        let mut tabs = false;
        let mut special = false;
        let mut break_space = false;
        let mut space_break = false;
        let mut before = None;
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            let ends_word = characters.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
            let begins_word = before.is_none_or(|before| matches!(before, ' ' | '\t') || is_break(before));
            indicators |= match c {
                '#' => begins_word,
                ':' => ends_word,
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
                    before.is_none()
                }
                '?' | '-' => before.is_none() && ends_word,
                _ => false,
            };
            tabs |= c == '\t';
            special |= c != '\t' && !is_printable(c);
            breaks |= is_break(c);
            break_space |= c == ' ' && before.is_some_and(is_break);
            space_break |= is_break(c) && before == Some(' ');
            before = Some(c);
        }
        let blank_at = |c: Option<char>| c.is_some_and(|c| c == ' ' || is_break(c));
        let bounded = blank_at(text.chars().next()) || blank_at(before);
        let quotable = !(break_space || space_break || tabs || special);
        Self {
            plain: quotable && !(bounded || breaks || indicators),
            single_quoted: quotable,
            block: !(text.ends_with(' ') || space_break || special || text.is_empty()),
        }
    }
}
