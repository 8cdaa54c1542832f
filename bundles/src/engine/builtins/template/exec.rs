//! Runs a template (`text/template/exec.go`).

use super::functions::{self, Function};
use super::lex::Keyword;
use super::literal::Number;
use super::tree::{Branch, Command, Node, Operand, Pipe, Templates};
use super::value::Value;
use super::{Failure, MAIN, MAX_DEPTH, MAX_WORK, print, too_deep};
use crate::engine::term::Term;

/// The text that the main template makes of the data.
pub(super) fn run<'a>(templates: &'a Templates<'a>, data: &'a Term) -> Result<String, Failure> {
    let data = Value::of(data);
    let mut run = Run {
        templates,
        variables: vec![("$", data.clone())],
        out: String::new(),
        depth: 0,
        work: 0,
    };
    let main = templates.get(MAIN).ok_or(Failure::Undefined)?;
    run.list(&data, main)?;
    Ok(run.out)
}

/// What comes after a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

struct Run<'a> {
    templates: &'a Templates<'a>,
    /// Those of the running template; the last of a name counts.
    variables: Vec<(&'a str, Value<'a>)>,
    out: String,
    depth: usize,
    work: usize,
}

impl<'a> Run<'a> {
    fn work(&mut self, amount: usize) -> Result<(), Failure> {
        self.work = self.work.saturating_add(amount);
        if self.work > MAX_WORK {
            return Err(Failure::Limit(format!(
                "a template takes more than {MAX_WORK} steps and bytes of text"
            )));
        }
        Ok(())
    }

