//! Regular expressions of schemas. Each costs memory, and a schema may have many.

use std::collections::HashMap;
use std::rc::Rc;

use super::super::Failure;
use super::super::regex::{Program, compile};
use super::Refusal;

/// How many different ones a schema may have.
const MAX_PATTERNS: usize = 128;

#[derive(Clone)]
pub(super) struct Pattern {
    pub(super) text: String,
    program: Rc<Program>,
}

impl Pattern {
    /// Takes what the search costs from the steps that are left.
    pub(super) fn is_match(&self, text: &str, steps: &mut usize) -> Result<bool, Refusal> {
        Ok(self.program.is_match(text, steps)?)
    }
}

/// The patterns of one schema.
pub(super) struct Patterns {
    max_bytes: usize,
    known: HashMap<String, Rc<Program>>,
}

impl Patterns {
    /// `max_bytes` is what one may take.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            known: HashMap::new(),
        }
    }

    /// None if the text is no regular expression.
    pub(super) fn compile(&mut self, text: &str) -> Result<Option<Pattern>, Refusal> {
        let program = if let Some(known) = self.known.get(text) {
            Rc::clone(known)
        } else {
            if self.known.len() >= MAX_PATTERNS {
                return Err(Refusal::Limit(format!(
                    "a schema has more than {MAX_PATTERNS} regular expressions"
                )));
            }
            let program = match compile(text, self.max_bytes) {
                Ok(program) => Rc::new(program),
                Err(Failure::Undefined) => return Ok(None),
                Err(Failure::Limit(text)) => return Err(Refusal::Limit(text)),
            };
            self.known.insert(text.to_owned(), Rc::clone(&program));
            program
        };
        Ok(Some(Pattern {
            text: text.to_owned(),
            program,
        }))
    }
}
