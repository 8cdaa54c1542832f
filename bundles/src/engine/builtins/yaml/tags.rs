//! Directives, anchors, aliases and tags of YAML.

use super::super::Failure;
use super::scanner::{Scanner, Token, is_blank, is_blank_or_end, malformed};

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

impl Scanner {
    pub(super) fn anchor(&mut self, token: fn(String) -> Token) -> Result<(), Failure> {
        self.begin_key()?;
        self.skip();
        let name = self.word();
        let end = self.char_at(0);
        let ends = is_blank_or_end(end) || matches!(end, '?' | ':' | ',' | ']' | '}' | '%' | '@' | '`');
        if name.is_empty() || !ends {
            return malformed();
        }
        self.push(token(name));
        Ok(())
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while is_word(self.char_at(0)) {
            self.read(&mut word);
        }
        word
    }

    /// `%YAML 1.1` or `%TAG !handle! prefix`; others are refused.
    pub(super) fn directive(&mut self) -> Result<(), Failure> {
        self.skip();
        let name = self.word();
        if !is_blank_or_end(self.char_at(0)) {
            return malformed();
        }
        self.skip_blanks();
        let token = match name.as_str() {
            "YAML" => {
                let major = self.version_number()?;
                if self.char_at(0) != '.' {
                    return malformed();
                }
                self.skip();
                let minor = self.version_number()?;
                Token::Version { major, minor }
            }
            "TAG" => {
                let handle = self.tag_handle()?;
                let is_handle = handle == "!" || (handle.len() > 1 && handle.ends_with('!'));
                if !is_handle || !is_blank(self.char_at(0)) {
                    return malformed();
                }
                self.skip_blanks();
                let prefix = self.tag_uri("")?;
                if !is_blank_or_end(self.char_at(0)) {
                    return malformed();
                }
                Token::TagDirective { handle, prefix }
            }
            _ => return malformed(),
        };
        self.end_line()?;
        self.push(token);
        Ok(())
    }

    fn version_number(&mut self) -> Result<u32, Failure> {
        let mut digits = String::new();
        while self.char_at(0).is_ascii_digit() && digits.len() < 3 {
            self.read(&mut digits);
        }
        if digits.len() > 2 {
            return malformed();
        }
        digits.parse().map_err(|_| Failure::Undefined)
    }

    pub(super) fn tag(&mut self) -> Result<(), Failure> {
        self.begin_key()?;
        let (mut handle, mut suffix);
        if self.char_at(1) == '<' {
            self.skip();
            self.skip();
            handle = String::new();
            suffix = self.tag_uri("")?;
            if self.char_at(0) != '>' {
                return malformed();
            }
            self.skip();
        } else {
            handle = self.tag_handle()?;
            if handle.len() > 1 && handle.ends_with('!') {
                suffix = self.tag_uri("")?;
            } else {
                suffix = self.tag_uri(&handle)?;
                "!".clone_into(&mut handle);
                if suffix.is_empty() {
                    std::mem::swap(&mut handle, &mut suffix);
                }
            }
        }
        if !is_blank_or_end(self.char_at(0)) {
            return malformed();
        }
        self.push(Token::Tag { handle, suffix });
        Ok(())
    }

    /// `!`, `!word!`, or `!word`, which turns out to be no handle.
    fn tag_handle(&mut self) -> Result<String, Failure> {
        if self.char_at(0) != '!' {
            return malformed();
        }
        let mut handle = String::new();
        self.read(&mut handle);
        handle.push_str(&self.word());
        if self.char_at(0) == '!' {
            self.read(&mut handle);
        }
        Ok(handle)
    }

    /// The rest of a tag; `head` is what was already read, its `!` included. Escaped bytes that are no
    /// UTF-8 together are replaced: only the tags of YAML itself mean anything, and they are ASCII.
    fn tag_uri(&mut self, head: &str) -> Result<String, Failure> {
        let mut uri: Vec<u8> = head.bytes().skip(1).collect();
        let mut found = !head.is_empty();
        loop {
            match self.char_at(0) {
                '%' => self.escaped_octets(&mut uri)?,
                c if is_word(c) || ";/?:@&=+$,.!~*'()[]".contains(c) => {
                    uri.extend(c.encode_utf8(&mut [0; 4]).bytes());
                    self.skip();
                }
                _ => break,
            }
            found = true;
        }
        if !found {
            return malformed();
        }
        Ok(String::from_utf8_lossy(&uri).into_owned())
    }

    /// `%xx`, as many as the first octet announces.
    fn escaped_octets(&mut self, uri: &mut Vec<u8>) -> Result<(), Failure> {
        let mut expected = None;
        while expected != Some(0) {
            let digits = (self.char_at(1).to_digit(16), self.char_at(2).to_digit(16));
            let ('%', (Some(high), Some(low))) = (self.char_at(0), digits) else {
                return malformed();
            };
            let octet = u8::try_from(high << 4 | low).map_err(|_| Failure::Undefined)?;
            let width = match (octet, expected) {
                (0x80..=0xbf, Some(left)) => left,
                (0..=0x7f, None) => 1,
                (0xc0..=0xdf, None) => 2,
                (0xe0..=0xef, None) => 3,
                (0xf0..=0xf7, None) => 4,
                _ => return malformed(),
            };
            uri.push(octet);
            expected = Some(width - 1);
            for _ in 0..3 {
                self.skip();
            }
        }
        Ok(())
    }
}
