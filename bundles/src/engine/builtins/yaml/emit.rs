//! Values to YAML text, byte for byte as go-yaml's emitter with an indentation of two writes them:
//! block style, lines of any length.

use super::super::Failure;
use super::decode::Value;
use super::key::{Key, show_float};
use super::order;
use super::resolve::{Scalar, Tag, resolve};
use super::style::{Analysis, Style, is_ambiguous, is_break, is_printable};

const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;
/// Longer keys are written behind a question mark.
const MAX_SIMPLE_KEY_BYTES: usize = 128;
const INDENT: usize = 2;

/// The document. Limit if the text becomes too long.
pub(super) fn emit(value: &Value) -> Result<String, Failure> {
    let mut emitter = Emitter {
        text: String::new(),
        column: 0,
        indent: None,
        after_space: true,
        only_indented: true,
    };
    emitter.node(value)?;
    emitter.indent = None;
    emitter.write_indent();
    Ok(emitter.text)
}

struct Emitter {
    text: String,
    column: usize,
    /// None outside of all collections.
    indent: Option<usize>,
    after_space: bool,
    /// Nothing but indentation and indicators of block collections stands on this line.
    only_indented: bool,
}

impl Emitter {
    fn put(&mut self, c: char) {
        self.text.push(c);
        self.column += 1;
    }

    fn put_break(&mut self, c: char) {
        self.text.push(c);
        self.column = 0;
        self.only_indented = true;
    }

    fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.only_indented || self.column > indent || (self.column == indent && !self.after_space) {
            self.put_break('\n');
        }
        while self.column < indent {
            self.put(' ');
        }
        self.after_space = true;
    }

    fn indicator(&mut self, indicator: char, spaced: bool, of_block: bool) {
        if spaced && !self.after_space {
            self.put(' ');
        }
        self.put(indicator);
        self.after_space = false;
        self.only_indented &= of_block;
    }

    fn node(&mut self, value: &Value) -> Result<(), Failure> {
        if self.text.len() > MAX_TEXT_BYTES {
            return Err(Failure::Limit(format!(
                "a YAML text becomes longer than {MAX_TEXT_BYTES} bytes"
            )));
        }
        let outer = self.indent;
        let deeper = Some(outer.map_or(0, |indent| indent + INDENT));
        match value {
            Value::Scalar(scalar) => self.scalar(scalar, false),
            Value::Sequence(items) if items.is_empty() => self.empty(['[', ']']),
            Value::Mapping(mapping) if mapping.entries.is_empty() => self.empty(['{', '}']),
            Value::Sequence(items) => {
                self.indent = deeper;
                for item in items {
                    self.write_indent();
                    self.indicator('-', true, true);
                    self.node(item)?;
                }
            }
            Value::Mapping(mapping) => {
                self.indent = deeper;
                let mut names: Vec<_> = mapping.entries.keys().filter_map(Key::name).collect();
                order::sort(&mut names);
                for name in names {
                    let value = mapping.entries.get(&Key::Text(name.clone()));
                    self.field(name, value.ok_or(Failure::Undefined)?)?;
                }
            }
        }
        self.indent = outer;
        Ok(())
    }

    fn empty(&mut self, [open, close]: [char; 2]) {
        self.indicator(open, true, false);
        self.indicator(close, false, false);
    }

    fn field(&mut self, name: String, value: &Value) -> Result<(), Failure> {
        self.write_indent();
        let simple = name.len() <= MAX_SIMPLE_KEY_BYTES && !name.chars().any(is_break);
        if simple {
            self.scalar(&Scalar::Text(name), true);
            self.indicator(':', false, false);
        } else {
            self.indicator('?', true, true);
            self.scalar(&Scalar::Text(name), false);
            self.write_indent();
            self.indicator(':', true, true);
        }
        self.node(value)
    }

    fn scalar(&mut self, scalar: &Scalar, is_key: bool) {
        let outer = self.indent;
        self.indent = Some(outer.map_or(INDENT, |indent| indent + INDENT));
        match scalar {
            Scalar::Null => self.plain("null"),
            Scalar::Boolean(value) => self.plain(&value.to_string()),
            Scalar::Integer(value) => self.plain(&value.to_string()),
            Scalar::Unsigned(value) => self.plain(&value.to_string()),
            Scalar::Float(value) => self.plain(&show_float(*value)),
            // JSON has none of them.
            Scalar::Timestamp(_) => {}
            Scalar::Text(text) => match choose(text, is_key) {
                Style::Plain => self.plain(text),
                Style::SingleQuoted => self.single_quoted(text),
                Style::DoubleQuoted => self.double_quoted(text),
                Style::Literal => self.literal(text),
            },
        }
        self.indent = outer;
    }

    fn plain(&mut self, text: &str) {
        if !self.after_space {
            self.put(' ');
        }
        for c in text.chars() {
            self.put(c);
        }
        self.after_space = false;
        self.only_indented = false;
    }

    /// Only separators of lines and paragraphs can be breaks here.
    fn single_quoted(&mut self, text: &str) {
        self.indicator('\'', true, false);
        let mut after_break = false;
        for c in text.chars() {
            if is_break(c) {
                self.put_break(c);
                after_break = true;
                continue;
            }
            if after_break {
                self.write_indent();
            }
            if c == '\'' {
                self.put(c);
            }
            self.put(c);
            self.only_indented = false;
            after_break = false;
        }
        self.indicator('\'', false, false);
    }

    fn double_quoted(&mut self, text: &str) {
        self.indicator('"', true, false);
        // Go looks for the byte order mark at the beginning, whichever character it is at.
        let marked = text.starts_with('\u{feff}');
        for c in text.chars() {
            if marked || !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
                self.escape(c);
            } else {
                self.put(c);
            }
        }
        self.indicator('"', false, false);
    }

    fn escape(&mut self, c: char) {
        let code = u32::from(c);
        let escape = match c {
            '\0' => "0".to_owned(),
            '\u{7}' => "a".to_owned(),
            '\u{8}' => "b".to_owned(),
            '\t' => "t".to_owned(),
            '\n' => "n".to_owned(),
            '\u{b}' => "v".to_owned(),
            '\u{c}' => "f".to_owned(),
            '\r' => "r".to_owned(),
            '\u{1b}' => "e".to_owned(),
            '"' | '\\' => c.to_string(),
            '\u{85}' => "N".to_owned(),
            '\u{a0}' => "_".to_owned(),
            '\u{2028}' => "L".to_owned(),
            '\u{2029}' => "P".to_owned(),
            ..='\u{ff}' => format!("x{code:02X}"),
            ..='\u{ffff}' => format!("u{code:04X}"),
            _ => format!("U{code:08X}"),
        };
        self.put('\\');
        for c in escape.chars() {
            self.put(c);
        }
    }

    /// With a digit if the text begins with a space or break, and a sign for how it ends.
    fn literal(&mut self, text: &str) {
        self.indicator('|', true, false);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.indicator('2', false, false);
        }
        let mut ends = text.chars().rev().map(is_break);
        match (ends.next(), ends.next()) {
            (Some(true), Some(false)) => {}
            (Some(true), _) => self.indicator('+', false, false),
            _ => self.indicator('-', false, false),
        }
        self.put_break('\n');
        self.after_space = true;
        let mut after_break = true;
        for c in text.chars() {
            if is_break(c) {
                self.put_break(c);
                after_break = true;
                continue;
            }
            if after_break {
                self.write_indent();
            }
            self.put(c);
            self.only_indented = false;
            after_break = false;
        }
    }
}

fn choose(text: &str, is_key: bool) -> Style {
    let wanted = if text.contains('\n') {
        Style::Literal
    } else if matches!(resolve(None, text), Ok((Tag::Text, _))) && !is_ambiguous(text) {
        Style::Plain
    } else {
        Style::DoubleQuoted
    };
    let analysis = Analysis::of(text);
    match wanted {
        Style::Plain if analysis.plain => Style::Plain,
        Style::Plain if analysis.single_quoted => Style::SingleQuoted,
        Style::Literal if analysis.block && !is_key => Style::Literal,
        _ => Style::DoubleQuoted,
    }
}