    /// Goes one level deeper for the time of `act`.
    fn nested<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let result = act(self);
        self.depth -= 1;
        result
    }

    fn list(&mut self, dot: &Value<'a>, nodes: &'a [Node<'a>]) -> Result<Flow, Failure> {
        for node in nodes {
            self.work(1)?;
            let flow = match node {
                Node::Text(text) => self.write(text)?,
                Node::Action(pipe) => {
                    let value = self.pipe(dot, pipe)?;
                    if pipe.variables.is_empty() {
                        self.print(&value)?;
                    }
                    Flow::Next
                }
                Node::Branch(branch) => self.nested(|run| run.branch(dot, branch))?,
                Node::Template(name, pipe) => self.nested(|run| run.template(dot, name, pipe.as_ref()))?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn write(&mut self, text: &str) -> Result<Flow, Failure> {
        self.work(text.len())?;
        self.out.push_str(text);
        Ok(Flow::Next)
    }

    fn print(&mut self, value: &Value) -> Result<(), Failure> {
        let mut text = String::new();
        match value {
            Value::Missing => text.push_str("<no value>"),
            value => print::print(&mut text, value)?,
        }
        self.write(&text).map(|_| ())
    }

    fn template(&mut self, dot: &Value<'a>, name: &str, pipe: Option<&'a Pipe<'a>>) -> Result<Flow, Failure> {
        let nodes = self.templates.get(name).ok_or(Failure::Undefined)?;
        let dot = match pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Value::Missing,
        };
        let outer = std::mem::replace(&mut self.variables, vec![("$", dot.clone())]);
        self.list(&dot, nodes)?;
        self.variables = outer;
        Ok(Flow::Next)
    }

    fn branch(&mut self, dot: &Value<'a>, branch: &'a Branch<'a>) -> Result<Flow, Failure> {
        let known = self.variables.len();
        let value = self.pipe(dot, &branch.pipe)?;
        let flow = match branch.kind {
            Keyword::Range => self.range(dot, &value, branch)?,
            _ if !value.is_true() => self.list(dot, &branch.otherwise)?,
            Keyword::With => self.list(&value, &branch.list)?,
            _ => self.list(dot, &branch.list)?,
        };
        self.variables.truncate(known);
        Ok(flow)
    }

    fn range(&mut self, dot: &Value<'a>, value: &Value<'a>, branch: &'a Branch<'a>) -> Result<Flow, Failure> {
        let mut pairs: Box<dyn Iterator<Item = (Value<'a>, Value<'a>)> + 'a> = match *value {
            Value::Missing | Value::Null => Box::new(std::iter::empty()),
            Value::List(list) => {
                let items = list.items().iter().map(Value::of);
                Box::new((0_i64..).map(Value::Integer).zip(items))
            }
            Value::Map(fields) => Box::new(fields.iter().map(|(key, value)| (Value::of(key), Value::of(value)))),
            Value::Integer(_) | Value::Byte(_) if branch.pipe.variables.len() > 1 => return Err(Failure::Undefined),
            Value::Integer(end) => Box::new((0..end).map(|at| (Value::Missing, Value::Integer(at)))),
            Value::Byte(end) => Box::new((0..end).map(|at| (Value::Missing, Value::Byte(at)))),
            _ => return Err(Failure::Undefined),
        };
        let known = self.variables.len();
        let Some(first) = pairs.next() else {
            // Go ends this range, not the outer one, for a `break` behind `else`.
            let flow = self.list(dot, &branch.otherwise)?;
            return Ok(if flow == Flow::Break { Flow::Next } else { flow });
        };
        for (index, element) in std::iter::once(first).chain(pairs) {
            self.work(1)?;
            self.set_range(&branch.pipe, index, element.clone())?;
            let flow = self.list(&element, &branch.list)?;
            self.variables.truncate(known);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    /// Gives the variables of a range the values of this turn. Those it declares are the last ones.
    fn set_range(&mut self, pipe: &Pipe<'a>, index: Value<'a>, element: Value<'a>) -> Result<(), Failure> {
        match pipe.variables.as_slice() {
            [] => Ok(()),
            [one] if pipe.assigns => self.assign(one, element),
            [first, second, ..] if pipe.assigns => {
                self.assign(first, index)?;
                self.assign(second, element)
            }
            declared => {
                let mut last = self.variables.iter_mut().rev();
                if let Some((_, value)) = last.next() {
                    *value = element;
                }
                if let (Some((_, value)), true) = (last.next(), declared.len() > 1) {
                    *value = index;
                }
                Ok(())
            }
        }
    }

    fn assign(&mut self, name: &str, value: Value<'a>) -> Result<(), Failure> {
        self.work(self.variables.len())?;
        let variable = self.variables.iter_mut().rev().find(|(known, _)| *known == name);
        variable.ok_or(Failure::Undefined)?.1 = value;
        Ok(())
    }

    fn pipe(&mut self, dot: &Value<'a>, pipe: &'a Pipe<'a>) -> Result<Value<'a>, Failure> {
        let mut value = None;
        for command in &pipe.commands {
            self.work(1)?;
            value = Some(self.command(dot, command, value)?.or_missing());
        }
        let value = value.unwrap_or(Value::Missing);
        for name in &pipe.variables {
            if pipe.assigns {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    /// One command, with the value of the one before it.
    fn command(
        &mut self,
        dot: &Value<'a>,
        command: &'a Command<'a>,
        last: Option<Value<'a>>,
    ) -> Result<Value<'a>, Failure> {
        let has_arguments = last.is_some() || !command.arguments.is_empty();
        match &command.first {
            Operand::Function(function) => self.call(dot, *function, &command.arguments, last),
            Operand::Fields(root, fields) => self.fields(dot, root, fields, has_arguments),
            Operand::Nil => Err(Failure::Undefined),
            _ if has_arguments => Err(Failure::Undefined),
            operand => self.operand(dot, operand),
        }
    }

    /// Only functions take arguments; but on nothing, fields are not looked at so closely.
    fn fields(
        &mut self,
        dot: &Value<'a>,
        root: &'a Operand<'a>,
        fields: &[&str],
        has_arguments: bool,
    ) -> Result<Value<'a>, Failure> {
        let mut value = self.operand(dot, root)?;
        for (index, field) in fields.iter().enumerate() {
            self.work(field.len())?;
            let is_called = has_arguments && index + 1 == fields.len();
            if is_called && !matches!(value, Value::Missing) {
                return Err(Failure::Undefined);
            }
            value = value.field(field)?;
        }
        Ok(value)
    }

    fn operand(&mut self, dot: &Value<'a>, operand: &'a Operand<'a>) -> Result<Value<'a>, Failure> {
        self.work(1)?;
        match operand {
            Operand::Dot => Ok(dot.clone()),
            Operand::Nil => Ok(Value::Missing),
            Operand::Bool(value) => Ok(Value::Bool(*value)),
            Operand::Number(Number::Integer(value)) => Ok(Value::Integer(*value)),
            Operand::Number(Number::Float(value)) => Ok(Value::Float(*value)),
            Operand::Number(Number::Overflow) => Err(Failure::Undefined),
            Operand::Text(text) => Ok(Value::Made(text.clone())),
            Operand::Function(function) => self.call(dot, *function, &[], None),
            Operand::Variable(name) => {
                self.work(self.variables.len())?;
                let variable = self.variables.iter().rev().find(|(known, _)| known == name);
                variable.map(|(_, value)| value.clone()).ok_or(Failure::Undefined)
            }
            Operand::Pipe(pipe) => self.nested(|run| run.pipe(dot, pipe)),
            Operand::Fields(root, fields) => self.fields(dot, root, fields, false),
        }
    }

    fn call(
        &mut self,
        dot: &Value<'a>,
        function: Function,
        operands: &'a [Operand<'a>],
        last: Option<Value<'a>>,
    ) -> Result<Value<'a>, Failure> {
        if !function.takes(operands.len() + usize::from(last.is_some())) {
            return Err(Failure::Undefined);
        }
        if let Function::And | Function::Or = function {
            let mut value = Value::Missing;
            for operand in operands {
                value = self.operand(dot, operand)?;
                if value.is_true() == (function == Function::Or) {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let mut values = Vec::with_capacity(operands.len() + 1);
        for operand in operands {
            values.push(self.operand(dot, operand)?);
        }
        values.extend(last);
        let is_looked_into = |value: &&Value| function.prints() || value.any_text().is_some();
        self.work(values.iter().filter(is_looked_into).map(Value::weight).sum())?;
        let result = functions::call(function, &values)?;
        self.work(result.text().map_or(1, str::len))?;
        Ok(result)
    }
}
