//! What commands print: results on standard output, everything else on standard error.

use std::io::Write as _;

use anyhow::Context as _;
use clap::ValueEnum;
use serde::Serialize;

/// The form of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs; the shape is documented and stable.
    Json,
}

/// Prints a result. A reader that went away is no error.
pub(super) fn text(text: &str) -> anyhow::Result<()> {
    bytes(text.as_bytes())
}

/// Prints a result as it is.
pub(super) fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}

/// Prints a result as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    let mut document = serde_json::to_string_pretty(value).context("cannot write the result as JSON")?;
    document.push('\n');
    text(&document)
}

/// Compact JSON in lines, as [`json`] prints it. Only white space is added: numbers keep their digits.
pub(super) fn pretty(compact: &str) -> String {
    let mut lines = String::new();
    let mut depth = 0_usize;
    let (mut quoted, mut escaped) = (false, false);
    let mut rest = compact.chars().peekable();
    let next_line = |lines: &mut String, depth: usize| {
        lines.push('\n');
        lines.push_str(&"  ".repeat(depth));
    };
    while let Some(c) = rest.next() {
        if quoted {
            lines.push(c);
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '[' | '{' => {
                lines.push(c);
                if let Some(close) = rest.next_if(|next| matches!(next, ']' | '}')) {
                    lines.push(close);
                } else {
                    depth += 1;
                    next_line(&mut lines, depth);
                }
            }
            ']' | '}' => {
                depth = depth.saturating_sub(1);
                next_line(&mut lines, depth);
                lines.push(c);
            }
            ',' => {
                lines.push(c);
                next_line(&mut lines, depth);
            }
            ':' => lines.push_str(": "),
            c => {
                quoted = c == '"';
                lines.push(c);
            }
        }
    }
    lines.push('\n');
    lines
}

/// Tells something that is no result.
pub(super) fn error(message: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// Columns as wide as their widest cell; the last one is not padded. What a cell says may come from outside, so control
/// characters, by which a terminal could be made to show something else, are replaced.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |at: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count());
        cells
            .chain(header.get(at).map(|cell| cell.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            line.extend(cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }));
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 3));
        }
        format!("{}\n", line.trim_end())
    };
    let mut text = line(&mut header.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_line_up_without_trailing_space() {
        let rows = [
            vec!["a".to_owned(), "bb".to_owned()],
            vec!["ccc".to_owned(), String::new()],
        ];
        assert_eq!(super::table(&["X", "Y"], &rows), "X     Y\na     bb\nccc\n");
    }

    #[test]
    fn a_cell_stays_in_its_line_and_sends_the_terminal_nothing() {
        let table = super::table(&["X"], &[vec!["a\n\x1b[2Jverified".to_owned()]]);
        assert_eq!(table, "X\na\u{fffd}\u{fffd}[2Jverified\n");
    }
}
