//! What a template says (`text/template/parse/node.go`).

use std::collections::BTreeMap;
use std::rc::Rc;

use super::functions::Function;
use super::lex::Keyword;
use super::literal::Number;

/// The templates by their names.
pub(super) type Templates<'a> = BTreeMap<String, Vec<Node<'a>>>;

pub(super) enum Node<'a> {
    Text(&'a str),
    Action(Pipe<'a>),
    Branch(Branch<'a>),
    Template(String, Option<Pipe<'a>>),
    Break,
    Continue,
}

/// `if`, `with` or `range`.
pub(super) struct Branch<'a> {
    pub(super) kind: Keyword,
    pub(super) pipe: Pipe<'a>,
    pub(super) list: Vec<Node<'a>>,
    pub(super) otherwise: Vec<Node<'a>>,
}

/// Commands, each of which gets the value of the one before it as its last argument.
pub(super) struct Pipe<'a> {
    /// The variables that get the value.
    pub(super) variables: Vec<&'a str>,
    /// They exist already.
    pub(super) assigns: bool,
    /// At least one.
    pub(super) commands: Vec<Command<'a>>,
}

pub(super) struct Command<'a> {
    pub(super) first: Operand<'a>,
    pub(super) arguments: Vec<Operand<'a>>,
}

pub(super) enum Operand<'a> {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    Text(Rc<str>),
    Function(Function),
    Variable(&'a str),
    Pipe(Pipe<'a>),
    /// Fields of another operand.
    Fields(Box<Operand<'a>>, Vec<&'a str>),
}
