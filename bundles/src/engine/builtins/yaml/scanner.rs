//! YAML text to tokens, with the rules and the quirks of go.yaml.in/yaml/v3 (3.0.5), which descends
//! from libyaml. Scalars are in `scalars.rs`, directives, anchors and tags in `tags.rs`.
//!
//! A key without `?` is only known by its `:`, so the scanner remembers where such a key may have
//! begun, and puts the tokens that announce it in front of it afterwards.

use std::collections::{HashMap, VecDeque};

use super::super::Failure;

/// Stands behind the end of the text, which holds none: control characters are refused before.
pub(super) const END: char = '\0';

/// How many characters a key without `?` may have.
const MAX_SIMPLE_KEY: usize = 1024;
/// How far the search for the next line of a comment goes.
const MAX_COMMENT_GAP: usize = 512;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    StreamEnd,
    Version { major: u32, minor: u32 },
    TagDirective { handle: String, prefix: String },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(String),
    Anchor(String),
    Tag { handle: String, suffix: String },
    Scalar { text: String, plain: bool },
}

/// Where a key without `?` may have begun, one for every flow level.
#[derive(Debug, Clone, Default)]
struct SimpleKey {
    possible: bool,
    /// Nothing but a key can stand there.
    required: bool,
    /// The number of its token, counted from the beginning of the text.
    token: usize,
    at: usize,
    line: usize,
    column: usize,
}

pub(super) struct Scanner {
    text: Vec<char>,
    pub(super) at: usize,
    line: usize,
    pub(super) column: usize,
    /// Since the last line break there were only blanks.
    after_break: bool,
    pub(super) flow_level: usize,
    /// The column of the innermost block collection.
    pub(super) indent: Option<usize>,
    indents: Vec<Option<usize>>,
    keys: Vec<SimpleKey>,
    /// The levels of the tokens that may begin a key. As in Go, the end of a flow collection in which
    /// no key could begin takes the collection itself from here, so that it can be none: `{? a}: b`.
    levels: HashMap<usize, usize>,
    pub(super) key_allowed: bool,
    tokens: VecDeque<Token>,
    taken: usize,
}

pub(super) fn malformed<T>() -> Result<T, Failure> {
    Err(Failure::Undefined)
}

pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

pub(super) fn is_break_or_end(c: char) -> bool {
    is_break(c) || c == END
}

