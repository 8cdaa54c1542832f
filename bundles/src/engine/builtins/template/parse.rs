//! From tokens to trees (`text/template/parse/parse.go`).

use super::functions::Function;
use super::lex::{Keyword, Token, tokens};
use super::literal;
use super::tree::{Branch, Command, Node, Operand, Pipe, Templates};
use super::{Failure, MAIN, MAX_DEPTH, too_deep};

/// Reads a template and those it defines. One that is not closed, or uses an unknown function or
/// variable, is undefined.
pub(super) fn parse(source: &str) -> Result<Templates<'_>, Failure> {
    let mut parser = Parser {
        tokens: tokens(source)?,
        at: 0,
        scope: Scope::default(),
        depth: 0,
        templates: Templates::new(),
    };
    let main = parser.main()?;
    parser.add(MAIN.to_owned(), main)?;
    Ok(parser.templates)
}

/// What is known within one template.
struct Scope<'a> {
    variables: Vec<&'a str>,
    /// How many ranges are open.
    ranges: usize,
}

impl Default for Scope<'_> {
    fn default() -> Self {
        Self {
            variables: vec!["$"],
            ranges: 0,
        }
    }
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    scope: Scope<'a>,
    depth: usize,
    templates: Templates<'a>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens.get(self.at).copied().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn peek_beyond_space(&mut self) -> Token<'a> {
        while self.peek() == Token::Space {
            self.at += 1;
        }
        self.peek()
    }

    fn next_beyond_space(&mut self) -> Token<'a> {
        self.peek_beyond_space();
        self.next()
    }

    fn expect(&mut self, token: Token<'a>) -> Result<(), Failure> {
        (self.next_beyond_space() == token)
            .then_some(())
            .ok_or(Failure::Undefined)
    }

    /// Goes one level deeper for the time of `read`.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn main(&mut self) -> Result<Vec<Node<'a>>, Failure> {
        let mut nodes = Vec::new();
        while self.peek() != Token::End {
            let start = self.at;
            if self.next() == Token::Open && self.next_beyond_space() == Token::Keyword(Keyword::Define) {
                let name = self.name()?;
                self.expect(Token::Close)?;
                self.define(name)?;
                continue;
            }
            self.at = start;
            match self.node()? {
                Ok(node) => nodes.push(node),
                Err(_) => return Err(Failure::Undefined),
            }
        }
        Ok(nodes)
    }

    /// The body of another template, which sees none of this one's variables.
    fn define(&mut self, name: String) -> Result<(), Failure> {
        let outer = std::mem::take(&mut self.scope);
        let (nodes, end) = self.nested(Self::list)?;
        self.scope = outer;
        if end != Keyword::End {
            return Err(Failure::Undefined);
        }
        self.add(name, nodes)
    }

    /// An empty template gives way to another of its name; two that say something are an error.
    fn add(&mut self, name: String, nodes: Vec<Node<'a>>) -> Result<(), Failure> {
        let is_empty = |nodes: &[Node]| {
            nodes
                .iter()
                .all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
        };
        if self.templates.get(&name).is_none_or(|known| is_empty(known)) {
            self.templates.insert(name, nodes);
        } else if !is_empty(&nodes) {
            return Err(Failure::Undefined);
        }
        Ok(())
    }

    /// Nodes up to `end` or `else`, which is told.
    fn list(&mut self) -> Result<(Vec<Node<'a>>, Keyword), Failure> {
        let mut nodes = Vec::new();
        loop {
            match self.node()? {
                Ok(node) => nodes.push(node),
                Err(end) => return Ok((nodes, end)),
            }
        }
    }

    /// A node, or the keyword that ends a list.
    fn node(&mut self) -> Result<Result<Node<'a>, Keyword>, Failure> {
        match self.next_beyond_space() {
            Token::Text(text) => return Ok(Ok(Node::Text(text))),
            Token::Open => {}
            _ => return Err(Failure::Undefined),
        }
        let Token::Keyword(keyword) = self.peek_beyond_space() else {
            return self.pipe("command", Token::Close).map(|pipe| Ok(Node::Action(pipe)));
        };
        self.at += 1;
        let node = match keyword {
            Keyword::If | Keyword::With | Keyword::Range => Node::Branch(self.nested(|parser| parser.branch(keyword))?),
            Keyword::Break | Keyword::Continue => {
                self.expect(Token::Close)?;
                if self.scope.ranges == 0 {
                    return Err(Failure::Undefined);
                }
                match keyword {
                    Keyword::Break => Node::Break,
                    _ => Node::Continue,
                }
            }
            Keyword::Template => {
                let name = self.name()?;
                let pipe = if self.peek_beyond_space() == Token::Close {
                    self.at += 1;
                    None
                } else {
                    Some(self.pipe("template clause", Token::Close)?)
                };
                Node::Template(name, pipe)
            }
            Keyword::Block => {
                let name = self.name()?;
                let pipe = self.pipe("block clause", Token::Close)?;
                self.define(name.clone())?;
                Node::Template(name, Some(pipe))
            }
            Keyword::End => {
                self.expect(Token::Close)?;
                return Ok(Err(Keyword::End));
            }
            Keyword::Else => {
                let next = self.peek_beyond_space();
                if !matches!(next, Token::Keyword(Keyword::If | Keyword::With)) {
                    self.expect(Token::Close)?;
                }
                return Ok(Err(Keyword::Else));
            }
            Keyword::Define => return Err(Failure::Undefined),
        };
        Ok(Ok(node))
    }

    fn branch(&mut self, kind: Keyword) -> Result<Branch<'a>, Failure> {
        let variables = self.scope.variables.len();
        let is_range = usize::from(kind == Keyword::Range);
        let context = if kind == Keyword::Range { "range" } else { "" };
        let pipe = self.pipe(context, Token::Close)?;
        self.scope.ranges += is_range;
        let (list, end) = self.list()?;
        self.scope.ranges -= is_range;
        let mut otherwise = Vec::new();
        if end == Keyword::Else {
            if kind != Keyword::Range && self.peek() == Token::Keyword(kind) {
                self.at += 1;
                otherwise.push(Node::Branch(self.nested(|parser| parser.branch(kind))?));
            } else {
                let (nodes, end) = self.list()?;
                if end != Keyword::End {
                    return Err(Failure::Undefined);
                }
                otherwise = nodes;
            }
        }
        self.scope.variables.truncate(variables);
        Ok(Branch {
            kind,
            pipe,
            list,
            otherwise,
        })
    }

    fn name(&mut self) -> Result<String, Failure> {
        match self.next_beyond_space() {
            Token::String(text) | Token::RawString(text) => literal::unquote(text),
            _ => Err(Failure::Undefined),
        }
    }

    fn pipe(&mut self, context: &str, end: Token<'a>) -> Result<Pipe<'a>, Failure> {
        let mut pipe = Pipe {
            variables: Vec::new(),
            assigns: false,
            commands: Vec::new(),
        };
        self.declarations(context, &mut pipe)?;
        loop {
            match self.peek_beyond_space() {
                token if token == end => {
                    self.at += 1;
                    break;
                }
                Token::Text(_)
                | Token::Open
                | Token::Close
                | Token::Space
                | Token::Comma
                | Token::Assign
                | Token::Declare
                | Token::Pipe
                | Token::RightParen
                | Token::Keyword(_)
                | Token::End => return Err(Failure::Undefined),
                _ => pipe.commands.push(self.command()?),
            }
        }
        // Only a function or a field can take the value of the command before it.
        let is_constant = |command: &Command| {
            matches!(
                command.first,
                Operand::Bool(_) | Operand::Dot | Operand::Nil | Operand::Number(_) | Operand::Text(_)
            )
        };
        if pipe.commands.is_empty() || pipe.commands.iter().skip(1).any(is_constant) {
            return Err(Failure::Undefined);
        }
        Ok(pipe)
    }

    /// `$x :=`, `$x =`, and `$i, $x :=` in a range, if the pipe begins so.
    fn declarations(&mut self, context: &str, pipe: &mut Pipe<'a>) -> Result<(), Failure> {
        while let Token::Variable(name) = self.peek_beyond_space() {
            let start = self.at;
            self.at += 1;
            let separator = self.peek_beyond_space();
            if !matches!(separator, Token::Assign | Token::Declare | Token::Comma) {
                self.at = start;
                return Ok(());
            }
            self.at += 1;
            pipe.variables.push(name);
            self.scope.variables.push(name);
            if separator != Token::Comma {
                pipe.assigns = separator == Token::Assign;
                return Ok(());
            }
            let next = self.peek_beyond_space();
            let continues = matches!(next, Token::Variable(_) | Token::Close | Token::RightParen);
            if context != "range" || pipe.variables.len() > 1 || !continues {
                return Err(Failure::Undefined);
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command<'a>, Failure> {
        let mut operands = Vec::new();
        loop {
            self.peek_beyond_space();
            operands.extend(self.operand()?);
            match self.peek() {
                Token::Space => self.at += 1,
                Token::Close | Token::RightParen => break,
                Token::Pipe => {
                    self.at += 1;
                    break;
                }
                _ => return Err(Failure::Undefined),
            }
        }
        let mut operands = operands.into_iter();
        Ok(Command {
            first: operands.next().ok_or(Failure::Undefined)?,
            arguments: operands.collect(),
        })
    }

    fn operand(&mut self) -> Result<Option<Operand<'a>>, Failure> {
        let Some(operand) = self.term()? else {
            return Ok(None);
        };
        let mut fields = Vec::new();
        while let Token::Field(field) = self.peek() {
            self.at += 1;
            fields.push(field.get(1..).unwrap_or_default());
        }
        Ok(Some(match operand {
            operand if fields.is_empty() => operand,
            Operand::Bool(_) | Operand::Text(_) | Operand::Number(_) | Operand::Nil | Operand::Dot => {
                return Err(Failure::Undefined);
            }
            Operand::Fields(root, mut first) => {
                first.append(&mut fields);
                Operand::Fields(root, first)
            }
            other => Operand::Fields(Box::new(other), fields),
        }))
    }

    fn term(&mut self) -> Result<Option<Operand<'a>>, Failure> {
        let operand = match self.peek_beyond_space() {
            Token::Identifier(name) => Operand::Function(Function::find(name).ok_or(Failure::Undefined)?),
            Token::Dot => Operand::Dot,
            Token::Nil => Operand::Nil,
            Token::Variable(name) if self.scope.variables.contains(&name) => Operand::Variable(name),
            Token::Variable(_) => return Err(Failure::Undefined),
            Token::Field(field) => {
                let name = field.get(1..).unwrap_or_default();
                Operand::Fields(Box::new(Operand::Dot), vec![name])
            }
            Token::Bool(value) => Operand::Bool(value),
            Token::Char(text) => Operand::Number(literal::character(text)?),
            Token::Number(text) => Operand::Number(literal::number(text)?),
            Token::String(text) | Token::RawString(text) => Operand::Text(literal::unquote(text)?.into()),
            Token::LeftParen => {
                self.at += 1;
                let pipe = self.nested(|parser| parser.pipe("", Token::RightParen))?;
                return Ok(Some(Operand::Pipe(pipe)));
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(operand))
    }
}
