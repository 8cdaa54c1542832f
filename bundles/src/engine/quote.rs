//! Strings and characters in Go's quoted form (`strconv.Quote`), which is how OPA prints strings
//! inside composite values and for `%q`.

use std::fmt::Write as _;

/// The string in double quotes; with `ascii`, everything beyond ASCII is escaped.
pub(super) fn quote(text: &str, ascii: bool) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        escape(&mut quoted, c, '"', ascii);
    }
    quoted.push('"');
    quoted
}

/// The character in single quotes.
pub(super) fn quote_char(c: char, ascii: bool) -> String {
    let mut quoted = String::from('\'');
    escape(&mut quoted, c, '\'', ascii);
    quoted.push('\'');
    quoted
}

/// Whether the string can stand unchanged between back quotes (`strconv.CanBackquote`).
pub(super) fn can_backquote(text: &str) -> bool {
    text.chars()
        .all(|c| c != '\u{feff}' && c != '`' && c != '\u{7f}' && (c >= ' ' || c == '\t'))
}

/// Whether Go prints the character as it is. Go and Rust may differ on characters that only the
/// newer of their two Unicode tables knows.
pub(super) fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    // Behind another character a combining mark is not escaped for being one.
    let text: String = ['a', c].iter().collect();
    text.escape_debug().nth(1) == Some(c)
}

fn escape(quoted: &mut String, c: char, quote: char, ascii: bool) {
    let short = match c {
        '\u{7}' => Some('a'),
        '\u{8}' => Some('b'),
        '\u{c}' => Some('f'),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\u{b}' => Some('v'),
        '\\' => Some('\\'),
        c if c == quote => Some(c),
        _ => None,
    };
    if let Some(short) = short {
        quoted.extend(['\\', short]);
    } else if is_printable(c) && (c.is_ascii() || !ascii) {
        quoted.push(c);
    } else {
        let code = u32::from(c);
        // Writing to a string cannot fail.
        let _ = match code {
            0..0x80 => write!(quoted, "\\x{code:02x}"),
            0x80..0x10000 => write!(quoted, "\\u{code:04x}"),
            _ => write!(quoted, "\\U{code:08x}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        for (text, want) in [
            ("", r#""""#),
            ("a\"b'c\\", r#""a\"b'c\\""#),
            ("\u{7}\n\u{0}\u{7f}", r#""\a\n\x00\x7f""#),
            ("é漢😀", r#""é漢😀""#),
            ("e\u{301}", "\"e\u{301}\""),
            (
                "\u{a0}\u{ad}\u{feff}\u{2028}\u{e000}",
                r#""\u00a0\u00ad\ufeff\u2028\ue000""#,
            ),
        ] {
            assert_eq!(quote(text, false), want);
        }
        assert_eq!(quote("é😀", true), r#""\u00e9\U0001f600""#);
        assert_eq!(quote_char('\'', false), r"'\''");
        assert!(can_backquote("a\tb") && !can_backquote("a`b") && !can_backquote("a\nb"));
    }
}