pub(super) fn is_blank_or_end(c: char) -> bool {
    is_blank(c) || is_break_or_end(c)
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

impl Scanner {
    /// Undefined if the text holds a control character, anywhere. Behind a second byte order mark Go
    /// loses the first character of each line, as long as its buffer lasts; that is not repeated.
    pub(super) fn new(text: &str) -> Result<Self, Failure> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.starts_with('\u{feff}') {
            return Err(Failure::Limit(
                "a YAML text begins with two byte order marks".to_owned(),
            ));
        }
        if !text.chars().all(is_allowed) {
            return malformed();
        }
        Ok(Self {
            text: text.chars().collect(),
            at: 0,
            line: 0,
            column: 0,
            after_break: false,
            flow_level: 0,
            indent: None,
            indents: Vec::new(),
            keys: vec![SimpleKey::default()],
            levels: HashMap::new(),
            key_allowed: true,
            tokens: VecDeque::new(),
            taken: 0,
        })
    }

    pub(super) fn peek(&mut self) -> Result<&Token, Failure> {
        while self.needs_more()? {
            self.fetch()?;
        }
        Ok(self.tokens.front().unwrap_or(&Token::StreamEnd))
    }

    pub(super) fn take(&mut self) -> Result<Token, Failure> {
        self.peek()?;
        self.taken += 1;
        Ok(self.tokens.pop_front().unwrap_or(Token::StreamEnd))
    }

    /// The first token is not known as long as it may turn out to begin a key. Two more are always read.
    fn needs_more(&mut self) -> Result<bool, Failure> {
        if self.tokens.len() < 3 {
            return Ok(true);
        }
        match self.levels.get(&self.taken) {
            Some(level) => self.is_key_valid(*level),
            None => Ok(false),
        }
    }

    pub(super) fn char_at(&self, offset: usize) -> char {
        self.text.get(self.at + offset).copied().unwrap_or(END)
    }

    pub(super) fn skip(&mut self) {
        self.after_break &= is_blank(self.char_at(0));
        self.at += 1;
        self.column += 1;
    }

    pub(super) fn skip_line(&mut self) {
        self.read_line();
    }

    pub(super) fn read(&mut self, into: &mut String) {
        into.push(self.char_at(0));
        self.skip();
    }

    /// Goes over one line break and returns what it stands for.
    pub(super) fn read_line(&mut self) -> char {
        let c = self.char_at(0);
        self.at += if c == '\r' && self.char_at(1) == '\n' { 2 } else { 1 };
        self.column = 0;
        self.line += 1;
        self.after_break = true;
        if matches!(c, '\u{2028}' | '\u{2029}') { c } else { '\n' }
    }

    pub(super) fn at_document_indicator(&self) -> bool {
        let three = [self.char_at(0), self.char_at(1), self.char_at(2)];
        self.column == 0 && matches!(three, ['-', '-', '-'] | ['.', '.', '.']) && is_blank_or_end(self.char_at(3))
    }

    /// The number of the token that comes next.
    fn next_number(&self) -> usize {
        self.taken + self.tokens.len()
    }

    pub(super) fn push(&mut self, token: Token) {
        self.tokens.push_back(token);
    }

    fn push_skipping(&mut self, characters: usize, token: Token) {
        for _ in 0..characters {
            self.skip();
        }
        self.push(token);
    }

    fn fetch(&mut self) -> Result<(), Failure> {
        self.skip_to_token();
        self.unroll(Some(self.column));
        let c = self.char_at(0);
        let next = self.char_at(1);
        if c == END {
            if self.column > 0 {
                self.column = 0;
                self.line += 1;
            }
            self.end_blocks()?;
            self.push(Token::StreamEnd);
            return Ok(());
        }
        if self.column == 0 && c == '%' {
            self.end_blocks()?;
            return self.directive();
        }
        if self.at_document_indicator() {
            self.end_blocks()?;
            let token = if c == '-' {
                Token::DocumentStart
            } else {
                Token::DocumentEnd
            };
            self.push_skipping(3, token);
            return Ok(());
        }
        self.fetch_node(c, next)?;
        if self.tokens.back() != Some(&Token::BlockEntry) {
            self.skip_line_comment();
        }
        Ok(())
    }

    fn fetch_node(&mut self, c: char, next: char) -> Result<(), Failure> {
        let in_flow = self.flow_level > 0;
        match c {
            '[' => self.flow_start(Token::FlowSequenceStart),
            '{' => self.flow_start(Token::FlowMappingStart),
            ']' => self.flow_end(Token::FlowSequenceEnd),
            '}' => self.flow_end(Token::FlowMappingEnd),
            ',' => {
                self.forget_key()?;
                self.key_allowed = true;
                self.push_skipping(1, Token::FlowEntry);
                Ok(())
            }
            '-' if is_blank_or_end(next) => self.block_entry(),
            '?' if in_flow || is_blank_or_end(next) => self.key(),
            ':' if in_flow || is_blank_or_end(next) => self.value(),
            '*' => self.anchor(Token::Alias),
            '&' => self.anchor(Token::Anchor),
            '!' => self.tag(),
            '|' | '>' if !in_flow => self.block_scalar(c == '|'),
            '\'' | '"' => self.flow_scalar(c == '\''),
            '|' | '>' | '%' | '@' | '`' | '#' => malformed(),
            c if is_blank(c) => malformed(),
            _ => self.plain_scalar(),
        }
    }

    fn is_key_valid(&mut self, index: usize) -> Result<bool, Failure> {
        let (line, at) = (self.line, self.at);
        let Some(key) = self.keys.get_mut(index).filter(|key| key.possible) else {
            return Ok(false);
        };
        if key.line < line || key.at + MAX_SIMPLE_KEY < at {
            if key.required {
                return malformed();
            }
            key.possible = false;
        }
        Ok(key.possible)
    }

    /// What begins here may be a key.
    fn save_key(&mut self) -> Result<(), Failure> {
        if !self.key_allowed {
            return Ok(());
        }
        self.forget_key()?;
        let key = SimpleKey {
            possible: true,
            required: self.flow_level == 0 && self.indent == Some(self.column),
            token: self.next_number(),
            at: self.at,
            line: self.line,
            column: self.column,
        };
        self.levels.insert(key.token, self.keys.len().saturating_sub(1));
        if let Some(last) = self.keys.last_mut() {
            *last = key;
        }
        Ok(())
    }

    fn forget_key(&mut self) -> Result<(), Failure> {
        let Some(key) = self.keys.last_mut().filter(|key| key.possible) else {
            return Ok(());
        };
        if key.required {
            return malformed();
        }
        key.possible = false;
        self.levels.remove(&key.token);
        Ok(())
    }

    /// Puts a token into the queue in front of the one with this number, or at the end if that is gone.
    fn insert(&mut self, number: usize, token: Token) {
        match number.checked_sub(self.taken) {
            Some(position) if position < self.tokens.len() => self.tokens.insert(position, token),
            _ => self.push(token),
        }
    }

    /// Begins a block collection in front of a token if this column is deeper than the last.
    fn roll(&mut self, column: usize, number: usize, token: Token) {
        if self.flow_level == 0 && self.indent < Some(column) {
            self.indents.push(self.indent);
            self.indent = Some(column);
            self.insert(number, token);
        }
    }

    fn unroll(&mut self, column: Option<usize>) {
        while self.flow_level == 0 && self.indent > column {
            self.push(Token::BlockEnd);
            self.indent = self.indents.pop().flatten();
        }
    }

    fn end_blocks(&mut self) -> Result<(), Failure> {
        self.unroll(None);
        self.forget_key()?;
        self.key_allowed = false;
        Ok(())
    }

    fn flow_start(&mut self, token: Token) -> Result<(), Failure> {
        self.save_key()?;
        self.keys.push(SimpleKey {
            token: self.next_number(),
            ..SimpleKey::default()
        });
        self.flow_level += 1;
        self.key_allowed = true;
        self.push_skipping(1, token);
        Ok(())
    }

    fn flow_end(&mut self, token: Token) -> Result<(), Failure> {
        self.forget_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            if let Some(key) = self.keys.pop() {
                self.levels.remove(&key.token);
            }
        }
        self.key_allowed = false;
        self.push_skipping(1, token);
        Ok(())
    }

    fn block_entry(&mut self) -> Result<(), Failure> {
        if self.flow_level == 0 {
            self.begin_block(Token::BlockSequenceStart)?;
        }
        self.forget_key()?;
        self.key_allowed = true;
        self.push_skipping(1, Token::BlockEntry);
        Ok(())
    }

    fn begin_block(&mut self, token: Token) -> Result<(), Failure> {
        if !self.key_allowed {
            return malformed();
        }
        self.roll(self.column, self.next_number(), token);
        Ok(())
    }

    fn key(&mut self) -> Result<(), Failure> {
        if self.flow_level == 0 {
            self.begin_block(Token::BlockMappingStart)?;
        }
        self.forget_key()?;
        self.key_allowed = self.flow_level == 0;
        self.push_skipping(1, Token::Key);
        Ok(())
    }

    fn value(&mut self) -> Result<(), Failure> {
        let last = self.keys.len().saturating_sub(1);
        if self.is_key_valid(last)? {
            let key = self.keys.get(last).cloned().unwrap_or_default();
            self.insert(key.token, Token::Key);
            self.roll(key.column, key.token, Token::BlockMappingStart);
            self.levels.remove(&key.token);
            if let Some(key) = self.keys.get_mut(last) {
                key.possible = false;
            }
            self.key_allowed = false;
        } else {
            if self.flow_level == 0 {
                self.begin_block(Token::BlockMappingStart)?;
            }
            self.key_allowed = self.flow_level == 0;
        }
        self.push_skipping(1, Token::Value);
        Ok(())
    }

    /// Goes over spaces, comments and line breaks; tabs only where no key can begin.
    fn skip_to_token(&mut self) {
        loop {
            while self.char_at(0) == ' ' || (self.char_at(0) == '\t' && (self.flow_level > 0 || !self.key_allowed)) {
                self.skip();
            }
            if self.char_at(0) == '#' {
                self.skip_comments();
            }
            if !is_break(self.char_at(0)) {
                return;
            }
            self.skip_line();
            if self.flow_level == 0 {
                self.key_allowed = true;
            }
        }
    }

    /// A comment and those on the lines below it, up to the end of the last. Go reads them together,
    /// so that tabs in front of them do no harm.
    fn skip_comments(&mut self) {
        loop {
            self.skip_to_line_end();
            if !matches!(self.char_at(0), '\r' | '\n') {
                return;
            }
            let is_gap = |c: &char| matches!(c, ' ' | '\t' | '\r' | '\n');
            let rest = self.text.get(self.at..).unwrap_or_default();
            let gap = rest.iter().take(MAX_COMMENT_GAP).take_while(|c| is_gap(c)).count();
            if gap == MAX_COMMENT_GAP || rest.get(gap) != Some(&'#') {
                return;
            }
            let end = self.at + gap;
            while self.at < end {
                if is_break(self.char_at(0)) {
                    self.skip_line();
                } else {
                    self.skip();
                }
            }
        }
    }

    /// A comment on the line of a token. Tabs may stand in front of it even where no node may follow
    /// them, and the lines below do not belong to it.
    fn skip_line_comment(&mut self) {
        if self.after_break {
            return;
        }
        let gap = (0..MAX_COMMENT_GAP).find(|gap| !is_blank(self.char_at(*gap)));
        if gap.is_some_and(|gap| self.char_at(gap) == '#') {
            self.skip_to_line_end();
        }
    }

    pub(super) fn skip_to_line_end(&mut self) {
        while !is_break_or_end(self.char_at(0)) {
            self.skip();
        }
    }

    /// What may follow on a line whose content has ended: blanks, a comment, the break.
    pub(super) fn end_line(&mut self) -> Result<(), Failure> {
        self.skip_blanks();
        if self.char_at(0) == '#' {
            self.skip_to_line_end();
        }
        if !is_break_or_end(self.char_at(0)) {
            return malformed();
        }
        if is_break(self.char_at(0)) {
            self.skip_line();
        }
        Ok(())
    }

    pub(super) fn skip_blanks(&mut self) {
        while is_blank(self.char_at(0)) {
            self.skip();
        }
    }

    /// What begins here may be a key, and no other may begin before the next line.
    pub(super) fn begin_key(&mut self) -> Result<(), Failure> {
        self.save_key()?;
        self.key_allowed = false;
        Ok(())
    }

    pub(super) fn begin_block_scalar(&mut self) -> Result<(), Failure> {
        self.forget_key()?;
        self.key_allowed = true;
        Ok(())
    }
}
