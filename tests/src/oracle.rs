//! OPA's own library as a process that stays up: thousands of answers a second, where `opa eval` takes a tenth of one
//! each. `tests/tools/oracle` says what can be asked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::tools::tool;

/// A running oracle. It ends when it is dropped, and with this process: its standard input ends then.
pub struct Oracle {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// OPA's conformance cases for Rego v1.
#[derive(Debug, Deserialize)]
pub struct Cases {
    /// The version of OPA that they are of.
    pub version: String,
    /// All of them; the index is what [`Oracle::case`] takes.
    pub cases: Vec<Name>,
}

/// How a case is known.
#[derive(Clone, Debug, Deserialize)]
pub struct Name {
    /// What it is about. Some cases share a note.
    pub note: String,
    /// The folder of its file, which is its subject.
    pub directory: String,
    /// Its file, below `v1/test/cases/testdata/v1`.
    pub file: String,
}

/// A case as a host gets it.
#[derive(Debug)]
pub struct Case {
    /// A bundle of module and data, without sources.
    pub bundle: Vec<u8>,
    /// Its only entry point that matters here.
    pub entrypoint: String,
    /// The input; undefined where there is none.
    pub input: Option<Input>,
}

/// An input document as the case has it.
#[derive(Debug)]
pub enum Input {
    /// JSON text.
    Json(String),
    /// A Rego term: it may hold sets, and objects whose keys are no strings.
    Term(String),
}

/// OPA's functions, and a bundle that calls every one of them.
#[derive(Debug)]
pub struct Functions {
    /// What `opa capabilities --current` shows.
    pub capabilities: Value,
    /// Which of them a module asks the host for is found out by loading this.
    pub bundle: Vec<u8>,
}

/// How fast OPA answers one question.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Speed {
    /// Decisions made by all threads.
    pub operations: u64,
    /// The time that took, in seconds.
    pub seconds: f64,
    /// Half of the decisions took less, in nanoseconds.
    pub median_ns: u64,
    /// A hundredth of the decisions took more, in nanoseconds.
    pub p99_ns: u64,
}

impl Oracle {
    /// Starts one; the program is built first where it is missing.
    pub fn start() -> Result<Self> {
        let mut process = Command::new(tool("oracle")?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("could not start the oracle")?;
        let input = process.stdin.take().context("the oracle has a standard input")?;
        let output = process.stdout.take().context("the oracle has a standard output")?;
        Ok(Self {
            process,
            input,
            output: BufReader::new(output),
        })
    }

    /// OPA's conformance cases.
    pub fn cases(&mut self) -> Result<Cases> {
        self.ask(&json!({"cases": true}))
    }

    /// The case with this number, compiled by OPA.
    pub fn case(&mut self, number: usize) -> Result<Case> {
        #[derive(Deserialize)]
        struct Compiled {
            bundle: String,
            entrypoint: String,
            input: Option<String>,
            input_term: Option<String>,
        }
        let compiled: Compiled = self.ask(&json!({"case": number}))?;
        Ok(Case {
            bundle: BASE64_STANDARD.decode(compiled.bundle)?,
            entrypoint: compiled.entrypoint,
            input: compiled.input_term.map(Input::Term).or(compiled.input.map(Input::Json)),
        })
    }

    /// What is wrong with a host's answer to a case, by OPA's own comparison; `None` where nothing is. The answer is a
    /// result set as JSON text, or the words of the error that ended the evaluation.
    pub fn judge(&mut self, number: usize, answer: &Result<String, String>) -> Result<Option<String>> {
        #[derive(Deserialize)]
        struct Verdict {
            fault: Option<String>,
        }
        let question = match answer {
            Ok(result) => json!({"judge": number, "result": result}),
            Err(error) => json!({"judge": number, "error": error}),
        };
        Ok(self.ask::<Verdict>(&question)?.fault)
    }

    /// Compiles modules, by path, with data as JSON text, for all that is asked `on` this name.
    pub fn load(&mut self, name: &str, modules: &BTreeMap<String, String>, data: &str) -> Result<()> {
        let (name, modules) = (Value::from(name), serde_json::to_string(modules)?);
        // A request is one line; no JSON string has a line end in it.
        let data = data.replace('\n', " ");
        self.ask_text::<Value>(&format!(r#"{{"load": {name}, "modules": {modules}, "data": {data}}}"#))?;
        Ok(())
    }

    /// The value of the reference `query` as JSON text with sorted keys and sets, for an input as JSON text; `None`
    /// where it is undefined. The inner error is one of the evaluation.
    pub fn evaluate(
        &mut self,
        on: &str,
        query: &str,
        input: Option<&str>,
        now: Timestamp,
    ) -> Result<Result<Option<String>, String>> {
        #[derive(Deserialize)]
        struct Answer {
            value: Option<String>,
            error: Option<String>,
        }
        let question = json!({"query": query, "on": on, "input": input, "now": now});
        let answer: Answer = self.ask(&question)?;
        Ok(answer.error.map_or(Ok(answer.value), Err))
    }

    /// Repeats one decision, from JSON text to JSON text, for some seconds on some threads.
    pub fn bench(&mut self, on: &str, query: &str, input: &str, seconds: f64, threads: usize) -> Result<Speed> {
        self.ask(&json!({"bench": query, "on": on, "input": input, "seconds": seconds, "threads": threads}))
    }

    /// All functions of this OPA.
    pub fn functions(&mut self) -> Result<Functions> {
        #[derive(Deserialize)]
        struct Answer {
            capabilities: Value,
            bundle: String,
        }
        let answer: Answer = self.ask(&json!({"capabilities": true}))?;
        Ok(Functions {
            capabilities: answer.capabilities,
            bundle: BASE64_STANDARD.decode(answer.bundle)?,
        })
    }

    fn ask<T: DeserializeOwned>(&mut self, question: &Value) -> Result<T> {
        self.ask_text(&question.to_string())
    }

    fn ask_text<T: DeserializeOwned>(&mut self, question: &str) -> Result<T> {
        writeln!(self.input, "{question}")?;
        self.input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the oracle ended");
        let answer: Value = serde_json::from_str(&line)?;
        if let Some(error) = answer
            .get("error")
            .and_then(Value::as_str)
            .filter(|error| error.starts_with("oracle:"))
        {
            bail!("{error}");
        }
        Ok(serde_json::from_value(answer)?)
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
